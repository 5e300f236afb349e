//! Categorical cross-entropy of probabilities.

use super::{Loss, check_labels};
use crate::{DType, Error, Result, Shape, Tensor};

/// `-sum_k t_k ln p_k`, averaged over the batch: the loss of a network that ends in softmax.
///
/// Predictions are probabilities `[N, C]`; targets are class labels (`i64`, `[N]`) or probabilities (`[N, C]`).
/// As in Keras, predictions are first divided by their sum and clipped to `[1e-7, 1 - 1e-7]`, so that a confident
/// mistake costs a finite 16.1.
#[derive(Clone, Copy, Debug, Default)]
pub struct CategoricalCrossentropy;

/// Keras's `epsilon()`.
const EPSILON: f64 = 1e-7;

impl Loss for CategoricalCrossentropy {
    fn name(&self) -> &'static str {
        "categorical_crossentropy"
    }

    #[track_caller]
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let log = |p: &Tensor| (p / prediction.sum_keep(&[1])).clamp(EPSILON, 1.0 - EPSILON).ln();
        if target.dtype() == DType::I64 {
            return -log(&prediction.gather(1, &target.unsqueeze(1))).mean();
        }
        -(target * log(prediction)).sum() / prediction.size(0) as f64
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        if targets.dtype() == DType::I64 {
            return check_labels(self.name(), output, targets);
        }
        let fits = targets.dtype().is_float() && targets.rank() == 2 && **output == targets.shape()[1..];
        if fits {
            return Ok(());
        }
        Err(Error::Data(format!(
            "{} takes labels (i64, [N]) or one probability per class ([N, C]); the model's output has shape {output}, \
             the targets are {} of shape {}",
            self.name(),
            targets.dtype(),
            targets.shape()
        )))
    }
}
