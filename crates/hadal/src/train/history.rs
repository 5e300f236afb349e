//! The training history.

use super::Logs;
use crate::{Error, Result};

/// Loss and metrics of every epoch: what [`fit`](super::Trainer::fit) returns.
///
/// ```
/// use hadal::prelude::*;
/// let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// let history = model.fit(&data, Fit::epochs(3).validation_data(&data).quiet())?;
/// assert_eq!(history.get("loss")?.len(), 3);
/// assert!(history.last("val_loss")? < history.get("val_loss")?[0]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One entry per epoch, first to last.
    pub epochs: Vec<Logs>,
}

impl History {
    /// The values called `name` of every epoch: `loss`, `accuracy`, `val_loss`, ...
    ///
    /// ```
    /// use hadal::train::{History, Logs};
    /// let mut logs = Logs::default();
    /// logs.push("loss", 0.5, "0.5".into());
    /// let history = History { epochs: vec![logs.clone(), logs] };
    /// assert_eq!(history.get("loss")?, [0.5, 0.5]);
    /// assert!(history.get("accuracy").is_err());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such name; the message lists those that there are.
    pub fn get(&self, name: &str) -> Result<Vec<f64>> {
        let values: Vec<f64> = self.epochs.iter().filter_map(|logs| logs.get(name)).collect();
        if !values.is_empty() {
            return Ok(values);
        }
        let names: Vec<&str> = self.epochs.iter().take(1).flat_map(Logs::iter).map(|(name, _)| name).collect();
        let has = if names.is_empty() { "no epochs".to_owned() } else { names.join(", ") };
        Err(Error::Config(format!("the history has no `{name}`; it has {has}")))
    }

    /// The value called `name` of the last epoch.
    ///
    /// ```
    /// use hadal::train::{History, Logs};
    /// let epoch = |loss: f64| {
    ///     let mut logs = Logs::default();
    ///     logs.push("loss", loss, loss.to_string());
    ///     logs
    /// };
    /// assert_eq!(History { epochs: vec![epoch(0.5), epoch(0.25)] }.last("loss")?, 0.25);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](History::get).
    pub fn last(&self, name: &str) -> Result<f64> {
        self.get(name).map(|values| values[values.len() - 1])
    }

    /// Draws loss and metrics by epoch and writes the picture to `path`: [`loss_curves`](crate::plot::loss_curves) in one call.
    ///
    /// # Errors
    /// If there are no finite values, or the file cannot be written.
    #[cfg(feature = "plot")]
    pub fn plot(&self, path: impl AsRef<std::path::Path>) -> Result<()> {
        crate::plot::loss_curves(self)?.save(path)
    }
}
