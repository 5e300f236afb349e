//! What one operation on 8 numbers (a matrix product: 8 × 8) costs, by part. Usage: ROUNDS
//!
//! Prints `name: nanoseconds` a line each, the median of many rounds of 1,000 calls, and then a table of the parts.
//! `torch_small_parts.py` and `jax_small_parts.py` print lines of the same names for the same work.
//!
//! - "made" pushes each result into a list, "dropped" empties the list. A thousand results are alive together, so that
//!   the two can be timed apart. The line without either word drops each result before it makes the next, so it is not
//!   the sum of the two. That line is the one to compare with peers.
//! - By default, glibc keeps 7 freed blocks of a size at hand. With a thousand results, its slower paths add up to 45 ns to
//!   "record" and 13 ns to "drop". `GLIBC_TUNABLES=glibc.malloc.tcache_count=4000` before the command avoids that.
//! - "tracked": the first input requires a gradient.
//! - "forward and backward": the operation, its sum (unless it is a sum itself), `backward`, and dropping all of that.
//! - "zeros of its shape" stands for the allocation of a result: a handle and a block of memory. It includes filling the
//!   block, and what an operation does besides is therefore slightly underestimated.
//!
//! The rounds of measurements that are subtracted from each other alternate, since machines are noisy.
use std::hint::black_box;
use std::time::Instant;

use hadal::prelude::*;
use hadal_benches::median;

/// Calls in a round.
const CALLS: usize = 1000;

/// One round of a measurement, in nanoseconds a call: the calls, and dropping what they made where that is timed apart.
type Round<'a> = Box<dyn FnMut() -> [f64; 2] + 'a>;

fn nanoseconds_a_call(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e9 / CALLS as f64
}

/// Times making results, and dropping them.
fn made_and_dropped<'a>(make: impl Fn() -> Tensor + 'a) -> Round<'a> {
    let mut results = Vec::with_capacity(CALLS);
    Box::new(move || {
        let start = Instant::now();
        (0..CALLS).for_each(|_| results.push(make()));
        let made = nanoseconds_a_call(start);
        black_box(&results);
        let start = Instant::now();
        results.clear();
        [made, nanoseconds_a_call(start)]
    })
}

/// Times calls as a whole.
fn at_once<'a>(mut call: impl FnMut() + 'a) -> Round<'a> {
    Box::new(move || {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        [nanoseconds_a_call(start), 0.0]
    })
}

/// Medians of measurements whose rounds alternate.
fn medians<const N: usize>(rounds: usize, mut measurements: [Round; N]) -> [[f64; 2]; N] {
    let times: Vec<[[f64; 2]; N]> = (0..rounds).map(|_| measurements.each_mut().map(|round| round())).collect();
    std::array::from_fn(|i| [0, 1].map(|part| median(times.iter().map(|round| round[i][part]).collect())))
}

fn print_made_and_dropped(name: &str, [made, dropped]: [f64; 2]) {
    println!("{name}, made: {made:.1}");
    println!("{name}, dropped: {dropped:.1}");
}

/// Measures an operation, prints its lines, and returns its row of the table.
fn operation(
    rounds: usize,
    name: &str,
    [x, y]: [&Tensor; 2],
    apply: impl Fn(&Tensor, &Tensor) -> Tensor + Copy,
) -> String {
    let w = &x.clone().requires_grad();
    let forward_and_backward = || {
        let result = apply(w, y);
        let loss = if result.rank() == 0 { result } else { result.sum() };
        drop(black_box(loss.backward()));
    };
    let shape = *apply(x, y).shape();
    let [zeros, untracked, tracked, [untracked_at_once, _], [tracked_at_once, _], [both_ways, _]] = medians(
        rounds,
        [
            made_and_dropped(|| Tensor::zeros(shape)),
            made_and_dropped(|| apply(x, y)),
            made_and_dropped(|| apply(w, y)),
            at_once(|| drop(black_box(apply(x, y)))),
            at_once(|| drop(black_box(apply(w, y)))),
            at_once(forward_and_backward),
        ],
    );
    print_made_and_dropped(&format!("{name}, zeros of its shape"), zeros);
    println!("{name}, untracked: {untracked_at_once:.1}");
    print_made_and_dropped(&format!("{name}, untracked"), untracked);
    println!("{name}, tracked: {tracked_at_once:.1}");
    print_made_and_dropped(&format!("{name}, tracked"), tracked);
    println!("{name}, forward and backward: {both_ways:.1}");
    let (allocation, kernel, record) = (zeros[0], untracked[0] - zeros[0], tracked[0] - untracked[0]);
    format!("| {name} | {allocation:.1} | {kernel:.1} | {record:.1} | {:.1} | {both_ways:.1} |", tracked[1])
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(200);
    let mut rng = Rng::new(1);
    let (x, y) = (Tensor::randn([8], &mut rng), Tensor::randn([8], &mut rng));
    let (a, b) = (Tensor::randn([8, 8], &mut rng), Tensor::randn([8, 8], &mut rng));
    let rows = [
        operation(rounds, "add", [&x, &y], |x, y| x + y),
        operation(rounds, "multiply", [&x, &y], |x, y| x * y),
        operation(rounds, "tanh", [&x, &y], |x, _| x.tanh()),
        operation(rounds, "sum", [&x, &y], |x, _| x.sum()),
        operation(rounds, "matmul 8 x 8", [&a, &b], Tensor::matmul),
    ];
    // Its own memory: in-place updates copy what is shared.
    let mut target = &x + 0.0;
    let [[in_place, _], zeros, transpose] = medians(
        rounds,
        [at_once(|| target += &y), made_and_dropped(|| Tensor::zeros([8])), made_and_dropped(|| a.t())],
    );
    println!("kernel alone: add in place: {in_place:.1}");
    print_made_and_dropped("handle and block: zeros", zeros);
    print_made_and_dropped("handle alone: transpose of a matrix", transpose);
    println!();
    println!("| operation | allocation | kernel and dispatch | record | drop | forward and back |");
    println!("| --- | --- | --- | --- | --- | --- |");
    rows.iter().for_each(|row| println!("{row}"));
}
