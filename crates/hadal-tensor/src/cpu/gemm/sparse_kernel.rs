//! Tiles of products whose left matrix holds many zeros: four rows, summed over listed places only.

use super::Float;
use super::sparse::HEIGHT;
use super::tile::store_row;
use super::vector::Vector;
#[cfg(target_arch = "x86_64")]
use super::vector::x86;
use crate::cpu::simd::{SimdLevel, level};

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
            let to = tile.out.add(j * V::LANES * tile.column_stride);
            V::store_columns(rows(j), to, tile.column_stride, false);
        }
    }
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

/// Makes `fn $name`: the kernel for sparse left matrices of `$number` at the level in use.
macro_rules! sparse_kernel {
    ($name:ident, $number:ty, $wide:ident, $narrow:ident) => {
        pub(super) fn $name() -> Option<SparseKernel<$number>> {
            match level() {
                #[cfg(target_arch = "x86_64")]
                SimdLevel::Avx512 => Some(SparseKernel {
                    lanes: <x86::$wide as Vector<$number>>::LANES,
                    registers: 6,
                    tile: sparse_tiles_avx512::<$number, x86::$wide>,
                }),
                #[cfg(target_arch = "x86_64")]
                SimdLevel::Avx2 => Some(SparseKernel {
                    lanes: <x86::$narrow as Vector<$number>>::LANES,
                    registers: 3,
                    tile: sparse_tiles_avx2::<$number, x86::$narrow>,
                }),
                _ => None,
            }
        }
    };
}
sparse_kernel!(sparse_kernel_f32, f32, __m512, __m256);
sparse_kernel!(sparse_kernel_f64, f64, __m512d, __m256d);
