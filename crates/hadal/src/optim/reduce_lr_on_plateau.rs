//! Reducing the learning rate when a metric has stopped improving.

use super::check_positive;
use crate::{Error, Result};

/// Reduces the learning rate when a monitored metric has stopped improving: Keras's `ReduceLROnPlateau`, with its defaults.
/// Pass it to [`Fit::reduce_lr_on_plateau`](crate::train::Fit::reduce_lr_on_plateau).
///
/// ```
/// use hadal::optim::ReduceLrOnPlateau;
/// let mut plateau = ReduceLrOnPlateau::new("val_loss").patience(2).min_lr(0.05);
/// let learning_rates: Vec<f64> = [1.0, 0.5, 0.5, 0.5].map(|loss| plateau.step(loss, 1.0)).to_vec();
/// assert_eq!(learning_rates, [1.0, 1.0, 1.0, 0.1]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceLrOnPlateau {
    monitor: String,
    mode: Option<Mode>,
    factor: f64,
    patience: usize,
    min_delta: f64,
    min_lr: f64,
    /// The product of all reductions so far.
    reduction: f64,
    /// The best metric so far, negated if larger ones are better.
    best: f64,
    waited: usize,
}

/// Whether a metric improves when it decreases or when it increases.
///
/// ```
/// use hadal::optim::{Mode, ReduceLrOnPlateau};
/// let mut plateau = ReduceLrOnPlateau::new("score").mode(Mode::Max).patience(1);
/// let learning_rates = [0.5, 0.6, 0.4].map(|score| plateau.step(score, 1.0));
/// assert_eq!(learning_rates, [1.0, 1.0, 0.1]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Lower is better, as for a loss.
    Min,
    /// Higher is better, as for an accuracy.
    Max,
}

impl ReduceLrOnPlateau {
    /// Monitors the metric called `monitor`, for example `val_loss`. For a loss lower is better; metrics know their direction
    /// ([`Metric::higher_is_better`](crate::metric::Metric::higher_is_better)); for others set the
    /// [`mode`](ReduceLrOnPlateau::mode).
    ///
    /// ```
    /// use hadal::optim::ReduceLrOnPlateau;
    /// let plateau = ReduceLrOnPlateau::new("val_loss");
    /// assert_eq!(plateau.monitor(), "val_loss");
    /// ```
    pub fn new(monitor: impl Into<String>) -> ReduceLrOnPlateau {
        ReduceLrOnPlateau {
            monitor: monitor.into(),
            mode: None,
            factor: 0.1,
            patience: 10,
            min_delta: 1e-4,
            min_lr: 0.0,
            reduction: 1.0,
            best: f64::INFINITY,
            waited: 0,
        }
    }

    /// Whether lower or higher is better. Default: what the metric of that name says.
    ///
    /// ```
    /// use hadal::optim::{Mode, ReduceLrOnPlateau};
    /// let mut plateau = ReduceLrOnPlateau::new("distance").mode(Mode::Min).patience(1);
    /// assert_eq!([2.0, 3.0].map(|distance| plateau.step(distance, 1.0)), [1.0, 0.1]);
    /// ```
    pub fn mode(mut self, mode: Mode) -> ReduceLrOnPlateau {
        self.mode = Some(mode);
        self
    }

    /// The factor by which the learning rate is reduced. Default: 0.1.
    ///
    /// ```
    /// use hadal::optim::ReduceLrOnPlateau;
    /// let mut plateau = ReduceLrOnPlateau::new("loss").patience(1).factor(0.5);
    /// assert_eq!([1.0, 1.0, 1.0].map(|loss| plateau.step(loss, 1.0)), [1.0, 0.5, 0.25]);
    /// ```
    pub fn factor(mut self, factor: f64) -> ReduceLrOnPlateau {
        self.factor = factor;
        self
    }

    /// The number of epochs without improvement after which the learning rate is reduced. Default: 10.
    ///
    /// ```
    /// use hadal::optim::ReduceLrOnPlateau;
    /// let mut plateau = ReduceLrOnPlateau::new("loss").patience(2);
    /// assert_eq!([1.0, 1.0, 1.0].map(|loss| plateau.step(loss, 1.0)), [1.0, 1.0, 0.1]);
    /// ```
    pub fn patience(mut self, epochs: usize) -> ReduceLrOnPlateau {
        self.patience = epochs;
        self
    }

    /// The minimum change that counts as an improvement. Default: 0.0001.
    ///
    /// ```
    /// use hadal::optim::ReduceLrOnPlateau;
    /// let mut plateau = ReduceLrOnPlateau::new("loss").patience(1).min_delta(0.1);
    /// assert_eq!([1.0, 0.95].map(|loss| plateau.step(loss, 1.0)), [1.0, 0.1]); // 0.05 is no improvement
    /// ```
    pub fn min_delta(mut self, min_delta: f64) -> ReduceLrOnPlateau {
        self.min_delta = min_delta;
        self
    }

    /// The lower bound of the learning rate, before a schedule, if there is one. Default: 0.
    ///
    /// ```
    /// use hadal::optim::ReduceLrOnPlateau;
    /// let mut plateau = ReduceLrOnPlateau::new("loss").patience(1).min_lr(0.05);
    /// assert_eq!([1.0, 1.0, 1.0].map(|loss| plateau.step(loss, 1.0)), [1.0, 0.1, 0.05]);
    /// ```
    pub fn min_lr(mut self, min_lr: f64) -> ReduceLrOnPlateau {
        self.min_lr = min_lr;
        self
    }

    /// The name of the monitored metric.
    ///
    /// ```
    /// use hadal::optim::ReduceLrOnPlateau;
    /// assert_eq!(ReduceLrOnPlateau::new("val_accuracy").monitor(), "val_accuracy");
    /// ```
    pub fn monitor(&self) -> &str {
        &self.monitor
    }

    /// Takes the metric of an epoch and the base learning rate; returns the learning rate of the next epoch. NaN is no
    /// improvement.
    ///
    /// ```
    /// use hadal::optim::ReduceLrOnPlateau;
    /// use hadal::prelude::*;
    /// let mut plateau = ReduceLrOnPlateau::new("loss").patience(1);
    /// let mut optimizer = Sgd::new(1.0);
    /// for loss in [0.7, 0.8] {
    ///     optimizer.set_learning_rate(plateau.step(loss, 1.0));
    /// }
    /// assert_eq!(optimizer.learning_rate(), 0.1);
    /// ```
    ///
    /// # Panics
    /// If no mode is set and the name does not end in `loss`.
    #[track_caller]
    pub fn step(&mut self, metric: f64, learning_rate: f64) -> f64 {
        let metric = match self.mode {
            Some(Mode::Max) => -metric,
            Some(Mode::Min) => metric,
            None if self.monitor.ends_with("loss") => metric,
            None => panic!("ReduceLrOnPlateau: set mode(Mode::Min) or mode(Mode::Max) for `{}`", self.monitor),
        };
        if metric < self.best - self.min_delta {
            (self.best, self.waited) = (metric, 0);
        } else {
            self.waited += 1;
            if self.waited >= self.patience {
                self.reduction *= self.factor;
                self.waited = 0;
            }
        }
        // A base learning rate below the bound stays as it is.
        (learning_rate * self.reduction).max(self.min_lr.min(learning_rate))
    }

    /// Checks the settings, and finds the direction of the metric among those that an epoch will report: their names, and whether
    /// higher is better, where that is known.
    ///
    /// # Errors
    /// If a setting cannot work, no metric has the name, or its direction is not known.
    pub(crate) fn state(&self) -> (f64, f64, usize) {
        (self.reduction, self.best, self.waited)
    }

    pub(crate) fn load_state(&mut self, state: (f64, f64, usize)) {
        (self.reduction, self.best, self.waited) = state;
    }

    /// Its settings, for a comparison.
    pub(crate) fn describe(&self) -> String {
        let ReduceLrOnPlateau { monitor, mode, factor, patience, min_delta, min_lr, .. } = self;
        format!("{monitor} {mode:?} factor {factor} patience {patience} min_delta {min_delta} min_lr {min_lr}")
    }

    pub(crate) fn prepare(&mut self, reported: &[(String, Option<bool>)]) -> Result<()> {
        check_positive("ReduceLrOnPlateau: factor", self.factor, "0.1")?;
        if self.factor >= 1.0 {
            return Err(Error::Config(format!(
                "ReduceLrOnPlateau: factor {} must be below 1, for example 0.1",
                self.factor
            )));
        }
        if self.patience == 0 {
            return Err(Error::Config("ReduceLrOnPlateau: patience 0 must be at least 1 epoch".into()));
        }
        for (name, value) in [("min_lr", self.min_lr), ("min_delta", self.min_delta)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::Config(format!(
                    "ReduceLrOnPlateau: {name} {value} must be 0 or a positive, finite number"
                )));
            }
        }
        self.mode = Some(direction("ReduceLrOnPlateau", &self.monitor, self.mode, reported)?);
        Ok(())
    }
}

/// The direction of the metric `monitor`: `mode`, if that is set, or what the metric says. `reported` has what an epoch will
/// report: the names, and whether higher is better, where that is known; `owner` is who monitors it.
///
/// # Errors
/// If no metric has the name, or its direction is not known.
pub(crate) fn direction(
    owner: &str,
    monitor: &str,
    mode: Option<Mode>,
    reported: &[(String, Option<bool>)],
) -> Result<Mode> {
    let Some((_, higher_is_better)) = reported.iter().find(|(name, _)| name == monitor) else {
        let names: Vec<&str> = reported.iter().map(|(name, _)| name.as_str()).collect();
        let advice = match monitor.strip_prefix("val_") {
            Some(name) if names.contains(&name) => "; give fit validation_data for it",
            _ => "",
        };
        return Err(Error::Config(format!(
            "{owner} monitors `{monitor}`, but an epoch reports {}{advice}",
            names.join(", ")
        )));
    };
    let known = higher_is_better.map(|higher| if higher { Mode::Max } else { Mode::Min });
    mode.or(known).ok_or_else(|| {
        Error::Config(format!(
            "{owner} monitors `{monitor}`, which does not say whether higher is better; set mode(Mode::Min) or mode(Mode::Max)"
        ))
    })
}
