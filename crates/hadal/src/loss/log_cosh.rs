//! The logarithm of the hyperbolic cosine.

use super::{Loss, assert_same_shape, check_like_output, mean_of_rest};
use crate::{Result, Shape, Tensor};

/// `ln cosh(y - t)`, averaged over all elements, as Keras's `LogCosh`: like half the squared error near 0 and like the
/// absolute error far out, and smooth throughout.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogCosh;

impl Loss for LogCosh {
    fn name(&self) -> &'static str {
        "log_cosh"
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        assert_same_shape(self.name(), prediction, target);
        mean_of_rest((prediction - target.to_dtype(prediction.dtype())).log_cosh())
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_like_output(self.name(), output, targets)
    }
}
