//! What products take by the share of numbers that are not zero, against the same product of numbers none of which is: a row
//! for each product, a column for each share. `gemm/sparse.rs` decides by a model with these figures.
//! Usage: [THREADS]
use std::time::Instant;

use hadal::prelude::*;
use hadal_benches::median;

const SHARES: [f32; 10] = [0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];

/// Turns that each of two products has.
const TURNS: usize = 41;

/// Seconds of one run.
fn seconds(work: impl Fn() -> Tensor) -> f64 {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed().as_secs_f64()
}

/// Numbers of which about such a share is not zero.
fn thin(shape: [usize; 2], share: f32, rng: &mut Rng) -> Tensor {
    let kept = Tensor::rand(shape, rng).lt(share).to_dtype(DType::F32);
    Tensor::randn(shape, rng) * kept
}

fn main() {
    if let Some(threads) = std::env::args().nth(1) {
        hadal::set_num_threads(threads.parse().expect("a number of threads"));
    }
    let mut rng = Rng::new(1);
    println!("| product | GFLOP/s of none zero |{} |", SHARES.map(|share| format!(" {share} |")).concat());
    println!("| --- | --- |{}", SHARES.map(|_| " --- |").concat());
    for (rows, depth, columns) in
        [(128, 784, 512), (128, 512, 512), (1024, 784, 512), (32, 784, 512), (128, 784, 64), (1024, 2048, 2048)]
    {
        type Product = fn(&Tensor, &Tensor) -> Tensor;
        let forward: Product = |x, w| x.matmul(&w.t());
        let input: Product = |dz, w| dz.matmul(w);
        let weight: Product = |dz, x| dz.t().matmul(x);
        for (name, left, right, product) in [
            ("forward", [rows, depth], [columns, depth], forward),
            ("input gradient", [rows, columns], [columns, depth], input),
            ("weight gradient, of its gradient", [rows, columns], [rows, depth], weight),
        ] {
            let right = Tensor::randn(right, &mut rng);
            let full = Tensor::randn(left, &mut rng);
            let mut dense = f64::INFINITY;
            let ratios = SHARES.map(|share| {
                let thin = thin(left, share, &mut rng);
                let turns = (0..TURNS).map(|_| {
                    // The one in the other's neighbourhood, for the machine is slower for seconds at a time.
                    let full = seconds(|| product(&full, &right));
                    dense = dense.min(full);
                    seconds(|| product(&thin, &right)) / full
                });
                format!(" {:.2} |", median(turns.collect()))
            });
            let speed = 2.0 * (rows * depth * columns) as f64 / dense / 1e9;
            println!("| {name} {rows} x {depth} x {columns} | {speed:.0} |{}", ratios.concat());
        }
    }
}
