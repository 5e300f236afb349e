//! The weights of the best epoch.

use super::best::Best;
use super::training_state::check_settings;
use super::{Callback, CallbackState, Event, Flow};
use crate::optim::Mode;
use crate::{Result, Tensor};

/// A callback that gives the model the weights of its best epoch when training has ended, without stopping it early. With
/// [`EarlyStopping`](super::EarlyStopping), use its `restore_best_weights`.
///
/// ```
/// use hadal::prelude::*;
/// # let (data, validation) = (hadal::data::synthetic::moons(40, 0.3, 1)?, hadal::data::synthetic::moons(100, 0.3, 2)?);
/// # let model = Sequential::new([2]).add(Dense::new(16).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Adam::new(0.05), BinaryCrossentropy, Accuracy)?;
/// let mut best = KeepBest::new("val_loss");
/// let history = model.fit(&data, Fit::epochs(20).validation_data(&validation).callback(&mut best).quiet())?;
/// assert_eq!(history.epochs.len(), 20);
/// assert!((model.evaluate(&validation)?["loss"] - best.best().unwrap()).abs() < 1e-9);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// The weights are shared with the model until its next step, which copies them once: an epoch costs one copy more, and memory for
/// one more set of weights. A metric that is NaN is never the best; if all are, the model keeps the weights of the last epoch. The
/// optimizer's state remains that of the last step.
#[derive(Debug)]
pub struct KeepBest {
    best: Best,
    weights: Option<Vec<(String, Tensor)>>,
}

impl KeepBest {
    /// Monitors the metric called `monitor`, for example `val_loss`.
    pub fn new(monitor: impl Into<String>) -> KeepBest {
        KeepBest { best: Best::new("KeepBest", monitor), weights: None }
    }

    /// Whether lower or higher is better. Default: what the metric says
    /// ([`Metric::higher_is_better`](crate::metric::Metric::higher_is_better)); for a loss, lower is.
    pub fn mode(mut self, mode: Mode) -> KeepBest {
        self.best.mode = Some(mode);
        self
    }

    /// The minimum change that counts as an improvement. Default: 0.
    pub fn min_delta(mut self, min_delta: f64) -> KeepBest {
        self.best.min_delta = min_delta;
        self
    }

    /// The epoch with the best metric, counted from 1 over all calls of `fit`. `None` before the first that is a number.
    pub fn best_epoch(&self) -> Option<usize> {
        self.best.get().map(|(epoch, _)| epoch)
    }

    /// The best metric of the last call of `fit`.
    pub fn best(&self) -> Option<f64> {
        self.best.get().map(|(_, value)| value)
    }
}

impl Callback for KeepBest {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if let Event::TrainBegin { metric_names, higher_is_better, .. } = event {
            self.best.prepare(metric_names, higher_is_better)?;
            self.best.reset();
            self.weights = None;
        }
        if let Event::EpochEnd { epoch, logs, model, .. } = event
            && self.best.update(*epoch, logs)
        {
            self.weights = Some(model.state_dict());
        }
        Ok(Flow::Continue)
    }

    fn final_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
        self.weights.take()
    }

    fn state(&self) -> Option<CallbackState> {
        CallbackState::json(&(self.best.settings(), self.best.state()), self.weights.clone().unwrap_or_default())
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let (settings, best): (String, _) = state.parse("KeepBest")?;
        check_settings("KeepBest", &settings, &self.best.settings())?;
        self.best.load_state(best);
        self.weights = self.best.get().map(|_| state.tensors);
        Ok(())
    }
}
