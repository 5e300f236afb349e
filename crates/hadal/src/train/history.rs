//! The training history.

use super::Logs;

/// The loss and metrics of every epoch: what `fit` returns, as Keras's `History`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One entry per epoch, first to last.
    pub epochs: Vec<Logs>,
}

impl History {
    /// The values of the metric `name`, one per epoch: `loss`, `accuracy`, `val_loss`, ... Empty if there is no such metric.
    pub fn get(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|logs| logs.get(name)).collect()
    }
}
