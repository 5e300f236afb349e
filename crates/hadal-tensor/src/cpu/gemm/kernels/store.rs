//! Where the sums of a tile go, and how they get there from the registers.

use super::vector::Vector;
use crate::cpu::float::Float;

/// Where a tile goes, row by row.
#[derive(Clone, Copy)]
pub(crate) struct Target<T> {
    pub pointer: *mut T,
    pub row_stride: usize,
    /// Whether to add to what is there.
    pub accumulate: bool,
}

impl<T> Target<T> {
    /// Where the tile that begins at a column goes.
    #[inline(always)]
    pub fn at_column(self, column: usize) -> Target<T> {
        Target { pointer: self.pointer.wrapping_add(column), ..self }
    }
}

/// Stores whole rows of sums, `out_stride` apart; added to what is there if `accumulate`.
///
/// # Safety
/// The processor must have V's instructions; `out` must be readable and writable for all the sums.
#[inline(always)]
pub(crate) unsafe fn store_whole<T, V: Vector<T>, const HEIGHT: usize, const WIDE: usize>(
    mut sums: [[V; WIDE]; HEIGHT],
    out: *mut T,
    out_stride: usize,
    accumulate: bool,
) {
    let place = |i: usize, j: usize| out.wrapping_add(i * out_stride + j * V::LANES);
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        if accumulate {
            for (i, sums) in sums.iter_mut().enumerate() {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(V::load(place(i, j)));
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                sum.store(place(i, j));
            }
        }
    }
}

/// Stores the first `columns` of the sums.
///
/// # Safety
/// The processor must have V's instructions; `out` must be readable and writable at `i * row_stride + j` for all `i < HEIGHT`,
/// `j < columns`, with `columns` at most `WIDE` registers.
#[inline(always)]
pub(crate) unsafe fn store<T: Float, V: Vector<T>, const HEIGHT: usize, const WIDE: usize>(
    sums: &[[V; WIDE]; HEIGHT],
    out: Target<T>,
    columns: usize,
) {
    for (i, sums) in sums.iter().enumerate() {
        // SAFETY: the caller's contract.
        unsafe { store_row(sums, out.pointer.add(i * out.row_stride), columns, out.accumulate) };
    }
}

/// Stores the first `columns` of a row of sums, added to what is there if `accumulate`.
///
/// # Safety
/// The processor must have V's instructions; `out` must be readable and writable for `columns` elements.
#[inline(always)]
pub(crate) unsafe fn store_row<T: Float, V: Vector<T>, const WIDE: usize>(
    sums: &[V; WIDE],
    out: *mut T,
    columns: usize,
    accumulate: bool,
) {
    for (j, &sum) in sums.iter().enumerate() {
        let place = out.wrapping_add(j * V::LANES);
        let columns = columns.saturating_sub(j * V::LANES);
        // SAFETY: the caller's contract: `columns` elements from `place` on belong to the row.
        unsafe {
            if columns >= V::LANES {
                let sum = if accumulate { sum.add(V::load(place)) } else { sum };
                sum.store(place);
            } else {
                sum.store_first(place, columns, accumulate);
            }
        }
    }
}
