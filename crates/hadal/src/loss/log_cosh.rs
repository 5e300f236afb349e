//! The logarithm of the hyperbolic cosine.

use super::{Loss, assert_same_shape, check_like_output, mean_of_rest};
use crate::{Result, Shape, Tensor};

/// Log-cosh loss, `ln cosh(y - t)`, averaged over each sample's outputs, as Keras's `LogCosh`: close to half the squared error
/// for small errors and to the absolute error for large ones.
///
/// ```
/// use hadal::loss::{Loss, LogCosh};
/// use hadal::Tensor;
/// let (y, t) = (Tensor::from([[0.1], [10.0]]), Tensor::zeros([2, 1]));
/// let losses = LogCosh.per_sample(&y, &t).to_vec::<f32>();
/// assert!((losses[0] - 0.005).abs() < 1e-4); // half the square
/// assert!((losses[1] - 9.307).abs() < 1e-3); // the absolute error, less ln 2
/// ```
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
