use super::*;
use crate::cpu::buffer::Buffer;

/// The flags that the system has for the mapping of `address`.
fn flags(address: usize) -> String {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in maps.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let ends = range.map(|(from, to)| [from, to].map(|end| usize::from_str_radix(end, 16)));
        match (ends, line.strip_prefix("VmFlags:")) {
            (Some([Ok(from), Ok(to)]), _) => inside = (from..to).contains(&address),
            (_, Some(flags)) if inside => return flags.to_owned(),
            _ => {}
        }
    }
    panic!("no mapping holds {address:#x}")
}

/// How many pages of a slot are in memory.
fn resident(block: NonNull<u8>, bytes: usize) -> usize {
    let size = slot(bytes).unwrap();
    let mut pages = vec![0u8; size / COMMON];
    // SAFETY: the slot is mapped, and there is a byte for each of its pages.
    let answer = unsafe { libc::mincore(block.sub(ALIGNMENT).as_ptr().cast(), size, pages.as_mut_ptr()) };
    assert_eq!(answer, 0);
    pages.iter().filter(|&&page| page & 1 == 1).count()
}

#[test]
fn large_blocks_ask_for_large_pages() {
    if !uses_large_pages() || !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
        println!("skipped: no large pages here");
        return;
    }
    for bytes in [LEAST, LEAST + COMMON, LARGEST_SHARED, LARGEST_SHARED + 1, 2 * SHARED] {
        let block = Buffer::<u8>::scratch(bytes);
        for place in [0, bytes / 2, bytes - 1] {
            let flags = flags(block.as_ptr() as usize + place);
            assert!(flags.split(' ').any(|flag| flag == "hg"), "byte {place} of {bytes}: {flags}");
        }
    }
}

#[test]
fn blocks_do_not_overlap_and_begin_at_the_same_place_of_a_page() {
    let sizes = (0..40).map(|i| (LEAST + i * 300_000).next_multiple_of(ALIGNMENT));
    let blocks: Vec<_> = sizes.filter_map(|bytes| Some((take(bytes)?, bytes))).collect();
    assert_eq!(blocks.len(), if uses_large_pages() { 40 } else { 0 });
    let mut ranges: Vec<_> = blocks.iter().map(|((block, _), bytes)| (block.addr().get(), *bytes)).collect();
    ranges.sort_unstable();
    assert!(ranges.iter().all(|(start, _)| start % COMMON == ALIGNMENT));
    assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 + ALIGNMENT <= pair[1].0));
    for ((block, region), bytes) in blocks {
        // SAFETY: each block was taken for so many bytes, is written within them, and given back once.
        unsafe {
            assert!((0..bytes).step_by(1000).all(|i| block.add(i).read() == 0));
            block.write_bytes(1, bytes);
            give_back(block, bytes, region);
        }
    }
}

#[test]
fn pages_of_a_block_go_back_though_its_region_stays() {
    let bytes = LARGEST_SHARED;
    let Some((block, region)) = take(bytes) else { return println!("skipped: no large pages here") };
    // SAFETY: the block was taken for so many bytes, and is given back once; another reference holds the region until the end.
    unsafe {
        Arc::increment_strong_count(region);
        block.write_bytes(1, bytes);
        assert_eq!(resident(block, bytes), bytes / COMMON + 1);
        give_back(block, bytes, region);
        assert_eq!(resident(block, bytes), 0);
        drop(Arc::from_raw(region));
    }
}

#[test]
fn what_threads_hold_is_theirs_while_others_give_back_and_regions_change() {
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            scope.spawn(move || {
                let mut held = std::collections::VecDeque::new();
                for turn in 0..200usize {
                    let bytes =
                        (LEAST + (turn * 7919 + usize::from(thread) * 104_729) % (3 << 20)).next_multiple_of(ALIGNMENT);
                    let Some((block, region)) = take(bytes) else { return };
                    let mark = thread * 50 + (turn % 50) as u8 + 1;
                    // SAFETY: the block was taken for so many bytes, and is written within them.
                    unsafe {
                        assert_eq!([block.read(), block.add(bytes - 1).read()], [0, 0]);
                        block.write(mark);
                        block.add(bytes - 1).write(mark);
                    }
                    held.push_back((block, region, bytes, mark));
                    if held.len() > 5 || turn == 199 {
                        for (block, region, bytes, mark) in held.drain(..if turn == 199 { held.len() } else { 1 }) {
                            // SAFETY: as above, and each is given back once.
                            unsafe {
                                assert_eq!([block.read(), block.add(bytes - 1).read()], [mark, mark]);
                                give_back(block, bytes, region);
                            }
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn what_is_too_large_is_no_block() {
    assert!(take(usize::MAX / 2).is_none() && take(usize::MAX - ALIGNMENT + 1).is_none());
}

#[test]
fn zero_turns_them_off_and_nonsense_does_not() {
    let wanted = |text: &str| is_wanted(Some(OsStr::new(text)));
    assert_eq!(["0", "1", "", "off"].map(wanted), [false, true, true, true]);
    assert!(is_wanted(None));
}
