//! Kernels for processors with AVX-512: thirty-two registers of 512 bits.

use std::arch::x86_64::*;

use super::avx2::{halves, sum_of_eight, sum_of_four_doubles, transpose_square};
use super::dot_tile::{DotKernel, dot_tiles};
use super::kernel::{Kernels, Level, TileKernels};
use super::sparse_rows::{SparseKernel, sparse_rows};
use super::tile::{tile_kernel, tiles};
use super::vector::{Vector, vector};
use super::window_dots::{WindowDotKernel, window_dots};
use super::window_lines::{WindowLineKernel, window_lines};
use super::window_places::window_places;
use super::window_tile::{WindowKernel, window_tiles};
use crate::cpu::float::Float;
use crate::cpu::simd::SimdLevel;

pub(crate) static LEVEL: Level = Level {
    level: SimdLevel::Avx512,
    f32: Kernels {
        tiles: TileKernels::new(&[
            tile_kernel!(12, 512, avx512_tiles::<f32, __m512, 1>),
            tile_kernel!(12, 512, avx512_tiles::<f32, __m512, 2>),
            tile_kernel!(8, 512, avx512_wide_tiles::<f32, __m512, 3>),
        ]),
        dots: dots::<f32, __m512>(),
        sparse: SparseKernel { list_row: Some(list_row), ..sparse::<f32, __m512>() },
        windows: windows::<f32, __m512>(),
        window_lines: window_lines::<f32, __m512>(),
        window_places: avx512_place_kernel::<f32, __m512>(),
        window_dots: window_dots::<f32, __m512>(),
        transpose_square: Some(transpose_square),
    },
    f64: Kernels {
        tiles: TileKernels::new(&[
            tile_kernel!(12, 512, avx512_tiles::<f64, __m512d, 2>),
            tile_kernel!(8, 512, avx512_wide_tiles::<f64, __m512d, 3>),
        ]),
        dots: dots::<f64, __m512d>(),
        sparse: sparse::<f64, __m512d>(),
        windows: windows::<f64, __m512d>(),
        window_lines: window_lines::<f64, __m512d>(),
        window_places: avx512_place_kernel::<f64, __m512d>(),
        window_dots: window_dots::<f64, __m512d>(),
        transpose_square: None,
    },
};

const fn dots<T: Float, V: Vector<T>>() -> DotKernel<T> {
    DotKernel { width: 6, wide: avx512_dot_tiles::<T, V, 6>, single: avx512_dot_tiles::<T, V, 1> }
}

const fn sparse<T: Float, V: Vector<T>>() -> SparseKernel<T> {
    SparseKernel {
        lanes: V::LANES,
        registers: 8,
        slowness: 1.6,
        far: 1.0,
        visit: 0.0,
        rows: avx512_sparse_rows::<T, V>,
        list_row: None,
    }
}

const fn windows<T: Float, V: Vector<T>>() -> WindowKernel<T> {
    WindowKernel {
        height: 8,
        lanes: V::LANES,
        tiles: avx512_window_tiles::<T, V, false>,
        halves: avx512_window_tiles::<T, V, true>,
    }
}

const fn window_lines<T: Float, V: Vector<T>>() -> WindowLineKernel<T> {
    WindowLineKernel { lanes: V::LANES, heights: HEIGHTS, lines: avx512_window_lines::<T, V> }
}

const fn window_dots<T: Float, V: Vector<T>>() -> WindowDotKernel<T> {
    WindowDotKernel {
        height: 6,
        width: 4,
        lanes: V::LANES,
        dots: avx512_window_dots::<T, V, false>,
        halves: avx512_window_dots::<T, V, true>,
    }
}

tiles!(
    #[target_feature(enable = "avx512f")]
    avx512_tiles,
    avx512_part,
    avx512_sums,
    1 2 3 4 5 6 7 8 9 10 11 12
);
tiles!(
    #[target_feature(enable = "avx512f")]
    avx512_wide_tiles,
    avx512_wide_part,
    avx512_wide_sums,
    1 2 3 4 5 6 7 8
);
dot_tiles!(
    #[target_feature(enable = "avx512f")]
    avx512_dot_tiles,
    avx512_dots
);
sparse_rows!(
    #[target_feature(enable = "avx512f")]
    avx512_sparse_rows,
    1 2 3 4 5 6 7 8
);
window_tiles!(
    #[target_feature(enable = "avx512f")]
    avx512_window_tiles,
    avx512_window_sums,
    1 x 4, 2 x 4, 3 x 3, 4 x 3, 5 x 3, 6 x 3, 7 x 3, 8 x 3
);
window_lines!(
    #[target_feature(enable = "avx512f")]
    avx512_window_lines,
    avx512_window_line_sums,
    4,
    3 x [4 2 1], 5 x [4 2 1], 7 x [3 2 1]
);
window_places!(
    #[target_feature(enable = "avx512f")]
    avx512_window_places,
    avx512_place_kernel,
    1: 5 x 5, 1: 4 x 6, 1: 4 x 7
);
window_dots!(
    #[target_feature(enable = "avx512f")]
    avx512_window_dots,
    avx512_window_dots_of,
    avx512_window_dot_sums,
    [1 2 3 4 5 6],
    [1 2 3 4]
);

vector!(
    __m512,
    f32,
    16,
    _mm512_setzero_ps,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_fmadd_ps,
    first_of_sixteen,
    load_of_sixteen,
    sum_of_sixteen,
    halves_of_sixteen,
    to_halves_of_sixteen,
    sixteen_columns
);
vector!(
    __m512d,
    f64,
    8,
    _mm512_setzero_pd,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_add_pd,
    _mm512_fmadd_pd,
    first_of_eight_doubles,
    load_of_eight_doubles,
    sum_of_eight_doubles,
    halves_of_eight_doubles,
    to_halves_of_eight_doubles
);

/// The sum of all elements, halves added to each other.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn sum_of_sixteen(x: __m512) -> f32 {
    let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x)));
    sum_of_eight(_mm256_add_ps(_mm512_castps512_ps256(x), high))
}

/// The same.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn sum_of_eight_doubles(x: __m512d) -> f64 {
    sum_of_four_doubles(_mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd::<1>(x)))
}

halves!(
    halves_of_sixteen,
    to_halves_of_sixteen,
    "avx512f",
    __m512,
    f32,
    |low, high| _mm512_castpd_ps(_mm512_insertf64x4::<1>(
        _mm512_castpd256_pd512(_mm256_loadu_pd(low.cast())),
        _mm256_loadu_pd(high.cast())
    )),
    |x| _mm512_castps512_ps256(x),
    _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x))),
    _mm256_storeu_ps
);
halves!(
    halves_of_eight_doubles,
    to_halves_of_eight_doubles,
    "avx512f",
    __m512d,
    f64,
    |low, high| _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(_mm256_loadu_pd(low)), _mm256_loadu_pd(high)),
    |x| _mm512_castpd512_pd256(x),
    _mm512_extractf64x4_pd::<1>(x),
    _mm256_storeu_pd
);

/// Loads and stores of the first `count` lanes under a mask; stores add to what is there if `accumulate`.
macro_rules! masked {
    ($name:ident, $load_first:ident, $register:ty, $number:ty, $mask:ty, $load:ident, $store:ident, $add:ident) => {
        /// # Safety
        /// The processor must have AVX-512F, and `count` elements must be readable and writable at `to`.
        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn $name(x: $register, to: *mut $number, count: usize, accumulate: bool) {
            let mask = ((1u32 << count) - 1) as $mask;
            // SAFETY: the caller's contract; lanes outside the mask are not touched.
            unsafe {
                let x = if accumulate { $add(x, $load(mask, to)) } else { x };
                $store(to, mask, x);
            }
        }

        /// # Safety
        /// The processor must have AVX-512F, and `count` elements must be readable at `from`.
        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn $load_first(from: *const $number, count: usize) -> $register {
            // SAFETY: the caller's contract; lanes outside the mask are not touched.
            unsafe { $load(((1u32 << count) - 1) as $mask, from) }
        }
    };
}
masked!(
    first_of_sixteen,
    load_of_sixteen,
    __m512,
    f32,
    __mmask16,
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps,
    _mm512_add_ps
);
masked!(
    first_of_eight_doubles,
    load_of_eight_doubles,
    __m512d,
    f64,
    __mmask8,
    _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd,
    _mm512_add_pd
);

/// `to[j * stride + i] = rows[i][j]` for four rows of sixteen.
///
/// # Safety
/// The processor must have AVX-512F, and `to` must be writable at all those places.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn sixteen_columns(rows: [__m512; 4], to: *mut f32, stride: usize) {
    let [a, b, c, d] = rows;
    let (low, high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    let (low_next, high_next) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    // Quarter q of `columns[k]` is column 4 q + k.
    let columns = [
        _mm512_shuffle_ps::<0x44>(low, low_next),
        _mm512_shuffle_ps::<0xee>(low, low_next),
        _mm512_shuffle_ps::<0x44>(high, high_next),
        _mm512_shuffle_ps::<0xee>(high, high_next),
    ];
    for (k, column) in columns.into_iter().enumerate() {
        let quarters = [
            _mm512_castps512_ps128(column),
            _mm512_extractf32x4_ps::<1>(column),
            _mm512_extractf32x4_ps::<2>(column),
            _mm512_extractf32x4_ps::<3>(column),
        ];
        for (q, quarter) in quarters.into_iter().enumerate() {
            // SAFETY: the caller's contract.
            unsafe { _mm_storeu_ps(to.add((4 * q + k) * stride), quarter) };
        }
    }
}

/// Lists the places where a row is not zero, sixteen places at a time; see [`SparseKernel::list`].
///
/// # Safety
/// The processor must have AVX-512F. `x` must be readable for `depth` elements; `values` and `places` must be writable for
/// `depth` rounded up to sixteen.
#[target_feature(enable = "avx512f,popcnt")]
unsafe fn list_row(x: *const f32, depth: usize, values: *mut f32, places: *mut u32) -> usize {
    let mut count = 0;
    let mut here = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for first in (0..depth).step_by(16) {
        let valid = if depth - first < 16 { ((1u32 << (depth - first)) - 1) as __mmask16 } else { !0 };
        // SAFETY: only valid lanes are read; `count` is at most `first`, so that whole registers can be stored.
        unsafe {
            let sixteen = _mm512_maskz_loadu_ps(valid, x.add(first));
            // NaN is not zero: the comparison is true when unordered.
            let kept = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(sixteen, _mm512_setzero_ps());
            _mm512_storeu_ps(values.add(count), _mm512_maskz_compress_ps(kept, sixteen));
            _mm512_storeu_si512(places.add(count).cast(), _mm512_maskz_compress_epi32(kept, here));
            count += kept.count_ones() as usize;
        }
        here = _mm512_add_epi32(here, _mm512_set1_epi32(16));
    }
    count
}
