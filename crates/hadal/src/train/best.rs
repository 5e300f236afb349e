//! The best value of a monitored metric so far: what callbacks that keep or stop have in common.

use super::Logs;
use super::training_state::Exact;
use crate::optim::{Mode, direction};
use crate::{Error, Result};

/// The best value of a metric so far, and the epoch that had it.
#[derive(Clone, Debug)]
pub(super) struct Best {
    /// The callback, for messages.
    owner: &'static str,
    pub monitor: String,
    /// Whether lower or higher is better; what the metric says, if it is not set.
    pub mode: Option<Mode>,
    /// What was set, or what the metric said.
    found: Mode,
    pub min_delta: f64,
    best: Option<(usize, f64)>,
}

/// An epoch and its value.
pub(super) type BestState = Option<(usize, Exact)>;

impl Best {
    pub fn new(owner: &'static str, monitor: impl Into<String>) -> Best {
        Best { owner, monitor: monitor.into(), mode: None, found: Mode::Min, min_delta: 0.0, best: None }
    }

    /// Checks the settings against what an epoch will report: the names, and whether higher is better, where that is known.
    ///
    /// # Errors
    /// If no metric has the name, its direction is not known, or the smallest change is no number.
    pub fn prepare(&mut self, names: &[String], higher_is_better: &[Option<bool>]) -> Result<()> {
        let Best { owner, min_delta, .. } = self;
        if !(*min_delta >= 0.0 && min_delta.is_finite()) {
            return Err(Error::Config(format!(
                "{owner}: min_delta {min_delta} must be 0 or a positive, finite number"
            )));
        }
        let reported: Vec<_> = names.iter().cloned().zip(higher_is_better.iter().copied()).collect();
        self.found = direction(owner, &self.monitor, self.mode, &reported)?;
        Ok(())
    }

    /// Forgets the epochs of an earlier run.
    pub fn reset(&mut self) {
        self.best = None;
    }

    /// The best so far, to be kept.
    /// The settings, which must be the same for a run to be resumed.
    pub fn settings(&self) -> String {
        let Best { monitor, mode, min_delta, .. } = self;
        let mode = mode.map_or("automatic".to_owned(), |mode| format!("{mode:?}").to_lowercase());
        format!("{monitor}, mode {mode}, min_delta {min_delta}")
    }

    pub fn state(&self) -> BestState {
        self.best.map(|(epoch, value)| (epoch, Exact(value)))
    }

    pub fn load_state(&mut self, state: BestState) {
        self.best = state.map(|(epoch, value)| (epoch, value.0));
    }

    /// The epoch and its value.
    pub fn get(&self) -> Option<(usize, f64)> {
        self.best
    }

    /// Whether `value` is better than `other` by more than the smallest change. NaN never is.
    pub fn is_better(&self, value: f64, other: f64) -> bool {
        match self.found {
            Mode::Min => value + self.min_delta < other,
            Mode::Max => value - self.min_delta > other,
        }
    }

    /// The metric of an epoch.
    pub fn value(&self, logs: &Logs) -> f64 {
        // Every epoch reports it: it was found among the names before the first.
        logs.get(&self.monitor).unwrap_or(f64::NAN)
    }

    /// Takes the metric of an epoch; returns whether it is the best so far.
    pub fn update(&mut self, epoch: usize, logs: &Logs) -> bool {
        let value = self.value(logs);
        let improved = match self.best {
            None => !value.is_nan(),
            Some((_, best)) => self.is_better(value, best),
        };
        if improved {
            self.best = Some((epoch, value));
        }
        improved
    }
}
