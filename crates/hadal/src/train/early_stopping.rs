//! Stopping when a metric has stopped improving.

use std::fmt;

use super::best::Best;
use super::training_state::check_settings;
use super::{Callback, CallbackState, Event, Flow};
use crate::optim::Mode;
use crate::{Error, Result, Tensor};

/// A callback that stops training when a monitored metric has stopped improving: Keras's `EarlyStopping`, with its defaults.
///
/// The monitored metric should be one of validation data, for example `val_loss`: the training loss hardly ever rises. Pass
/// `&mut stopping` to read afterwards what happened.
///
/// ```
/// use hadal::prelude::*;
/// # let (data, validation) = (hadal::data::synthetic::moons(40, 0.3, 1)?, hadal::data::synthetic::moons(100, 0.3, 2)?);
/// # let model = Sequential::new([2]).add(Dense::new(16).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Adam::new(0.05), BinaryCrossentropy, Accuracy)?;
/// let mut stopping = EarlyStopping::new("val_loss").patience(5).restore_best_weights(true);
/// model.fit(&data, Fit::epochs(1000).validation_data(&validation).callback(&mut stopping).quiet())?;
/// println!("{stopping}"); // stopped after epoch 11: val_loss was best after epoch 6 (0.3741)
/// assert_eq!(stopping.stopped_epoch(), stopping.best_epoch().map(|epoch| epoch + 5));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// A metric that is NaN is never an improvement; in Keras, that of the first epoch is.
#[derive(Debug)]
pub struct EarlyStopping {
    best: Best,
    patience: usize,
    baseline: Option<f64>,
    start_from_epoch: usize,
    restore_best_weights: bool,
    /// Epochs of this call of `fit`.
    epochs: usize,
    waited: usize,
    stopped_epoch: Option<usize>,
    weights: Option<Vec<(String, Tensor)>>,
}

impl EarlyStopping {
    /// Monitors the metric called `monitor`, for example `val_loss`. Keras's default is `val_loss`.
    pub fn new(monitor: impl Into<String>) -> EarlyStopping {
        EarlyStopping {
            best: Best::new("EarlyStopping", monitor),
            patience: 0,
            baseline: None,
            start_from_epoch: 0,
            restore_best_weights: false,
            epochs: 0,
            waited: 0,
            stopped_epoch: None,
            weights: None,
        }
    }

    /// The number of epochs without improvement after which training stops. Default: 0, as Keras's, which stops as 1 does: at the
    /// first epoch that is no improvement.
    pub fn patience(mut self, epochs: usize) -> EarlyStopping {
        self.patience = epochs;
        self
    }

    /// The minimum change that counts as an improvement. Default: 0.
    pub fn min_delta(mut self, min_delta: f64) -> EarlyStopping {
        self.best.min_delta = min_delta;
        self
    }

    /// Whether lower or higher is better. Default: what the metric says
    /// ([`Metric::higher_is_better`](crate::metric::Metric::higher_is_better)); for a loss, lower is.
    pub fn mode(mut self, mode: Mode) -> EarlyStopping {
        self.best.mode = Some(mode);
        self
    }

    /// A value that must be improved on, too: epochs that are not better than it are waited for as if they were no improvement.
    /// Default: none.
    pub fn baseline(mut self, baseline: f64) -> EarlyStopping {
        self.baseline = Some(baseline);
        self
    }

    /// The number of epochs at the beginning of a call of `fit` that are not looked at. Default: 0.
    pub fn start_from_epoch(mut self, epochs: usize) -> EarlyStopping {
        self.start_from_epoch = epochs;
        self
    }

    /// Whether the model has the weights of its best epoch when training has ended, whether it was stopped or not. Default:
    /// false, as Keras's: the weights of the last epoch. The optimizer's state remains that of the last step.
    pub fn restore_best_weights(mut self, restore: bool) -> EarlyStopping {
        self.restore_best_weights = restore;
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

    /// The epoch after which training was stopped, counted as the [`best_epoch`](EarlyStopping::best_epoch) is. `None` if it was
    /// not stopped by this callback.
    pub fn stopped_epoch(&self) -> Option<usize> {
        self.stopped_epoch
    }

    /// What must be the same for a run to be resumed.
    fn settings(&self) -> String {
        let EarlyStopping { best, patience, baseline, start_from_epoch, restore_best_weights, .. } = self;
        format!(
            "{}, patience {patience}, baseline {baseline:?}, start_from_epoch {start_from_epoch}, \
             restore_best_weights {restore_best_weights}",
            best.settings()
        )
    }

    fn begin(&mut self) -> Result<()> {
        if let Some(baseline) = self.baseline.filter(|baseline| !baseline.is_finite()) {
            return Err(Error::Config(format!("EarlyStopping: baseline {baseline} must be a finite number")));
        }
        self.best.reset();
        (self.epochs, self.waited, self.stopped_epoch, self.weights) = (0, 0, None, None);
        Ok(())
    }
}

impl Callback for EarlyStopping {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { metric_names, higher_is_better, .. } => {
                self.best.prepare(metric_names, higher_is_better)?;
                self.begin()?;
            }
            Event::EpochEnd { epoch, logs, model, .. } => {
                self.epochs += 1;
                if self.epochs <= self.start_from_epoch {
                    return Ok(Flow::Continue);
                }
                self.waited += 1;
                if self.best.update(*epoch, logs) {
                    if self.restore_best_weights {
                        self.weights = Some(model.state_dict());
                    }
                    let value = self.best.value(logs);
                    if self.baseline.is_none_or(|baseline| self.best.is_better(value, baseline)) {
                        self.waited = 0;
                    }
                } else if self.waited >= self.patience && self.epochs > 1 {
                    self.stopped_epoch = Some(*epoch);
                    return Ok(Flow::Stop);
                }
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn final_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
        self.weights.take()
    }

    fn state(&self) -> Option<CallbackState> {
        let facts =
            (self.settings(), self.best.state(), self.epochs, self.waited, self.stopped_epoch, self.weights.is_some());
        CallbackState::json(&facts, self.weights.clone().unwrap_or_default())
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let (settings, best, epochs, waited, stopped_epoch, has_weights): (String, _, _, _, _, _) =
            state.parse("EarlyStopping")?;
        check_settings("EarlyStopping", &settings, &self.settings())?;
        self.best.load_state(best);
        (self.epochs, self.waited, self.stopped_epoch) = (epochs, waited, stopped_epoch);
        self.weights = Some(state.tensors).filter(|_| has_weights);
        Ok(())
    }
}

/// What happened, in one line.
impl fmt::Display for EarlyStopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stopped_epoch {
            Some(epoch) => write!(f, "stopped after epoch {epoch}")?,
            None => write!(f, "not stopped early")?,
        }
        let monitor = &self.best.monitor;
        match self.best.get() {
            Some((epoch, value)) => write!(f, ": {monitor} was best after epoch {epoch} ({value:.4})"),
            None => write!(f, ": {monitor} was not a number in any epoch"),
        }
    }
}
