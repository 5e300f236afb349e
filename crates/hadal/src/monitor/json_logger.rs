//! What happens in a run, for programs: one JSON object to a line.

use std::io::Write;

use serde_json::{Map, Value, json};

use crate::train::{Callback, Event, Flow, Logs};
use crate::{Error, Result};

/// A callback that writes an object for the beginning of training, for each epoch and for the end, each on a line of its own ([JSON
/// Lines](https://jsonlines.org)). `event` says which it is; an epoch has its number, the steps so far, loss and metrics, the
/// learning rate and the seconds of its training. Numbers that are not finite are `null`.
///
/// ```
/// use hadal::monitor::JsonLogger;
/// use hadal::prelude::*;
/// # let data = hadal::data::synthetic::moons(40, 0.1, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// let mut lines = Vec::new();
/// model.fit(&data, Fit::epochs(2).callback(JsonLogger::new(&mut lines)).quiet())?;
/// let lines = String::from_utf8(lines).unwrap();
/// assert_eq!(lines.lines().count(), 4);
/// assert!(lines.starts_with(r#"{"dataset":"moons","epochs":2,"event":"train_begin","samples":40"#));
/// # Ok::<(), hadal::Error>(())
/// ```
pub struct JsonLogger<W> {
    out: W,
    step: usize,
}

impl<W: Write> JsonLogger<W> {
    /// Writes to `out`, which is flushed after each line.
    pub fn new(out: W) -> JsonLogger<W> {
        JsonLogger { out, step: 0 }
    }

    /// Writes a line of one's own.
    ///
    /// # Errors
    /// If it cannot be written; a reader that has gone away is none.
    pub fn line(&mut self, object: &Value) -> Result<()> {
        match writeln!(self.out, "{object}").and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::io(std::path::Path::new("the JSON lines"), "write a line")(error))
            }
            _ => Ok(()),
        }
    }
}

impl<W: Write> Callback for JsonLogger<W> {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { dataset, samples, epochs, steps_per_epoch, step, .. } => {
                self.step = *step;
                self.line(&json!({
                    "event": "train_begin", "dataset": dataset, "samples": samples, "epochs": epochs,
                    "steps_per_epoch": steps_per_epoch, "step": step,
                }))?;
            }
            Event::BatchEnd { step, .. } => self.step = *step,
            Event::EpochEnd { epoch, logs, learning_rate, elapsed, .. } => {
                let mut object = Map::new();
                object.insert("event".into(), "epoch".into());
                object.insert("epoch".into(), (*epoch).into());
                object.insert("step".into(), self.step.into());
                object.extend(numbers(logs));
                object.insert("learning_rate".into(), (*learning_rate).into());
                object.insert("seconds".into(), elapsed.as_secs_f64().into());
                self.line(&Value::Object(object))?;
            }
            Event::ValidationBatch { .. } => {}
            Event::TrainEnd => self.line(&json!({ "event": "train_end", "step": self.step }))?,
        }
        Ok(Flow::Continue)
    }
}

/// Names and values of logs.
fn numbers(logs: &Logs) -> impl Iterator<Item = (String, Value)> + '_ {
    logs.iter().map(|(name, value)| (name.to_owned(), value.into()))
}
