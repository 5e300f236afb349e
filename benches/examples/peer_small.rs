//! Nanoseconds of small operations, `name: time` a line each: the median of many short rounds. Usage: ROUNDS [NAME]
use std::hint::black_box;
use std::time::Instant;

use hadal::prelude::*;

type Function = fn(&Tensor) -> Tensor;

/// Calls in a round.
const CALLS: u32 = 2000;

fn time(rounds: usize, name: &str, mut call: impl FnMut()) {
    if std::env::args().nth(2).is_some_and(|only| only != name) {
        return;
    }
    // Large tensors need fewer calls.
    let calls = if name.contains("262,144") { CALLS / 40 } else { CALLS };
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| call());
            start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name}: {:.1}", times[rounds / 2]);
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100);
    let mut rng = Rng::new(1);
    let (x, y) = (Tensor::randn([8], &mut rng), Tensor::randn([8], &mut rng));
    let (a, b) = (Tensor::randn([8, 8], &mut rng), Tensor::randn([8, 8], &mut rng));
    let w = x.clone().requires_grad();
    let mut target = x.clone();
    time(rounds, "add", || drop(black_box(&x + &y)));
    time(rounds, "multiply by a number", || drop(black_box(&x * 2.0)));
    time(rounds, "divide by a number", || drop(black_box(&x / 3.0)));
    time(rounds, "divide", || drop(black_box(&x / &y)));
    time(rounds, "compare with a number", || drop(black_box(x.gt(0.5))));
    time(rounds, "tanh", || drop(black_box(x.tanh())));
    time(rounds, "sum", || drop(black_box(x.sum())));
    time(rounds, "mean", || drop(black_box(x.mean())));
    time(rounds, "transpose", || drop(black_box(a.t())));
    time(rounds, "matmul 8 x 8", || drop(black_box(a.matmul(&b))));
    time(rounds, "add in place", || target += &y);
    time(rounds, "square, sum, backward", || drop(black_box(w.powi(2).sum().backward())));
    time(rounds, "sigmoid, mean, backward", || drop(black_box(w.sigmoid().mean().backward())));
    let mut layers: Vec<Linear> = (0..2).map(|_| Linear::new(1, 1, &mut rng)).collect();
    let mut optimizer = Sgd::new(1e-3);
    let (input, output) = (Tensor::randn([1, 1], &mut rng), Tensor::randn([1, 1], &mut rng));
    time(rounds, "step of two single units", || {
        let hidden = layers.iter().fold(input.clone(), |x, layer| x.linear_relu(&layer.weight, layer.bias.as_ref()));
        let gradients = (hidden - &output).powi(2).mean().backward();
        optimizer.step(&mut layers, &gradients);
    });
    let large = Tensor::randn([1 << 18], &mut rng);
    time(rounds / 20 + 1, "divide 262,144 by a number", || drop(black_box(&large / 3.0)));
    time(rounds / 20 + 1, "sum of 262,144", || drop(black_box(large.sum())));
    let functions: [(&str, Function); 8] = [
        ("exp", Tensor::exp),
        ("expm1", Tensor::expm1),
        ("ln", Tensor::ln),
        ("tanh", Tensor::tanh),
        ("sigmoid", Tensor::sigmoid),
        ("softplus", Tensor::softplus),
        ("cube", |x| x.powi(3)),
        ("softmax over 512", |x| x.reshape([512, 512]).softmax(1)),
    ];
    for (name, function) in functions {
        time(3, &format!("{name} of 262,144"), || drop(black_box(function(&large))));
    }
    for (name, activation) in [("gelu", Gelu), ("silu", Silu), ("elu", Elu(1.0))] {
        time(3, &format!("{name} of 262,144"), || drop(black_box(activation.apply(&large))));
    }
}
