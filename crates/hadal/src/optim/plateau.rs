//! A smaller rate when nothing gets better.

use super::check_positive;
use crate::{Error, Result};

/// Divides the learning rate when a number has stopped improving: Keras's `ReduceLROnPlateau`, whose defaults these are.
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
    factor: f64,
    patience: usize,
    least_change: f64,
    smallest: f64,
    /// What the rate is multiplied by now.
    current: f64,
    best: Option<f64>,
    waited: usize,
}

impl Plateau {
    /// Watches the number called `monitor`, for example `val_loss`. Accuracies and other scores are to rise, all else
    /// is to fall.
    pub fn new(monitor: impl Into<String>) -> Plateau {
        Plateau {
            monitor: monitor.into(),
            factor: 0.1,
            patience: 10,
            least_change: 1e-4,
            smallest: 0.0,
            current: 1.0,
            best: None,
            waited: 0,
        }
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

    /// The smallest share of the whole rate to go down to. Default: 0.
    pub fn smallest(mut self, share: f64) -> Plateau {
        self.smallest = share;
        self
    }

    /// The name of the number.
    pub fn monitor(&self) -> &str {
        &self.monitor
    }

    /// Takes in the number after an epoch; returns what the whole rate is to be multiplied by from now on.
    pub fn observe(&mut self, value: f64) -> f64 {
        const SCORES: [&str; 7] = ["accuracy", "auc", "f1", "precision", "recall", "squared", "score"];
        // Mean squared errors end like R squared, but are losses.
        let rises = SCORES.iter().any(|end| self.monitor.ends_with(end)) && !self.monitor.contains("mean");
        let value = if rises { -value } else { value };
        if self.best.is_none_or(|best| value < best - self.least_change) {
            (self.best, self.waited) = (Some(value), 0);
        } else {
            self.waited += 1;
            if self.waited >= self.patience {
                self.current = (self.current * self.factor).max(self.smallest);
                self.waited = 0;
            }
        }
        self.current
    }

    pub(crate) fn check(&self) -> Result<()> {
        check_positive("plateau: factor", self.factor, "0.1")?;
        if self.factor < 1.0 && self.patience > 0 {
            return Ok(());
        }
        Err(Error::Config("plateau: the factor must be below 1, and the patience at least 1".into()))
    }
}
