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

/// Where the sums of a register lie: its column, and the first of its lines.
#[derive(Clone, Copy)]
pub(crate) struct Strip {
    column: usize,
    row: usize,
}

/// All places, cut into strips of one register of columns by so many lines.
#[derive(Clone, Copy)]
pub(crate) struct Strips {
    pub count: usize,
    /// Lines of each.
    rows: usize,
    /// Registers of columns.
    registers: usize,
    places: [usize; 2],
    lanes: usize,
}

impl Strips {
    /// A sum waits for the one before it, so lines of two places are taken at once where the registers of both are at most `most`. Both
    /// read the `height - 1` lines of the frame that lie between them, so there must be many others.
    pub fn new(places: [usize; 2], height: usize, lanes: usize, most: usize) -> Self {
        let [rows, columns] = places;
        let registers = columns.div_ceil(lanes);
        let down = if 2 * registers <= most && rows >= 4 * (height - 1) { 2 } else { 1 };
        Self { count: registers * down, rows: rows.div_ceil(down), registers, places, lanes }
    }

    /// The last strip of a line, and those of the last lines, may overlap those before.
    #[inline(always)]
    fn at(&self, index: usize) -> Strip {
        let [rows, columns] = self.places;
        Strip {
            column: (index % self.registers * self.lanes).min(columns - self.lanes),
            row: (index / self.registers * self.rows).min(rows - self.rows),
        }
    }
}

/// The sums of `WIDE` strips, from strip `first` on.
///
/// # Safety
/// As [`WindowLineKernel::lines`], with `window[0] == HEIGHT`; `strips` are those of the places, and have `first + WIDE` at least.
#[inline(always)]
pub(crate) unsafe fn sums<T, V: Vector<T>, const HEIGHT: usize, const WIDE: usize>(
    lines: &WindowLines<T>,
    strips: &Strips,
    first: usize,
) {
    let ([_, columns], width) = (lines.places, lines.window[1]);
    let strip: [Strip; WIDE] = std::array::from_fn(|j| strips.at(first + j));
    let starts = strip.map(|strip| strip.row * lines.pitch + strip.column);
    let outs = strip.map(|strip| strip.row * columns + strip.column);
    // SAFETY: every access below is one that the caller's contract names: registers end with the last column at most, strips with the
    // last line; the lines of the frame that they read are `HEIGHT - 1` more, and what is written are their places.
    unsafe {
        // The sums of the place in this line of the frame, and of those above whose windows reach down to it.
        let mut sums = [[V::zero(); WIDE]; HEIGHT];
        for row in 0..strips.rows + HEIGHT - 1 {
            for i in (1..HEIGHT).rev() {
                sums[i] = sums[i - 1];
            }
            sums[0] = [V::splat(lines.start); WIDE];
            let line = lines.frame.add(row * lines.pitch);
            for column in 0..width {
                // Weights first: one register more then serves all strips in turn.
                let left: [V; HEIGHT] = std::array::from_fn(|i| V::splat(lines.weights.add(i * width + column)));
                for (j, start) in starts.into_iter().enumerate() {
                    let right = V::load(line.add(start + column));
                    for (sums, &left) in sums.iter_mut().zip(&left) {
                        sums[j] = sums[j].add_product(left, right);
                    }
                }
            }
            if row + 1 >= HEIGHT {
                let out = lines.out.add((row + 1 - HEIGHT) * columns);
                for (&sum, &start) in sums[HEIGHT - 1].iter().zip(&outs) {
                    sum.store(out.add(start));
                }
            }
        }
    }
}

/// Makes `fn $name` that picks the instances for the window's lines, with so many registers side by side, the most first, compiled for
/// `$feature`; up to `$both` of them are [lines of two places](Strips::new). Those of a whole line side by side write it at once: to write
/// every other cache line first takes a copy 1.6 times as long. The sums are a function of their own, as those of
/// [tiles](super::tile::tiles).
macro_rules! window_lines {
    ($(#[$feature:meta])? $name:ident, $sums:ident, $both:literal, $($height:literal x $wide:tt),*) => {
        /// # Safety
        /// As [`sums`](super::window_lines::sums).
        $(#[$feature])?
        #[inline(never)]
        unsafe fn $sums<T, V: super::vector::Vector<T>, const HEIGHT: usize, const WIDE: usize>(
            lines: &super::window_lines::WindowLines<T>,
            strips: &super::window_lines::Strips,
            first: usize,
        ) {
            // SAFETY: the caller's contract.
            unsafe { super::window_lines::sums::<T, V, HEIGHT, WIDE>(lines, strips, first) }
        }

        /// # Safety
        /// As [`WindowLineKernel::lines`](super::window_lines::WindowLineKernel::lines).
        $(#[$feature])?
        unsafe fn $name<T, V: super::vector::Vector<T>>(lines: &super::window_lines::WindowLines<T>) {
            match lines.window[0] {
                $($height => super::window_lines::window_lines!(@wide lines, $sums, $both, $height, $wide),)*
                height => unreachable!("windows of {height} lines"),
            }
        }

        /// The lines that a window may have.
        const HEIGHTS: &[usize] = &[$($height),*];
    };
    (@wide $lines:ident, $sums:ident, $both:literal, $height:literal, [$($wide:literal)*]) => {{
        let most = [$($wide),*][0].min($both);
        let strips = super::window_lines::Strips::new($lines.places, $height, V::LANES, most);
        let mut first = 0;
        $(while strips.count - first >= $wide {
            // SAFETY: the caller's contract, the window has the lines of the instance, and so many strips are left.
            unsafe { $sums::<T, V, $height, $wide>($lines, &strips, first) };
            first += $wide;
        })*
    }};
}
pub(crate) use window_lines;
