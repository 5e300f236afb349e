//! Time of a training step by width, batch and depth: lines of `width batch depth operations microseconds`, and a
//! picture of throughput against work, batch by batch. Usage: PICTURE
use std::time::Instant;

use hadal::prelude::*;

/// Steps are repeated for about this long, three times.
const SECONDS: f64 = 0.15;
/// The depth that the picture shows.
const DRAWN: usize = 8;

fn step(width: usize, batch: usize, depth: usize) -> f64 {
    let mut rng = Rng::new(1);
    let mut layers: Vec<Linear> = (0..depth).map(|_| Linear::new(width, width, &mut rng)).collect();
    let mut optimizer = Sgd::new(1e-3);
    let (x, y) = (Tensor::randn([batch, width], &mut rng), Tensor::randn([batch, width], &mut rng));
    let mut run = |steps: usize| {
        let start = Instant::now();
        for _ in 0..steps {
            let ctx = &mut Context::training(Rng::new(1));
            let output = layers.iter().fold(x.clone(), |x, layer| layer.forward(&x, ctx).relu());
            let gradients = (output - &y).powi(2).mean().backward();
            optimizer.step(&mut layers, &gradients);
        }
        start.elapsed().as_secs_f64() / steps as f64
    };
    let steps = (SECONDS / run(1)).max(1.0) as usize;
    let mut times = [run(steps), run(steps), run(steps)];
    times.sort_by(f64::total_cmp);
    times[1]
}

fn main() -> hadal::Result<()> {
    let mut plot = hadal::monitor::plot::Plot::new(&format!("Throughput of a training step, {DRAWN} layers, by width"))
        .labels("floating-point operations of a step, as a power of ten", "GFLOP/s")
        .limits(7.5..12.0, 0.0..400.0);
    for depth in [2, DRAWN, 32] {
        for width in [256, 512, 1024, 2048, 4096] {
            let mut points = Vec::new();
            for batch in [16, 64, 256, 1024, 4096] {
                // Forward and weight gradient everywhere, input gradient but at the first layer.
                let operations = 2.0 * (batch * width * width * (3 * depth - 1)) as f64;
                if operations > 1e12 {
                    continue;
                }
                let seconds = step(width, batch, depth);
                println!("{width} {batch} {depth} {operations:.3e} {:.1}", seconds * 1e6);
                points.push((operations.log10(), operations / seconds / 1e9));
            }
            if depth == DRAWN {
                plot = plot.line(&format!("{width} units"), &points);
            }
        }
    }
    println!("1 1 2 {:.1} {:.2}", 2.0 * 5.0, step(1, 1, 2) * 1e6);
    match std::env::args().nth(1) {
        Some(path) => plot.save(path),
        None => Ok(()),
    }
}
