use super::*;
use crate::cpu::buffer::Buffer;

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
    let kept = POOL.with(|pool| pool.borrow().home.kept.load(Ordering::Relaxed));
    assert!(kept <= MOST_KEPT, "{kept} bytes are kept");
    let again: Vec<_> = (0..MOST_KEPT / LARGEST_KEPT).map(|_| Buffer::<u8>::scratch(large)).collect();
    assert!(again.iter().all(|buffer| addresses.contains(&buffer.as_ptr())));
}

#[test]
fn a_block_dropped_on_another_thread_returns_to_the_thread_that_made_it() {
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Buffer<f32>>(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut addresses = std::collections::BTreeSet::new();
            for _ in 0..100 {
                let batch = Buffer::<f32>::scratch(100_000);
                addresses.insert(batch.as_ptr() as usize);
                sender.send(batch).unwrap();
            }
            // One is filled while another is used, and one is on its way.
            assert!(addresses.len() <= 3, "{} blocks were made for one loader", addresses.len());
        });
        for batch in receiver {
            drop(batch);
        }
        assert_eq!(POOL.with(|pool| pool.borrow().home.kept.load(Ordering::Relaxed)), 0);
    });
}

#[test]
fn a_block_outlives_the_thread_that_made_it() {
    let block = std::thread::spawn(|| Buffer::<u8>::filled(5000, 7)).join().unwrap();
    assert!(block.iter().all(|&byte| byte == 7));
    let home = owner_of(&block);
    drop(block);
    // Nobody holds the ended thread's home any more.
    assert!(home.upgrade().is_none());
}

/// The home of a block's owner.
fn owner_of(block: &Buffer<u8>) -> Weak<Home> {
    let block = NonNull::new(block.as_ptr().cast_mut()).unwrap();
    // SAFETY: the block is alive.
    let owner = unsafe { header(block).read() }.owner;
    let homes = HOMES.lock().unwrap();
    homes.iter().find(|home| std::ptr::eq(home.as_ptr(), owner)).unwrap().clone()
}

#[test]
fn what_cannot_be_allocated_is_a_panic_that_says_so() {
    let panic = std::panic::catch_unwind(|| Buffer::<f64>::scratch(1 << 58)).err().unwrap();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.starts_with("out of memory"), "{message}");
    assert!(can_allocate(1 << 20) && !can_allocate(1 << 61));
}
