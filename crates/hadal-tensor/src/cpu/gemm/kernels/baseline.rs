//! Kernels for every processor.

use super::dot_tile::{DotKernel, dot_tiles};
use super::kernel::{Kernels, Level, TileKernels};
use super::sparse_rows::{SparseKernel, sparse_rows};
use super::tile::{tile_kernel, tiles};
use super::vector::Vector;
use super::window_dots::{WindowDotKernel, window_dots};
use super::window_lines::{WindowLineKernel, window_lines};
use super::window_places::window_places;
use super::window_tile::{WindowKernel, window_tiles};
use crate::cpu::float::Float;
use crate::cpu::simd::SimdLevel;

pub(crate) static LEVEL: Level = Level {
    level: SimdLevel::Baseline,
    f32: Kernels {
        tiles: TileKernels::new(&[tile_kernel!(4, 512, baseline_tiles::<f32, Four<f32>, 2>)]),
        dots: dots(),
        sparse: sparse(),
        windows: windows(),
        window_lines: window_lines(),
        window_places: baseline_place_kernel::<f32, Four<f32>>(),
        window_dots: window_dots(),
        transpose_square: None,
    },
    f64: Kernels {
        tiles: TileKernels::new(&[tile_kernel!(4, 512, baseline_tiles::<f64, Four<f64>, 2>)]),
        dots: dots(),
        sparse: sparse(),
        windows: windows(),
        window_lines: window_lines(),
        window_places: baseline_place_kernel::<f64, Four<f64>>(),
        window_dots: window_dots(),
        transpose_square: None,
    },
};

const fn dots<T: Float>() -> DotKernel<T> {
    DotKernel { width: 2, wide: baseline_dot_tiles::<T, Four<T>, 2>, single: baseline_dot_tiles::<T, Four<T>, 1> }
}

const fn sparse<T: Float>() -> SparseKernel<T> {
    SparseKernel {
        lanes: 4,
        registers: 12,
        slowness: 0.95,
        far: 1.0,
        visit: 0.0,
        rows: baseline_sparse_rows::<T, Four<T>>,
        list_row: None,
    }
}

const fn windows<T: Float>() -> WindowKernel<T> {
    WindowKernel {
        height: 3,
        lanes: 4,
        tiles: baseline_window_tiles::<T, Four<T>, false>,
        halves: baseline_window_tiles::<T, Four<T>, true>,
    }
}

const fn window_lines<T: Float>() -> WindowLineKernel<T> {
    WindowLineKernel { lanes: 4, heights: HEIGHTS, lines: baseline_window_lines::<T, Four<T>> }
}

const fn window_dots<T: Float>() -> WindowDotKernel<T> {
    WindowDotKernel {
        height: 2,
        width: 2,
        lanes: 4,
        dots: baseline_window_dots::<T, Four<T>, false>,
        halves: baseline_window_dots::<T, Four<T>, true>,
    }
}

tiles!(baseline_tiles, baseline_part, baseline_sums, 1 2 3 4);
dot_tiles!(baseline_dot_tiles, baseline_dots);
sparse_rows!(baseline_sparse_rows, 1 2 3 4 5 6 7 8 9 10 11 12);
window_tiles!(
    baseline_window_tiles,
    baseline_window_sums,
    1 x 3, 2 x 3, 3 x 3
);
window_lines!(baseline_window_lines, baseline_window_line_sums, 2, 3 x [4 3 2 1], 5 x [2 1], 7 x [1]);
window_places!(
    baseline_window_places,
    baseline_place_kernel,
    1: 2 x 4, 1: 2 x 5
);
window_dots!(
    baseline_window_dots,
    baseline_window_dots_of,
    baseline_window_dot_sums,
    [1 2],
    [1 2]
);

/// Four numbers in an array, which every compiler target puts into its own registers.
#[derive(Clone, Copy)]
pub(crate) struct Four<T>([T; 4]);

impl<T: Float> Vector<T> for Four<T> {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn zero() -> Self {
        Four([T::ZERO; 4])
    }
    #[inline(always)]
    unsafe fn splat(value: *const T) -> Self {
        // SAFETY: the caller's contract: `value` is readable.
        Four([unsafe { *value }; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller's contract: four elements are readable.
        Four(unsafe { from.cast::<[T; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller's contract: four elements are writable.
        unsafe { to.cast::<[T; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const T, count: usize) -> Self {
        // SAFETY: the caller's contract: `count` elements are readable.
        Four(std::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { T::ZERO }))
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize, accumulate: bool) {
        for i in 0..count {
            // SAFETY: the caller's contract: `count` elements are readable and writable.
            unsafe { *to.add(i) = if accumulate { *to.add(i) + self.0[i] } else { self.0[i] } };
        }
    }
    #[inline(always)]
    unsafe fn load_halves(low: *const T, high: *const T) -> Self {
        // SAFETY: the caller's contract: two elements are readable at both.
        let ([a, b], [c, d]) =
            unsafe { (low.cast::<[T; 2]>().read_unaligned(), high.cast::<[T; 2]>().read_unaligned()) };
        Four([a, b, c, d])
    }
    #[inline(always)]
    unsafe fn store_halves(self, low: *mut T, high: *mut T) {
        let [a, b, c, d] = self.0;
        // SAFETY: the caller's contract: two elements are writable at both.
        unsafe {
            low.cast::<[T; 2]>().write_unaligned([a, b]);
            high.cast::<[T; 2]>().write_unaligned([c, d]);
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Four(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Four(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }
}
