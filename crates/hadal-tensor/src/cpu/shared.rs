//! Numbers that several tensors hold together.

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

use super::buffer::{Buffer, Plain};
use super::pool::{Header, header};

/// A buffer with a count of its holders, as an `Arc<Buffer<T>>` would be. Count and length stand before the block of numbers, so that
/// a tensor's numbers take one allocation, mostly a recycled one, and one pointer in the tensor.
pub(crate) struct Shared<T: Plain> {
    block: NonNull<u8>,
    elements: PhantomData<T>,
}

// SAFETY: holders only read, as those of an `Arc<Buffer<T>>`, and `Plain` types are Send and Sync.
unsafe impl<T: Plain> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Plain> Sync for Shared<T> {}

impl<T: Plain> Shared<T> {
    pub fn new(buffer: Buffer<T>) -> Shared<T> {
        let (block, length) = buffer.into_parts();
        // SAFETY: the block comes from a buffer, and nobody else has it.
        unsafe { header(block).as_ref() }.share(length);
        Shared { block, elements: PhantomData }
    }

    fn header(&self) -> &Header {
        // SAFETY: the block comes from a buffer, and is in use as long as it has a holder, such as this one.
        unsafe { header(self.block).as_ref() }
    }

    /// The numbers, to be written, if nobody else holds them.
    pub fn get_mut(&mut self) -> Option<&mut [T]> {
        if !self.header().is_alone() {
            return None;
        }
        // SAFETY: the block holds so many initialized elements; this is their only holder, and `&mut self` keeps it so.
        Some(unsafe { std::slice::from_raw_parts_mut(self.block.as_ptr().cast(), self.header().length()) })
    }
}

impl<T: Plain> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        self.header().add_holder();
        Shared { block: self.block, elements: PhantomData }
    }
}

impl<T: Plain> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the block holds so many initialized elements, which are not written while they have more than one holder, nor
        // while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().cast(), self.header().length()) }
    }
}

impl<T: Plain> Drop for Shared<T> {
    fn drop(&mut self) {
        let length = self.header().length();
        if self.header().remove_holder() {
            // SAFETY: this was the last holder, and `self` is not used after this.
            drop(unsafe { Buffer::<T>::from_parts(self.block, length) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_live_until_their_last_holder_goes() {
        let mut first = Shared::new(Buffer::from_slice(&[1.5f32, 2.5]));
        assert!(first.get_mut().is_some());
        let mut second = first.clone();
        assert!(first.get_mut().is_none());
        drop(first);
        assert_eq!(second[..], [1.5, 2.5]);
        second.get_mut().unwrap()[0] = 3.5;
        assert_eq!(second[..], [3.5, 2.5]);
    }

    #[test]
    fn numbers_that_nobody_holds_are_given_back() {
        let shared = Shared::new(Buffer::filled(12_345, 1.0f64));
        let address = shared.as_ptr();
        drop(shared.clone());
        drop(shared);
        assert_eq!(Buffer::<f64>::scratch(12_345).as_ptr(), address);
    }

    #[test]
    fn holders_on_many_threads_are_counted() {
        let mut shared = Shared::new(Buffer::filled(1000, 7i64));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let own = shared.clone();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        let copy = own.clone();
                        assert_eq!(copy[999], 7);
                    }
                });
            }
        });
        assert!(shared.get_mut().is_some());
        assert!(Shared::new(Buffer::<u8>::scratch(0)).is_empty());
    }
}
