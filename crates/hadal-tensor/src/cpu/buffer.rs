//! Aligned memory for tensors, recycled: a training step asks for the same sizes again and again, and handing freed
//! blocks back to the system costs page faults on every one.
//!
//! Contents are always initialised (fresh blocks are zeroed, recycled ones hold old numbers), so kernels write into
//! plain slices.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// One cache line, and the width of the widest vector register.
const ALIGNMENT: usize = 64;
/// The alignment that the system gives memory in any case. Asked for more, it could not give pages that are zero by themselves
/// until they are used, and would write them all.
const MARGIN: usize = 16;
/// Larger blocks (data sets, not activations) go back to the system at once.
const LARGEST_KEPT: usize = 512 << 20;
/// What one thread keeps at most: the gradients of half a billion parameters.
const MOST_KEPT: usize = 2 << 30;

/// Number types for which every bit pattern is a value, all zeros included.
pub(crate) trait Plain: Copy + Default + Send + Sync + 'static {}
impl Plain for f32 {}
impl Plain for f64 {}
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
}

impl<T: Plain> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the block holds at least `length` initialised elements, is aligned for T, and lives as long as self.
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
        give(self.block, capacity::<T>(self.length));
    }
}

/// The block size for `length` elements: whole cache lines, above 1 KiB rounded to an eighth of the power of two so
/// that nearly equal sizes share blocks.
fn capacity<T>(length: usize) -> usize {
    let bytes = length.checked_mul(size_of::<T>()).expect("tensor size overflows the address space").max(1);
    let step = (bytes.next_power_of_two() / 16).max(ALIGNMENT);
    bytes.next_multiple_of(step)
}

/// Room for a block, wherever in it the first cache line begins, and before that for where the memory begins.
fn layout(bytes: usize) -> Layout {
    let room = bytes.checked_add(ALIGNMENT).expect("tensor size overflows the address space");
    Layout::from_size_align(room, MARGIN).expect("tensor size overflows the address space")
}

/// Blocks up to this size are found by their size in cache lines, without a search.
const SMALL: usize = 1024;

/// Freed blocks of one size.
struct Shelf {
    size: usize,
    blocks: Vec<NonNull<u8>>,
    /// When a block was last taken or given, in such events.
    used: u64,
}

/// Freed blocks by size.
struct Pool {
    small: [Vec<NonNull<u8>>; SMALL / ALIGNMENT],
    shelves: Vec<Shelf>,
    events: u64,
    /// Bytes in the blocks here. Written by this thread alone, read by [`live_bytes`].
    bytes: Arc<AtomicUsize>,
}

impl Pool {
    fn new() -> Pool {
        let bytes = Arc::new(AtomicUsize::new(0));
        let mut pools = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(&bytes));
        Pool { small: [const { Vec::new() }; SMALL / ALIGNMENT], shelves: Vec::new(), events: 0, bytes }
    }

    fn shelf(&mut self, bytes: usize) -> &mut Vec<NonNull<u8>> {
        if bytes <= SMALL {
            return &mut self.small[bytes / ALIGNMENT - 1];
        }
        let shelf = match self.shelves.binary_search_by_key(&bytes, |shelf| shelf.size) {
            Ok(shelf) => shelf,
            Err(place) => {
                self.shelves.insert(place, Shelf { size: bytes, blocks: Vec::new(), used: 0 });
                place
            }
        };
        self.events += 1;
        self.shelves[shelf].used = self.events;
        &mut self.shelves[shelf].blocks
    }

    fn take(&mut self, bytes: usize) -> Option<NonNull<u8>> {
        let block = self.shelf(bytes).pop()?;
        self.bytes.store(self.bytes.load(Ordering::Relaxed) - bytes, Ordering::Relaxed);
        Some(block)
    }

    /// Keeps a block. If the pool is full, others go back to the system for it: of the size that was not asked for for
    /// longest.
    fn give(&mut self, block: NonNull<u8>, bytes: usize) {
        let mut total = self.bytes.load(Ordering::Relaxed) + bytes;
        while total > MOST_KEPT
            && let Some(shelf) =
                self.shelves.iter_mut().filter(|shelf| !shelf.blocks.is_empty()).min_by_key(|shelf| shelf.used)
            && let Some(old) = shelf.blocks.pop()
        {
            release(old, shelf.size);
            total -= shelf.size;
        }
        self.shelf(bytes).push(block);
        self.bytes.store(total, Ordering::Relaxed);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let small = self.small.iter_mut().enumerate().map(|(i, blocks)| ((i + 1) * ALIGNMENT, blocks));
        for (bytes, blocks) in small.chain(self.shelves.iter_mut().map(|shelf| (shelf.size, &mut shelf.blocks))) {
            for block in blocks.drain(..) {
                release(block, bytes);
            }
        }
    }
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::new(Pool::new());
}

/// Bytes in blocks that came from the system and have not gone back.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
/// What each thread's pool keeps of them.
static KEPT: Mutex<Vec<Weak<AtomicUsize>>> = Mutex::new(Vec::new());

/// How many bytes tensors hold now, in the whole process (rounded up to blocks). While other threads are making
/// tensors, approximate.
pub fn live_bytes() -> usize {
    let pools = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let kept: usize = pools.iter().filter_map(Weak::upgrade).map(|pool| pool.load(Ordering::Relaxed)).sum();
    ALLOCATED.load(Ordering::Relaxed).saturating_sub(kept)
}

fn take(bytes: usize) -> NonNull<u8> {
    if let Ok(Some(block)) = POOL.try_with(|pool| pool.borrow_mut().take(bytes)) {
        return block;
    }
    let layout = layout(bytes);
    // SAFETY: the layout's size is not zero.
    let memory = unsafe { alloc_zeroed(layout) };
    if memory.is_null() {
        handle_alloc_error(layout);
    }
    ALLOCATED.fetch_add(bytes, Ordering::Relaxed);
    // At least MARGIN, at most ALIGNMENT: there is room before the block for a number, and behind it for all bytes.
    let offset = ALIGNMENT - memory.addr() % ALIGNMENT;
    // SAFETY: `offset` and the place before it lie within the memory, which is aligned for a usize there.
    unsafe {
        let block = memory.add(offset);
        block.cast::<usize>().sub(1).write(offset);
        NonNull::new_unchecked(block)
    }
}

fn give(block: NonNull<u8>, bytes: usize) {
    let kept = bytes <= LARGEST_KEPT && POOL.try_with(|pool| pool.borrow_mut().give(block, bytes)).is_ok();
    if !kept {
        release(block, bytes);
    }
}

fn release(block: NonNull<u8>, bytes: usize) {
    ALLOCATED.fetch_sub(bytes, Ordering::Relaxed);
    // SAFETY: every block lies in memory from `alloc_zeroed` with this layout, as far behind its beginning as the number
    // before the block says, and its owner gives it up here.
    unsafe {
        let offset = block.as_ptr().cast::<usize>().sub(1).read();
        dealloc(block.as_ptr().sub(offset), layout(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_and_recycled() {
        let first = Buffer::<f32>::filled(1000, 1.5);
        let address = first.as_ptr() as usize;
        assert_eq!(address % ALIGNMENT, 0);
        drop(first);
        let second = Buffer::<f32>::scratch(1000);
        assert_eq!(second.as_ptr() as usize, address);
        assert_eq!(second.len(), 1000);
    }

    #[test]
    fn a_full_pool_gives_back_what_was_not_used_for_longest() {
        let large = LARGEST_KEPT / size_of::<u8>();
        let old = Buffer::<u8>::scratch(large / 2);
        let buffers: Vec<_> = (0..MOST_KEPT / LARGEST_KEPT).map(|_| Buffer::<u8>::scratch(large)).collect();
        let addresses: Vec<_> = buffers.iter().map(|buffer| buffer.as_ptr()).collect();
        drop(old);
        drop(buffers);
        let kept = POOL.with(|pool| pool.borrow().bytes.load(Ordering::Relaxed));
        assert!(kept <= MOST_KEPT, "{kept} bytes are kept");
        let again: Vec<_> = (0..MOST_KEPT / LARGEST_KEPT).map(|_| Buffer::<u8>::scratch(large)).collect();
        assert!(again.iter().all(|buffer| addresses.contains(&buffer.as_ptr())));
    }

    #[test]
    fn empty_buffers_are_empty() {
        assert!(Buffer::<f64>::scratch(0).is_empty());
    }
}
