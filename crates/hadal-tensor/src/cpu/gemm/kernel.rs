//! Tiles: the innermost product, held in registers, one instance per vector instruction set and height.

use super::Float;
use crate::cpu::simd::{SimdLevel, level};

/// What a tile kernel works on: `rows` x `depth` of the left matrix times a packed panel of the right.
pub(super) struct Tile<T> {
    pub rows: usize,
    pub depth: usize,
    pub columns: usize,
    pub a: *const T,
    pub row_stride: isize,
    pub depth_stride: isize,
    /// `depth` rows of the kernel's full width.
    pub b: *const T,
    pub out: *mut T,
    pub out_stride: usize,
    /// Whether to add to what `out` holds.
    pub accumulate: bool,
}

/// A tile kernel and the largest tile it computes.
pub(super) struct Kernel<T> {
    pub height: usize,
    pub width: usize,
    /// # Safety
    /// The processor must have the kernel's instructions. With `rows <= height` and `columns <= width`: `a` must be
    /// readable at `i * row_stride + k * depth_stride` for all `i < rows, k < depth`, `b` for `depth * width`
    /// elements, and `out` readable and writable at `i * out_stride + j` for all `i < rows, j < columns`.
    pub tile: unsafe fn(Tile<T>),
}

/// A number type with matrix products.
pub(in crate::cpu) trait Gemm: Float {
    /// The best kernel for a product with this many columns.
    #[allow(private_interfaces)]
    fn kernel(columns: usize) -> Kernel<Self>;

    /// Transposes 8 x 8 elements: `out[k * out_stride + j] = x[j * stride + k]`. False, with nothing done, where there
    /// is no fast way.
    fn transpose_square(_x: &[Self], _stride: usize, _out: &mut [Self], _out_stride: usize) -> bool {
        false
    }
}

/// A register of adjacent numbers. All methods require the instruction set that the implementor names.
trait Vector<T>: Copy {
    const LANES: usize;
    unsafe fn zero() -> Self;
    unsafe fn splat(value: *const T) -> Self;
    unsafe fn load(from: *const T) -> Self;
    unsafe fn store(self, to: *mut T);
    unsafe fn add(self, other: Self) -> Self;
    /// Stores the first `count < LANES` elements, added to what is there if `accumulate`.
    unsafe fn store_first(self, to: *mut T, count: usize, accumulate: bool);
    /// `self + a * b`.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
}

/// A tile of exactly `HEIGHT` rows and `WIDE` registers across.
///
/// # Safety
/// As [`Kernel::tile`], with `tile.rows == HEIGHT`.
#[inline(always)]
unsafe fn tile<T: Float, V: Vector<T>, const HEIGHT: usize, const WIDE: usize>(tile: &Tile<T>) {
    // SAFETY: every access below is one that the caller's contract names: `a` at i * row_stride + k * depth_stride,
    // `b` within depth * width, `out` at i * out_stride + j for j < columns.
    unsafe {
        let mut sums = [[V::zero(); WIDE]; HEIGHT];
        let (mut a, mut b) = (tile.a, tile.b);
        for _ in 0..tile.depth {
            let mut right = [V::zero(); WIDE];
            for (j, right) in right.iter_mut().enumerate() {
                *right = V::load(b.add(j * V::LANES));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let left = V::splat(a.offset(i as isize * tile.row_stride));
                for (sum, &right) in sums.iter_mut().zip(&right) {
                    *sum = sum.add_product(left, right);
                }
            }
            a = a.wrapping_offset(tile.depth_stride);
            b = b.add(WIDE * V::LANES);
        }
        for (i, sums) in sums.iter().enumerate() {
            let out = tile.out.add(i * tile.out_stride);
            for (j, &sum) in sums.iter().enumerate() {
                let place = out.wrapping_add(j * V::LANES);
                let columns = tile.columns.saturating_sub(j * V::LANES);
                if columns >= V::LANES {
                    let sum = if tile.accumulate { sum.add(V::load(place)) } else { sum };
                    sum.store(place);
                } else {
                    sum.store_first(place, columns, tile.accumulate);
                }
            }
        }
    }
}

/// Makes `fn $name` that picks the instance of [`tile`] for the number of rows, compiled for `$feature`.
macro_rules! tiles {
    ($(#[$feature:meta])? $name:ident, $($height:literal),*) => {
        /// # Safety
        /// As [`Kernel::tile`].
        $(#[$feature])?
        unsafe fn $name<T: Float, V: Vector<T>, const WIDE: usize>(work: Tile<T>) {
            match work.rows {
                $(
                    // SAFETY: the caller's contract, and `rows` is the height of the instance.
                    $height => unsafe { tile::<T, V, $height, WIDE>(&work) },
                )*
                rows => unreachable!("a tile of {rows} rows"),
            }
        }
    };
}
tiles!(tiles_baseline, 1, 2, 3, 4);
#[cfg(target_arch = "x86_64")]
tiles!(
    #[target_feature(enable = "avx2,fma")]
    tiles_avx2,
    1,
    2,
    3,
    4,
    5,
    6
);
#[cfg(target_arch = "x86_64")]
tiles!(
    #[target_feature(enable = "avx512f")]
    tiles_avx512,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12
);

/// Four numbers in an array, which every compiler target puts into its own registers.
#[derive(Clone, Copy)]
struct Four<T>([T; 4]);

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
    unsafe fn store_first(self, to: *mut T, count: usize, accumulate: bool) {
        for i in 0..count {
            // SAFETY: the caller's contract: `count` elements are readable and writable.
            unsafe { *to.add(i) = if accumulate { *to.add(i) + self.0[i] } else { self.0[i] } };
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

impl Gemm for f32 {
    #[allow(private_interfaces)]
    fn kernel(columns: usize) -> Kernel<f32> {
        match level() {
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 if columns <= 16 => {
                Kernel { height: 12, width: 16, tile: tiles_avx512::<f32, x86::__m512, 1> }
            }
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => Kernel { height: 12, width: 32, tile: tiles_avx512::<f32, x86::__m512, 2> },
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 if columns <= 8 => Kernel { height: 6, width: 8, tile: tiles_avx2::<f32, x86::__m256, 1> },
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => Kernel { height: 6, width: 16, tile: tiles_avx2::<f32, x86::__m256, 2> },
            _ => Kernel { height: 4, width: 8, tile: tiles_baseline::<f32, Four<f32>, 2> },
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn transpose_square(x: &[f32], stride: usize, out: &mut [f32], out_stride: usize) -> bool {
        if level() == SimdLevel::Baseline {
            return false;
        }
        assert!(x.len() >= 7 * stride + 8 && out.len() >= 7 * out_stride + 8, "gemm: a square reaches outside");
        // SAFETY: the level has AVX2, and both squares were just checked to lie within their slices.
        unsafe { x86::transpose_square(x.as_ptr(), stride, out.as_mut_ptr(), out_stride) };
        true
    }
}

impl Gemm for f64 {
    #[allow(private_interfaces)]
    fn kernel(_columns: usize) -> Kernel<f64> {
        match level() {
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => Kernel { height: 12, width: 16, tile: tiles_avx512::<f64, x86::__m512d, 2> },
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => Kernel { height: 6, width: 8, tile: tiles_avx2::<f64, x86::__m256d, 2> },
            _ => Kernel { height: 4, width: 8, tile: tiles_baseline::<f64, Four<f64>, 2> },
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;
    pub(super) use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

    macro_rules! vector {
        ($register:ty, $number:ty, $lanes:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $add:ident, $fma:ident, $first:ident) => {
            impl Vector<$number> for $register {
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn zero() -> Self {
                    // SAFETY: the trait's contract: the instruction set is available.
                    unsafe { $zero() }
                }
                #[inline(always)]
                unsafe fn splat(value: *const $number) -> Self {
                    // SAFETY: as above, and `value` is readable.
                    unsafe { $splat(*value) }
                }
                #[inline(always)]
                unsafe fn load(from: *const $number) -> Self {
                    // SAFETY: as above, and a register's worth of elements is readable.
                    unsafe { $load(from) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $number) {
                    // SAFETY: as above, and a register's worth of elements is writable.
                    unsafe { $store(to, self) }
                }
                #[inline(always)]
                unsafe fn store_first(self, to: *mut $number, count: usize, accumulate: bool) {
                    // SAFETY: as above, and the first `count` elements are readable and writable.
                    unsafe { $first(self, to, count, accumulate) }
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: the instruction set is available.
                    unsafe { $add(self, other) }
                }
                #[inline(always)]
                unsafe fn add_product(self, a: Self, b: Self) -> Self {
                    // SAFETY: the instruction set is available.
                    unsafe { $fma(a, b, self) }
                }
            }
        };
    }
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
        first_of_sixteen
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
        first_of_eight_doubles
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
        first_of_eight
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
        first_of_four_doubles
    );

    /// Stores the first `count` lanes under a mask, added to what is there if `accumulate`.
    macro_rules! masked {
        ($name:ident, $register:ty, $number:ty, $mask:ty, $load:ident, $store:ident, $add:ident) => {
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
        };
    }
    masked!(first_of_sixteen, __m512, f32, __mmask16, _mm512_maskz_loadu_ps, _mm512_mask_storeu_ps, _mm512_add_ps);
    masked!(
        first_of_eight_doubles,
        __m512d,
        f64,
        __mmask8,
        _mm512_maskz_loadu_pd,
        _mm512_mask_storeu_pd,
        _mm512_add_pd
    );

    /// The same without masks: through memory.
    macro_rules! spilled {
        ($name:ident, $register:ty, $number:ty, $lanes:literal, $store:ident) => {
            /// # Safety
            /// The processor must have AVX2, and `count < LANES` elements must be readable and writable at `to`.
            #[inline]
            #[target_feature(enable = "avx2")]
            unsafe fn $name(x: $register, to: *mut $number, count: usize, accumulate: bool) {
                let mut lanes = [0.0; $lanes];
                // SAFETY: `lanes` holds a register; the rest is the caller's contract.
                unsafe {
                    $store(lanes.as_mut_ptr(), x);
                    for (i, lane) in lanes.iter().enumerate().take(count) {
                        *to.add(i) = if accumulate { *to.add(i) + lane } else { *lane };
                    }
                }
            }
        };
    }
    spilled!(first_of_eight, __m256, f32, 8, _mm256_storeu_ps);
    spilled!(first_of_four_doubles, __m256d, f64, 4, _mm256_storeu_pd);

    /// `out[k * out_stride + j] = x[j * stride + k]` for 8 x 8 elements: rows are interleaved in pairs, pairs in fours,
    /// and halves exchanged.
    ///
    /// # Safety
    /// The processor must have AVX2; `x` must be readable and `out` writable at all those places.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn transpose_square(x: *const f32, stride: usize, out: *mut f32, out_stride: usize) {
        // SAFETY: the caller's contract covers the eight rows of eight elements that are read and written.
        unsafe {
            let row = |j: usize| _mm256_loadu_ps(x.add(j * stride));
            let mut pairs = [_mm256_setzero_ps(); 8];
            for j in 0..4 {
                let (a, b) = (row(2 * j), row(2 * j + 1));
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
            for k in 0..4 {
                let (a, b) = (fours[k], fours[4 + k]);
                _mm256_storeu_ps(out.add(k * out_stride), _mm256_permute2f128_ps::<0x20>(a, b));
                _mm256_storeu_ps(out.add((4 + k) * out_stride), _mm256_permute2f128_ps::<0x31>(a, b));
            }
        }
    }
}
