//! What the page asks of training: to pause, to go on, to stop, to take another learning rate.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde::Serialize;

use super::runs::lock;
use crate::monitor::note;
use crate::train::{Callback, Event, Flow};
use crate::{Error, Result};

/// Pauses, stops and steers training from another thread. It is a callback: give a clone to `fit`.
///
/// ```
/// use hadal::monitor::dashboard::Control;
/// use hadal::prelude::*;
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// let control = Control::default();
/// let other = control.clone();
/// let thread = std::thread::spawn(move || other.stop());
/// model.fit(&data, Fit::epochs(10_000).quiet().callback(control))?; // until it is stopped
/// # thread.join().unwrap();
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// While it is paused, training waits after a step without using the processor. A stop [suspends](Flow::Suspend)
/// training after the step, so that a checkpoint is written and the run can be resumed; it ends a pause. A learning
/// rate is that of the steps after this one, and is among
/// [`Trainer::learning_rate_changes`](crate::train::Trainer::learning_rate_changes).
///
/// Several runs that train at a time each get a clone: what is asked is done to all that are going on, and each records it. A run that
/// begins later is stopped or waits, too, but keeps its own learning rate.
#[derive(Default)]
pub struct Control {
    shared: Arc<Shared>,
    /// Ends a pause, as Ctrl-C does.
    interrupted: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    record: Option<PathBuf>,
    /// What was done to this run.
    actions: Vec<Action>,
    /// Whether the run is going on.
    is_attached: bool,
    /// How much of what was asked it has seen.
    seen: usize,
    /// A learning rate that it has yet to take.
    learning_rate: Option<f64>,
}

/// For another run.
impl Clone for Control {
    fn clone(&self) -> Control {
        Control {
            shared: self.shared.clone(),
            interrupted: self.interrupted.clone(),
            record: self.record.clone(),
            actions: self.actions.clone(),
            ..Control::default()
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.detach();
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many runs are going on.
    runs: usize,
    is_paused: bool,
    is_stopped: bool,
    /// For a loop that is no callback.
    learning_rate: Option<f64>,
    /// All that was asked, and how much of it a run has seen.
    asked: Vec<(&'static str, Option<f64>)>,
    told: usize,
    /// As of the last step of any run.
    step: usize,
    epoch: usize,
    current_rate: f64,
}

/// What was done to a run after a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The step after which it was done.
    pub step: usize,
    /// The epoch of that step.
    pub epoch: usize,
    /// `pause`, `resume`, `stop` or `learning_rate`.
    pub action: String,
    /// The new learning rate.
    pub value: Option<f64>,
}

/// What a page is told.
#[derive(Serialize)]
pub(super) struct Status {
    is_attached: bool,
    is_paused: bool,
    is_stopped: bool,
    learning_rate: f64,
    step: usize,
    epoch: usize,
}

impl Control {
    /// A pause also ends where this is true; it is asked several times in a second. For a program that takes Ctrl-C.
    pub fn interrupted_by(mut self, interrupted: impl Fn() -> bool + Send + Sync + 'static) -> Control {
        self.interrupted = Some(Arc::new(interrupted));
        self
    }

    /// Writes what was done to the run into this CSV file: step, epoch, action, value. A run that is resumed goes on
    /// with it. Default: nowhere.
    pub fn record(mut self, path: impl AsRef<Path>) -> Control {
        self.record = Some(path.as_ref().to_owned());
        self
    }

    /// Has training wait after its next step.
    pub fn pause(&self) {
        self.change("pause", None, |state| state.is_paused = true);
    }

    /// Has training go on.
    pub fn resume(&self) {
        self.change("resume", None, |state| state.is_paused = false);
    }

    /// Has training leave a checkpoint after its next step, and end.
    pub fn stop(&self) {
        self.change("stop", None, |state| (state.is_stopped, state.is_paused) = (true, false));
    }

    /// Sets another learning rate, from the next step on.
    ///
    /// # Errors
    /// If it is not a positive number.
    pub fn set_learning_rate(&self, rate: f64) -> Result<()> {
        if !(rate.is_finite() && rate > 0.0) {
            return Err(Error::Config(format!("the learning rate is {rate}, but must be a number above 0")));
        }
        self.change("learning_rate", Some(rate), |state| state.learning_rate = Some(rate));
        Ok(())
    }

    /// The learning rate that was set since it was last taken: for a training loop of your own.
    pub fn take_learning_rate(&self) -> Option<f64> {
        lock(&self.shared.state).learning_rate.take()
    }

    /// Whether training waits, or will after its next step.
    pub fn is_paused(&self) -> bool {
        lock(&self.shared.state).is_paused
    }

    /// Whether training was stopped.
    pub fn is_stopped(&self) -> bool {
        lock(&self.shared.state).is_stopped
    }

    /// Whether a training runs that can be paused and stopped.
    pub(super) fn is_attached(&self) -> bool {
        lock(&self.shared.state).runs > 0
    }

    /// The run begins.
    fn attach(&mut self) {
        let mut state = lock(&self.shared.state);
        state.runs += usize::from(!self.is_attached);
        self.is_attached = true;
        // What was asked before any run began is for the first.
        self.seen = if state.runs > 1 { state.asked.len() } else { state.told };
        self.learning_rate = None;
    }

    /// The run is over.
    fn detach(&mut self) {
        if std::mem::take(&mut self.is_attached) {
            lock(&self.shared.state).runs -= 1;
        }
    }

    /// What was done to the run that this callback sees.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn change(&self, name: &'static str, value: Option<f64>, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.shared.state);
        change(&mut state);
        state.asked.push((name, value));
        self.shared.changed.notify_all();
    }

    pub(super) fn status(&self) -> Status {
        let state = lock(&self.shared.state);
        Status {
            is_attached: state.runs > 0,
            is_paused: state.is_paused,
            is_stopped: state.is_stopped,
            learning_rate: state.current_rate,
            step: state.step,
            epoch: state.epoch,
        }
    }

    /// After a step: notes what is asked, and waits while training is paused.
    fn after_step(&mut self, step: usize, epoch: usize, learning_rate: f64) -> Flow {
        const LOOK: Duration = Duration::from_millis(100);
        let mut state = lock(&self.shared.state);
        (state.step, state.epoch, state.current_rate) = (step, epoch, learning_rate);
        while state.is_paused && !self.interrupted.as_ref().is_some_and(|interrupted| interrupted()) {
            let waited = self.shared.changed.wait_timeout(state, LOOK);
            state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        let flow = if state.is_stopped { Flow::Suspend } else { Flow::Continue };
        let asked = state.asked[self.seen..].to_vec();
        self.seen = state.asked.len();
        state.told = self.seen;
        if let Some((_, rate)) = asked.iter().rfind(|(name, _)| *name == "learning_rate") {
            self.learning_rate = *rate;
            state.learning_rate = None;
        }
        drop(state);
        if !asked.is_empty() {
            let action = |(name, value): (&str, Option<f64>)| Action { step, epoch, action: name.to_owned(), value };
            self.actions.extend(asked.into_iter().map(action));
            self.write_record();
        }
        flow
    }

    /// What was done before the run was interrupted, up to the step that it goes on from.
    fn read_record(&self, step: usize) -> Vec<Action> {
        let text = self.record.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let action = |line: &str| {
            let mut fields = line.split(',');
            let (step, epoch) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            Some(Action { step, epoch, action: fields.next()?.to_owned(), value: fields.next()?.parse().ok() })
        };
        text.lines().filter_map(action).filter(|action| action.step <= step).collect()
    }

    fn write_record(&self) {
        let Some(path) = &self.record else { return };
        let line = |action: &Action| {
            let value = action.value.map_or(String::new(), |value| value.to_string());
            format!("{},{},{},{value}\n", action.step, action.epoch, action.action)
        };
        let text: String =
            ["step,epoch,action,value\n".to_owned()].into_iter().chain(self.actions.iter().map(line)).collect();
        if let Err(error) = crate::format::write_atomically(path, |out| out.write_all(text.as_bytes())) {
            note(&format!("{error}; training goes on"));
        }
    }
}

impl Callback for Control {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { step, .. } => {
                self.actions = if *step > 0 { self.read_record(*step) } else { Vec::new() };
                self.attach();
            }
            Event::BatchEnd { step, epoch, learning_rate, .. } => {
                return Ok(self.after_step(*step, *epoch, *learning_rate));
            }
            Event::ValidationBatch { .. } | Event::EpochEnd { .. } => {}
            Event::TrainEnd => self.detach(),
        }
        Ok(Flow::Continue)
    }

    fn new_learning_rate(&mut self) -> Option<f64> {
        self.learning_rate.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn what_is_asked_is_done_to_all_runs_that_are_going_on_and_recorded_by_each() {
        let folder = tempfile::tempdir().unwrap();
        let data = crate::data::synthetic::moons(40, 0.1, 1).unwrap();
        let control = Control::default();
        let together = std::sync::Barrier::new(3);
        let train = |name: &str| {
            let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
            let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy).unwrap();
            let wait = |event: &Event| {
                // When both have begun, the main thread asks; then both go on.
                if let Event::TrainBegin { .. } = event {
                    together.wait();
                    together.wait();
                }
                Ok(Flow::Continue)
            };
            let own = control.clone().record(folder.path().join(name));
            model.fit(&data, Fit::epochs(1_000_000).callback(own).on_event(wait).quiet()).unwrap();
            model.learning_rate_changes().to_vec()
        };
        let changes = std::thread::scope(|scope| {
            let threads = ["one", "two"].map(|name| scope.spawn(move || train(name)));
            together.wait();
            assert!(control.is_attached() && !control.is_stopped());
            control.set_learning_rate(0.02).unwrap();
            together.wait();
            while !["one", "two"].iter().all(|name| folder.path().join(name).exists()) {
                std::thread::sleep(Duration::from_millis(1));
            }
            control.stop();
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(!control.is_attached() && control.is_stopped());
        for (name, changes) in ["one", "two"].into_iter().zip(changes) {
            assert_eq!(changes, [(1, 0.02)], "{name}");
            let record = std::fs::read_to_string(folder.path().join(name)).unwrap();
            let lines: Vec<&str> = record.lines().collect();
            assert_eq!((lines[1], lines.len()), ("1,1,learning_rate,0.02", 3), "{record}");
            assert!(lines[2].ends_with(",stop,"), "{record}");
        }
        // One that begins later is stopped, too, but what was asked before is not its own.
        let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
        let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy).unwrap();
        model.fit(&data, Fit::epochs(9).callback(control.clone()).quiet()).unwrap();
        assert_eq!((model.steps(), model.learning_rate_changes().len()), (1, 0));
        assert!(!control.is_attached(), "a run that has been left is over");
    }
}
