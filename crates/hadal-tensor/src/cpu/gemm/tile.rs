//! Tiles: the innermost product, held in registers, one instance per vector instruction set and height.

use super::Float;
use super::product::Product;
use super::vector::{Vector, prefetch};

/// What a kernel works on: tiles side by side, `rows` x `depth` of the left matrix times panels of the right. `P` is what
/// the operands are packed into.
pub(super) struct Tiles<P, T> {
    pub rows: usize,
    pub depth: usize,
    /// Columns of all tiles; only the last may be narrower than the kernel.
    pub columns: usize,
    pub a: *const P,
    pub row_stride: isize,
    pub depth_stride: isize,
    /// Panels `panel_step` apart, each of `depth` rows `b_stride` apart, of the kernel's full width; for the direct kernel
    /// of `columns` in all.
    pub b: *const P,
    pub b_stride: usize,
    pub panel_step: usize,
    pub out: Target<T>,
}

/// Where a tile goes. One of the strides is 1.
#[derive(Clone, Copy)]
pub(super) struct Target<T> {
    pub pointer: *mut T,
    pub row_stride: usize,
    pub column_stride: usize,
    /// Whether to add to what is there.
    pub accumulate: bool,
}

impl<T> Target<T> {
    /// Where the tile that begins at a column goes.
    #[inline(always)]
    pub fn at_column(self, column: usize) -> Target<T> {
        Target { pointer: self.pointer.wrapping_add(column * self.column_stride), ..self }
    }
}

/// Computes the tile whose panel is at `b`: exactly `HEIGHT` rows, `WIDE` registers across, stored at `out`, `out_stride`
/// apart, and added to what is there if `accumulate`.
///
/// # Safety
/// The processor must have V's instructions; `a` must be readable at `i * row_stride + k * depth_stride` for all
/// `i < HEIGHT`, `k < depth`, and `b` at `k * b_stride + j` for all `k < depth`, `j` below `WIDE` registers, or below
/// `columns` if `DIRECT`; `out` readable and writable at `i * out_stride + j` for all those `i` and `j`.
#[inline(always)]
pub(super) unsafe fn sums<
    P,
    T,
    V: Product<P> + Vector<T>,
    const HEIGHT: usize,
    const WIDE: usize,
    const DIRECT: bool,
>(
    tiles: &Tiles<P, T>,
    mut b: *const P,
    columns: usize,
    out: *mut T,
    out_stride: usize,
    accumulate: bool,
) {
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        let mut sums = [[<V as Product<P>>::zero(); WIDE]; HEIGHT];
        let mut a = tiles.a;
        for _ in 0..tiles.depth {
            let mut right = [V::none(); WIDE];
            if DIRECT {
                // The rows lie too far apart for the processor to see a pattern: ask for those of the next tile.
                for j in (0..WIDE).filter(|j| (j * size_of::<V>()).is_multiple_of(64)) {
                    prefetch(b.wrapping_add((WIDE + j) * V::WIDTH));
                }
            }
            for (j, right) in right.iter_mut().enumerate() {
                let columns = columns.saturating_sub(j * V::WIDTH);
                *right = if DIRECT && columns < V::WIDTH {
                    V::operand_first(b.wrapping_add(j * V::WIDTH), columns)
                } else {
                    V::operand(b.add(j * V::WIDTH))
                };
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let left = V::operand_splat(a.offset(i as isize * tiles.row_stride));
                for (sum, &right) in sums.iter_mut().zip(&right) {
                    *sum = sum.accumulated(left, right);
                }
            }
            a = a.wrapping_offset(tiles.depth_stride);
            b = b.wrapping_add(tiles.b_stride);
        }
        store_whole(sums, out, out_stride, accumulate);
    }
}

/// Stores whole rows of sums, `out_stride` apart; added to what is there if `accumulate`.
///
/// # Safety
/// The processor must have V's instructions; `out` must be readable and writable for all the sums.
#[inline(always)]
pub(super) unsafe fn store_whole<T, V: Vector<T>, const HEIGHT: usize, const WIDE: usize>(
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
/// The processor must have V's instructions; `out` must be readable and writable at
/// `i * row_stride + j * column_stride` for all `i < HEIGHT`, `j < columns`, with `columns` at most `WIDE` registers.
#[inline(always)]
pub(super) unsafe fn store<T: Float, V: Vector<T>, const HEIGHT: usize, const WIDE: usize>(
    sums: &[[V; WIDE]; HEIGHT],
    out: Target<T>,
    columns: usize,
) {
    // SAFETY: every access below is one that the caller's contract names; `stage` holds all rows of a register.
    unsafe {
        if out.column_stride == 1 {
            for (i, sums) in sums.iter().enumerate() {
                store_row(sums, out.pointer.add(i * out.row_stride), columns, out.accumulate);
            }
            return;
        }
        for j in 0..WIDE {
            let columns = columns.saturating_sub(j * V::LANES).min(V::LANES);
            let base = out.pointer.wrapping_add(j * V::LANES * out.column_stride);
            let whole = if columns == V::LANES { HEIGHT / 4 * 4 } else { 0 };
            for first in (0..whole).step_by(4) {
                let rows = std::array::from_fn(|i| sums[first + i][j]);
                V::store_columns(rows, base.add(first), out.column_stride, out.accumulate);
            }
            for (i, sums) in sums.iter().enumerate().skip(whole) {
                let mut lanes = [T::ZERO; 16];
                sums[j].store(lanes.as_mut_ptr());
                for (column, &lane) in lanes[..columns].iter().enumerate() {
                    let place = base.add(i + column * out.column_stride);
                    *place = if out.accumulate { *place + lane } else { lane };
                }
            }
        }
    }
}

/// Stores the first `columns` of a row of sums, added to what is there if `accumulate`.
///
/// # Safety
/// The processor must have V's instructions; `out` must be readable and writable for `columns` elements.
#[inline(always)]
pub(super) unsafe fn store_row<T: Float, V: Vector<T>, const WIDE: usize>(
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

/// Makes `fn $name` that picks the instance for the number of rows, compiled for `$feature`. The sums are a function of
/// their own, `$sums`: beside code for any target they would not stay in registers. Little but the sums is stored from one
/// tile to the next: more would wait until the last tile's sums have left the processor.
macro_rules! tiles {
    ($(#[$feature:meta])? $name:ident, $sums:ident, $($height:literal)*) => {
        /// # Safety
        /// As [`sums`](super::tile::sums).
        $(#[$feature])?
        #[inline(never)]
        unsafe fn $sums<
            P,
            T,
            V: super::product::Product<P> + super::vector::Vector<T>,
            const HEIGHT: usize,
            const WIDE: usize,
            const DIRECT: bool,
        >(
            tiles: &super::tile::Tiles<P, T>,
            b: *const P,
            columns: usize,
            out: *mut T,
            out_stride: usize,
            accumulate: bool,
        ) {
            // SAFETY: the caller's contract.
            unsafe {
                super::tile::sums::<P, T, V, HEIGHT, WIDE, DIRECT>(tiles, b, columns, out, out_stride, accumulate)
            }
        }

        /// # Safety
        /// As [`Kernel::tiles`](super::kernel::Kernel::tiles).
        $(#[$feature])?
        unsafe fn $name<
            P,
            T: super::Float,
            V: super::product::Product<P> + super::vector::Vector<T>,
            const WIDE: usize,
            const DIRECT: bool,
        >(
            tiles: &super::tile::Tiles<P, T>,
        ) {
            let width = WIDE * V::LANES;
            match tiles.rows {
                $(
                    $height => {
                        let mut stage = std::mem::MaybeUninit::<[[V; WIDE]; $height]>::uninit();
                        for (panel, first) in (0..tiles.columns).step_by(width).enumerate() {
                            let b = tiles.b.wrapping_add(panel * tiles.panel_step);
                            let columns = width.min(tiles.columns - first);
                            let out = tiles.out.at_column(first);
                            // SAFETY: the caller's contract, `rows` is the height of the instance, and `stage` has room
                            // for a tile.
                            unsafe {
                                if columns == width && out.column_stride == 1 {
                                    let (to, stride) = (out.pointer, out.row_stride);
                                    $sums::<P, T, V, $height, WIDE, DIRECT>(tiles, b, columns, to, stride, out.accumulate);
                                } else {
                                    let to = stage.as_mut_ptr().cast();
                                    $sums::<P, T, V, $height, WIDE, DIRECT>(tiles, b, columns, to, width, false);
                                    super::tile::store(stage.assume_init_ref(), out, columns);
                                }
                            }
                        }
                    }
                )*
                rows => unreachable!("tiles of {rows} rows"),
            }
        }
    };
}
pub(super) use tiles;
