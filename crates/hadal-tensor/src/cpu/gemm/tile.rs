//! Tiles: the innermost product, held in registers, one instance per vector instruction set and height.

use super::Float;
use super::product::Product;
use super::vector::{Vector, prefetch};

/// What a tile kernel works on: `rows` x `depth` of the left matrix times a panel of the right. `P` is what the operands
/// are packed into.
pub(super) struct Tile<P, T> {
    pub rows: usize,
    pub depth: usize,
    pub columns: usize,
    pub a: *const P,
    pub row_stride: isize,
    pub depth_stride: isize,
    /// `depth` rows `b_stride` apart, of the kernel's full width, or of `columns` for the direct kernel.
    pub b: *const P,
    pub b_stride: usize,
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

/// Computes exactly `HEIGHT` rows, `WIDE` registers across, and stores them at `out`, `out_stride` apart; added to what is
/// there if `accumulate`.
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
    tile: &Tile<P, T>,
    out: *mut T,
    out_stride: usize,
    accumulate: bool,
) {
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        let mut sums = [[<V as Product<P>>::zero(); WIDE]; HEIGHT];
        let (mut a, mut b) = (tile.a, tile.b);
        for _ in 0..tile.depth {
            let mut right = [V::none(); WIDE];
            if DIRECT {
                // The rows lie too far apart for the processor to see a pattern: ask for those of the next tile.
                for j in (0..WIDE).filter(|j| (j * size_of::<V>()).is_multiple_of(64)) {
                    prefetch(b.wrapping_add((WIDE + j) * V::WIDTH));
                }
            }
            for (j, right) in right.iter_mut().enumerate() {
                let columns = tile.columns.saturating_sub(j * V::WIDTH);
                *right = if DIRECT && columns < V::WIDTH {
                    V::operand_first(b.wrapping_add(j * V::WIDTH), columns)
                } else {
                    V::operand(b.add(j * V::WIDTH))
                };
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let left = V::operand_splat(a.offset(i as isize * tile.row_stride));
                for (sum, &right) in sums.iter_mut().zip(&right) {
                    *sum = sum.accumulated(left, right);
                }
            }
            a = a.wrapping_offset(tile.depth_stride);
            b = b.wrapping_add(tile.b_stride);
        }
        if accumulate {
            for (i, sums) in sums.iter_mut().enumerate() {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(V::load(out.add(i * out_stride + j * V::LANES)));
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                sum.store(out.add(i * out_stride + j * V::LANES));
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
/// their own, `$sums`: beside code for any target they would not stay in registers.
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
            work: &super::tile::Tile<P, T>,
            out: *mut T,
            out_stride: usize,
            accumulate: bool,
        ) {
            // SAFETY: the caller's contract.
            unsafe { super::tile::sums::<P, T, V, HEIGHT, WIDE, DIRECT>(work, out, out_stride, accumulate) }
        }

        /// # Safety
        /// As [`Kernel::tile`](super::kernel::Kernel::tile).
        $(#[$feature])?
        unsafe fn $name<
            P,
            T: super::Float,
            V: super::product::Product<P> + super::vector::Vector<T>,
            const WIDE: usize,
            const DIRECT: bool,
        >(
            work: super::tile::Tile<P, T>,
        ) {
            let out = work.out;
            let whole = out.column_stride == 1 && work.columns == WIDE * V::LANES;
            match work.rows {
                $(
                    // SAFETY: the caller's contract, and `rows` is the height of the instance.
                    $height if whole => unsafe {
                        $sums::<P, T, V, $height, WIDE, DIRECT>(&work, out.pointer, out.row_stride, out.accumulate);
                    },
                    // SAFETY: as above, and `stage` has room for a tile.
                    $height => unsafe {
                        let mut stage = std::mem::MaybeUninit::<[[V; WIDE]; $height]>::uninit();
                        let to = stage.as_mut_ptr().cast();
                        $sums::<P, T, V, $height, WIDE, DIRECT>(&work, to, WIDE * V::LANES, false);
                        super::tile::store(stage.assume_init_ref(), out, work.columns);
                    },
                )*
                rows => unreachable!("a tile of {rows} rows"),
            }
        }
    };
}
pub(super) use tiles;
