//! Time of a training step of dense layers with relu, by width, batch and depth: lines of `width batch depth operations microseconds`, the
//! steps to the next width and batch at which throughput falls, and a picture of throughput against work, batch by batch. Usage: PICTURE, or
//! WIDTH BATCH DEPTH [SECONDS] for one size.
use std::collections::BTreeMap;
use std::time::Instant;

use hadal::plot::Plot;
use hadal::prelude::*;
use hadal_benches::median;

/// Steps are repeated for about this long, once in each round.
const SECONDS: f64 = 0.15;
/// Rounds through all sizes. The machine is faster for minutes at a time and slower for others: medians count, and sizes are compared within a
/// round, where they follow each other.
const ROUNDS: usize = 7;
/// Steps of more floating-point operations are left out.
const MOST: f64 = 1e12;
/// The depth that the picture shows.
const DRAWN: usize = 8;
/// Throughput that falls by less than this share may be noise.
const FALL: f64 = 0.03;

/// Width, batch and depth.
type Size = (usize, usize, usize);

/// Seconds of a step.
fn step((width, batch, depth): Size, seconds: f64) -> f64 {
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
    let steps = (seconds / run(1)).max(1.0) as usize;
    run(steps)
}

/// Floating-point operations of a step: forward and weight gradient everywhere, input gradient but at the first layer.
fn operations((width, batch, depth): Size) -> f64 {
    2.0 * (batch * width * width * (3 * depth - 1)) as f64
}

/// Prints where throughput falls from a size to the next one of an axis: the median over rounds of the ratio within a round. `times` are
/// seconds by size, round by round.
fn print_falls(axis: &str, next: impl Fn(Size) -> Size, times: &BTreeMap<Size, Vec<f64>>) {
    let mut steps: Vec<(f64, Size, Size)> = Vec::new();
    for (&size, seconds) in times {
        let next = next(size);
        if let Some(seconds_next) = times.get(&next) {
            let more_work = operations(next) / operations(size);
            let ratios = seconds.iter().zip(seconds_next).map(|(seconds, next)| more_work * seconds / next).collect();
            steps.push((median(ratios), size, next));
        }
    }
    let all = steps.len();
    steps.retain(|&(ratio, ..)| ratio < 1.0 - FALL);
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    println!("with the {axis} throughput falls by more than {:.0}% at {} of {all} steps", 100.0 * FALL, steps.len());
    for (ratio, (width, batch, depth), (next_width, next_batch, _)) in steps {
        println!("  {ratio:.2} from {width} {batch} {depth} to {next_width} {next_batch} {depth}");
    }
}

fn main() -> hadal::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [width, batch, depth, seconds @ ..] = &arguments[..] {
        let [width, batch, depth] =
            [width, batch, depth].map(|size| size.parse().expect("WIDTH BATCH DEPTH are numbers"));
        let seconds = seconds.first().map_or(SECONDS, |seconds| seconds.parse().expect("SECONDS is a number"));
        let size = (width, batch, depth);
        println!("{:.2}", operations(size) / step(size, seconds) / 1e9);
        return Ok(());
    }
    let mut sizes = vec![(1, 1, 2)];
    for depth in [2, DRAWN, 32] {
        for width in [256, 512, 1024, 2048, 4096] {
            sizes.extend([16, 64, 256, 1024, 4096].map(|batch| (width, batch, depth)));
        }
    }
    sizes.retain(|&size| operations(size) <= MOST);
    let mut times: BTreeMap<Size, Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for &size in &sizes {
            times.entry(size).or_default().push(step(size, SECONDS));
        }
    }
    let mut plot = Plot::new(&format!("Throughput of a training step, {DRAWN} layers, by width"))
        .labels("floating-point operations of a step, as a power of ten", "GFLOP/s")
        .limits(7.5..12.0, 0.0..400.0);
    let mut points: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    for &size in &sizes {
        let (width, batch, depth) = size;
        let (operations, seconds) = (operations(size), median(times[&size].clone()));
        println!("{width} {batch} {depth} {operations:.3e} {:.2}", seconds * 1e6);
        if depth == DRAWN {
            points.entry(width).or_default().push((operations.log10(), operations / seconds / 1e9));
        }
    }
    print_falls("batch", |(width, batch, depth)| (width, 4 * batch, depth), &times);
    print_falls("width", |(width, batch, depth)| (2 * width, batch, depth), &times);
    for (width, points) in points {
        plot = plot.line(&format!("{width} units"), &points);
    }
    match arguments.first() {
        Some(path) => plot.save(path),
        None => Ok(()),
    }
}
