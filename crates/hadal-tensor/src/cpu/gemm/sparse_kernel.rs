//! Tiles of products whose left matrix holds many zeros: four rows, summed over listed places only.

use super::Float;
use super::sparse::HEIGHT;
use super::tile::{store_row, store_whole};
use super::vector::Vector;
#[cfg(target_arch = "x86_64")]
use super::vector::x86;
use crate::cpu::simd::{SimdLevel, level};

/// What tiles of a sparse left matrix have in common.
pub(super) struct SparsePanel<T> {
    pub columns: usize,
    /// The panel's width in registers.
    pub wide: usize,
    /// Rows of `wide` registers.
    pub b: *const T,
    /// Element `(i, n)` of a group, row `i` at the `n`th place, is at `i * row_step + n * place_step`.
    pub row_step: usize,
    pub place_step: usize,
    pub row_stride: usize,
    pub column_stride: usize,
    /// Whether to add to what is there; row-major only.
    pub accumulate: bool,
}

/// A group of four rows, with the places that it visits.
pub(super) struct SparseGroup<T> {
    pub rows: usize,
    pub count: usize,
    pub places: *const u32,
    pub a: *const T,
    pub out: *mut T,
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
    pub tile: unsafe fn(&SparsePanel<T>, SparseGroup<T>),
}

/// Four rows of `WIDE` registers, summed over the listed places only and stored at `out`, `out_stride` apart; added to what
/// is there if `accumulate`.
///
/// # Safety
/// As [`SparseKernel::tile`], with `panel.wide == WIDE`, and `out` readable and writable for four rows of `WIDE` registers.
#[inline(always)]
unsafe fn sparse_sums<T: Float, V: Vector<T>, const WIDE: usize>(
    panel: &SparsePanel<T>,
    group: &SparseGroup<T>,
    out: *mut T,
    out_stride: usize,
    accumulate: bool,
) {
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        let mut sums = [[V::zero(); WIDE]; HEIGHT];
        let mut a = group.a;
        for n in 0..group.count {
            let b = panel.b.add(*group.places.add(n) as usize * (WIDE * V::LANES));
            let mut right = [V::zero(); WIDE];
            for (j, right) in right.iter_mut().enumerate() {
                *right = V::load(b.add(j * V::LANES));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let left = V::splat(a.add(i * panel.row_step));
                for (sum, &right) in sums.iter_mut().zip(&right) {
                    *sum = sum.add_product(left, right);
                }
            }
            a = a.add(panel.place_step);
        }
        store_whole(sums, out, out_stride, accumulate);
    }
}

/// Stores the sums of a group where they cannot go as they are.
///
/// # Safety
/// As [`SparseKernel::tile`], with `panel.wide == WIDE`.
#[inline(always)]
unsafe fn store_group<T: Float, V: Vector<T>, const WIDE: usize>(
    panel: &SparsePanel<T>,
    group: &SparseGroup<T>,
    sums: &[[V; WIDE]; HEIGHT],
) {
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        if panel.column_stride == 1 {
            for (i, sums) in sums.iter().enumerate().take(group.rows) {
                store_row(sums, group.out.add(i * panel.row_stride), panel.columns, panel.accumulate);
            }
            return;
        }
        let rows = |j: usize| std::array::from_fn(|i| sums[i][j]);
        for j in 0..WIDE {
            let to = group.out.add(j * V::LANES * panel.column_stride);
            V::store_columns(rows(j), to, panel.column_stride, false);
        }
    }
}

/// Makes `fn $name` that picks the instances for the width, compiled for `$feature`. The sums are a function of their
/// own, `$sums`: beside code for any target they would not stay in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! sparse_tiles {
    (#[$feature:meta] $name:ident, $sums:ident, $($wide:literal),*) => {
        /// # Safety
        /// As [`sparse_sums`].
        #[$feature]
        #[inline(never)]
        unsafe fn $sums<T: Float, V: Vector<T>, const WIDE: usize>(
            panel: &SparsePanel<T>,
            group: &SparseGroup<T>,
            out: *mut T,
            out_stride: usize,
            accumulate: bool,
        ) {
            // SAFETY: the caller's contract.
            unsafe { sparse_sums::<T, V, WIDE>(panel, group, out, out_stride, accumulate) }
        }

        /// # Safety
        /// As [`SparseKernel::tile`].
        #[$feature]
        unsafe fn $name<T: Float, V: Vector<T>>(panel: &SparsePanel<T>, group: SparseGroup<T>) {
            let whole = panel.column_stride == 1
                && group.rows == HEIGHT
                && panel.columns == panel.wide * V::LANES;
            match panel.wide {
                $(
                    // SAFETY: the caller's contract, and `wide` is the width of the instance.
                    $wide if whole => unsafe {
                        $sums::<T, V, $wide>(panel, &group, group.out, panel.row_stride, panel.accumulate);
                    },
                    // SAFETY: as above, and `stage` has room for the sums.
                    $wide => unsafe {
                        let mut stage = std::mem::MaybeUninit::<[[V; $wide]; HEIGHT]>::uninit();
                        $sums::<T, V, $wide>(panel, &group, stage.as_mut_ptr().cast(), $wide * V::LANES, false);
                        store_group(panel, &group, stage.assume_init_ref());
                    },
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
