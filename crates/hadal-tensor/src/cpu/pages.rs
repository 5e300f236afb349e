//! Memory in large pages. A processor finds memory by pages, usually of 4 KiB, has the places of one or two thousand of them at hand, and
//! fetches ahead within a page alone: what passes over activations in pages of 2 MiB is up to a quarter faster.
//!
//! A page is large only where the program owns all of it before it uses any of it, so blocks of tensors lie side by side in
//! [regions](Region), as many large pages that are asked for at once.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use super::pool::ALIGNMENT;

/// A large page.
const LARGE: usize = 2 << 20;
/// A common page. Slots begin with one, so that they can be given back, and numbers of all blocks lie at the same place in a page:
/// processors compare a load with the stores before it by that place alone.
const COMMON: usize = 4 << 10;
/// A region that blocks share. Only what is used of it takes memory.
const SHARED: usize = 32 << 20;
/// Blocks up to this size lie in a shared region, larger ones have their own.
const LARGEST_SHARED: usize = SHARED / 4;
/// Blocks from this size on lie in regions; elsewhere systems choose pages by themselves.
const LEAST: usize = if cfg!(target_os = "linux") { 32 << 10 } else { usize::MAX };

/// Memory that begins with a large page, and is zero until it is used.
pub(super) struct Region {
    start: NonNull<u8>,
    memory: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a region does not read or write its memory, and gives it back when nobody uses it.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// `None` where there is not so much memory.
    fn new(bytes: usize) -> Option<Region> {
        // The system's own alignment: asked for more, it would write all pages.
        let layout = Layout::from_size_align(bytes.checked_add(LARGE)?, 16).ok()?;
        // SAFETY: the layout's size is not zero.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        // SAFETY: less than LARGE is skipped, and there are so many bytes more than asked for.
        let start = unsafe { memory.add(memory.align_offset(LARGE)) };
        // SAFETY: the advice changes nothing.
        unsafe { advise(start, bytes, Advice::Large) };
        Some(Region { start, memory, layout })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the memory came from `alloc_zeroed` with this layout, and nobody holds the region any more.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) };
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
    if bytes < LEAST {
        return None;
    }
    let slot = slot(bytes)?;
    let (region, place) = if bytes > LARGEST_SHARED {
        (Arc::new(Region::new(slot)?), 0)
    } else {
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|&(_, taken)| SHARED - taken < slot) {
            *current = Some((Arc::new(Region::new(SHARED)?), 0));
        }
        let (region, taken) = current.as_mut()?;
        *taken += slot;
        (region.clone(), *taken - slot)
    };
    // SAFETY: the slot lies within the region, and is longer than the block by ALIGNMENT.
    let block = unsafe { region.start.add(place + ALIGNMENT) };
    Some((block, Arc::into_raw(region)))
}

/// Gives back a block: the region goes with the last of its blocks, its pages at once.
///
/// # Safety
/// The block must come from [`take`] for so many bytes, with this region, and be used no more.
pub(super) unsafe fn give_back(block: NonNull<u8>, bytes: usize, region: *const Region) {
    // SAFETY: the caller's contract: `take` made the pointer by `Arc::into_raw`.
    let region = unsafe { Arc::from_raw(region) };
    if let Some(region) = Arc::into_inner(region) {
        drop(region);
    } else if let Some(slot) = slot(bytes) {
        // SAFETY: the block lies ALIGNMENT behind the beginning of its slot, which nobody else uses.
        unsafe { advise(block.sub(ALIGNMENT), slot, Advice::NotNeeded) };
    }
}

/// What the system may do with pages.
#[derive(Clone, Copy)]
enum Advice {
    /// Give large ones.
    Large,
    /// Take them away, what they hold as well.
    NotNeeded,
}

/// Systems that know no such advice, and those that were told to give no large pages, go on as before.
///
/// # Safety
/// What the range holds must not be needed if the advice is that it is not.
unsafe fn advise(start: NonNull<u8>, bytes: usize, advice: Advice) {
    #[cfg(target_os = "linux")]
    {
        let advice = match advice {
            Advice::Large => libc::MADV_HUGEPAGE,
            Advice::NotNeeded => libc::MADV_DONTNEED,
        };
        // SAFETY: the caller owns the range, and the first advice does not change what it holds.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, advice) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes, advice);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::cpu::buffer::Buffer;

    /// A number of kibibytes, or the flags, that the system has for the mapping of `address`.
    fn of_mapping(address: usize, name: &str) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let ends = range.map(|(from, to)| [from, to].map(|end| usize::from_str_radix(end, 16)));
            match (ends, line.strip_prefix(name)) {
                (Some([Ok(from), Ok(to)]), _) => inside = (from..to).contains(&address),
                (_, Some(value)) if inside => return value.trim().to_owned(),
                _ => {}
            }
        }
        panic!("no mapping holds {address:#x}")
    }

    #[test]
    fn large_blocks_ask_for_large_pages() {
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            println!("skipped: this system has no large pages");
            return;
        }
        for bytes in [LEAST, LEAST + COMMON, LARGEST_SHARED, LARGEST_SHARED + 1, 2 * SHARED] {
            let block = Buffer::<u8>::scratch(bytes);
            for place in [0, bytes / 2, bytes - 1] {
                let flags = of_mapping(block.as_ptr() as usize + place, "VmFlags:");
                assert!(flags.split(' ').any(|flag| flag == "hg"), "byte {place} of {bytes}: {flags}");
            }
        }
    }

    #[test]
    fn blocks_do_not_overlap_and_begin_at_the_same_place_of_a_page() {
        let sizes = (0..40).map(|i| LEAST + i * 300_000);
        let blocks: Vec<_> = sizes.map(|bytes| (take(bytes.next_multiple_of(ALIGNMENT)).unwrap(), bytes)).collect();
        let mut ranges: Vec<_> = blocks.iter().map(|((block, _), bytes)| (block.addr().get(), *bytes)).collect();
        ranges.sort_unstable();
        assert!(ranges.iter().all(|(start, _)| start % COMMON == ALIGNMENT));
        assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 + ALIGNMENT <= pair[1].0));
        for ((block, region), bytes) in blocks {
            // SAFETY: each block was taken for so many bytes, is written within them, and given back once.
            unsafe {
                assert!((0..bytes).step_by(1000).all(|i| block.add(i).read() == 0));
                block.write_bytes(1, bytes);
                give_back(block, bytes.next_multiple_of(ALIGNMENT), region);
            }
        }
    }

    #[test]
    fn pages_of_a_block_go_back_though_its_region_stays() {
        let bytes = LARGEST_SHARED;
        let (kept, region) = take(LEAST).unwrap();
        let (block, other) = take(bytes).unwrap();
        // SAFETY: both blocks were taken for so many bytes, and are given back once.
        unsafe {
            block.write_bytes(1, bytes);
            let resident = || -> usize {
                let text = of_mapping(block.addr().get(), "Rss:");
                text.split(' ').next().unwrap().parse().unwrap()
            };
            let before = resident();
            // Another holder, so that the region outlives the block.
            Arc::increment_strong_count(other);
            give_back(block, bytes, other);
            let after = resident();
            assert!(after + bytes / 1024 <= before + LARGE / 1024, "{before} KiB, then {after}");
            drop(Arc::from_raw(other));
            give_back(kept, LEAST, region);
        }
    }

    #[test]
    fn what_is_too_large_is_no_block() {
        assert!(take(usize::MAX / 2).is_none() && take(usize::MAX - ALIGNMENT + 1).is_none());
    }
}
