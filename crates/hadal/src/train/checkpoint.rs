//! Saving the state of a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Callback, Event, Flow, TrainingState};
use crate::monitor::note;
use crate::{Error, Result};

/// When a [`Checkpoint`] is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// After the first step that ends so long after the last checkpoint.
    Time(Duration),
    /// After every so many steps, counted over all calls of `fit`.
    Steps(usize),
}

impl Default for Every {
    /// 30 seconds.
    fn default() -> Every {
        Every::Time(Duration::from_secs(30))
    }
}

/// `30s`, `5m`, `1h`, `500ms`, or `500`, a number of steps.
///
/// ```
/// use hadal::train::Every;
/// use std::time::Duration;
/// assert_eq!("500".parse::<Every>()?, Every::Steps(500));
/// assert_eq!("1.5m".parse::<Every>()?, Every::Time(Duration::from_secs(90)));
/// # Ok::<(), hadal::Error>(())
/// ```
impl std::str::FromStr for Every {
    type Err = Error;

    fn from_str(text: &str) -> Result<Every> {
        match text.trim().parse::<usize>() {
            Ok(steps) => Ok(Every::Steps(steps)),
            Err(_) => duration(text).map(Every::Time),
        }
    }
}

/// A length of time as text: a number with `ms`, `s`, `m` or `h`.
///
/// ```
/// assert_eq!(hadal::train::duration("90s")?, std::time::Duration::from_secs(90));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If it is not of that form, negative, or longer than a hundred years.
pub fn duration(text: &str) -> Result<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let seconds = number.trim().parse::<f64>().unwrap_or(f64::NAN) * factor;
    if (0.0..3.2e9).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(Error::Config(format!(
        "`{text}` is not a length of time; it must be a number with a unit: 500ms, 30s, 5m or 1h"
    )))
}

/// A callback that saves the [state of training](TrainingState) to a file while it goes on, and when it has ended, so that a run that
/// was killed can be [resumed](super::Trainer::resume) to the same bits.
///
/// The file is written by a thread of its own and replaced atomically: training waits no longer than it takes to copy parameters
/// that change meanwhile. If the file cannot be written, a note says so once, the last good one stays, and training goes on.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::train::{Checkpoint, Every};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("checkpoint.safetensors");
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// let network = || {
///     let model = Sequential::new([2]).add(Dense::new(8).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
///     model.compile(Adam::new(0.01), BinaryCrossentropy, Accuracy)
/// };
/// // Killed, here by a callback, in the middle of the second epoch.
/// let stop = |event: &Event| Ok(if matches!(event, Event::BatchEnd { step: 6, .. }) { Flow::Suspend } else { Flow::Continue });
/// network()?.fit(&data, Fit::epochs(3).callback(Checkpoint::new(&path)).on_event(stop).quiet())?;
/// // Another process makes the same model, and goes on.
/// let mut model = network()?;
/// let history = model.resume(&path, &data, Fit::epochs(3).callback(Checkpoint::new(&path)).quiet())?;
/// assert_eq!(history, network()?.fit(&data, Fit::epochs(3).quiet())?);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    every: Every,
    notes: BTreeMap<String, String>,
    /// The time and the step of the last one, or of the beginning.
    last: Option<(Instant, usize)>,
    /// With what `has_failed` was when it began.
    writer: Option<(JoinHandle<Result<()>>, bool)>,
    has_failed: bool,
}

impl Checkpoint {
    /// Saves to `path`, every 30 seconds.
    pub fn new(path: impl AsRef<Path>) -> Checkpoint {
        Checkpoint {
            path: path.as_ref().to_owned(),
            every: Every::default(),
            notes: BTreeMap::new(),
            last: None,
            writer: None,
            has_failed: false,
        }
    }

    /// When the state is saved. Default: every 30 seconds. It is saved when training ends, too.
    pub fn every(mut self, every: Every) -> Checkpoint {
        self.every = every;
        self
    }

    /// Text that is kept in the file ([`TrainingState::notes`]).
    pub fn notes(mut self, notes: BTreeMap<String, String>) -> Checkpoint {
        self.notes = notes;
        self
    }

    /// Whether one is due after this step.
    fn is_due(&self, step: usize) -> bool {
        match (self.every, self.last) {
            (Every::Time(time), Some((last, _))) => last.elapsed() >= time,
            (Every::Steps(steps), Some((_, last))) => step / steps.max(1) > last / steps.max(1),
            (_, None) => false,
        }
    }

    /// Waits for the file that is being written.
    fn finish(&mut self) {
        let Some((writer, had_failed)) = self.writer.take() else { return };
        let outcome = writer.join().unwrap_or_else(|_| Err(Error::Config("the thread that writes it panicked".into())));
        match outcome {
            // One that began before the fault says nothing of it.
            Ok(()) => self.has_failed &= !had_failed,
            Err(error) => self.fail(&error),
        }
    }

    /// Says, once for all that fail in a row, that one could not be written.
    pub(super) fn fail(&mut self, error: &Error) {
        if std::mem::replace(&mut self.has_failed, true) {
            return;
        }
        let rest = if self.path.exists() { "the last one stays" } else { "there is none yet" };
        note(&format!("a checkpoint could not be written ({error}); {rest}, and training goes on"));
    }

    /// What cannot be written has been said elsewhere; returns whether it had been said before.
    pub(super) fn has_been_said(&mut self) -> bool {
        std::mem::replace(&mut self.has_failed, true)
    }

    /// The next one is due an interval after this step.
    pub(super) fn wait_from(&mut self, step: usize) {
        self.last = Some((Instant::now(), step));
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Callback for Checkpoint {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if let Event::TrainBegin { step, .. } = event {
            if self.every == Every::Steps(0) {
                return Err(Error::Config("Checkpoint: the number of steps must be at least 1, not 0".into()));
            }
            self.wait_from(*step);
        }
        Ok(Flow::Continue)
    }

    fn wants_state(&self, step: usize) -> bool {
        self.is_due(step)
    }

    fn takes_states(&self) -> bool {
        true
    }

    fn take_state(&mut self, state: &TrainingState, is_last: bool) -> Result<()> {
        self.wait_from(state.steps());
        // One at a time: a slow disk makes checkpoints rarer, not training.
        if self.writer.as_ref().is_some_and(|(writer, _)| !writer.is_finished()) && !is_last {
            return Ok(());
        }
        self.finish();
        let mut state = state.clone();
        state.facts.notes.clone_from(&self.notes);
        let path = self.path.clone();
        let write = move || state.save(&path);
        match std::thread::Builder::new().name("hadal-checkpoint".into()).spawn(write.clone()) {
            Ok(writer) => self.writer = Some((writer, self.has_failed)),
            // The system has no thread to spare.
            Err(_) => write().unwrap_or_else(|error| self.fail(&error)),
        }
        if is_last {
            self.finish();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_length_of_time_is_named() {
        for text in ["30 parsecs", "s", "-3s", "nans", "1e30h", ""] {
            let message = duration(text).unwrap_err().to_string();
            assert!(message.contains("not a length of time") && message.contains("30s"), "{message}");
        }
        assert_eq!("500ms".parse::<Every>().unwrap(), Every::Time(Duration::from_millis(500)));
    }
}
