//! Packing f32 into pairs of bf16 along the summed axis, 32 bits a pair, by AVX-512 with bf16.

use std::arch::x86_64::*;
use std::mem::transmute;

use super::kernels::avx2::transposed;
use super::kernels::pair::WIDTH;
use super::kernels::vector::{SECOND, prefetch};
use super::matrix::Matrix;

/// How far ahead of what is packed memory is asked for, along the summed axis.
const AHEAD: usize = 64;
/// The largest number of bf16.
const LARGEST: f32 = f32::from_bits(0x7f7f_0000);

/// A mask of the first `count` lanes, up to sixteen.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    if count >= 16 { !0 } else { (1 << count) - 1 }
}

/// Elements `(row, column)` to `(row, column + count)`, up to sixteen; none beyond the `rows` of the matrix.
///
/// # Safety
/// The processor must have AVX-512F; the matrix must hold these elements.
#[inline(always)]
unsafe fn across(x: &Matrix<f32>, row: usize, rows: usize, column: usize, count: usize) -> __m512 {
    // SAFETY: the caller's contract; lanes outside the mask are not read.
    unsafe {
        if row >= rows || count == 0 {
            return _mm512_setzero_ps();
        }
        if x.column_stride == 1 {
            return _mm512_maskz_loadu_ps(first(count), x.data.as_ptr().add(x.at(row, column)));
        }
        gathered(x, row, column, count)
    }
}

/// The same, and asks for what will be read in a few turns, so many rows down and columns to the right: what is read in one
/// turn lies too far apart for the processor to see a pattern.
///
/// # Safety
/// As [`across`].
#[inline(always)]
unsafe fn across_ahead(
    x: &Matrix<f32>,
    row: usize,
    rows: usize,
    column: usize,
    count: usize,
    (down, right): (usize, usize),
) -> __m512 {
    prefetch::<_, SECOND>(x.data.as_ptr().wrapping_add(x.at(row + down, column + right)));
    // SAFETY: the caller's contract.
    unsafe { across(x, row, rows, column, count) }
}

/// The same where the elements are not adjacent.
///
/// # Safety
/// As [`across`].
#[cold]
#[target_feature(enable = "avx512f")]
unsafe fn gathered(x: &Matrix<f32>, row: usize, column: usize, count: usize) -> __m512 {
    let mut lanes = [0.0; 16];
    for (j, lane) in lanes.iter_mut().enumerate().take(count) {
        *lane = x.data[x.at(row, column + j)];
    }
    // SAFETY: `lanes` is a register's worth.
    unsafe { _mm512_loadu_ps(lanes.as_ptr()) }
}

/// Two registers as bf16, those of `a` below those of `b`: rounded, and, as the second of two terms, what rounding left.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn terms<const TERMS: usize>(a: __m512, b: __m512) -> [__m512i; TERMS] {
    // SAFETY: registers of the same size, whose every bit pattern is a value.
    let bits = |x: __m512bh| unsafe { transmute::<__m512bh, __m512i>(x) };
    if TERMS == 1 {
        return [bits(_mm512_cvtne2ps_pbh(b, a)); TERMS];
    }
    // What would round to infinity is cut off; then the rest of an infinity is one, and NaN passes.
    let cut = |x| _mm512_min_ps(_mm512_set1_ps(LARGEST), _mm512_max_ps(_mm512_set1_ps(-LARGEST), x));
    let rest = |x, cut| _mm512_sub_ps(x, _mm512_cvtpbh_ps(_mm512_cvtneps_pbh(cut)));
    let (high_a, high_b) = (cut(a), cut(b));
    let high = bits(_mm512_cvtne2ps_pbh(high_b, high_a));
    let low = bits(_mm512_cvtne2ps_pbh(rest(b, high_b), rest(a, high_a)));
    std::array::from_fn(|term| if term == 0 { high } else { low })
}

/// The same with the elements of `a` and `b` taken in turn.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn interleaved<const TERMS: usize>(a: __m512, b: __m512) -> [__m512i; TERMS] {
    // Word 2 i is word i of the lower half, word 2 i + 1 that of the upper.
    let order = _mm512_add_epi32(
        _mm512_set1_epi32(0x0010_0000),
        _mm512_mullo_epi32(
            _mm512_set1_epi32(0x0001_0001),
            _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        ),
    );
    terms(a, b).map(|x| _mm512_permutexvar_epi16(order, x))
}

/// Rows of eight pairs as columns. The callers take registers apart themselves: done here, products were 4% slower.
#[inline]
#[target_feature(enable = "avx2")]
fn turned(rows: [__m256i; 8]) -> [__m256i; 8] {
    transposed(rows.map(|row| _mm256_castsi256_ps(row))).map(|row| _mm256_castps_si256(row))
}

/// Packs a panel of the right matrix, each term into a part: `pairs` rows of [`WIDTH`] pairs, what is beyond `depth` zero.
///
/// # Panics
/// If a part is smaller than the panel.
///
/// # Safety
/// The processor must have AVX-512F, BW and bf16; the matrix must hold `depth` x `columns` elements.
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn pack_columns<const TERMS: usize>(
    b: Matrix<f32>,
    depth: usize,
    columns: usize,
    pairs: usize,
    parts: [&mut [u32]; TERMS],
) {
    assert!(columns <= WIDTH && parts.iter().all(|part| part.len() >= pairs * WIDTH));
    let parts = parts.map(|part| part.as_mut_ptr());
    if b.row_stride != 1 || b.column_stride == 1 {
        for pair in 0..pairs {
            for first in (0..WIDTH).step_by(16) {
                let count = columns.saturating_sub(first).min(16);
                // SAFETY: the caller's contract for what is read; the parts were checked for what is written.
                unsafe {
                    let row = |k| across(&b, k, depth, first, count);
                    let terms = interleaved::<TERMS>(row(2 * pair), row(2 * pair + 1));
                    for (part, term) in parts.iter().zip(terms) {
                        _mm512_storeu_si512(part.add(pair * WIDTH + first).cast(), term);
                    }
                }
            }
        }
        return;
    }
    // Pairs are adjacent in memory: eight columns of eight pairs at a time.
    let rows = b.flipped();
    for first_pair in (0..pairs).step_by(8) {
        let count = depth.saturating_sub(2 * first_pair).min(16);
        for first in (0..WIDTH).step_by(16) {
            // Columns j and j + 8 share a register.
            let mut eight = [[_mm512_setzero_si512(); TERMS]; 8];
            for (j, both) in eight.iter_mut().enumerate() {
                // SAFETY: the caller's contract.
                let column = |j| unsafe { across_ahead(&rows, first + j, columns, 2 * first_pair, count, (0, AHEAD)) };
                *both = terms(column(j), column(j + 8));
            }
            for (term, part) in parts.iter().enumerate() {
                let halves = [
                    turned(eight.map(|x| _mm512_castsi512_si256(x[term]))),
                    turned(eight.map(|x| _mm512_extracti64x4_epi64::<1>(x[term]))),
                ];
                for pair in 0..8 {
                    for (half, rows) in halves.iter().enumerate() {
                        if first_pair + pair < pairs {
                            // SAFETY: within the part, which was checked.
                            unsafe {
                                let to = part.add((first_pair + pair) * WIDTH + first + 8 * half);
                                _mm256_storeu_si256(to.cast(), rows[pair]);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Packs rows of the left matrix, each term into a part, `row_stride` pairs apart; what is beyond `depth` is zero up to
/// the next sixteen pairs.
///
/// # Panics
/// If a part is smaller than that.
///
/// # Safety
/// The processor must have AVX-512F, BW and bf16; the matrix must hold `rows` x `depth` elements.
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn pack_rows<const TERMS: usize>(
    a: Matrix<f32>,
    rows: usize,
    depth: usize,
    row_stride: usize,
    parts: [&mut [u32]; TERMS],
) {
    let pairs = depth.div_ceil(32) * 16;
    assert!(row_stride >= pairs && parts.iter().all(|part| part.len() >= rows * row_stride));
    let parts = parts.map(|part| part.as_mut_ptr());
    if a.row_stride != 1 || a.column_stride == 1 {
        for row in 0..rows {
            for first in (0..pairs).step_by(16) {
                // SAFETY: the caller's contract for what is read; the parts were checked for what is written.
                unsafe {
                    let half = |k: usize| across(&a, row, rows, k, depth.saturating_sub(k).min(16));
                    let terms = terms::<TERMS>(half(2 * first), half(2 * first + 16));
                    for (part, term) in parts.iter().zip(terms) {
                        _mm512_storeu_si512(part.add(row * row_stride + first).cast(), term);
                    }
                }
            }
        }
        return;
    }
    // Rows are adjacent in memory: sixteen rows of eight pairs at a time.
    let columns = a.flipped();
    for first_pair in (0..pairs).step_by(8) {
        for first in (0..rows).step_by(16) {
            let count = (rows - first).min(16);
            let mut eight = [[_mm512_setzero_si512(); TERMS]; 8];
            for (pair, both) in eight.iter_mut().enumerate() {
                let k = 2 * (first_pair + pair);
                // SAFETY: the caller's contract.
                let place = |k| unsafe { across_ahead(&columns, k, depth, first, count, (AHEAD, 0)) };
                *both = interleaved(place(k), place(k + 1));
            }
            for (term, part) in parts.iter().enumerate() {
                let halves = [
                    turned(eight.map(|x| _mm512_castsi512_si256(x[term]))),
                    turned(eight.map(|x| _mm512_extracti64x4_epi64::<1>(x[term]))),
                ];
                for row in 0..16 {
                    if row < count {
                        // SAFETY: within the part, which was checked: `first_pair + 8` pairs of each row.
                        unsafe {
                            let to = part.add((first + row) * row_stride + first_pair);
                            _mm256_storeu_si256(to.cast(), halves[row / 8][row % 8]);
                        }
                    }
                }
            }
        }
    }
}
