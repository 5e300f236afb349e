//! Mean absolute error.

use super::{Loss, assert_same_shape, check_like_output, mean_of_rest};
use crate::{Result, Shape, Tensor};

/// Mean absolute error, `|y - t|`, averaged over all elements: PyTorch's `L1Loss`.
///
/// ```
/// use hadal::prelude::*;
/// let (y, t) = (Tensor::from([[1.0, -3.0]]), Tensor::from([[0.0, 0.0]]));
/// assert_eq!(MeanAbsoluteError.loss(&y, &t).item(), 2.0);
/// ```
#[doc(alias = "L1Loss")]
#[doc(alias = "mae")]
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanAbsoluteError;

impl Loss for MeanAbsoluteError {
    fn name(&self) -> &'static str {
        "mean_absolute_error"
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        assert_same_shape(self.name(), prediction, target);
        mean_of_rest((prediction - target.to_dtype(prediction.dtype())).abs())
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_like_output(self.name(), output, targets)
    }
}
