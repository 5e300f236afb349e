//! What TensorBoard's callback costs: the lecture's network on MNIST, with and without it in alternate epochs. Prints the
//! milliseconds of both, their difference, and the time in the callback itself. Usage: EPOCHS FOLDER
use std::time::Instant;

use hadal::monitor::tensorboard::TensorBoard;
use hadal::prelude::*;
use hadal::train::{Callback, Event, Flow};

/// Passes on what happens in even epochs.
struct Alternate {
    board: TensorBoard,
    start: Instant,
    times: [Vec<f64>; 2],
    own: Vec<f64>,
    sum: f64,
}

impl Callback for Alternate {
    fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
        let is_on = match event {
            Event::BatchEnd { epoch, .. } | Event::EpochEnd { epoch, .. } => epoch % 2 == 0,
            _ => true,
        };
        let before = Instant::now();
        let flow = if is_on { self.board.on_event(event)? } else { Flow::Continue };
        self.sum += 1e3 * before.elapsed().as_secs_f64();
        if let Event::EpochEnd { .. } = event {
            self.times[usize::from(is_on)].push(1e3 * self.start.elapsed().as_secs_f64());
            if is_on {
                self.own.push(self.sum);
            }
            self.sum = 0.0;
        }
        if matches!(event, Event::TrainBegin { .. } | Event::EpochEnd { .. }) {
            self.start = Instant::now();
        }
        Ok(flow)
    }
}

/// The median and the least.
fn summary(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0])
}

fn main() -> hadal::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let epochs = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(40);
    let folder = arguments.get(2).map_or("target/tensorboard", String::as_str);
    let (train, test) = Mnist::load()?;
    let board = TensorBoard::new(folder).validation_data(&test);
    let start = Instant::now();
    let mut alternate = Alternate { board, start, times: [Vec::new(), Vec::new()], own: Vec::new(), sum: 0.0 };
    let fit = Fit::epochs(epochs).batch_size(128).validation_data(&test).quiet().callback(&mut alternate);
    hadal_benches::lecture_network().fit(&train, fit)?;
    let [off, on] = alternate.times;
    // The first epoch warms up.
    let differences = off.iter().zip(&on).skip(1).map(|(off, on)| on - off).collect();
    for (name, values) in [("off", off), ("on", on), ("difference", differences), ("in the callback", alternate.own)] {
        let (median, least) = summary(values);
        println!("{name:16} median {median:8.2} ms, least {least:8.2} ms");
    }
    Ok(())
}
