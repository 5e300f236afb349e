//! Sums of windows for rows of weights that fill registers: each element of a window is multiplied by the weights of all rows at once,
//! where lines of places are too short to fill registers.

use super::vector::Vector;
use crate::cpu::float::Float;

/// What a kernel works on: the sums of a tile's rows at all places of a plane.
pub(crate) struct WindowPlaces<T> {
    pub taps: usize,
    /// The weights of a tile's rows for each of `taps`.
    pub weights: *const T,
    /// What the sums of each row begin with.
    pub start: *const T,
    /// The distance of each element of a window.
    pub distances: *const usize,
    /// The first place.
    pub frame: *const T,
    /// From a line of places to the next in the frame.
    pub pitch: usize,
    /// Lines and columns of places.
    pub places: [usize; 2],
    /// Row by row, and in each line by line.
    pub out: *mut T,
    /// From a row to the next.
    pub out_stride: usize,
}

/// The kernel of one instruction set.
pub(crate) struct WindowPlaceKernel<T: 'static> {
    /// Rows of a register.
    pub lanes: usize,
    pub tiles: &'static [PlaceTile<T>],
}

/// A tile of places whose sums are taken at once.
pub(crate) struct PlaceTile<T> {
    /// Rows of weights: those of one register or several.
    pub rows: usize,
    /// Lines and columns.
    pub size: [usize; 2],
    /// # Safety
    /// The processor must have the kernel's instructions, and `places` must be at least `size`. `weights` must be readable for `rows` of each
    /// of `taps`, `start` for `rows`, `distances` for `taps` elements; `frame` from each distance plus each place on for one element; `out` must
    /// be readable and writable for `rows` of all places, `out_stride` apart.
    pub places: unsafe fn(&WindowPlaces<T>),
}

impl<T> PlaceTile<T> {
    /// How many sums are computed for so many lines and columns of places, or `None` if they are fewer than the tile's. The last tile
    /// of a line, and of a column, overlaps the one before.
    pub fn sums(&self, places: [usize; 2]) -> Option<usize> {
        let [rows, columns] = self.size;
        (places[0] >= rows && places[1] >= columns)
            .then(|| places[0].div_ceil(rows) * places[1].div_ceil(columns) * rows * columns)
    }
}

/// The sums at all places, a tile of `ROWS` lines and `COLUMNS` columns at a time, for `WIDE` registers of rows.
///
/// # Safety
/// As [`PlaceTile::places`], of that size, with `WIDE * V::LANES` rows.
#[inline(always)]
pub(crate) unsafe fn sums<T: Float, V: Vector<T>, const WIDE: usize, const ROWS: usize, const COLUMNS: usize>(
    windows: &WindowPlaces<T>,
) {
    const { assert!(COLUMNS >= 4) };
    let ([lines, columns], pitch) = (windows.places, windows.pitch);
    // SAFETY: every access below is one that the caller's contract names: tiles end with the last line and column at most.
    unsafe {
        for line in (0..lines).step_by(ROWS).map(|line| line.min(lines - ROWS)) {
            for column in (0..columns).step_by(COLUMNS).map(|column| column.min(columns - COLUMNS)) {
                let mut sums: [[[V; COLUMNS]; ROWS]; WIDE] =
                    std::array::from_fn(|k| [[V::load(windows.start.add(k * V::LANES)); COLUMNS]; ROWS]);
                let place = windows.frame.add(line * pitch + column);
                for tap in 0..windows.taps {
                    let element = place.add(*windows.distances.add(tap));
                    let weights: [V; WIDE] =
                        std::array::from_fn(|k| V::load(windows.weights.add((tap * WIDE + k) * V::LANES)));
                    for i in 0..ROWS {
                        let element = element.add(i * pitch);
                        for j in 0..COLUMNS {
                            let element = V::splat(element.add(j));
                            for (sums, &weights) in sums.iter_mut().zip(&weights) {
                                sums[i][j] = sums[i][j].add_product(element, weights);
                            }
                        }
                    }
                }
                for (k, sums) in sums.iter().enumerate() {
                    for (i, sums) in sums.iter().enumerate() {
                        let out = windows.out.add(k * V::LANES * windows.out_stride + (line + i) * columns + column);
                        for first in (0..COLUMNS).step_by(4) {
                            // The last four may overlap those before.
                            let first = first.min(COLUMNS - 4);
                            let four = [sums[first], sums[first + 1], sums[first + 2], sums[first + 3]];
                            V::store_columns(four, out.add(first), windows.out_stride);
                        }
                    }
                }
            }
        }
    }
}

/// Makes `fn $name`, [`sums`] compiled for `$feature`, and `fn $kernel`, which gives its instances for so many registers of
/// rows and tiles of these sizes; of tiles with as many sums the first is taken.
macro_rules! window_places {
    ($(#[$feature:meta])? $name:ident, $kernel:ident, $($wide:literal: $rows:literal x $columns:literal),*) => {
        /// # Safety
        /// As [`sums`](super::window_places::sums).
        $(#[$feature])?
        unsafe fn $name<T: Float, V: Vector<T>, const WIDE: usize, const ROWS: usize, const COLUMNS: usize>(
            windows: &super::window_places::WindowPlaces<T>,
        ) {
            // SAFETY: the caller's contract.
            unsafe { super::window_places::sums::<T, V, WIDE, ROWS, COLUMNS>(windows) }
        }

        const fn $kernel<T: Float, V: Vector<T>>() -> super::window_places::WindowPlaceKernel<T> {
            super::window_places::WindowPlaceKernel {
                lanes: V::LANES,
                tiles: const {
                    &[$(super::window_places::PlaceTile {
                        rows: $wide * V::LANES,
                        size: [$rows, $columns],
                        places: $name::<T, V, $wide, $rows, $columns>,
                    }),*]
                },
            }
        }
    };
}
pub(crate) use window_places;
