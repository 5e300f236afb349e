//! Lists of axes.

use std::ops::Deref;

use crate::shape::MAX_RANK;

/// Axes of a tensor, or their sizes, which need no memory of their own: a tensor has at most [`MAX_RANK`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Axes {
    list: [usize; MAX_RANK],
    count: usize,
}

impl Axes {
    /// # Panics
    /// If there are [`MAX_RANK`] already.
    pub(super) fn push(&mut self, axis: usize) {
        self.list[self.count] = axis;
        self.count += 1;
    }

    /// Without those in `removed`, the others in order.
    pub(super) fn without(self, removed: &[usize]) -> Axes {
        self.iter().copied().filter(|axis| !removed.contains(axis)).collect()
    }

    pub(super) fn sort(&mut self) {
        self.list[..self.count].sort_unstable();
    }
}

/// # Panics
/// If there are more than [`MAX_RANK`].
impl FromIterator<usize> for Axes {
    fn from_iter<I: IntoIterator<Item = usize>>(axes: I) -> Axes {
        let mut all = Axes::default();
        axes.into_iter().for_each(|axis| all.push(axis));
        all
    }
}

impl Deref for Axes {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.list[..self.count]
    }
}
