//! Sums, means and extremes over axes.

use super::axes::Axes;
use crate::autograd::{record, record_with_output, records, unrecorded};
use crate::backend::{ReduceOp, UnaryOp, View};
use crate::dtype::DType;
use crate::shape::{Layout, Shape};
use crate::tensor::{Tensor, Value};

impl Tensor {
    /// Reduces `axes`; the result has `shape`, which has as many elements as are left.
    fn reduce(&self, op: ReduceOp, axes: &[usize], shape: Shape) -> Value {
        let order: Axes = self.all_axes().without(axes).iter().chain(axes).copied().collect();
        let layout = permuted(self.layout(), &order);
        let storage = self.backend().reduce(op, View { storage: &self.value().storage, layout: &layout }, axes.len());
        Value::contiguous(shape, storage)
    }

    /// The shape of what is reduced along `axes`: first with size 1 there, then without these axes.
    fn shapes_without(&self, axes: &[usize]) -> (Shape, Shape) {
        let kept = axes.iter().fold(*self.shape(), |shape, &axis| shape.with(axis, 1));
        let left: Axes = self.all_axes().without(axes).iter().map(|&axis| self.shape()[axis]).collect();
        (kept, Shape::new(&left))
    }

    #[track_caller]
    pub(super) fn axes(&self, axes: &[isize], operation: &str) -> Axes {
        let mut result = Axes::default();
        // A loop, not a closure: messages name the line of the caller only through plain calls.
        for &axis in axes {
            let axis = self.shape().axis(axis, operation);
            assert!(!result.contains(&axis), "{operation}: axes {axes:?} contain a duplicate axis");
            result.push(axis);
        }
        result.sort();
        result
    }

    pub(super) fn all_axes(&self) -> Axes {
        (0..self.rank()).collect()
    }

    /// The sum over `axes`, which stay with size 1 if `keep`.
    #[track_caller]
    fn sum_value(&self, axes: &[usize], keep: bool) -> Tensor {
        let (shape, (kept, left)) = (*self.shape(), self.shapes_without(axes));
        let value = self.reduce(ReduceOp::Sum, axes, if keep { kept } else { left });
        record("sum", value, &[self], move |g, to| to.add(0, || g.reshape(kept).expand(shape)))
    }

    #[track_caller]
    fn extreme_value(&self, operation: &'static str, op: ReduceOp, axes: &[usize]) -> Tensor {
        assert!(
            self.dtype() != DType::Bool,
            "{operation}: bool tensors do not support this operation; convert them with to_dtype() first"
        );
        let empty = axes.iter().any(|&axis| self.shape()[axis] == 0);
        assert!(!empty, "{operation}: shape {} has no elements along axes {axes:?}", self.shape());
        let (kept, left) = self.shapes_without(axes);
        let value = self.reduce(op, axes, left);
        if !records(&[self]) {
            return unrecorded(operation, value, &[self]);
        }
        let (x, axes) = (self.clone(), axes.iter().copied().collect::<Axes>());
        record_with_output(operation, value, &[self], move |g, y, to| {
            to.add(0, || {
                let chosen = x.eq(y.reshape(kept)).to_dtype(x.dtype());
                let ties = chosen.sum_value(&axes, true);
                chosen * (g.reshape(kept) / ties)
            });
        })
    }

    /// The sum of all elements, as a scalar; 0 for an empty tensor. Added in a fixed tree, whatever the threads. Bytes and
    /// truth values are added as `i64`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from_slice(&[200u8, 100], [2]);
    /// assert_eq!(x.sum().to_vec::<i64>(), [300]);
    /// assert_eq!(x.gt(150).sum().to_vec::<i64>(), [1]);
    /// assert_eq!(x.mean().to_vec::<f32>(), [150.0]);
    /// ```
    #[track_caller]
    pub fn sum(&self) -> Tensor {
        let shape = *self.shape();
        let storage = self.backend().reduce(ReduceOp::Sum, self.view(), shape.rank());
        record("sum", Value::contiguous(Shape::new(&[]), storage), &[self], move |g, to| to.add(0, || g.expand(shape)))
    }

    /// The sums over `axes`, which disappear from the shape.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0], [2, 2]);
    /// assert_eq!(x.sum_axes(&[0]).to_vec::<f32>(), [4.0, 6.0]);
    /// assert_eq!(x.sum_keepdim(&[-1]).shape(), &[2, 1]);
    /// ```
    #[doc(alias = "sum")]
    #[track_caller]
    pub fn sum_axes(&self, axes: &[isize]) -> Tensor {
        self.sum_value(&self.axes(axes, "sum_axes"), false)
    }

    /// The sums over `axes`, which stay with size 1.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [2.0, 2.0]]);
    /// assert_eq!((&x / x.sum_keepdim(&[1])).to_vec::<f32>(), [0.25, 0.75, 0.5, 0.5]);
    /// ```
    #[doc(alias = "sum")]
    #[doc(alias = "keepdims")]
    #[track_caller]
    pub fn sum_keepdim(&self, axes: &[isize]) -> Tensor {
        self.sum_value(&self.axes(axes, "sum_keepdim"), true)
    }

    /// The mean of all elements, as a scalar; NaN for an empty tensor. Means of integers are `f32`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 3.0]).mean().to_vec::<f32>(), [2.0]);
    /// ```
    #[track_caller]
    pub fn mean(&self) -> Tensor {
        self.mean_of(|x| x.sum(), self.elements() as f64)
    }

    /// The means over `axes`, which disappear from the shape.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).mean_axes(&[0]).to_vec::<f32>(), [2.0, 3.0]);
    /// ```
    #[doc(alias = "mean")]
    #[track_caller]
    pub fn mean_axes(&self, axes: &[isize]) -> Tensor {
        let count = self.count(axes, "mean_axes");
        self.mean_of(|x| x.sum_axes(axes), count)
    }

    /// The means over `axes`, which stay with size 1.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [2.0, 6.0]]);
    /// assert_eq!((&x - x.mean_keepdim(&[1])).to_vec::<f32>(), [-1.0, 1.0, -2.0, 2.0]);
    /// ```
    #[doc(alias = "mean")]
    #[doc(alias = "keepdims")]
    #[track_caller]
    pub fn mean_keepdim(&self, axes: &[isize]) -> Tensor {
        let count = self.count(axes, "mean_keepdim");
        self.mean_of(|x| x.sum_keepdim(axes), count)
    }

    /// A sum divided by a count; of `i64` in floats, since the sum itself could wrap.
    fn mean_of(&self, sum: impl Fn(&Tensor) -> Tensor, count: f64) -> Tensor {
        if self.dtype() == DType::I64 {
            return (sum(&self.to_dtype(DType::F64)) / count).to_dtype(DType::F32);
        }
        let sum = sum(self);
        if sum.dtype().is_float() {
            return sum.into_unary(UnaryOp::DivScalar(count));
        }
        sum / count
    }

    #[track_caller]
    fn count(&self, axes: &[isize], operation: &str) -> f64 {
        self.axes(axes, operation).iter().map(|&axis| self.shape()[axis]).product::<usize>() as f64
    }

    /// The largest element, as a scalar; NaN if there is one. Equal elements share the gradient; beside a NaN it is NaN for all.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 7, 3]).max().to_vec::<i64>(), [7]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is empty.
    #[track_caller]
    pub fn max(&self) -> Tensor {
        self.extreme_value("max", ReduceOp::Max, &self.all_axes())
    }

    /// The largest elements along `axes`, which disappear from the shape.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 7], [4, 2]]).max_axes(&[1]).to_vec::<i64>(), [7, 4]);
    /// ```
    #[doc(alias = "amax")]
    #[track_caller]
    pub fn max_axes(&self, axes: &[isize]) -> Tensor {
        self.extreme_value("max_axes", ReduceOp::Max, &self.axes(axes, "max_axes"))
    }

    /// The smallest element, as a scalar; NaN if there is one. Equal elements share the gradient; beside a NaN it is NaN for all.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([3, 1, 7]).min().to_vec::<i64>(), [1]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is empty.
    #[track_caller]
    pub fn min(&self) -> Tensor {
        self.extreme_value("min", ReduceOp::Min, &self.all_axes())
    }

    /// The smallest elements along `axes`, which disappear from the shape.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 7], [4, 2]]).min_axes(&[1]).to_vec::<i64>(), [1, 2]);
    /// ```
    #[doc(alias = "amin")]
    #[track_caller]
    pub fn min_axes(&self, axes: &[isize]) -> Tensor {
        self.extreme_value("min_axes", ReduceOp::Min, &self.axes(axes, "min_axes"))
    }

    /// The index of the largest element along `axis`, as `i64`: the first of equals, the first NaN if there is one.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let scores = Tensor::from_slice(&[0.1f32, 0.9, 0.8, 0.2], [2, 2]);
    /// assert_eq!(scores.argmax(1).to_vec::<i64>(), [1, 0]);
    /// ```
    ///
    /// # Panics
    /// If the axis is empty.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Tensor {
        self.arg_extreme("argmax", ReduceOp::Max, axis)
    }

    /// The index of the smallest element along `axis`, as `i64`: the first of equals, the first NaN if there is one.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let scores = Tensor::from_slice(&[0.1f32, 0.9, 0.8, 0.2], [2, 2]);
    /// assert_eq!(scores.argmin(1).to_vec::<i64>(), [0, 1]);
    /// ```
    ///
    /// # Panics
    /// If the axis is empty.
    #[track_caller]
    pub fn argmin(&self, axis: isize) -> Tensor {
        self.arg_extreme("argmin", ReduceOp::Min, axis)
    }

    #[track_caller]
    fn arg_extreme(&self, operation: &str, op: ReduceOp, axis: isize) -> Tensor {
        let axis = self.shape().axis(axis, operation);
        assert!(self.shape()[axis] > 0, "{operation}: axis {axis} of shape {} is empty", self.shape());
        let order: Axes = self.all_axes().without(&[axis]).iter().copied().chain([axis]).collect();
        let layout = permuted(self.layout(), &order);
        let storage = self.backend().arg_extreme(op, View { storage: &self.value().storage, layout: &layout });
        Tensor::from_storage(self.shape().without(axis), storage)
    }

    /// Sums the axes that broadcasting added or stretched, back to `shape`: the gradient of broadcasting.
    pub(crate) fn sum_to(&self, shape: Shape) -> Tensor {
        if *self.shape() == shape {
            return self.clone();
        }
        let lead = self.rank() - shape.rank();
        let axes: Axes = (0..self.rank()).filter(|&a| a < lead || shape[a - lead] != self.shape()[a]).collect();
        self.sum_value(&axes, true).reshape(shape)
    }
}

/// The layout with its axes in `order`.
pub(crate) fn permuted(layout: &Layout, order: &[usize]) -> Layout {
    let sizes: Axes = order.iter().map(|&axis| layout.shape[axis]).collect();
    let mut result = Layout { shape: Shape::new(&sizes), ..*layout };
    for (to, &from) in order.iter().enumerate() {
        result.strides[to] = layout.strides[from];
    }
    result
}
