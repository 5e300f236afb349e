//! Softmax and its logarithm, computed after subtracting the maximum so that nothing overflows.

use super::arithmetic::check_float;
use crate::autograd::{OutputActivation, record_squashing, record_with_output, records};
use crate::backend::View;
use crate::dtype::DType;
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

    /// Softmax of `scale * x` along the last axis over what is not masked: the weights of attention (Vaswani and others, NeurIPS
    /// 2017, eq. 1). What is masked gets 0, and so does all of a row of which nothing is left; the same holds for elements that
    /// are minus infinity.
    ///
    /// `mask` is `bool`, true for what is left out, and broadcasts to the shape of `x`. If `causal`, the last two axes are queries and
    /// keys, `[.., T, S]`, and query `i` has the keys up to `i + S - T`: the last query has all of them.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let weights = Tensor::zeros([3, 3]).masked_softmax(1.0, true, None);
    /// assert_eq!(weights.slice(0, ..2).to_vec::<f32>(), [1.0, 0.0, 0.0, 0.5, 0.5, 0.0]);
    /// let nothing = Tensor::from([true, true]);
    /// assert_eq!(Tensor::ones([1, 2]).masked_softmax(1.0, false, Some(&nothing)).to_vec::<f32>(), [0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If `scale` is not a positive number, the mask is not `bool` or does not broadcast, or the tensor is a scalar or, if `causal`,
    /// has fewer than two axes.
    #[track_caller]
    pub fn masked_softmax(&self, scale: f64, causal: bool, mask: Option<&Tensor>) -> Tensor {
        check_float("masked_softmax", self);
        assert!(scale > 0.0 && scale.is_finite(), "masked_softmax: the scale {scale} is not a positive number");
        let least = if causal { 2 } else { 1 };
        assert!(self.rank() >= least, "masked_softmax: shape {} has fewer than {least} axes", self.shape());
        if let Some(mask) = mask {
            let mut sizes = mask.shape().iter().rev().zip(self.shape().iter().rev());
            let fits = mask.rank() <= self.rank() && sizes.all(|(&own, &size)| own == 1 || own == size);
            assert!(
                mask.dtype() == DType::Bool && fits,
                "masked_softmax: the mask is {} of shape {}, but must be bool and broadcast to {}",
                mask.dtype(),
                mask.shape(),
                self.shape()
            );
        }
        let layout = mask.map(|mask| mask.layout().expand(*self.shape()));
        let view = mask.zip(layout.as_ref()).map(|(mask, layout)| View { storage: &mask.value().storage, layout });
        let storage = self.backend().masked_softmax(self.view(), scale, causal, view);
        record_with_output("masked_softmax", Value::contiguous(*self.shape(), storage), &[self], move |g, y, to| {
            to.add(0, || softmax_gradient(g, y, scale));
        })
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
            to.add(0, || if logarithm { g - y.exp() * g.sum_keepdim(&[-1]) } else { softmax_gradient(g, y, 1.0) });
        })
    }
}

/// `scale * y (g - sum(g y))` over the last axis; step by step where that is differentiated again.
fn softmax_gradient(g: &Tensor, y: &Tensor, scale: f64) -> Tensor {
    if records(&[g, y]) {
        return y * (g - (g * y).sum_keepdim(&[-1])) * scale;
    }
    let storage = y.backend().softmax_gradient(y.view(), g.view(), scale);
    Tensor::new(Value::contiguous(*y.shape(), storage), None)
}
