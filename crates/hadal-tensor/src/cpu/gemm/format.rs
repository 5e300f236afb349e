//! How the operands of a product are packed, and by what its tiles are computed.

#[cfg(doc)]
use super::kernels::tile::TileKernel;
use super::kernels::tile::Tiles;
use super::matrix::Matrix;
use crate::cpu::buffer::Plain;

/// A way to compute tiles: what operands are packed into, and the kernel that reads it.
pub(crate) trait Format<T>: Sync {
    /// What operands are packed into.
    type Packed: Plain;

    /// Products of fewer multiplications gain nothing by this format.
    const SMALLEST: usize = 0;

    /// How fast large products are, against those of the numbers as they are.
    fn speed(&self) -> f64 {
        1.0
    }

    /// Its kernel and tiles, in words.
    fn describe(&self) -> String;

    /// Elements of the summed axis per pass, at most. Sums of passes are added, so the bits depend on it.
    fn depth(&self) -> usize;

    /// Rows and columns of the largest tile.
    fn tile_size(&self) -> (usize, usize);

    /// Packed elements of a panel of [`tile_size`](Format::tile_size) columns.
    fn panel_length(&self, depth: usize) -> usize;

    /// Packs panels of the right matrix, one after another. What fills up the last is arbitrary, but not beyond `depth`.
    fn pack_panels(&self, b: Matrix<T>, depth: usize, columns: usize, out: &mut [Self::Packed]);

    /// How the left matrix is read, which it is for each of so many panels.
    fn left(&self, a: Matrix<T>, depth: usize, panels: usize) -> Left;

    /// Packs rows of the left matrix, tile after tile, if they are [packed](Left::packed).
    fn pack_rows(&self, a: Matrix<T>, rows: usize, depth: usize, out: &mut [Self::Packed]);

    /// The left matrix as it lies, if that is not always [packed](Left::packed).
    fn left_in_place<'a>(&self, a: Matrix<'a, T>) -> Option<Matrix<'a, Self::Packed>>;

    /// The right matrix as it lies, where tiles of so many rows read it so in a pass so deep.
    fn right_in_place<'a>(&self, b: Matrix<'a, T>, rows: usize, depth: usize) -> Option<Matrix<'a, Self::Packed>>;

    /// Runs a piece of work on this thread, which may compute tiles in it.
    fn piece(&self, mut work: impl FnMut()) {
        work();
    }

    /// Computes tiles; if `direct`, of a right matrix [as it lies](Format::right_in_place).
    ///
    /// # Safety
    /// As [`TileKernel::tiles`], or as [`TileKernel::direct`], with operands packed by this format from `depth` places along the
    /// summed axis.
    unsafe fn tiles(&self, tiles: &Tiles<Self::Packed, T>, direct: bool);
}

/// How a left matrix is read by tiles.
#[derive(Clone, Copy)]
pub(crate) struct Left {
    /// Whether it is packed; otherwise read as it lies.
    pub packed: bool,
    /// Packed elements of a tile's rows.
    pub length: usize,
    pub row_stride: isize,
    pub depth_stride: isize,
}
