//! What a run leaves behind, epoch by epoch.

use super::Logs;

/// Loss and metrics of every epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One entry per epoch, first to last.
    pub epochs: Vec<Logs>,
}

impl History {
    /// The number called `name` for every epoch: `loss`, `accuracy`, `val_loss`, ... Empty if there is none.
    pub fn get(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|logs| logs.get(name)).collect()
    }
}
