//! Seconds of one step over 10 million parameters, and of a copy of as many numbers by two threads. Usage: REPEATS
use std::hint::black_box;
use std::time::Instant;

use hadal::WeightDecay;
use hadal::prelude::*;

const PARAMETERS: usize = 10_000_000;

fn print(name: &str, repeats: usize, mut work: impl FnMut()) {
    work();
    for _ in 0..repeats {
        let start = Instant::now();
        work();
        println!("{name} {:.6}", start.elapsed().as_secs_f64());
    }
}

fn main() {
    let repeats = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    let (source, mut target) = (vec![1.0_f32; PARAMETERS], vec![0.0_f32; PARAMETERS]);
    print("copy", repeats, || {
        let half = PARAMETERS / 2;
        std::thread::scope(|scope| {
            for (to, from) in target.chunks_mut(half).zip(source.chunks(half)) {
                scope.spawn(move || to.copy_from_slice(from));
            }
        });
        black_box(&mut target);
    });
    let (mut w, g) = (Tensor::zeros([PARAMETERS]), Tensor::full([PARAMETERS], 1e-3));
    let optimizers: [(_, Box<dyn Optimizer>); 3] = [
        ("SGD", Box::new(Sgd::new(1e-3))),
        ("RMSprop", Box::new(RmsProp::new(1e-3))),
        ("Adam", Box::new(Adam::new(1e-3))),
    ];
    for (name, optimizer) in optimizers {
        optimizer.update_rule(1e-3, 1, &mut |rule| {
            let mut states: Vec<Tensor> = (0..rule.states()).map(|_| w.zeros_like()).collect();
            print(name, repeats, || w.update(rule, WeightDecay::NONE, &mut states, &g));
        });
    }
}
