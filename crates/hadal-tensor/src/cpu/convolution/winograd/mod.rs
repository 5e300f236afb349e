//! Convolutions by windows of three by three with fewer multiplications: minimal filtering, F(4 x 4, 3 x 3) (Winograd 1980; Lavin and
//! Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section 4.3).
//!
//! The output is cut into tiles of 4 x 4 places. The 6 x 6 elements `d` that a tile's windows reach and the weights `g` of a window are
//! [transformed](transform), multiplied place by place and summed over the channels, and the sums transformed into the tile:
//! `Y = At [(G g Gt) . (Bt d B)] A`. That takes 36 multiplications for each channel in place of 144, and the sums are 36
//! products of matrices, of tiles and weights. Results differ from those of sums of products by a few roundings. Numbers of
//! 64 bits are not computed so.
//!
//! Images are transposed so that channels lie side by side, and their tiles fill registers however small the images are.

mod products;
mod room;
#[cfg(test)]
mod tests;
mod tiles;
mod transform;
mod weight;
mod windows;

pub(super) use weight::weight;

use std::ops::Range;

use super::{PIECES, Samples};
use crate::backend::Geometry;
use crate::cpu::buffer::Buffer;
use crate::cpu::caches::Caches;
use crate::cpu::gemm::kernels::Gemm;
use crate::cpu::gemm::{Epilogue, Matrix, share, transpose};
use crate::cpu::threads::{SharedMut, num_threads};
use products::{Left, Right, Sums, kernel_for, products};
use room::{padded, tile};
use tiles::{Images, Outward};
use transform::Elements;
use windows::{Panels, Windows};

/// The rows and columns of a tile.
const TILE: usize = 4;

/// Those of the elements that its windows reach.
const SIDE: usize = TILE + 2;

/// The places of a transformed tile.
const PLACES: usize = SIDE * SIDE;

/// Multiplications that take as long as the transforms for a channel or filter at a place, of images to images. From what 16 to 64 channels
/// take on images of 8 x 8 to 32 x 32, beside sums of products (`benches/README.md`): 70 to 100 at AVX-512, 60 to 65 at AVX2.
const OF_IMAGES: usize = 72;

/// The same where what comes out are sums for a weight: 15 to 40.
const OF_GRADIENTS: usize = 24;

/// Multiplications that take as long as an element of the transformed weights.
const OF_WEIGHTS: usize = 16;

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
        self.output[0].div_ceil(TILE)
    }

    /// Tiles of a line.
    fn across(&self) -> usize {
        self.output[1].div_ceil(TILE)
    }

    /// Lines of tiles of all samples.
    fn lines(&self) -> usize {
        self.batch * self.down()
    }

    /// A range of lines by sample: the sample, and which of its lines.
    fn samples(&self, lines: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> + use<> {
        let down = self.down();
        (lines.start / down..lines.end.div_ceil(down)).map(move |sample| {
            let first = sample * down;
            (sample, lines.start.max(first) - first..lines.end.min(first + down) - first)
        })
    }
}

impl Geometry {
    /// Whether a convolution is computed so, forward and back to the input.
    pub(super) fn is_minimal<T>(&self) -> bool {
        self.pays::<T>(OF_IMAGES)
    }

    /// Whether a weight's gradient is.
    pub(super) fn is_minimal_for_weight<T>(&self) -> bool {
        self.pays::<T>(OF_GRADIENTS)
    }

    /// Whether tiles take less time than sums of products do, in multiplications, where the windows are such as tiles are for.
    fn pays<T>(&self, transform: usize) -> bool {
        let [_, rows, columns] = self.output;
        let fits = size_of::<T>() == 4
            && self.groups == 1
            && self.kernel == [1, 3, 3]
            && self.stride == [1; 3]
            && self.dilation == [1; 3]
            && self.input[0] == 1
            && self.output[0] == 1
            && self.padding[1..].iter().all(|&padding| padding <= 2);
        // As numbers that cannot wrap.
        let [batch, rows, columns, channels, filters, transform] =
            [self.batch, rows, columns, self.channels, self.filters, transform].map(|count| count as f64);
        let [wide_channels, wide_filters] = [self.channels, self.filters].map(|count| padded(count) as f64);
        let [tile, places, of_weights] = [TILE, PLACES, OF_WEIGHTS].map(|count| count as f64);
        let tiles = batch * (rows / tile).ceil() * (columns / tile).ceil();
        let weights = places * wide_channels * wide_filters;
        let each = weights + tile * tile * transform * (wide_channels + wide_filters);
        fits && tiles * each + of_weights * weights < batch * rows * columns * 9.0 * channels * filters
    }

    fn tiling(&self) -> Tiling {
        let plane = |sizes: [usize; 3]| [sizes[1], sizes[2]];
        let (input, padding, output) = (plane(self.input), plane(self.padding), plane(self.output));
        Tiling { batch: self.batch, input, padding, output }
    }
}

/// As [`forward`](super::forward).
pub(super) fn forward<T: Gemm>(
    x: &Samples<T>,
    w: &[T],
    epilogue: Option<Epilogue<T>>,
    geometry: &Geometry,
) -> Buffer<T> {
    let Geometry { channels, filters, .. } = *geometry;
    let windows = Windows { w, filters, channels, from_filter: channels, from_channel: 1, are_turned: false };
    Layer { tiling: geometry.tiling(), windows, epilogue }.run(x)
}

/// As [`input`](super::input): a convolution of the output by the windows turned around.
pub(super) fn input<T: Gemm>(y: &Samples<T>, w: &[T], geometry: &Geometry) -> Buffer<T> {
    let Geometry { channels, filters, .. } = *geometry;
    let Tiling { batch, input, padding, output } = geometry.tiling();
    let tiling = Tiling { batch, input: output, padding: padding.map(|padding| 2 - padding), output: input };
    let windows =
        Windows { w, filters: channels, channels: filters, from_filter: 1, from_channel: channels, are_turned: true };
    Layer { tiling, windows, epilogue: None }.run(y)
}

/// What is computed: `[batch, channels, input]` to `[batch, filters, output]`.
struct Layer<'a, T> {
    tiling: Tiling,
    windows: Windows<'a, T>,
    epilogue: Option<Epilogue<'a, T>>,
}

impl<T: Gemm> Layer<'_, T> {
    fn run(&self, x: &Samples<T>) -> Buffer<T> {
        let Layer { tiling, windows, .. } = self;
        let Windows { filters, channels, .. } = *windows;
        let kernel = kernel_for::<T>(padded(filters));
        let panels = Panels { filters, width: padded(kernel.width), channels };
        let weights = windows.transformed(&panels);
        let [height, width] = tiling.output;
        let mut out = Buffer::scratch(tiling.batch * filters * height * width);
        let base = SharedMut::new(out.as_mut_ptr());
        let together = self.lines_together(&panels, kernel.height);
        let multiplications = tiling.lines() * tiling.across() * PLACES * channels * filters;
        share::share(multiplications, share::tiled::<T>(), tiling.lines().div_ceil(together), |piece| {
            let lines = piece * together..tiling.lines().min((piece + 1) * together);
            let count = lines.len() * tiling.across();
            let mut elements = Buffer::scratch(count * tile(padded(channels)));
            let images = Images { x, own: 0..channels, size: tiling.input, padding: tiling.padding };
            images.tiles::<Elements>(tiling, lines.clone(), &mut elements);
            let left =
                Left { data: &elements, rows: count, row: tile(padded(channels)), column: 1, place: padded(channels) };
            let mut sums = Buffer::scratch(count * tile(panels.width));
            for panel in 0..panels.count() {
                let data = &weights[panel * panels.length()..];
                let right = Right { data, columns: panels.width, row: panels.width, place: panels.place() };
                let to = Sums { data: &mut sums, row: tile(panels.width), place: panels.width, accumulate: false };
                products(kernel, channels, &left, &right, to);
                self.places(lines.clone(), &sums, &panels, panel, base);
            }
        });
        out
    }

    /// Writes what the sums of lines come to for the filters of a panel.
    fn places(&self, lines: Range<usize>, mut sums: &[T], panels: &Panels, panel: usize, out: SharedMut<T>) {
        let Layer { tiling, windows, epilogue } = self;
        let [height, width] = tiling.output;
        let across = tiling.across();
        let filters = panels.filters(panel);
        let mut bias = vec![T::ZERO; panels.width];
        if let Some(epilogue) = epilogue {
            bias[..filters.len()].copy_from_slice(&epilogue.bias[filters.clone()]);
        }
        let relu = epilogue.is_some_and(|epilogue| epilogue.relu);
        let most = height.min(TILE * lines.len());
        let mut block = Buffer::scratch(most * width * panels.width);
        for (sample, lines) in tiling.samples(lines) {
            let (top, bottom) = (TILE * lines.start, height.min(TILE * lines.end));
            let (rows, bias) = (bottom - top, &bias);
            Outward { sums, across, rows, width, bias, relu, out: &mut block }.transform();
            let first = ((sample * windows.filters + filters.start) * height + top) * width;
            let from = Matrix { data: &block, offset: 0, row_stride: 1, column_stride: panels.width as isize };
            assert!(sample < tiling.batch && filters.end <= windows.filters && bottom <= height);
            // SAFETY: the rows of these filters lie within the output, as was just checked, and are this piece's alone.
            unsafe { transpose(from, filters.len(), rows * width, height * width, out.pointer().add(first)) };
            sums = &sums[lines.len() * across * tile(panels.width)..];
        }
    }

    /// Lines of a piece: so many as let the threads end first, if a row of registers of tiles takes as long as what a piece takes in
    /// any case. Their transformed elements and a panel's sums have a quarter of the second cache, or three quarters where that would
    /// be fewer than some rows of registers. There are pieces for all. Sums do not depend on it.
    fn lines_together(&self, panels: &Panels, height: usize) -> usize {
        let (lines, across) = (self.tiling.lines(), self.tiling.across());
        let bytes = across * (tile(padded(panels.channels)) + tile(panels.width)) * size_of::<T>();
        let few = (3 * height).div_ceil(across);
        let most = (Caches::l2() / 4 / bytes).max(few.min(Caches::l2() / 4 * 3 / bytes));
        let most = most.min(lines.div_ceil(PIECES).max(few));
        let work =
            |each: &usize| lines.div_ceil(*each).div_ceil(num_threads()) * ((each * across).div_ceil(height) + 1);
        (1..=most.clamp(1, lines)).min_by_key(work).unwrap_or(1)
    }
}
