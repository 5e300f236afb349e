//! Copying matrices into the order in which tiles read them.

use super::kernels::Gemm;
use super::kernels::vector::{NEAREST, prefetch_all};
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
        macro_rules! sizes {
            ($($size:literal)*) => {
                match width {
                    $($size if panels > 1 => copy_panels::<T, $size>(whole, panels, (from, pitch), (out, depth)),)*
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

/// Rows that are copied at once: a cache line of the narrowest panels of `f32`, which is complete when it leaves the nearest cache.
/// Panels at a multiple of 4 KiB from each other have but few places there.
const TOGETHER: usize = 4;
/// How many rows lie between the first that is copied and the first that is asked for: rows that lie far apart come too late otherwise.
const AHEAD: usize = 16;

/// So many panels of `WIDTH` columns, a few rows at a time, so that what is adjacent in memory is read at once. Rows of `from` are `pitch` apart,
/// panels of `out` `depth` rows.
#[inline(always)]
fn copy_panels<T: Gemm, const WIDTH: usize>(
    rows: usize,
    panels: usize,
    (from, pitch): (&[T], usize),
    (out, depth): (&mut [T], usize),
) {
    let out = out.as_chunks_mut::<WIDTH>().0;
    let row = |k: usize| &from[k * pitch..].as_chunks::<WIDTH>().0[..panels];
    let together = rows - rows % TOGETHER;
    for first in (0..together).step_by(TOGETHER) {
        for ahead in first + AHEAD..first + AHEAD + TOGETHER {
            prefetch_all::<T, NEAREST>(from.as_ptr().wrapping_add(ahead * pitch), panels * WIDTH);
        }
        let rows: [_; TOGETHER] = [row(first), row(first + 1), row(first + 2), row(first + 3)];
        for panel in 0..panels {
            for (out, row) in out[panel * depth + first..][..TOGETHER].iter_mut().zip(rows) {
                *out = row[panel];
            }
        }
    }
    for k in together..rows {
        for (panel, part) in row(k).iter().enumerate() {
            out[panel * depth + k] = *part;
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
    if depth > 0 && columns > 0 {
        b.check(depth, columns);
        let strides = (b.row_stride, b.column_stride);
        // SAFETY: what is read was just checked to lie within the matrix; the rest is the caller's contract.
        unsafe { transpose_from(b.pointer(0, 0), strides, depth, columns, out_stride, out) };
    }
}

/// `out[k * out_stride + j] = b[k, j]`, where `b[k, j]` lies at `k * row_stride + j * column_stride`.
///
/// # Safety
/// `b` must be readable at all those places and `out` writable, and nobody else may write the former or use the latter.
pub(super) unsafe fn transpose_from<T: Gemm>(
    b: *const T,
    (row_stride, column_stride): (isize, isize),
    depth: usize,
    columns: usize,
    out_stride: usize,
    out: *mut T,
) {
    const SIDE: usize = 8;
    let place = |k: usize, j: usize| b.wrapping_offset(k as isize * row_stride + j as isize * column_stride);
    let mut done = (0, 0);
    if row_stride == 1
        && column_stride >= 0
        && let Some(transpose_square) = T::kernels().transpose_square
    {
        // Whole squares through registers.
        let stride = column_stride as usize;
        done = (depth / SIDE * SIDE, columns / SIDE * SIDE);
        // SAFETY: kernels are those of the level in use; the rest is the caller's contract.
        let square = |k: usize, j: usize| unsafe {
            transpose_square(place(k, j), stride, out.add(k * out_stride + j), out_stride);
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
            unsafe { *out.add(k * out_stride + j) = *place(k, j) };
        }
    }
}
