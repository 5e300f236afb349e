//! What a convolution sends back to its weight, by [minimal filtering](super): the gradient of the output is transformed as tiles are,
//! the products of both are summed over all tiles, and the sums transformed into windows: `Gt [(A dY At) . (Bt d B)] G`.

use std::ops::Range;

use super::products::{Left, Right, Sums, kernel_for, products};
use super::room::{LANES, padded, tile};
use super::tiles::Images;
use super::transform::{Elements, OutputGradient, WindowGradient, columns, row as row_of};
use super::{PLACES, Tiling};
use crate::backend::Geometry;
use crate::cpu::buffer::{Buffer, Plain};
use crate::cpu::convolution::weight::parts;
use crate::cpu::convolution::{PIECES, Samples};
use crate::cpu::elementwise::add_to;
use crate::cpu::float::Float;
use crate::cpu::gemm::kernels::Gemm;
use crate::cpu::gemm::share;
use crate::cpu::simd::{Task, dispatch};
use crate::cpu::threads::SharedMut;

/// Tiles that are summed at a time, about: all sums are read and written for so many.
const TOGETHER: usize = 32;

/// As [`weight`](super::super::weight).
pub(in super::super) fn weight<T: Gemm>(x: &Samples<T>, y: &Samples<T>, geometry: &Geometry) -> Buffer<T> {
    let Geometry { channels, filters, .. } = *geometry;
    let work = Work { x, y, tiling: geometry.tiling(), channels };
    let lines = work.tiling.lines();
    let row = padded(channels);
    let length = PLACES * filters * row;
    // Sums of many parts would take longer to write, read and add up than their products.
    let parts = parts(4 * length, (lines * work.tiling.across()).div_ceil(TOGETHER).min(lines));
    // A piece is a part of the lines, for a part of the filters.
    let registers = filters.div_ceil(LANES);
    let splits = PIECES.div_ceil(parts).min(registers);
    let split = |split: usize| filters.min(split * registers / splits * LANES);
    let mut sums: Buffer<T> = Buffer::scratch(parts * length);
    let base = SharedMut::new(sums.as_mut_ptr());
    let multiplications = lines * work.tiling.across() * PLACES * channels * filters;
    share::share(multiplications, share::tiled::<T>(), parts * splits, |piece| {
        let (part, piece) = (piece / splits, piece % splits);
        let rows = split(piece)..split(piece + 1);
        // SAFETY: each piece has rows of a part of its own, within the buffer.
        let sums = unsafe { base.part(part * length + rows.start * PLACES * row, rows.len() * PLACES * row) };
        work.sum(part * lines / parts..(part + 1) * lines / parts, rows, sums);
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
struct Work<'a, T: Plain> {
    x: &'a Samples<'a, T>,
    y: &'a Samples<'a, T>,
    tiling: Tiling,
    channels: usize,
}

impl<T: Gemm> Work<'_, T> {
    /// The sums over lines for filters, `[place][filter][channel]`.
    fn sum(&self, lines: Range<usize>, filters: Range<usize>, sums: &mut [T]) {
        let Work { x, y, tiling, channels, .. } = *self;
        let elements = Images { x, own: 0..channels, size: tiling.input, padding: tiling.padding };
        let gradients = Images { x: y, own: filters.clone(), size: tiling.output, padding: [0; 2] };
        let rows = filters.len();
        let padded = [rows, channels].map(padded);
        let tiles = padded.map(tile);
        let together = (TOGETHER / tiling.across()).max(1).min(lines.len());
        let [mut left, mut right] = tiles.map(|tile| Buffer::scratch(together * tiling.across() * tile));
        let kernel = kernel_for::<T>(padded[1]);
        let first = lines.start;
        for start in lines.clone().step_by(together) {
            let lines = start..lines.end.min(start + together);
            let count = lines.len() * tiling.across();
            gradients.tiles::<OutputGradient>(&tiling, lines.clone(), &mut left);
            elements.tiles::<Elements>(&tiling, lines, &mut right);
            let left = Left { data: &left, rows, row: 1, column: tiles[0], place: padded[0] };
            let right = Right { data: &right, columns: padded[1], row: tiles[1], place: padded[1] };
            let to = Sums { data: sums, row: padded[1], place: rows * padded[1], accumulate: start > first };
            products(kernel, count, &left, &right, to);
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
        let place = rows * row;
        let none = [T::ZERO; LANES];
        let mut between = [[T::ZERO; LANES]; PLACES];
        for (filter, out) in out.chunks_exact_mut(9 * channels).enumerate() {
            for (start, out) in (0..channels).step_by(LANES).zip(out.chunks_mut(9 * LANES)) {
                let mut s = [&none; PLACES];
                for (s, sums) in s.iter_mut().zip(sums.chunks_exact(place)) {
                    *s = sums[filter * row + start..].first_chunk().expect("whole registers");
                }
                columns::<WindowGradient, T, LANES>(&s, &mut between);
                for i in 0..3 {
                    let numbers = row_of::<WindowGradient, T, LANES>(&between, i);
                    for (lane, out) in out.chunks_exact_mut(9).enumerate() {
                        for (out, numbers) in out[3 * i..3 * i + 3].iter_mut().zip(&numbers) {
                            *out = numbers[lane];
                        }
                    }
                }
            }
        }
    }
}
