//! Tiles of convolutions: rows of weights times windows that are read from where they lie.

use super::vector::Vector;

/// Rows of the tallest kernel, at most.
pub(crate) const TALLEST: usize = 16;

/// What a kernel works on: `rows` weights for each of `taps` elements of a window, and places side by side. All of a window's
/// elements are read at one distance from the window's place.
pub(crate) struct WindowTiles<T> {
    pub rows: usize,
    pub taps: usize,
    /// `taps` x `rows`.
    pub weights: *const T,
    /// What the sums of each row begin with.
    pub start: *const T,
    /// The distance of each element of a window.
    pub distances: *const usize,
    pub frame: *const T,
    /// Registers of places.
    pub registers: usize,
    /// Where in the frame the places of each register begin, or those of each of its halves.
    pub places: *const usize,
    /// Where in a row of the output its sums go.
    pub outs: *const usize,
    pub out: *mut T,
    pub out_stride: usize,
}

/// The kernel of one instruction set, for up to `height` rows.
pub(crate) struct WindowKernel<T> {
    pub height: usize,
    pub lanes: usize,
    /// # Safety
    /// The processor must have the kernel's instructions. With `1 <= rows <= height`: `weights` must be readable for `taps` times `rows`
    /// elements, `start` for `rows`, `distances` for `taps`, `places` and `outs` for `registers`; `frame` from each distance plus each
    /// place on for a register; `out` must be writable from each of `outs` on for a register, for `rows` rows, `out_stride` apart.
    pub tiles: unsafe fn(&WindowTiles<T>),
    /// The same for halves of registers.
    ///
    /// # Safety
    /// As `tiles`, with twice as many places of half a register each.
    pub halves: unsafe fn(&WindowTiles<T>),
}

/// The sums of `HEIGHT` rows and `WIDE` registers of places from register `first` on.
///
/// # Safety
/// As [`WindowKernel::tiles`], or as [`WindowKernel::halves`] if `HALVES`, with `rows == HEIGHT` and that part of the registers.
#[inline(always)]
pub(crate) unsafe fn sums<T, V: Vector<T>, const HEIGHT: usize, const WIDE: usize, const HALVES: bool>(
    tiles: &WindowTiles<T>,
    first: usize,
) {
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        let at = |list: *const usize, j: usize| {
            if HALVES {
                [*list.add(2 * (first + j)), *list.add(2 * (first + j) + 1)]
            } else {
                [*list.add(first + j); 2]
            }
        };
        let frames: [[*const T; 2]; WIDE] =
            std::array::from_fn(|j| at(tiles.places, j).map(|place| tiles.frame.add(place)));
        let mut sums: [[V; WIDE]; HEIGHT] = std::array::from_fn(|i| [V::splat(tiles.start.add(i)); WIDE]);
        let mut weights = tiles.weights;
        for tap in 0..tiles.taps {
            let distance = *tiles.distances.add(tap);
            let mut right = [V::zero(); WIDE];
            for (right, [low, high]) in right.iter_mut().zip(frames) {
                *right = if HALVES {
                    V::load_halves(low.add(distance), high.add(distance))
                } else {
                    V::load(low.add(distance))
                };
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let left = V::splat(weights.add(i));
                for (sum, &right) in sums.iter_mut().zip(&right) {
                    *sum = sum.add_product(left, right);
                }
            }
            weights = weights.wrapping_add(HEIGHT);
        }
        for j in 0..WIDE {
            let [low, high] = at(tiles.outs, j).map(|out| tiles.out.add(out));
            for (i, sums) in sums.iter().enumerate() {
                let row = i * tiles.out_stride;
                if HALVES { sums[j].store_halves(low.add(row), high.add(row)) } else { sums[j].store(low.add(row)) }
            }
        }
    }
}

/// Makes `fn $name` that picks the instance for the number of rows, with so many registers across (2 to 4), compiled for `$feature`;
/// the sums are a function of their own, as those of [tiles](super::tile::tiles).
macro_rules! window_tiles {
    ($(#[$feature:meta])? $name:ident, $sums:ident, $($height:literal x $wide:literal),*) => {
        /// # Safety
        /// As [`sums`](super::window_tile::sums).
        $(#[$feature])?
        #[inline(never)]
        unsafe fn $sums<T, V: super::vector::Vector<T>, const HEIGHT: usize, const WIDE: usize, const HALVES: bool>(
            tiles: &super::window_tile::WindowTiles<T>,
            first: usize,
        ) {
            // SAFETY: the caller's contract.
            unsafe { super::window_tile::sums::<T, V, HEIGHT, WIDE, HALVES>(tiles, first) }
        }

        /// # Safety
        /// As [`WindowKernel::tiles`](super::window_tile::WindowKernel::tiles), or as
        /// [`WindowKernel::halves`](super::window_tile::WindowKernel::halves) if `HALVES`.
        $(#[$feature])?
        unsafe fn $name<T, V: super::vector::Vector<T>, const HALVES: bool>(tiles: &super::window_tile::WindowTiles<T>) {
            match tiles.rows {
                // SAFETY: the caller's contract, and `rows` is the height of the instance.
                $($height => unsafe {
                    let mut first = 0;
                    // The last four registers are two and two, not three and one.
                    while tiles.registers - first >= $wide && ($wide != 3 || tiles.registers - first != 4) {
                        $sums::<T, V, $height, $wide, HALVES>(tiles, first);
                        first += $wide;
                    }
                    while tiles.registers - first >= 2 {
                        $sums::<T, V, $height, 2, HALVES>(tiles, first);
                        first += 2;
                    }
                    if tiles.registers > first {
                        $sums::<T, V, $height, 1, HALVES>(tiles, first);
                    }
                },)*
                rows => unreachable!("tiles of {rows} rows"),
            }
        }
    };
}
pub(crate) use window_tiles;
