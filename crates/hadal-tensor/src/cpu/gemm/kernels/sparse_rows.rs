//! Rows of products whose left matrix holds many zeros: each by itself, summed over listed places only.

use super::vector::Vector;
use crate::cpu::float::Float;

/// Rows of the left matrix beside a panel of the right one.
pub(crate) struct SparseRows<T> {
    /// The panel's width in registers.
    pub wide: usize,
    /// The panel's rows, `wide` registers each, one after another.
    pub b: *const T,
    /// How many rows of the left matrix there are.
    pub rows: usize,
    /// Where the places of each row begin in the lists, and where those of the last end.
    pub starts: *const u32,
    /// The places that rows visit, which are rows of the panel, and the left matrix's values there.
    pub places: *const u32,
    pub values: *const T,
    pub out: *mut T,
    /// From one row of sums to the next.
    pub out_stride: usize,
    /// Whether the sums go on from what is there.
    pub accumulate: bool,
}

/// A kernel for sparse left matrices.
pub(crate) struct SparseKernel<T> {
    /// Elements of a register.
    pub lanes: usize,
    /// The widest panel, in registers.
    pub registers: usize,
    /// How long a multiplication takes, against one of a large dense product.
    pub slowness: f64,
    /// How many times longer where the lists of places are too long for the second cache.
    pub far: f64,
    /// What it takes to begin and end a row of a pass, in places of a large dense product: sums are read and written, and where
    /// the row ends is not foreseen.
    pub visit: f64,
    /// # Safety
    /// The processor must have the kernel's instructions. `1 <= wide <= registers`; `starts` must be readable for `rows + 1`
    /// elements, none below the one before, `places` and `values` from the first to the last of them, `b` for the row of
    /// `wide` registers at each of those places, and `out` readable and writable for `wide` registers every `out_stride`, for
    /// `rows` rows.
    pub rows: unsafe fn(&SparseRows<T>),
    /// What [`list`](SparseKernel::list) does, given `x, depth, values, places`.
    ///
    /// # Safety
    /// The processor must have the kernel's instructions. `x` must be readable for `depth` elements; `values` and `places`
    /// must be writable for `depth` rounded up to [`LISTED`].
    pub list_row: Option<ListRow<T>>,
}

/// See [`SparseKernel`].
type ListRow<T> = unsafe fn(*const T, usize, *mut T, *mut u32) -> usize;

/// Places are listed at most so many at a time.
pub(crate) const LISTED: usize = 16;

impl<T: Float> SparseKernel<T> {
    /// Its rows, in words.
    pub fn describe(&self) -> String {
        format!("zeros skipped, rows of {}", self.registers * self.lanes)
    }

    /// Lists the places where a row is not zero, and its values there; returns how many. The lists must have room for
    /// the whole row, rounded up to [`LISTED`].
    pub fn list(&self, x: &[T], values: &mut [T], places: &mut [u32]) -> usize {
        let room = x.len().next_multiple_of(LISTED);
        assert!(values.len() >= room && places.len() >= room, "gemm: a list is too short");
        if let Some(list_row) = self.list_row {
            // SAFETY: kernels are those of the level in use, and the sizes were just checked.
            return unsafe { list_row(x.as_ptr(), x.len(), values.as_mut_ptr(), places.as_mut_ptr()) };
        }
        let mut count = 0;
        for (place, &value) in x.iter().enumerate() {
            values[count] = value;
            places[count] = place as u32;
            // NaN is not zero.
            count += usize::from(value != T::ZERO);
        }
        count
    }
}

/// The sums of rows, `WIDE` registers each.
///
/// # Safety
/// As [`SparseKernel::rows`], with `rows.wide == WIDE`.
#[inline(always)]
pub(crate) unsafe fn sums<T, V: Vector<T>, const WIDE: usize>(rows: &SparseRows<T>) {
    let SparseRows { b, starts, places, values, out_stride, accumulate, .. } = *rows;
    let mut out = rows.out;
    // SAFETY: every access below is one that the caller's contract names.
    unsafe {
        let mut n = *starts as usize;
        for row in 0..rows.rows {
            let mut sums = [V::zero(); WIDE];
            if accumulate {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(out.add(j * V::LANES));
                }
            }
            let end = *starts.add(row + 1) as usize;
            while n < end {
                let b = b.add(*places.add(n) as usize * (WIDE * V::LANES));
                let left = V::splat(values.add(n));
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add_product(left, V::load(b.add(j * V::LANES)));
                }
                n += 1;
            }
            for (j, sum) in sums.into_iter().enumerate() {
                sum.store(out.add(j * V::LANES));
            }
            out = out.wrapping_add(out_stride);
        }
    }
}

/// Makes `fn $name` that picks the instance for the width, compiled for `$feature`.
macro_rules! sparse_rows {
    ($(#[$feature:meta])? $name:ident, $($wide:literal)*) => {
        /// # Safety
        /// As [`SparseKernel::rows`].
        $(#[$feature])?
        unsafe fn $name<T, V: super::vector::Vector<T>>(rows: &super::sparse_rows::SparseRows<T>) {
            match rows.wide {
                // SAFETY: the caller's contract, and `wide` is the width of the instance.
                $($wide => unsafe { super::sparse_rows::sums::<T, V, $wide>(rows) },)*
                wide => unreachable!("rows {wide} registers wide"),
            }
        }
    };
}
pub(crate) use sparse_rows;
