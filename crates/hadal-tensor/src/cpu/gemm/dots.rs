//! Products of few rows, or of few columns, that are dot products of what is adjacent in memory.
//!
//! The forward pass of a small batch is one, `x Wᵀ` with the weights `[out, in]`, and that of a layer of few units. Every element
//! of the larger matrix is needed a few times only, so that reading it where it lies is faster than packing it first.

use super::kernels::Gemm;
use super::kernels::dot_tile::{DotTile, HEIGHT};
use super::matrix::{Matrix, Sizes};
use super::out::Out;
use super::share::{MOVED, share};
use crate::cpu::simd::level;

/// Rows, or columns, at most: from 16 on tiles are faster.
const FEW: usize = 12;
/// Registers that a dot product of few columns fills, at least: to sum their lanes takes longer than tiles that are not full otherwise.
const DEEP: usize = 8;
/// Columns per piece of parallel work, about.
const COLUMNS: usize = 24;

/// Computes the product if its layout and size suit dot products; false, with nothing done, otherwise.
pub(super) fn multiply<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, out: Out<T>) -> bool {
    let Sizes { rows, depth, columns } = sizes;
    if a.column_stride != 1 || b.row_stride != 1 {
        return false;
    }
    if rows <= FEW && depth >= 16 && columns > 1 {
        few_rows(a, b, sizes, out);
        return true;
    }
    let flipped = columns <= FEW && depth >= DEEP * level().lanes::<T>();
    if flipped {
        let sizes = Sizes { rows: columns, depth, columns: rows };
        few_rows(b.flipped(), a.flipped(), sizes, out.flipped());
    }
    flipped
}

/// The product of few rows with columns that are adjacent in memory.
fn few_rows<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, out: Out<T>) {
    let Sizes { rows, depth, columns } = sizes;
    let kernel = &T::kernels().dots;
    // Of nearly equal width, and an even number, as there are often two threads.
    let tiles = columns.div_ceil(kernel.width);
    let pieces = columns.div_ceil(COLUMNS).next_multiple_of(2).min(tiles);
    let edge = |index: usize| (index * tiles / pieces * kernel.width).min(columns);
    let piece = |piece: usize| {
        let (first, last) = (edge(piece), edge(piece + 1));
        let mut column = first;
        while column < last {
            let wide = column + kernel.width <= last;
            let tile = if wide { kernel.wide } else { kernel.single };
            for row in (0..rows).step_by(HEIGHT) {
                // SAFETY: the level of the kernel is available; both matrices were checked for `sizes` in `gemm`, and
                // the tile's rows and columns are among them; pieces write columns of their own.
                unsafe {
                    tile(&DotTile {
                        rows: HEIGHT.min(rows - row),
                        depth,
                        a: a.pointer(row, 0),
                        row_stride: a.row_stride,
                        b: b.pointer(0, column),
                        column_stride: b.column_stride,
                        out: out.pointer(row, column),
                        out_row_stride: out.row_stride,
                        out_column_stride: out.column_stride,
                    });
                }
            }
            column += if wide { kernel.width } else { 1 };
        }
        out.finish(0..rows, first..last);
    };
    share(sizes.work(), MOVED, pieces, piece);
}
