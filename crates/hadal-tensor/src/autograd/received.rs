//! What a tensor has received of its gradient, which may come slice by slice.

use std::ops::Range;

use crate::shape::{Layout, Shape};
use crate::tensor::{Tensor, Value};

/// A slice of one axis, within the tensor that it was taken from.
#[derive(Clone)]
pub(crate) struct Slice {
    /// The whole tensor's.
    pub shape: Shape,
    pub axis: usize,
    pub range: Range<usize>,
}

impl Slice {
    /// Where its elements lie in a contiguous tensor.
    pub fn layout(&self) -> Layout {
        Layout::contiguous(self.shape).narrow(self.axis, self.range.start, self.range.len())
    }

    /// Whether this part lies in its storage where the slice does in a contiguous tensor that is as large: what an operation sends back to several
    /// slices may be written so.
    fn holds(&self, part: &Tensor) -> bool {
        let Value { layout, storage } = part.value();
        storage.len() == self.shape.elements() && *layout == self.layout()
    }
}

/// The gradient of a tensor as far as it has been received.
///
/// Slices of one axis that do not overlap are only copied to their places: neither are zeros written where other slices will come,
/// nor is the whole gradient passed over for each, which would take a recurrent net's time to the square of its steps.
pub(crate) enum Received {
    Whole(Tensor),
    Slices {
        axis: usize,
        /// What has been received, in order; neighbours are one.
        ranges: Vec<Range<usize>>,
        /// The whole gradient, arbitrary outside of the ranges. Parts that came may hold its storage, too.
        gradient: Tensor,
    },
}

impl Received {
    /// Of nothing but a slice.
    pub fn slice(slice: &Slice, part: &Tensor) -> Received {
        if part.is_tracked() {
            return Received::Whole(part.placed_in(slice.shape, slice.layout()));
        }
        let is_there = slice.holds(part);
        let storage = match is_there {
            true => part.value().storage.clone(),
            false => part.backend().scratch(slice.shape.elements(), part.dtype()),
        };
        let mut gradient = Tensor::new(Value::contiguous(slice.shape, storage), None);
        if !is_there {
            gradient.copy_at(&slice.layout(), part);
        }
        Received::Slices { axis: slice.axis, ranges: vec![slice.range.clone()], gradient }
    }

    /// Adds a gradient of the whole tensor.
    pub fn add(&mut self, gradient: &Tensor) {
        *self.whole() += gradient;
    }

    /// Adds the gradient of a slice.
    pub fn add_slice(&mut self, slice: &Slice, part: &Tensor) {
        if part.is_tracked() {
            return self.add(&part.placed_in(slice.shape, slice.layout()));
        }
        if let Received::Slices { axis, ranges, gradient } = self
            && *axis == slice.axis
            && insert(ranges, &slice.range)
        {
            let is_there = slice.holds(part) && part.value().storage.is(&gradient.value().storage);
            if !is_there {
                gradient.copy_at(&slice.layout(), part);
            }
            return;
        }
        let sum = self.whole();
        if sum.is_tracked() {
            *sum += &part.placed_in(slice.shape, slice.layout());
        } else {
            sum.add_at(&slice.layout(), part);
        }
    }

    /// All of it: 0 where no slice has come.
    pub fn whole(&mut self) -> &mut Tensor {
        if let Received::Slices { axis, ranges, gradient } = self {
            let (shape, mut next) = (*gradient.shape(), 0);
            let zero = Tensor::full_of([], 0.0, gradient.dtype());
            for range in ranges.iter().chain([&(shape[*axis]..0)]) {
                if next < range.start {
                    let gap = Slice { shape, axis: *axis, range: next..range.start }.layout();
                    gradient.copy_at(&gap, &zero.expand(gap.shape));
                }
                next = range.end;
            }
            *self = Received::Whole(std::mem::replace(gradient, zero));
        }
        match self {
            Received::Whole(gradient) => gradient,
            Received::Slices { .. } => unreachable!("just made whole"),
        }
    }

    /// [`whole`](Received::whole), which nobody else holds; its storage somebody may.
    pub fn into_whole(mut self) -> Tensor {
        self.whole().clone()
    }
}

/// Adds a range to those that are there, if it overlaps none.
fn insert(ranges: &mut Vec<Range<usize>>, range: &Range<usize>) -> bool {
    let place = ranges.partition_point(|other| other.end <= range.start);
    if ranges.get(place).is_some_and(|next| next.start < range.end) {
        return false;
    }
    let follows = place > 0 && ranges[place - 1].end == range.start;
    let precedes = ranges.get(place).is_some_and(|next| next.start == range.end);
    match (follows, precedes) {
        (true, true) => ranges[place - 1].end = ranges.remove(place).end,
        (true, false) => ranges[place - 1].end = range.end,
        (false, true) => ranges[place].start = range.start,
        (false, false) => ranges.insert(place, range.clone()),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_that_lie_in_their_place_are_not_copied_and_stay_as_they_are() {
        let whole = Tensor::arange(24).to_dtype(crate::DType::F32).reshape([2, 4, 3]);
        let shape = *whole.shape();
        let slice = |range: Range<usize>| Slice { shape, axis: 1, range };
        let part = |range: Range<usize>| whole.narrow(1, range.start, range.len());
        let is_same = |gradient: &Tensor| gradient.value().storage.is(&whole.value().storage);
        let mut received = Received::slice(&slice(0..1), &part(0..1));
        received.add_slice(&slice(1..4), &part(1..4));
        let all = received.into_whole();
        assert!(is_same(&all));
        assert_eq!(all.to_vec::<f32>(), whole.to_vec::<f32>());
        // What has not come is zero, and what has come twice is added, without a trace in what was sent.
        let before = whole.to_vec::<f32>();
        let mut received = Received::slice(&slice(0..1), &part(0..1));
        received.add_slice(&slice(3..4), &part(3..4));
        received.add_slice(&slice(3..4), &part(3..4));
        let sum = received.into_whole();
        assert!(!is_same(&sum));
        let expected = [0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 18.0, 20.0, 22.0];
        assert_eq!(sum.to_vec::<f32>()[..12], expected);
        assert_eq!(whole.to_vec::<f32>(), before);
        // Elsewhere in its storage than in the tensor, a part is copied.
        assert!(!is_same(&Received::slice(&slice(1..2), &part(0..1)).into_whole()));
    }
}
