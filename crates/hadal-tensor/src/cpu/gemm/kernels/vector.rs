//! Registers of adjacent numbers: what each level's kernels are written in.

use crate::cpu::float::Float;

/// A register of adjacent numbers. All methods require the instruction set that the implementor names.
pub(crate) trait Vector<T>: Copy {
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
    /// The halves of a register from two places.
    unsafe fn load_halves(low: *const T, high: *const T) -> Self;
    /// Stores the halves of a register at two places.
    unsafe fn store_halves(self, low: *mut T, high: *mut T);
    /// Stores four rows as columns of four adjacent elements, `stride` apart.
    #[inline(always)]
    unsafe fn store_columns(rows: [Self; 4], to: *mut T, stride: usize)
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
                    *to.add(i + j * stride) = lane;
                }
            }
        }
    }
}

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// What [`prefetch`] brings memory to: the nearest cache, or the second.
pub(crate) const NEAREST: i32 = 3;
pub(crate) const SECOND: i32 = 2;

/// Asks for memory that will be read soon, to be brought to a cache; of no effect if there is none at `place`.
#[inline(always)]
pub(crate) fn prefetch<T, const CACHE: i32>(place: *const T) {
    // SAFETY: every x86-64 processor has the instruction, which reads nothing that a program can see.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_prefetch::<CACHE>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// As [`prefetch`], for all cache lines of so many numbers.
#[inline(always)]
pub(crate) fn prefetch_all<T, const CACHE: i32>(first: *const T, count: usize) {
    (0..count).step_by(LINE / size_of::<T>()).for_each(|place| prefetch::<T, CACHE>(first.wrapping_add(place)));
}

/// Implements [`Vector`] for a register by the functions that compilers have for its instructions, and those for a part of
/// a register, which its level writes.
#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($register:ty, $number:ty, $lanes:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $add:ident, $fma:ident, $first:ident, $load_first:ident, $sum:ident, $load_halves:ident, $store_halves:ident $(, $columns:ident)?) => {
        impl super::vector::Vector<$number> for $register {
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
            #[inline(always)]
            unsafe fn sum(self) -> $number {
                // SAFETY: the instruction set is available.
                unsafe { $sum(self) }
            }
            #[inline(always)]
            unsafe fn load_halves(low: *const $number, high: *const $number) -> Self {
                // SAFETY: as above, and half a register is readable at both.
                unsafe { $load_halves(low, high) }
            }
            #[inline(always)]
            unsafe fn store_halves(self, low: *mut $number, high: *mut $number) {
                // SAFETY: as above, and half a register is writable at both.
                unsafe { $store_halves(self, low, high) }
            }
            $(
                #[inline(always)]
                unsafe fn store_columns(rows: [Self; 4], to: *mut $number, stride: usize) {
                    // SAFETY: as above, and four elements are writable at each of the columns.
                    unsafe { $columns(rows, to, stride) }
                }
            )?
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(crate) use vector;
