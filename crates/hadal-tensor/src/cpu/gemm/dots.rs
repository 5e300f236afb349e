//! Products of few rows with a matrix that lies column by column: dot products of what is adjacent in memory.
//!
//! The forward pass of a small batch is one, `x Wᵀ` with the weights `[out, in]`. Every element of the weights is needed
//! a few times only, so that reading it where it lies is faster than packing it first.

#[cfg(target_arch = "x86_64")]
use super::vector::x86;
use super::vector::{Four, Vector};
use super::{Float, Gemm, Matrix, Out, Sizes, share};
use crate::cpu::simd::{SimdLevel, level};

/// Products of more rows are packed: from 16 on that is faster.
const FEW: usize = 12;
/// Columns per piece of parallel work: a multiple of the tiles' widths.
const COLUMNS: usize = 48;
/// Rows of a tile, at most.
const HEIGHT: usize = 4;

/// What a tile computes: `rows` dot products with each of its columns.
struct Tile<T> {
    rows: usize,
    depth: usize,
    a: *const T,
    row_stride: isize,
    b: *const T,
    column_stride: isize,
    out: *mut T,
    out_stride: usize,
}

/// The tiles of one instruction set: of `width` columns, and of one.
pub(super) struct DotKernel<T> {
    width: usize,
    /// # Safety
    /// The processor must have the kernel's instructions. With `rows <= HEIGHT`: `a` must be readable at
    /// `i * row_stride + k` for all `i < rows`, `k < depth`, `b` at `j * column_stride + k` for all `j < width`, and `out`
    /// writable at `i * out_stride + j`.
    wide: unsafe fn(&Tile<T>),
    /// # Safety
    /// As `wide`, with one column.
    single: unsafe fn(&Tile<T>),
}

/// Computes the product if its layout and size suit dot products; false, with nothing done, otherwise.
pub(super) fn multiply<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, out: Out<T>) -> bool {
    let Sizes { rows, depth, columns } = sizes;
    // One row, or one column, may have any stride along its only place.
    if rows > FEW || a.column_stride != 1 || b.row_stride != 1 || depth < 16 || columns == 1 {
        return false;
    }
    let kernel = T::dot_kernel();
    let piece = |piece: usize| {
        let last = columns.min((piece + 1) * COLUMNS);
        let mut column = piece * COLUMNS;
        while column < last {
            let wide = column + kernel.width <= last;
            let tile = if wide { kernel.wide } else { kernel.single };
            for row in (0..rows).step_by(HEIGHT) {
                // SAFETY: the level of the kernel is available; both matrices were checked for `sizes` in `gemm`, and
                // the tile's rows and columns are among them; pieces write columns of their own.
                unsafe {
                    tile(&Tile {
                        rows: HEIGHT.min(rows - row),
                        depth,
                        a: a.data.as_ptr().add(a.at(row, 0)),
                        row_stride: a.row_stride,
                        b: b.data.as_ptr().add(b.at(0, column)),
                        column_stride: b.column_stride,
                        out: out.target(row, column, false).pointer,
                        out_stride: out.row_stride,
                    });
                }
            }
            column += if wide { kernel.width } else { 1 };
        }
        out.finish(0..rows, piece * COLUMNS..last);
    };
    share(sizes.work(), columns.div_ceil(COLUMNS), piece);
    true
}

/// The dot products of `ROWS` rows and `WIDE` columns, a register each that is yet to be summed.
///
/// # Safety
/// As [`DotKernel::wide`], with `tile.rows == ROWS` and `width == WIDE`.
#[inline(always)]
unsafe fn dots<T: Float, V: Vector<T>, const ROWS: usize, const WIDE: usize>(tile: &Tile<T>) -> [[V; WIDE]; ROWS] {
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        let mut sums = [[V::zero(); WIDE]; ROWS];
        for k in (0..tile.depth).step_by(V::LANES) {
            let count = tile.depth - k;
            let mut right = [V::zero(); WIDE];
            for (j, right) in right.iter_mut().enumerate() {
                *right = load(tile.b.offset(j as isize * tile.column_stride).add(k), count);
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let left: V = load(tile.a.offset(i as isize * tile.row_stride).add(k), count);
                for (sum, &right) in sums.iter_mut().zip(&right) {
                    *sum = sum.add_product(left, right);
                }
            }
        }
        sums
    }
}

/// Stores the sums of a tile's registers.
///
/// # Safety
/// As [`DotKernel::wide`].
#[inline(always)]
unsafe fn store<T: Float, V: Vector<T>, const ROWS: usize, const WIDE: usize>(
    tile: &Tile<T>,
    sums: &[[V; WIDE]; ROWS],
) {
    for (i, sums) in sums.iter().enumerate() {
        for (j, sum) in sums.iter().enumerate() {
            // SAFETY: the caller's contract.
            unsafe { *tile.out.add(i * tile.out_stride + j) = sum.sum() };
        }
    }
}

/// A register from `from` on, or the first `count` elements of one.
///
/// # Safety
/// The processor must have V's instructions, and `from` must be readable for the smaller of `count` and a register.
#[inline(always)]
unsafe fn load<T, V: Vector<T>>(from: *const T, count: usize) -> V {
    // SAFETY: the caller's contract.
    unsafe { if count >= V::LANES { V::load(from) } else { V::load_first(from, count) } }
}

/// Makes `fn $name` that picks the instances for the number of rows, compiled for `$feature`. The loop is a function of
/// its own, `$dots`: beside the code that stores them the sums would not stay in registers.
macro_rules! tiles {
    ($(#[$feature:meta])? $name:ident, $dots:ident) => {
        /// # Safety
        /// As [`dots`].
        $(#[$feature])?
        #[inline(never)]
        unsafe fn $dots<T: Float, V: Vector<T>, const ROWS: usize, const WIDE: usize>(
            tile: &Tile<T>,
        ) -> [[V; WIDE]; ROWS] {
            // SAFETY: the caller's contract.
            unsafe { dots(tile) }
        }

        /// # Safety
        /// As [`DotKernel::wide`].
        $(#[$feature])?
        unsafe fn $name<T: Float, V: Vector<T>, const WIDE: usize>(tile: &Tile<T>) {
            // SAFETY: the caller's contract, and `rows` is the height of the instance.
            unsafe {
                match tile.rows {
                    1 => store(tile, &$dots::<T, V, 1, WIDE>(tile)),
                    2 => store(tile, &$dots::<T, V, 2, WIDE>(tile)),
                    3 => store(tile, &$dots::<T, V, 3, WIDE>(tile)),
                    _ => store(tile, &$dots::<T, V, HEIGHT, WIDE>(tile)),
                }
            }
        }
    };
}
tiles!(tiles_baseline, dots_baseline);
#[cfg(target_arch = "x86_64")]
tiles!(
    #[target_feature(enable = "avx2,fma")]
    tiles_avx2,
    dots_avx2
);
#[cfg(target_arch = "x86_64")]
tiles!(
    #[target_feature(enable = "avx512f")]
    tiles_avx512,
    dots_avx512
);

/// The kernel of a number type at the level in use, from its registers of 512 and of 256 bits.
macro_rules! dot_kernel {
    ($name:ident, $number:ty, $wide:ident, $narrow:ident) => {
        pub(super) fn $name() -> DotKernel<$number> {
            match level() {
                #[cfg(target_arch = "x86_64")]
                SimdLevel::Avx512 => DotKernel {
                    width: 6,
                    wide: tiles_avx512::<$number, x86::$wide, 6>,
                    single: tiles_avx512::<$number, x86::$wide, 1>,
                },
                #[cfg(target_arch = "x86_64")]
                SimdLevel::Avx2 => DotKernel {
                    width: 3,
                    wide: tiles_avx2::<$number, x86::$narrow, 3>,
                    single: tiles_avx2::<$number, x86::$narrow, 1>,
                },
                _ => DotKernel {
                    width: 2,
                    wide: tiles_baseline::<$number, Four<$number>, 2>,
                    single: tiles_baseline::<$number, Four<$number>, 1>,
                },
            }
        }
    };
}
dot_kernel!(dot_kernel_f32, f32, __m512, __m256);
dot_kernel!(dot_kernel_f64, f64, __m512d, __m256d);
