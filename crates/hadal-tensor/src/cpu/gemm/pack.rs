//! Copying matrices into the order in which tiles read them.

use super::kernels::Gemm;
use super::matrix::Matrix;
use crate::cpu::rows::copy_rows;
use crate::cpu::simd::{Task, dispatch};

/// Panels of `width` columns one after another, each row-major; what fills up the last is arbitrary.
pub(super) fn panels<T: Gemm>(b: Matrix<T>, depth: usize, columns: usize, width: usize, out: &mut [T]) {
    if b.column_stride == 1 && b.row_stride >= 0 {
        return dispatch(CopyPanels { b, depth, columns, width, out });
    }
    for (panel, out) in out.chunks_mut(width * depth).take(columns.div_ceil(width)).enumerate() {
        let first = panel * width;
        transposed(Matrix { offset: b.at(0, first), ..b }, depth, width.min(columns - first), width, out);
    }
}

/// The panels of a matrix whose columns are adjacent in memory.
struct CopyPanels<'a, T> {
    b: Matrix<'a, T>,
    depth: usize,
    columns: usize,
    width: usize,
    out: &'a mut [T],
}

impl<T: Gemm> Task for CopyPanels<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let CopyPanels { b, depth, columns, width, out } = self;
        let pitch = b.row_stride as usize;
        let panels = columns.div_ceil(width);
        let from = &b.data[b.at(0, 0)..];
        // What lies beyond the columns is multiplied too, but never stored; the last rows may end before.
        let whole = match from.len().checked_sub(panels * width) {
            Some(room) => depth.min(room.checked_div(pitch).map_or(depth, |rows| rows + 1)),
            None => 0,
        };
        // Row by row, so that what is adjacent in memory is read at once.
        macro_rules! sizes {
            ($($size:literal)*) => {
                match width {
                    $($size if panels > 1 => {
                        let out = out.as_chunks_mut::<$size>().0;
                        for k in 0..whole {
                            let from = from[k * pitch..].as_chunks::<$size>().0;
                            for panel in 0..panels {
                                out[panel * depth + k] = from[panel];
                            }
                        }
                    })*
                    _ => for panel in 0..panels {
                        copy_rows(whole, width, (&from[panel * width..], pitch), (&mut out[panel * width * depth..], width));
                    }
                }
            };
        }
        sizes!(4 6 8 12 16 24 32 48);
        for k in whole..depth {
            for panel in 0..panels {
                let out = &mut out[panel * width * depth + k * width..][..width];
                let columns = width.min(columns - panel * width);
                out[..columns].copy_from_slice(&from[k * pitch + panel * width..][..columns]);
                out[columns..].fill(T::ZERO);
            }
        }
    }
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
pub(in crate::cpu) unsafe fn transpose<T: Gemm>(
    b: Matrix<T>,
    depth: usize,
    columns: usize,
    out_stride: usize,
    out: *mut T,
) {
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
        // Whole cache lines at both ends, of few rows at a time that lie far apart, so that they are fetched before they are asked for.
        let reads_far = stride >= out_stride;
        let (far, near) = if reads_far { (done.1, done.0) } else { done };
        let both = |first: usize, end: usize| (first..end.min(first + 2 * SIDE)).step_by(SIDE);
        for (far_first, near_first) in
            (0..far).step_by(2 * SIDE).flat_map(|first| (0..near).step_by(2 * SIDE).map(move |near| (first, near)))
        {
            for far in both(far_first, far) {
                for near in both(near_first, near) {
                    if reads_far { square(near, far) } else { square(far, near) }
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
