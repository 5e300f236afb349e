//! Products whose left matrix holds many zeros, as images, one-hot rows and what relu and dropout leave behind do.
//!
//! Rows are taken in groups of [`HEIGHT`]. A group lists the places along the summed axis where one of its rows is not
//! zero, and the tiles visit only those. `0 * b` adds nothing as long as `b` is finite, so the result is that of the
//! dense product; where a panel of the right matrix holds an infinity or NaN, every place is visited, for NaN must come
//! out.

use super::kernels::Gemm;
use super::kernels::sparse_tile::{HEIGHT, SparseGroup, SparseKernel, SparsePanel};
use super::matrix::{Matrix, Sizes};
use super::out::Out;
use super::pack;
use crate::cpu::buffer::Buffer;
use crate::cpu::simd::{Task, dispatch};
use crate::cpu::threads::{SharedMut, for_each_piece};

/// Places per pass, so that a packed panel and a group's list stay near the processor.
const DEPTH: usize = 264;
/// Groups per piece of parallel work, at most.
const GROUPS: usize = 128;
/// Elements of the left matrix that are listed at a time, about: the lists stay near the processor.
const LISTED: usize = 1 << 19;
/// Rows that are gathered before they are written to a column-major product: a cache line of f32.
const STAGED: usize = 16;
/// Share of places visited, at or below which skipping the others pays.
const WORTHWHILE: f64 = 0.8;
/// Products of fewer multiplications are over before their zeros are counted.
const SMALLEST: usize = 1 << 20;

/// Computes the product if one of the matrices is sparse enough; false, with nothing done, otherwise. `dense_speed` is that of
/// the dense product, against one of the numbers as they are.
pub(super) fn multiply<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, dense_speed: f64, out: Out<T>) -> bool {
    let Sizes { rows, depth, columns } = sizes;
    if sizes.work() < SMALLEST {
        return false;
    }
    let Some(kernel) = &T::kernels().sparse else { return false };
    // A panel should fill most of a tile's width.
    let fits = |columns: usize| columns >= 3 * kernel.lanes;
    let left = if fits(columns) { share_of_places(a, rows, depth) } else { 1.0 };
    let right = if fits(rows) { share_of_places(b.flipped(), columns, depth) } else { 1.0 };
    if left.min(right) > WORTHWHILE / dense_speed {
        return false;
    }
    if left <= right {
        run(kernel, a, b, sizes, out);
    } else {
        let sizes = Sizes { rows: columns, depth, columns: rows };
        run(kernel, b.flipped(), a.flipped(), sizes, out.flipped());
    }
    true
}

/// The share of places along the summed axis that groups must visit, estimated from a sample spread over the matrix.
fn share_of_places<T: Gemm>(a: Matrix<T>, rows: usize, depth: usize) -> f64 {
    const SAMPLES: usize = 16;
    const RUN: usize = 16;
    let (groups, run) = (rows / HEIGHT, RUN.min(depth));
    let (mut visited, mut seen) = (0, 0);
    for sample in 0..SAMPLES.min(groups) {
        let row = sample * groups / SAMPLES.min(groups) * HEIGHT;
        // A stride that shares no factor with the number of samples, so that rows and places vary apart.
        let first = (sample * 7 % SAMPLES) * (depth - run) / (SAMPLES - 1);
        for place in first..first + run {
            let zero = (row..row + HEIGHT).all(|row| a.data[a.at(row, place)] == T::ZERO);
            visited += usize::from(!zero);
            seen += 1;
        }
    }
    if seen == 0 { 1.0 } else { visited as f64 / seen as f64 }
}

/// Groups of rows with the places they visit, for each pass along the summed axis.
struct Groups<T: Gemm> {
    /// [`HEIGHT`] times `capacity` elements for each pass and group.
    values: Buffer<T>,
    /// `capacity` places for each pass and group.
    places: Buffer<u32>,
    counts: Buffer<u32>,
    groups: usize,
    capacity: usize,
    /// Steps in `values` from one row of a group to the next, and from one place to the next.
    steps: (usize, usize),
}

impl<T: Gemm> Groups<T> {
    fn new(kernel: &SparseKernel<T>, a: Matrix<T>, rows: usize, depth: usize) -> Groups<T> {
        let (groups, passes) = (rows.div_ceil(HEIGHT), depth.div_ceil(DEPTH));
        // Whole registers are stored, past the last place that counts.
        let capacity = DEPTH.min(depth).next_multiple_of(16) + 16;
        let steps = if a.row_stride == 1 { (1, HEIGHT) } else { (capacity, 1) };
        let mut all = Groups {
            values: Buffer::scratch(passes * groups * HEIGHT * capacity),
            places: Buffer::scratch(passes * groups * capacity),
            counts: Buffer::scratch(passes * groups),
            groups,
            capacity,
            steps,
        };
        let listing = Listing { kernel, steps, every: false };
        let values = SharedMut::new(all.values.as_mut_ptr());
        let places = SharedMut::new(all.places.as_mut_ptr());
        let counts = SharedMut::new(all.counts.as_mut_ptr());
        for_each_piece(groups.div_ceil(16), |piece| {
            for group in piece * 16..groups.min((piece + 1) * 16) {
                let first = group * HEIGHT;
                let height = HEIGHT.min(rows - first);
                for pass in 0..passes {
                    let slot = pass * groups + group;
                    // SAFETY: each slot's parts lie within the buffers, overlap no other slot's, and each slot is
                    // visited once.
                    let (values, places, count) = unsafe {
                        (
                            values.part(slot * HEIGHT * capacity, HEIGHT * capacity),
                            places.part(slot * capacity, capacity),
                            counts.part(slot, 1),
                        )
                    };
                    let start = pass * DEPTH;
                    let part = Matrix { offset: a.at(first, start), ..a };
                    count[0] = listing.list(part, height, DEPTH.min(depth - start), values, places) as u32;
                }
            }
        });
        all
    }

    /// Room for one more list.
    fn slot(&self) -> (Buffer<T>, Buffer<u32>) {
        (Buffer::scratch(HEIGHT * self.capacity), Buffer::scratch(self.capacity))
    }
}

/// Whether the first `columns` of each row of a panel are finite.
struct Finite<'a, T> {
    panel: &'a [T],
    width: usize,
    columns: usize,
}

impl<T: Gemm> Task for Finite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        // Zero times an infinity is NaN.
        let finite = |values: &[T]| values.iter().fold(true, |finite, &x| finite & (x * T::ZERO == T::ZERO));
        if self.columns == self.width {
            finite(self.panel)
        } else {
            self.panel.chunks_exact(self.width).all(|row| finite(&row[..self.columns]))
        }
    }
}

/// How the places of a group are listed.
struct Listing<'a, T> {
    kernel: &'a SparseKernel<T>,
    /// Steps from one row of a group to the next, and from one place to the next.
    steps: (usize, usize),
    /// Whether every place is listed, or those alone where a row is not zero.
    every: bool,
}

impl<T: Gemm> Listing<'_, T> {
    /// Lists places of the `height` rows and their values; returns how many.
    fn list(&self, a: Matrix<T>, height: usize, depth: usize, values: &mut [T], places: &mut [u32]) -> usize {
        let (row_step, place_step) = self.steps;
        if height < HEIGHT {
            values.fill(T::ZERO);
        } else if a.column_stride == 1
            && a.row_stride >= 0
            && !self.every
            && let Some(count) =
                self.kernel.list_rows(&a.data[a.offset..], a.row_stride as usize, depth, values, row_step, places)
        {
            return count;
        }
        let mut count = 0;
        if height == HEIGHT && a.row_stride == 1 {
            // The four values of a place are adjacent in the matrix, and in the list.
            let step = a.column_stride;
            if !self.every
                && step >= 0
                && let Some(count) = self.kernel.list_columns(&a.data[a.offset..], step as usize, depth, values, places)
            {
                return count;
            }
            for place in 0..depth {
                let start = (a.offset as isize + place as isize * step) as usize;
                let four: [T; HEIGHT] = a.data[start..start + HEIGHT].try_into().expect("four elements");
                values[count * HEIGHT..][..HEIGHT].copy_from_slice(&four);
                places[count] = place as u32;
                count += usize::from(four.iter().fold(self.every, |any, &value| any | (value != T::ZERO)));
            }
            return count;
        }
        for place in 0..depth {
            let mut any = self.every;
            for row in 0..height {
                let value = a.data[a.at(row, place)];
                values[row * row_step + count * place_step] = value;
                any |= value != T::ZERO;
            }
            places[count] = place as u32;
            count += usize::from(any);
        }
        count
    }
}

/// Computes the product block by block of the left matrix.
fn run<T: Gemm>(kernel: &SparseKernel<T>, a: Matrix<T>, b: Matrix<T>, sizes: Sizes, out: Out<T>) {
    let Sizes { rows, depth, columns } = sizes;
    let height = (LISTED / depth / (GROUPS * HEIGHT)).max(1) * GROUPS * HEIGHT;
    let deep = (LISTED / height.min(rows) / DEPTH).max(1) * DEPTH;
    for row in (0..rows).step_by(height) {
        for start in (0..depth).step_by(deep) {
            let sizes = Sizes { rows: height.min(rows - row), depth: deep.min(depth - start), columns };
            let turn = Turn { first: start == 0, last: start + sizes.depth == depth };
            run_block(kernel, a.from(row, start), b.from(start, 0), sizes, out.from(row, 0), turn);
        }
    }
}

/// Whether a block is the first, and the last, that its rows of the product receive.
struct Turn {
    first: bool,
    last: bool,
}

/// One block.
fn run_block<T: Gemm>(kernel: &SparseKernel<T>, a: Matrix<T>, b: Matrix<T>, sizes: Sizes, out: Out<T>, turn: Turn) {
    let Sizes { rows, depth, columns } = sizes;
    let all = Groups::new(kernel, a, rows, depth);
    // Panels of nearly equal width, in registers.
    let registers = columns.div_ceil(kernel.lanes);
    let panels = registers.div_ceil(kernel.registers);
    let chunks = all.groups.div_ceil(GROUPS);
    let per_chunk = all.groups.div_ceil(chunks).next_multiple_of(STAGED / HEIGHT);
    for_each_piece(panels * chunks, |piece| {
        let (panel, chunk) = (piece / chunks, piece % chunks);
        let (first, last) = (panel * registers / panels, (panel + 1) * registers / panels);
        let wide = last - first;
        let (first, width) = (first * kernel.lanes, wide * kernel.lanes);
        let columns = width.min(columns - first);
        let groups = (chunk * per_chunk).min(all.groups)..all.groups.min((chunk + 1) * per_chunk);
        let b = Matrix { offset: b.at(0, first), ..b };
        // What goes out by columns is gathered first.
        let staged = out.column_stride != 1;
        let mut stage: Buffer<T> = Buffer::scratch(if staged { STAGED * width } else { 0 });
        let mut full = None;
        let mut packed: Buffer<T> = Buffer::scratch(DEPTH.min(depth) * width);
        for (pass, start) in (0..depth).step_by(DEPTH).enumerate() {
            let depth = DEPTH.min(depth - start);
            pack::panels(Matrix { offset: b.at(start, 0), ..b }, depth, columns, width, &mut packed);
            let panel = SparsePanel {
                columns,
                wide,
                b: packed.as_ptr(),
                row_step: all.steps.0,
                place_step: all.steps.1,
                row_stride: out.row_stride,
                column_stride: if staged { STAGED } else { 1 },
                accumulate: !turn.first || pass > 0,
            };
            let finite = dispatch(Finite { panel: &packed[..depth * width], width, columns });
            for group in groups.clone() {
                let row = group * HEIGHT;
                let (slot, within) = (pass * all.groups + group, row % STAGED);
                let mut values = &all.values[slot * HEIGHT * all.capacity..][..HEIGHT * all.capacity];
                let mut places = &all.places[slot * all.capacity..][..all.capacity];
                let mut count = all.counts[slot] as usize;
                if !finite {
                    let part = Matrix { offset: a.at(row, start), ..a };
                    let (full_values, full_places) = full.get_or_insert_with(|| all.slot());
                    let listing = Listing { kernel, steps: all.steps, every: true };
                    count = listing.list(part, HEIGHT.min(rows - row), depth, full_values, full_places);
                    (values, places) = (full_values, full_places);
                }
                // SAFETY: the kernel's level is available. The listed places are below `depth`, with values at these
                // steps; `packed` holds `depth` rows of `width`; and the tile lies within the product, where no
                // other piece writes, or within the stage.
                unsafe {
                    let target = if staged {
                        stage.as_mut_ptr().add(within)
                    } else {
                        out.base.pointer().add(row * out.row_stride + first)
                    };
                    let rows = HEIGHT.min(rows - row);
                    let group = SparseGroup { rows, count, places: places.as_ptr(), a: values.as_ptr(), out: target };
                    (kernel.tile)(&panel, group);
                }
                if staged && (within + HEIGHT == STAGED || group + 1 == groups.end) {
                    let filled = (row - within, within + HEIGHT.min(rows - row));
                    for (column, from) in stage.chunks_exact(STAGED).enumerate().take(columns) {
                        let start = filled.0 + (first + column) * out.column_stride;
                        // SAFETY: these rows of this column lie within the product, and no other piece writes there.
                        let to = unsafe { out.base.part(start, filled.1) };
                        if panel.accumulate {
                            to.iter_mut().zip(from).for_each(|(to, from)| *to = *to + *from);
                        } else if let Ok(to) = <&mut [T; STAGED]>::try_from(&mut *to) {
                            // A copy of a fixed size needs no call.
                            to.copy_from_slice(from);
                        } else {
                            to.copy_from_slice(&from[..filled.1]);
                        }
                    }
                }
            }
        }
        if turn.last {
            let row = |group: usize| rows.min(group * HEIGHT);
            out.finish(row(groups.start)..row(groups.end), first..first + columns);
        }
    });
}
