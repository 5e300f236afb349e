//! The products of [minimal filtering](super): one for each place of the tiles.

use super::PLACES;
use super::room::padded;
use crate::cpu::gemm::kernels::Gemm;
use crate::cpu::gemm::kernels::store::Target;
use crate::cpu::gemm::kernels::tile::{TileKernel, Tiles};

/// A matrix for each place, the rows of which lie `row` apart, and their elements `column`.
pub(super) struct Left<'a, T> {
    pub data: &'a [T],
    pub rows: usize,
    pub row: usize,
    pub column: usize,
    /// From a place to the next.
    pub place: usize,
}

/// A matrix for each place: rows `row` apart, the elements of which lie side by side.
pub(super) struct Right<'a, T> {
    pub data: &'a [T],
    pub columns: usize,
    pub row: usize,
    pub place: usize,
}

/// Where the products go, `row` from a row to the next.
pub(super) struct Sums<'a, T> {
    pub data: &'a mut [T],
    pub row: usize,
    pub place: usize,
    /// Whether they are added to what is there.
    pub accumulate: bool,
}

/// The kernel whose tiles fill panels that so many columns fill; they are whole registers.
pub(super) fn kernel_for<T: Gemm>(columns: usize) -> &'static TileKernel<T> {
    let fills = |width: usize| padded(width).is_multiple_of(width) && columns.is_multiple_of(padded(width));
    T::kernels().tiles.best_of(columns, |kernel| fills(kernel.width)).expect("a level has tiles for a register")
}

/// The products for all places, of `depth` columns of the left and rows of the right.
pub(super) fn products<T: Gemm>(kernel: &TileKernel<T>, depth: usize, left: &Left<T>, right: &Right<T>, sums: Sums<T>) {
    let last = PLACES - 1;
    assert!(
        left.rows > 0
            && depth > 0
            && right.columns.is_multiple_of(kernel.width)
            && last * left.place + (left.rows - 1) * left.row + (depth - 1) * left.column < left.data.len()
            && last * right.place + (depth - 1) * right.row + right.columns <= right.data.len()
            && last * sums.place + (left.rows - 1) * sums.row + right.columns <= sums.data.len(),
        "convolution: {} x {depth} x {}",
        left.rows,
        right.columns
    );
    let panels = left.rows.div_ceil(kernel.height);
    for place in 0..PLACES {
        for panel in 0..panels {
            let (first, end) = (panel * left.rows / panels, (panel + 1) * left.rows / panels);
            for start in (0..depth).step_by(kernel.depth) {
                let tiles = Tiles {
                    rows: end - first,
                    depth: kernel.depth.min(depth - start),
                    columns: right.columns,
                    a: left.data[place * left.place + first * left.row + start * left.column..].as_ptr(),
                    row_stride: left.row as isize,
                    depth_stride: left.column as isize,
                    b: right.data[place * right.place + start * right.row..].as_ptr(),
                    b_stride: right.row,
                    panel_step: kernel.width,
                    out: Target {
                        pointer: sums.data[place * sums.place + first * sums.row..].as_mut_ptr(),
                        row_stride: sums.row,
                        accumulate: sums.accumulate || start > 0,
                    },
                };
                // SAFETY: kernels are those of the level in use; the elements of all rows and columns were just checked to lie within
                // their slices, `first < end <= rows`, and a panel has at most the kernel's rows.
                unsafe { (kernel.tiles)(&tiles) };
            }
        }
    }
}
