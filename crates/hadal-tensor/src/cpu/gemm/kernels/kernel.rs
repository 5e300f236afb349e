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
    pub tiles: TileKernels<T>,
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

/// The kernels for dense products.
pub(crate) struct TileKernels<T: 'static> {
    /// The narrowest first.
    all: &'static [TileKernel<T>],
    /// Which is the best for so many columns; for more than are listed the widest is.
    best: [u8; LISTED],
}

/// Five of the widest tiles: of more columns they lose less by the last tile than others lose by the rest.
const LISTED: usize = 5 * 48;

impl<T> TileKernels<T> {
    pub const fn new(all: &'static [TileKernel<T>]) -> TileKernels<T> {
        let mut best = [0; LISTED];
        let mut columns = 1;
        while columns < LISTED {
            let mut index = 1;
            while index < all.len() {
                if all[index].cost(columns) < all[best[columns] as usize].cost(columns) {
                    best[columns] = index as u8;
                }
                index += 1;
            }
            columns += 1;
        }
        TileKernels { all, best }
    }

    /// All kernels, the narrowest first.
    pub fn all(&self) -> &'static [TileKernel<T>] {
        self.all
    }

    /// The best tiles for a product with this many columns: those that [cost](TileKernel::cost) least.
    pub fn best_for(&self, columns: usize) -> &'static TileKernel<T> {
        &self.all[self.best.get(columns).map_or(self.all.len() - 1, |&index| index.into())]
    }

    /// The best of those tiles that are wanted.
    pub fn best_of(
        &self,
        columns: usize,
        is_wanted: impl Fn(&TileKernel<T>) -> bool,
    ) -> Option<&'static TileKernel<T>> {
        self.all.iter().filter(|kernel| is_wanted(kernel)).min_by_key(|kernel| kernel.cost(columns))
    }
}
