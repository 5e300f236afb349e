//! What a run tells those who watch it.

use std::cell::OnceCell;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use crate::Result;
use crate::nn::Module;

/// A moment of a run.
#[non_exhaustive]
pub enum Event<'a> {
    /// Everything has been checked; the first step follows.
    TrainBegin {
        /// The name of the training data.
        dataset: &'a str,
        /// The number of training samples.
        samples: usize,
        /// The number of the last epoch, those of earlier calls of `fit` counted.
        epochs: usize,
        /// Steps per epoch.
        steps_per_epoch: usize,
        /// The names of the loss and metrics that every epoch reports, in order.
        metric_names: &'a [String],
        /// The model before the first step.
        model: &'a dyn Module,
    },
    /// An optimizer step has been taken.
    BatchEnd {
        /// The epoch, counted from 1 over all calls of `fit`.
        epoch: usize,
        /// The batch within the epoch, counted from 1.
        batch: usize,
        /// Samples trained in this epoch so far.
        samples: usize,
        /// Loss and metrics of this epoch so far, computed when they are first read.
        logs: &'a BatchLogs<'a>,
    },
    /// All batches of an epoch are done, and validation if there is any.
    EpochEnd {
        /// The epoch, counted from 1 over all calls of `fit`.
        epoch: usize,
        /// Loss and metrics, those of validation named `val_...`.
        logs: &'a Logs,
        /// The learning rate of the epoch's last step.
        learning_rate: f64,
        /// The time that training took, without validation.
        elapsed: Duration,
        /// The model as it is now.
        model: &'a dyn Module,
    },
    /// The run is over.
    TrainEnd,
}

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop after this event.
    Stop,
}

/// Someone who watches a run. An error ends it.
pub trait Callback {
    /// Called at every event, in order.
    ///
    /// # Errors
    /// Whatever went wrong; the run ends and `fit` returns it.
    fn on_event(&mut self, event: &Event) -> Result<Flow>;
}

impl<S: Callback + ?Sized> Callback for &mut S {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        (**self).on_event(event)
    }
}

/// The [`Logs`] after a batch, computed when they are first read. Metrics without a cheap
/// [running value](crate::metric::Metric::has_running_value) are not among them.
pub struct BatchLogs<'a> {
    make: &'a dyn Fn() -> Logs,
    logs: OnceCell<Logs>,
}

impl<'a> BatchLogs<'a> {
    pub(super) fn new(make: &'a dyn Fn() -> Logs) -> BatchLogs<'a> {
        BatchLogs { make, logs: OnceCell::new() }
    }
}

impl Deref for BatchLogs<'_> {
    type Target = Logs;

    fn deref(&self) -> &Logs {
        self.logs.get_or_init(self.make)
    }
}

impl fmt::Display for BatchLogs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Numbers by name, in order, and how each reads best.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs(Vec<(String, f64, String)>);

impl Logs {
    /// Adds a number with the text that shows it to a reader.
    pub fn push(&mut self, name: impl Into<String>, value: f64, display: String) {
        self.0.push((name.into(), value, display));
    }

    /// Adds the entries of `other` with `prefix` before their names.
    pub fn extend(&mut self, other: &Logs, prefix: &str) {
        self.0.extend(other.0.iter().map(|(name, value, text)| (format!("{prefix}{name}"), *value, text.clone())));
    }

    /// The number called `name`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|entry| entry.0 == name).map(|entry| entry.1)
    }

    /// Names and numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value, _)| (name.as_str(), *value))
    }
}

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, _, display)) in self.0.iter().enumerate() {
            write!(f, "{}{name} {display}", if index > 0 { "  " } else { "" })?;
        }
        Ok(())
    }
}
