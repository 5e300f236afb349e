//! Copies between layouts, and conversions between dtypes.

use std::ops::Deref;

use super::buffer::{Buffer, Plain, vec_with_room};
use super::elementwise::{PIECE, map};
use super::strided::{Plan, Run};
use super::threads::{SharedMut, for_each_piece};
use crate::shape::Layout;

/// A view's elements in row-major order: borrowed where they lie so already.
pub(super) enum Contiguous<'a, T: Plain> {
    Borrowed(&'a [T]),
    Owned(Buffer<T>),
}

impl<T: Plain> Deref for Contiguous<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match self {
            Contiguous::Borrowed(x) => x,
            Contiguous::Owned(x) => x,
        }
    }
}

pub(super) fn contiguous<'a, T: Plain>(x: &'a [T], layout: &Layout) -> Contiguous<'a, T> {
    if layout.is_contiguous() { Contiguous::Borrowed(&x[layout.range()]) } else { Contiguous::Owned(copy(x, layout)) }
}

pub(super) fn copy<T: Plain>(x: &[T], layout: &Layout) -> Buffer<T> {
    if layout.is_contiguous() {
        return Buffer::from_slice(&x[layout.range()]);
    }
    map(x, layout, |x| x)
}

pub(super) fn to_vec<T: Plain>(x: &[T], layout: &Layout) -> Vec<T> {
    let x = contiguous(x, layout);
    let mut values = vec_with_room(x.len());
    values.extend_from_slice(&x);
    values
}

/// Writes the elements of a view to the places of `target` that `to` names.
///
/// # Panics
/// If `to` reaches outside `target`, or the shapes differ.
pub(super) fn copy_into<T: Plain>(target: &mut [T], to: &Layout, x: &[T], layout: &Layout) {
    let Some((_, end)) = to.bounds() else { return };
    assert!(end <= target.len(), "copy_into: the places reach outside the target");
    let plan = Plan::new([to, layout]);
    let [p, q] = plan.steps();
    let elements = to.shape.elements();
    let base = SharedMut::new(target.as_mut_ptr());
    // Places of one layout may overlap only if a stride is 0; such targets are written by one thread.
    let piece = if to.strides().contains(&0) { elements } else { PIECE };
    for_each_piece(elements.div_ceil(piece), |index| {
        let start = index * piece;
        for Run { starts: [i, j], length, .. } in plan.runs(start, piece.min(elements - start)) {
            for k in 0..length {
                let place = (i as isize + k as isize * p) as usize;
                // SAFETY: `place` is a place of `to`, which was checked to lie within `target`; no other piece has it.
                let place = unsafe { base.part(place, 1) };
                place[0] = x[(j as isize + k as isize * q) as usize];
            }
        }
    });
}
