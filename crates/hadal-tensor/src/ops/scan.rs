//! Sums and products so far.

use super::axes::Axes;
use super::join::concat;
use super::reduce::permuted;
use crate::autograd::record;
use crate::backend::View;
use crate::cpu::buffer::vec_with_room;
use crate::kinds::{Meeting, meet};
use crate::tensor::{Tensor, Value};

impl Tensor {
    /// The sum of each element and those before it along `axis`. Bytes and truth values are added as `i64`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2, 3]).cumsum(0).to_vec::<i64>(), [1, 3, 6]);
    /// ```
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Tensor {
        let sum = meet("cumsum", Meeting::Sum(self.dtype()));
        if sum != self.dtype() {
            return self.to_dtype(sum).cumsum(axis);
        }
        let axis = self.shape().axis(axis, "cumsum");
        let others = self.all_axes().without(&[axis]);
        let order: Axes = others.iter().copied().chain([axis]).collect();
        let layout = permuted(self.layout(), &order);
        let storage = self.backend().cumulative_sum(View { storage: &self.value().storage, layout: &layout });
        // The result lies in memory with the axis as its last.
        let mut value = Value::contiguous(layout.shape, storage);
        let mut inverse = Axes::default();
        for to in 0..self.rank() {
            inverse.push(order.iter().position(|&from| from == to).unwrap_or(to));
        }
        value.layout = permuted(&value.layout, &inverse);
        let axis = axis as isize;
        record("cumsum", value, &[self], move |g, to| to.add(0, || g.flip(&[axis]).cumsum(axis).flip(&[axis])))
    }

    /// The product of each element and those before it along `axis`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2, 3]).cumprod(0).to_vec::<i64>(), [1, 2, 6]);
    /// ```
    #[track_caller]
    pub fn cumprod(&self, axis: isize) -> Tensor {
        let size = self.size(axis);
        if size == 0 {
            return self.clone();
        }
        // Step by step: right for zeros, too, which a division by them would not be in the gradient.
        let mut parts = vec_with_room(size);
        parts.push(self.narrow(axis, 0, 1));
        for place in 1..size {
            let next: Tensor = &parts[place - 1] * self.narrow(axis, place, 1);
            parts.push(next);
        }
        concat(&parts, axis)
    }
}
