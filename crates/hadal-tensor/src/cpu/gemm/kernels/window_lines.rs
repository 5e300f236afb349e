//! Sums of the windows of one channel, for one row of weights: each register of a line is read once for all lines of windows that it is in.

use super::vector::Vector;

/// What a kernel works on: the sums of a window's elements times their weights at all places of a plane.
pub(crate) struct WindowLines<T> {
    /// Lines and columns of the window.
    pub window: [usize; 2],
    /// Line by line.
    pub weights: *const T,
    /// What all sums begin with.
    pub start: *const T,
    /// The first element of the first place's window; those of the next column follow.
    pub frame: *const T,
    /// From a line of the frame to the next.
    pub pitch: usize,
    /// Lines and columns of places.
    pub places: [usize; 2],
    /// Line by line.
    pub out: *mut T,
}

/// The kernel of one instruction set, for places of at least `lanes` columns.
pub(crate) struct WindowLineKernel<T> {
    pub lanes: usize,
    /// How many lines a window may have.
    pub heights: &'static [usize],
    /// # Safety
    /// The processor must have the kernel's instructions. `window[0]` must be one of `heights`, and `places[1]` at least `lanes`;
    /// `weights` must be readable for the window and `start` for one element, `frame` for `places[0] + window[0] - 1` lines, `pitch` apart,
    /// of `places[1] + window[1] - 1` elements; `out` must be writable for all places.
    pub lines: unsafe fn(&WindowLines<T>),
}

/// The sums at `WIDE` registers of columns, from register `first` on.
///
/// # Safety
/// As [`WindowLineKernel::lines`], with `window[0] == HEIGHT`.
#[inline(always)]
pub(crate) unsafe fn sums<T, V: Vector<T>, const HEIGHT: usize, const WIDE: usize>(
    lines: &WindowLines<T>,
    first: usize,
) {
    let ([rows, columns], width) = (lines.places, lines.window[1]);
    let mut starts = [0; WIDE];
    for (j, start) in starts.iter_mut().enumerate() {
        // The last register may overlap the one before.
        *start = ((first + j) * V::LANES).min(columns - V::LANES);
    }
    // SAFETY: every access below is one that the caller's contract names: registers end with the last column at most, lines of the
    // frame are `rows + HEIGHT - 1`, and what is written are lines 0 to `rows - 1`.
    unsafe {
        // The sums of the place in this line of the frame, and of those above whose windows reach down to it.
        let mut sums = [[V::zero(); WIDE]; HEIGHT];
        for row in 0..rows + HEIGHT - 1 {
            for i in (1..HEIGHT).rev() {
                sums[i] = sums[i - 1];
            }
            sums[0] = [V::splat(lines.start); WIDE];
            let line = lines.frame.add(row * lines.pitch);
            for column in 0..width {
                let mut right = [V::zero(); WIDE];
                for (right, &start) in right.iter_mut().zip(&starts) {
                    *right = V::load(line.add(start + column));
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let left = V::splat(lines.weights.add(i * width + column));
                    for (sum, &right) in sums.iter_mut().zip(&right) {
                        *sum = sum.add_product(left, right);
                    }
                }
            }
            if row + 1 >= HEIGHT {
                let out = lines.out.add((row + 1 - HEIGHT) * columns);
                for (&sum, &start) in sums[HEIGHT - 1].iter().zip(&starts) {
                    sum.store(out.add(start));
                }
            }
        }
    }
}

/// Makes `fn $name` that picks the instance for the window's lines, with so many registers across, compiled for `$feature`; the sums are
/// a function of their own, as those of [tiles](super::tile::tiles).
macro_rules! window_lines {
    ($(#[$feature:meta])? $name:ident, $sums:ident, $($height:literal x $wide:literal),*) => {
        /// # Safety
        /// As [`sums`](super::window_lines::sums).
        $(#[$feature])?
        #[inline(never)]
        unsafe fn $sums<T, V: super::vector::Vector<T>, const HEIGHT: usize, const WIDE: usize>(
            lines: &super::window_lines::WindowLines<T>,
            first: usize,
        ) {
            // SAFETY: the caller's contract.
            unsafe { super::window_lines::sums::<T, V, HEIGHT, WIDE>(lines, first) }
        }

        /// # Safety
        /// As [`WindowLineKernel::lines`](super::window_lines::WindowLineKernel::lines).
        $(#[$feature])?
        unsafe fn $name<T, V: super::vector::Vector<T>>(lines: &super::window_lines::WindowLines<T>) {
            let registers = lines.places[1].div_ceil(V::LANES);
            match lines.window[0] {
                // SAFETY: the caller's contract, and the window has the lines of the instance.
                $($height => unsafe {
                    let mut first = 0;
                    while registers - first >= $wide {
                        $sums::<T, V, $height, $wide>(lines, first);
                        first += $wide;
                    }
                    while registers > first {
                        $sums::<T, V, $height, 1>(lines, first);
                        first += 1;
                    }
                },)*
                height => unreachable!("windows of {height} lines"),
            }
        }

        /// The lines that a window may have.
        const HEIGHTS: &[usize] = &[$($height),*];
    };
}
pub(crate) use window_lines;
