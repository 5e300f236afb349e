//! The Gaussian error linear unit with its derivative, which has most of what it takes in common with it.

use super::buffer::Buffer;
use super::elementwise::piece;
use super::float::Float;
use super::simd::{Task, dispatch};
use super::threads::{SharedMut, for_each_part};

struct Both<'a, T> {
    x: &'a mut [T],
    out: &'a mut [T],
}

impl<T: Float> Task for Both<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (x, out) in self.x.iter_mut().zip(self.out) {
            (*out, *x) = x.gelu_with_gradient();
        }
    }
}

/// gelu of every element, which becomes the derivative there.
pub(super) fn with_gradient<T: Float>(x: &mut [T]) -> Buffer<T> {
    let mut out = Buffer::scratch(x.len());
    let base = SharedMut::new(x.as_mut_ptr());
    for_each_part(&mut out, piece(x.len()), |start, out| {
        // SAFETY: `x` is as long as `out`, whose parts do not overlap.
        let x = unsafe { base.part(start, out.len()) };
        dispatch(Both { x, out });
    });
    out
}
