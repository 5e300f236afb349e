//! Seconds for the lecture's autograd program, 2,000 steps, a line each. Usage: REPEATS
use std::time::Instant;

fn main() {
    let repeats = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    for _ in 0..repeats {
        let start = Instant::now();
        let losses = hadal_benches::autograd_program(2000);
        println!("{:.4}", start.elapsed().as_secs_f64());
        assert!(losses[1999] < losses[0]);
    }
}
