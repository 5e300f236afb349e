//! Metrics of one of several outputs.

use super::Metric;
use crate::{Result, Shape, Tensor};

/// A metric of one of several outputs: what [`Metric::of`] makes.
pub struct OfOutput<M> {
    pub(super) metric: M,
    pub(super) output: String,
}

impl<M: Metric> Metric for OfOutput<M> {
    fn name(&self) -> &'static str {
        self.metric.name()
    }

    fn describe(&self) -> String {
        format!("{} of output `{}`", self.metric.describe(), self.output)
    }

    fn output(&self) -> Option<&str> {
        Some(&self.output)
    }

    fn reset(&mut self) {
        self.metric.reset();
    }

    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        self.metric.update(prediction, target);
    }

    fn compute(&self) -> f64 {
        self.metric.compute()
    }

    fn display(&self, value: f64) -> String {
        self.metric.display(value)
    }

    fn has_running_value(&self) -> bool {
        self.metric.has_running_value()
    }

    fn higher_is_better(&self) -> Option<bool> {
        self.metric.higher_is_better()
    }

    fn set_threshold(&mut self, threshold: f64) {
        self.metric.set_threshold(threshold);
    }

    fn state(&self) -> Option<Vec<f64>> {
        self.metric.state()
    }

    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        self.metric.load_state(state)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        self.metric.check(output, targets)
    }
}
