//! Copies between layouts, and conversions between dtypes.

use std::ops::Deref;

use super::buffer::{Buffer, Plain, vec_with_room};
use super::elementwise::{map, piece};
use super::float::Number;
use super::simd::{Task, dispatch};
use super::strided::{Plan, Run, at};
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
    put_into(target, to, x, layout, |_, x| x);
}

/// Adds the elements of a view to those places.
///
/// # Panics
/// As [`copy_into`].
pub(super) fn add_into<T: Number>(target: &mut [T], to: &Layout, x: &[T], layout: &Layout) {
    put_into(target, to, x, layout, T::plus);
}

/// Puts `f` of what is there and of the elements of a view to the places of `target` that `to` names.
fn put_into<T: Plain>(target: &mut [T], to: &Layout, x: &[T], layout: &Layout, f: impl Fn(T, T) -> T + Copy + Sync) {
    let Some((_, end)) = to.bounds() else { return };
    assert!(end <= target.len(), "copy_into: the places reach outside the target");
    let plan = Plan::new([to, layout]);
    let elements = to.shape.elements();
    let base = SharedMut::new(target.as_mut_ptr());
    // Places of one layout may overlap only if a stride is 0; such targets are written by one thread.
    let piece = if to.strides().contains(&0) { elements } else { piece(elements) };
    for_each_piece(elements.div_ceil(piece), |index| {
        let start = index * piece;
        let length = piece.min(elements - start);
        // SAFETY: all places of `to` were checked to lie within `target`, and no other piece has those of this one.
        dispatch(unsafe { Put::new(base, &plan, x, start, length, f) });
    });
}

/// A piece of [`put_into`]: `length` places from the one numbered `start` on.
struct Put<'a, T, F> {
    base: SharedMut<T>,
    plan: &'a Plan<2>,
    x: &'a [T],
    start: usize,
    length: usize,
    f: F,
}

impl<'a, T, F> Put<'a, T, F> {
    /// # Safety
    /// `base` must be writable at the plan's places from `start` on, and nobody else may use them.
    unsafe fn new(base: SharedMut<T>, plan: &'a Plan<2>, x: &'a [T], start: usize, length: usize, f: F) -> Self {
        Put { base, plan, x, start, length, f }
    }
}

impl<T: Plain, F: Fn(T, T) -> T> Task for Put<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Put { base, plan, x, start, length, f } = self;
        let [p, q] = plan.steps();
        for Run { starts: [i, j], length, .. } in plan.runs(start, length) {
            if p == 1 && (q == 0 || q == 1) {
                // SAFETY: these are places of the piece, by the contract of `new`.
                let places = unsafe { base.part(i, length) };
                if q == 1 {
                    for (place, &x) in places.iter_mut().zip(&x[j..j + length]) {
                        *place = f(*place, x);
                    }
                } else {
                    let x = x[j];
                    for place in places {
                        *place = f(*place, x);
                    }
                }
                continue;
            }
            for k in 0..length {
                // SAFETY: as above.
                let place = unsafe { base.part((i as isize + k as isize * p) as usize, 1) };
                place[0] = f(place[0], at(x, j, q, k));
            }
        }
    }
}
