//! Tiles of dot products: few rows with columns that lie in memory one by one.

use super::vector::Vector;
use crate::cpu::float::Float;

/// Rows of a tile, at most.
pub(crate) const HEIGHT: usize = 4;

/// What a tile computes: `rows` dot products with each of its columns.
pub(crate) struct DotTile<T> {
    pub rows: usize,
    pub depth: usize,
    pub a: *const T,
    pub row_stride: isize,
    pub b: *const T,
    pub column_stride: isize,
    pub out: *mut T,
    pub out_row_stride: usize,
    pub out_column_stride: usize,
}

/// The tiles of one instruction set: of `width` columns, and of one.
pub(crate) struct DotKernel<T> {
    pub width: usize,
    /// # Safety
    /// The processor must have the kernel's instructions. With `rows <= HEIGHT`: `a` must be readable at
    /// `i * row_stride + k` for all `i < rows`, `k < depth`, `b` at `j * column_stride + k` for all `j < width`, and `out`
    /// writable for `rows` x `width` at its strides.
    pub wide: unsafe fn(&DotTile<T>),
    /// # Safety
    /// As `wide`, with one column.
    pub single: unsafe fn(&DotTile<T>),
}

impl<T> DotKernel<T> {
    /// Its tiles, in words.
    pub fn describe(&self) -> String {
        format!("dot products where both lie along the summed axis, {HEIGHT} x {} at a time", self.width)
    }
}

/// The dot products of `ROWS` rows and `WIDE` columns, a register each that is yet to be summed.
///
/// # Safety
/// As [`DotKernel::wide`], with `tile.rows == ROWS` and `width == WIDE`.
#[inline(always)]
pub(crate) unsafe fn dots<T: Float, V: Vector<T>, const ROWS: usize, const WIDE: usize>(
    tile: &DotTile<T>,
) -> [[V; WIDE]; ROWS] {
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        let mut sums = [[V::zero(); WIDE]; ROWS];
        let rest = tile.depth % V::LANES;
        let whole = tile.depth - rest;
        for k in (0..whole).step_by(V::LANES) {
            add_products(tile, &mut sums, |place| V::load(place.add(k)));
        }
        if rest > 0 {
            add_products(tile, &mut sums, |place| V::load_first(place.add(whole), rest));
        }
        sums
    }
}

/// Adds the products of what `load` reads of each row and column, given where that begins.
///
/// # Safety
/// As [`DotKernel::wide`], with `tile.rows == ROWS` and `width == WIDE`, for what `load` reads.
#[inline(always)]
unsafe fn add_products<T, V: Vector<T>, const ROWS: usize, const WIDE: usize>(
    tile: &DotTile<T>,
    sums: &mut [[V; WIDE]; ROWS],
    load: impl Fn(*const T) -> V,
) {
    // SAFETY: the caller's contract.
    unsafe {
        let right: [V; WIDE] = std::array::from_fn(|j| load(tile.b.offset(j as isize * tile.column_stride)));
        for (i, sums) in sums.iter_mut().enumerate() {
            let left = load(tile.a.offset(i as isize * tile.row_stride));
            for (sum, &right) in sums.iter_mut().zip(&right) {
                *sum = sum.add_product(left, right);
            }
        }
    }
}

/// Stores the sums of a tile's registers.
///
/// # Safety
/// As [`DotKernel::wide`].
#[inline(always)]
pub(crate) unsafe fn store<T: Float, V: Vector<T>, const ROWS: usize, const WIDE: usize>(
    tile: &DotTile<T>,
    sums: &[[V; WIDE]; ROWS],
) {
    for (i, sums) in sums.iter().enumerate() {
        for (j, sum) in sums.iter().enumerate() {
            // SAFETY: the caller's contract.
            unsafe { *tile.out.add(i * tile.out_row_stride + j * tile.out_column_stride) = sum.sum() };
        }
    }
}

/// Makes `fn $name` that picks the instances for the number of rows, compiled for `$feature`. The loop is a function of
/// its own, `$dots`: beside the code that stores them the sums would not stay in registers.
macro_rules! dot_tiles {
    ($(#[$feature:meta])? $name:ident, $dots:ident) => {
        /// # Safety
        /// As [`dots`](super::dot_tile::dots).
        $(#[$feature])?
        #[inline(never)]
        unsafe fn $dots<T: crate::cpu::float::Float, V: super::vector::Vector<T>, const ROWS: usize, const WIDE: usize>(
            tile: &super::dot_tile::DotTile<T>,
        ) -> [[V; WIDE]; ROWS] {
            // SAFETY: the caller's contract.
            unsafe { super::dot_tile::dots(tile) }
        }

        /// # Safety
        /// As [`DotKernel::wide`](super::dot_tile::DotKernel::wide).
        $(#[$feature])?
        unsafe fn $name<T: crate::cpu::float::Float, V: super::vector::Vector<T>, const WIDE: usize>(tile: &super::dot_tile::DotTile<T>) {
            // SAFETY: the caller's contract, and `rows` is the height of the instance.
            unsafe {
                match tile.rows {
                    1 => super::dot_tile::store(tile, &$dots::<T, V, 1, WIDE>(tile)),
                    2 => super::dot_tile::store(tile, &$dots::<T, V, 2, WIDE>(tile)),
                    3 => super::dot_tile::store(tile, &$dots::<T, V, 3, WIDE>(tile)),
                    _ => super::dot_tile::store(tile, &$dots::<T, V, { super::dot_tile::HEIGHT }, WIDE>(tile)),
                }
            }
        }
    };
}
pub(crate) use dot_tiles;
