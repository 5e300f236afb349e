//! The transforms of [minimal filtering](super): additions of what lies side by side, a register of tiles at a time.

use std::ops::Range;

use super::{PLACES, Tiling};
use crate::cpu::buffer::Buffer;
use crate::cpu::float::Float;
use crate::cpu::gemm::copy_row;
use crate::cpu::simd::Task;
use crate::cpu::threads::SharedMut;

/// Tiles of a block, at most: those of the widest register.
pub(super) const LANES: usize = 16;

/// The sixteen places of `G g Gt`, for `G = [[1, 0, 0], [1/2, 1/2, 1/2], [1/2, -1/2, 1/2], [0, 0, 1]]`.
#[inline(always)]
pub(super) fn filter<T: Float>(g: [T; 9]) -> [T; PLACES] {
    let half = T::from_f64(0.5);
    let of = |a: T, b: T, c: T| [a, half * (a + c + b), half * (a + c - b), c];
    let columns: [[T; 4]; 3] = std::array::from_fn(|j| of(g[j], g[3 + j], g[6 + j]));
    let rows: [[T; 4]; 4] = std::array::from_fn(|i| of(columns[0][i], columns[1][i], columns[2][i]));
    std::array::from_fn(|place| rows[place / 4][place % 4])
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

/// Transforms the elements of tiles, `N` at a time, which read `WIDE = 2 N + 2` columns: `out[place][channel][tile]`, with `pitch` from a
/// channel to the next.
pub(super) struct Inward<'a, T, const N: usize, const WIDE: usize> {
    pub x: &'a [T],
    pub tiling: &'a Tiling,
    pub channels: usize,
    pub lines: Range<usize>,
    pub pitch: usize,
    pub out: &'a mut [T],
}

impl<T: Float, const N: usize, const WIDE: usize> Task for Inward<'_, T, N, WIDE> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Inward { x, tiling, channels, lines, pitch, out } = self;
        let [height, width] = tiling.input;
        let across = tiling.across();
        // The rows that tiles reach, with what is around them.
        let row = across.div_ceil(N) * 2 * N + 2;
        let mut padded: Buffer<T> = Buffer::filled((2 * lines.len().min(tiling.down()) + 2) * row, T::ZERO);
        for channel in 0..channels {
            let mut planes = out.chunks_exact_mut(channels * pitch);
            let mut planes: [&mut [T]; PLACES] =
                std::array::from_fn(|_| &mut planes.next().expect("a place")[channel * pitch..][..pitch]);
            let mut tile = 0;
            for (sample, lines) in tiling.samples(lines.clone()) {
                let x = &x[(sample * channels + channel) * height * width..][..height * width];
                for (i, padded) in padded.chunks_exact_mut(row).take(2 * lines.len() + 2).enumerate() {
                    let at = (2 * lines.start + i).wrapping_sub(tiling.padding[0]);
                    let padded = &mut padded[tiling.padding[1]..][..width];
                    if at < height {
                        copy_row(&x[at * width..][..width], padded);
                    } else {
                        padded.fill(T::ZERO);
                    }
                }
                for rows in padded.chunks_exact(2 * row).zip(padded[2 * row..].chunks_exact(2 * row)).take(lines.len())
                {
                    let rows = [&rows.0[..row], &rows.0[row..], &rows.1[..row], &rows.1[row..]];
                    for start in (0..across).step_by(N) {
                        let d = rows.map(|row| block::<T, WIDE>(row, 2 * start));
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
            }
        }
    }
}

/// Transforms sums, `[place][row][tile]`, into places of the output, `N` tiles at a time, of the filters `rows`.
pub(super) struct Outward<'a, T, const N: usize, const WIDE: usize> {
    pub sums: &'a [T],
    pub tiling: &'a Tiling,
    pub filters: usize,
    pub rows: Range<usize>,
    pub lines: Range<usize>,
    pub pitch: usize,
    pub bias: Option<&'a [T]>,
    /// The whole output, of which nobody else may use these lines of these filters.
    pub out: SharedMut<T>,
}

impl<T: Float, const N: usize, const WIDE: usize> Task for Outward<'_, T, N, WIDE> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Outward { sums, tiling, filters, rows, lines, pitch, bias, out } = self;
        let [height, width] = tiling.output;
        let across = tiling.across();
        for (i, filter) in rows.clone().enumerate() {
            let bias = bias.map_or(T::ZERO, |bias| bias[filter]);
            let planes: [&[T]; PLACES] =
                std::array::from_fn(|place| &sums[(place * rows.len() + i) * pitch..][..pitch]);
            let mut tile = 0;
            for (sample, lines) in tiling.samples(lines.clone()) {
                let first = (sample * filters + filter) * height;
                for line in lines {
                    let (top, bottom) = (2 * line, (2 * line + 2).min(height));
                    assert!(sample < tiling.batch && filter < filters && top < height);
                    // SAFETY: the rows lie within the output, as was just checked, and are the caller's alone.
                    let out = unsafe { out.part((first + top) * width, (bottom - top) * width) };
                    for start in (0..across).step_by(N) {
                        let m = planes.map(|plane| block::<T, N>(plane, tile + start));
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
