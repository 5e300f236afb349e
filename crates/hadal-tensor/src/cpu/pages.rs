//! Memory in large pages. A processor finds memory by pages, usually of 4 KiB, has the places of one or two thousand of them at hand, and
//! fetches ahead within a page alone: what passes over activations in pages of 2 MiB takes up to 30% less time (`benches/README.md`,
//! "Large pages").
//!
//! A page is large only where the program owns all of it before it uses any of it, so blocks of tensors lie side by side in
//! [regions](Region), as many large pages that are asked for at once.

use std::ffi::OsStr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::pool::ALIGNMENT;
use super::threads::note;

/// A large page.
const LARGE: usize = 2 << 20;
/// A common page, which slots begin with. Numbers of all blocks then lie at the same place in a page. Processors compare a load with the
/// stores before it by that place alone, so what a loop loads from one block never seems to be what it has just stored in another.
const COMMON: usize = 4 << 10;
/// A region that blocks share. It takes memory as it is used, a large page at a time.
const SHARED: usize = 32 << 20;
/// Blocks up to this size lie in a shared region, larger ones have their own.
const LARGEST_SHARED: usize = SHARED / 4;
/// Blocks from this size on lie in regions.
const LEAST: usize = 32 << 10;

/// Whether new blocks lie in large pages: not known yet, yes or no.
static USED: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

/// Whether tensors are laid out in large pages: where the system has them, unless `HADAL_LARGE_PAGES` is 0.
#[doc(hidden)]
pub fn uses_large_pages() -> bool {
    match USED.load(Ordering::Relaxed) {
        UNKNOWN => {
            set_large_pages(is_wanted(std::env::var_os("HADAL_LARGE_PAGES").as_deref()));
            uses_large_pages()
        }
        used => used == YES,
    }
}

/// Whether tensors that are made from now on are laid out in large pages, for tests of what each allocates. Systems that have none
/// give none.
#[doc(hidden)]
pub fn set_large_pages(used: bool) {
    USED.store(if used && system::page() == COMMON { YES } else { NO }, Ordering::Relaxed);
}

fn is_wanted(text: Option<&OsStr>) -> bool {
    match text.map(|text| text.to_string_lossy()).as_deref() {
        None | Some("" | "1") => true,
        Some("0") => false,
        Some(other) => {
            note(&format!("HADAL_LARGE_PAGES is {other}, not 0 or 1; it is taken as 1"));
            true
        }
    }
}

/// Memory that begins with a large page, and is zero until it is used.
pub(super) struct Region {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a region does not read or write its memory, and gives it back when nobody uses it.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// So many bytes, a multiple of [`COMMON`]; `None` where there are not so many.
    fn new(bytes: usize) -> Option<Region> {
        let memory = system::map(bytes.checked_add(LARGE)?)?;
        let before = memory.addr().get().wrapping_neg() % LARGE;
        // SAFETY: `before` is less than LARGE, so the region lies within what was mapped. What is before and behind it is given back, whole
        // pages that nobody has used.
        unsafe {
            let start = memory.add(before);
            system::unmap(memory, before);
            system::unmap(start.add(bytes), LARGE - before);
            system::prefer_large(start, bytes);
            Some(Region { start, bytes })
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: this is what was mapped and kept, and nobody holds the region any more.
        unsafe { system::unmap(self.start, self.bytes) };
    }
}

/// The shared region that new blocks are put into, and how much of it is taken.
static CURRENT: Mutex<Option<(Arc<Region>, usize)>> = Mutex::new(None);

/// The bytes that a block takes, with room for what stands before it.
fn slot(bytes: usize) -> Option<usize> {
    bytes.checked_add(ALIGNMENT)?.checked_next_multiple_of(COMMON)
}

/// Memory for a block of so many bytes, all of them zero, aligned to [`ALIGNMENT`] and with so much room before it; `None` where blocks of this
/// size do not lie in regions, or there is not so much memory. The region counts the block until it is [given back](give_back).
pub(super) fn take(bytes: usize) -> Option<(NonNull<u8>, *const Region)> {
    if bytes < LEAST || !uses_large_pages() {
        return None;
    }
    let size = slot(bytes)?;
    let (region, offset) = if bytes > LARGEST_SHARED {
        (Arc::new(Region::new(size)?), 0)
    } else {
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|&(_, taken)| SHARED - taken < size) {
            *current = Some((Arc::new(Region::new(SHARED)?), 0));
        }
        let (region, taken) = current.as_mut()?;
        *taken += size;
        (region.clone(), *taken - size)
    };
    // SAFETY: the slot lies within the region, and is longer than the block by ALIGNMENT.
    let block = unsafe { region.start.add(offset + ALIGNMENT) };
    Some((block, Arc::into_raw(region)))
}

/// Gives back a block: its pages at once, and the region with the last of its blocks. A slot is not used again, which costs addresses alone.
///
/// # Safety
/// The block must come from [`take`] for so many bytes, with this region, and be used no more.
pub(super) unsafe fn give_back(block: NonNull<u8>, bytes: usize, region: *const Region) {
    // SAFETY: the caller's contract: `take` made the pointer by `Arc::into_raw`.
    let region = unsafe { Arc::from_raw(region) };
    // Who holds it alone gives it up as a whole.
    if Arc::strong_count(&region) > 1
        && let Some(size) = slot(bytes)
    {
        // SAFETY: the block lies ALIGNMENT behind the beginning of its slot, which nobody else uses, in a region that is held until
        // after this.
        unsafe { system::forget(block.sub(ALIGNMENT), size) };
    }
    drop(region);
}

/// Lets the shared region go, once its blocks have, where memory is short.
pub(super) fn leave_current() {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// What the system does. Its answers are not looked at where nothing depends on them: a system that was told to give no large pages gives
/// common ones, and pages that it does not take back are kept.
#[cfg(target_os = "linux")]
mod system {
    use std::ptr::{NonNull, null_mut};

    /// The size of a common page.
    pub fn page() -> usize {
        // SAFETY: the call only returns a number.
        unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.try_into().unwrap_or(0)
    }

    /// New memory, all zeros.
    pub fn map(bytes: usize) -> Option<NonNull<u8>> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, at a place that the system chooses, touches nothing that there is.
        let memory = unsafe { libc::mmap(null_mut(), bytes, protection, flags, -1, 0) };
        if memory == libc::MAP_FAILED { None } else { NonNull::new(memory.cast()) }
    }

    /// # Safety
    /// The range must be whole pages of a mapping of ours that nobody uses any more, or empty.
    pub unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's contract.
        unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
    }

    /// Asks for large pages.
    ///
    /// # Safety
    /// The range must be mapped.
    pub unsafe fn prefer_large(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's contract; the advice changes nothing that the memory holds.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
    }

    /// Takes the pages of a range away, and what they hold; they are zero when they are used again.
    ///
    /// # Safety
    /// The range must be whole pages of a mapping of ours, and nobody may need what they hold.
    pub unsafe fn forget(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's contract.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_DONTNEED) };
    }
}

/// Other systems choose pages by themselves, and have none of the size that regions are for.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::ptr::NonNull;

    pub fn page() -> usize {
        0
    }

    pub fn map(_bytes: usize) -> Option<NonNull<u8>> {
        None
    }

    pub unsafe fn unmap(_start: NonNull<u8>, _bytes: usize) {}

    pub unsafe fn prefer_large(_start: NonNull<u8>, _bytes: usize) {}

    pub unsafe fn forget(_start: NonNull<u8>, _bytes: usize) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
