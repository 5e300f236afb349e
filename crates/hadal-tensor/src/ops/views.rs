//! Other ways to see the same elements: no operation here copies, but `reshape` of a view whose strides forbid it,
//! and `contiguous`.

use std::ops::{Bound, RangeBounds};

use super::reduce::permuted;
use crate::autograd::{Slice, record};
use crate::shape::{Layout, MAX_RANK, Shape};
use crate::sizes::Sizes;
use crate::tensor::{Tensor, Value};

impl Tensor {
    fn viewed(&self, layout: Layout) -> Value {
        Value { layout, storage: self.value().storage.clone() }
    }

    /// The elements in row-major order as `shape`; copies only if the strides make it necessary. One size may be
    /// [`REST`](crate::REST), which stands for what the other sizes leave.
    ///
    /// ```
    /// use hadal_tensor::{REST, Tensor};
    /// let x = Tensor::arange(6);
    /// assert_eq!(x.reshape([2, 3]).shape(), &[2, 3]);
    /// assert_eq!(x.reshape([REST, 2]).shape(), &[3, 2]);
    /// ```
    ///
    /// # Panics
    /// If the number of elements differs; if more than one size is `REST`, or the number of elements does not divide by the
    /// other sizes, or one of them is 0.
    #[doc(alias = "view")]
    #[doc(alias = "-1")]
    #[doc(alias = "ravel")]
    #[track_caller]
    pub fn reshape(&self, shape: impl Sizes) -> Tensor {
        let from = *self.shape();
        let shape = shape.complete(&from);
        if from == shape {
            return self.clone();
        }
        assert!(
            from.elements() == shape.elements(),
            "reshape: {from} holds {} elements, {shape} holds {}",
            from.elements(),
            shape.elements()
        );
        let value = match self.layout().reshape(shape) {
            Some(layout) => self.viewed(layout),
            None => Value::contiguous(shape, self.backend().copy(self.view())),
        };
        record("reshape", value, &[self], move |g, to| to.add(0, || g.reshape(from)))
    }

    /// Flattens the axes from `start` on into one: shape `[N, 28, 28]` becomes `[N, 784]` with `flatten(1)`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([32, 28, 28]).flatten(1).shape(), &[32, 784]);
    /// ```
    #[doc(alias = "ravel")]
    #[track_caller]
    pub fn flatten(&self, start: isize) -> Tensor {
        let start = self.shape().axis(start, "flatten");
        let mut sizes = self.shape()[..start].to_vec();
        sizes.push(self.shape()[start..].iter().product());
        self.reshape(sizes)
    }

    /// Axes `a` and `b` exchanged.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).transpose(0, -1).shape(), &[4, 3, 2]);
    /// ```
    #[doc(alias = "swapaxes")]
    #[doc(alias = "swapdims")]
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        let (i, j) = (self.shape().axis(a, "transpose"), self.shape().axis(b, "transpose"));
        record("transpose", self.viewed(self.layout().transpose(i, j)), &[self], move |g, to| {
            to.add(0, || g.transpose(i as isize, j as isize));
        })
    }

    /// The transpose of a matrix, or of every matrix in a batch: the last two axes exchanged.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).t().to_vec::<i64>(), [1, 3, 2, 4]);
    /// ```
    #[doc(alias = "T")]
    #[doc(alias = "mT")]
    #[doc(alias = "matrix_transpose")]
    #[track_caller]
    pub fn t(&self) -> Tensor {
        assert!(self.rank() >= 2, "t: shape {} has fewer than two axes", self.shape());
        self.transpose(-2, -1)
    }

    /// The axes in the given order.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3, 4]).permute(&[2, 0, 1]).shape(), &[4, 2, 3]);
    /// ```
    ///
    /// # Panics
    /// Unless each axis is named exactly once.
    #[doc(alias = "transpose")]
    #[doc(alias = "moveaxis")]
    #[doc(alias = "movedim")]
    #[track_caller]
    pub fn permute(&self, order: &[isize]) -> Tensor {
        let mut axes = Vec::with_capacity(order.len());
        for &axis in order {
            axes.push(self.shape().axis(axis, "permute"));
        }
        let order = axes;
        let mut inverse = vec![usize::MAX; self.rank()];
        for (to, &from) in order.iter().enumerate() {
            inverse[from] = to;
        }
        assert!(
            order.len() == self.rank() && !inverse.contains(&usize::MAX),
            "permute: {order:?} is not a permutation of the axes of shape {}",
            self.shape()
        );
        let inverse: Vec<isize> = inverse.into_iter().map(|axis| axis as isize).collect();
        record("permute", self.viewed(permuted(self.layout(), &order)), &[self], move |g, to| {
            to.add(0, || g.permute(&inverse));
        })
    }

    /// `length` elements of `axis`, from `start` on.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::arange(5).narrow(0, 1, 3).to_vec::<i64>(), [1, 2, 3]);
    /// ```
    ///
    /// # Panics
    /// If the range reaches past the axis.
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, length: usize) -> Tensor {
        self.slice_step(axis, start..start.saturating_add(length), 1)
    }

    /// The part of `axis` in `range`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::arange(6).reshape([2, 3]);
    /// assert_eq!(x.slice(1, 1..).to_vec::<i64>(), [1, 2, 4, 5]);
    /// ```
    ///
    /// # Panics
    /// If the range reaches past the axis.
    #[doc(alias = "index")]
    #[doc(alias = "[]")]
    #[track_caller]
    pub fn slice(&self, axis: isize, range: impl RangeBounds<usize>) -> Tensor {
        self.slice_step(axis, range, 1)
    }

    /// Every `step`-th element of `axis` in `range`, the first included.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::arange(6).slice_step(0, 1.., 2).to_vec::<i64>(), [1, 3, 5]);
    /// ```
    ///
    /// # Panics
    /// If the range reaches past the axis or `step` is 0.
    #[doc(alias = "[::]")]
    #[track_caller]
    pub fn slice_step(&self, axis: isize, range: impl RangeBounds<usize>, step: usize) -> Tensor {
        let axis = self.shape().axis(axis, "slice");
        let size = self.shape()[axis];
        // Saturated: no axis reaches so far, and the check below says so.
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => size,
        };
        assert!(
            start <= end && end <= size,
            "slice: {start}..{end} does not lie within axis {axis} of shape {}",
            self.shape()
        );
        assert!(step > 0, "slice: the step must be at least 1, not 0");
        let shape = *self.shape();
        let part = move |layout: &Layout| layout.narrow(axis, start, end - start).step(axis, step);
        record("slice", self.viewed(part(self.layout())), &[self], move |g, to| {
            if step == 1 {
                to.add_slice(0, Slice { shape, axis, range: start..end }, g);
            } else {
                to.add(0, || g.placed_in(shape, part(&Layout::contiguous(shape))));
            }
        })
    }

    /// Zeros of `shape` with `self` at the places that `layout` names: the gradient of a slice.
    pub(crate) fn placed_in(&self, shape: Shape, layout: Layout) -> Tensor {
        let backend = self.backend();
        let mut storage = backend.full(shape.elements(), 0.0, self.dtype());
        backend.copy_into(&mut storage, &layout, self.view());
        record("slice", Value::contiguous(shape, storage), &[self], move |g, to| {
            to.add(0, || {
                // The same places of a contiguous gradient are the slice again.
                let g = g.contiguous();
                let value = g.viewed(Layout { offset: layout.offset + g.layout().offset, ..layout });
                let places = layout;
                record("slice", value, &[&g], move |gg, to| to.add(0, || gg.placed_in(shape, places)))
            });
        })
    }

    /// The tensor repeated along axes of size 1, and new leading axes, to `shape`, without copying.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1], [2]]).expand([2, 2]).to_vec::<i64>(), [1, 1, 2, 2]);
    /// ```
    ///
    /// # Panics
    /// If `shape` is not one the tensor broadcasts to.
    #[doc(alias = "broadcast_to")]
    #[track_caller]
    pub fn expand(&self, shape: impl Into<Shape>) -> Tensor {
        let (from, shape) = (*self.shape(), shape.into());
        if from == shape {
            return self.clone();
        }
        assert!(
            from.broadcast(&shape) == Some(shape),
            "expand: shape {from} cannot be expanded to {shape}: only axes of size 1 can be expanded, and new axes only added in front"
        );
        record("expand", self.viewed(self.layout().expand(shape)), &[self], move |g, to| to.add(0, || g.sum_to(from)))
    }

    /// A new axis of size 1 at `axis`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).unsqueeze(0).shape(), &[1, 2, 3]);
    /// ```
    #[doc(alias = "expand_dims")]
    #[doc(alias = "newaxis")]
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Tensor {
        let rank = self.rank() as isize;
        let index = if axis < 0 { axis + rank + 1 } else { axis };
        assert!((0..=rank).contains(&index), "unsqueeze: axis {axis} is out of range for shape {}", self.shape());
        let (before, after) = self.shape().split_at(index as usize);
        let mut sizes = [1; MAX_RANK + 1];
        sizes[..before.len()].copy_from_slice(before);
        sizes[before.len() + 1..=rank as usize].copy_from_slice(after);
        self.reshape(Shape::new(&sizes[..=rank as usize]))
    }

    /// Without `axis`, whose size must be 1.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 1]).squeeze(-1).shape(), &[2]);
    /// ```
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Tensor {
        let axis = self.shape().axis(axis, "squeeze");
        assert!(self.shape()[axis] == 1, "squeeze: axis {axis} of shape {} is not of size 1", self.shape());
        self.reshape(self.shape().without(axis))
    }

    /// The same tensor if its elements lie in row-major order, else a copy in which they do.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert!(Tensor::zeros([2, 3]).t().contiguous().is_contiguous());
    /// ```
    #[doc(alias = "ascontiguousarray")]
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() {
            return self.clone();
        }
        let value = Value::contiguous(*self.shape(), self.backend().copy(self.view()));
        record("contiguous", value, &[self], |g, to| to.add(0, || g.clone()))
    }
}
