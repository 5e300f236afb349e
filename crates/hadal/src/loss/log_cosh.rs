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
        let error = prediction - target;
        // ln cosh e = e + ln(1 + exp(-2 e)) - ln 2, which does not overflow.
        mean_of_rest(&error + (&error * -2.0).softplus() - std::f64::consts::LN_2)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_like_output(self.name(), output, targets)
    }
}
