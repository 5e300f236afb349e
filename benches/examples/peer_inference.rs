//! Microseconds of each prediction of the lecture's network, trained for an epoch. Usage: BATCH REPEATS
use std::hint::black_box;
use std::time::Instant;

use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let (batch, repeats) = (arguments.next().unwrap_or(1), arguments.next().unwrap_or(2000));
    let (train, test) = Mnist::load()?;
    let mut model = hadal_benches::lecture_network();
    model.fit(&train, Fit::epochs(1).quiet())?;
    let (x, _) = test.batch(&(0..batch).collect::<Vec<_>>());
    for turn in 0..repeats + repeats / 10 {
        let start = Instant::now();
        black_box(model.predict(&x)?);
        let elapsed = start.elapsed();
        if turn >= repeats / 10 {
            println!("{:.2}", elapsed.as_secs_f64() * 1e6);
        }
    }
    Ok(())
}
