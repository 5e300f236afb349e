//! Kernels for processors with AVX-512: thirty-two registers of 512 bits.

use std::arch::x86_64::*;

use super::avx2::transpose_square;
use super::dot_tile::{DotKernel, dot_tiles};
use super::kernel::{Kernels, Level};
use super::sparse_tile::{SparseKernel, sparse_tiles};
use super::tile::{tile_kernel, tiles};
use super::vector::{Vector, vector};
use crate::cpu::float::Float;
use crate::cpu::simd::SimdLevel;

pub(crate) static LEVEL: Level = Level {
    level: SimdLevel::Avx512,
    f32: Kernels {
        tiles: &[
            tile_kernel!(12, 16, avx512_tiles::<f32, __m512, 1>),
            tile_kernel!(12, 32, avx512_tiles::<f32, __m512, 2>),
        ],
        dots: dots::<f32, __m512>(),
        sparse: Some(SparseKernel {
            list_rows: Some(list_rows),
            list_columns: Some(list_columns),
            ..sparse::<f32, __m512>()
        }),
        transpose_square: Some(transpose_square),
    },
    f64: Kernels {
        tiles: &[tile_kernel!(12, 16, avx512_tiles::<f64, __m512d, 2>)],
        dots: dots::<f64, __m512d>(),
        sparse: Some(sparse::<f64, __m512d>()),
        transpose_square: None,
    },
};

const fn dots<T: Float, V: Vector<T>>() -> DotKernel<T> {
    DotKernel { width: 6, wide: avx512_dot_tiles::<T, V, 6>, single: avx512_dot_tiles::<T, V, 1> }
}

const fn sparse<T: Float, V: Vector<T>>() -> SparseKernel<T> {
    SparseKernel {
        lanes: V::LANES,
        registers: 6,
        tile: avx512_sparse_tiles::<T, V>,
        list_rows: None,
        list_columns: None,
    }
}

tiles!(
    #[target_feature(enable = "avx512f")]
    avx512_tiles,
    avx512_sums,
    1 2 3 4 5 6 7 8 9 10 11 12
);
dot_tiles!(
    #[target_feature(enable = "avx512f")]
    avx512_dot_tiles,
    avx512_dots
);
sparse_tiles!(
    #[target_feature(enable = "avx512f")]
    avx512_sparse_tiles,
    avx512_sparse_sums,
    1,
    2,
    3,
    4,
    5,
    6
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
    load_of_eight_doubles
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

/// `to[j * stride + i] = rows[i][j]` for four rows of sixteen, or `+=` if `accumulate`.
///
/// # Safety
/// The processor must have AVX-512F, and `to` must be readable and writable at all those places.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn sixteen_columns(rows: [__m512; 4], to: *mut f32, stride: usize, accumulate: bool) {
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
            unsafe {
                let place = to.add((4 * q + k) * stride);
                _mm_storeu_ps(place, if accumulate { _mm_add_ps(quarter, _mm_loadu_ps(place)) } else { quarter });
            }
        }
    }
}

/// Lists the places where one of four rows is not zero, sixteen places at a time; see [`SparseKernel::list_rows`].
///
/// # Safety
/// The processor must have AVX-512F. `x` must be readable at `i * stride + k` for `i < 4`, `k < depth`; `values` must
/// be writable at `i * row_step + n` and `places` at `n`, for all `n` below `depth` rounded up to sixteen.
#[target_feature(enable = "avx512f,popcnt")]
unsafe fn list_rows(
    x: *const f32,
    stride: usize,
    depth: usize,
    values: *mut f32,
    row_step: usize,
    places: *mut u32,
) -> usize {
    let mut count = 0;
    let mut here = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let zero = _mm512_setzero_ps();
    for first in (0..depth).step_by(16) {
        let valid = if depth - first < 16 { ((1u32 << (depth - first)) - 1) as __mmask16 } else { !0 };
        // SAFETY: only valid lanes are read; `count` is at most `first`, so that whole registers can be stored.
        unsafe {
            let row = |i: usize| _mm512_maskz_loadu_ps(valid, x.add(i * stride + first));
            let rows = [row(0), row(1), row(2), row(3)];
            // NaN is not zero: the comparison is true when unordered.
            let kept = rows.iter().fold(0, |kept, &row| kept | _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(row, zero));
            for (i, &row) in rows.iter().enumerate() {
                _mm512_storeu_ps(values.add(i * row_step + count), _mm512_maskz_compress_ps(kept, row));
            }
            _mm512_storeu_si512(places.add(count).cast(), _mm512_maskz_compress_epi32(kept, here));
            count += kept.count_ones() as usize;
        }
        here = _mm512_add_epi32(here, _mm512_set1_epi32(16));
    }
    count
}

/// Lists the places whose four adjacent values are not all zero, four places at a time; see [`SparseKernel::list_columns`].
///
/// # Safety
/// The processor must have AVX-512F and VL. `x` must be readable at `k * stride + i` for `i < 4`, `k < depth`;
/// `values` must be writable for four elements, and `places` for one, of every place up to `depth` rounded up to four.
#[target_feature(enable = "avx512f,avx512vl,popcnt")]
unsafe fn list_columns(x: *const f32, stride: usize, depth: usize, values: *mut f32, places: *mut u32) -> usize {
    let mut count = 0;
    let mut here = _mm_setr_epi32(0, 1, 2, 3);
    for first in (0..depth).step_by(4) {
        let place = |k: usize| {
            if first + k < depth {
                // SAFETY: the caller's contract: four values are readable at each place below `depth`.
                unsafe { _mm_loadu_ps(x.add((first + k) * stride)) }
            } else {
                _mm_setzero_ps()
            }
        };
        let four = _mm512_castps128_ps512(place(0));
        let four = _mm512_insertf32x4::<1>(four, place(1));
        let four = _mm512_insertf32x4::<2>(four, place(2));
        let four = _mm512_insertf32x4::<3>(four, place(3));
        // NaN is not zero: the comparison is true when unordered.
        let any = u32::from(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(four, _mm512_setzero_ps()));
        // Bits 0, 4, 8 and 12: whether a place counts.
        let kept = (any | any >> 1 | any >> 2 | any >> 3) & 0x1111;
        let bits = (kept | kept >> 3 | kept >> 6 | kept >> 9) & 0xf;
        // SAFETY: `count` is at most `first`, so that four places can be stored.
        unsafe {
            let packed = _mm512_maskz_compress_ps((kept * 0xf) as __mmask16, four);
            _mm512_storeu_ps(values.add(4 * count), packed);
            _mm_storeu_si128(places.add(count).cast(), _mm_maskz_compress_epi32(bits as __mmask8, here));
        }
        count += bits.count_ones() as usize;
        here = _mm_add_epi32(here, _mm_set1_epi32(4));
    }
    count
}
