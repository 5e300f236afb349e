//! Element-wise functions of two tensors, broadcast against each other by NumPy's rule.

use crate::autograd::{record, record_with_output, records, unrecorded};
use crate::backend::BinaryOp;
use crate::dtype::DType;
use crate::kinds::{Meeting, meet, quotient};
use crate::shape::Shape;
use crate::tensor::{Tensor, Value};

/// The shape two operands broadcast to; panics with both shapes when they do not.
#[track_caller]
pub(crate) fn broadcast(operation: &str, a: &Tensor, b: &Tensor) -> Shape {
    match a.shape().broadcast(b.shape()) {
        Some(shape) => shape,
        None => panic!(
            "{operation}: shapes {} and {} do not broadcast: aligned at the last axis, sizes must be equal or one of them 1",
            a.shape(),
            b.shape()
        ),
    }
}

#[track_caller]
pub(crate) fn check_same_dtype(operation: &str, a: &Tensor, b: &Tensor) {
    assert!(
        a.dtype() == b.dtype(),
        "{operation}: dtypes {} and {} differ; convert one with to_dtype()",
        a.dtype(),
        b.dtype()
    );
}

#[track_caller]
pub(crate) fn check_float(operation: &str, x: &Tensor) {
    assert!(
        x.dtype().is_float(),
        "{operation}: the tensor holds {}; convert it with to_dtype(DType::F32) first",
        x.dtype()
    );
}

/// The numbers of `op(a, b)`, without a record.
#[track_caller]
pub(crate) fn binary_value(operation: &str, op: BinaryOp, a: &Tensor, b: &Tensor) -> Value {
    meet(operation, Meeting::Tensors(a.dtype(), b.dtype()));
    let shape = broadcast(operation, a, b);
    let (mut left, mut right) = (a.view(), b.view());
    let (wide_left, wide_right) = (left.layout.expand(shape), right.layout.expand(shape));
    left.layout = &wide_left;
    right.layout = &wide_right;
    Value::contiguous(shape, a.backend().binary(op, left, right))
}

impl Tensor {
    #[track_caller]
    pub(crate) fn add_tensor(&self, other: &Tensor) -> Tensor {
        let (a, b) = (*self.shape(), *other.shape());
        record("add", binary_value("add", BinaryOp::Add, self, other), &[self, other], move |g, sink| {
            sink.add(0, || g.sum_to(a));
            sink.add(1, || g.sum_to(b));
        })
    }

    #[track_caller]
    pub(crate) fn sub_tensor(&self, other: &Tensor) -> Tensor {
        let (a, b) = (*self.shape(), *other.shape());
        record("sub", binary_value("sub", BinaryOp::Sub, self, other), &[self, other], move |g, sink| {
            sink.add(0, || g.sum_to(a));
            sink.add(1, || (-g).sum_to(b));
        })
    }

    #[track_caller]
    pub(crate) fn mul_tensor(&self, other: &Tensor) -> Tensor {
        let value = binary_value("mul", BinaryOp::Mul, self, other);
        if !records(&[self, other]) {
            return unrecorded("mul", value, &[self, other]);
        }
        let (a, b) = (self.clone(), other.clone());
        record("mul", value, &[self, other], move |g, sink| {
            sink.add(0, || (g * &b).sum_to(*a.shape()));
            sink.add(1, || (g * &a).sum_to(*b.shape()));
        })
    }

    #[track_caller]
    pub(crate) fn div_tensor(&self, other: &Tensor) -> Tensor {
        let dtype = quotient(meet("div", Meeting::Tensors(self.dtype(), other.dtype())));
        if dtype != self.dtype() {
            return self.to_dtype(dtype).div_tensor(&other.to_dtype(dtype));
        }
        let (a, b) = (*self.shape(), other.clone());
        record_with_output("div", binary_value("div", BinaryOp::Div, self, other), &[self, other], move |g, y, sink| {
            let part = g / &b;
            sink.add(0, || part.sum_to(a));
            // Not a g / b^2, which overflows where this does not.
            sink.add(1, || (-(&part * y)).sum_to(*b.shape()));
        })
    }

    /// `self` to the power `exponent`, element by element, broadcast.
    ///
    /// The gradient in the exponent is `self^exponent ln(self)`: NaN where `self` is negative, and 0 where `self` is 0 and the
    /// exponent is not negative. That in `self` is `exponent self^(exponent - 1)`: 0 where the exponent is 0.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let (x, n) = (Tensor::from([2.0, 3.0]), Tensor::from([3.0, 2.0]));
    /// assert_eq!(x.pow(&n).to_vec::<f32>(), [8.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the dtypes differ or are not floating-point.
    #[doc(alias = "power")]
    #[track_caller]
    pub fn pow(&self, exponent: &Tensor) -> Tensor {
        check_float("pow", self);
        let (a, b) = (self.clone(), exponent.clone());
        record("pow", binary_value("pow", BinaryOp::Pow, self, exponent), &[self, exponent], move |g, sink| {
            // Where the formulas would be 0 times infinity, 1 is added to the exponent, or to what the logarithm is taken of.
            sink.add(0, || {
                let smallest = if a.dtype() == DType::F32 { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
                // Neither large enough for its inverse nor NaN, whose power 0 is 1, too.
                let large = a.detach().abs().ge(4.0 * smallest);
                let hole = b.detach().eq(0.0).to_dtype(a.dtype()) * (1.0 - large.to_dtype(a.dtype()));
                (g * (&b * a.pow(&(&b - 1.0 + hole)))).sum_to(*a.shape())
            });
            sink.add(1, || {
                let hole = a.detach().eq(0.0).to_dtype(a.dtype()) * b.detach().ge(0.0).to_dtype(a.dtype());
                (g * (a.pow(&b) * (&a + hole).ln())).sum_to(*b.shape())
            });
        })
    }

    /// The larger of both, element by element, broadcast; NaN where either is. Equal elements share the gradient.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let (a, b) = (Tensor::from([1, 5]), Tensor::from([3, 2]));
    /// assert_eq!(a.maximum(&b).to_vec::<i64>(), [3, 5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the dtypes differ.
    #[doc(alias = "max")]
    #[track_caller]
    pub fn maximum(&self, other: &Tensor) -> Tensor {
        self.extremum("maximum", BinaryOp::Max, other)
    }

    /// The smaller of both, element by element, broadcast; NaN where either is. Equal elements share the gradient.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let (a, b) = (Tensor::from([1, 5]), Tensor::from([3, 2]));
    /// assert_eq!(a.minimum(&b).to_vec::<i64>(), [1, 2]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the dtypes differ.
    #[doc(alias = "min")]
    #[track_caller]
    pub fn minimum(&self, other: &Tensor) -> Tensor {
        self.extremum("minimum", BinaryOp::Min, other)
    }

    #[track_caller]
    fn extremum(&self, operation: &'static str, op: BinaryOp, other: &Tensor) -> Tensor {
        let (a, b) = (self.clone(), other.clone());
        record(operation, binary_value(operation, op, self, other), &[self, other], move |g, sink| {
            // 1 where a side was chosen, one half where both were; 1 for both beside NaN, as in PyTorch.
            let half = |mine: &Tensor, theirs: &Tensor| {
                let lost = if op == BinaryOp::Max { mine.lt(theirs) } else { mine.gt(theirs) };
                (1.0 - lost.to_dtype(mine.dtype()) - mine.eq(theirs).to_dtype(mine.dtype()) * 0.5).detach()
            };
            sink.add(0, || (g * half(&a, &b)).sum_to(*a.shape()));
            sink.add(1, || (g * half(&b, &a)).sum_to(*b.shape()));
        })
    }

    /// `self`, 0 where `of <= 0`: the gradient of relu. Linear in `self`, constant in `of`.
    #[track_caller]
    pub(crate) fn gate(&self, of: &Tensor) -> Tensor {
        let of = of.detach();
        record("relu", binary_value("relu", BinaryOp::Gate, self, &of), &[self], move |g, sink| {
            sink.add(0, || g.gate(&of));
        })
    }

    /// `self (1 - y^2)`: the gradient of tanh from its output `y`.
    #[track_caller]
    pub(crate) fn tanh_gradient(&self, y: &Tensor) -> Tensor {
        let value = binary_value("tanh", BinaryOp::TanhGradient, self, y);
        if !records(&[self, y]) {
            return unrecorded("tanh", value, &[self, y]);
        }
        let (a, saved) = (self.clone(), y.clone());
        record("tanh", value, &[self, y], move |g, sink| {
            let y = &saved;
            sink.add(0, || g.tanh_gradient(y));
            sink.add(1, || g * &a * y * -2.0);
        })
    }

    /// `self y (1 - y)`: the gradient of sigmoid from its output `y`.
    #[track_caller]
    pub(crate) fn sigmoid_gradient(&self, y: &Tensor) -> Tensor {
        let value = binary_value("sigmoid", BinaryOp::SigmoidGradient, self, y);
        let (a, saved) = (self.clone(), y.clone());
        record("sigmoid", value, &[self, y], move |g, sink| {
            let y = &saved;
            sink.add(0, || g.sigmoid_gradient(y));
            sink.add(1, || g * &a * (1.0 - &(y * 2.0)));
        })
    }
}
