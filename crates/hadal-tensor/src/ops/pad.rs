//! Elements around a tensor.

use crate::cpu::buffer::vec_with_room;
use crate::dtype::DType;
use crate::shape::Layout;
use crate::tensor::Tensor;

/// What [`Tensor::pad`] puts around a tensor.
///
/// ```
/// use hadal_tensor::{Padding, Tensor};
/// let x = Tensor::from([1, 2, 3]);
/// let padded = |padding| x.pad(&[(2, 1)], padding).to_vec::<i64>();
/// assert_eq!(padded(Padding::Constant(0.0)), [0, 0, 1, 2, 3, 0]);
/// assert_eq!(padded(Padding::Reflect), [3, 2, 1, 2, 3, 2]);
/// assert_eq!(padded(Padding::Replicate), [1, 1, 1, 2, 3, 3]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Padding {
    /// A number.
    Constant(f64),
    /// The elements mirrored at the outermost ones, which are not repeated.
    Reflect,
    /// The outermost elements, again and again.
    Replicate,
}

impl Tensor {
    /// Elements before and after each of the last axes: a pair of counts for each, in the order of the axes. (PyTorch's `pad` takes
    /// them from the last axis on.)
    ///
    /// ```
    /// use hadal_tensor::{Padding, Tensor};
    /// let images = Tensor::ones([8, 3, 28, 28]);
    /// // Two rows above and below, and one column at the right.
    /// assert_eq!(images.pad(&[(2, 2), (0, 1)], Padding::Constant(0.0)).shape(), &[8, 3, 32, 29]);
    /// ```
    ///
    /// # Panics
    /// If there are more pairs than axes; if a reflection is not smaller than its axis, or an empty axis is to be replicated.
    #[track_caller]
    pub fn pad(&self, widths: &[(usize, usize)], padding: Padding) -> Tensor {
        assert!(
            widths.len() <= self.rank(),
            "pad: {} pairs of widths for the axes of shape {}",
            widths.len(),
            self.shape()
        );
        let first = self.rank() - widths.len();
        if let Padding::Constant(value) = padding {
            return self.framed(first, widths, value);
        }
        let mut x = self.clone();
        for (axis, &(before, after)) in (first..).zip(widths).filter(|(_, widths)| **widths != (0, 0)) {
            let size = self.shape()[axis];
            let most = if padding == Padding::Reflect { size.saturating_sub(1) } else { usize::MAX };
            assert!(
                size > 0 && before.max(after) <= most,
                "pad: axis {axis} of shape {} cannot be padded by {before} and {after} in {padding:?} mode, which takes at most {}",
                self.shape(),
                if size == 0 { 0 } else { most }
            );
            let count = padded(size, before, after);
            // Its check that so many elements can be held comes before the places are made.
            let _ = x.shape().with(axis, count);
            let mut places = vec_with_room(count);
            let (size, before) = (size as i64, before as i64);
            places.extend((-before..count as i64 - before).map(|place| match padding {
                Padding::Reflect if place < 0 => -place,
                Padding::Reflect if place >= size => 2 * (size - 1) - place,
                _ => place.clamp(0, size - 1),
            }));
            x = x.index_select(axis as isize, &Tensor::from_vec(places, [count]));
        }
        x
    }

    /// A frame of `value` around the axes from `first` on.
    #[track_caller]
    fn framed(&self, first: usize, widths: &[(usize, usize)], value: f64) -> Tensor {
        let mut shape = *self.shape();
        for (axis, &(before, after)) in (first..).zip(widths) {
            shape = shape.with(axis, padded(shape[axis], before, after));
        }
        let mut layout = Layout::contiguous(shape);
        for (axis, &(before, _)) in (first..).zip(widths) {
            layout = layout.narrow(axis, before, self.shape()[axis]);
        }
        let placed = self.placed_in(shape, layout);
        if value == 0.0 {
            return placed;
        }
        let inside = Tensor::full_of(*self.shape(), 1.0, DType::Bool).placed_in(shape, layout);
        inside.where_(&placed, &Tensor::full_of([], value, self.dtype()))
    }
}

/// The size of a padded axis.
fn padded(size: usize, before: usize, after: usize) -> usize {
    size.saturating_add(before).saturating_add(after)
}
