//! Walking several tensors of one shape together, whatever their strides: axes are merged where all allow it, and the
//! walk hands out runs along the last merged axis, so that kernels see long simple loops.

use crate::shape::{Layout, MAX_RANK};

/// A joint walk over `N` tensors of one shape.
pub(crate) struct Plan<const N: usize> {
    rank: usize,
    elements: usize,
    sizes: [usize; MAX_RANK],
    strides: [[isize; MAX_RANK]; N],
    offsets: [usize; N],
}

impl<const N: usize> Plan<N> {
    /// # Panics
    /// If the layouts differ in shape.
    pub fn new(layouts: [&Layout; N]) -> Plan<N> {
        let shape = layouts[0].shape;
        let offsets = layouts.map(|layout| layout.offset);
        let elements = shape.elements();
        let mut plan = Plan { rank: 0, elements, sizes: [1; MAX_RANK], strides: [[0; MAX_RANK]; N], offsets };
        assert!(layouts.iter().all(|layout| layout.shape == shape), "plan: shapes differ");
        for axis in 0..shape.rank() {
            let size = shape[axis];
            if size == 1 {
                continue;
            }
            let last = plan.rank.wrapping_sub(1);
            let merges =
                plan.rank > 0 && (0..N).all(|n| plan.strides[n][last] == layouts[n].strides[axis] * size as isize);
            let place = if merges {
                plan.sizes[last] *= size;
                last
            } else {
                plan.sizes[plan.rank] = size;
                plan.rank += 1;
                plan.rank - 1
            };
            for (merged, layout) in plan.strides.iter_mut().zip(layouts) {
                merged[place] = layout.strides[axis];
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

    /// The runs that make up elements `start .. start + length` of the row-major order, as far as there are any.
    ///
    /// An iterator, not a function of a closure: loops over it are compiled into the kernel that holds them.
    #[inline(always)]
    pub fn runs(&self, start: usize, length: usize) -> Runs<'_, N> {
        let mut index = [0; MAX_RANK];
        let mut rest = start;
        for axis in (0..self.rank).rev() {
            index[axis] = rest % self.sizes[axis].max(1);
            rest /= self.sizes[axis].max(1);
        }
        let mut at = self.offsets.map(|offset| offset as isize);
        for (at, strides) in at.iter_mut().zip(&self.strides) {
            for axis in 0..self.rank {
                *at += index[axis] as isize * strides[axis];
            }
        }
        Runs { plan: self, index, at, done: 0, length: length.min(self.elements.saturating_sub(start)) }
    }
}

/// A run of adjacent positions.
pub(crate) struct Run<const N: usize> {
    /// Where it begins, counted from the start of the walk.
    pub position: usize,
    /// Where it begins in each tensor's storage.
    pub starts: [usize; N],
    pub length: usize,
}

pub(crate) struct Runs<'a, const N: usize> {
    plan: &'a Plan<N>,
    index: [usize; MAX_RANK],
    at: [isize; N],
    done: usize,
    length: usize,
}

impl<const N: usize> Iterator for Runs<'_, N> {
    type Item = Run<N>;

    #[inline(always)]
    fn next(&mut self) -> Option<Run<N>> {
        if self.done >= self.length {
            return None;
        }
        let plan = self.plan;
        let inner = plan.rank - 1;
        let length = (plan.sizes[inner] - self.index[inner]).min(self.length - self.done);
        let run = Run { position: self.done, starts: self.at.map(|at| at as usize), length };
        self.done += length;
        if self.done < self.length {
            // To the start of the next run: rewind the inner axis, step the next one out, carry as needed.
            self.step(inner, -(self.index[inner] as isize));
            self.index[inner] = 0;
            for axis in (0..inner).rev() {
                self.index[axis] += 1;
                self.step(axis, 1);
                if self.index[axis] < plan.sizes[axis] {
                    break;
                }
                self.step(axis, -(plan.sizes[axis] as isize));
                self.index[axis] = 0;
            }
        }
        Some(run)
    }
}

impl<const N: usize> Runs<'_, N> {
    #[inline(always)]
    fn step(&mut self, axis: usize, count: isize) {
        for (at, strides) in self.at.iter_mut().zip(&self.plan.strides) {
            *at += count * strides[axis];
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
                for run in plan.runs(from, length) {
                    assert_eq!(run.position, got.len());
                    let start = run.starts[0] as isize;
                    got.extend((0..run.length).map(|i| (start + i as isize * plan.steps()[0]) as usize));
                }
                prop_assert_eq!(&got, &expected[from..from + length]);
            }
        }
    }
}
