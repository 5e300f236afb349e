//! Microseconds of each prediction of the lecture's network, trained for an epoch, or of a small convolutional one. Usage: BATCH REPEATS [cnn]
use std::hint::black_box;
use std::time::Instant;

use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default| arguments.get(i).map_or(default, |text| text.parse().expect("a number"));
    let (batch, repeats) = (number(0, 1), number(1, 2000));
    let (train, test) = Mnist::load()?;
    let (x, _) = test.batch(&(0..batch).collect::<Vec<_>>());
    let (model, x) = match arguments.get(2).map(String::as_str) {
        None => {
            let mut model = hadal_benches::lecture_network();
            model.fit(&train, Fit::epochs(1).quiet())?;
            (model, x)
        }
        Some("cnn") => {
            let network = hadal_benches::convolutional_network().add(Dense::new(10).activation(Softmax));
            let model = network.compile(Adam::new(0.001), CategoricalCrossentropy, [Accuracy; 0])?;
            (model, x.reshape([batch, 1, 28, 28]))
        }
        Some(other) => panic!("there is no network {other}; cnn is one"),
    };
    let mut times = Vec::with_capacity(repeats);
    for turn in 0..repeats + repeats / 10 {
        let start = Instant::now();
        black_box(model.predict(&x)?);
        if turn >= repeats / 10 {
            times.push(start.elapsed());
        }
    }
    // Afterwards: who reads a line needs a processor.
    times.iter().for_each(|time| println!("{:.2}", time.as_secs_f64() * 1e6));
    Ok(())
}
