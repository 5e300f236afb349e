//! What a level has: the kernels of each number type.

use super::dot_tile::DotKernel;
use super::sparse_rows::SparseKernel;
use super::tile::TileKernel;
use super::window_dots::WindowDotKernel;
use super::window_lines::WindowLineKernel;
use super::window_places::WindowPlaceKernel;
use super::window_tile::WindowKernel;
use crate::cpu::simd::SimdLevel;

/// The kernels of a level of vector instructions.
pub(crate) struct Level {
    pub level: SimdLevel,
    pub f32: Kernels<f32>,
    pub f64: Kernels<f64>,
}

/// The kernels of a number type at a level.
pub(crate) struct Kernels<T: 'static> {
    /// Those for dense products, the narrowest first.
    pub tiles: &'static [TileKernel<T>],
    pub dots: DotKernel<T>,
    /// That for matrices with many zeros.
    pub sparse: SparseKernel<T>,
    /// That for convolutions.
    pub windows: WindowKernel<T>,
    /// That for convolutions of single channels.
    pub window_lines: WindowLineKernel<T>,
    /// That for convolutions with short lines.
    pub window_places: WindowPlaceKernel<T>,
    /// That for the gradients of convolutions' weights.
    pub window_dots: WindowDotKernel<T>,
    /// Transposes 8 x 8 elements: `out[k * out_stride + j] = x[j * stride + k]`, given `x, stride, out, out_stride`.
    ///
    /// # Safety
    /// The processor must have the level; `x` must be readable and `out` writable at all those places.
    pub transpose_square: Option<unsafe fn(*const T, usize, *mut T, usize)>,
}

impl<T> Kernels<T> {
    /// The best tiles for a product with this many columns.
    pub fn tile(&self, columns: usize) -> &TileKernel<T> {
        let widest = self.tiles.len() - 1;
        self.tiles[..widest].iter().find(|kernel| columns <= kernel.width).unwrap_or(&self.tiles[widest])
    }
}
