//! Tiles: the innermost product, held in registers, one instance per vector instruction set and height.

use super::product::Product;
use super::store::{Target, store_whole};
use super::vector::{LINE, NEAREST, Vector, prefetch};
use crate::cpu::caches::Caches;

/// A kernel for dense products and the largest tile it computes.
pub(crate) struct TileKernel<T> {
    pub height: usize,
    pub width: usize,
    /// Columns of a register.
    pub lanes: usize,
    /// Elements of the summed axis per pass, at most: a tile's rows and its panel lie in the two nearest caches.
    pub depth: usize,
    /// # Safety
    /// The processor must have the kernel's instructions. With `1 <= rows <= height`: `a` must be readable at
    /// `i * row_stride + k * depth_stride` for all `i < rows, k < depth`, each panel at `k * b_stride + j` for all
    /// `k < depth, j < width`, and `out` readable and writable for `rows` x `columns`.
    pub tiles: unsafe fn(&Tiles<T, T>),
    /// The same for a right matrix as it lies: reads a panel only for its share of `columns`.
    ///
    /// # Safety
    /// As `tiles`, with that in place of `width`.
    pub direct: unsafe fn(&Tiles<T, T>),
}

impl<T> TileKernel<T> {
    /// Rows and columns of the largest tile.
    pub fn size(&self) -> String {
        format!("{} x {}", self.height, self.width)
    }

    /// What each row takes for a place along the summed axis, of so many columns, in parts of a cycle.
    ///
    /// A processor adds two products of registers in a cycle. Some load two registers in it, others barely more than one (measured in
    /// `benches/README.md`), and a tile loads one for each of its rows, and one for each of its registers across: those that are
    /// nearly square, in registers, load least.
    pub const fn cost(&self, columns: usize) -> usize {
        (columns / self.width) * self.cost_of_tile(self.width) + self.cost_of_tile(columns % self.width)
    }

    /// The same of a tile, or of none.
    const fn cost_of_tile(&self, columns: usize) -> usize {
        let (rows, wide) = (self.height, columns.div_ceil(self.lanes));
        let (products, loads) = (rows * wide, rows + wide);
        match wide {
            0 => 0,
            _ if products > 2 * loads => PARTS * products / rows,
            _ => PARTS * 2 * loads / rows,
        }
    }

    /// Whether the rows of a right matrix, `pitch` elements apart, are read from where they lie at least as fast as packed, in a pass so
    /// deep: where tiles are at least two cache lines wide and high enough to be few, and the rows neither crowd nor lie too far apart.
    ///
    /// Rows at a multiple of a power of two of cache lines share that part of the places of a cache: at 4 KiB, one in 64. Where what a
    /// panel would fill, if spread evenly, is more than a quarter of the second cache, reading it anew for each tile takes up to twice
    /// the time, and packing pays from some rows on. Where a panel lies on more pages than the processor keeps at hand, it takes up to
    /// half as long again. Measurements are in `benches/README.md`.
    pub fn reads_rows(&self, pitch: usize, rows: usize, depth: usize) -> bool {
        let (bytes, places) = (pitch.saturating_mul(size_of::<T>()), Caches::l2() / LINE);
        let apart = if bytes.is_multiple_of(LINE) && bytes > 0 { 1 << (bytes / LINE).trailing_zeros() } else { 1 };
        let filled = depth.saturating_mul(places.min(apart));
        let crowd = filled > places / 4 && rows.saturating_mul(filled) > CROWDED_ROWS * places;
        let lie_far = depth.saturating_mul(bytes) > FAR && rows > FAR_ROWS;
        self.width * size_of::<T>() >= 2 * LINE && self.height >= 8 && !crowd && !lie_far
    }
}

/// Parts of half a cycle, which divide by the heights of tiles.
const PARTS: usize = 24;
/// From so many rows of the left matrix on it pays to pack a right one that would fill the second cache.
const CROWDED_ROWS: usize = 64;
/// How many rows of a panel lie between the one that is read and the one that is asked for.
const AHEAD: usize = 8;
/// Bytes from the first to the last row of a panel that lies on many pages, and from how many rows of the left matrix on it pays to
/// pack it.
const FAR: usize = 1 << 20;
const FAR_ROWS: usize = 512;

/// What a kernel works on: tiles side by side, `rows` x `depth` of the left matrix times panels of the right. `P` is what
/// the operands are packed into.
pub(crate) struct Tiles<P, T> {
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

/// Computes the tile whose panel is at `b`: exactly `HEIGHT` rows, `WIDE` registers across, stored at `out`, `out_stride`
/// apart, and added to what is there if `accumulate`.
///
/// # Safety
/// The processor must have V's instructions; `a` must be readable at `i * row_stride + k * depth_stride` for all
/// `i < HEIGHT`, `k < depth`, and `b` at `k * b_stride + j` for all `k < depth`, `j` below `WIDE` registers, or below
/// `columns` if `PARTLY`; `out` readable and writable at `i * out_stride + j` for all those `i` and `j`.
#[inline(always)]
pub(crate) unsafe fn sums<
    P,
    T,
    V: Product<P> + Vector<T>,
    const HEIGHT: usize,
    const WIDE: usize,
    const DIRECT: bool,
    const PARTLY: bool,
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
            // Left to itself, the processor asks too late for rows that lie far apart, and for panels that the nearest cache does not hold:
            // those of more than a line. For narrower ones asking takes longer than it saves.
            if DIRECT || WIDE * size_of::<V>() > LINE {
                for j in (0..WIDE).filter(|j| (j * size_of::<V>()).is_multiple_of(LINE)) {
                    prefetch::<P, NEAREST>(b.wrapping_add(AHEAD * tiles.b_stride + j * V::WIDTH));
                }
            }
            for (j, right) in right.iter_mut().enumerate() {
                let columns = columns.saturating_sub(j * V::WIDTH);
                *right = if PARTLY && columns < V::WIDTH {
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

/// Makes `fn $name` that picks the instance for the number of rows, and for the registers that the last tile fills, compiled for
/// `$feature`. The sums are a function of their own, `$sums`: beside code for any target they would not stay in registers. Little but
/// the sums is stored from one tile to the next: more would wait until the last tile's sums have left the processor.
macro_rules! tiles {
    ($(#[$feature:meta])? $name:ident, $part:ident, $sums:ident, $($height:literal)*) => {
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
            const PARTLY: bool,
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
                super::tile::sums::<P, T, V, HEIGHT, WIDE, DIRECT, PARTLY>(tiles, b, columns, out, out_stride, accumulate)
            }
        }

        /// A tile of `columns` that fill `WIDE` registers, the last perhaps in part.
        ///
        /// # Safety
        /// As [`TileKernel::tiles`](super::tile::TileKernel::tiles).
        $(#[$feature])?
        #[inline(never)]
        unsafe fn $part<
            P,
            T: crate::cpu::float::Float,
            V: super::product::Product<P> + super::vector::Vector<T>,
            const HEIGHT: usize,
            const WIDE: usize,
            const DIRECT: bool,
        >(
            tiles: &super::tile::Tiles<P, T>,
            b: *const P,
            columns: usize,
            out: super::store::Target<T>,
        ) {
            let width = WIDE * V::LANES;
            let mut stage = std::mem::MaybeUninit::<[[V; WIDE]; HEIGHT]>::uninit();
            // SAFETY: the caller's contract, and `stage` has room for a tile, all of which is written before it is read.
            unsafe {
                let to = stage.as_mut_ptr().cast();
                if columns == width {
                    let (to, stride) = (out.pointer, out.row_stride);
                    return $sums::<P, T, V, HEIGHT, WIDE, DIRECT, false>(tiles, b, width, to, stride, out.accumulate);
                }
                $sums::<P, T, V, HEIGHT, WIDE, DIRECT, DIRECT>(tiles, b, columns, to, width, false);
                super::store::store(stage.assume_init_ref(), out, columns);
            }
        }

        /// # Safety
        /// As [`TileKernel::tiles`](super::tile::TileKernel::tiles).
        $(#[$feature])?
        pub(crate) unsafe fn $name<
            P,
            T: crate::cpu::float::Float,
            V: super::product::Product<P> + super::vector::Vector<T>,
            const WIDE: usize,
            const DIRECT: bool,
        >(
            tiles: &super::tile::Tiles<P, T>,
        ) {
            let width = WIDE * V::LANES;
            let (whole, rest) = (tiles.columns / width, tiles.columns % width);
            let panel = |index: usize| (tiles.b.wrapping_add(index * tiles.panel_step), tiles.out.at_column(index * width));
            match tiles.rows {
                $(
                    // SAFETY: the caller's contract, and `rows` is the height of the instances.
                    $height => unsafe {
                        for (b, out) in (0..whole).map(panel) {
                            let (to, stride) = (out.pointer, out.row_stride);
                            $sums::<P, T, V, $height, WIDE, DIRECT, false>(tiles, b, width, to, stride, out.accumulate);
                        }
                        let (b, out) = panel(whole);
                        match rest.div_ceil(V::LANES) {
                            0 => {}
                            1 if WIDE > 1 => $part::<P, T, V, $height, 1, DIRECT>(tiles, b, rest, out),
                            2 if WIDE > 2 => $part::<P, T, V, $height, 2, DIRECT>(tiles, b, rest, out),
                            _ => $part::<P, T, V, $height, WIDE, DIRECT>(tiles, b, rest, out),
                        }
                    }
                )*
                rows => unreachable!("tiles of {rows} rows"),
            }
        }
    };
}
pub(crate) use tiles;

/// A kernel of `$height` rows and passes of `$depth` whose tiles are made by `$tiles`.
macro_rules! tile_kernel {
    ($height:literal, $depth:literal, $tiles:ident::<$number:ty, $register:ty, $wide:literal>) => {
        super::tile::TileKernel {
            height: $height,
            width: $wide * <$register as super::vector::Vector<$number>>::LANES,
            lanes: <$register as super::vector::Vector<$number>>::LANES,
            depth: $depth,
            tiles: $tiles::<$number, $number, $register, $wide, false>,
            direct: $tiles::<$number, $number, $register, $wide, true>,
        }
    };
}
pub(crate) use tile_kernel;
