//! Sums of windows for rows of weights that fill a register: each element of a window is multiplied by the weights of all rows at once,
//! where lines of places are too short to fill registers.

use super::vector::Vector;
use crate::cpu::float::Float;

/// What a kernel works on: the sums of a register of rows at all places of a plane.
pub(crate) struct WindowPlaces<T> {
    pub taps: usize,
    /// `taps` registers of rows.
    pub weights: *const T,
    /// What the sums of each row begin with: a register.
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
    /// Rows.
    pub lanes: usize,
    pub tiles: &'static [PlaceTile<T>],
}

/// A tile of places whose sums are taken at once.
pub(crate) struct PlaceTile<T> {
    /// Lines and columns.
    pub size: [usize; 2],
    /// # Safety
    /// The processor must have the kernel's instructions, and `places` must be at least `size`. `weights` must be readable for `taps`
    /// registers, `start` for one, `distances` for `taps` elements; `frame` from each distance plus each place on for one element; `out` must
    /// be readable and writable for a register's rows of all places, `out_stride` apart.
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

/// The sums at all places, a tile of `ROWS` lines and `COLUMNS` columns at a time.
///
/// # Safety
/// As [`PlaceTile::places`], of that size.
#[inline(always)]
pub(crate) unsafe fn sums<T: Float, V: Vector<T>, const ROWS: usize, const COLUMNS: usize>(windows: &WindowPlaces<T>) {
    const { assert!(COLUMNS >= 4) };
    let ([lines, columns], pitch) = (windows.places, windows.pitch);
    // SAFETY: every access below is one that the caller's contract names: tiles end with the last line and column at most.
    unsafe {
        for line in (0..lines).step_by(ROWS).map(|line| line.min(lines - ROWS)) {
            for column in (0..columns).step_by(COLUMNS).map(|column| column.min(columns - COLUMNS)) {
                let mut sums = [[V::load(windows.start); COLUMNS]; ROWS];
                let place = windows.frame.add(line * pitch + column);
                for tap in 0..windows.taps {
                    let element = place.add(*windows.distances.add(tap));
                    let weights = V::load(windows.weights.add(tap * V::LANES));
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let element = element.add(i * pitch);
                        for (j, sum) in sums.iter_mut().enumerate() {
                            *sum = sum.add_product(V::splat(element.add(j)), weights);
                        }
                    }
                }
                for (i, sums) in sums.iter().enumerate() {
                    let out = windows.out.add((line + i) * columns + column);
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

/// Makes `fn $name`, [`sums`] compiled for `$feature`, and `fn $kernel`, which gives its instances for tiles of these sizes.
macro_rules! window_places {
    ($(#[$feature:meta])? $name:ident, $kernel:ident, $($rows:literal x $columns:literal),*) => {
        /// # Safety
        /// As [`sums`](super::window_places::sums).
        $(#[$feature])?
        unsafe fn $name<T: Float, V: Vector<T>, const ROWS: usize, const COLUMNS: usize>(
            windows: &super::window_places::WindowPlaces<T>,
        ) {
            // SAFETY: the caller's contract.
            unsafe { super::window_places::sums::<T, V, ROWS, COLUMNS>(windows) }
        }

        const fn $kernel<T: Float, V: Vector<T>>() -> super::window_places::WindowPlaceKernel<T> {
            super::window_places::WindowPlaceKernel {
                lanes: V::LANES,
                tiles: const {
                    &[$(super::window_places::PlaceTile {
                        size: [$rows, $columns],
                        places: $name::<T, V, $rows, $columns>,
                    }),*]
                },
            }
        }
    };
}
pub(crate) use window_places;
