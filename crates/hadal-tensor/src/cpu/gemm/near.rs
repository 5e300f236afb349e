//! Products of small matrices, which stay near the processor, on the calling thread: the right one is packed once for many left ones.

use std::ops::Range;

use super::kernels::Gemm;
use super::kernels::store::Target;
use super::kernels::tile::{TileKernel, Tiles};
use super::matrix::Matrix;
use super::pack;
use crate::cpu::buffer::Buffer;
use crate::cpu::threads::SharedMut;

/// A packed right matrix `[depth, columns]`.
pub(in crate::cpu) struct Near<T: Gemm> {
    kernel: &'static TileKernel<T>,
    depth: usize,
    columns: usize,
    panels: Buffer<T>,
}

impl<T: Gemm> Near<T> {
    pub fn new(b: Matrix<T>, depth: usize, columns: usize) -> Near<T> {
        let kernel = T::kernels().tiles.best_for(columns);
        let mut panels = Buffer::scratch(columns.div_ceil(kernel.width) * kernel.width * depth);
        if depth > 0 && columns > 0 {
            b.check(depth, columns);
            pack::panels(b, depth, columns, kernel.width, &mut panels);
        }
        Near { kernel, depth, columns, panels }
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
        let Near { kernel, .. } = self;
        let depth = places.len();
        if depth > 0 {
            a.check(rows, depth);
        }
        for row in (0..rows).step_by(kernel.height) {
            let pointer = out.pointer().wrapping_add(row * stride);
            // SAFETY: the kernel is one that the processor has. `a` was checked, unless nothing of it is read; the panels that hold `columns`
            // are there, each `self.depth` deep, of which the places are a part; the rest is the caller's contract.
            unsafe {
                (kernel.tiles)(&Tiles {
                    rows: kernel.height.min(rows - row),
                    depth,
                    columns,
                    a: a.pointer(row, 0),
                    row_stride: a.row_stride,
                    depth_stride: a.column_stride,
                    b: self.panels.as_ptr().wrapping_add(places.start * kernel.width),
                    b_stride: kernel.width,
                    panel_step: self.depth * kernel.width,
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
    fn any_part_of_the_packed_matrix_gives_the_naive_product() {
        let numbers = |count: usize, seed: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * 7919 + seed) % 101) as f32 / 50.0 - 1.0).collect()
        };
        for level in simd::available_levels() {
            simd::force_level(level);
            for (rows, depth, columns) in [(16, 64, 32), (5, 9, 64), (33, 20, 7), (1, 1, 1), (3, 70, 100)] {
                for turned in [false, true] {
                    let (left, right) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
                    let (down, across) = if turned { (1, depth as isize) } else { (columns as isize, 1) };
                    let b = Matrix { data: &right, offset: 0, row_stride: down, column_stride: across };
                    let near = Near::new(b, depth, columns);
                    let parts = [(0..depth, columns), (depth / 3..depth, columns.div_ceil(2)), (depth..depth, columns)];
                    for (places, wide) in parts {
                        let a =
                            Matrix { data: &left, offset: places.start, row_stride: depth as isize, column_stride: 1 };
                        let stride = columns + 3;
                        let mut out = vec![0.5; rows * stride];
                        let to = SharedMut::new(out.as_mut_ptr());
                        // SAFETY: `out` has so many rows of `stride` numbers, and is this test's.
                        unsafe { near.multiply(a, rows, places.clone(), wide, to, stride) };
                        for (i, row) in out.chunks(stride).enumerate() {
                            for (j, &got) in row.iter().enumerate() {
                                let term = |k: usize| f64::from(left[i * depth + k]) * f64::from(right[b.at(k, j)]);
                                let expected = if j < wide { places.clone().map(term).sum() } else { 0.5 };
                                assert!((f64::from(got) - expected).abs() < 1e-5, "({i}, {j}): {got}, not {expected}");
                            }
                        }
                    }
                }
            }
        }
    }
}
