//! What looking at the health of a run costs: an epoch of the lecture's network on MNIST, in milliseconds, with and without, in
//! turn, and the part of the time that the callback itself takes. Usage: [PAIRS]
use std::time::{Duration, Instant};

use hadal::prelude::*;
use hadal::train::Health;

fn main() -> hadal::Result<()> {
    let pairs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(15);
    let folder = std::env::var_os("HADAL_DATA_DIR").map(std::path::PathBuf::from);
    let (train, _) = Mnist::load_from(folder.as_deref())?;
    let hidden = || Dense::new(512).activation(Relu);
    let network = Sequential::new([784]).add(hidden()).add(Dropout::new(0.2)).add(hidden()).add(Dropout::new(0.2));
    let network = network.add(Dense::new(10).activation(Softmax));
    let mut model = network.compile(RmsProp::default(), CategoricalCrossentropy, Accuracy)?;
    let mut times = [Vec::new(), Vec::new()];
    let mut parts = Vec::new();
    for round in 0..2 * pairs + 2 {
        let with = round % 2;
        let mut health = Health::new();
        let mut own = Duration::ZERO;
        let watch = |event: &Event| {
            let start = Instant::now();
            let flow = if with == 1 { health.on_event(event) } else { Ok(Flow::Continue) };
            own += start.elapsed();
            flow
        };
        let start = Instant::now();
        model.fit(&train, Fit::epochs(1).batch_size(128).quiet().on_event(watch))?;
        let all = start.elapsed();
        // The first pair warms up.
        if round >= 2 {
            times[with].push(all.as_secs_f64() * 1e3);
            if with == 1 {
                parts.push(own.as_secs_f64() / all.as_secs_f64());
            }
        }
    }
    times.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
    parts.sort_by(f64::total_cmp);
    let [without, with] = [0, 1].map(|which| times[which][pairs / 2]);
    println!("median: without {without:.1}, with {with:.1}: {:+.2}%", 100.0 * (with / without - 1.0));
    println!("the callback itself: {:.2}% (median)", 100.0 * parts[pairs / 2]);
    Ok(())
}
