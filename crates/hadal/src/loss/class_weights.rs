//! Weights for classes.

use super::Loss;
use crate::{DType, Error, Result, Shape, Tensor};

/// A loss whose samples count as much as their class: what [`Loss::class_weights`] makes. As in PyTorch the mean is
/// `sum of w l / sum of w` over the batch; Keras divides by the number of samples, as
/// [`Dataset::weights`](crate::data::Dataset::weights) does.
///
/// ```
/// use hadal::prelude::*;
/// let p = Tensor::from_slice(&[0.5f32, 0.5, 0.1, 0.9], [2, 2]);
/// let labels = Tensor::from_slice(&[0i64, 1], [2]);
/// let loss = CategoricalCrossentropy.class_weights(&[3.0, 1.0]).loss(&p, &labels);
/// assert!((loss.item() - (3.0 * 0.693147 + 0.105361) / 4.0).abs() < 1e-5);
/// ```
#[derive(Clone, Debug)]
pub struct ClassWeighted<L> {
    loss: L,
    weights: Tensor,
}

impl<L> ClassWeighted<L> {
    #[track_caller]
    pub(super) fn new(loss: L, weights: &[f64]) -> ClassWeighted<L> {
        let fit = weights.iter().all(|w| *w >= 0.0 && w.is_finite()) && weights.iter().any(|w| *w > 0.0);
        assert!(fit, "class_weights: weights must be 0 or positive and finite, not all 0: {weights:?}");
        ClassWeighted { loss, weights: Tensor::from_slice(weights, [weights.len()]) }
    }

    fn of(&self, target: &Tensor, dtype: DType) -> Tensor {
        self.weights.index_select(0, target).to_dtype(dtype)
    }
}

impl<L: Loss> Loss for ClassWeighted<L> {
    fn name(&self) -> &'static str {
        self.loss.name()
    }

    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let losses = self.loss.per_sample(prediction, target);
        &losses * self.of(target, losses.dtype())
    }

    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let losses = self.loss.per_sample(prediction, target);
        let weights = self.of(target, losses.dtype());
        (&losses * &weights).sum() / weights.sum()
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        self.loss.check(output, targets)?;
        let classes = self.weights.elements();
        if targets.dtype() != DType::I64 {
            return Err(Error::Data(format!(
                "class weights need class labels, i64, not targets of {}",
                targets.dtype()
            )));
        }
        match targets.to_vec::<i64>().into_iter().max() {
            Some(label) if label >= classes as i64 => {
                Err(Error::Data(format!("there are {classes} class weights, but a sample has label {label}")))
            }
            _ => Ok(()),
        }
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        self.loss.check_prediction(prediction)
    }
}
