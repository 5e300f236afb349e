//! Watching training: a callback that sees the norm of the gradients and the time of every batch.
use std::time::Duration;

use hadal::data::synthetic::moons;
use hadal::prelude::*;
use hadal::train::{Callback, Event, Flow};

#[derive(Default)]
struct Watch {
    norms: Vec<f64>,
    times: Vec<Duration>,
}

impl Callback for Watch {
    fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
        match event {
            Event::BatchEnd { gradients, elapsed, .. } => {
                self.norms.push(gradients.norm());
                self.times.push(*elapsed);
            }
            Event::EpochEnd { epoch, logs, .. } => {
                println!("epoch {epoch}: {logs}, gradient norm {:.4}", self.norms[self.norms.len() - 1]);
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }
}

fn main() -> hadal::Result<()> {
    let data = moons(640, 0.1, 1)?;
    let mut model = Sequential::new([2])
        .add(Dense::new(32).activation(Relu))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.01), BinaryCrossentropy, [Accuracy])?;
    let mut watch = Watch::default();
    model.fit(&data, Fit::epochs(5).clip_norm(1.0).callback(&mut watch).quiet())?;
    let mean = watch.times.iter().sum::<Duration>() / watch.times.len() as u32;
    println!("{} batches, {mean:?} each", watch.times.len());
    assert_eq!(watch.norms.len(), 5 * 20);
    assert!(watch.norms.iter().all(|norm| *norm > 0.0 && *norm < 1.0001));
    Ok(())
}
