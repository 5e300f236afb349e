//! Tiles of images, channels side by side, to and from what [minimal filtering](super) multiplies.

use std::marker::PhantomData;
use std::ops::Range;

use super::room::{self, LANES, has_narrow_registers, padded};
use super::transform::{Output, Transform, columns, row};
use super::{PLACES, SIDE, TILE, Tiling};
use crate::cpu::buffer::{Buffer, Plain};
use crate::cpu::convolution::Samples;
use crate::cpu::float::Float;
use crate::cpu::gemm::kernels::Gemm;
use crate::cpu::gemm::{Matrix, transposed};
use crate::cpu::simd::{Task, dispatch};

/// Images `[sample, channel, row, column]` that are cut into tiles.
pub(super) struct Images<'a, T: Plain> {
    pub x: &'a Samples<'a, T>,
    /// The channels that are wanted.
    pub own: Range<usize>,
    pub size: [usize; 2],
    pub padding: [usize; 2],
}

impl<T: Gemm> Images<'_, T> {
    /// The transformed tiles of lines, `[tile][place][channel]` with [room](room::tile).
    pub fn tiles<K: Transform>(&self, tiling: &Tiling, lines: Range<usize>, out: &mut [T]) {
        let ([height, width], [down, right]) = (self.size, self.padding);
        let (across, channels) = (tiling.across(), padded(self.own.len()));
        let overlap = K::FROM - TILE;
        let most = height.min(TILE * lines.len() + overlap);
        let mut elements = Buffer::scratch((most * width + 1) * channels);
        let mut tile = 0;
        for (sample, lines) in tiling.samples(lines) {
            // The rows that the tiles reach.
            let first = (TILE * lines.start).saturating_sub(down);
            let end = (TILE * lines.end + overlap).saturating_sub(down).min(height).max(first);
            let count = end - first;
            let from = Matrix {
                data: self.x.from(sample),
                offset: (self.own.start * height + first) * width,
                row_stride: 1,
                column_stride: (height * width) as isize,
            };
            transposed(from, count * width, self.own.len(), channels, &mut elements);
            elements[count * width * channels..][..channels].fill(T::ZERO);
            let above = (first + down).saturating_sub(TILE * lines.start);
            let rows = Rows { x: &elements, count, width, above, before: right };
            let count = lines.len() * across;
            let out = &mut out[tile * room::tile(channels)..][..count * room::tile(channels)];
            Tiles { rows, lines: lines.len(), across, channels, out }.transform::<K>();
            tile += count;
        }
    }
}

/// Rows of elements of an image, `[row][column][channel]`, with nothing around them, and after them as many zeros as a place has channels.
struct Rows<'a, T> {
    x: &'a [T],
    count: usize,
    width: usize,
    /// Rows of zeros above.
    above: usize,
    /// Columns of zeros before.
    before: usize,
}

/// Lines of tiles of an image that become `out[tile][place][channel]`.
struct Tiles<'a, T> {
    rows: Rows<'a, T>,
    lines: usize,
    across: usize,
    channels: usize,
    out: &'a mut [T],
}

impl<T: Float> Tiles<'_, T> {
    fn transform<K: Transform>(self) {
        if has_narrow_registers::<T>() {
            dispatch(Inward::<T, K, { LANES / 2 }> { tiles: self, kind: PhantomData });
        } else {
            dispatch(Inward::<T, K, LANES> { tiles: self, kind: PhantomData });
        }
    }
}

/// [`Tiles::transform`], `N` channels at a time.
struct Inward<'a, T, K, const N: usize> {
    tiles: Tiles<'a, T>,
    kind: PhantomData<K>,
}

impl<T: Float, K: Transform, const N: usize> Task for Inward<'_, T, K, N> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        const { assert!(K::TO == SIDE) };
        let Tiles { rows: Rows { x, count, width, above, before }, lines, across, channels, out } = self.tiles;
        let zeros = count * width * channels;
        assert!(zeros + channels <= x.len() && channels.is_multiple_of(N));
        let none = [T::ZERO; N];
        let mut between = [[T::ZERO; N]; PLACES];
        // Where the elements of a tile lie from its first on, and where those of the tile do.
        let mut within = [0; PLACES];
        let mut at = [zeros; PLACES];
        for i in 0..K::FROM {
            for j in 0..K::FROM {
                within[i * K::FROM + j] = (i * width + j) * channels;
            }
        }
        let mut tiles = out.chunks_exact_mut(room::tile(channels));
        for line in 0..lines {
            for column in 0..across {
                let out = tiles.next().expect("there is room for all tiles");
                let (top, left) = ((TILE * line).wrapping_sub(above), (TILE * column).wrapping_sub(before));
                if top < count && count - top >= K::FROM && left < width && width - left >= K::FROM {
                    let first = (top * width + left) * channels;
                    for (at, within) in at.iter_mut().zip(&within) {
                        *at = first + within;
                    }
                } else {
                    for i in 0..K::FROM {
                        for j in 0..K::FROM {
                            let (row, column) = (top.wrapping_add(i), left.wrapping_add(j));
                            let is_inside = row < count && column < width;
                            at[i * K::FROM + j] = if is_inside { (row * width + column) * channels } else { zeros };
                        }
                    }
                }
                assert!(PLACES * channels <= out.len());
                for channel in (0..channels).step_by(N) {
                    let mut tile = [&none; PLACES];
                    for k in 0..K::FROM * K::FROM {
                        // SAFETY: what is inside ends before `zeros`, and for `zeros` itself it was checked that there are so many
                        // channels, which are whole blocks.
                        tile[k] = unsafe { &*x.as_ptr().add(at[k] + channel).cast() };
                    }
                    columns::<K, T, N>(&tile, &mut between);
                    for i in 0..SIDE {
                        let numbers = row::<K, T, N>(&between, i);
                        for (j, numbers) in numbers.iter().enumerate() {
                            // SAFETY: it was checked that there is room for all places of so many channels, which are whole blocks.
                            unsafe {
                                out.as_mut_ptr()
                                    .add((SIDE * i + j) * channels + channel)
                                    .cast::<[T; N]>()
                                    .write(*numbers)
                            };
                        }
                    }
                }
            }
        }
    }
}

/// Sums, `[tile][place][filter]`, that become places of an output, `[row][column][filter]`.
pub(super) struct Outward<'a, T> {
    pub sums: &'a [T],
    pub across: usize,
    /// The output's rows and columns.
    pub rows: usize,
    pub width: usize,
    /// What is added to each filter's, and whether what is negative becomes 0.
    pub bias: &'a [T],
    pub relu: bool,
    pub out: &'a mut [T],
}

impl<T: Float> Outward<'_, T> {
    pub fn transform(self) {
        if has_narrow_registers::<T>() {
            dispatch(Outwards::<T, { LANES / 2 }>(self));
        } else {
            dispatch(Outwards::<T, LANES>(self));
        }
    }
}

/// [`Outward::transform`], `N` filters at a time.
struct Outwards<'a, T, const N: usize>(Outward<'a, T>);

impl<T: Float, const N: usize> Task for Outwards<'_, T, N> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Outward { sums, across, rows, width, bias, relu, out } = self.0;
        let filters = bias.len();
        assert!(filters.is_multiple_of(N) && rows * width * filters <= out.len());
        let none = [T::ZERO; N];
        let mut between = [[T::ZERO; N]; PLACES];
        let mut tiles = sums.chunks_exact(room::tile(filters));
        for line in 0..rows.div_ceil(TILE) {
            for column in 0..across {
                let sums = tiles.next().expect("there are sums of all tiles");
                let (height, width_here) = (TILE.min(rows - TILE * line), TILE.min(width - TILE * column));
                let first = (TILE * line * width + TILE * column) * filters;
                assert!(PLACES * filters <= sums.len());
                for filter in (0..filters).step_by(N) {
                    let mut m = [&none; PLACES];
                    for (k, m) in m.iter_mut().enumerate() {
                        // SAFETY: it was checked that there are sums of all places of so many filters, which are whole blocks.
                        *m = unsafe { &*sums.as_ptr().add(k * filters + filter).cast() };
                    }
                    columns::<Output, T, N>(&m, &mut between);
                    let bias: [T; N] = *bias[filter..].first_chunk().expect("whole blocks");
                    for i in 0..height {
                        let mut numbers = row::<Output, T, N>(&between, i);
                        for numbers in &mut numbers[..TILE] {
                            for lane in 0..N {
                                numbers[lane] = numbers[lane] + bias[lane];
                            }
                        }
                        if relu {
                            for numbers in &mut numbers[..TILE] {
                                for number in numbers {
                                    *number = number.relu();
                                }
                            }
                        }
                        let first = first + i * width * filters + filter;
                        for (j, numbers) in numbers[..width_here].iter().enumerate() {
                            // SAFETY: the row and column are below those of the output, for which it was checked that there is room for so
                            // many filters, which are whole blocks.
                            unsafe { out.as_mut_ptr().add(first + j * filters).cast::<[T; N]>().write(*numbers) };
                        }
                    }
                }
            }
        }
    }
}
