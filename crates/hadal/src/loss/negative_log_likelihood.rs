//! Negative log-likelihood of log-probabilities.

use super::{Loss, check_labels};
use crate::{DType, Error, Result, Shape, Tensor};

/// Negative log-likelihood, `-y[label]`, PyTorch's `NLLLoss`. Use it after a log-softmax.
///
/// Predictions are log-probabilities `[N, C]`, targets class labels (`i64`, `[N]`).
#[derive(Clone, Copy, Debug, Default)]
pub struct NegativeLogLikelihood;

impl Loss for NegativeLogLikelihood {
    fn name(&self) -> &'static str {
        "negative_log_likelihood"
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        -prediction.gather(1, &target.unsqueeze(1)).squeeze(1)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_labels(self.name(), output, targets)
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        // A little above 0 is rounding.
        let numbers = prediction.to_dtype(DType::F64).to_vec::<f64>();
        match numbers.iter().find(|p| p.is_nan() || **p > 1e-6) {
            None => Ok(()),
            Some(bad) => Err(Error::Data(format!(
                "{} takes log-probabilities, which are at most 0, but a prediction is {bad}; end the network with LogSoftmax, or \
                 use CategoricalCrossentropy.from_logits()",
                self.name()
            ))),
        }
    }
}
