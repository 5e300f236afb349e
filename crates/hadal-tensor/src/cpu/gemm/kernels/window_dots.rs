//! Tiles of convolutions' weight gradients: dot products of rows with windows that are read from where they lie.

use super::vector::Vector;
use crate::cpu::float::Float;

/// What a kernel works on: for each of `rows` and of `taps`, the sum over all places of the row's number times the element that lies at
/// the tap's distance from the place, summed over samples.
pub(crate) struct WindowDots<T> {
    pub rows: usize,
    pub taps: usize,
    pub samples: usize,
    /// Registers of places.
    pub registers: usize,
    /// Where in the frame the places of each register begin, or those of each of its halves. In a row they lie side by side.
    pub places: *const usize,
    pub row: *const T,
    pub row_stride: usize,
    pub row_sample: usize,
    pub frame: *const T,
    pub frame_sample: usize,
    /// The distance of each element of a window.
    pub distances: *const usize,
    /// The sums are added to what is here, at `row * out_stride + tap`.
    pub out: *mut T,
    pub out_stride: usize,
}

/// The kernel of one instruction set, for up to `height` rows and `width` taps.
pub(crate) struct WindowDotKernel<T> {
    pub height: usize,
    pub width: usize,
    pub lanes: usize,
    /// # Safety
    /// The processor must have the kernel's instructions. With `1 <= rows <= height` and `1 <= taps <= width`: for all samples, `row`
    /// must be readable for `rows` times all registers, `frame` from each distance plus each place on for a register; `distances` must
    /// be readable for `taps`, `places` for `registers`, `out` readable and writable for `rows` x `taps`.
    pub dots: unsafe fn(&WindowDots<T>),
    /// The same for halves of registers.
    ///
    /// # Safety
    /// As `dots`, with twice as many places of half a register each.
    pub halves: unsafe fn(&WindowDots<T>),
}

/// The dot products of `ROWS` rows and `TAPS` taps, a register each that is yet to be summed.
///
/// # Safety
/// As [`WindowDotKernel::dots`], or as [`WindowDotKernel::halves`] if `HALVES`, with `rows == ROWS` and `taps == TAPS`.
#[inline(always)]
pub(crate) unsafe fn dots<T, V: Vector<T>, const ROWS: usize, const TAPS: usize, const HALVES: bool>(
    dots: &WindowDots<T>,
) -> [[V; TAPS]; ROWS] {
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        let mut sums = [[V::zero(); TAPS]; ROWS];
        for sample in 0..dots.samples {
            let row = dots.row.add(sample * dots.row_sample);
            let frame = dots.frame.add(sample * dots.frame_sample);
            let taps: [*const T; TAPS] = std::array::from_fn(|j| frame.add(*dots.distances.add(j)));
            for register in 0..dots.registers {
                let row = row.add(register * V::LANES);
                let rows: [V; ROWS] = std::array::from_fn(|i| V::load(row.add(i * dots.row_stride)));
                let [low, high] = if HALVES {
                    [*dots.places.add(2 * register), *dots.places.add(2 * register + 1)]
                } else {
                    [*dots.places.add(register); 2]
                };
                for (j, &tap) in taps.iter().enumerate() {
                    let window =
                        if HALVES { V::load_halves(tap.add(low), tap.add(high)) } else { V::load(tap.add(low)) };
                    for (sums, &row) in sums.iter_mut().zip(&rows) {
                        sums[j] = sums[j].add_product(row, window);
                    }
                }
            }
        }
        sums
    }
}

/// Adds the sums of a tile's registers to what is there.
///
/// # Safety
/// As [`WindowDotKernel::dots`].
#[inline(always)]
pub(crate) unsafe fn store<T: Float, V: Vector<T>, const ROWS: usize, const TAPS: usize>(
    dots: &WindowDots<T>,
    sums: &[[V; TAPS]; ROWS],
) {
    for (i, sums) in sums.iter().enumerate() {
        for (j, sum) in sums.iter().enumerate() {
            // SAFETY: the caller's contract.
            unsafe {
                let place = dots.out.add(i * dots.out_stride + j);
                *place = *place + sum.sum();
            }
        }
    }
}

/// Makes `fn $name` that picks the instance for the numbers of rows and taps, compiled for `$feature`; the loop is a function of its
/// own, as that of [`dot_tiles`](super::dot_tile::dot_tiles).
macro_rules! window_dots {
    ($(#[$feature:meta])? $name:ident, $of_rows:ident, $dots:ident, [$($rows:literal)*], $taps:tt) => {
        /// # Safety
        /// As [`dots`](super::window_dots::dots).
        $(#[$feature])?
        #[inline(never)]
        unsafe fn $dots<T, V: super::vector::Vector<T>, const ROWS: usize, const TAPS: usize, const HALVES: bool>(
            dots: &super::window_dots::WindowDots<T>,
        ) -> [[V; TAPS]; ROWS] {
            // SAFETY: the caller's contract.
            unsafe { super::window_dots::dots::<T, V, ROWS, TAPS, HALVES>(dots) }
        }

        /// # Safety
        /// As [`WindowDotKernel::dots`](super::window_dots::WindowDotKernel::dots).
        $(#[$feature])?
        unsafe fn $name<T: crate::cpu::float::Float, V: super::vector::Vector<T>, const HALVES: bool>(
            dots: &super::window_dots::WindowDots<T>,
        ) {
            match dots.rows {
                // SAFETY: the caller's contract, and `rows` is the height of the instance.
                $($rows => unsafe { $of_rows::<T, V, $rows, HALVES>(dots) },)*
                rows => unreachable!("tiles of {rows} rows"),
            }
        }

        super::window_dots::window_dots!(@taps $(#[$feature])? $of_rows, $dots, $taps);
    };
    (@taps $(#[$feature:meta])? $of_rows:ident, $dots:ident, [$($taps:literal)*]) => {
        /// # Safety
        /// As [`WindowDotKernel::dots`](super::window_dots::WindowDotKernel::dots), with `rows == ROWS`.
        $(#[$feature])?
        unsafe fn $of_rows<T: crate::cpu::float::Float, V: super::vector::Vector<T>, const ROWS: usize, const HALVES: bool>(
            dots: &super::window_dots::WindowDots<T>,
        ) {
            match dots.taps {
                // SAFETY: the caller's contract, and `taps` is the width of the instance.
                $($taps => unsafe { super::window_dots::store(dots, &$dots::<T, V, ROWS, $taps, HALVES>(dots)) },)*
                taps => unreachable!("tiles of {taps} taps"),
            }
        }
    };
}
pub(crate) use window_dots;
