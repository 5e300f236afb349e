//! The same elements in another order, or several times.

use super::axes::Axes;
use super::join::concat;
use crate::autograd::record;
use crate::backend::View;
use crate::cpu::buffer::vec_with_room;
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{Tensor, Value};

/// The sizes of the parts that [`split`](Tensor::split) gives; made from a `usize`, or from an array, a slice or a vector of them.
///
/// ```
/// use hadal_tensor::PartSizes;
/// assert_eq!(PartSizes::from(2), PartSizes::All(2));
/// assert_eq!(PartSizes::from(&[1, 4]), PartSizes::Each(vec![1, 4]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartSizes {
    /// One for all, but that the last is what is left.
    All(usize),
    /// One for each.
    Each(Vec<usize>),
}

impl From<usize> for PartSizes {
    fn from(size: usize) -> PartSizes {
        PartSizes::All(size)
    }
}

impl<const N: usize> From<[usize; N]> for PartSizes {
    fn from(sizes: [usize; N]) -> PartSizes {
        PartSizes::Each(sizes.to_vec())
    }
}

impl<const N: usize> From<&[usize; N]> for PartSizes {
    fn from(sizes: &[usize; N]) -> PartSizes {
        PartSizes::Each(sizes.to_vec())
    }
}

impl From<&Vec<usize>> for PartSizes {
    fn from(sizes: &Vec<usize>) -> PartSizes {
        PartSizes::Each(sizes.clone())
    }
}

impl From<&[usize]> for PartSizes {
    fn from(sizes: &[usize]) -> PartSizes {
        PartSizes::Each(sizes.to_vec())
    }
}

impl From<Vec<usize>> for PartSizes {
    fn from(sizes: Vec<usize>) -> PartSizes {
        PartSizes::Each(sizes)
    }
}

impl Tensor {
    /// The elements of `axes` in reverse order.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).flip(&[1]).to_vec::<i64>(), [2, 1, 4, 3]);
    /// ```
    ///
    /// # Panics
    /// If an axis is named twice.
    #[doc(alias = "fliplr")]
    #[doc(alias = "flipud")]
    #[doc(alias = "reverse")]
    #[track_caller]
    pub fn flip(&self, axes: &[isize]) -> Tensor {
        let axes = self.axes(axes, "flip");
        self.flipped(axes)
    }

    fn flipped(&self, axes: Axes) -> Tensor {
        let mut layout = *self.layout();
        if layout.shape.elements() == 0 {
            return self.clone();
        }
        for &axis in axes.iter() {
            let last = (layout.shape[axis] - 1) as isize * layout.strides[axis];
            layout.offset = (layout.offset as isize + last) as usize;
            layout.strides[axis] = -layout.strides[axis];
        }
        let storage = self.backend().copy(View { storage: &self.value().storage, layout: &layout });
        record("flip", Value::contiguous(*self.shape(), storage), &[self], move |g, to| to.add(0, || g.flipped(axes)))
    }

    /// The elements of `axis` moved on by `shift` places; what is moved past the end comes in again at the beginning. For several axes,
    /// one call after another.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::arange(5).roll(2, 0).to_vec::<i64>(), [3, 4, 0, 1, 2]);
    /// assert_eq!(Tensor::arange(5).roll(-1, 0).to_vec::<i64>(), [1, 2, 3, 4, 0]);
    /// ```
    #[track_caller]
    pub fn roll(&self, shift: isize, axis: isize) -> Tensor {
        let size = self.size(axis);
        let first = if size == 0 { 0 } else { shift.rem_euclid(size as isize) as usize };
        if first == 0 {
            return self.clone();
        }
        concat(&[self.slice(axis, size - first..), self.slice(axis, ..size - first)], axis)
    }

    /// The tensor so many times along each axis, one copy after another; as many axes of size 1 are added in front as `times` has more.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).repeat(&[2, 2]).to_vec::<i64>(), [1, 2, 1, 2, 1, 2, 1, 2]);
    /// ```
    ///
    /// # Panics
    /// If `times` has fewer numbers than the tensor has axes, or as many as a tensor can have axes.
    #[doc(alias = "tile")]
    #[track_caller]
    pub fn repeat(&self, times: &[usize]) -> Tensor {
        let rank = times.len();
        assert!(
            (self.rank()..MAX_RANK).contains(&rank),
            "repeat: {rank} numbers for shape {}: there must be one for each axis, and less than {MAX_RANK}",
            self.shape()
        );
        let mut sizes = vec![1; rank];
        sizes[rank - self.rank()..].copy_from_slice(self.shape());
        let mut x = self.reshape(Shape::new(&sizes));
        for (axis, &times) in times.iter().enumerate().filter(|(_, times)| **times != 1) {
            // A new axis in front of this one, stretched, and joined with it.
            sizes.insert(axis, times);
            let stretched = x.unsqueeze(axis as isize).expand(Shape::new(&sizes));
            let joined = sizes.remove(axis).saturating_mul(sizes[axis]);
            sizes[axis] = joined;
            x = stretched.reshape(Shape::new(&sizes));
        }
        x
    }

    /// Parts along `axis`, one after another: of one size, where the last is smaller if the axis does not divide by it; or of a size for
    /// each, as PyTorch's `split_with_sizes`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let sizes = |parts: Vec<Tensor>| parts.iter().map(Tensor::elements).collect::<Vec<usize>>();
    /// assert_eq!(sizes(Tensor::arange(5).split(2, 0)), [2, 2, 1]);
    /// assert_eq!(sizes(Tensor::arange(5).split([1, 4], 0)), [1, 4]);
    /// ```
    ///
    /// # Panics
    /// If the one size is 0, or the sizes do not add up to that of the axis.
    #[doc(alias = "split_with_sizes")]
    #[track_caller]
    pub fn split(&self, sizes: impl Into<PartSizes>, axis: isize) -> Vec<Tensor> {
        let whole = self.size(axis);
        let sizes = match sizes.into() {
            PartSizes::Each(sizes) => sizes,
            PartSizes::All(size) => {
                assert!(size > 0, "split: the parts must have a size of at least 1, not 0");
                let starts = (0..whole.max(1)).step_by(size);
                let mut sizes = vec_with_room(starts.len());
                sizes.extend(starts.map(|start| size.min(whole - start)));
                sizes
            }
        };
        let all = sizes.iter().try_fold(0usize, |all, &size| all.checked_add(size));
        assert!(
            all == Some(whole),
            "split: the sizes {sizes:?} do not add up to {whole}, the size of axis {axis} of shape {}",
            self.shape()
        );
        let (mut parts, mut start) = (vec_with_room(sizes.len()), 0);
        // A loop, not a closure: messages name the line of the caller only through plain calls.
        for size in sizes {
            parts.push(self.narrow(axis, start, size));
            start += size;
        }
        parts
    }

    /// About `chunks` parts of equal size along `axis`, as PyTorch's: the size is rounded up, so that there may be fewer.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let parts = Tensor::arange(5).chunk(3, 0);
    /// assert_eq!(parts.iter().map(|part| part.elements()).collect::<Vec<_>>(), [2, 2, 1]);
    /// ```
    ///
    /// # Panics
    /// If `chunks` is 0.
    #[track_caller]
    pub fn chunk(&self, chunks: usize, axis: isize) -> Vec<Tensor> {
        assert!(chunks > 0, "chunk: at least 1 chunk is needed, not 0");
        self.split(self.size(axis).div_ceil(chunks).max(1), axis)
    }
}
