//! Every kernel of every level that the processor has beside the naive loop: odd sizes, strides and alignments, and nothing
//! written beside where it belongs.

use proptest::prelude::*;

use super::dot_tile::{self, DotKernel, DotTile};
use super::kernel::Level;
use super::kernel::TileKernels;
use super::sparse_rows::{LISTED, SparseKernel, SparseRows};
use super::store::Target;
use super::tile::{TileKernel, Tiles};
use super::window_dots::{WindowDotKernel, WindowDots};
use super::window_lines::{WindowLineKernel, WindowLines};
use super::window_places::{WindowPlaceKernel, WindowPlaces};
use super::window_tile::{WindowKernel, WindowTiles};
use super::{Gemm, LEVELS};
use crate::cpu::simd::available_levels;

/// The levels with kernels that this processor has.
fn levels() -> impl Iterator<Item = &'static Level> {
    let available = available_levels();
    LEVELS.iter().copied().filter(move |level| available.contains(&level.level))
}

/// Numbers between -1 and 1.
fn numbers<T: Gemm>(length: usize, seed: usize) -> Vec<T> {
    (0..length).map(|i| T::from_f64(((i * 7919 + seed * 104729) % 1009) as f64 / 504.5 - 1.0)).collect()
}

/// Asserts that `out` is `before` but for the places of a matrix, each of which is what it `should` be.
fn compare<T: Gemm + Into<f64>>(
    (before, out): (&[T], &[T]),
    (rows, columns): (usize, usize),
    place: impl Fn(usize, usize) -> usize,
    tolerance: f64,
    should: impl Fn(usize, usize) -> f64,
) {
    let mut expected: Vec<f64> = before.iter().map(|&x| x.into()).collect();
    let mut inside = vec![false; before.len()];
    for i in 0..rows {
        for j in 0..columns {
            expected[place(i, j)] = should(i, j);
            inside[place(i, j)] = true;
        }
    }
    for (index, &got) in out.iter().enumerate() {
        let error = (got.into() - expected[index]).abs();
        let bound = if inside[index] { tolerance } else { 0.0 };
        assert!(error <= bound, "element {index}, in the tile: {}: {error:e} above {bound:e}", inside[index]);
    }
}

/// What one number type's sums of so many products may be off by.
fn tolerance<T: Gemm>(depth: usize) -> f64 {
    (if size_of::<T>() == 4 { 3e-7 } else { 6e-16 }) * (depth as f64 + 2.0)
}

#[derive(Clone, Debug)]
struct Case {
    rows: usize,
    depth: usize,
    columns: usize,
    left_turned: bool,
    by_columns: bool,
    accumulate: bool,
    gap: usize,
    offset: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (0usize..12, 1usize..40, 1usize..100);
    (sizes, any::<(bool, bool, bool)>(), 0usize..4, 0usize..5).prop_map(|(sizes, flags, gap, offset)| {
        let ((rows, depth, columns), (left_turned, by_columns, accumulate)) = (sizes, flags);
        Case { rows, depth, columns, left_turned, by_columns, accumulate, gap, offset }
    })
}

fn check_tiles<T: Gemm + Into<f64>>(kernel: &TileKernel<T>, case: &Case, direct: bool) {
    let Case { depth, columns, gap, offset, accumulate, .. } = *case;
    let rows = 1 + case.rows % kernel.height;
    let (row_stride, depth_stride) = if case.left_turned { (1, rows + gap) } else { (depth + gap, 1) };
    let left: Vec<T> = numbers(offset + (rows - 1) * row_stride + (depth - 1) * depth_stride + 1, 1);
    // As it lies, the right matrix ends with its last element; packed, it fills whole panels.
    let width = kernel.width;
    let (b_stride, panel_step) = if direct { (columns + gap, width) } else { (width, width * depth) };
    let panels = columns.div_ceil(width);
    let length = if direct { (depth - 1) * b_stride + columns } else { panels * panel_step };
    let right: Vec<T> = numbers(offset + length, 2);
    let b = |k: usize, j: usize| right[offset + j / width * panel_step + k * b_stride + j % width].into();
    let down = columns + gap;
    let before: Vec<T> = numbers(offset + (rows - 1) * down + columns + 40, 3);
    let mut out = before.clone();
    let tiles = Tiles {
        rows,
        depth,
        columns,
        a: left[offset..].as_ptr(),
        row_stride: row_stride as isize,
        depth_stride: depth_stride as isize,
        b: right[offset..].as_ptr(),
        b_stride,
        panel_step,
        out: Target { pointer: out[offset..].as_mut_ptr(), row_stride: down, accumulate },
    };
    // SAFETY: the level is available, and all three matrices were made for these sizes and strides.
    unsafe { if direct { (kernel.direct)(&tiles) } else { (kernel.tiles)(&tiles) } }
    let place = |i: usize, j: usize| offset + i * down + j;
    compare((&before, &out), (rows, columns), place, tolerance::<T>(depth), |i, j| {
        let a = |k: usize| left[offset + i * row_stride + k * depth_stride].into();
        let there = if accumulate { before[place(i, j)].into() } else { 0.0 };
        there + (0..depth).map(|k| a(k) * b(k, j)).sum::<f64>()
    });
}

fn check_dots<T: Gemm + Into<f64>>(kernel: &DotKernel<T>, case: &Case, wide: bool) {
    let Case { depth, gap, offset, .. } = *case;
    let (rows, columns) = (1 + case.rows % dot_tile::HEIGHT, if wide { kernel.width } else { 1 });
    let stride = depth + gap;
    let left: Vec<T> = numbers(offset + (rows - 1) * stride + depth, 4);
    let right: Vec<T> = numbers(offset + (columns - 1) * stride + depth, 5);
    let (down, across) = if case.by_columns { (1, rows + gap) } else { (columns + gap, 1) };
    let before: Vec<T> = numbers(offset + (rows + gap) * (columns + gap) + 20, 6);
    let mut out = before.clone();
    let tile = DotTile {
        rows,
        depth,
        a: left[offset..].as_ptr(),
        row_stride: stride as isize,
        b: right[offset..].as_ptr(),
        column_stride: stride as isize,
        out: out[offset..].as_mut_ptr(),
        out_row_stride: down,
        out_column_stride: across,
    };
    // SAFETY: the level is available, and all three matrices were made for these sizes and strides.
    unsafe { if wide { (kernel.wide)(&tile) } else { (kernel.single)(&tile) } }
    let place = |i: usize, j: usize| offset + i * down + j * across;
    compare((&before, &out), (rows, columns), place, tolerance::<T>(depth), |i, j| {
        (0..depth).map(|k| left[offset + i * stride + k].into() * right[offset + j * stride + k].into()).sum()
    });
}

fn check_sparse<T: Gemm + Into<f64>>(kernel: &SparseKernel<T>, case: &Case) {
    let Case { depth, gap, offset, accumulate, .. } = *case;
    let wide = 1 + case.columns % kernel.registers;
    let width = wide * kernel.lanes;
    // Rows of differing numbers of places, some of none.
    let visited = |i: usize| (0..depth).filter(move |k| (k * 7 + i + case.rows) % (i + 1) == 1);
    let mut starts = vec![offset as u32];
    let mut places = vec![0; offset];
    for i in 0..case.rows {
        places.extend(visited(i).map(|k| k as u32));
        starts.push(places.len() as u32);
    }
    let values: Vec<T> = numbers(places.len(), 7);
    let right: Vec<T> = numbers(offset + depth * width, 8);
    let stride = width + gap;
    let before: Vec<T> = numbers(offset + case.rows * stride + 40, 9);
    let mut out = before.clone();
    let rows = SparseRows {
        wide,
        b: right[offset..].as_ptr(),
        rows: case.rows,
        starts: starts.as_ptr(),
        places: places.as_ptr(),
        values: values.as_ptr(),
        out: out[offset..].as_mut_ptr(),
        out_stride: stride,
        accumulate,
    };
    // SAFETY: the level is available, and all was made for these sizes and strides.
    unsafe { (kernel.rows)(&rows) }
    let place = |i: usize, j: usize| offset + i * stride + j;
    compare((&before, &out), (case.rows, width), place, tolerance::<T>(depth), |i, j| {
        let there = if accumulate { before[place(i, j)].into() } else { 0.0 };
        let terms = (starts[i]..starts[i + 1]).map(|n| {
            let (value, k) = (values[n as usize], places[n as usize] as usize);
            value.into() * right[offset + k * width + j].into()
        });
        there + terms.sum::<f64>()
    });
}

fn check_list<T: Gemm + Into<f64>>(kernel: &SparseKernel<T>, case: &Case) {
    let special = [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, 0.0, 0.0, 1e-45];
    let place = |k: usize| if (k * 5 + case.rows).is_multiple_of(3) { special[(k + case.gap) % 8] } else { -0.0 };
    let row: Vec<T> = (0..case.offset + case.depth).map(|k| T::from_f64(place(k))).collect();
    let row = &row[case.offset..];
    let room = case.depth.next_multiple_of(LISTED);
    let (mut values, mut places) = (vec![T::ZERO; room], vec![0; room]);
    let count = kernel.list(row, &mut values, &mut places);
    let kept: Vec<u32> = (0..).zip(row).filter(|&(_, &x)| x != T::ZERO).map(|(k, _)| k).collect();
    assert_eq!(&places[..count], kept);
    let bits = |x: T| x.into().to_bits();
    assert!((0..count).all(|n| bits(values[n]) == bits(row[kept[n] as usize])), "{row:?}");
}

fn check_square<T: Gemm + Into<f64>>(transpose_square: unsafe fn(*const T, usize, *mut T, usize), case: &Case) {
    let (offset, stride, out_stride) = (case.offset, 8 + case.gap, 8 + case.columns % 9);
    let x: Vec<T> = numbers(offset + 7 * stride + 8, 10);
    let before: Vec<T> = numbers(offset + 7 * out_stride + 8 + 20, 11);
    let mut out = before.clone();
    // SAFETY: the level is available, and both squares lie within their slices.
    unsafe { transpose_square(x[offset..].as_ptr(), stride, out[offset..].as_mut_ptr(), out_stride) };
    let place = |k: usize, j: usize| offset + k * out_stride + j;
    compare((&before, &out), (8, 8), place, 0.0, |k, j| x[offset + j * stride + k].into());
}

/// Places of registers, or of halves of them, that do not overlap, and distances of taps, in a frame that ends with the last element read.
fn places(case: &Case, lanes: usize, halves: bool) -> (usize, Vec<usize>, Vec<usize>, usize) {
    let (registers, width) = (1 + case.columns % 8, if halves { lanes / 2 } else { lanes });
    let count = if halves { 2 * registers } else { registers };
    let places: Vec<usize> = (0..count).map(|i| case.offset + i * (width + case.gap)).collect();
    let distances: Vec<usize> = (0..case.depth).map(|tap| tap * 7 % 23).collect();
    let length = places[count - 1] + width + distances.iter().max().copied().unwrap_or(0);
    (registers, places, distances, length)
}

fn check_windows<T: Gemm + Into<f64>>(kernel: &WindowKernel<T>, case: &Case, halves: bool) {
    let (rows, lanes) = (1 + case.rows % kernel.height, kernel.lanes);
    let (registers, places, distances, length) = places(case, lanes, halves);
    let width = if halves { lanes / 2 } else { lanes };
    // Sums go where their places lie, the last first.
    let outs: Vec<usize> = (0..places.len()).rev().map(|i| case.offset + i * (width + case.gap)).collect();
    let out_stride = outs[0] + width + case.gap;
    let (frame, weights): (Vec<T>, Vec<T>) = (numbers(length, 12), numbers(distances.len() * rows, 13));
    let start: Vec<T> = numbers(rows, 14);
    let before: Vec<T> = numbers(rows * out_stride + 20, 15);
    let mut out = before.clone();
    let tiles = WindowTiles {
        rows,
        taps: distances.len(),
        weights: weights.as_ptr(),
        start: start.as_ptr(),
        distances: distances.as_ptr(),
        frame: frame.as_ptr(),
        registers,
        places: places.as_ptr(),
        outs: outs.as_ptr(),
        out: out.as_mut_ptr(),
        out_stride,
    };
    // SAFETY: the level is available, and all was made for these sizes, places and distances.
    unsafe { if halves { (kernel.halves)(&tiles) } else { (kernel.tiles)(&tiles) } }
    let place = |i: usize, j: usize| i * out_stride + outs[j / width] + j % width;
    compare((&before, &out), (rows, places.len() * width), place, tolerance::<T>(distances.len()), |i, j| {
        let at = places[j / width] + j % width;
        let terms = distances.iter().enumerate();
        start[i].into() + terms.map(|(tap, d)| weights[tap * rows + i].into() * frame[at + d].into()).sum::<f64>()
    });
}

fn check_window_lines<T: Gemm + Into<f64>>(kernel: &WindowLineKernel<T>, case: &Case) {
    let height = kernel.heights[case.depth % kernel.heights.len()];
    let (width, columns) = (1 + case.rows % 7, kernel.lanes + (case.columns - 1) % (4 * kernel.lanes));
    // A few, and about as many as are taken from two places at once.
    let rows = [1 + case.offset, 4 * height - 5, 4 * height - 4, 4 * height - 3][case.gap];
    let pitch = columns + width - 1 + case.gap;
    // The frame ends with the last element read.
    let length = case.offset + (rows + height - 2) * pitch + columns + width - 1;
    let (frame, weights): (Vec<T>, Vec<T>) = (numbers(length, 19), numbers(height * width, 20));
    let start: Vec<T> = numbers(1, 21);
    let before: Vec<T> = numbers(case.offset + rows * columns + 20, 22);
    let mut out = before.clone();
    let lines = WindowLines {
        window: [height, width],
        weights: weights.as_ptr(),
        start: start.as_ptr(),
        frame: frame[case.offset..].as_ptr(),
        pitch,
        places: [rows, columns],
        out: out[case.offset..].as_mut_ptr(),
    };
    // SAFETY: the level is available, and all was made for these sizes.
    unsafe { (kernel.lines)(&lines) }
    let place = |i: usize, j: usize| case.offset + i * columns + j;
    compare((&before, &out), (rows, columns), place, tolerance::<T>(weights.len()), |i, j| {
        let at = |k: usize| case.offset + (i + k / width) * pitch + j + k % width;
        let terms = weights.iter().enumerate().map(|(k, &weight)| weight.into() * frame[at(k)].into());
        start[0].into() + terms.sum::<f64>()
    });
}

fn check_window_places<T: Gemm + Into<f64>>(kernel: &WindowPlaceKernel<T>, case: &Case) {
    let tile = &kernel.tiles[case.depth % kernel.tiles.len()];
    let [lines, columns] = [tile.size[0] + case.rows, tile.size[1] + case.columns % 9];
    let (rows, taps, pitch) = (tile.rows, case.depth, columns + case.gap);
    let distances: Vec<usize> = (0..taps).map(|tap| tap * 7 % (case.offset + 11)).collect();
    let farthest = distances.iter().max().map_or(0, |farthest| *farthest);
    // The frame ends with the last element read.
    let frame: Vec<T> = numbers((lines - 1) * pitch + columns + farthest, 23);
    let (weights, start): (Vec<T>, Vec<T>) = (numbers(taps * rows, 24), numbers(rows, 25));
    let out_stride = lines * columns + case.gap;
    let before: Vec<T> = numbers(case.offset + rows * out_stride, 26);
    let mut out = before.clone();
    let windows = WindowPlaces {
        taps,
        weights: weights.as_ptr(),
        start: start.as_ptr(),
        distances: distances.as_ptr(),
        frame: frame.as_ptr(),
        pitch,
        places: [lines, columns],
        out: out[case.offset..].as_mut_ptr(),
        out_stride,
    };
    // SAFETY: the level is available, and all was made for these sizes.
    unsafe { (tile.places)(&windows) }
    let place = |i: usize, j: usize| case.offset + i * out_stride + j;
    compare((&before, &out), (rows, lines * columns), place, tolerance::<T>(taps), |i, j| {
        let first = j / columns * pitch + j % columns;
        let term = |(tap, distance): (usize, &usize)| weights[tap * rows + i].into() * frame[first + distance].into();
        start[i].into() + distances.iter().enumerate().map(term).sum::<f64>()
    });
}

fn check_window_dots<T: Gemm + Into<f64>>(kernel: &WindowDotKernel<T>, case: &Case, halves: bool) {
    let (rows, lanes, samples) = (1 + case.rows % kernel.height, kernel.lanes, case.gap);
    let (registers, places, all, length) = places(case, lanes, halves);
    let taps = 1 + case.columns % kernel.width.min(all.len());
    let width = if halves { lanes / 2 } else { lanes };
    let (row_stride, frame_sample) = (registers * lanes + case.gap, length + case.offset);
    let row_sample = rows * row_stride;
    let lines: Vec<T> = numbers(samples * row_sample, 16);
    let frame: Vec<T> = numbers(samples * frame_sample, 17);
    let out_stride = taps + case.gap;
    let before: Vec<T> = numbers(rows * out_stride + 10, 18);
    let mut out = before.clone();
    let dots = WindowDots {
        rows,
        taps,
        samples,
        registers,
        places: places.as_ptr(),
        row: lines.as_ptr(),
        row_stride,
        row_sample,
        frame: frame.as_ptr(),
        frame_sample,
        distances: all.as_ptr(),
        out: out.as_mut_ptr(),
        out_stride,
    };
    // SAFETY: the level is available, and all was made for these sizes, places and distances.
    unsafe { if halves { (kernel.halves)(&dots) } else { (kernel.dots)(&dots) } }
    let place = |i: usize, j: usize| i * out_stride + j;
    let depth = samples * registers * lanes;
    compare((&before, &out), (rows, taps), place, tolerance::<T>(depth), |i, j| {
        let term = |sample: usize, at: usize| {
            let x = frame[sample * frame_sample + places[at / width] + at % width + all[j]].into();
            lines[sample * row_sample + i * row_stride + at].into() * x
        };
        let sums = (0..samples).map(|sample| (0..registers * lanes).map(|at| term(sample, at)).sum::<f64>());
        before[place(i, j)].into() + sums.sum::<f64>()
    });
}

fn check_all<T: Gemm + Into<f64>>(level: &'static Level, case: &Case) {
    let kernels = T::of(level);
    for flag in [false, true] {
        kernels.tiles.all().iter().for_each(|kernel| check_tiles(kernel, case, flag));
        check_dots(&kernels.dots, case, flag);
        check_windows(&kernels.windows, case, flag);
        check_window_dots(&kernels.window_dots, case, flag);
    }
    check_window_lines(&kernels.window_lines, case);
    check_window_places(&kernels.window_places, case);
    check_sparse(&kernels.sparse, case);
    check_list(&kernels.sparse, case);
    if let Some(transpose_square) = kernels.transpose_square {
        check_square(transpose_square, case);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn every_kernel_of_every_level_is_the_naive_loop(case in cases()) {
        for level in levels() {
            check_all::<f32>(level, &case);
            check_all::<f64>(level, &case);
        }
    }
}

/// What `Gemm::kernels` relies on.
#[test]
fn levels_are_listed_from_the_highest_down_to_the_baseline() {
    let listed: Vec<_> = LEVELS.iter().map(|level| level.level).collect();
    assert!(listed.is_sorted_by(|higher, lower| higher > lower), "{listed:?}");
    assert_eq!(listed.last(), available_levels().first());
}

#[test]
fn tiles_are_chosen_that_cost_least() {
    fn check<T>(tiles: &TileKernels<T>) {
        assert!(tiles.all().is_sorted_by(|narrow, wide| narrow.width < wide.width));
        for columns in 0..2000 {
            let chosen = tiles.best_for(columns);
            assert!(tiles.all().iter().all(|other| chosen.cost(columns) <= other.cost(columns)), "{columns} columns");
        }
    }
    for level in LEVELS {
        check(&level.f32.tiles);
        check(&level.f64.tiles);
    }
}
