//! Softmax and its logarithm, computed after subtracting the maximum so that nothing overflows.

use super::arithmetic::check_float;
use crate::autograd::{OutputActivation, record_squashing};
use crate::tensor::{Tensor, Value};

impl Tensor {
    /// `exp(x) / sum(exp(x))` along `axis`. Gradient: `y (g - sum(g y))`. Elements that are infinite share the whole; NaN where
    /// all are minus infinity.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([1, 4]).softmax(1).to_vec::<f32>(), [0.25; 4]);
    /// ```
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Tensor {
        self.softmax_of("softmax", axis, false)
    }

    /// `x - ln(sum(exp(x)))` along `axis`. Gradient: `g - exp(y) sum(g)`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[0.0, 1000.0]]);
    /// assert_eq!(x.log_softmax(1).to_vec::<f32>(), [-1000.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Tensor {
        self.softmax_of("log_softmax", axis, true)
    }

    #[track_caller]
    fn softmax_of(&self, operation: &'static str, axis: isize, logarithm: bool) -> Tensor {
        check_float(operation, self);
        let axis = self.shape().axis(axis, operation);
        let last = self.rank() - 1;
        if axis != last {
            let (axis, last) = (axis as isize, last as isize);
            return self.transpose(axis, last).softmax_of(operation, last, logarithm).transpose(axis, last);
        }
        let value = Value::contiguous(*self.shape(), self.backend().softmax(self.view(), logarithm));
        let squashing = (!logarithm).then_some(OutputActivation::Softmax);
        record_squashing(operation, value, &[self], squashing, move |g, y, to| {
            to.add(0, || {
                if logarithm { g - y.exp() * g.sum_keepdim(&[-1]) } else { y * (g - (g * y).sum_keepdim(&[-1])) }
            });
        })
    }
}
