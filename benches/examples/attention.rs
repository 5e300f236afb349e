//! Microseconds of attention to heads of one tensor, forward and back, causal but for `all`.
//! Usage: THREADS TIMES SAMPLES HEADS PLACES FEATURES [all]
use std::time::Instant;

use hadal::prelude::*;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().map_while(|word| word.parse().ok()).collect();
    let (&[threads, times, samples, heads, places, features], rest) = (&numbers[..], &arguments[numbers.len()..])
    else {
        panic!("THREADS TIMES SAMPLES HEADS PLACES FEATURES [all]")
    };
    let causal = match rest {
        [] => true,
        [word] if word == "all" => false,
        _ => panic!("THREADS TIMES SAMPLES HEADS PLACES FEATURES [all]"),
    };
    hadal::set_num_threads(threads);
    let mut rng = Rng::new(1);
    let one = Tensor::randn([samples, places, 3 * heads, features], &mut rng).requires_grad();
    let weights = Tensor::randn([samples, heads, places, features], &mut rng);
    let mut seconds = [Vec::new(), Vec::new()];
    for _ in 0..times {
        let [queries, keys, values] = [0, 1, 2].map(|which| one.narrow(2, which * heads, heads).transpose(1, 2));
        let start = Instant::now();
        let y = queries.attention(&keys, &values, causal);
        seconds[0].push(start.elapsed().as_secs_f64());
        let loss = (&y * &weights).sum();
        let start = Instant::now();
        drop(loss.backward());
        seconds[1].push(start.elapsed().as_secs_f64());
    }
    let [forward, back] = seconds.map(|mut each| {
        each.sort_by(f64::total_cmp);
        each[each.len() / 2] * 1e6
    });
    println!("forward {forward:.1} us, back {back:.1} us");
}
