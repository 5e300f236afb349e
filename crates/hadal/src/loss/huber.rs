//! Huber's loss.

use super::{Loss, assert_same_shape, check_like_output, mean_of_rest};
use crate::{Result, Shape, Tensor};

/// Huber loss: `e^2 / 2` for errors up to `delta`, `delta (|e| - delta / 2)` beyond (Huber, 1964), averaged over each sample's
/// outputs. It is less sensitive to outliers than the squared error.
///
/// ```
/// use hadal::prelude::*;
/// let (y, t) = (Tensor::from_slice(&[0.5f32, 3.0], [2, 1]), Tensor::zeros([2, 1]));
/// assert_eq!(Huber::new(1.0).per_sample(&y, &t).to_vec::<f32>(), [0.125, 2.5]);
/// ```
#[doc(alias = "HuberLoss")]
#[doc(alias = "SmoothL1Loss")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    delta: f64,
}

impl Huber {
    /// With this bound between small and large errors.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (y, t) = (Tensor::from([[3.0]]), Tensor::from([[0.0]]));
    /// assert_eq!(Huber::new(2.0).loss(&y, &t).item(), 4.0);
    /// ```
    ///
    /// # Panics
    /// If `delta` is not positive and finite, as a number of `f32`.
    #[track_caller]
    pub fn new(delta: f64) -> Huber {
        let fits = delta as f32 > 0.0 && (delta as f32).is_finite();
        assert!(fits, "Huber: delta {delta} must be positive and finite, within the range of f32, for example 1");
        Huber { delta }
    }
}

impl Default for Huber {
    /// Delta 1: PyTorch's and Keras's default.
    fn default() -> Huber {
        Huber::new(1.0)
    }
}

impl Loss for Huber {
    fn name(&self) -> &'static str {
        "huber"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        assert_same_shape(self.name(), prediction, target);
        let size = (prediction - target.to_dtype(prediction.dtype())).abs();
        let inner = size.clamp(0.0, self.delta);
        // With the error cut at delta: c^2 / 2 + delta (|e| - c).
        mean_of_rest(inner.powi(2) * 0.5 + (&size - &inner) * self.delta)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_like_output(self.name(), output, targets)
    }
}
