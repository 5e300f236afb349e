//! The transforms of [minimal filtering](super): additions of what lies side by side, a register of tiles at a time.

use std::ops::Range;

use super::{PLACES, Tiling};
use crate::cpu::buffer::Buffer;
use crate::cpu::float::Float;
use crate::cpu::gemm::Epilogue;
use crate::cpu::rows::copy_row;
use crate::cpu::simd::{Task, dispatch, level};
use crate::cpu::threads::SharedMut;

/// Tiles of a block, at most: those of the widest register.
pub(super) const LANES: usize = 16;

/// Room for so many numbers, in an odd number of cache lines: what lies at multiples of powers of two falls into the same few places of
/// the nearest cache.
pub(super) fn odd_lines(length: usize) -> usize {
    (length.div_ceil(LANES) | 1) * LANES
}

/// From a row's sums to those of the next, in `pitch`es: its places, and one, so that rows do not fall into the same few
/// places of the nearest cache.
pub(super) const ROW: usize = PLACES + 1;

/// Lines of tiles, and the length of what lies side by side of them.
pub(super) struct Part<'a> {
    pub tiling: &'a Tiling,
    pub lines: Range<usize>,
    pub pitch: usize,
}

impl<'a> Part<'a> {
    pub fn new(tiling: &'a Tiling, lines: Range<usize>) -> Self {
        let count = lines.len() * tiling.across();
        // Blocks of a line may reach beyond its end.
        Part { tiling, lines, pitch: odd_lines(count + LANES - 1) }
    }

    /// How many tiles there are.
    pub fn count(&self) -> usize {
        self.lines.len() * self.tiling.across()
    }

    /// From the elements of a place to those of the next.
    pub fn place(&self, channels: usize) -> usize {
        odd_lines(channels * self.pitch)
    }

    /// Transforms the elements of tiles: `out[place][channel][tile]`.
    pub fn inward<T: Float>(&self, x: &[T], channels: usize, out: &mut [T]) {
        if self.is_narrow::<T>() {
            dispatch(Inward::<T, 8, 18> { part: self, x, channels, out });
        } else {
            dispatch(Inward::<T, 16, 34> { part: self, x, channels, out });
        }
    }

    /// Transforms sums, `[row][place][tile]` with [`ROW`] pitches for each row, into places of the output, of the filters `rows` of so
    /// many. Nobody else may use these lines of these filters.
    pub fn outward<T: Float>(
        &self,
        sums: &[T],
        (filters, rows): (usize, Range<usize>),
        epilogue: Option<Epilogue<T>>,
        out: SharedMut<T>,
    ) {
        if self.is_narrow::<T>() {
            dispatch(Outward::<T, 8, 16> { part: self, sums, filters, rows, epilogue, out });
        } else {
            dispatch(Outward::<T, 16, 32> { part: self, sums, filters, rows, epilogue, out });
        }
    }

    /// Whether blocks of half as many tiles are better: where a line has no more, and where registers have no more.
    fn is_narrow<T>(&self) -> bool {
        self.tiling.across() <= LANES / 2 || has_narrow_registers::<T>()
    }
}

/// Whether a register has fewer numbers than a block, so that the sixteen places of a block would not stay in registers.
pub(super) fn has_narrow_registers<T>() -> bool {
    level().lanes::<T>() < LANES
}

/// `Bt d B`, for `Bt = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]`; `d` gives a row and a column.
#[inline(always)]
pub(super) fn elements<T: Float>(d: impl Fn(usize, usize) -> T) -> [[T; 4]; 4] {
    let of = |a: T, b: T, c: T, d: T| [a - c, b + c, c - b, b - d];
    let columns: [[T; 4]; 4] = std::array::from_fn(|j| of(d(0, j), d(1, j), d(2, j), d(3, j)));
    std::array::from_fn(|i| of(columns[0][i], columns[1][i], columns[2][i], columns[3][i]))
}

/// `At m A`, for `At = [[1, 1, 1, 0], [0, 1, -1, -1]]`.
#[inline(always)]
fn places<T: Float>(m: impl Fn(usize, usize) -> T) -> [[T; 2]; 2] {
    let of = |a: T, b: T, c: T, d: T| [a + b + c, b - c - d];
    let columns: [[T; 2]; 4] = std::array::from_fn(|j| of(m(0, j), m(1, j), m(2, j), m(3, j)));
    std::array::from_fn(|i| of(columns[0][i], columns[1][i], columns[2][i], columns[3][i]))
}

/// [`Part::inward`], `N` tiles at a time, which read `WIDE = 2 N + 2` columns.
struct Inward<'a, T, const N: usize, const WIDE: usize> {
    part: &'a Part<'a>,
    x: &'a [T],
    channels: usize,
    out: &'a mut [T],
}

impl<T: Float, const N: usize, const WIDE: usize> Task for Inward<'_, T, N, WIDE> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Inward { part, x, channels, out } = self;
        let &Part { tiling, ref lines, pitch } = part;
        let [height, width] = tiling.input;
        let across = tiling.across();
        // The rows that tiles reach, with what is around them: all of a channel, so that they are long written when they are read.
        let row = across.div_ceil(N) * 2 * N + 2;
        let rows: usize = tiling.samples(lines.clone()).map(|(_, lines)| 2 * lines.len() + 2).sum();
        let mut padded: Buffer<T> = Buffer::filled(rows * row, T::ZERO);
        for channel in 0..channels {
            let mut rows = padded.chunks_exact_mut(row);
            for (sample, lines) in tiling.samples(lines.clone()) {
                let x = &x[(sample * channels + channel) * height * width..][..height * width];
                for (i, padded) in (0..2 * lines.len() + 2).zip(&mut rows) {
                    let at = (2 * lines.start + i).wrapping_sub(tiling.padding[0]);
                    let padded = &mut padded[tiling.padding[1]..][..width];
                    if at < height {
                        copy_row(&x[at * width..][..width], padded);
                    } else {
                        padded.fill(T::ZERO);
                    }
                }
            }
            let mut planes: [&mut [T]; PLACES] = Default::default();
            for (plane, out) in planes.iter_mut().zip(out.chunks_exact_mut(part.place(channels))) {
                *plane = &mut out[channel * pitch..][..pitch];
            }
            let (mut first, mut tile) = (0, 0);
            for (_, lines) in tiling.samples(lines.clone()) {
                for line in 0..lines.len() {
                    let rows = &padded[(first + 2 * line) * row..][..4 * row];
                    for start in (0..across).step_by(N) {
                        let at = |i: usize| block::<T, WIDE>(rows, i * row + 2 * start);
                        let d = [at(0), at(1), at(2), at(3)];
                        let mut block = [[T::ZERO; N]; PLACES];
                        for lane in 0..N {
                            let d = elements(|row, column| d[row][2 * lane + column]);
                            for (place, block) in block.iter_mut().enumerate() {
                                block[lane] = d[place / 4][place % 4];
                            }
                        }
                        let at = tile + start;
                        for (plane, block) in planes.iter_mut().zip(&block) {
                            plane[at..at + N].copy_from_slice(block);
                        }
                    }
                    tile += across;
                }
                first += 2 * lines.len() + 2;
            }
        }
    }
}

/// [`Part::outward`], `N` tiles at a time, which have `WIDE = 2 N` columns.
struct Outward<'a, T, const N: usize, const WIDE: usize> {
    part: &'a Part<'a>,
    sums: &'a [T],
    filters: usize,
    rows: Range<usize>,
    epilogue: Option<Epilogue<'a, T>>,
    out: SharedMut<T>,
}

impl<T: Float, const N: usize, const WIDE: usize> Task for Outward<'_, T, N, WIDE> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Outward { part: &Part { tiling, ref lines, pitch }, sums, filters, rows, epilogue, out } = self;
        let [height, width] = tiling.output;
        let across = tiling.across();
        let zeros = [T::ZERO; N];
        let relu = epilogue.is_some_and(|epilogue| epilogue.relu);
        for (i, filter) in rows.enumerate() {
            let bias = epilogue.map_or(T::ZERO, |epilogue| epilogue.bias[filter]);
            let mut planes: [&[T]; PLACES] = Default::default();
            for (plane, sums) in planes.iter_mut().zip(sums[i * ROW * pitch..].chunks_exact(pitch)) {
                *plane = sums;
            }
            let mut tile = 0;
            for (sample, lines) in tiling.samples(lines.clone()) {
                let first = (sample * filters + filter) * height;
                for line in lines {
                    let (top, bottom) = (2 * line, (2 * line + 2).min(height));
                    assert!(sample < tiling.batch && filter < filters && top < height);
                    // SAFETY: the rows lie within the output, as was just checked, and are the caller's alone.
                    let out = unsafe { out.part((first + top) * width, (bottom - top) * width) };
                    for start in (0..across).step_by(N) {
                        let mut m = [&zeros; PLACES];
                        for (m, plane) in m.iter_mut().zip(&planes) {
                            *m = block(plane, tile + start);
                        }
                        let mut block = [[T::ZERO; WIDE]; 2];
                        for lane in 0..N {
                            let y = places(|row, column| m[4 * row + column][lane]);
                            for (block, y) in block.iter_mut().zip(y) {
                                block[2 * lane] = y[0] + bias;
                                block[2 * lane + 1] = y[1] + bias;
                            }
                        }
                        let columns = 2 * start..(2 * (start + N)).min(width);
                        for (out, block) in out.chunks_exact_mut(width).zip(&block) {
                            copy_row(&block[..columns.len()], &mut out[columns.clone()]);
                        }
                    }
                    if relu {
                        for x in out {
                            *x = x.relu();
                        }
                    }
                    tile += across;
                }
            }
        }
    }
}

/// A block from `start` on.
#[inline(always)]
fn block<T, const N: usize>(x: &[T], start: usize) -> &[T; N] {
    x[start..start + N].try_into().expect("a slice of that length")
}
