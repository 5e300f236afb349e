//! Convolutions by windows of three by three with fewer multiplications: minimal filtering, F(2 x 2, 3 x 3) (Winograd 1980; Lavin and
//! Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section 4.1).
//!
//! The output is cut into tiles of 2 x 2 places. The 4 x 4 elements `d` that a tile's windows reach and the weights `g` of a window are
//! [transformed](transform), multiplied place by place and summed over the channels, and the sums transformed into the tile:
//! `Y = At [(G g Gt) . (Bt d B)] A`. That takes 16 multiplications for each channel in place of 36, and the sums are sixteen products of
//! matrices, of weights and tiles. The transforms only add, subtract and halve, so results differ from those of sums of products by a
//! few roundings. Numbers of 64 bits are not computed so.

mod panels;
#[cfg(test)]
mod tests;
mod transform;
mod weight;

pub(super) use weight::weight;

use super::PIECES;
use super::correlation::{Distances, Panel, tiles};
use super::runs::Runs;
use crate::backend::Geometry;
use crate::cpu::buffer::Buffer;
use crate::cpu::caches::Caches;
use crate::cpu::gemm::Epilogue;
use crate::cpu::gemm::kernels::Gemm;
use crate::cpu::gemm::kernels::window_tile::TALLEST;
use crate::cpu::gemm::share;
use crate::cpu::threads::{SharedMut, num_threads};
use panels::{Panels, Windows};
use transform::{LANES, Part, ROW};

/// The places of a transformed tile.
const PLACES: usize = 16;

/// Channels and filters from which on the transforms cost less than they save.
const LEAST_CHANNELS: usize = 16;

/// Tiles from which on transforming the weights costs less than it saves.
const LEAST_TILES: usize = 64;

/// Fewer tiles in a piece leave registers unfilled.
const FEW_TILES: usize = 32;

/// How the places of an output are cut into tiles.
#[derive(Clone, Copy)]
struct Tiling {
    batch: usize,
    input: [usize; 2],
    padding: [usize; 2],
    output: [usize; 2],
}

impl Tiling {
    /// Tiles below each other.
    fn down(&self) -> usize {
        self.output[0].div_ceil(2)
    }

    /// Tiles of a line.
    fn across(&self) -> usize {
        self.output[1].div_ceil(2)
    }

    /// Lines of tiles of all samples.
    fn lines(&self) -> usize {
        self.batch * self.down()
    }

    /// A range of lines by sample: the sample, and which of its lines.
    fn samples(&self, lines: std::ops::Range<usize>) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> + use<> {
        let down = self.down();
        (lines.start / down..lines.end.div_ceil(down)).map(move |sample| {
            let first = sample * down;
            (sample, lines.start.max(first) - first..lines.end.min(first + down) - first)
        })
    }
}

impl Geometry {
    /// Whether a convolution is computed so, forward and back.
    pub(super) fn is_minimal<T>(&self) -> bool {
        let [_, rows, columns] = self.output;
        let tiles = self.batch * rows.div_ceil(2) * columns.div_ceil(2);
        size_of::<T>() == 4
            && self.groups == 1
            && self.kernel == [1, 3, 3]
            && self.stride == [1; 3]
            && self.dilation == [1; 3]
            && self.input[0] == 1
            && self.output[0] == 1
            && self.padding[1..].iter().all(|&padding| padding <= 2)
            && self.channels.min(self.filters) >= LEAST_CHANNELS
            && tiles >= LEAST_TILES
            // Not where too much of the tiles lies outside of the output.
            && 3 * PLACES * tiles <= 2 * 9 * self.batch * rows * columns
    }

    fn tiling(&self) -> Tiling {
        let plane = |sizes: [usize; 3]| [sizes[1], sizes[2]];
        let (input, padding, output) = (plane(self.input), plane(self.padding), plane(self.output));
        Tiling { batch: self.batch, input, padding, output }
    }
}

/// As [`forward`](super::forward).
pub(super) fn forward<T: Gemm>(x: &[T], w: &[T], epilogue: Option<Epilogue<T>>, geometry: &Geometry) -> Buffer<T> {
    let layer = Layer { tiling: geometry.tiling(), channels: geometry.channels, filters: geometry.filters };
    let windows = Windows { w, filter: geometry.channels, channel: 1, is_turned: false };
    layer.run(x, windows, epilogue)
}

/// As [`input`](super::input): a convolution of the output by the windows turned around.
pub(super) fn input<T: Gemm>(y: &[T], w: &[T], geometry: &Geometry) -> Buffer<T> {
    let Tiling { batch, input, padding, output } = geometry.tiling();
    let tiling = Tiling { batch, input: output, padding: padding.map(|padding| 2 - padding), output: input };
    let layer = Layer { tiling, channels: geometry.filters, filters: geometry.channels };
    let windows = Windows { w, filter: 1, channel: geometry.channels, is_turned: true };
    layer.run(y, windows, None)
}

/// What is computed: `[batch, channels, input]` to `[batch, filters, output]`.
struct Layer {
    tiling: Tiling,
    channels: usize,
    filters: usize,
}

impl Layer {
    fn run<T: Gemm>(&self, x: &[T], windows: Windows<T>, epilogue: Option<Epilogue<T>>) -> Buffer<T> {
        let Layer { tiling, channels, filters } = *self;
        let kernel = &T::kernels().windows;
        let panels = Panels { filters, height: kernel.height, channels };
        let weights = panels.transformed(windows);
        let [height, width] = tiling.output;
        let mut out = Buffer::scratch(tiling.batch * filters * height * width);
        let base = SharedMut::new(out.as_mut_ptr());
        let together = self.lines_together::<T>();
        let multiplications = tiling.lines() * tiling.across() * PLACES * channels * filters;
        share::share(multiplications, share::tiled::<T>(), tiling.lines().div_ceil(together), |piece| {
            let lines = piece * together..tiling.lines().min((piece + 1) * together);
            let part = Part::new(&tiling, lines);
            let (count, pitch) = (part.count(), part.pitch);
            let mut elements = Buffer::scratch(PLACES * part.place(channels));
            part.inward(x, channels, &mut elements);
            let distances = Distances::new((0..channels).map(|channel| channel * pitch).collect());
            let runs = Runs::flat(count, kernel.lanes, ROW * pitch);
            let mut sums = Buffer::scratch((kernel.height.min(filters) + 1) * ROW * pitch);
            for panel in 0..panels.count() {
                let rows = panels.rows(panel);
                let start = &[T::ZERO; TALLEST][..rows.len()];
                for (place, elements) in elements.chunks_exact(part.place(channels)).enumerate() {
                    let weights = &weights[place * panels.place() + panel * panels.length()..];
                    let panel = Panel { start, weights, stride: kernel.height, distances: &distances };
                    tiles(kernel, &panel, &runs, elements, &mut sums[place * pitch..]);
                }
                part.outward(&sums, (filters, rows), epilogue, base);
            }
        });
        out
    }

    /// Lines of a piece: as many as have their transformed elements and a panel's sums in half of the second cache (all weights pass
    /// through the other half, for every piece), so many that tiles fill registers where that can be, and so few that there are pieces
    /// for all. Where there are few tiles, as many as let the threads end first. Sums do not depend on it.
    fn lines_together<T: Gemm>(&self) -> usize {
        let (lines, across) = (self.tiling.lines(), self.tiling.across());
        let kernel = &T::kernels().windows;
        let rows = self.channels + kernel.height.min(self.filters);
        let most = Caches::l2() / 2 / (rows * PLACES * across * size_of::<T>());
        let few = lines.div_ceil(PIECES);
        if few * across < FEW_TILES {
            // What the thread with the most pieces does: registers of tiles, and reading the weights, as long as one more.
            let work = |each: &usize| {
                let registers = (each * across).div_ceil(kernel.lanes);
                lines.div_ceil(*each).div_ceil(num_threads()) * (registers + 1)
            };
            return (1..=most.clamp(1, lines)).min_by_key(work).unwrap_or(1);
        }
        let most = most.min(few).max(1);
        let filling = LANES >> across.trailing_zeros().min(LANES.trailing_zeros());
        let most = if most > filling { most / filling * filling } else { most };
        // Pieces of about the same size.
        let each = lines.div_ceil(lines.div_ceil(most));
        each.next_multiple_of(filling).min(most)
    }
}
