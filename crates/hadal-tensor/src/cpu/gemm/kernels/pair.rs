//! What multiplies pairs of bf16, 32 bits each, two neighbours along the summed axis.

use super::tile::Tiles;

/// Columns of a panel.
pub(crate) const WIDTH: usize = 32;

/// A kernel for pairs. Tiles are at most [`WIDTH`] columns wide.
pub(crate) struct PairKernel {
    /// What it runs on.
    pub name: &'static str,
    /// Rows of the largest tile.
    pub height: usize,
    /// Pairs along the summed axis that it takes at once: depths are multiples of it.
    pub step: usize,
    /// How fast large products are, against those of f32 on the vector units.
    pub speed: f64,
    /// Whether the processor has what it takes.
    pub present: fn() -> bool,
    /// Whether the system allows its use; asked only if it is present.
    pub allowed: fn() -> bool,
    /// Runs work on this thread, which may compute tiles in it.
    ///
    /// # Safety
    /// The kernel must be present and allowed.
    pub piece: unsafe fn(&mut dyn FnMut()),
    /// Computes tiles: the sums of the products of all `factors`, `depth` pairs deep, given `tiles, factors, row_stride,
    /// depth`.
    ///
    /// # Safety
    /// Within `piece`. With `1 <= tiles.rows <= height` and `depth` a multiple of `step`: each left factor must be readable
    /// for `height` rows `row_stride` apart, each right one for panels `tiles.panel_step` apart, `depth` rows of [`WIDTH`]
    /// each, both for `depth` pairs. `tiles.out` must be readable and writable for `rows` x `columns` at its strides.
    pub tiles: unsafe fn(&Tiles<u32, f32>, &[Factors], usize, usize),
}

/// The left and the right of a product: where the tile's rows, and the panel, begin.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Factors {
    pub left: *const u32,
    pub right: *const u32,
}
