//! Mean squared error.

use super::Loss;
use crate::{Error, Result, Shape, Tensor};

/// `(y - t)^2`, averaged over all elements, as in PyTorch and Keras. Prediction and target have the same shape.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanSquaredError;

impl Loss for MeanSquaredError {
    fn name(&self) -> &'static str {
        "mean_squared_error"
    }

    #[track_caller]
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        assert!(
            prediction.shape() == target.shape(),
            "mean_squared_error: prediction {} and target {} differ in shape",
            prediction.shape(),
            target.shape()
        );
        (prediction - target).powi(2).mean()
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        if targets.dtype().is_float() && **output == targets.shape()[1..] {
            return Ok(());
        }
        Err(Error::Data(format!(
            "{} takes targets of the output's shape; the model's output has shape {output}, the targets are {} of shape {}",
            self.name(),
            targets.dtype(),
            targets.shape()
        )))
    }
}
