//! Mean squared error.

use super::{Loss, assert_same_shape, check_like_output, mean_of_rest};
use crate::{Result, Shape, Tensor};

/// Mean squared error, `(y - t)^2`, averaged over all elements: PyTorch's `MSELoss`. Prediction and target have the same shape.
///
/// ```
/// use hadal::prelude::*;
/// let (y, t) = (Tensor::from([[1.0, -3.0]]), Tensor::from([[0.0, 0.0]]));
/// assert_eq!(MeanSquaredError.loss(&y, &t).item(), 5.0);
/// ```
#[doc(alias = "MSELoss")]
#[doc(alias = "mse")]
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanSquaredError;

impl Loss for MeanSquaredError {
    fn name(&self) -> &'static str {
        "mean_squared_error"
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        assert_same_shape(self.name(), prediction, target);
        mean_of_rest((prediction - target.to_dtype(prediction.dtype())).powi(2))
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_like_output(self.name(), output, targets)
    }
}
