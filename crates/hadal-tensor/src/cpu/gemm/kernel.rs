//! Tiles: the innermost product, held in registers, one instance per vector instruction set and height.

use super::Float;
use super::dots::{self, DotKernel};
use super::sparse::HEIGHT;
#[cfg(target_arch = "x86_64")]
use super::vector::x86;
use super::vector::{Four, Vector};
use crate::cpu::simd::{SimdLevel, level};

/// What a tile kernel works on: `rows` x `depth` of the left matrix times a packed panel of the right.
pub(super) struct Tile<T> {
    pub rows: usize,
    pub depth: usize,
    pub columns: usize,
    pub a: *const T,
    pub row_stride: isize,
    pub depth_stride: isize,
    /// `depth` rows `b_stride` apart, of the kernel's full width, or of `columns` for the direct kernel.
    pub b: *const T,
    pub b_stride: usize,
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
    /// readable at `i * row_stride + k * depth_stride` for all `i < rows, k < depth`, `b` at `k * b_stride + j` for all
    /// `k < depth, j < width`, and `out` readable and writable at `i * out_stride + j` for all `i < rows, j < columns`.
    pub tile: unsafe fn(Tile<T>),
    /// The same for a right matrix as it lies: reads `b` only for `j < columns`.
    ///
    /// # Safety
    /// As `tile`, with `columns` in place of `width`.
    pub direct: unsafe fn(Tile<T>),
}

/// What a kernel for sparse left matrices works on: a group of four rows, with the places that it visits.
pub(super) struct SparseTile<T> {
    pub rows: usize,
    pub columns: usize,
    /// The panel's width in registers.
    pub wide: usize,
    pub count: usize,
    pub places: *const u32,
    /// Element `(i, n)`, row `i` at the `n`th place, is at `i * row_step + n * place_step`.
    pub a: *const T,
    pub row_step: usize,
    pub place_step: usize,
    /// Rows of `wide` registers.
    pub b: *const T,
    pub out: *mut T,
    pub row_stride: usize,
    pub column_stride: usize,
    /// Whether to add to what `out` holds; row-major only.
    pub accumulate: bool,
}

/// A kernel for sparse left matrices.
pub(super) struct SparseKernel<T> {
    /// Elements of a register.
    pub lanes: usize,
    /// The widest panel, in registers.
    pub registers: usize,
    /// # Safety
    /// The processor must have the kernel's instructions. `1 <= wide <= registers`, `rows <= 4`, `columns <= wide * lanes`;
    /// `places` must be readable for `count` places, `a` at all four rows of each, and `b` for the row of `wide` registers
    /// at each. With `column_stride` 1, `out` must be readable and writable at `i * row_stride + j` for all `i < rows`,
    /// `j < columns`; otherwise `row_stride` is taken as 1, and `out` must be writable at `i + j * column_stride` for all
    /// four rows and the panel's whole width.
    pub tile: unsafe fn(SparseTile<T>),
}

/// A number type with matrix products.
pub(in crate::cpu) trait Gemm: Float {
    /// The best kernel for a product with this many columns.
    #[allow(private_interfaces)]
    fn kernel(columns: usize) -> Kernel<Self>;

    /// The kernel for dot products.
    #[allow(private_interfaces)]
    fn dot_kernel() -> DotKernel<Self>;

    /// The kernel for matrices with many zeros, where the processor has registers enough.
    #[allow(private_interfaces)]
    fn sparse_kernel() -> Option<SparseKernel<Self>> {
        None
    }

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

/// A tile of exactly `HEIGHT` rows and `WIDE` registers across.
///
/// # Safety
/// As [`Kernel::tile`], with `tile.rows == HEIGHT`.
#[inline(always)]
unsafe fn tile<T: Float, V: Vector<T>, const HEIGHT: usize, const WIDE: usize, const DIRECT: bool>(tile: &Tile<T>) {
    // SAFETY: every access below is one that the caller's contract names: `a` at i * row_stride + k * depth_stride,
    // `b` at k * b_stride + j for j < width, or for j < columns if direct, `out` at i * out_stride + j for j < columns.
    unsafe {
        let mut sums = [[V::zero(); WIDE]; HEIGHT];
        let (mut a, mut b) = (tile.a, tile.b);
        for _ in 0..tile.depth {
            let mut right = [V::zero(); WIDE];
            for (j, right) in right.iter_mut().enumerate() {
                let columns = tile.columns.saturating_sub(j * V::LANES);
                *right = if DIRECT && columns < V::LANES {
                    V::load_first(b.wrapping_add(j * V::LANES), columns)
                } else {
                    V::load(b.add(j * V::LANES))
                };
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let left = V::splat(a.offset(i as isize * tile.row_stride));
                for (sum, &right) in sums.iter_mut().zip(&right) {
                    *sum = sum.add_product(left, right);
                }
            }
            a = a.wrapping_offset(tile.depth_stride);
            b = b.wrapping_add(tile.b_stride);
        }
        for (i, sums) in sums.iter().enumerate() {
            store_row(sums, tile.out.add(i * tile.out_stride), tile.columns, tile.accumulate);
        }
    }
}

/// Stores the first `columns` of a row of sums, added to what is there if `accumulate`.
///
/// # Safety
/// The processor must have V's instructions; `out` must be readable and writable for `columns` elements.
#[inline(always)]
unsafe fn store_row<T: Float, V: Vector<T>, const WIDE: usize>(
    sums: &[V; WIDE],
    out: *mut T,
    columns: usize,
    accumulate: bool,
) {
    for (j, &sum) in sums.iter().enumerate() {
        let place = out.wrapping_add(j * V::LANES);
        let columns = columns.saturating_sub(j * V::LANES);
        // SAFETY: the caller's contract: `columns` elements from `place` on belong to the row.
        unsafe {
            if columns >= V::LANES {
                let sum = if accumulate { sum.add(V::load(place)) } else { sum };
                sum.store(place);
            } else {
                sum.store_first(place, columns, accumulate);
            }
        }
    }
}

/// Four rows of `WIDE` registers, summed over the listed places only.
///
/// # Safety
/// As [`SparseKernel::tile`], with `tile.wide == WIDE`.
#[inline(always)]
unsafe fn sparse_sums<T: Float, V: Vector<T>, const WIDE: usize>(tile: &SparseTile<T>) -> [[V; WIDE]; HEIGHT] {
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        let mut sums = [[V::zero(); WIDE]; HEIGHT];
        let mut a = tile.a;
        for n in 0..tile.count {
            let b = tile.b.add(*tile.places.add(n) as usize * (WIDE * V::LANES));
            let mut right = [V::zero(); WIDE];
            for (j, right) in right.iter_mut().enumerate() {
                *right = V::load(b.add(j * V::LANES));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let left = V::splat(a.add(i * tile.row_step));
                for (sum, &right) in sums.iter_mut().zip(&right) {
                    *sum = sum.add_product(left, right);
                }
            }
            a = a.add(tile.place_step);
        }
        sums
    }
}

/// Stores the sums of a group.
///
/// # Safety
/// As [`SparseKernel::tile`], with `tile.wide == WIDE`.
#[inline(always)]
unsafe fn store_group<T: Float, V: Vector<T>, const WIDE: usize>(tile: &SparseTile<T>, sums: &[[V; WIDE]; HEIGHT]) {
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        if tile.column_stride == 1 {
            for (i, sums) in sums.iter().enumerate().take(tile.rows) {
                store_row(sums, tile.out.add(i * tile.row_stride), tile.columns, tile.accumulate);
            }
            return;
        }
        let rows = |j: usize| std::array::from_fn(|i| sums[i][j]);
        for j in 0..WIDE {
            V::store_columns(rows(j), tile.out.add(j * V::LANES * tile.column_stride), tile.column_stride);
        }
    }
}

/// Makes `fn $name` that picks the instance of [`tile`] for the number of rows, compiled for `$feature`.
macro_rules! tiles {
    ($(#[$feature:meta])? $name:ident, $($height:literal),*) => {
        /// # Safety
        /// As [`Kernel::tile`].
        $(#[$feature])?
        unsafe fn $name<T: Float, V: Vector<T>, const WIDE: usize, const DIRECT: bool>(work: Tile<T>) {
            match work.rows {
                $(
                    // SAFETY: the caller's contract, and `rows` is the height of the instance.
                    $height => unsafe { tile::<T, V, $height, WIDE, DIRECT>(&work) },
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

/// A kernel of `$height` rows whose tiles are made by `$tiles`.
macro_rules! kernel {
    ($height:literal, $width:literal, $tiles:ident::<$number:ty, $register:ty, $wide:literal>) => {
        Kernel {
            height: $height,
            width: $width,
            tile: $tiles::<$number, $register, $wide, false>,
            direct: $tiles::<$number, $register, $wide, true>,
        }
    };
}

/// Makes `fn $name` that picks the instances for the width, compiled for `$feature`. The sums are a function of their
/// own, `$sums`: beside the code that stores them they would not stay in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! sparse_tiles {
    (#[$feature:meta] $name:ident, $sums:ident, $($wide:literal),*) => {
        /// # Safety
        /// As [`SparseKernel::tile`].
        #[$feature]
        #[inline(never)]
        unsafe fn $sums<T: Float, V: Vector<T>, const WIDE: usize>(work: &SparseTile<T>) -> [[V; WIDE]; HEIGHT] {
            // SAFETY: the caller's contract.
            unsafe { sparse_sums(work) }
        }

        /// # Safety
        /// As [`SparseKernel::tile`].
        #[$feature]
        unsafe fn $name<T: Float, V: Vector<T>>(work: SparseTile<T>) {
            match work.wide {
                $(
                    // SAFETY: the caller's contract, and `wide` is the width of the instance.
                    $wide => unsafe { store_group(&work, &$sums::<T, V, $wide>(&work)) },
                )*
                wide => unreachable!("a tile {wide} registers wide"),
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
sparse_tiles!(
    #[target_feature(enable = "avx2,fma")]
    sparse_tiles_avx2,
    sparse_sums_avx2,
    1,
    2,
    3
);
#[cfg(target_arch = "x86_64")]
sparse_tiles!(
    #[target_feature(enable = "avx512f")]
    sparse_tiles_avx512,
    sparse_sums_avx512,
    1,
    2,
    3,
    4,
    5,
    6
);

/// The kernel for sparse left matrices of `$number` at the level in use.
#[cfg(target_arch = "x86_64")]
macro_rules! sparse_kernel {
    ($number:ty, $wide:ty, $narrow:ty) => {
        #[allow(private_interfaces)]
        fn sparse_kernel() -> Option<SparseKernel<$number>> {
            match level() {
                SimdLevel::Avx512 => Some(SparseKernel {
                    lanes: <$wide as Vector<$number>>::LANES,
                    registers: 6,
                    tile: sparse_tiles_avx512::<$number, $wide>,
                }),
                SimdLevel::Avx2 => Some(SparseKernel {
                    lanes: <$narrow as Vector<$number>>::LANES,
                    registers: 3,
                    tile: sparse_tiles_avx2::<$number, $narrow>,
                }),
                _ => None,
            }
        }
    };
}

impl Gemm for f32 {
    #[allow(private_interfaces)]
    fn dot_kernel() -> DotKernel<f32> {
        dots::dot_kernel_f32()
    }

    #[cfg(target_arch = "x86_64")]
    sparse_kernel!(f32, x86::__m512, x86::__m256);

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

    #[cfg(target_arch = "x86_64")]
    sparse_kernel!(f64, x86::__m512d, x86::__m256d);

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
