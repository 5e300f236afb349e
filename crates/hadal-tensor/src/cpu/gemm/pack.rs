//! Copying matrices into the order in which tiles read them.

use super::kernels::Gemm;
use super::matrix::Matrix;
use crate::cpu::buffer::Plain;

/// Panels of `width` columns one after another, each row-major; what fills up the last is arbitrary.
pub(super) fn panels<T: Gemm>(b: Matrix<T>, depth: usize, columns: usize, width: usize, out: &mut [T]) {
    for (panel, out) in out.chunks_mut(width * depth).take(columns.div_ceil(width)).enumerate() {
        let first = panel * width;
        let columns = width.min(columns - first);
        if b.column_stride == 1 {
            for (k, out) in out.chunks_exact_mut(width).enumerate() {
                let start = b.at(k, first);
                match b.data.get(start..start + width) {
                    // What lies beyond the columns is multiplied too, but never stored.
                    Some(row) => copy_row(row, out),
                    None => {
                        out[..columns].copy_from_slice(&b.data[start..start + columns]);
                        out[columns..].fill(T::ZERO);
                    }
                }
            }
        } else {
            transposed(Matrix { offset: b.at(0, first), ..b }, depth, columns, width, out);
        }
    }
}

/// Copies of a fixed size need no call.
#[inline(always)]
pub(in crate::cpu) fn copy_row<T: Plain>(from: &[T], to: &mut [T]) {
    macro_rules! sizes {
        ($($size:literal)*) => {
            match to.len() {
                $($size => to.as_chunks_mut::<$size>().0[0] = from.as_chunks::<$size>().0[0],)*
                _ => to.copy_from_slice(from),
            }
        };
    }
    sizes!(2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 32 48 64 80 96)
}

/// One panel whose columns are not adjacent in memory: `out[k * width + j] = b[k, j]`.
pub(in crate::cpu) fn transposed<T: Gemm>(b: Matrix<T>, depth: usize, columns: usize, width: usize, out: &mut [T]) {
    assert!(columns <= width && depth * width <= out.len(), "gemm: a panel reaches outside");
    // SAFETY: `depth` rows of `width` elements were just checked to lie within `out`, which is the caller's alone.
    unsafe { transpose(b, depth, columns, width, out.as_mut_ptr()) };
}

/// `out[k * out_stride + j] = b[k, j]`, for a matrix whose columns are not adjacent in memory.
///
/// # Safety
/// `out` must be writable at all those places, and nobody else may use them.
pub(super) unsafe fn transpose<T: Gemm>(b: Matrix<T>, depth: usize, columns: usize, out_stride: usize, out: *mut T) {
    const SIDE: usize = 8;
    let mut done = (0, 0);
    if b.row_stride == 1
        && b.column_stride >= 0
        && let Some(transpose_square) = T::kernels().transpose_square
    {
        // Whole squares through registers.
        let stride = b.column_stride as usize;
        done = (depth / SIDE * SIDE, columns / SIDE * SIDE);
        let square = |k: usize, j: usize| {
            let from = &b.data[b.at(k, j)..];
            assert!(from.len() >= (SIDE - 1) * stride + SIDE, "gemm: a square reaches outside");
            // SAFETY: kernels are those of the level in use; the square was just checked to lie within its slice, and where
            // it goes to is the caller's contract.
            unsafe { transpose_square(from.as_ptr(), stride, out.add(k * out_stride + j), out_stride) };
        };
        // Whole cache lines of what is read, before it leaves the nearest cache.
        for first in (0..done.0).step_by(2 * SIDE) {
            for j in (0..done.1).step_by(SIDE) {
                square(first, j);
                if first + SIDE < done.0 {
                    square(first + SIDE, j);
                }
            }
        }
    }
    // What the squares left: the columns on the right of them, and the rows below.
    for j in 0..columns {
        let start = if j < done.1 { done.0 } else { 0 };
        for k in start..depth {
            // SAFETY: the caller's contract.
            unsafe { *out.add(k * out_stride + j) = b.data[b.at(k, j)] };
        }
    }
}
