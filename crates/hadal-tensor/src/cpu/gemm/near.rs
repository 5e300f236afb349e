//! Products of small matrices, which stay near the processor, on the calling thread: the right one is packed once for many left rows.

use std::ops::Range;

use super::format::Format;
use super::kernels::Gemm;
use super::kernels::store::Target;
use super::kernels::tile::{TileKernel, Tiles};
use super::matrix::Matrix;
use super::pack;
use crate::cpu::buffer::Buffer;
use crate::cpu::threads::SharedMut;

/// A right matrix `[depth, columns]`, packed unless few rows will be multiplied by it.
pub(in crate::cpu) struct Near<'a, T: Gemm> {
    kernel: &'static TileKernel<T>,
    b: Matrix<'a, T>,
    depth: usize,
    columns: usize,
    panels: Option<Buffer<T>>,
}

impl<'a, T: Gemm> Near<'a, T> {
    /// Of `b`, for so many rows of left matrices.
    pub fn new(b: Matrix<'a, T>, depth: usize, columns: usize, rows: usize) -> Near<'a, T> {
        let kernel = T::kernels().tiles.best_for(columns);
        if depth > 0 && columns > 0 {
            b.check(depth, columns);
        }
        let panels = kernel.right_in_place(b, rows, depth).is_none().then(|| {
            let length = columns.next_multiple_of(kernel.width).checked_mul(depth);
            let mut panels = Buffer::scratch(length.expect("gemm: a packed matrix is larger than memory"));
            if depth > 0 && columns > 0 {
                pack::panels(b, depth, columns, kernel.width, &mut panels);
            }
            panels
        });
        Near { kernel, b, depth, columns, panels }
    }

    /// The product of `a`, `[rows, places]`, with those rows and the first `columns` of the matrix, to rows that are `stride` apart; zeros
    /// where there is nothing to sum.
    ///
    /// Inlined: a matrix handed on in memory is read in wider parts than it was written in, and processors let such a read wait until all
    /// that was written before has reached its cache, which for results of the product before are hundreds of cycles.
    ///
    /// # Safety
    /// `out` must be writable at `i * stride + j` for all rows `i` and columns `j`, and nobody else may use these places.
    #[inline(always)]
    pub unsafe fn multiply(
        &self,
        a: Matrix<T>,
        rows: usize,
        places: Range<usize>,
        columns: usize,
        out: SharedMut<T>,
        stride: usize,
    ) {
        assert!(places.end <= self.depth && columns <= self.columns, "gemm: the right matrix is smaller");
        if rows == 0 || columns == 0 {
            return;
        }
        let (kernel, depth) = (self.kernel, places.len());
        let (run, b, b_stride, panel_step) = match &self.panels {
            Some(panels) => {
                let first = panels.as_ptr().wrapping_add(places.start * kernel.width);
                (kernel.tiles, first, kernel.width, self.depth * kernel.width)
            }
            None => (kernel.direct, self.b.pointer(places.start, 0), self.b.row_stride as usize, kernel.width),
        };
        if depth > 0 {
            a.check(rows, depth);
        }
        for row in (0..rows).step_by(kernel.height) {
            let pointer = out.pointer().wrapping_add(row * stride);
            // SAFETY: the kernel is one that the processor has. `a` was checked, unless nothing of it is read; the panels that hold `columns`
            // are there, each `self.depth` deep, of which the places are a part, or the matrix itself was checked, whose columns are adjacent
            // and whose rows lead forward; the rest is the caller's contract.
            unsafe {
                run(&Tiles {
                    rows: kernel.height.min(rows - row),
                    depth,
                    columns,
                    a: a.pointer(row, 0),
                    row_stride: a.row_stride,
                    depth_stride: a.column_stride,
                    b,
                    b_stride,
                    panel_step,
                    out: Target { pointer, row_stride: stride, accumulate: false },
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd;

    #[test]
    fn any_part_of_the_right_matrix_gives_the_naive_product() {
        for level in simd::available_levels() {
            simd::force_level(level);
            for sizes in [(16, 64, 32), (5, 9, 64), (33, 20, 7), (1, 1, 1), (3, 70, 100)] {
                // Read where it lies, if it lies so, and packed.
                for for_rows in [1, 1000] {
                    for turned in [(false, false), (true, false), (false, true), (true, true)] {
                        check::<f32>(sizes, for_rows, turned, 1e-5);
                        check::<f64>(sizes, for_rows, turned, 1e-13);
                    }
                }
            }
        }
    }

    fn check<T: Gemm + Into<f64>>(
        (rows, depth, columns): (usize, usize, usize),
        for_rows: usize,
        turned: (bool, bool),
        tolerance: f64,
    ) {
        let numbers = |count: usize, seed: usize| -> Vec<T> {
            (0..count).map(|i| T::from_f64(((i * 7919 + seed) % 101) as f64 / 50.0 - 1.0)).collect()
        };
        let (left, right) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
        let strides =
            |turned, rows: usize, columns: usize| if turned { (1, rows as isize) } else { (columns as isize, 1) };
        let (row_stride, column_stride) = strides(turned.0, rows, depth);
        let a = Matrix { data: &left, offset: 0, row_stride, column_stride };
        let (row_stride, column_stride) = strides(turned.1, depth, columns);
        let b = Matrix { data: &right, offset: 0, row_stride, column_stride };
        let near = Near::new(b, depth, columns, for_rows);
        for (places, wide) in [(0..depth, columns), (depth / 3..depth, columns.div_ceil(2)), (depth..depth, columns)] {
            let stride = columns + 3;
            let mut out = vec![T::from_f64(0.5); rows * stride];
            let to = SharedMut::new(out.as_mut_ptr());
            // SAFETY: `out` has so many rows of `stride` numbers, and is this test's.
            unsafe { near.multiply(a.from(0, places.start), rows, places.clone(), wide, to, stride) };
            for (i, row) in out.chunks(stride).enumerate() {
                for (j, &got) in row.iter().enumerate() {
                    let term = |k: usize| left[a.at(i, k)].into() * right[b.at(k, j)].into();
                    let expected: f64 = if j < wide { places.clone().map(term).sum() } else { 0.5 };
                    assert!((got.into() - expected).abs() < tolerance, "({i}, {j}): {}, not {expected}", got.into());
                }
            }
        }
    }
}
