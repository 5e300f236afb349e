//! Aligned memory for tensors.
//!
//! Contents are always initialized (fresh blocks are zeroed, recycled ones hold old numbers), so kernels write into
//! plain slices.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::pool::{ALIGNMENT, give, out_of_memory, take};

/// Number types for which every bit pattern is a value, all zeros included.
pub(crate) trait Plain: Copy + Default + Send + Sync + 'static {}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for i32 {}
impl Plain for i64 {}
impl Plain for u8 {}
impl Plain for u32 {}

/// A block of numbers, aligned to a cache line.
pub(crate) struct Buffer<T: Plain> {
    block: NonNull<u8>,
    length: usize,
    elements: PhantomData<T>,
}

// SAFETY: a buffer owns its block alone, as a `Vec<T>` does, and `Plain` types are Send and Sync.
unsafe impl<T: Plain> Send for Buffer<T> {}
// SAFETY: as above; shared access only reads.
unsafe impl<T: Plain> Sync for Buffer<T> {}

impl<T: Plain> Buffer<T> {
    /// `length` numbers of arbitrary value, for a kernel that writes all of them.
    pub fn scratch(length: usize) -> Buffer<T> {
        Buffer { block: take(capacity::<T>(length)), length, elements: PhantomData }
    }

    pub fn filled(length: usize, value: T) -> Buffer<T> {
        let mut buffer = Buffer::scratch(length);
        buffer.fill(value);
        buffer
    }

    pub fn from_slice(values: &[T]) -> Buffer<T> {
        let mut buffer = Buffer::scratch(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// The block and its length, which [`from_parts`](Buffer::from_parts) makes a buffer again.
    pub(super) fn into_parts(self) -> (NonNull<u8>, usize) {
        let own = ManuallyDrop::new(self);
        (own.block, own.length)
    }

    /// The buffer of a block.
    ///
    /// # Safety
    /// Both must come from [`into_parts`](Buffer::into_parts) of a buffer of this type, and be used once.
    pub(super) unsafe fn from_parts(block: NonNull<u8>, length: usize) -> Buffer<T> {
        Buffer { block, length, elements: PhantomData }
    }
}

impl<T: Plain> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the block holds at least `length` initialized elements, is aligned for T, and lives as long as self.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().cast(), self.length) }
    }
}

impl<T: Plain> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_ptr().cast(), self.length) }
    }
}

impl<T: Plain> Drop for Buffer<T> {
    fn drop(&mut self) {
        // SAFETY: the block was taken with this capacity, and nobody reads it after this.
        unsafe { give(self.block, capacity::<T>(self.length)) };
    }
}

/// The block size for `length` elements: whole cache lines, above 1 KiB rounded to an eighth of the power of two so
/// that nearly equal sizes share blocks.
fn capacity<T>(length: usize) -> usize {
    let bytes = length.checked_mul(size_of::<T>()).unwrap_or_else(|| out_of_memory(usize::MAX)).max(1);
    let step = (bytes.next_power_of_two() / 16).max(ALIGNMENT);
    bytes.next_multiple_of(step)
}

/// An empty vector with room for `length` values.
///
/// # Panics
/// If memory is short.
pub(crate) fn vec_with_room<T>(length: usize) -> Vec<T> {
    let mut values = Vec::new();
    if values.try_reserve_exact(length).is_err() {
        out_of_memory(length.saturating_mul(size_of::<T>()));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_buffers_are_empty() {
        assert!(Buffer::<f64>::scratch(0).is_empty());
    }
}
