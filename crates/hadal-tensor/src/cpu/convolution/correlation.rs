//! Sums of weights times the elements of windows, for the output of a convolution and for the gradient of its input.

use std::ops::Range;

use super::frame::Frame;
use super::runs::Runs;
use super::{PIECES, Samples};
use crate::cpu::buffer::Buffer;
use crate::cpu::float::Float;
use crate::cpu::gemm::kernels::Gemm;
use crate::cpu::gemm::kernels::kernel::Kernels;
use crate::cpu::gemm::kernels::vector::{NEAREST, prefetch_all};
use crate::cpu::gemm::kernels::window_lines::WindowLines;
use crate::cpu::gemm::kernels::window_places::{PlaceTile, WindowPlaces};
use crate::cpu::gemm::kernels::window_tile::{TALLEST, WindowKernel, WindowTiles};
use crate::cpu::gemm::{Epilogue, share};
use crate::cpu::rows::copy_row;
use crate::cpu::simd::{Task, dispatch};
use crate::cpu::threads::SharedMut;

/// Bytes of a group's input up to which that of the next group is asked for while sums are taken: what is read in stretches so short, with
/// sums between them, the processor fetches too late. Measurements are in `benches/README.md`.
const FETCHED: usize = 8 << 10;

/// An element of a window: how far from the window's place it lies in the frame, and its weight among those of a row.
#[derive(Clone, Copy)]
pub(super) struct Tap {
    pub distance: usize,
    pub weight: usize,
}

/// What is computed for places of the output that share their taps.
pub(super) struct Correlation {
    pub taps: Vec<Tap>,
    /// Places in each dimension.
    pub counts: [usize; 3],
    /// Where they lie in the output.
    pub start: [usize; 3],
    pub step: [usize; 3],
}

impl Correlation {
    /// Whether it is for all places of an output of these sizes.
    fn is_all_of(&self, output: [usize; 3]) -> bool {
        self.counts == output && self.step == [1; 3]
    }
}

/// The correlations that make an output `[batch, groups * rows, output]` of an input `[batch, groups * channels, ..]`.
pub(super) struct Plan {
    pub frame: Frame,
    pub batch: usize,
    pub groups: usize,
    /// Channels of a group.
    pub channels: usize,
    /// Channels of the output of a group.
    pub rows: usize,
    /// From the weights of a row to those of the next.
    pub row_stride: usize,
    /// The weights of a group.
    pub weights: usize,
    pub output: [usize; 3],
    pub correlations: Vec<Correlation>,
    pub multiplications: usize,
}

/// A correlation as the kernel reads it.
struct Prepared<T: 'static> {
    /// Panel by panel, taps times rows.
    weights: Vec<T>,
    distances: Vec<usize>,
    runs: Runs,
    way: Way<T>,
}

/// How sums are taken.
enum Way<T: 'static> {
    /// In registers of places; `direct`: they go to their places at once.
    Registers { direct: bool },
    /// In registers of rows, tile by tile of places.
    Places(&'static PlaceTile<T>),
    /// Line by line, in windows of so many lines and columns.
    Lines([usize; 2]),
}

impl Plan {
    /// The epilogue's bias has a number for each channel of the output.
    pub fn run<T: Gemm>(&self, x: &Samples<T>, w: &[T], epilogue: Option<Epilogue<T>>) -> Buffer<T> {
        let size = self.output.iter().product::<usize>() * self.rows * self.groups;
        let mut out = Buffer::scratch(self.batch * size);
        if out.is_empty() {
            return out;
        }
        let kernels = T::kernels();
        let runs: Vec<Runs> = self
            .correlations
            .iter()
            .map(|part| Runs::new(&self.frame, part.counts, kernels.windows.lanes, false))
            .collect();
        let tile = self.place_tile(&runs, kernels);
        let panels = self.rows.div_ceil(tile.map_or(kernels.windows.height, |tile| tile.rows));
        let prepared: Vec<Prepared<T>> = self
            .correlations
            .iter()
            .zip(runs)
            .map(|(part, runs)| {
                let way = tile.map_or_else(|| self.way(part, &runs, kernels), Way::Places);
                self.prepare(part, w, panels, runs, way)
            })
            .collect();
        // A piece is a part of a sample's panels.
        let units = self.groups * panels;
        let splits = PIECES.div_ceil(self.batch).min(units);
        let base = SharedMut::new(out.as_mut_ptr());
        // With few taps, writing an element takes longer than its sum: as some 16 multiplications.
        let work = self.multiplications.saturating_add(16 * out.len());
        share::share(work, share::tiled::<T>(), self.batch * splits, |piece| {
            let (sample, split) = (piece / splits, piece % splits);
            let units = split * units / splits..(split + 1) * units / splits;
            let (first, end) = (self.first_row(units.start, panels), self.first_row(units.end, panels));
            let place = size / (self.rows * self.groups);
            // SAFETY: each piece has rows of its own, within the buffer.
            let out = unsafe { base.part(sample * size + first * place, (end - first) * place) };
            self.units(kernels, x, &prepared, epilogue, sample, units, panels, out);
        });
        out
    }

    /// The first row of a unit, counted over all groups.
    fn first_row(&self, unit: usize, panels: usize) -> usize {
        unit / panels * self.rows + unit % panels * self.rows / panels
    }

    /// Computes panels of a sample into `out`, which begins with the rows of the first.
    #[allow(clippy::too_many_arguments)]
    fn units<T: Gemm>(
        &self,
        kernels: &Kernels<T>,
        x: &Samples<T>,
        prepared: &[Prepared<T>],
        epilogue: Option<Epilogue<T>>,
        sample: usize,
        units: Range<usize>,
        panels: usize,
        out: &mut [T],
    ) {
        let kernel = &kernels.windows;
        let input = x.length / self.groups.max(1);
        let mut frame = Buffer::filled(self.frame.length(self.channels), T::ZERO);
        let staged = |part: &&Prepared<T>| matches!(part.way, Way::Registers { direct: false });
        let room = prepared.iter().filter(staged).map(|part| part.runs.room).max().unwrap_or(0);
        let beside = self.beside();
        let mut stage = Buffer::scratch(beside * room * kernel.height.min(self.rows));
        let place: usize = self.output.iter().product();
        let first = self.first_row(units.start, panels);
        let mut framed = None;
        for unit in units {
            let group = unit / panels;
            if framed != Some(group) {
                let x = &x.from(sample)[group * input..];
                self.frame.fill(&x[..input], self.channels, &mut frame);
                if input * size_of::<T>() <= FETCHED {
                    prefetch_all::<T, NEAREST>(x.as_ptr().wrapping_add(input), input);
                }
                framed = Some(group);
            }
            let begin = self.first_row(unit, panels);
            let rows = self.first_row(unit + 1, panels) - begin;
            let out = &mut out[(begin - first) * place..][..rows * place];
            let zeros = [T::ZERO; TALLEST];
            let start = epilogue.map_or(&zeros[..rows], |epilogue| &epilogue.bias[begin..begin + rows]);
            for (parts, prepared) in self.correlations.chunks(beside).zip(prepared.chunks(beside)) {
                for (index, (part, prepared)) in parts.iter().zip(prepared).enumerate() {
                    let weights = &prepared.weights[begin * part.taps.len()..][..rows * part.taps.len()];
                    let panel = Panel { start, weights, distances: &prepared.distances };
                    match prepared.way {
                        Way::Registers { direct: true } => tiles(kernel, &panel, &prepared.runs, &frame, out),
                        Way::Registers { direct: false } => {
                            tiles(kernel, &panel, &prepared.runs, &frame, &mut stage[index * rows * room..]);
                        }
                        Way::Places(tile) => self.places(tile, &panel, &frame, out),
                        Way::Lines(window) => self.lines(kernels, window, &panel, &frame, out),
                    }
                }
                if prepared.iter().any(|prepared| staged(&prepared)) {
                    let sums = &stage[..parts.len() * rows * room];
                    dispatch(Place { parts, prepared, sums, rows, output: self.output, out: &mut *out });
                }
            }
            if epilogue.is_some_and(|epilogue| epilogue.relu) {
                dispatch(ReluInPlace(out));
            }
        }
    }

    /// The sums of registers of rows.
    fn places<T: Gemm>(&self, tile: &PlaceTile<T>, panel: &Panel<T>, frame: &[T], out: &mut [T]) {
        let [_, lines, columns] = self.output;
        let (taps, pitch) = (panel.distances.len(), self.frame.pitch);
        let reach = panel.distances.iter().max().map_or(0, |distance| distance + (lines - 1) * pitch + columns);
        assert!(
            tile.sums([lines, columns]).is_some()
                && panel.start.len() == tile.rows
                && taps * tile.rows <= panel.weights.len()
                && reach <= frame.len()
                && tile.rows * lines * columns <= out.len(),
            "convolution: {} rows at {lines} x {columns} places, reach {reach} of {}",
            tile.rows,
            frame.len()
        );
        let windows = WindowPlaces {
            taps,
            weights: panel.weights.as_ptr(),
            start: panel.start.as_ptr(),
            distances: panel.distances.as_ptr(),
            frame: frame.as_ptr(),
            pitch,
            places: [lines, columns],
            out: out.as_mut_ptr(),
            out_stride: lines * columns,
        };
        // SAFETY: kernels are those of the level in use, and the sizes were just checked.
        unsafe { (tile.places)(&windows) }
    }

    /// The tile with the fewest sums, where they are a sixth fewer than in registers of places at least.
    fn place_tile<T: Gemm>(&self, runs: &[Runs], kernels: &'static Kernels<T>) -> Option<&'static PlaceTile<T>> {
        let (kernel, [planes, lines, columns]) = (&kernels.window_places, self.output);
        let ([part], [runs]) = (&self.correlations[..], runs) else { return None };
        if !part.is_all_of(self.output) || planes != 1 {
            return None;
        }
        let fits = |tile: &&PlaceTile<T>| self.rows.is_multiple_of(tile.rows);
        let counted = kernel.tiles.iter().filter(fits).filter_map(|tile| Some((tile.sums([lines, columns])?, tile)));
        let (sums, tile) = counted.min_by_key(|(sums, _)| *sums)?;
        // Registers of rows take a load for each place, one of places serves several rows.
        (6 * sums <= 5 * kernel.lanes * runs.registers).then_some(tile)
    }

    fn way<T: Gemm>(&self, part: &Correlation, runs: &Runs, kernels: &Kernels<T>) -> Way<T> {
        match self.window(part, kernels) {
            Some(window) => Way::Lines(window),
            None => Way::Registers { direct: part.is_all_of(self.output) && runs.are_dense(part.counts) },
        }
    }

    /// The sums of one row of weights and one channel.
    fn lines<T: Gemm>(&self, kernels: &Kernels<T>, window: [usize; 2], panel: &Panel<T>, frame: &[T], out: &mut [T]) {
        let kernel = &kernels.window_lines;
        let ([_, rows, columns], pitch, first) = (self.output, self.frame.pitch, panel.distances[0]);
        assert!(
            kernel.heights.contains(&window[0])
                && columns >= kernel.lanes
                && rows > 0
                && panel.start.len() == 1
                && window[0] * window[1] <= panel.weights.len()
                && first + (rows + window[0] - 2) * pitch + columns + window[1] - 1 <= frame.len()
                && rows * columns <= out.len(),
            "convolution: {window:?} at {rows} x {columns} places of {}",
            frame.len()
        );
        let lines = WindowLines {
            window,
            weights: panel.weights.as_ptr(),
            start: panel.start.as_ptr(),
            frame: frame[first..].as_ptr(),
            pitch,
            places: [rows, columns],
            out: out.as_mut_ptr(),
        };
        // SAFETY: kernels are those of the level in use, and the sizes were just checked.
        unsafe { (kernel.lines)(&lines) }
    }

    /// The lines and columns of the window where there is a kernel that takes sums line by line: for one row of weights and one
    /// channel, whose elements lie in the frame as do the places.
    fn window<T: Gemm>(&self, part: &Correlation, kernels: &Kernels<T>) -> Option<[usize; 2]> {
        let kernel = &kernels.window_lines;
        let first = part.taps.first()?.distance;
        let width = part.taps.iter().zip(first..).take_while(|(tap, distance)| tap.distance == *distance).count();
        let at = |tap: usize| first + tap / width * self.frame.pitch + tap % width;
        let height = part.taps.len() / width;
        let is_box =
            height * width == part.taps.len() && part.taps.iter().enumerate().all(|(i, tap)| tap.distance == at(i));
        let is_plane = part.is_all_of(self.output) && part.counts[0] == 1;
        let fits = self.rows == 1 && is_box && is_plane && part.counts[2] >= kernel.lanes;
        (fits && kernel.heights.contains(&height)).then_some([height, width])
    }

    /// How many correlations, one after another, are for the same lines of the output.
    fn beside(&self) -> usize {
        let lines = |part: &Correlation| [part.start[0], part.start[1]];
        let first = self.correlations.first().map(lines);
        self.correlations.iter().take_while(|part| Some(lines(part)) == first).count().max(1)
    }

    fn prepare<T: Gemm>(&self, part: &Correlation, w: &[T], panels: usize, runs: Runs, way: Way<T>) -> Prepared<T> {
        let mut weights = Vec::with_capacity(self.groups * self.rows * part.taps.len());
        for unit in 0..self.groups * panels {
            let (group, rows) = (unit / panels, self.first_row(unit, panels)..self.first_row(unit + 1, panels));
            let rows = rows.start - group * self.rows..rows.end - group * self.rows;
            let w = &w[group * self.weights..][..self.weights];
            for tap in &part.taps {
                weights.extend(rows.clone().map(|row| w[row * self.row_stride + tap.weight]));
            }
        }
        let distances = part.taps.iter().map(|tap| tap.distance).collect();
        Prepared { weights, distances, runs, way }
    }
}

/// The sums of correlations for the same lines, for as many rows as each, which go where they belong in the output.
struct Place<'a, T: 'static> {
    parts: &'a [Correlation],
    prepared: &'a [Prepared<T>],
    sums: &'a [T],
    rows: usize,
    output: [usize; 3],
    out: &'a mut [T],
}

impl<T: Float> Task for Place<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Place { parts, prepared, sums, rows, output: [planes, height, width], out } = self;
        let own = sums.len() / parts.len();
        let Correlation { counts: [depth, lines, _], start, step, .. } = parts[0];
        for row in 0..rows {
            let out = &mut out[row * planes * height * width..][..planes * height * width];
            for plane in 0..depth {
                for line in 0..lines {
                    let sums = |index: usize| {
                        let Runs { room, pitch, rows, .. } = prepared[index].runs;
                        &sums[index * own + row * room + (plane * rows + line) * pitch..][..parts[index].counts[2]]
                    };
                    let place = (start[0] + plane * step[0]) * height + start[1] + line * step[1];
                    let out = &mut out[place * width..][..width];
                    if step[2] == 2 && parts.len() == 2 {
                        interleave(sums(0), sums(1), out);
                        continue;
                    }
                    for (index, part) in parts.iter().enumerate() {
                        let (sums, out) = (sums(index), &mut out[part.start[2]..]);
                        if step[2] == 1 {
                            copy_row(sums, &mut out[..sums.len()]);
                        } else {
                            for (i, &sum) in sums.iter().enumerate() {
                                out[i * step[2]] = sum;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `out` by turns from `even` and `odd`.
#[inline(always)]
fn interleave<T: Float>(even: &[T], odd: &[T], out: &mut [T]) {
    const BLOCK: usize = 8;
    let mut done = 0;
    let blocks = even.as_chunks::<BLOCK>().0.iter().zip(odd.as_chunks::<BLOCK>().0);
    for (out, (even, odd)) in out.as_chunks_mut::<{ 2 * BLOCK }>().0.iter_mut().zip(blocks) {
        // Not into `out` at once, which would be done element by element.
        let mut block = [T::ZERO; 2 * BLOCK];
        for i in 0..BLOCK {
            block[2 * i] = even[i];
            block[2 * i + 1] = odd[i];
        }
        *out = block;
        done += BLOCK;
    }
    for i in 2 * done..out.len() {
        out[i] = if i % 2 == 0 { even[i / 2] } else { odd[i / 2] };
    }
}

/// What is negative becomes 0, while it is near the processor.
struct ReluInPlace<'a, T>(&'a mut [T]);

impl<T: Float> Task for ReluInPlace<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for x in self.0 {
            *x = x.relu();
        }
    }
}

/// Rows of weights, side by side for each distance, and what the sums of each row begin with.
struct Panel<'a, T> {
    start: &'a [T],
    weights: &'a [T],
    distances: &'a [usize],
}

/// The sums of a panel at the places of `runs`.
fn tiles<T: Gemm>(kernel: &WindowKernel<T>, panel: &Panel<T>, runs: &Runs, frame: &[T], out: &mut [T]) {
    let Panel { start, weights, distances } = *panel;
    let rows = start.len();
    let (reach, end) = runs.ends;
    let reach = distances.iter().max().map_or(0, |distance| distance + reach);
    let listed = runs.registers * if runs.halves { 2 } else { 1 };
    assert!(
        (1..=kernel.height).contains(&rows)
            && distances.len() * rows <= weights.len()
            && runs.lanes == kernel.lanes
            && [runs.places.len(), runs.outs.len()] == [listed; 2]
            && reach <= frame.len()
            && end <= runs.room
            && rows * runs.room <= out.len(),
        "convolution: {rows} rows of {} weights, {} places, reach {reach} of {}",
        weights.len(),
        runs.room,
        frame.len()
    );
    let tiles = WindowTiles {
        rows,
        taps: distances.len(),
        weights: weights.as_ptr(),
        start: start.as_ptr(),
        distances: distances.as_ptr(),
        frame: frame.as_ptr(),
        registers: runs.registers,
        places: runs.places.as_ptr(),
        outs: runs.outs.as_ptr(),
        out: out.as_mut_ptr(),
        out_stride: runs.room,
    };
    // SAFETY: kernels are those of the level in use, and the sizes were just checked.
    unsafe { if runs.halves { (kernel.halves)(&tiles) } else { (kernel.tiles)(&tiles) } }
}
