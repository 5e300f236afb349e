//! Dense products, cut into pieces of work: each thread packs of both matrices what its pieces need, as their [`Format`] wants it.

use std::ops::Range;

use super::LARGE;
use super::format::{Format, Left};
use super::kernels::Gemm;
use super::kernels::tile::Tiles;
use super::matrix::{Matrix, Sizes};
use super::out::Out;
use super::pack;
use super::plain::row_room;
use super::share::{MOVED, share, share_with, tiled};
use crate::cpu::buffer::{Buffer, Plain};
use crate::cpu::caches::Caches;
use crate::cpu::threads::{SharedMut, num_threads};

/// Columns of a pass, at most: what has been packed of the rows, and a pass's part of the result, are met again before they have left
/// the caches.
const CHUNK: usize = 2048;
/// Columns of a piece of work, at most; fewer where the packed right matrix would fill more than half of the second cache.
const COLUMNS: usize = 256;
/// Rows of a piece of work, about: two cache lines where they are adjacent, and batches of 64 are cut evenly.
const ROWS: usize = 32;
/// Groups of panels of a product of so few rows that they are one piece, at least, if there are so many panels.
const GROUPS: usize = 8;
/// Products of at most so many multiplications are computed without packing.
const SMALL: usize = 8 * 1024;

/// One product of numbers as they are, or its transpose, whichever is faster.
pub(super) fn multiply<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, out: Out<T>) {
    if flip_pays(a, b, sizes) {
        let sizes = Sizes { rows: sizes.columns, columns: sizes.rows, ..sizes };
        multiply_in(T::kernels().tiles.best_for(sizes.columns), b.flipped(), a.flipped(), sizes, out.flipped());
    } else {
        multiply_in(T::kernels().tiles.best_for(sizes.columns), a, b, sizes, out);
    }
}

/// One product, in `format`. A column-major one takes room for up to [`CHUNK`] columns of it in rows.
pub(super) fn multiply_in<T: Gemm, F: Format<T>>(format: &F, a: Matrix<T>, b: Matrix<T>, sizes: Sizes, out: Out<T>) {
    // Passes of equal depth.
    let deep = sizes.depth.div_ceil(sizes.depth.div_ceil(format.depth())).next_multiple_of(8);
    let pitch = row_room::<T>(CHUNK.min(sizes.columns));
    let mut turned = (out.column_stride != 1).then(|| Buffer::scratch(sizes.rows * pitch));
    for first in (0..sizes.columns).step_by(CHUNK) {
        let columns = CHUNK.min(sizes.columns - first);
        let out = out.from(0, first);
        let sums = turned.as_mut().map_or(out, |rows| Out {
            base: SharedMut::new(rows.as_mut_ptr()),
            row_stride: pitch,
            column_stride: 1,
            ..out
        });
        for start in (0..sizes.depth).step_by(deep) {
            let depth = deep.min(sizes.depth - start);
            let (height, width) = format.tile_size();
            let a = a.from(0, start);
            let pass = Pass {
                format,
                a,
                b: b.from(start, first),
                sizes: Sizes { rows: sizes.rows, depth, columns },
                height,
                width,
                left: format.left(a, depth, columns.div_ceil(width)),
                panel_length: format.panel_length(depth),
                accumulate: start > 0,
                last: start + depth == sizes.depth,
                sums,
                out,
            };
            pass.run();
        }
    }
}

/// A product so small that packing the matrices would take longer; true if it was computed. A right matrix that lies by columns is copied.
pub(super) fn multiply_small<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, out: Out<T>) -> bool {
    if sizes.work() > SMALL {
        return false;
    }
    let Sizes { rows, depth, columns } = sizes;
    let gathered;
    let b = if b.column_stride == 1 && b.row_stride >= 0 {
        b
    } else {
        let mut rows = Buffer::scratch(depth * columns);
        pack::panels(b, depth, columns, columns, &mut rows);
        gathered = rows;
        Matrix { data: &gathered, offset: 0, row_stride: columns as isize, column_stride: 1 }
    };
    let kernel = T::kernels().tiles.best_for(columns);
    for row in (0..rows).step_by(kernel.height) {
        // SAFETY: the kernel is one that the processor has; both matrices were checked for `sizes` in `gemm`, and the tiles
        // lie within the product, which nobody else writes.
        unsafe {
            (kernel.direct)(&Tiles {
                rows: kernel.height.min(rows - row),
                depth,
                columns,
                a: a.pointer(row, 0),
                row_stride: a.row_stride,
                depth_stride: a.column_stride,
                b: b.pointer(0, 0),
                b_stride: b.row_stride as usize,
                panel_step: kernel.width,
                out: out.target(row, 0, false),
            });
        }
    }
    out.finish(0..rows, 0..columns);
    true
}

/// What is computed at once: all rows of the product, up to [`CHUNK`] columns, a pass deep.
struct Pass<'a, T, F> {
    format: &'a F,
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    sizes: Sizes,
    /// Sizes of a tile.
    height: usize,
    width: usize,
    left: Left,
    panel_length: usize,
    accumulate: bool,
    /// Whether the product is complete after this.
    last: bool,
    /// Where sums are added up: the product, or, if that is column-major, rows from which it is written as soon as they are complete.
    /// To add to columns, which lie apart, would take up to a fifth of the time.
    sums: Out<'a, T>,
    out: Out<'a, T>,
}

/// What a thread has packed for itself: the group of panels of the right matrix that it works on, and perhaps a strip of the left
/// one. To fetch from another processor what that has packed takes longer than to pack it twice.
struct Own<P: Plain> {
    panels: Packed<P>,
    rows: Packed<P>,
}

/// The part of a matrix that is packed at present, if any is.
struct Packed<P: Plain> {
    part: Option<usize>,
    numbers: Option<Buffer<P>>,
}

impl<P: Plain> Packed<P> {
    const NONE: Packed<P> = Packed { part: None, numbers: None };

    /// Where the part lies, in `length` numbers, once `pack` has packed it, which it does where that is another part than before.
    fn of(&mut self, part: usize, length: usize, pack: impl FnOnce(&mut [P])) -> *const P {
        let numbers = self.numbers.get_or_insert_with(|| Buffer::scratch(length));
        if self.part.replace(part) != Some(part) {
            pack(numbers);
        }
        numbers.as_ptr()
    }
}

impl<T: Gemm, F: Format<T>> Pass<'_, T, F> {
    fn run(&self) {
        let Sizes { rows, depth, columns } = self.sizes;
        // Groups of nearly equal numbers of panels, and strips of rows.
        let panels = columns.div_ceil(self.width);
        let near = Caches::l2() / 2 / (self.panel_length * size_of::<F::Packed>());
        let most = (COLUMNS / self.width).min(near).max(1);
        let strip = (ROWS / self.height).max(1) * self.height;
        let strips = rows.div_ceil(strip);
        let least = if strips == 1 { GROUPS.min(panels) } else { 1 };
        let groups = panels.div_ceil(most).max(least);
        let strip_length = strip / self.height * self.left.length;
        let left = if self.left.packed { None } else { self.format.left_in_place(self.a) };
        let right = self.format.right_in_place(self.b, rows, depth);
        // Strips that several groups read are packed once, for all.
        let all_rows = (left.is_none() && groups > 1 && strips > 1).then(|| self.pack_rows(strip, strip_length));
        let next_tile = match left {
            Some(_) => self.height as isize * self.left.row_stride,
            None => self.left.length as isize,
        };
        // A thread begins with pieces that follow each other. Of the larger operand it shall read about its share, and of a product
        // of many rows write rows, which are what is read together afterwards. Sums do not depend on it.
        // Groups change in each share. Where they are packed, a share must be a thread's: small products may be one thread's as a whole.
        let packs_once = right.is_some() || groups == 1 || self.sizes.work() >= LARGE;
        let shares = if rows > columns && packs_once { num_threads().min(strips) } else { 1 };
        let own = || Own { panels: Packed::NONE, rows: Packed::NONE };
        share_with(self.sizes.work(), tiled::<T>(), groups * strips, own, |own, piece| {
            let (group, strip_index) = piece_of_shares(piece, groups, strips, shares);
            let first_row = strip_index * strip;
            let end = rows.min(first_row + strip);
            let within = group * panels / groups..(group + 1) * panels / groups;
            let (first, last) = (within.start * self.width, columns.min(within.end * self.width));
            let (b, b_stride, panel_step) = match right {
                Some(matrix) => (matrix.pointer(0, first), matrix.row_stride as usize, self.width),
                None => {
                    let length = panels.div_ceil(groups) * self.panel_length;
                    let pack = |out: &mut [F::Packed]| {
                        let out = &mut out[..within.len() * self.panel_length];
                        self.format.pack_panels(self.b.from(0, first), depth, last - first, out);
                    };
                    (own.panels.of(group, length, pack), self.width, self.panel_length)
                }
            };
            let a = match (left, &all_rows) {
                // From the whole matrix: strides may lead back.
                (Some(matrix), _) => matrix.pointer(first_row, 0),
                (None, Some(packed)) => packed[strip_index * strip_length..].as_ptr(),
                (None, None) => own.rows.of(strip_index, strip_length, |out| {
                    self.format.pack_rows(self.a.from(first_row, 0), end - first_row, depth, out);
                }),
            };
            self.format.piece(|| {
                for (tile, row) in (first_row..end).step_by(self.height).enumerate() {
                    let tiles = Tiles {
                        rows: self.height.min(rows - row),
                        depth,
                        columns: last - first,
                        a: a.wrapping_offset(tile as isize * next_tile),
                        row_stride: self.left.row_stride,
                        depth_stride: self.left.depth_stride,
                        b,
                        b_stride,
                        panel_step,
                        out: self.sums.target(row, first, self.accumulate),
                    };
                    // SAFETY: the format's kernel is one that the processor has. `a` holds the rows at these strides (checked in
                    // `gemm`, or just packed), `b` holds the panels (just packed, or its `columns` in place, checked too). The
                    // tiles lie within the product, or the rows that it is added up in, and no other piece writes there.
                    unsafe { self.format.tiles(&tiles, right.is_some()) };
                }
            });
            if self.last {
                if self.out.column_stride != 1 {
                    self.turn(first_row..end, first..last);
                }
                self.out.finish(first_row..end, first..last);
            }
        });
    }

    /// Writes complete sums of a piece of work to the column-major product.
    fn turn(&self, rows: Range<usize>, columns: Range<usize>) {
        let place = |out: &Out<T>| out.pointer(rows.start, columns.start);
        let strides = (1, self.sums.row_stride as isize);
        // SAFETY: the piece's rows and columns lie within both, and no other piece uses them.
        unsafe {
            pack::transpose_from(
                place(&self.sums),
                strides,
                columns.len(),
                rows.len(),
                self.out.column_stride,
                place(&self.out),
            );
        }
    }

    /// Packs all strips of the left matrix.
    fn pack_rows(&self, strip: usize, strip_length: usize) -> Buffer<F::Packed> {
        let Sizes { rows, depth, .. } = self.sizes;
        let strips = rows.div_ceil(strip);
        let mut packed = Buffer::scratch(strips * strip_length);
        let base = SharedMut::new(packed.as_mut_ptr());
        // Packing a number takes about as long as a few multiplications.
        share(packed.len() * 8, MOVED, strips, |index| {
            // SAFETY: each piece has a strip of its own, within the buffer.
            let out = unsafe { base.part(index * strip_length, strip_length) };
            let row = index * strip;
            self.format.pack_rows(self.a.from(row, 0), strip.min(rows - row), depth, out);
        });
        packed
    }
}

/// Which group and strip a piece is: strips are parted into so many shares, of each of which all groups follow each other.
fn piece_of_shares(piece: usize, groups: usize, strips: usize, shares: usize) -> (usize, usize) {
    let share = (piece / groups * shares + shares - 1) / strips;
    let (first, end) = (share * strips / shares, (share + 1) * strips / shares);
    let within = piece - groups * first;
    (within / (end - first), first + within % (end - first))
}

/// Whether it is faster to compute the transposed product, whose left matrix is the right one.
///
/// What is packed is weighed against what it takes to write the result by columns, in numbers moved.
fn flip_pays<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes) -> bool {
    let Sizes { rows, depth, columns } = sizes;
    let cost = |left: Matrix<T>, rows: usize, right: Matrix<T>, columns: usize| {
        let left = if left.column_stride == 1 { 0 } else { rows };
        let kernel = T::kernels().tiles.best_for(columns);
        let right = match right.column_stride {
            1 if kernel.right_in_place(right, rows, depth.min(kernel.depth)).is_some() => 0,
            1 => columns,
            // Transposed, which takes twice the time of a copy.
            _ => 2 * columns,
        };
        (left + right) * depth
    };
    let straight = cost(a, rows, b, columns);
    let flipped = cost(b.flipped(), columns, a.flipped(), rows) + 2 * rows * columns;
    flipped < straight
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::gemm::Epilogue;
    use crate::cpu::simd;

    #[test]
    fn shares_have_every_piece_once_and_rows_of_their_own() {
        for (groups, strips) in (1..6).flat_map(|groups| (1..20).map(move |strips| (groups, strips))) {
            for shares in 1..=strips {
                let pieces: Vec<_> =
                    (0..groups * strips).map(|piece| piece_of_shares(piece, groups, strips, shares)).collect();
                let mut sorted = pieces.clone();
                sorted.sort_unstable();
                let all = (0..groups).flat_map(|group| (0..strips).map(move |strip| (group, strip)));
                assert!(sorted.into_iter().eq(all), "{groups} groups, {strips} strips, {shares} shares");
                let share = |strip: usize| (0..shares).rposition(|share| share * strips / shares <= strip);
                assert!(
                    pieces.iter().map(|&(_, strip)| share(strip)).is_sorted(),
                    "{groups} groups, {strips} strips, {shares} shares"
                );
            }
        }
    }

    #[test]
    fn a_product_and_its_transpose_have_the_same_bits() {
        let numbers =
            |count: usize, seed: usize| (0..count).map(|i| ((i * 7919 + seed) % 101) as f32 / 50.0 - 1.0).collect();
        // Of one pass and several along the summed axis, in one piece and several, of more columns than a pass.
        for (rows, depth, columns) in
            [(33, 40, 70), (50, 600, 130), (300, 300, 41), (CHUNK + 50, 270, 20), (20, 270, CHUNK + 50)]
        {
            let sizes = Sizes { rows, depth, columns };
            let (left, right): (Vec<f32>, Vec<f32>) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
            let a = Matrix { data: &left, offset: 0, row_stride: depth as isize, column_stride: 1 };
            let b = Matrix { data: &right, offset: 0, row_stride: 1, column_stride: depth as isize };
            let bias: Vec<f32> = numbers(columns, 3);
            for level in simd::available_levels() {
                simd::force_level(level);
                // Once: other tests force levels, too.
                let tiles = &f32::kernels().tiles;
                let [straight, turned] = [false, true].map(|turned| {
                    let mut product = vec![f32::NAN; rows * columns];
                    let out = Out {
                        base: SharedMut::new(product.as_mut_ptr()),
                        row_stride: columns,
                        column_stride: 1,
                        flipped: false,
                        epilogue: Some(Epilogue { bias: &bias, relu: true }),
                    };
                    if turned {
                        let sizes = Sizes { rows: columns, columns: rows, ..sizes };
                        multiply_in(tiles.best_for(rows), b.flipped(), a.flipped(), sizes, out.flipped());
                    } else {
                        multiply_in(tiles.best_for(columns), a, b, sizes, out);
                    }
                    assert!(product.iter().any(|&x| x > 0.0) && product.iter().all(|&x| x >= 0.0));
                    product.into_iter().map(f32::to_bits).collect::<Vec<_>>()
                });
                assert!(straight == turned, "{rows} x {depth} x {columns} at {level:?}");
            }
        }
    }
}
