//! A right matrix that is packed once for many products, such as the recurrent weight of a layer, which every step multiplies by.

use super::format::Format;
use super::kernels::tile::{TileKernel, Tiles};
use super::kernels::{Gemm, store::Target};
use super::matrix::{Matrix, Sizes};
use super::share::{share, tiled};
use super::{Formats, gemm};
use crate::cpu::buffer::Buffer;
use crate::cpu::elementwise::add_to;
use crate::cpu::threads::{SharedMut, for_each_piece};
use crate::precision::MatmulPrecision;

/// Packing pays from so many products on.
const MANY: usize = 4;
/// Panels of a piece of parallel work, at most.
const PANELS: usize = 4;

/// A right matrix `[depth, columns]`, packed if many products follow.
pub(in crate::cpu) struct Prepared<'a, T: Gemm> {
    b: Matrix<'a, T>,
    depth: usize,
    columns: usize,
    kernel: &'static TileKernel<T>,
    /// Panels of one pass along the depth after another.
    panels: Option<Buffer<T>>,
}

impl<'a, T: Formats> Prepared<'a, T> {
    /// Of `b`, for so many products.
    pub fn new(b: Matrix<'a, T>, depth: usize, columns: usize, products: usize) -> Prepared<'a, T> {
        let kernel = T::kernels().tiles.best_for(columns);
        let mut prepared = Prepared { b, depth, columns, kernel, panels: None };
        if products < MANY || depth == 0 || columns == 0 {
            return prepared;
        }
        b.check(depth, columns);
        let count = columns.div_ceil(kernel.width);
        let mut panels = Buffer::scratch(count * kernel.width * depth);
        let base = SharedMut::new(panels.as_mut_ptr());
        for (start, deep) in prepared.passes() {
            let length = kernel.panel_length(deep);
            for_each_piece(count, |panel| {
                // SAFETY: the panels of passes before take `count * width * start` elements; each piece has a panel of its own.
                let out = unsafe { base.part(count * kernel.width * start + panel * length, length) };
                let first = panel * kernel.width;
                kernel.pack_panels(b.from(start, first), deep, kernel.width.min(columns - first), out);
            });
        }
        prepared.panels = Some(panels);
        prepared
    }

    /// Whether the matrix is packed: then products of few rows are as fast, row by row, as those of many.
    pub fn is_packed(&self) -> bool {
        self.panels.is_some()
    }

    /// Where passes along the depth begin, and how deep they are.
    fn passes(&self) -> impl Iterator<Item = (usize, usize)> + use<T> {
        let (depth, most) = (self.depth, self.kernel.depth);
        let deep = depth.div_ceil(depth.div_ceil(most).max(1)).max(1);
        (0..depth).step_by(deep).map(move |start| (start, deep.min(depth - start)))
    }

    /// The product with `a`, `[rows, depth]`, into rows of `out` that are `stride` apart; added to what is there if `accumulate`. The
    /// numbers of a row do not depend on the other rows, if the matrix is packed.
    pub fn multiply(&self, a: Matrix<T>, rows: usize, out: &mut [T], stride: usize, accumulate: bool) {
        let Prepared { depth, columns, kernel, .. } = *self;
        if rows == 0 || columns == 0 {
            return;
        }
        assert!(stride >= columns && out.len() >= (rows - 1) * stride + columns, "gemm: the output is too small");
        let Some(panels) = &self.panels else {
            return self.multiply_once(a, rows, out, stride, accumulate);
        };
        a.check(rows, depth);
        let base = SharedMut::new(out.as_mut_ptr());
        let count = columns.div_ceil(kernel.width);
        let work = Sizes { rows, depth, columns }.work();
        for (start, deep) in self.passes() {
            let a = a.from(0, start);
            let left = kernel.left(a, deep, count);
            let mut packed = Buffer::scratch(if left.packed { rows.div_ceil(kernel.height) * left.length } else { 0 });
            if left.packed {
                kernel.pack_rows(a, rows, deep, &mut packed);
            }
            let length = kernel.panel_length(deep);
            let panels = &panels[count * kernel.width * start..][..count * length];
            // An even number, as there are often two threads.
            let pieces = count.div_ceil(PANELS).next_multiple_of(2).min(count);
            share(work, tiled::<T>(), pieces, |piece| {
                for panel in piece * count / pieces..(piece + 1) * count / pieces {
                    let first = panel * kernel.width;
                    for row in (0..rows).step_by(kernel.height) {
                        let (a, row_stride, depth_stride) = if left.packed {
                            let tile = &packed[row / kernel.height * left.length..];
                            (tile.as_ptr(), left.row_stride, left.depth_stride)
                        } else {
                            (a.pointer(row, 0), a.row_stride, a.column_stride)
                        };
                        let pointer = base.pointer().wrapping_add(row * stride + first);
                        let tiles = Tiles {
                            rows: kernel.height.min(rows - row),
                            depth: deep,
                            columns: kernel.width.min(columns - first),
                            a,
                            row_stride,
                            depth_stride,
                            b: panels[panel * length..].as_ptr(),
                            b_stride: kernel.width,
                            panel_step: length,
                            out: Target { pointer, row_stride: stride, accumulate: accumulate || start > 0 },
                        };
                        // SAFETY: the kernel is one that the processor has. `a` was checked to hold the rows, or they were just
                        // packed; the panel has the kernel's width; `out` was checked to hold the tile, and pieces write
                        // columns of their own.
                        unsafe { kernel.tiles(&tiles, false) };
                    }
                }
            });
        }
    }

    fn multiply_once(&self, a: Matrix<T>, rows: usize, out: &mut [T], stride: usize, accumulate: bool) {
        let Prepared { depth, columns, .. } = *self;
        let mut product = Buffer::scratch(rows * columns);
        let sizes = Sizes { rows, depth, columns };
        gemm(&[(a, self.b)], sizes, MatmulPrecision::Highest, None, &mut product);
        for (out, product) in out.chunks_mut(stride).zip(product.chunks_exact(columns)) {
            if accumulate {
                add_to(out, product);
            } else {
                out[..columns].copy_from_slice(product);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd;

    #[test]
    fn packed_or_not_products_are_those_of_the_naive_loop() {
        for level in simd::available_levels() {
            simd::force_level(level);
            for (rows, depth, columns) in [(1, 3, 5), (16, 256, 96), (7, 1030, 33), (13, 64, 200), (2, 1, 1), (3, 0, 4)]
            {
                for products in [1, MANY] {
                    check(rows, depth, columns, products);
                }
            }
        }
    }

    fn check(rows: usize, depth: usize, columns: usize, products: usize) {
        let numbers = |count: usize, seed: usize| -> Vec<f64> {
            (0..count).map(|i| ((i * 7919 + seed) % 101) as f64 / 50.0 - 1.0).collect()
        };
        let (left, right) = (numbers(rows * depth, 1), numbers(columns * depth, 2));
        // The right matrix lies column by column.
        let b = Matrix { data: &right, offset: 0, row_stride: 1, column_stride: depth as isize };
        let a = Matrix { data: &left, offset: 0, row_stride: depth as isize, column_stride: 1 };
        let prepared = Prepared::new(b, depth, columns, products);
        assert_eq!(prepared.is_packed(), products >= MANY && depth > 0);
        let stride = columns + 3;
        for accumulate in [false, true] {
            let mut out = vec![0.5; rows * stride];
            prepared.multiply(a, rows, &mut out, stride, accumulate);
            for (i, row) in out.chunks(stride).enumerate() {
                for (j, &got) in row.iter().enumerate() {
                    let sum: f64 =
                        if j < columns { (0..depth).map(|k| left[a.at(i, k)] * right[b.at(k, j)]).sum() } else { 0.5 };
                    let expected = if accumulate && j < columns { sum + 0.5 } else { sum };
                    assert!((got - expected).abs() < 1e-12 * (depth as f64 + 1.0), "({i}, {j}): {got}, not {expected}");
                }
            }
        }
    }
}
