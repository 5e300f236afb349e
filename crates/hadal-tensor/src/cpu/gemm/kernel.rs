//! The kernels of each number type, for the processor at hand.

#[cfg(target_arch = "x86_64")]
use super::bf16::{self, Bf16};
use super::dots::{self, DotKernel};
use super::sparse_kernel::{self, SparseKernel};
use super::tile::{Tiles, tiles};
use super::vector::Four;
#[cfg(target_arch = "x86_64")]
use super::vector::x86;
use super::{Float, Matrix, Out, Sizes};
use crate::cpu::simd::{SimdLevel, level};
use crate::precision::MatmulPrecision;
#[cfg(target_arch = "x86_64")]
use crate::precision::matmul_precision;

/// A kernel and the largest tile it computes.
pub(super) struct Kernel<T> {
    pub height: usize,
    pub width: usize,
    /// # Safety
    /// The processor must have the kernel's instructions. With `1 <= rows <= height`: `a` must be readable at
    /// `i * row_stride + k * depth_stride` for all `i < rows, k < depth`, each panel at `k * b_stride + j` for all
    /// `k < depth, j < width`, and `out` readable and writable for `rows` x `columns` at its strides, one of which is 1.
    pub tiles: unsafe fn(&Tiles<T, T>),
    /// The same for a right matrix as it lies: reads a panel only for its share of `columns`.
    ///
    /// # Safety
    /// As `tiles`, with that in place of `width`.
    pub direct: unsafe fn(&Tiles<T, T>),
}

impl<T> Kernel<T> {
    /// Whether a row-major right matrix is read from where it lies at least as fast as packed: where tiles are two cache
    /// lines wide and high enough to be few.
    pub fn reads_rows(&self) -> bool {
        self.width * size_of::<T>() >= 128 && self.height >= 12
    }
}

/// A number type with matrix products.
pub(crate) trait Gemm: Float {
    /// The best kernel for a product with this many columns.
    #[allow(private_interfaces)]
    fn kernel(columns: usize) -> Kernel<Self>;

    /// The kernel for dot products.
    #[allow(private_interfaces)]
    fn dot_kernel() -> DotKernel<Self>;

    /// How fast large products are at a precision, against the highest; 1 where they are computed as at the highest.
    fn speed_at(_precision: MatmulPrecision) -> f64 {
        1.0
    }

    /// Computes the product at the precision in use, if that is lower than the highest and pays; false, with nothing
    /// done, otherwise.
    #[allow(private_interfaces)]
    fn multiply_reduced(_a: Matrix<Self>, _b: Matrix<Self>, _sizes: Sizes, _out: Out<Self>) -> bool {
        false
    }

    /// The kernel for matrices with many zeros, where the processor has registers enough.
    #[allow(private_interfaces)]
    fn sparse_kernel() -> Option<SparseKernel<Self>>;

    /// Lists the places below `depth` where one of the four rows at `x`, `stride` apart, is not zero, and the rows'
    /// values there, each row's `row_step` after the last one's; returns how many. `None`, with nothing done, where there
    /// is no fast way.
    fn list_rows(
        _x: &[Self],
        _stride: usize,
        _depth: usize,
        _values: &mut [Self],
        _row_step: usize,
        _places: &mut [u32],
    ) -> Option<usize> {
        None
    }

    /// Likewise where the four values of a place are adjacent at `x`, and places `stride` apart; so are they listed.
    fn list_columns(
        _x: &[Self],
        _stride: usize,
        _depth: usize,
        _values: &mut [Self],
        _places: &mut [u32],
    ) -> Option<usize> {
        None
    }

    /// Transposes 8 x 8 elements: `out[k * out_stride + j] = x[j * stride + k]`. False, with nothing done, where there
    /// is no fast way.
    fn transpose_square(_x: &[Self], _stride: usize, _out: &mut [Self], _out_stride: usize) -> bool {
        false
    }
}

tiles!(tiles_baseline, sums_baseline, 1 2 3 4);
#[cfg(target_arch = "x86_64")]
tiles!(
    #[target_feature(enable = "avx2,fma")]
    tiles_avx2,
    sums_avx2,
    1 2 3 4 5 6
);
#[cfg(target_arch = "x86_64")]
tiles!(
    #[target_feature(enable = "avx512f")]
    tiles_avx512,
    sums_avx512,
    1 2 3 4 5 6 7 8 9 10 11 12
);

/// A kernel of `$height` rows whose tiles are made by `$tiles`.
macro_rules! kernel {
    ($height:literal, $width:literal, $tiles:ident::<$number:ty, $register:ty, $wide:literal>) => {
        Kernel {
            height: $height,
            width: $width,
            tiles: $tiles::<$number, $number, $register, $wide, false>,
            direct: $tiles::<$number, $number, $register, $wide, true>,
        }
    };
}

impl Gemm for f32 {
    #[cfg(target_arch = "x86_64")]
    fn speed_at(precision: MatmulPrecision) -> f64 {
        Bf16::for_precision(precision).map_or(1.0, Bf16::speed)
    }

    #[cfg(target_arch = "x86_64")]
    #[allow(private_interfaces)]
    fn multiply_reduced(a: Matrix<f32>, b: Matrix<f32>, sizes: Sizes, out: Out<f32>) -> bool {
        Bf16::for_precision(matmul_precision()).is_some_and(|format| bf16::multiply(format, a, b, sizes, out))
    }

    #[allow(private_interfaces)]
    fn dot_kernel() -> DotKernel<f32> {
        dots::dot_kernel_f32()
    }

    #[allow(private_interfaces)]
    fn sparse_kernel() -> Option<SparseKernel<f32>> {
        sparse_kernel::sparse_kernel_f32()
    }

    #[cfg(target_arch = "x86_64")]
    fn list_rows(
        x: &[f32],
        stride: usize,
        depth: usize,
        values: &mut [f32],
        row_step: usize,
        places: &mut [u32],
    ) -> Option<usize> {
        if level() != SimdLevel::Avx512 || depth < 16 {
            return None;
        }
        let room = depth.next_multiple_of(16);
        assert!(x.len() >= 3 * stride + depth, "gemm: a group reaches outside its matrix");
        assert!(row_step >= room && values.len() >= 3 * row_step + room && places.len() >= room);
        // SAFETY: the level has AVX-512F, and the sizes were just checked.
        Some(unsafe { x86::list_rows(x.as_ptr(), stride, depth, values.as_mut_ptr(), row_step, places.as_mut_ptr()) })
    }

    #[cfg(target_arch = "x86_64")]
    fn list_columns(x: &[f32], stride: usize, depth: usize, values: &mut [f32], places: &mut [u32]) -> Option<usize> {
        if level() != SimdLevel::Avx512 || depth == 0 {
            return None;
        }
        let room = depth.next_multiple_of(4);
        assert!(x.len() >= (depth - 1) * stride + 4, "gemm: a group reaches outside its matrix");
        assert!(values.len() >= 4 * room && places.len() >= room);
        // SAFETY: the level has AVX-512F and VL, and the sizes were just checked.
        Some(unsafe { x86::list_columns(x.as_ptr(), stride, depth, values.as_mut_ptr(), places.as_mut_ptr()) })
    }

    #[allow(private_interfaces)]
    fn kernel(columns: usize) -> Kernel<f32> {
        match level() {
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 if columns <= 16 => {
                kernel!(12, 16, tiles_avx512::<f32, x86::__m512, 1>)
            }
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => kernel!(12, 32, tiles_avx512::<f32, x86::__m512, 2>),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 if columns <= 8 => kernel!(6, 8, tiles_avx2::<f32, x86::__m256, 1>),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => kernel!(6, 16, tiles_avx2::<f32, x86::__m256, 2>),
            _ => kernel!(4, 8, tiles_baseline::<f32, Four<f32>, 2>),
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
    fn dot_kernel() -> DotKernel<f64> {
        dots::dot_kernel_f64()
    }

    #[allow(private_interfaces)]
    fn sparse_kernel() -> Option<SparseKernel<f64>> {
        sparse_kernel::sparse_kernel_f64()
    }

    #[allow(private_interfaces)]
    fn kernel(_columns: usize) -> Kernel<f64> {
        match level() {
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => kernel!(12, 16, tiles_avx512::<f64, x86::__m512d, 2>),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => kernel!(6, 8, tiles_avx2::<f64, x86::__m256d, 2>),
            _ => kernel!(4, 8, tiles_baseline::<f64, Four<f64>, 2>),
        }
    }
}
