//! A training step that is like the last one takes its memory from what that one gave back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use hadal::prelude::*;

/// Counts what is asked of the system that is as large as a row of a small layer.
struct Counting;

const LARGE: usize = 4096;
static LARGE_BLOCKS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGE_BLOCKS.fetch_add(usize::from(layout.size() >= LARGE), Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGE_BLOCKS.fetch_add(usize::from(layout.size() >= LARGE), Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_steady_training_step_allocates_nothing_from_the_system() {
    // Blocks within a region would not be counted.
    hadal::set_large_pages(false);
    // Which of several threads takes a piece, and so needs memory for it, is up to chance.
    hadal::set_num_threads(1);
    let mut rng = Rng::new(1);
    let mut net = Sequential::new([784])
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Softmax))
        .build()
        .expect("the layers fit each other");
    let mut optimizer = RmsProp::new(1e-5);
    let pixels = Tensor::randn([512, 784], &mut rng).relu();
    let labels = Tensor::from_vec((0..512).map(|i| i % 10).collect::<Vec<i64>>(), [512]);
    let data = Dataset::new("noise", pixels, labels).expect("as many labels as samples");
    let mut steps = 0;
    let mut step = |batch: &[usize]| {
        let (x, y) = data.batch(batch);
        steps += 1;
        let mut ctx = Context::training(Rng::new(steps));
        let loss = CategoricalCrossentropy.loss(&net.forward(&x, &mut ctx), &y);
        let gradients = loss.backward();
        optimizer.step(&mut net, &gradients);
        loss.item()
    };
    let batch = |n: usize| (n * 128..(n + 1) * 128).collect::<Vec<_>>();
    for n in 0..8 {
        step(&batch(n % 4));
    }
    let before = LARGE_BLOCKS.load(Ordering::Relaxed);
    assert!(before > 0, "the first steps were not counted");
    for n in 0..8 {
        assert!(step(&batch(n % 4)).is_finite());
    }
    let blocks = LARGE_BLOCKS.load(Ordering::Relaxed) - before;
    assert_eq!(blocks, 0, "{blocks} blocks of {LARGE} bytes or more were taken from the system");
}
