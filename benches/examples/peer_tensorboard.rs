//! What TensorBoard's callback costs: the lecture's network on MNIST, with and without it in alternate epochs. Prints the median
//! milliseconds of both, of their difference, and of the processor's time in the callback itself, which other programs do not
//! lengthen. Usage: EPOCHS FOLDER
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

/// The milliseconds that this thread has run, by Linux; 0 elsewhere.
fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

impl Callback for Alternate {
    fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
        let is_on = match event {
            Event::BatchEnd { epoch, .. } | Event::EpochEnd { epoch, .. } => epoch % 2 == 0,
            _ => true,
        };
        // Reading the processor's time is no part of the cost, so it is read where something is logged.
        let is_measured = matches!(event, Event::EpochEnd { .. })
            || matches!(event, Event::BatchEnd { step, batch, .. } if step % 50 == 0 || *batch == 469);
        let before = if is_measured { processor() } else { 0.0 };
        let flow = if is_on { self.board.on_event(event)? } else { Flow::Continue };
        if is_measured {
            self.sum += processor() - before;
        }
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> hadal::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let epochs = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(40);
    let folder = arguments.get(2).map_or("target/tensorboard", String::as_str);
    let (train, test) = Mnist::load()?;
    let board = TensorBoard::new(folder).validation_data(&test);
    let start = Instant::now();
    let mut alternate = Alternate { board, start, times: [Vec::new(), Vec::new()], own: Vec::new(), sum: 0.0 };
    let fit = Fit::epochs(epochs).batch_size(128).quiet().callback(&mut alternate);
    hadal_benches::lecture_network().fit(&train, fit)?;
    let [off, on] = alternate.times;
    // The first epoch warms up.
    let differences = off.iter().zip(&on).skip(1).map(|(off, on)| on - off).collect();
    for (name, values) in [("off", off), ("on", on), ("difference", differences), ("in the callback", alternate.own)] {
        println!("{name:16} {:8.2} ms", median(values));
    }
    Ok(())
}
