//! Registers of adjacent numbers, one type per vector instruction set.

use super::Float;

/// A register of adjacent numbers. All methods require the instruction set that the implementor names.
pub(super) trait Vector<T>: Copy {
    const LANES: usize;
    unsafe fn zero() -> Self;
    unsafe fn splat(value: *const T) -> Self;
    unsafe fn load(from: *const T) -> Self;
    unsafe fn store(self, to: *mut T);
    /// Loads the first `count < LANES` elements; the others are zero.
    unsafe fn load_first(from: *const T, count: usize) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// Stores the first `count < LANES` elements, added to what is there if `accumulate`.
    unsafe fn store_first(self, to: *mut T, count: usize, accumulate: bool);
    /// `self + a * b`.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// The sum of all elements, halves added to each other.
    #[inline(always)]
    unsafe fn sum(self) -> T
    where
        T: Float,
    {
        let mut lanes = [T::ZERO; 16];
        assert!(Self::LANES <= lanes.len());
        // SAFETY: `lanes` holds a register.
        unsafe { self.store(lanes.as_mut_ptr()) };
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] = lanes[i] + lanes[i + half];
            }
        }
        lanes[0]
    }
    /// Stores four rows as columns of four adjacent elements, `stride` apart, added to what is there if `accumulate`.
    #[inline(always)]
    unsafe fn store_columns(rows: [Self; 4], to: *mut T, stride: usize, accumulate: bool)
    where
        T: Float,
    {
        for (i, row) in rows.into_iter().enumerate() {
            let mut lanes = [T::ZERO; 16];
            assert!(Self::LANES <= lanes.len());
            // SAFETY: `lanes` holds a register; the caller's contract names the places that are written.
            unsafe {
                row.store(lanes.as_mut_ptr());
                for (j, &lane) in lanes[..Self::LANES].iter().enumerate() {
                    let place = to.add(i + j * stride);
                    *place = if accumulate { *place + lane } else { lane };
                }
            }
        }
    }
}

/// Asks for memory that will be read soon, to be brought near the processor; of no effect if there is none at `place`.
#[inline(always)]
pub(super) fn prefetch<T>(place: *const T) {
    // SAFETY: every x86-64 processor has the instruction, which reads nothing that a program can see.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Four numbers in an array, which every compiler target puts into its own registers.
#[derive(Clone, Copy)]
pub(super) struct Four<T>([T; 4]);

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
    unsafe fn add(self, other: Self) -> Self {
        Four(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Four(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;
    pub(in super::super) use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

    macro_rules! vector {
        ($register:ty, $number:ty, $lanes:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $add:ident, $fma:ident, $first:ident, $load_first:ident $(, $columns:ident)?) => {
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
                unsafe fn load_first(from: *const $number, count: usize) -> Self {
                    // SAFETY: as above, and the first `count` elements are readable.
                    unsafe { $load_first(from, count) }
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
                $(
                    #[inline(always)]
                    unsafe fn store_columns(rows: [Self; 4], to: *mut $number, stride: usize, accumulate: bool) {
                        // SAFETY: as above, and four elements are readable and writable at each of the columns.
                        unsafe { $columns(rows, to, stride, accumulate) }
                    }
                )?
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
        load_of_eight
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
        load_of_four_doubles
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

    /// The same without masks: through memory.
    macro_rules! spilled {
        ($name:ident, $load_first:ident, $register:ty, $number:ty, $lanes:literal, $load:ident, $store:ident) => {
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

            /// # Safety
            /// The processor must have AVX2, and `count < LANES` elements must be readable at `from`.
            #[inline]
            #[target_feature(enable = "avx2")]
            unsafe fn $load_first(from: *const $number, count: usize) -> $register {
                let mut lanes = [0.0; $lanes];
                // SAFETY: `lanes` holds a register; the rest is the caller's contract.
                unsafe {
                    for (i, lane) in lanes.iter_mut().enumerate().take(count) {
                        *lane = *from.add(i);
                    }
                    $load(lanes.as_ptr())
                }
            }
        };
    }
    spilled!(first_of_eight, load_of_eight, __m256, f32, 8, _mm256_loadu_ps, _mm256_storeu_ps);
    spilled!(first_of_four_doubles, load_of_four_doubles, __m256d, f64, 4, _mm256_loadu_pd, _mm256_storeu_pd);

    /// `out[k * out_stride + j] = x[j * stride + k]` for 8 x 8 elements.
    ///
    /// # Safety
    /// The processor must have AVX2; `x` must be readable and `out` writable at all those places.
    #[target_feature(enable = "avx2")]
    pub(in super::super) unsafe fn transpose_square(x: *const f32, stride: usize, out: *mut f32, out_stride: usize) {
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
    pub(in super::super) fn transposed(rows: [__m256; 8]) -> [__m256; 8] {
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

    /// Lists the places where one of four rows is not zero, sixteen places at a time; see `Gemm::list_rows`.
    ///
    /// # Safety
    /// The processor must have AVX-512F. `x` must be readable at `i * stride + k` for `i < 4`, `k < depth`; `values` must
    /// be writable at `i * row_step + n` and `places` at `n`, for all `n` below `depth` rounded up to sixteen.
    #[target_feature(enable = "avx512f,popcnt")]
    pub(in super::super) unsafe fn list_rows(
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

    /// Lists the places whose four adjacent values are not all zero, four places at a time; see `Gemm::list_columns`.
    ///
    /// # Safety
    /// The processor must have AVX-512F and VL. `x` must be readable at `k * stride + i` for `i < 4`, `k < depth`;
    /// `values` must be writable for four elements, and `places` for one, of every place up to `depth` rounded up to four.
    #[target_feature(enable = "avx512f,avx512vl,popcnt")]
    pub(in super::super) unsafe fn list_columns(
        x: *const f32,
        stride: usize,
        depth: usize,
        values: *mut f32,
        places: *mut u32,
    ) -> usize {
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
}
