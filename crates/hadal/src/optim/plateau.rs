//! Reducing the learning rate when a metric has stopped improving.

use super::check_positive;
use crate::{Error, Result};

/// Reduces the learning rate when a number has stopped improving: Keras's `ReduceLROnPlateau`, whose defaults these are.
/// Give it to [`Fit::reduce_on_plateau`](crate::train::Fit::reduce_on_plateau).
///
/// ```
/// use hadal::optim::Plateau;
/// let mut plateau = Plateau::new("val_loss").patience(2);
/// let factors: Vec<f64> = [1.0, 0.5, 0.5, 0.5].map(|loss| plateau.observe(loss)).to_vec();
/// assert_eq!(factors, [1.0, 1.0, 1.0, 0.1]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plateau {
    monitor: String,
    mode: Option<Mode>,
    factor: f64,
    patience: usize,
    least_change: f64,
    smallest: f64,
    /// What the rate is multiplied by now.
    current: f64,
    /// The best number so far, negated if larger ones are better.
    best: f64,
    waited: usize,
}

/// Which numbers are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Smaller ones, as of a loss.
    Min,
    /// Larger ones, as of an accuracy.
    Max,
}

impl Plateau {
    /// Watches the number called `monitor`, for example `val_loss`. Losses are to fall; metrics know for themselves
    /// ([`Metric::higher_is_better`](crate::metric::Metric::higher_is_better)); for others set the [`mode`](Plateau::mode).
    pub fn new(monitor: impl Into<String>) -> Plateau {
        Plateau {
            monitor: monitor.into(),
            mode: None,
            factor: 0.1,
            patience: 10,
            least_change: 1e-4,
            smallest: 0.0,
            current: 1.0,
            best: f64::INFINITY,
            waited: 0,
        }
    }

    /// Whether smaller or larger numbers are better. Default: what the metric of that name says.
    pub fn mode(mut self, mode: Mode) -> Plateau {
        self.mode = Some(mode);
        self
    }

    /// What the rate is multiplied by. Default: 0.1.
    pub fn factor(mut self, factor: f64) -> Plateau {
        self.factor = factor;
        self
    }

    /// Epochs without improvement until then. Default: 10.
    pub fn patience(mut self, epochs: usize) -> Plateau {
        self.patience = epochs;
        self
    }

    /// The least change that counts as an improvement. Default: 0.0001.
    pub fn least_change(mut self, change: f64) -> Plateau {
        self.least_change = change;
        self
    }

    /// The smallest share of the whole rate to go down to, from 0 to 1. Default: 0.
    pub fn smallest(mut self, share: f64) -> Plateau {
        self.smallest = share;
        self
    }

    /// The name of the number.
    pub fn monitor(&self) -> &str {
        &self.monitor
    }

    /// Takes in the number after an epoch; returns what the whole rate is to be multiplied by from now on. A number that is
    /// NaN is no improvement.
    ///
    /// # Panics
    /// If no mode is set and the name does not end in `loss`.
    #[track_caller]
    pub fn observe(&mut self, value: f64) -> f64 {
        let value = match self.mode {
            Some(Mode::Max) => -value,
            Some(Mode::Min) => value,
            None if self.monitor.ends_with("loss") => value,
            None => panic!("Plateau: set mode(Mode::Min) or mode(Mode::Max) for `{}`", self.monitor),
        };
        if value < self.best - self.least_change {
            (self.best, self.waited) = (value, 0);
        } else {
            self.waited += 1;
            if self.waited >= self.patience {
                self.current = (self.current * self.factor).max(self.smallest).min(self.current);
                self.waited = 0;
            }
        }
        self.current
    }

    /// Checks the settings, and finds the direction among the numbers that an epoch will report: their names, and whether
    /// larger ones are better, where that is known.
    ///
    /// # Errors
    /// If a setting cannot work, no number has the name, or its direction is not known.
    pub(crate) fn prepare(&mut self, reported: &[(String, Option<bool>)]) -> Result<()> {
        check_positive("plateau: factor", self.factor, "0.1")?;
        if self.factor >= 1.0 {
            return Err(Error::Config(format!("plateau: factor {} must be below 1, for example 0.1", self.factor)));
        }
        if self.patience == 0 {
            return Err(Error::Config("plateau: patience 0 must be at least 1 epoch".into()));
        }
        if !(0.0..=1.0).contains(&self.smallest) {
            let smallest = self.smallest;
            return Err(Error::Config(format!("plateau: smallest {smallest} is a share of the rate, from 0 to 1")));
        }
        if !(self.least_change >= 0.0 && self.least_change.is_finite()) {
            let change = self.least_change;
            return Err(Error::Config(format!(
                "plateau: least_change {change} must be 0 or a positive, finite number"
            )));
        }
        let monitor = &self.monitor;
        let Some((_, higher_is_better)) = reported.iter().find(|(name, _)| name == monitor) else {
            let names: Vec<&str> = reported.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Error::Config(format!(
                "reduce_on_plateau watches `{monitor}`, but an epoch reports {}",
                names.join(", ")
            )));
        };
        let known = higher_is_better.map(|higher| if higher { Mode::Max } else { Mode::Min });
        self.mode = self.mode.or(known);
        if self.mode.is_some() {
            return Ok(());
        }
        Err(Error::Config(format!(
            "reduce_on_plateau watches `{monitor}`, which does not say whether larger numbers are better; set mode(Mode::Min) \
             or mode(Mode::Max)"
        )))
    }
}
