//! Kernels for processors with AVX2 and FMA: sixteen registers of 256 bits.

use std::arch::x86_64::*;

use super::avx2_tile;
use super::dot_tile::{DotKernel, dot_tiles};
use super::kernel::{Kernels, Level, TileKernels};
use super::sparse_rows::{SparseKernel, sparse_rows};
use super::tile::{TileKernel, tile_kernel, tiles};
use super::vector::{Vector, vector};
use super::window_dots::{WindowDotKernel, window_dots};
use super::window_lines::{WindowLineKernel, window_lines};
use super::window_places::window_places;
use super::window_tile::{WindowKernel, window_tiles};
use crate::cpu::float::Float;
use crate::cpu::simd::SimdLevel;

pub(crate) static LEVEL: Level = Level {
    level: SimdLevel::Avx2,
    f32: Kernels {
        tiles: TileKernels::new(&[
            tile_kernel!(12, 264, avx2_narrow_tiles::<f32, __m128, 1>),
            tile_kernel!(6, 264, avx2_tiles::<f32, __m256, 1>),
            tile_kernel!(6, 264, avx2_tiles::<f32, __m256, 2>),
            TileKernel { tiles: avx2_tile::tiles, ..tile_kernel!(4, 264, avx2_wide_tiles::<f32, __m256, 3>) },
        ]),
        dots: dots::<f32, __m256>(),
        // Slower than it is in f64 beside dense tiles, whose assembly is for f32.
        sparse: SparseKernel { slowness: 1.6, far: 1.25, list_row: Some(list_row), ..sparse::<f32, __m256>() },
        windows: windows::<f32, __m256>(),
        window_lines: window_lines::<f32, __m256>(),
        window_places: avx2_place_kernel::<f32, __m256>(),
        window_dots: window_dots::<f32, __m256>(),
        transpose_square: Some(transpose_square),
    },
    f64: Kernels {
        tiles: TileKernels::new(&[
            tile_kernel!(6, 264, avx2_tiles::<f64, __m256d, 2>),
            tile_kernel!(4, 264, avx2_wide_tiles::<f64, __m256d, 3>),
        ]),
        dots: dots::<f64, __m256d>(),
        sparse: sparse::<f64, __m256d>(),
        windows: windows::<f64, __m256d>(),
        window_lines: window_lines::<f64, __m256d>(),
        window_places: avx2_place_kernel::<f64, __m256d>(),
        window_dots: window_dots::<f64, __m256d>(),
        transpose_square: None,
    },
};

const fn dots<T: Float, V: Vector<T>>() -> DotKernel<T> {
    DotKernel { width: 3, wide: avx2_dot_tiles::<T, V, 3>, single: avx2_dot_tiles::<T, V, 1> }
}

const fn sparse<T: Float, V: Vector<T>>() -> SparseKernel<T> {
    SparseKernel {
        lanes: V::LANES,
        registers: 12,
        slowness: 1.25,
        far: 1.0,
        visit: 5.0,
        rows: avx2_sparse_rows::<T, V>,
        list_row: None,
    }
}

const fn windows<T: Float, V: Vector<T>>() -> WindowKernel<T> {
    WindowKernel {
        height: 6,
        lanes: V::LANES,
        tiles: avx2_window_tiles::<T, V, false>,
        halves: avx2_window_tiles::<T, V, true>,
    }
}

const fn window_lines<T: Float, V: Vector<T>>() -> WindowLineKernel<T> {
    WindowLineKernel { lanes: V::LANES, heights: HEIGHTS, lines: avx2_window_lines::<T, V> }
}

const fn window_dots<T: Float, V: Vector<T>>() -> WindowDotKernel<T> {
    WindowDotKernel {
        height: 3,
        width: 4,
        lanes: V::LANES,
        dots: avx2_window_dots::<T, V, false>,
        halves: avx2_window_dots::<T, V, true>,
    }
}

tiles!(
    #[target_feature(enable = "avx2,fma")]
    avx2_tiles,
    avx2_part,
    avx2_sums,
    1 2 3 4 5 6
);
tiles!(
    #[target_feature(enable = "avx2,fma")]
    avx2_wide_tiles,
    avx2_wide_part,
    avx2_wide_sums,
    1 2 3 4
);
tiles!(
    #[target_feature(enable = "avx2,fma")]
    avx2_narrow_tiles,
    avx2_narrow_part,
    avx2_narrow_sums,
    1 2 3 4 5 6 7 8 9 10 11 12
);
dot_tiles!(
    #[target_feature(enable = "avx2,fma")]
    avx2_dot_tiles,
    avx2_dots
);
sparse_rows!(
    #[target_feature(enable = "avx2,fma")]
    avx2_sparse_rows,
    1 2 3 4 5 6 7 8 9 10 11 12
);
window_tiles!(
    #[target_feature(enable = "avx2,fma")]
    avx2_window_tiles,
    avx2_window_sums,
    1 x 4, 2 x 4, 3 x 3, 4 x 2, 5 x 2, 6 x 2
);
window_lines!(
    #[target_feature(enable = "avx2,fma")]
    avx2_window_lines,
    avx2_window_line_sums,
    2,
    3 x [4 3 2 1], 5 x [2 1], 7 x [1]
);
window_places!(
    #[target_feature(enable = "avx2,fma")]
    avx2_window_places,
    avx2_place_kernel,
    2: 1 x 5, 2: 1 x 6, 1: 2 x 5, 1: 2 x 6, 1: 3 x 4
);
window_dots!(
    #[target_feature(enable = "avx2,fma")]
    avx2_window_dots,
    avx2_window_dots_of,
    avx2_window_dot_sums,
    [1 2 3],
    [1 2 3 4]
);

vector!(
    __m128,
    f32,
    4,
    _mm_setzero_ps,
    _mm_set1_ps,
    _mm_loadu_ps,
    _mm_storeu_ps,
    _mm_add_ps,
    _mm_fmadd_ps,
    first_of_four,
    load_of_four,
    sum_of_four,
    halves_of_four,
    to_halves_of_four
);
vector!(
    __m256,
    f32,
    8,
    _mm256_setzero_ps,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_fmadd_ps,
    first_of_eight,
    load_of_eight,
    sum_of_eight,
    halves_of_eight,
    to_halves_of_eight
);
vector!(
    __m256d,
    f64,
    4,
    _mm256_setzero_pd,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_add_pd,
    _mm256_fmadd_pd,
    first_of_four_doubles,
    load_of_four_doubles,
    sum_of_four_doubles,
    halves_of_four_doubles,
    to_halves_of_four_doubles
);

/// The sum of all elements, halves added to each other, as in all those that follow.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_of_four(x: __m128) -> f32 {
    let two = _mm_add_ps(x, _mm_movehl_ps(x, x));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_of_eight(x: __m256) -> f32 {
    sum_of_four(_mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x)))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_of_four_doubles(x: __m256d) -> f64 {
    let two = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x));
    _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
}

/// Registers of halves that lie at two places, and the way back.
macro_rules! halves {
    ($load:ident, $store:ident, $feature:literal, $register:ty, $number:ty, |$low:ident, $high:ident| $join:expr, |$x:ident| $first:expr, $second:expr, $put:ident) => {
        /// # Safety
        /// The processor must have the level, and half a register must be readable at both.
        #[inline]
        #[target_feature(enable = $feature)]
        unsafe fn $load($low: *const $number, $high: *const $number) -> $register {
            // SAFETY: the caller's contract.
            unsafe { $join }
        }

        /// # Safety
        /// The processor must have the level, and half a register must be writable at both.
        #[inline]
        #[target_feature(enable = $feature)]
        unsafe fn $store($x: $register, low: *mut $number, high: *mut $number) {
            // SAFETY: the caller's contract.
            unsafe {
                $put(low.cast(), $first);
                $put(high.cast(), $second);
            }
        }
    };
}
pub(super) use halves;
halves!(
    halves_of_four,
    to_halves_of_four,
    "avx2",
    __m128,
    f32,
    |low, high| _mm_castpd_ps(_mm_loadh_pd(_mm_load_sd(low.cast()), high.cast())),
    |x| _mm_castps_pd(x),
    _mm_castps_pd(_mm_movehl_ps(x, x)),
    _mm_storel_pd
);
halves!(
    halves_of_eight,
    to_halves_of_eight,
    "avx2",
    __m256,
    f32,
    |low, high| _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high)),
    |x| _mm256_castps256_ps128(x),
    _mm256_extractf128_ps::<1>(x),
    _mm_storeu_ps
);
halves!(
    halves_of_four_doubles,
    to_halves_of_four_doubles,
    "avx2",
    __m256d,
    f64,
    |low, high| _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(_mm_loadu_pd(low)), _mm_loadu_pd(high)),
    |x| _mm256_castpd256_pd128(x),
    _mm256_extractf128_pd::<1>(x),
    _mm_storeu_pd
);

/// Eight lanes that are chosen, then eight that are not.
static CHOSEN: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The first `count <= 8` of eight lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn first(count: usize) -> __m256i {
    let from = &CHOSEN[8 - count..][..8];
    // SAFETY: eight lanes are readable.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

/// # Safety
/// The processor must have AVX2, and `count < 8` elements must be readable at `from`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_of_eight(from: *const f32, count: usize) -> __m256 {
    // SAFETY: the caller's contract; other lanes are not touched.
    unsafe { _mm256_maskload_ps(from, first(count)) }
}

/// # Safety
/// The processor must have AVX2, and `count < 8` elements must be readable and writable at `to`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn first_of_eight(x: __m256, to: *mut f32, count: usize, accumulate: bool) {
    // Masked stores take long on some processors.
    // SAFETY: the caller's contract: first four elements if there are so many, then the others.
    unsafe {
        if count >= 4 {
            let low = _mm256_castps256_ps128(x);
            _mm_storeu_ps(to, if accumulate { _mm_add_ps(low, _mm_loadu_ps(to)) } else { low });
            first_of_four(_mm256_extractf128_ps::<1>(x), to.add(4), count - 4, accumulate);
        } else {
            first_of_four(_mm256_castps256_ps128(x), to, count, accumulate);
        }
    }
}

/// # Safety
/// The processor must have AVX2, and `count < 4` elements must be readable at `from`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_of_four(from: *const f32, count: usize) -> __m128 {
    // SAFETY: the caller's contract; other lanes are not touched.
    unsafe { _mm_maskload_ps(from, _mm256_castsi256_si128(first(count))) }
}

/// # Safety
/// The processor must have AVX2, and `count < 4` elements must be readable and writable at `to`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn first_of_four(x: __m128, to: *mut f32, count: usize, accumulate: bool) {
    // SAFETY: the caller's contract: two elements if there are so many, then one.
    unsafe {
        let x = if accumulate { _mm_add_ps(x, load_of_four(to, count)) } else { x };
        let (two, last) = (count >= 2, count % 2 == 1);
        if two {
            _mm_storel_pd(to.cast(), _mm_castps_pd(x));
        }
        if last {
            let place = if two { to.add(2) } else { to };
            _mm_store_ss(place, if two { _mm_movehl_ps(x, x) } else { x });
        }
    }
}

/// # Safety
/// The processor must have AVX2, and `count < 4` elements must be readable at `from`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_of_four_doubles(from: *const f64, count: usize) -> __m256d {
    // SAFETY: the caller's contract; other lanes are not touched. A double is two lanes of four bytes.
    unsafe { _mm256_maskload_pd(from, first(2 * count)) }
}

/// # Safety
/// The processor must have AVX2, and `count < 4` elements must be readable and writable at `to`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn first_of_four_doubles(x: __m256d, to: *mut f64, count: usize, accumulate: bool) {
    // SAFETY: the caller's contract: two elements if there are so many, then one.
    unsafe {
        let x = if accumulate { _mm256_add_pd(x, load_of_four_doubles(to, count)) } else { x };
        let (two, last) = (count >= 2, count % 2 == 1);
        let low = _mm256_castpd256_pd128(x);
        if two {
            _mm_storeu_pd(to, low);
        }
        if last {
            let place = if two { to.add(2) } else { to };
            _mm_store_sd(place, if two { _mm256_extractf128_pd::<1>(x) } else { low });
        }
    }
}

/// For each set of eight lanes, its members in order, a byte each.
static MEMBERS: [u64; 256] = {
    let mut members = [0; 256];
    let mut set = 0;
    while set < 256 {
        let (mut lane, mut count) = (0, 0);
        while lane < 8 {
            if set >> lane & 1 == 1 {
                members[set] |= lane << (8 * count);
                count += 1;
            }
            lane += 1;
        }
        set += 1;
    }
    members
};

/// Lists the places where a row is not zero, eight places at a time; see [`SparseKernel::list`].
///
/// # Safety
/// The processor must have AVX2. `x` must be readable for `depth` elements; `values` and `places` must be writable for
/// `depth` rounded up to eight.
#[target_feature(enable = "avx2,popcnt")]
unsafe fn list_row(x: *const f32, depth: usize, values: *mut f32, places: *mut u32) -> usize {
    let mut count = 0;
    for first in (0..depth).step_by(8) {
        // SAFETY: only elements below `depth` are read; `count` is at most `first`, so that whole registers can be stored.
        unsafe {
            let from = x.add(first);
            let eight = if depth - first < 8 { load_of_eight(from, depth - first) } else { _mm256_loadu_ps(from) };
            // NaN is not zero: the comparison is true when unordered.
            let kept = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(eight, _mm256_setzero_ps()));
            let members = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(MEMBERS[kept as usize] as i64));
            let here = _mm256_add_epi32(members, _mm256_set1_epi32(first as i32));
            _mm256_storeu_ps(values.add(count), _mm256_permutevar8x32_ps(eight, members));
            _mm256_storeu_si256(places.add(count).cast(), here);
            count += kept.count_ones() as usize;
        }
    }
    count
}

/// `out[k * out_stride + j] = x[j * stride + k]` for 8 x 8 elements.
///
/// # Safety
/// The processor must have AVX2; `x` must be readable and `out` writable at all those places.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn transpose_square(x: *const f32, stride: usize, out: *mut f32, out_stride: usize) {
    // SAFETY: the caller's contract covers the eight rows of eight elements that are read and written.
    unsafe {
        let rows = std::array::from_fn(|j| _mm256_loadu_ps(x.add(j * stride)));
        for (k, row) in transposed(rows).into_iter().enumerate() {
            _mm256_storeu_ps(out.add(k * out_stride), row);
        }
    }
}

/// Eight rows of eight as columns: rows are interleaved in pairs, pairs in fours, and halves exchanged.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn transposed(rows: [__m256; 8]) -> [__m256; 8] {
    let mut pairs = [_mm256_setzero_ps(); 8];
    for j in 0..4 {
        let (a, b) = (rows[2 * j], rows[2 * j + 1]);
        pairs[2 * j] = _mm256_unpacklo_ps(a, b);
        pairs[2 * j + 1] = _mm256_unpackhi_ps(a, b);
    }
    let mut fours = [_mm256_setzero_ps(); 8];
    for half in 0..2 {
        let p = &pairs[4 * half..4 * half + 4];
        fours[4 * half] = _mm256_shuffle_ps::<0x44>(p[0], p[2]);
        fours[4 * half + 1] = _mm256_shuffle_ps::<0xee>(p[0], p[2]);
        fours[4 * half + 2] = _mm256_shuffle_ps::<0x44>(p[1], p[3]);
        fours[4 * half + 3] = _mm256_shuffle_ps::<0xee>(p[1], p[3]);
    }
    let mut columns = [_mm256_setzero_ps(); 8];
    for k in 0..4 {
        columns[k] = _mm256_permute2f128_ps::<0x20>(fours[k], fours[4 + k]);
        columns[4 + k] = _mm256_permute2f128_ps::<0x31>(fours[k], fours[4 + k]);
    }
    columns
}
