//! Samples as convolutions read them.

use crate::cpu::buffer::Plain;
use crate::cpu::copy::{self, Contiguous};
use crate::shape::Layout;

/// Samples whose elements are in row-major order each, at one distance from each other: parts of a tensor's channels are read where they
/// lie, and what repeats one sample, as the gradient of a sum over samples does, is not written out.
pub(in crate::cpu) struct Samples<'a, T: Plain> {
    elements: Contiguous<'a, T>,
    /// From a sample to the next.
    pub distance: usize,
    /// The elements of each.
    pub length: usize,
}

impl<'a, T: Plain> Samples<'a, T> {
    /// Of a view `[N, ..]`.
    pub fn new(x: &'a [T], layout: &Layout) -> Self {
        let length = layout.shape[1..].iter().product();
        let copied = |layout: &Layout, distance| Samples { elements: copy::contiguous(x, layout), distance, length };
        if layout.is_contiguous() {
            return copied(layout, length);
        }
        let first = layout.narrow(0, 0, 1);
        match (layout.strides()[0], layout.bounds()) {
            (0, _) => copied(&first, 0),
            (distance @ 1.., Some((start, end))) if first.is_contiguous() => {
                Samples { elements: Contiguous::Borrowed(&x[start..end]), distance: distance as usize, length }
            }
            _ => copied(layout, length),
        }
    }

    /// The elements from a sample's first on, its own and those behind them.
    pub fn from(&self, sample: usize) -> &[T] {
        &self.elements[sample * self.distance..]
    }
}
