//! Products whose left matrix holds many zeros, as images, one-hot rows and what relu and dropout leave behind do.
//!
//! Each row lists the places along the summed axis where it is not zero, and is summed over those alone, panel by panel of the
//! right matrix. `0 * b` adds nothing as long as `b` is finite, so the result is that of the dense product; where a panel
//! holds an infinity or NaN, every place is visited, for NaN must come out. Sums that go on in a later pass along the summed
//! axis begin with those so far: the bits do not depend on how the axis is cut, which may follow the caches of the machine.

use super::kernels::Gemm;
use super::kernels::sparse_rows::{LISTED, SparseKernel, SparseRows};
use super::kernels::vector::{NEAREST, prefetch};
use super::matrix::{Matrix, Sizes};
use super::out::Out;
use super::pack;
use crate::cpu::buffer::Buffer;
use crate::cpu::caches::Caches;
use crate::cpu::simd::{Task, dispatch};
use crate::cpu::threads::{SharedMut, for_each_piece};

/// Pieces of work that a product is cut into, or a multiple of so many, where it is large enough: threads have equal shares.
const PIECES: usize = 4;
/// Rows of a piece, at most, and at least where there would be fewer pieces.
const HIGH: usize = 512;
const LOW: usize = 64;
/// Rows that are listed, or gathered before they are written to a column-major product, together: a cache line of f32.
const BLOCK: usize = 16;
/// Elements of the left matrix whose places are listed at a time, about: their lists are read again for each panel.
const ELEMENTS: usize = 1 << 19;
/// Places along the summed axis that are listed at a time, at most: as many as leave [`HIGH`] rows to share a packed panel.
const LONG: usize = ELEMENTS / HIGH;
/// Products of fewer multiplications are over before their zeros are counted.
const SMALLEST: usize = 1 << 20;

/// Elements of the left matrix whose lists, half a megabyte if every other is zero, stay in the second cache, about: for the estimate
/// alone, and the same whatever the machine has, as [`PANEL`].
const NEAR: usize = 1 << 17;
/// What it takes to list the places of an element of the left matrix, in multiplications of a dense product.
const LISTING: f64 = 24.0;
/// What it takes to pack an element of the right matrix and to see whether it is finite, likewise, beyond the packing of a
/// dense product.
const PACKING: f64 = 8.0;
/// What it takes to write an element of the product by columns, likewise.
const TURNING: f64 = 16.0;
/// Bytes of a panel in a pass, for the estimate: those of a first cache of 32 KiB. What the machine has would choose for each
/// processor its own way, and with it other bits.
const PANEL: usize = 32 << 10;
/// No matrix is looked at that would have to hold fewer numbers other than zero.
const LEAST: f64 = 0.02;
/// How much less the right matrix must take before its zeros are skipped: what is estimated from a sample is not to change
/// sides from one step of a training to the next.
const CLEARLY: f64 = 0.9;
/// Registers of a panel from which on their sums no longer wait for each other.
const BUSY: usize = 8;

/// Computes the product if one of the matrices is sparse enough; false, with nothing done, otherwise. `dense_speed` is that of
/// the dense product, against one of the numbers as they are.
pub(super) fn multiply<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, dense_speed: f64, out: Out<T>) -> bool {
    if sizes.work() < SMALLEST {
        return false;
    }
    let kernel = &T::kernels().sparse;
    let flipped = Sizes { rows: sizes.columns, columns: sizes.rows, ..sizes };
    let left = cost(kernel, a, sizes, out.column_stride != 1);
    let right = cost(kernel, b.flipped(), flipped, out.row_stride != 1);
    if left.min(right) > 1.0 / dense_speed {
        return false;
    }
    run(a, b, sizes, left * CLEARLY <= right, out);
    true
}

/// Computes the product, skipping the zeros of the left matrix or of the right one, block by block.
pub(super) fn run<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, left: bool, out: Out<T>) {
    if !left {
        let sizes = Sizes { rows: sizes.columns, columns: sizes.rows, ..sizes };
        return run(b.flipped(), a.flipped(), sizes, true, out.flipped());
    }
    let long = sizes.depth.div_ceil(sizes.depth.div_ceil(LONG));
    let height = ELEMENTS / long / HIGH * HIGH;
    for row in (0..sizes.rows).step_by(height) {
        let rows = height.min(sizes.rows - row);
        for start in (0..sizes.depth).step_by(long) {
            let depth = long.min(sizes.depth - start);
            let part = Part { first: start == 0, last: start + depth == sizes.depth };
            run_block(a.from(row, start), b.from(start, 0), Sizes { rows, depth, ..sizes }, part, out.from(row, 0));
        }
    }
}

/// Where a block lies along the summed axis. Sums go on from those so far but at the beginning, and what follows the product is done
/// at the end.
#[derive(Clone, Copy)]
struct Part {
    first: bool,
    last: bool,
}

/// What it takes to skip the zeros of the left matrix, against the dense product; `turned`, if the product is column-major.
fn cost<T: Gemm>(kernel: &SparseKernel<T>, a: Matrix<T>, sizes: Sizes, turned: bool) -> f64 {
    let Sizes { rows, depth, columns } = sizes;
    let cut = Cut::new(kernel, rows, columns);
    let wide = cut.registers as f64 / cut.panels as f64;
    // The last register may be filled in part.
    let multiplied = (cut.registers * kernel.lanes) as f64 / columns as f64;
    let far = if rows * depth > NEAR { kernel.far } else { 1.0 };
    let slowness = kernel.slowness * far * multiplied * (BUSY as f64 / wide).max(1.0);
    let turning = if turned { TURNING / depth as f64 } else { 0.0 };
    let row_size = (wide * (kernel.lanes * size_of::<T>()) as f64) as usize;
    let visiting = kernel.visit / depth.min(PANEL / row_size) as f64;
    let around = LISTING / columns as f64 + PACKING / rows as f64 + turning + visiting;
    if around + slowness * LEAST > 1.0 {
        return f64::INFINITY;
    }
    around + slowness * share_of_places(a, rows, depth)
}

/// The share of numbers that are not zero, estimated from a sample spread over the matrix.
fn share_of_places<T: Gemm>(a: Matrix<T>, rows: usize, depth: usize) -> f64 {
    const SAMPLES: usize = 32;
    const RUN: usize = 16;
    // Along what is adjacent in memory.
    let (a, rows, depth) = if a.row_stride == 1 { (a.flipped(), depth, rows) } else { (a, rows, depth) };
    let (samples, run) = (SAMPLES.min(rows), RUN.min(depth));
    // A stride that shares no factor with the number of samples, so that rows and places vary apart.
    let place = |sample: usize| (sample * rows / samples, (sample * 7 % SAMPLES) * (depth - run) / (SAMPLES - 1));
    for (row, first) in (0..samples).map(place) {
        // They lie far apart: all are asked for before the first is waited for.
        prefetch::<_, NEAREST>(a.pointer(row, first));
        prefetch::<_, NEAREST>(a.pointer(row, first + run - 1));
    }
    let mut kept = 0;
    for (row, first) in (0..samples).map(place) {
        kept += (first..first + run).filter(|&place| a.data[a.at(row, place)] != T::ZERO).count();
    }
    kept as f64 / (samples * run) as f64
}

/// How a product is cut into pieces of work.
struct Cut {
    /// Registers across the product.
    registers: usize,
    panels: usize,
    /// Rows of a piece, and how many times so many there are.
    height: usize,
    chunks: usize,
}

impl Cut {
    fn new<T>(kernel: &SparseKernel<T>, rows: usize, columns: usize) -> Cut {
        let registers = columns.div_ceil(kernel.lanes);
        let panels = registers.div_ceil(kernel.registers);
        let even = panels.next_multiple_of(PIECES);
        let panels = if registers >= even * BUSY * 3 / 4 { even } else { panels };
        // Each chunk packs the panel for itself.
        let chunks = rows.div_ceil(HIGH).max(PIECES.div_ceil(panels).min(rows / LOW)).max(1);
        let height = rows.div_ceil(chunks).next_multiple_of(BLOCK);
        Cut { registers, panels, height, chunks: rows.div_ceil(height) }
    }

    /// The first register of a panel; panels are of nearly equal width.
    fn first(&self, panel: usize) -> usize {
        panel * self.registers / self.panels
    }
}

/// The places where rows of the left matrix are not zero, and the values there, for each pass along the summed axis. Those of
/// a block of [`BLOCK`] rows lie one row after another.
struct Lists<T: Gemm> {
    /// `capacity` values and places for each pass and block.
    values: Buffer<T>,
    places: Buffer<u32>,
    /// Where each row's begin within its block's, and where the last one's end, for each pass and block.
    starts: Buffer<u32>,
    blocks: usize,
    capacity: usize,
}

impl<T: Gemm> Lists<T> {
    /// With passes of `deep` places.
    fn new(kernel: &SparseKernel<T>, a: Matrix<T>, rows: usize, depth: usize, deep: usize) -> Lists<T> {
        let (passes, blocks) = (depth.div_ceil(deep), rows.div_ceil(BLOCK));
        let capacity = BLOCK * deep + LISTED;
        let mut lists = Lists {
            values: Buffer::scratch(passes * blocks * capacity),
            places: Buffer::scratch(passes * blocks * capacity),
            starts: Buffer::scratch(passes * blocks * (BLOCK + 1)),
            blocks,
            capacity,
        };
        let values = SharedMut::new(lists.values.as_mut_ptr());
        let places = SharedMut::new(lists.places.as_mut_ptr());
        let starts = SharedMut::new(lists.starts.as_mut_ptr());
        for_each_piece(blocks, |block| {
            let first = block * BLOCK;
            let rows = BLOCK.min(rows - first);
            let adjacent = a.column_stride == 1;
            let mut gathered = Buffer::scratch(if adjacent { 0 } else { rows * deep });
            for pass in 0..passes {
                let part = a.from(first, pass * deep);
                let depth = deep.min(depth - pass * deep);
                if !adjacent {
                    pack::panels(part, rows, depth, depth, &mut gathered[..rows * depth]);
                }
                let slot = pass * blocks + block;
                // SAFETY: each slot's parts lie within the buffers, overlap no other slot's, and each slot is visited once.
                let (values, places, starts) = unsafe {
                    (
                        values.part(slot * capacity, capacity),
                        places.part(slot * capacity, capacity),
                        starts.part(slot * (BLOCK + 1), BLOCK + 1),
                    )
                };
                let mut count = 0;
                starts[0] = 0;
                for row in 0..rows {
                    let numbers = if adjacent { &a.data[part.at(row, 0)..] } else { &gathered[row * depth..] };
                    count += kernel.list(&numbers[..depth], &mut values[count..], &mut places[count..]);
                    starts[row + 1] = count as u32;
                }
            }
        });
        lists
    }

    /// The values and places of a block of rows in a pass, and where each row's begin.
    fn of(&self, pass: usize, block: usize) -> (&[T], &[u32], &[u32]) {
        let slot = pass * self.blocks + block;
        let part = slot * self.capacity..(slot + 1) * self.capacity;
        let starts = &self.starts[slot * (BLOCK + 1)..][..BLOCK + 1];
        (&self.values[part.clone()], &self.places[part], starts)
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
        if self.columns == self.width {
            finite(self.panel)
        } else {
            self.panel.chunks_exact(self.width).all(|row| finite(&row[..self.columns]))
        }
    }
}

/// Whether all numbers are: zero times an infinity is NaN, and NaN stays in a sum.
#[inline(always)]
fn finite<T: Gemm>(numbers: &[T]) -> bool {
    numbers.iter().fold(true, |finite, &x| finite & (x * T::ZERO == T::ZERO))
}

/// One block.
fn run_block<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, part: Part, out: Out<T>) {
    let Sizes { rows, depth, columns } = sizes;
    let kernel = &T::kernels().sparse;
    let cut = Cut::new(kernel, rows, columns);
    // A pass's panel stays in the nearest cache.
    let row_size = cut.registers.div_ceil(cut.panels) * kernel.lanes * size_of::<T>();
    let passes = depth.div_ceil((Caches::l1d() / row_size).max(1));
    let deep = depth.div_ceil(passes);
    let passes = depth.div_ceil(deep);
    let lists = Lists::new(kernel, a, rows, depth, deep);
    for_each_piece(cut.panels * cut.chunks, |piece| {
        let (panel, chunk) = (piece / cut.chunks, piece % cut.chunks);
        let wide = cut.first(panel + 1) - cut.first(panel);
        let (first, width) = (cut.first(panel) * kernel.lanes, wide * kernel.lanes);
        let columns = width.min(columns - first);
        let rows = chunk * cut.height..rows.min((chunk + 1) * cut.height);
        // What does not go out as it is computed is gathered first: until the last pass, or a block of rows if that is all.
        let direct = out.column_stride == 1 && columns == width;
        let kept = if passes == 1 { BLOCK } else { cut.height };
        let mut gathered: Buffer<T> = Buffer::scratch(if direct { 0 } else { kept * width });
        let mut packed: Buffer<T> = Buffer::scratch(deep * width);
        let mut every = None;
        for pass in 0..passes {
            let depth = deep.min(depth - pass * deep);
            pack::panels(b.from(pass * deep, first), depth, columns, width, &mut packed);
            let finite = dispatch(Finite { panel: &packed[..depth * width], width, columns });
            for block in rows.clone().step_by(BLOCK) {
                let rows = BLOCK.min(rows.end - block);
                let (values, places, starts) = if finite {
                    lists.of(pass, block / BLOCK)
                } else {
                    let every = every.get_or_insert_with(|| Every::new(deep));
                    every.list(a.from(block, pass * deep), rows, depth)
                };
                let slot = (block - chunk * cut.height) % kept;
                if !direct && pass == 0 && !part.first {
                    // SAFETY: these rows of these columns lie within the product, and no other piece writes there.
                    unsafe { read(out.from(block, first), rows, columns, width, &mut gathered[slot * width..]) };
                }
                // SAFETY: the kernel's level is available. The listed places are below `depth`, and `packed` holds `depth`
                // rows of `width`. The rows of the product lie within what no other piece writes, or among those gathered.
                unsafe {
                    let (target, stride) = if direct {
                        (out.base.pointer().add(block * out.row_stride + first), out.row_stride)
                    } else {
                        (gathered.as_mut_ptr().add(slot * width), width)
                    };
                    (kernel.rows)(&SparseRows {
                        wide,
                        b: packed.as_ptr(),
                        rows,
                        starts: starts.as_ptr(),
                        places: places.as_ptr(),
                        values: values.as_ptr(),
                        out: target,
                        out_stride: stride,
                        accumulate: pass > 0 || !part.first,
                    });
                }
                if !direct && pass + 1 == passes {
                    let from =
                        Matrix { data: &gathered, offset: slot * width, row_stride: width as isize, column_stride: 1 };
                    // SAFETY: these rows of these columns lie within the product, and no other piece writes there.
                    unsafe { write(from, rows, columns, out.from(block, first)) };
                }
            }
        }
        if part.last {
            out.finish(rows, first..first + columns);
        }
    });
}

/// The lists of a block that visits every place.
struct Every<T: Gemm> {
    values: Buffer<T>,
    places: Buffer<u32>,
    starts: Buffer<u32>,
}

impl<T: Gemm> Every<T> {
    /// Room for passes of `deep` places.
    fn new(deep: usize) -> Every<T> {
        let length = BLOCK * deep;
        Every { values: Buffer::scratch(length), places: Buffer::scratch(length), starts: Buffer::scratch(BLOCK + 1) }
    }

    fn list(&mut self, a: Matrix<T>, rows: usize, depth: usize) -> (&[T], &[u32], &[u32]) {
        for row in 0..rows {
            for place in 0..depth {
                self.values[row * depth + place] = a.data[a.at(row, place)];
                self.places[row * depth + place] = place as u32;
            }
        }
        self.starts.iter_mut().enumerate().for_each(|(row, start)| *start = (row * depth) as u32);
        (&self.values, &self.places, &self.starts)
    }
}

/// Reads sums so far to where rows are gathered, `width` apart.
///
/// # Safety
/// The rows and columns must lie within the product, and nobody else may use them.
unsafe fn read<T: Gemm>(out: Out<T>, rows: usize, columns: usize, width: usize, into: &mut [T]) {
    assert!(rows * width <= into.len() && columns <= width, "gemm: sums have no room");
    // SAFETY: the caller's contract, and `into` holds the rows, as was just checked.
    unsafe {
        if out.column_stride == 1 {
            for row in 0..rows {
                into[row * width..][..columns].copy_from_slice(out.base.part(row * out.row_stride, columns));
            }
        } else {
            let strides = (out.row_stride as isize, out.column_stride as isize);
            pack::transpose_from(out.base.pointer(), strides, rows, columns, width, into.as_mut_ptr());
        }
    }
}

/// Writes rows that were gathered to where they belong.
///
/// # Safety
/// The rows and columns must lie within the product, and nobody else may use them.
unsafe fn write<T: Gemm>(from: Matrix<T>, rows: usize, columns: usize, out: Out<T>) {
    // SAFETY: the caller's contract.
    unsafe {
        if out.column_stride == 1 {
            for row in 0..rows {
                let start = from.at(row, 0);
                out.base.part(row * out.row_stride, columns).copy_from_slice(&from.data[start..start + columns]);
            }
        } else {
            pack::transpose(from.flipped(), columns, rows, out.column_stride, out.base.pointer());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::LEVELS;
    use super::*;
    use crate::cpu::simd::SimdLevel;

    #[test]
    fn what_skipping_zeros_takes_follows_the_model() {
        for level in LEVELS {
            // Columns of a panel: 1,024 in as many panels as are a multiple of four.
            let (slowness, far, visit, panel) = match level.level {
                SimdLevel::Baseline => (0.95, 1.0, 0.0, 4.0 * 256.0 / 24.0),
                SimdLevel::Avx2 => (1.6, 1.25, 5.0, 8.0 * 128.0 / 12.0),
                _ => (1.6, 1.0, 0.0, 16.0 * 64.0 / 8.0),
            };
            for (depth, turned) in [(512, false), (512, true), (16, false), (520, false)] {
                let sizes = Sizes { rows: 256, depth, columns: 1024 };
                // Every other number is zero.
                let data: Vec<f32> = (0..256 * depth).map(|i| (i % 2) as f32).collect();
                let a = Matrix { data: &data, offset: 0, row_stride: depth as isize, column_stride: 1 };
                let deep = (32768.0_f64 / (4.0 * panel)).floor().min(depth as f64);
                let around = 24.0 / 1024.0 + 8.0 / 256.0 + if turned { 16.0 / depth as f64 } else { 0.0 };
                // 256 rows of 512 are the longest lists that are near.
                let slowness = if depth > 512 { slowness * far } else { slowness };
                let expected = slowness * 0.5 + around + visit / deep;
                let cost = cost(&level.f32.sparse, a, sizes, turned);
                assert!((cost - expected).abs() < 1e-9, "{:?}, {depth}: {cost}, not {expected}", level.level);
            }
        }
    }
}
