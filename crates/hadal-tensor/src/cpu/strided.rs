//! Walking several tensors of one shape together, whatever their strides: axes are merged where all allow it, and the
//! walk hands out runs along the last merged axis, so that kernels see long simple loops.

use crate::shape::{Layout, MAX_RANK};

/// A joint walk over `N` tensors of one shape.
pub(crate) struct Plan<const N: usize> {
    rank: usize,
    sizes: [usize; MAX_RANK],
    strides: [[isize; MAX_RANK]; N],
    offsets: [usize; N],
}

/// A run of elements: where it begins in each tensor.
pub(crate) type Starts<const N: usize> = [usize; N];

impl<const N: usize> Plan<N> {
    /// # Panics
    /// If the layouts differ in shape.
    pub fn new(layouts: [&Layout; N]) -> Plan<N> {
        let shape = layouts[0].shape;
        let offsets = layouts.map(|layout| layout.offset);
        let mut plan = Plan { rank: 0, sizes: [1; MAX_RANK], strides: [[0; MAX_RANK]; N], offsets };
        assert!(layouts.iter().all(|layout| layout.shape == shape), "plan: shapes differ");
        for axis in 0..shape.rank() {
            let size = shape[axis];
            if size == 1 {
                continue;
            }
            let last = plan.rank.wrapping_sub(1);
            let merges = plan.rank > 0
                && (0..N).all(|n| plan.strides[n][last] == layouts[n].strides[axis] * size as isize);
            let place = if merges {
                plan.sizes[last] *= size;
                last
            } else {
                plan.sizes[plan.rank] = size;
                plan.rank += 1;
                plan.rank - 1
            };
            for n in 0..N {
                plan.strides[n][place] = layouts[n].strides[axis];
            }
        }
        if plan.rank == 0 {
            plan.rank = 1;
            plan.strides = [[1; MAX_RANK]; N];
        }
        plan
    }

    /// The step from one element of a run to the next, in each tensor.
    pub fn steps(&self) -> [isize; N] {
        self.strides.map(|strides| strides[self.rank - 1])
    }

    /// Calls `f(position, starts, length)` for the runs that make up elements `start .. start + length` of the
    /// row-major order, `position` counting from 0.
    #[inline(always)]
    pub fn runs(&self, start: usize, length: usize, mut f: impl FnMut(usize, Starts<N>, usize)) {
        let inner = self.rank - 1;
        let mut index = [0; MAX_RANK];
        let mut rest = start;
        for axis in (0..self.rank).rev() {
            index[axis] = rest % self.sizes[axis];
            rest /= self.sizes[axis];
        }
        let mut at = [0isize; N];
        for n in 0..N {
            at[n] = self.offsets[n] as isize;
            for axis in 0..self.rank {
                at[n] += index[axis] as isize * self.strides[n][axis];
            }
        }
        let mut done = 0;
        while done < length {
            let run = (self.sizes[inner] - index[inner]).min(length - done);
            f(done, at.map(|start| start as usize), run);
            done += run;
            // To the start of the next run: rewind the inner axis, step the next one out, carry as needed.
            for n in 0..N {
                at[n] -= index[inner] as isize * self.strides[n][inner];
            }
            index[inner] = 0;
            for axis in (0..inner).rev() {
                index[axis] += 1;
                for n in 0..N {
                    at[n] += self.strides[n][axis];
                }
                if index[axis] < self.sizes[axis] {
                    break;
                }
                for n in 0..N {
                    at[n] -= self.sizes[axis] as isize * self.strides[n][axis];
                }
                index[axis] = 0;
            }
        }
    }
}

/// The element at `start + i * step`.
#[inline(always)]
pub(crate) fn at<T: Copy>(x: &[T], start: usize, step: isize, i: usize) -> T {
    x[(start as isize + i as isize * step) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_visit_every_element_in_row_major_order(
            sizes in prop::collection::vec(1usize..5, 0..5), swap in any::<bool>(), cut in 0.0f64..1.0,
        ) {
            let mut layout = Layout::contiguous(Shape::new(&sizes));
            if swap && sizes.len() >= 2 {
                layout = layout.transpose(0, sizes.len() - 1);
            }
            let total = layout.shape.elements();
            let mut expected = Vec::new();
            for mut linear in 0..total {
                let mut offset = 0;
                for axis in (0..sizes.len()).rev() {
                    offset += (linear % layout.shape[axis]) as isize * layout.strides[axis];
                    linear /= layout.shape[axis];
                }
                expected.push(offset as usize);
            }
            let plan = Plan::new([&layout]);
            let start = (cut * total as f64) as usize;
            for (from, length) in [(0, start), (start, total - start)] {
                let mut got = Vec::new();
                plan.runs(from, length, |position, [first], run| {
                    assert_eq!(position, got.len());
                    got.extend((0..run).map(|i| (first as isize + i as isize * plan.steps()[0]) as usize));
                });
                prop_assert_eq!(&got, &expected[from..from + length]);
            }
        }
    }
}
