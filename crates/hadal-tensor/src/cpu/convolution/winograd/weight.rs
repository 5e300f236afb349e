//! What a convolution sends back to its weight, by [minimal filtering](super): the gradient of the output is transformed as tiles are,
//! the products of both are summed over all tiles, and the sums transformed into windows: `Gt [(A dY At) . (Bt d B)] G`.

use std::marker::PhantomData;
use std::ops::Range;

use super::transform::{LANES, elements, has_narrow_registers};
use super::{PLACES, Tiling};
use crate::backend::Geometry;
use crate::cpu::buffer::Buffer;
use crate::cpu::convolution::PIECES;
use crate::cpu::convolution::correlation::{Distances, Panel, add_tiles};
use crate::cpu::convolution::runs::Runs;
use crate::cpu::convolution::weight::parts;
use crate::cpu::elementwise::add_to;
use crate::cpu::float::Float;
use crate::cpu::gemm::kernels::Gemm;
use crate::cpu::gemm::kernels::window_tile::TALLEST;
use crate::cpu::gemm::{Matrix, share, transposed};
use crate::cpu::simd::{Task, dispatch};
use crate::cpu::threads::SharedMut;

/// Transformed elements of a place that are summed at a time, about: those of all places stay in the second cache.
const TOGETHER: usize = 6144;

/// As [`weight`](super::super::weight).
pub(in super::super) fn weight<T: Gemm>(x: &[T], y: &[T], geometry: &Geometry) -> Buffer<T> {
    let Geometry { channels, filters, .. } = *geometry;
    let work = Work { x, y, tiling: geometry.tiling(), channels, filters };
    let lines = work.tiling.lines();
    let row = channels.next_multiple_of(LANES);
    let length = PLACES * filters * row;
    // Sums of many parts would take longer to write, read and add up than their products.
    let parts = parts(2 * length, lines);
    // A piece is a part of the lines, for a part of the filters.
    let splits = PIECES.div_ceil(parts).min(filters.div_ceil(LANES));
    let split = |split: usize| split * filters / splits;
    let mut sums: Buffer<T> = Buffer::scratch(parts * length);
    let base = SharedMut::new(sums.as_mut_ptr());
    let multiplications = lines * work.tiling.across() * PLACES * channels * filters;
    share::share(multiplications, share::tiled::<T>(), parts * splits, |piece| {
        let (part, piece) = (piece / splits, piece % splits);
        let rows = split(piece)..split(piece + 1);
        // SAFETY: each piece has rows of a part of its own, within the buffer.
        let sums = unsafe { base.part(part * length + rows.start * PLACES * row, rows.len() * PLACES * row) };
        sums.fill(T::ZERO);
        work.add(part * lines / parts..(part + 1) * lines / parts, rows, sums);
    });
    let mut out = Buffer::scratch(filters * channels * 9);
    let base = SharedMut::new(out.as_mut_ptr());
    share::share(parts * length, share::tiled::<T>(), splits, |piece| {
        let rows = split(piece)..split(piece + 1);
        // SAFETY: each piece has filters of its own, within the buffer.
        let out = unsafe { base.part(rows.start * channels * 9, rows.len() * channels * 9) };
        let start = rows.start * PLACES * row;
        let parts = sums.chunks_exact(length).map(|part| &part[start..][..rows.len() * PLACES * row]);
        dispatch(Windows { parts, rows: rows.len(), row, channels, out });
    });
    out
}

/// What all pieces share.
struct Work<'a, T> {
    x: &'a [T],
    y: &'a [T],
    tiling: Tiling,
    channels: usize,
    filters: usize,
}

impl<T: Gemm> Work<'_, T> {
    /// Adds the products of lines for filters, `[place][filter][channel]`, to `sums`.
    fn add(&self, lines: Range<usize>, rows: Range<usize>, sums: &mut [T]) {
        let Work { x, y, tiling, channels, filters } = *self;
        let ([height, width], [out_height, out_width]) = (tiling.input, tiling.output);
        let across = tiling.across();
        let padded = [channels, rows.len()].map(|count| count.next_multiple_of(LANES));
        let most = (TOGETHER / (padded[0] + padded[1])).clamp(16, 96).div_ceil(across);
        let kernel = &T::kernels().windows;
        let runs = Runs::flat(channels, kernel.lanes, padded[0]);
        let mut elements = Buffer::scratch((2 * most + 2) * width * padded[0]);
        let mut gradients = Buffer::scratch(2 * most * out_width * padded[1]);
        let mut right = Buffer::scratch(PLACES * most * across * padded[0]);
        let mut left = Buffer::scratch(PLACES * most * across * padded[1]);
        let panels = rows.len().div_ceil(kernel.height);
        for start in lines.clone().step_by(most) {
            let lines = start..lines.end.min(start + most);
            let count = lines.len() * across;
            let mut tile = 0;
            for (sample, lines) in tiling.samples(lines) {
                // Channels side by side, of the rows that the tiles reach.
                let reached = (2 * lines.start).saturating_sub(tiling.padding[0])
                    ..(2 * lines.end + 2).saturating_sub(tiling.padding[0]).min(height);
                let begin = sample * channels * height * width + reached.start * width;
                let from = Matrix { data: x, offset: begin, row_stride: 1, column_stride: (height * width) as isize };
                transposed(from, reached.len() * width, channels, padded[0], &mut elements);
                let above = reached.start + tiling.padding[0] - 2 * lines.start;
                let part = Elements { x: &elements, rows: reached.len(), width, above, before: tiling.padding[1] };
                Tiles { part, lines: lines.len(), across, count, tile, padded: padded[0], out: &mut right }
                    .transform::<Input, PLACES>();
                let reached = 2 * lines.start..(2 * lines.end).min(out_height);
                let begin = (sample * filters + rows.start) * out_height * out_width + reached.start * out_width;
                let step = (out_height * out_width) as isize;
                let from = Matrix { data: y, offset: begin, row_stride: 1, column_stride: step };
                transposed(from, reached.len() * out_width, rows.len(), padded[1], &mut gradients);
                let part = Elements { x: &gradients, rows: reached.len(), width: out_width, above: 0, before: 0 };
                Tiles { part, lines: lines.len(), across, count, tile, padded: padded[1], out: &mut left }
                    .transform::<Gradient, 4>();
                tile += lines.len() * across;
            }
            let distances = Distances::new((0..count).map(|tile| tile * padded[0]).collect());
            for place in 0..PLACES {
                let frame = &right[place * count * padded[0]..][..count * padded[0]];
                let left = &left[place * count * padded[1]..][..count * padded[1]];
                let sums = &mut sums[place * rows.len() * padded[0]..][..rows.len() * padded[0]];
                for panel in 0..panels {
                    let panel = panel * rows.len() / panels..(panel + 1) * rows.len() / panels;
                    let sums = &mut sums[panel.start * padded[0]..panel.end * padded[0]];
                    let (start, weights) = (&[T::ZERO; TALLEST][..panel.len()], &left[panel.start..]);
                    let panel = Panel { start, weights, stride: padded[1], distances: &distances };
                    add_tiles(kernel, &panel, &runs, frame, sums);
                }
            }
        }
    }
}

/// Rows of elements, channels side by side, with nothing around them.
struct Elements<'a, T> {
    x: &'a [T],
    rows: usize,
    width: usize,
    /// Rows of zeros above.
    above: usize,
    /// Columns of zeros before.
    before: usize,
}

impl<T: Float> Elements<'_, T> {
    /// Where the channels of an element lie.
    #[inline(always)]
    fn at(&self, row: usize, column: usize, padded: usize) -> Option<usize> {
        let (row, column) = (row.wrapping_sub(self.above), column.wrapping_sub(self.before));
        (row < self.rows && column < self.width).then(|| (row * self.width + column) * padded)
    }
}

/// What becomes of the `SIDE` by `SIDE` elements of a tile.
trait Transform {
    const SIDE: usize;
    fn of<T: Float>(x: impl Fn(usize, usize) -> T) -> [[T; 4]; 4];
}

/// `Bt d B` of the input.
struct Input;

impl Transform for Input {
    const SIDE: usize = 4;
    #[inline(always)]
    fn of<T: Float>(x: impl Fn(usize, usize) -> T) -> [[T; 4]; 4] {
        elements(x)
    }
}

/// `A dY At` of the gradient of the output, for `A = [[1, 0], [1, 1], [1, -1], [0, -1]]`.
struct Gradient;

impl Transform for Gradient {
    const SIDE: usize = 2;
    #[inline(always)]
    fn of<T: Float>(y: impl Fn(usize, usize) -> T) -> [[T; 4]; 4] {
        let of = |a: T, b: T| [a, a + b, a - b, -b];
        let [left, right] = [of(y(0, 0), y(1, 0)), of(y(0, 1), y(1, 1))];
        [0, 1, 2, 3].map(|i| of(left[i], right[i]))
    }
}

/// Tiles that become `out[place][tile][channel]`, of `count` tiles from `tile` on.
struct Tiles<'a, T> {
    part: Elements<'a, T>,
    lines: usize,
    across: usize,
    count: usize,
    tile: usize,
    padded: usize,
    out: &'a mut [T],
}

impl<T: Float> Tiles<'_, T> {
    /// Transforms tiles of `READ` elements.
    fn transform<K: Transform, const READ: usize>(self) {
        if has_narrow_registers::<T>() {
            dispatch(Blocks::<T, K, READ, { LANES / 2 }> { tiles: self, kind: PhantomData });
        } else {
            dispatch(Blocks::<T, K, READ, LANES> { tiles: self, kind: PhantomData });
        }
    }
}

/// [`Tiles::transform`], `N` channels at a time.
struct Blocks<'a, T, K, const READ: usize, const N: usize> {
    tiles: Tiles<'a, T>,
    kind: PhantomData<K>,
}

impl<T: Float, K: Transform, const READ: usize, const N: usize> Task for Blocks<'_, T, K, READ, N> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Tiles { part, lines, across, count, tile, padded, out } = self.tiles;
        let zeros = [T::ZERO; N];
        for (line, column) in (0..lines).flat_map(|line| (0..across).map(move |column| (line, column))) {
            let tile = tile + line * across + column;
            let mut at = [None; READ];
            for (k, at) in at.iter_mut().enumerate() {
                *at = part.at(2 * line + k / K::SIDE, 2 * column + k % K::SIDE, padded);
            }
            for channel in (0..padded).step_by(N) {
                let mut x = [&zeros; READ];
                for (x, at) in x.iter_mut().zip(&at) {
                    if let Some(at) = at {
                        *x = part.x[at + channel..].first_chunk().expect("padded channels");
                    }
                }
                let mut block = [[T::ZERO; N]; PLACES];
                for lane in 0..N {
                    let transformed = K::of(|row, column| x[K::SIDE * row + column][lane]);
                    for (place, block) in block.iter_mut().enumerate() {
                        block[lane] = transformed[place / 4][place % 4];
                    }
                }
                for (place, block) in block.iter().enumerate() {
                    out[(place * count + tile) * padded + channel..][..N].copy_from_slice(block);
                }
            }
        }
    }
}

/// `Gt s G` of the sums of all parts, `[place][filter][channel]`: `[filter][channel]` windows.
struct Windows<'a, T, P> {
    parts: P,
    rows: usize,
    /// From a filter's sums to the next.
    row: usize,
    channels: usize,
    out: &'a mut [T],
}

impl<'a, T: Float, P: Iterator<Item = &'a [T]>> Task for Windows<'a, T, P> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Windows { mut parts, rows, row, channels, out } = self;
        let mut sums = Buffer::from_slice(parts.next().expect("there is a part"));
        for part in parts {
            add_to(&mut sums, part);
        }
        let half = T::from_f64(0.5);
        let of = |a: T, b: T, c: T, d: T| [a + half * (b + c), half * (b - c), half * (b + c) + d];
        for (filter, out) in out.chunks_exact_mut(9 * channels).enumerate() {
            for (channel, out) in out.chunks_exact_mut(9).enumerate() {
                let s = |i: usize, j: usize| sums[((4 * i + j) * rows + filter) * row + channel];
                let columns: [[T; 3]; 4] = std::array::from_fn(|j| of(s(0, j), s(1, j), s(2, j), s(3, j)));
                for (i, out) in out.chunks_exact_mut(3).enumerate() {
                    out.copy_from_slice(&of(columns[0][i], columns[1][i], columns[2][i], columns[3][i]));
                }
            }
        }
    }
}
