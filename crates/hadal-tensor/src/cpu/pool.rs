//! The memory of tensors, recycled: a training step asks for the same sizes again and again, and handing freed blocks back to the
//! system costs page faults on every one.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::RefCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::pages::{self, Region};

/// One cache line, and the width of the widest vector register: what blocks are aligned to.
pub(super) const ALIGNMENT: usize = 64;
/// The alignment that the system gives memory in any case. Asked for more, it could not give pages that are zero by themselves
/// until they are used, and would write them all.
const GIVEN: usize = 16;
/// The least room before a block, for its [`Header`].
const MARGIN: usize = 32;
/// Larger blocks (datasets, not activations) go back to the system at once.
const LARGEST_KEPT: usize = 512 << 20;
/// What one thread keeps at most: the gradients of half a billion parameters. Small blocks are counted, but not given back for
/// larger ones.
const MOST_KEPT: usize = 2 << 30;

/// Room for a block, wherever in it the first cache line begins, and before that for its header; `None` where the sum is not
/// a size.
fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(MARGIN + ALIGNMENT - GIVEN)?, GIVEN).ok()
}

/// Memory from the system, whose contents are zero; `None` where there is not so much.
fn from_system(bytes: usize) -> Option<NonNull<u8>> {
    // SAFETY: the layout's size is not zero.
    NonNull::new(unsafe { alloc_zeroed(layout(bytes)?) })
}

/// What happens where memory is short.
#[cold]
pub(super) fn out_of_memory(bytes: usize) -> ! {
    panic!("out of memory: cannot allocate {bytes} bytes for a tensor")
}

/// Whether this much memory is available for tensors now: it is asked of the system, and given back. For those who must refuse
/// what is too large before they begin, since a tensor that cannot be allocated panics.
///
/// ```
/// assert!(hadal_tensor::can_allocate(1 << 20));
/// assert!(!hadal_tensor::can_allocate(usize::MAX));
/// ```
pub fn can_allocate(bytes: usize) -> bool {
    let Some(layout) = layout(bytes) else { return false };
    // Hidden from the compiler, which leaves out an allocation that nobody uses, and takes it for granted.
    let Some(memory) = std::hint::black_box(from_system(bytes)) else { return false };
    // SAFETY: the memory came from `alloc_zeroed` with this layout.
    unsafe { dealloc(memory.as_ptr(), layout) };
    true
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

/// What stands before each block.
pub(super) struct Header {
    /// The pool of the thread that made the block, of which the block holds a reference.
    owner: *const Home,
    /// How many elements those who share the block see in it.
    length: AtomicUsize,
    /// How many hold a block that is shared.
    holders: AtomicU32,
    /// How far behind the beginning of the memory the block lies, if it lies in no region.
    offset: u32,
    /// Where it lies, or null.
    region: *const Region,
}

impl Header {
    /// More holders would be a leak: a count that wraps would give up a block that is in use.
    const MOST: u32 = u32::MAX / 2;

    /// The block, so many elements of it, has one holder, who is about to share it.
    pub fn share(&self, length: usize) {
        self.length.store(length, Ordering::Relaxed);
        self.holders.store(1, Ordering::Relaxed);
    }

    /// The elements of a shared block.
    pub fn length(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Counts one more. Whoever calls it is a holder, so there is nothing to wait for.
    pub fn add_holder(&self) {
        if self.holders.fetch_add(1, Ordering::Relaxed) >= Header::MOST {
            std::process::abort();
        }
    }

    /// Whether the caller is the only holder, who then sees all that others read or wrote before they let go.
    pub fn is_alone(&self) -> bool {
        self.holders.load(Ordering::Acquire) == 1
    }

    /// Counts one less; true for the last, who sees all that others read or wrote before they let go.
    pub fn remove_holder(&self) -> bool {
        if self.holders.fetch_sub(1, Ordering::Release) != 1 {
            return false;
        }
        fence(Ordering::Acquire);
        true
    }
}

const _: () = assert!(size_of::<Header>() <= MARGIN && align_of::<Header>() <= MARGIN && MARGIN <= ALIGNMENT);

/// A block and its size.
type Returned = (NonNull<u8>, usize);

/// The side of a pool that other threads see.
struct Home {
    /// Bytes in the blocks that the pool holds. Written by its thread alone.
    kept: AtomicUsize,
    /// Blocks that were dropped on other threads; `None` once the thread has ended.
    returns: Mutex<Option<Vec<Returned>>>,
    /// Bytes in them. Written under the lock.
    returned: AtomicUsize,
}

impl Home {
    /// What is kept, read while no block is on its way from the returns to the shelves, where it would count twice.
    fn settled_bytes(&self) -> usize {
        let _returns = self.returns.lock().unwrap_or_else(PoisonError::into_inner);
        self.bytes()
    }

    /// Both sides together; exact while the returns are locked.
    fn bytes(&self) -> usize {
        self.kept.load(Ordering::Relaxed) + self.returned.load(Ordering::Relaxed)
    }
}

// SAFETY: a home owns the blocks in its returns, as a `Vec<Box<[u8]>>` would, and hands each out once, under the lock.
unsafe impl Send for Home {}
// SAFETY: as above.
unsafe impl Sync for Home {}

/// Freed blocks by size. A block returns to the pool of the thread that made it, wherever it is dropped: a thread that makes
/// batches for another finds its blocks again, and the other does not collect them.
struct Pool {
    small: [Vec<NonNull<u8>>; SMALL / ALIGNMENT],
    shelves: Vec<Shelf>,
    events: u64,
    home: Arc<Home>,
}

impl Pool {
    fn new() -> Pool {
        let home = Arc::new(Home {
            kept: AtomicUsize::new(0),
            returns: Mutex::new(Some(Vec::new())),
            returned: AtomicUsize::new(0),
        });
        let mut homes = HOMES.lock().unwrap_or_else(PoisonError::into_inner);
        homes.retain(|home| home.strong_count() > 0);
        homes.push(Arc::downgrade(&home));
        Pool { small: [const { Vec::new() }; SMALL / ALIGNMENT], shelves: Vec::new(), events: 0, home }
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
        let block = match self.shelf(bytes).pop() {
            Some(block) => block,
            None if self.home.returned.load(Ordering::Relaxed) == 0 => return None,
            None => {
                self.collect();
                self.shelf(bytes).pop()?
            }
        };
        self.set_kept(self.kept() - bytes);
        Some(block)
    }

    fn kept(&self) -> usize {
        self.home.kept.load(Ordering::Relaxed)
    }

    fn set_kept(&self, bytes: usize) {
        self.home.kept.store(bytes, Ordering::Relaxed);
    }

    /// Puts what other threads have returned on the shelves.
    #[cold]
    fn collect(&mut self) {
        let returned = {
            let mut returns = self.home.returns.lock().unwrap_or_else(PoisonError::into_inner);
            self.set_kept(self.kept() + self.home.returned.swap(0, Ordering::Relaxed));
            returns.as_mut().map(std::mem::take).unwrap_or_default()
        };
        for (block, bytes) in returned {
            self.shelf(bytes).push(block);
        }
    }

    /// Keeps a block of this pool. If the pool is full, others go back to the system for it: of the size that was not asked
    /// for for longest.
    fn give(&mut self, block: NonNull<u8>, bytes: usize) {
        let mut total = self.kept() + bytes;
        if total + self.home.returned.load(Ordering::Relaxed) > MOST_KEPT {
            total = self.make_room(bytes);
        }
        self.shelf(bytes).push(block);
        self.set_kept(total);
    }

    /// Gives blocks back to the system until there is room for so many bytes; returns how many are kept with them.
    #[cold]
    fn make_room(&mut self, bytes: usize) -> usize {
        self.collect();
        let mut total = self.kept() + bytes;
        while total > MOST_KEPT
            && let Some(shelf) =
                self.shelves.iter_mut().filter(|shelf| !shelf.blocks.is_empty()).min_by_key(|shelf| shelf.used)
            && let Some(old) = shelf.blocks.pop()
        {
            let size = shelf.size;
            total -= size;
            write_off(&self.home.kept, size);
            free(old, size);
        }
        total
    }

    /// Gives all blocks back to the system.
    fn clear(&mut self) {
        self.collect();
        write_off(&self.home.kept, self.kept());
        let small = self.small.iter_mut().enumerate().map(|(i, blocks)| ((i + 1) * ALIGNMENT, blocks));
        for (bytes, blocks) in small.chain(self.shelves.iter_mut().map(|shelf| (shelf.size, &mut shelf.blocks))) {
            blocks.drain(..).for_each(|block| free(block, bytes));
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.clear();
        // What came in the meantime; from here on other threads release blocks of this pool themselves.
        let returned = {
            let _homes = HOMES.lock().unwrap_or_else(PoisonError::into_inner);
            let mut returns = self.home.returns.lock().unwrap_or_else(PoisonError::into_inner);
            ALLOCATED.fetch_sub(self.home.returned.swap(0, Ordering::Relaxed), Ordering::Relaxed);
            returns.take()
        };
        returned.into_iter().flatten().for_each(|(block, bytes)| free(block, bytes));
    }
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::new(Pool::new());
}

/// Makes the pool of a thread that has just begun.
pub(super) fn make_pool() {
    POOL.with(|_| ());
}

/// Bytes in blocks that came from the system and have not gone back.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
/// The pools of all threads. Locked, too, while both counts of what is kept change.
static HOMES: Mutex<Vec<Weak<Home>>> = Mutex::new(Vec::new());

/// How many bytes tensors hold now, in the whole process (rounded up to blocks). While other threads are making
/// tensors, approximate.
///
/// ```
/// use hadal_tensor::{Tensor, live_bytes};
/// let x = Tensor::zeros([1 << 20]);
/// assert!(live_bytes() >= 4 * x.elements());
/// ```
#[doc(alias = "memory_allocated")]
pub fn live_bytes() -> usize {
    let homes = HOMES.lock().unwrap_or_else(PoisonError::into_inner);
    let kept: usize = homes.iter().filter_map(Weak::upgrade).map(|home| home.settled_bytes()).sum();
    ALLOCATED.load(Ordering::Relaxed).saturating_sub(kept)
}

/// A block of so many bytes, a multiple of [`ALIGNMENT`]; all of them initialized.
///
/// # Panics
/// If memory is short.
pub(super) fn take(bytes: usize) -> NonNull<u8> {
    if let Ok(Some(block)) = POOL.try_with(|pool| pool.borrow_mut().take(bytes)) {
        return block;
    }
    make(bytes)
}

/// A new block.
#[cold]
fn make(bytes: usize) -> NonNull<u8> {
    let found = place(bytes).or_else(|| {
        // What this thread keeps may be what is missing.
        let _ = POOL.try_with(|pool| pool.borrow_mut().clear());
        pages::leave_current();
        place(bytes)
    });
    let Some((block, offset, region)) = found else { out_of_memory(bytes) };
    ALLOCATED.fetch_add(bytes, Ordering::Relaxed);
    // While the thread ends there is no pool, and its blocks have no owner.
    let owner = POOL.try_with(|pool| Arc::into_raw(pool.borrow().home.clone())).unwrap_or(std::ptr::null());
    let (length, holders) = (AtomicUsize::new(0), AtomicU32::new(0));
    // SAFETY: there are MARGIN bytes before the block.
    unsafe { header(block).write(Header { owner, length, holders, offset, region }) };
    block
}

/// Memory for a block and, before it, its header: the block, and its `offset` or its region.
fn place(bytes: usize) -> Option<(NonNull<u8>, u32, *const Region)> {
    if let Some((block, region)) = pages::take(bytes) {
        return Some((block, 0, region));
    }
    let memory = from_system(bytes)?;
    // At least MARGIN, and at most so much more as the layout has room for, since memory is aligned to GIVEN: there is room before
    // the block for a header, and behind it for all bytes.
    let offset = MARGIN + (memory.addr().get() + MARGIN).wrapping_neg() % ALIGNMENT;
    // SAFETY: as just said.
    Some((unsafe { memory.add(offset) }, offset as u32, std::ptr::null()))
}

/// The header of a block.
///
/// # Safety
/// The block must come from [`take`], and not have gone back to the system.
pub(super) unsafe fn header(block: NonNull<u8>) -> NonNull<Header> {
    // SAFETY: there are MARGIN bytes before each block, which is aligned to more than a header.
    unsafe { block.cast::<Header>().sub(1) }
}

/// Gives a block up.
///
/// # Safety
/// The block must come from [`take`] for so many bytes, and not be used after this.
pub(super) unsafe fn give(block: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's contract; the owner is not changed while the block is in use.
    let owner = unsafe { header(block).as_ref() }.owner;
    if owner.is_null() || bytes > LARGEST_KEPT {
        return release(block, bytes);
    }
    let own = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let own = std::ptr::eq(Arc::as_ptr(&pool.home), owner);
        if own {
            pool.give(block, bytes);
        }
        own
    });
    if own != Ok(true) {
        give_back(block, bytes, owner);
    }
}

/// Returns a block to the pool of another thread, or to the system.
#[cold]
fn give_back(block: NonNull<u8>, bytes: usize, owner: *const Home) {
    {
        // SAFETY: the block holds a reference to its owner, made by `Arc::into_raw` and given up in `free` alone. This one is
        // ours, since the owner may release the block, and itself, as soon as it is returned.
        let home = unsafe {
            Arc::increment_strong_count(owner);
            Arc::from_raw(owner)
        };
        let mut returns = home.returns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(returns) = returns.as_mut()
            && home.bytes() + bytes <= MOST_KEPT
        {
            home.returned.fetch_add(bytes, Ordering::Relaxed);
            returns.push((block, bytes));
            return;
        }
    }
    release(block, bytes);
}

/// Takes kept blocks that go back to the system off both counts at once, as [`live_bytes`] sees it.
fn write_off(kept: &AtomicUsize, bytes: usize) {
    let _homes = HOMES.lock().unwrap_or_else(PoisonError::into_inner);
    kept.store(kept.load(Ordering::Relaxed) - bytes, Ordering::Relaxed);
    ALLOCATED.fetch_sub(bytes, Ordering::Relaxed);
}

/// Gives a block that is not kept back to the system.
#[cold]
fn release(block: NonNull<u8>, bytes: usize) {
    ALLOCATED.fetch_sub(bytes, Ordering::Relaxed);
    free(block, bytes);
}

/// Gives memory back to the system that is not counted any more.
fn free(block: NonNull<u8>, bytes: usize) {
    let layout = layout(bytes).expect("this layout was allocated");
    // SAFETY: every block lies in a region, or in memory from `alloc_zeroed` with this layout, as far behind its beginning as its header
    // says, and its owner gives it up here, and with it the reference that `make` took by `Arc::into_raw`.
    unsafe {
        let &Header { offset, owner, region, .. } = header(block).as_ref();
        if !owner.is_null() {
            drop(Arc::from_raw(owner));
        }
        if region.is_null() {
            dealloc(block.as_ptr().sub(offset as usize), layout);
        } else {
            pages::give_back(block, bytes, region);
        }
    }
}

#[cfg(test)]
mod tests;
