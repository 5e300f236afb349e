//! Seconds per epoch of the lecture's network on MNIST in memory, a line each. Usage: EPOCHS [PRECISION]
use hadal::prelude::*;
use hadal::train::{Callback, Event, Flow};

struct Print;

impl Callback for Print {
    fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
        if let Event::EpochEnd { elapsed, .. } = event {
            println!("{:.3}", elapsed.as_secs_f64());
        }
        Ok(Flow::Continue)
    }
}

fn main() -> hadal::Result<()> {
    let epochs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    if let Some(name) = std::env::args().nth(2) {
        hadal::set_matmul_precision(name.parse().expect("highest, high or medium"));
    }
    let (train, _) = Mnist::load()?;
    let fit = Fit::epochs(epochs).batch_size(128).quiet().callback(Print);
    hadal_benches::lecture_network().fit(&train, fit)?;
    Ok(())
}
