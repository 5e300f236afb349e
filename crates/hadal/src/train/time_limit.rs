//! Stopping after a time.

use std::time::{Duration, Instant};

use super::{Callback, CallbackState, Event, Flow};
use crate::Result;

/// A callback that stops training after the first step that ends when so much time has passed, that of validation included. What the
/// run was stopped at is a step: with [`Fit::max_steps`](super::Fit::max_steps) it can be repeated to the same bits on a machine
/// of any speed. A run that is [resumed](super::Trainer::resume) has what is left of the time.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::train::TimeLimit;
/// use std::time::Duration;
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// # let model = || Sequential::new([2]).add(Dense::new(1).activation(Sigmoid)).compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy);
/// let mut limit = TimeLimit::new(Duration::from_millis(20));
/// let history = model()?.fit(&data, Fit::epochs(1_000_000).callback(&mut limit).quiet())?;
/// let steps = limit.stopped_step().unwrap();
/// assert_eq!(history, model()?.fit(&data, Fit::epochs(1_000_000).max_steps(steps).quiet())?);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Debug)]
pub struct TimeLimit {
    limit: Duration,
    began: Instant,
    /// Before the run was interrupted.
    before: Duration,
    stopped_step: Option<usize>,
}

impl TimeLimit {
    /// Stops after this time.
    pub fn new(limit: Duration) -> TimeLimit {
        TimeLimit { limit, began: Instant::now(), before: Duration::ZERO, stopped_step: None }
    }

    /// The step after which training was stopped, counted over all calls of `fit`. `None` if it was not stopped by this callback.
    pub fn stopped_step(&self) -> Option<usize> {
        self.stopped_step
    }
}

impl Callback for TimeLimit {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { .. } => {
                (self.began, self.before, self.stopped_step) = (Instant::now(), Duration::ZERO, None);
            }
            Event::BatchEnd { step, .. } if self.before + self.began.elapsed() >= self.limit => {
                self.stopped_step = Some(*step);
                return Ok(Flow::Stop);
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn state(&self) -> Option<CallbackState> {
        CallbackState::json(&(self.before + self.began.elapsed(), self.stopped_step), Vec::new())
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        (self.before, self.stopped_step) = state.parse("TimeLimit")?;
        self.began = Instant::now();
        Ok(())
    }
}
