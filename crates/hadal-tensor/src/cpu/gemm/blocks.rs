//! Dense products: both matrices are packed as their [`Format`] wants them, then cut into pieces of work.

use super::format::Format;
use super::tile::Tile;
use super::{Gemm, Matrix, Out, Sizes, share};
use crate::cpu::buffer::{Buffer, Plain};
use crate::cpu::threads::SharedMut;

/// Elements of the summed axis per pass: a tile's rows stay in the nearest cache.
const DEPTH: usize = 512;
/// Columns that are packed together.
const CHUNK: usize = 2048;
/// Columns of a piece of work: at full depth a packed right matrix of 512 KiB, which stays near the processor.
const COLUMNS: usize = 256;
/// Rows of a piece of work.
const ROWS: usize = 48;
/// Products of at most so many multiplications are computed without packing.
const SMALL: usize = 8 * 1024;

/// One product, in `format`.
pub(super) fn multiply<T: Plain, F: Format<T>>(format: &F, a: Matrix<T>, b: Matrix<T>, sizes: Sizes, out: Out<T>) {
    let (height, width) = format.tile_size();
    for first in (0..sizes.columns).step_by(CHUNK) {
        let columns = CHUNK.min(sizes.columns - first);
        for start in (0..sizes.depth).step_by(DEPTH) {
            let depth = DEPTH.min(sizes.depth - start);
            let pass = Pass {
                format,
                a: a.from(0, start),
                b: b.from(start, first),
                sizes: Sizes { rows: sizes.rows, depth, columns },
                tile: (height, width),
                accumulate: start > 0,
                out: Out { base: SharedMut::new(out.base.pointer().wrapping_add(first * out.column_stride)), ..out },
            };
            pass.run();
        }
    }
}

/// A product so small that packing the matrices would take longer; true if it was computed.
pub(super) fn multiply_in_place<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, out: Out<T>) -> bool {
    let Sizes { rows, depth, columns } = sizes;
    if rows * depth * columns > SMALL || b.column_stride != 1 || b.row_stride < 0 {
        return false;
    }
    let kernel = T::kernel(columns);
    for column in (0..columns).step_by(kernel.width) {
        for row in (0..rows).step_by(kernel.height) {
            // SAFETY: the kernel is one that the processor has; both matrices were checked for `sizes` in `gemm`, and the
            // tile lies within the product, which nobody else writes.
            unsafe {
                (kernel.direct)(Tile {
                    rows: kernel.height.min(rows - row),
                    depth,
                    columns: kernel.width.min(columns - column),
                    a: a.data.as_ptr().add(a.at(row, 0)),
                    row_stride: a.row_stride,
                    depth_stride: a.column_stride,
                    b: b.data.as_ptr().add(b.at(0, column)),
                    b_stride: b.row_stride as usize,
                    out: out.target(row, column, false),
                });
            }
        }
    }
    true
}

/// What is computed after packing once: all rows of the product, up to [`CHUNK`] columns, [`DEPTH`] places deep.
struct Pass<'a, T, F> {
    format: &'a F,
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    sizes: Sizes,
    tile: (usize, usize),
    accumulate: bool,
    out: Out<T>,
}

/// The operands of a pass, packed or as they lie.
struct Operands<'a, P: Plain> {
    left: Result<Buffer<P>, Matrix<'a, P>>,
    right: Result<Buffer<P>, Matrix<'a, P>>,
}

impl<T: Plain, F: Format<T>> Pass<'_, T, F> {
    fn run(&self) {
        let Sizes { rows, depth, columns } = self.sizes;
        let (height, width) = self.tile;
        let operands = self.pack();
        // Groups of nearly equal numbers of panels, and strips of rows.
        let panels = columns.div_ceil(width);
        let groups = panels.div_ceil(COLUMNS.div_ceil(width));
        let strip = (ROWS / height).max(1) * height;
        let strips = rows.div_ceil(strip);
        share(rows * depth * columns, groups * strips, |piece| {
            let (group, first_row) = (piece / strips, piece % strips * strip);
            let group = group * panels / groups..(group + 1) * panels / groups;
            self.format.piece(|| {
                for row in (first_row..rows.min(first_row + strip)).step_by(height) {
                    for panel in group.clone() {
                        self.tile(&operands, row, panel);
                    }
                }
            });
        });
    }

    fn tile(&self, operands: &Operands<F::Packed>, row: usize, panel: usize) {
        let Sizes { rows, depth, columns } = self.sizes;
        let (height, width) = self.tile;
        let left = self.format.left(self.a, depth);
        let (a, row_stride, depth_stride) = match &operands.left {
            Ok(packed) => (&packed[row / height * left.length..], left.row_stride, left.depth_stride),
            Err(matrix) => (&matrix.data[matrix.at(row, 0)..], matrix.row_stride, matrix.column_stride),
        };
        let length = self.format.panel_length(depth);
        let (b, b_stride) = match &operands.right {
            Ok(packed) => (&packed[panel * length..(panel + 1) * length], width),
            Err(matrix) => (&matrix.data[matrix.at(0, panel * width)..], matrix.row_stride as usize),
        };
        let column = panel * width;
        // SAFETY: the format's kernel is one that the processor has. `a` holds the tile's rows at these strides (checked
        // in `gemm`, or just packed), `b` holds a panel (just packed, or its `columns` in place, checked too). The tile
        // lies within the product, and no other piece writes there.
        unsafe {
            let tile = Tile {
                rows: height.min(rows - row),
                depth,
                columns: width.min(columns - column),
                a: a.as_ptr(),
                row_stride,
                depth_stride,
                b: b.as_ptr(),
                b_stride,
                out: self.out.target(row, column, self.accumulate),
            };
            self.format.tile(tile, operands.right.is_err());
        }
    }

    /// Packs what cannot be read as it lies, or would be slower.
    fn pack(&self) -> Operands<'_, F::Packed> {
        let Sizes { rows, depth, columns } = self.sizes;
        let (height, width) = self.tile;
        let left = self.format.left(self.a, depth);
        let left_in_place = self.format.in_place(self.a).filter(|_| !left.packed);
        // A right matrix that is read only once is read where it lies: packing would take longer than the product.
        let readable = self.b.column_stride == 1 && self.b.row_stride >= 0;
        let right_in_place = self.format.in_place(self.b).filter(|_| readable && rows <= height);
        let (row_tiles, panels) = (rows.div_ceil(height), columns.div_ceil(width));
        let length = self.format.panel_length(depth);
        let row_tiles = if left_in_place.is_some() { 0 } else { row_tiles };
        let panels = if right_in_place.is_some() { 0 } else { panels };
        let mut packed_left = Buffer::scratch(row_tiles * left.length);
        let mut packed_right = Buffer::scratch(panels * length);
        let left_base = SharedMut::new(packed_left.as_mut_ptr());
        let right_base = SharedMut::new(packed_right.as_mut_ptr());
        // A piece of packing takes about as long as one of a few thousand multiplications.
        share((packed_left.len() + packed_right.len()) * 8, row_tiles + panels, |piece| {
            if let Some(panel) = piece.checked_sub(row_tiles) {
                let columns = width.min(columns - panel * width);
                // SAFETY: each piece has a panel of its own, within the buffer.
                let out = unsafe { right_base.part(panel * length, length) };
                self.format.pack_panels(self.b.from(0, panel * width), depth, columns, out);
            } else {
                let row = piece * height;
                // SAFETY: each piece has a tile's rows of its own, within the buffer.
                let out = unsafe { left_base.part(piece * left.length, left.length) };
                self.format.pack_rows(self.a.from(row, 0), height.min(rows - row), depth, out);
            }
        });
        Operands {
            left: left_in_place.map_or(Ok(packed_left), Err),
            right: right_in_place.map_or(Ok(packed_right), Err),
        }
    }
}

/// Whether it is faster to compute the transposed product, whose left matrix is the right one.
///
/// What is packed once is weighed against what it takes to write the result by columns, in numbers moved.
pub(super) fn flip_pays<T: Plain>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes) -> bool {
    let Sizes { rows, depth, columns } = sizes;
    // Rows are read in place or copied; panels are copied, or transposed at twice the cost.
    let cost = |left: Matrix<T>, rows: usize, right: Matrix<T>, columns: usize| {
        let left = if left.column_stride == 1 { 0 } else { rows };
        let right = if right.column_stride == 1 { columns } else { 2 * columns };
        (left + right) * depth
    };
    let straight = cost(a, rows, b, columns);
    let flipped = cost(b.flipped(), columns, a.flipped(), rows) + rows * columns;
    flipped < straight
}
