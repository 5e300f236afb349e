//! Parts of networks that are computed again take less memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use hadal::autograd::with_gradient;
use hadal::prelude::*;

/// The most bytes that tensors held where a [`Probe`] looked.
static MOST: AtomicUsize = AtomicUsize::new(0);

fn look() {
    MOST.fetch_max(hadal::live_bytes(), Ordering::Relaxed);
}

/// Passes everything on, and looks at the memory, in both passes.
#[derive(Module)]
struct Probe;

impl Forward for Probe {
    fn forward(&self, x: &Tensor, _: &mut Context) -> Tensor {
        look();
        with_gradient(&x.detach(), &[x], |_, g| {
            look();
            g.clone()
        })
    }
}

impl Layer for Probe {}

const WIDTH: usize = 64;
const BATCH: usize = 1000;

/// The bytes held after the forward pass, and the most in both passes, beyond those held before, in activations of one layer.
fn memory(checkpointed: bool) -> (usize, usize) {
    let mut model = Sequential::new([WIDTH]);
    for _ in 0..8 {
        let mut chain = Chain::new();
        for _ in 0..8 {
            chain = chain.add(Dense::new(WIDTH)).add(Tanh).add(Probe);
        }
        model = if checkpointed { model.add(Checkpointed::new(chain)) } else { model.add(chain) };
    }
    let model = model.build().unwrap();
    let x = Tensor::randn([BATCH, WIDTH], &mut Rng::new(1));
    let before = hadal::live_bytes();
    MOST.store(0, Ordering::Relaxed);
    let loss = model.forward(&x, &mut Context::training(Rng::new(2))).powi(2).sum();
    let held = hadal::live_bytes() - before;
    let gradients = loss.backward();
    assert_eq!(gradients.len(), 128);
    let one = BATCH * WIDTH * size_of::<f32>();
    (held / one, (MOST.load(Ordering::Relaxed) - before) / one)
}

#[test]
fn activations_of_one_part_are_held_at_a_time() {
    let (plain, own) = (memory(false), memory(true));
    // 64 layers, of each of which the output of tanh is kept; or the inputs of 8 parts.
    assert!(plain.0 >= 64 && own.0 <= 12, "after the forward pass: {plain:?} without, {own:?} with");
    assert!(plain.1 >= 64 && own.1 <= 32, "at most: {plain:?} without, {own:?} with");
}
