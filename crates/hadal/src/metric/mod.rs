//! What is reported beside the loss, one file each.

mod accuracy;

pub use accuracy::Accuracy;

use crate::Tensor;

/// A number gathered over the batches of a pass.
pub trait Metric: Send + Sync {
    /// The metric's name, as it stands in reports: `accuracy`.
    fn name(&self) -> &'static str;

    /// Forgets all batches.
    fn reset(&mut self);

    /// Takes in a batch of predictions and targets.
    fn update(&mut self, prediction: &Tensor, target: &Tensor);

    /// The number for all batches since [`reset`](Metric::reset).
    fn value(&self) -> f64;

    /// The number for a reader: `97.31%`. Default: four decimals.
    fn display(&self, value: f64) -> String {
        format!("{value:.4}")
    }
}

impl Metric for Box<dyn Metric> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn reset(&mut self) {
        (**self).reset();
    }

    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        (**self).update(prediction, target);
    }

    fn value(&self) -> f64 {
        (**self).value()
    }

    fn display(&self, value: f64) -> String {
        (**self).display(value)
    }
}
