//! Time of a training step of dense layers with relu, by width, batch and depth: lines of `width batch depth operations microseconds`, and a
//! picture of throughput against work, batch by batch. Usage: PICTURE, or WIDTH BATCH DEPTH for one size.
use std::collections::BTreeMap;
use std::time::Instant;

use hadal::plot::Plot;
use hadal::prelude::*;

/// Steps are repeated for about this long, once in each round.
const SECONDS: f64 = 0.15;
/// Rounds through all sizes; the fastest counts, for the machine is slower for seconds at a time.
const ROUNDS: usize = 3;
/// Steps of more floating-point operations are left out.
const MOST: f64 = 1e12;
/// The depth that the picture shows.
const DRAWN: usize = 8;

/// Seconds of a step.
fn step(width: usize, batch: usize, depth: usize) -> f64 {
    let mut rng = Rng::new(1);
    let mut layers: Vec<Linear> = (0..depth).map(|_| Linear::new(width, width, &mut rng)).collect();
    let mut optimizer = Sgd::new(1e-3);
    let (x, y) = (Tensor::randn([batch, width], &mut rng), Tensor::randn([batch, width], &mut rng));
    let mut run = |steps: usize| {
        let start = Instant::now();
        for _ in 0..steps {
            let output = layers.iter().fold(x.clone(), |x, layer| x.linear_relu(&layer.weight, layer.bias.as_ref()));
            let gradients = (output - &y).powi(2).mean().backward();
            optimizer.step(&mut layers, &gradients);
        }
        start.elapsed().as_secs_f64() / steps as f64
    };
    let steps = (SECONDS / run(1)).max(1.0) as usize;
    run(steps)
}

/// Floating-point operations of a step: forward and weight gradient everywhere, input gradient but at the first layer.
fn operations(width: usize, batch: usize, depth: usize) -> f64 {
    2.0 * (batch * width * width * (3 * depth - 1)) as f64
}

fn main() -> hadal::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [width, batch, depth] = &arguments[..] {
        let [width, batch, depth] =
            [width, batch, depth].map(|size| size.parse().expect("WIDTH BATCH DEPTH are numbers"));
        println!("{:.2}", operations(width, batch, depth) / step(width, batch, depth) / 1e9);
        return Ok(());
    }
    let mut sizes = vec![(1, 1, 2)];
    for depth in [2, DRAWN, 32] {
        for width in [256, 512, 1024, 2048, 4096] {
            sizes.extend([16, 64, 256, 1024, 4096].map(|batch| (width, batch, depth)));
        }
    }
    sizes.retain(|&(width, batch, depth)| operations(width, batch, depth) <= MOST);
    let mut seconds = vec![f64::INFINITY; sizes.len()];
    for _ in 0..ROUNDS {
        for (&(width, batch, depth), seconds) in sizes.iter().zip(&mut seconds) {
            *seconds = seconds.min(step(width, batch, depth));
        }
    }
    let mut plot = Plot::new(&format!("Throughput of a training step, {DRAWN} layers, by width"))
        .labels("floating-point operations of a step, as a power of ten", "GFLOP/s")
        .limits(7.5..12.0, 0.0..400.0);
    let mut points: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    for (&(width, batch, depth), seconds) in sizes.iter().zip(seconds) {
        let operations = operations(width, batch, depth);
        println!("{width} {batch} {depth} {operations:.3e} {:.2}", seconds * 1e6);
        if depth == DRAWN {
            points.entry(width).or_default().push((operations.log10(), operations / seconds / 1e9));
        }
    }
    for (width, points) in points {
        plot = plot.line(&format!("{width} units"), &points);
    }
    match arguments.first() {
        Some(path) => plot.save(path),
        None => Ok(()),
    }
}
