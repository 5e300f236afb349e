//! Kullback and Leibler's divergence.

use super::{EPSILON, Loss, NOT_PROBABILITIES, assert_same_shape, check_like_output, check_probabilities, sum_of_rest};
use crate::{Result, Shape, Tensor};

/// Kullback-Leibler divergence, `sum_k t_k ln(t_k / p_k)` (1951). As in
/// Keras, both are clipped to `[1e-7, 1]`. Predictions and targets are probabilities `[N, C]`.
///
/// ```
/// use hadal::prelude::*;
/// let p = Tensor::from([[0.5, 0.5]]);
/// assert_eq!(KlDivergence.loss(&p, &p).item(), 0.0);
/// let loss = KlDivergence.loss(&p, &Tensor::from([[1.0, 0.0]])).item();
/// assert!((loss - 2f64.ln()).abs() < 1e-5);
/// ```
#[doc(alias = "KLDivLoss")]
#[doc(alias = "KLDivergence")]
#[derive(Clone, Copy, Debug, Default)]
pub struct KlDivergence;

impl Loss for KlDivergence {
    fn name(&self) -> &'static str {
        "kl_divergence"
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        assert_same_shape(self.name(), prediction, target);
        let (t, p) = (target.to_dtype(prediction.dtype()).clamp(EPSILON, 1.0), prediction.clamp(EPSILON, 1.0));
        sum_of_rest(&t * (t.ln() - p.ln()), false)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_like_output(self.name(), output, targets)?;
        check_probabilities(self.name(), "target", targets, "targets lie between 0 and 1")
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        check_probabilities(self.name(), "prediction", prediction, NOT_PROBABILITIES)
    }
}
