//! Products of pairs of bf16 in the registers of AVX-512.

use std::arch::x86_64::*;
use std::mem::transmute;

use super::pair::{Factors, PairKernel};
use super::product::Product;
use super::store::Target;
use super::tile::{Tiles, tiles};

/// Twice as fast as f32.
pub(crate) static KERNEL: PairKernel = PairKernel {
    name: "AVX-512 with bf16",
    height: 12,
    step: 1,
    speed: 2.0,
    present: || is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw"),
    allowed: || true,
    piece: |work| work(),
    tiles: sums_of_factors,
};

/// Adds up the products of all factors in turn.
///
/// # Safety
/// As [`PairKernel::tiles`].
unsafe fn sums_of_factors(tiles: &Tiles<u32, f32>, factors: &[Factors], _row_stride: usize, depth: usize) {
    for (term, &Factors { left: a, right: b }) in factors.iter().enumerate() {
        let out = Target { accumulate: tiles.out.accumulate || term > 0, ..tiles.out };
        // SAFETY: the caller's contract; the rows of `tiles` are as far apart as those of the factors.
        unsafe { tiles_bf16::<u32, f32, __m512, 2, false>(&Tiles { a, b, out, depth, ..*tiles }) }
    }
}

tiles!(
    #[target_feature(enable = "avx512f,avx512bf16")]
    tiles_bf16,
    part_bf16,
    sums_bf16,
    1 2 3 4 5 6 7 8 9 10 11 12
);

/// Sums of products of pairs.
impl Product<u32> for __m512 {
    const WIDTH: usize = 16;
    type Operand = __m512i;
    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: the trait's contract: the processor has AVX-512 with bf16, here and below.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn none() -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn operand_splat(value: *const u32) -> __m512i {
        // SAFETY: as above, and `value` is readable.
        unsafe { _mm512_set1_epi32((*value).cast_signed()) }
    }
    #[inline(always)]
    unsafe fn operand(from: *const u32) -> __m512i {
        // SAFETY: as above, and sixteen pairs are readable.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn operand_first(from: *const u32, count: usize) -> __m512i {
        // SAFETY: as above, and the first `count` pairs are readable: fewer than sixteen.
        unsafe { _mm512_maskz_loadu_epi32((1 << count) - 1, from.cast()) }
    }
    #[inline(always)]
    unsafe fn accumulated(self, a: __m512i, b: __m512i) -> __m512 {
        // SAFETY: as above; the registers hold 32 bf16 each.
        unsafe { _mm512_dpbf16_ps(self, transmute::<__m512i, __m512bh>(a), transmute::<__m512i, __m512bh>(b)) }
    }
}
