//! Tiles of products whose left matrix holds many zeros: four rows, summed over listed places only.

use super::store::{store_row, store_whole};
use super::vector::Vector;
use crate::cpu::float::Float;

/// Rows per group.
pub(crate) const HEIGHT: usize = 4;

/// What tiles of a sparse left matrix have in common.
pub(crate) struct SparsePanel<T> {
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
pub(crate) struct SparseGroup<T> {
    pub rows: usize,
    pub count: usize,
    pub places: *const u32,
    pub a: *const T,
    pub out: *mut T,
}

/// A kernel for sparse left matrices.
pub(crate) struct SparseKernel<T> {
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
    /// What [`list_rows`](SparseKernel::list_rows) does, given `x, stride, depth, values, row_step, places`.
    ///
    /// # Safety
    /// The processor must have the kernel's instructions. `x` must be readable at `i * stride + k` for `i < 4`, `k < depth`;
    /// `values` must be writable at `i * row_step + n` and `places` at `n`, for all `n` below `depth` rounded up to sixteen.
    pub list_rows: Option<ListRows<T>>,
    /// What [`list_columns`](SparseKernel::list_columns) does, given `x, stride, depth, values, places`.
    ///
    /// # Safety
    /// The processor must have the kernel's instructions. `x` must be readable at `k * stride + i` for `i < 4`, `k < depth`;
    /// `values` must be writable for four elements, and `places` for one, of every place up to `depth` rounded up to four.
    pub list_columns: Option<ListColumns<T>>,
}

/// See [`SparseKernel`].
type ListRows<T> = unsafe fn(*const T, usize, usize, *mut T, usize, *mut u32) -> usize;
/// See [`SparseKernel`].
type ListColumns<T> = unsafe fn(*const T, usize, usize, *mut T, *mut u32) -> usize;

impl<T> SparseKernel<T> {
    /// Its tiles, in words.
    pub fn describe(&self) -> String {
        format!("zeros skipped, tiles of {HEIGHT} x {}", self.registers * self.lanes)
    }

    /// Lists the places below `depth` where one of the four rows at `x`, `stride` apart, is not zero, and the rows'
    /// values there, each row's `row_step` after the last one's; returns how many. `None`, with nothing done, where there
    /// is no fast way.
    pub fn list_rows(
        &self,
        x: &[T],
        stride: usize,
        depth: usize,
        values: &mut [T],
        row_step: usize,
        places: &mut [u32],
    ) -> Option<usize> {
        let list = self.list_rows.filter(|_| depth >= 16)?;
        let room = depth.next_multiple_of(16);
        assert!(x.len() >= 3 * stride + depth, "gemm: a group reaches outside its matrix");
        assert!(row_step >= room && values.len() >= 3 * row_step + room && places.len() >= room);
        // SAFETY: kernels are those of the level in use, and the sizes were just checked.
        Some(unsafe { list(x.as_ptr(), stride, depth, values.as_mut_ptr(), row_step, places.as_mut_ptr()) })
    }

    /// Likewise where the four values of a place are adjacent at `x`, and places `stride` apart; so are they listed.
    pub fn list_columns(
        &self,
        x: &[T],
        stride: usize,
        depth: usize,
        values: &mut [T],
        places: &mut [u32],
    ) -> Option<usize> {
        let list = self.list_columns.filter(|_| depth > 0)?;
        let room = depth.next_multiple_of(4);
        assert!(x.len() >= (depth - 1) * stride + 4, "gemm: a group reaches outside its matrix");
        assert!(values.len() >= 4 * room && places.len() >= room);
        // SAFETY: as above.
        Some(unsafe { list(x.as_ptr(), stride, depth, values.as_mut_ptr(), places.as_mut_ptr()) })
    }
}

/// Four rows of `WIDE` registers, summed over the listed places only and stored at `out`, `out_stride` apart; added to what
/// is there if `accumulate`.
///
/// # Safety
/// As [`SparseKernel::tile`], with `panel.wide == WIDE`, and `out` readable and writable for four rows of `WIDE` registers.
#[inline(always)]
pub(crate) unsafe fn sparse_sums<T: Float, V: Vector<T>, const WIDE: usize>(
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
pub(crate) unsafe fn store_group<T: Float, V: Vector<T>, const WIDE: usize>(
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
        /// As [`sparse_sums`](super::sparse_tile::sparse_sums).
        #[$feature]
        #[inline(never)]
        unsafe fn $sums<T: crate::cpu::float::Float, V: super::vector::Vector<T>, const WIDE: usize>(
            panel: &super::sparse_tile::SparsePanel<T>,
            group: &super::sparse_tile::SparseGroup<T>,
            out: *mut T,
            out_stride: usize,
            accumulate: bool,
        ) {
            // SAFETY: the caller's contract.
            unsafe { super::sparse_tile::sparse_sums::<T, V, WIDE>(panel, group, out, out_stride, accumulate) }
        }

        /// # Safety
        /// As [`SparseKernel::tile`](super::sparse_tile::SparseKernel::tile).
        #[$feature]
        unsafe fn $name<T: crate::cpu::float::Float, V: super::vector::Vector<T>>(panel: &super::sparse_tile::SparsePanel<T>, group: super::sparse_tile::SparseGroup<T>) {
            let whole = panel.column_stride == 1
                && group.rows == super::sparse_tile::HEIGHT
                && panel.columns == panel.wide * V::LANES;
            match panel.wide {
                $(
                    // SAFETY: the caller's contract, and `wide` is the width of the instance.
                    $wide if whole => unsafe {
                        $sums::<T, V, $wide>(panel, &group, group.out, panel.row_stride, panel.accumulate);
                    },
                    // SAFETY: as above, and `stage` has room for the sums.
                    $wide => unsafe {
                        let mut stage = std::mem::MaybeUninit::<[[V; $wide]; { super::sparse_tile::HEIGHT }]>::uninit();
                        $sums::<T, V, $wide>(panel, &group, stage.as_mut_ptr().cast(), $wide * V::LANES, false);
                        super::sparse_tile::store_group(panel, &group, stage.assume_init_ref());
                    },
                )*
                wide => unreachable!("a tile {wide} registers wide"),
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(crate) use sparse_tiles;
