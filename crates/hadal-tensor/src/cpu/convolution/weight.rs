//! What a convolution sends back to its weight: dot products of the output's rows with the input's frame.

use super::frame::Frame;
use super::runs::Runs;
use super::{PIECES, Samples, winograd};
use crate::backend::Geometry;
use crate::cpu::buffer::{Buffer, Plain};
use crate::cpu::caches::Caches;
use crate::cpu::elementwise::add_to;
use crate::cpu::gemm::kernels::Gemm;
use crate::cpu::gemm::kernels::window_dots::{WindowDotKernel, WindowDots};
use crate::cpu::gemm::share;
use crate::cpu::rows::copy_row;
use crate::cpu::threads::SharedMut;

/// Parts of the samples whose gradients are added up by themselves first, at most.
const PARTS: usize = 16;

/// Elements of the gradients of all parts, at most, where there is more than one.
const MOST: usize = 4 << 20;

/// Bytes of a group that samples are taken together up to, where there are several groups: a group's samples lie far apart, and only what
/// is read in order is fetched before it is asked for.
const STRETCH: usize = 1024;

/// The parts of so many samples or lines, given the elements of a gradient.
pub(super) fn parts(length: usize, units: usize) -> usize {
    PARTS.min(MOST / length.max(1)).min(units).max(1)
}

/// `[N, C, input]` and `[N, O, output]` to `[O, C / groups, kernel]`.
pub(in super::super) fn weight<T: Gemm>(x: &Samples<T>, y: &Samples<T>, geometry: &Geometry) -> Buffer<T> {
    if geometry.is_minimal_for_weight::<T>() {
        return winograd::weight(x, y, geometry);
    }
    let frame = geometry.frame();
    let taps = geometry.taps(&frame);
    let length = geometry.filters * taps.len();
    let parts = parts(length, geometry.batch);
    let kernel = &T::kernels().window_dots;
    let filters = geometry.filters / geometry.groups;
    // A piece is a part of the samples, for a part of the filters: whole groups, or panels of the only one.
    let units = if geometry.groups > 1 { geometry.groups } else { filters.div_ceil(kernel.height) };
    let splits = PIECES.div_ceil(parts).min(units).max(1);
    let mut sums: Buffer<T> = Buffer::scratch(parts * length);
    let base = SharedMut::new(sums.as_mut_ptr());
    let runs = Runs::new(&frame, geometry.output, kernel.lanes, true);
    let distances: Vec<usize> = taps.iter().map(|tap| tap.distance).collect();
    let work = Work { x, y, geometry, frame: &frame, distances: &distances, runs: &runs, kernel };
    share::share(geometry.multiplications(), share::tiled::<T>(), parts * splits, |piece| {
        let (part, split) = (piece / splits, piece % splits);
        let row = |unit: usize| unit * geometry.filters / units;
        let rows = row(split * units / splits)..row((split + 1) * units / splits);
        // SAFETY: each piece has rows of a part of its own, within the buffer.
        let sum = unsafe { base.part(part * length + rows.start * taps.len(), rows.len() * taps.len()) };
        sum.fill(T::ZERO);
        let samples = part * geometry.batch / parts..(part + 1) * geometry.batch / parts;
        work.add(samples, rows, sum);
    });
    let mut out = Buffer::from_slice(&sums[..length]);
    for part in sums.chunks_exact(length.max(1)).skip(1) {
        add_to(&mut out, part);
    }
    out
}

/// What all pieces share.
struct Work<'a, T: Plain> {
    x: &'a Samples<'a, T>,
    y: &'a Samples<'a, T>,
    geometry: &'a Geometry,
    frame: &'a Frame,
    distances: &'a [usize],
    runs: &'a Runs,
    kernel: &'static WindowDotKernel<T>,
}

impl<T: Gemm> Work<'_, T> {
    /// Adds the gradients of filters, all of one group or whole groups, over samples.
    fn add(&self, samples: std::ops::Range<usize>, rows: std::ops::Range<usize>, sum: &mut [T]) {
        let geometry = self.geometry;
        let (filters, channels) = (geometry.filters / geometry.groups, geometry.channels / geometry.groups);
        let input: usize = channels * geometry.input.iter().product::<usize>();
        let output: usize = geometry.output.iter().product();
        let dense = self.runs.are_dense(geometry.output);
        let room = self.runs.room;
        let frame_length = self.frame.length(channels);
        let most_rows = rows.len().min(filters);
        // So many samples at a time as have a tile's rows in the nearest cache, and all in the second.
        let tile = self.kernel.height.min(most_rows) * room * size_of::<T>();
        let all = (most_rows * room + frame_length) * size_of::<T>();
        let near = (2 * Caches::l1d() / tile.max(1)).min(Caches::l2() / 2 / all);
        let apart = if geometry.groups > 1 { STRETCH / (input * size_of::<T>()).max(1) } else { usize::MAX };
        let together = near.min(apart).clamp(1, samples.len().max(1));
        // The zeros between what is laid out stay.
        let mut frames = Buffer::filled(together * frame_length, T::ZERO);
        let mut lines = Buffer::filled(if dense { 0 } else { together * most_rows * room }, T::ZERO);
        let taps = self.distances.len();
        for start in samples.clone().step_by(together) {
            let count = together.min(samples.end - start);
            let mut first = rows.start;
            while first < rows.end {
                let group = first / filters;
                let here = first..rows.end.min((group + 1) * filters);
                let sum = &mut sum[(first - rows.start) * taps..][..here.len() * taps];
                for (i, sample) in (start..start + count).enumerate() {
                    let x = &self.x.from(sample)[group * input..][..input];
                    self.frame.fill(x, channels, &mut frames[i * frame_length..][..frame_length]);
                    for (j, row) in here.clone().enumerate().filter(|_| !dense) {
                        let y = &self.y.from(sample)[row * output..][..output];
                        self.line(y, &mut lines[(i * here.len() + j) * room..][..room]);
                    }
                }
                if dense {
                    let y = &self.y.from(start)[here.start * output..];
                    self.tiles(count, here.len(), y, self.y.distance, &frames, frame_length, sum);
                } else {
                    self.tiles(count, here.len(), &lines, here.len() * room, &frames, frame_length, sum);
                }
                first = here.end;
            }
        }
    }

    /// Lays a row of the output out as its places follow each other in the frame, with zeros between.
    fn line(&self, y: &[T], line: &mut [T]) {
        let [_, height, width] = self.geometry.output;
        for (row, y) in y.chunks_exact(width).enumerate() {
            let start = (row / height * self.frame.rows + row % height) * self.frame.pitch;
            copy_row(y, &mut line[start..start + width]);
        }
    }

    /// Adds the products of rows, which follow each other in `lines`, with all taps.
    #[allow(clippy::too_many_arguments)]
    fn tiles(
        &self,
        samples: usize,
        rows: usize,
        lines: &[T],
        line_sample: usize,
        frames: &[T],
        frame_length: usize,
        sum: &mut [T],
    ) {
        let (kernel, runs, distances) = (self.kernel, self.runs, self.distances);
        let (reach, end) = runs.ends;
        let reach = distances.iter().max().map_or(0, |distance| distance + reach);
        let listed = runs.registers * if runs.halves { 2 } else { 1 };
        assert!(
            samples > 0
                && runs.lanes == kernel.lanes
                && runs.places.len() == listed
                && runs.registers * kernel.lanes <= runs.room
                && end <= runs.room
                && reach <= frame_length
                && samples * frame_length <= frames.len()
                && (samples - 1) * line_sample + rows * runs.room <= lines.len()
                && rows * distances.len() <= sum.len(),
            "convolution: {samples} samples of {rows} rows, {} places, reach {reach} of {frame_length}",
            runs.room
        );
        let (down, across) = (rows.div_ceil(kernel.height), distances.len().div_ceil(kernel.width));
        for i in 0..down {
            let (top, bottom) = (i * rows / down, (i + 1) * rows / down);
            for j in 0..across {
                let (left, right) = (j * distances.len() / across, (j + 1) * distances.len() / across);
                let dots = WindowDots {
                    rows: bottom - top,
                    taps: right - left,
                    samples,
                    registers: runs.registers,
                    places: runs.places.as_ptr(),
                    row: lines[top * runs.room..].as_ptr(),
                    row_stride: runs.room,
                    row_sample: line_sample,
                    frame: frames.as_ptr(),
                    frame_sample: frame_length,
                    distances: distances[left..].as_ptr(),
                    out: sum[top * distances.len() + left..].as_mut_ptr(),
                    out_stride: distances.len(),
                };
                // SAFETY: kernels are those of the level in use, the sizes were just checked, and `top < bottom <= rows`,
                // `left < right <= distances.len()`.
                unsafe { if runs.halves { (kernel.halves)(&dots) } else { (kernel.dots)(&dots) } }
            }
        }
    }
}
