//! Loss and metrics of one pass through data.

use super::Logs;
use crate::loss::{LossParts, Reduction};
use crate::metric::Metric;
use crate::{DType, Tensor, stack};

/// Running loss and metrics of one pass through data.
pub(super) struct Pass {
    /// The sums and divisors of all batches, added up: the loss is that of all samples, however they came in batches.
    sum: f64,
    divisor: f64,
    reduction: Reduction,
    /// Penalties, each times the samples of its batch.
    penalties: f64,
    samples: usize,
}

impl Pass {
    pub fn start(metrics: &mut [Box<dyn Metric>]) -> Pass {
        metrics.iter_mut().for_each(|metric| metric.reset());
        Pass { sum: 0.0, divisor: 0.0, reduction: Reduction::Mean, penalties: 0.0, samples: 0 }
    }

    /// Takes in a batch; returns its loss, penalty included. Waits for the numbers once.
    pub fn update(
        &mut self,
        metrics: &mut [Box<dyn Metric>],
        prediction: &Tensor,
        target: &Tensor,
        parts: &LossParts,
        penalty: Option<&Tensor>,
    ) -> f64 {
        let scalars: Vec<Tensor> = [Some(&parts.sum), Some(&parts.divisor), penalty]
            .into_iter()
            .flatten()
            .map(|scalar| scalar.detach().to_dtype(DType::F64).reshape([]))
            .collect();
        let numbers = stack(&scalars, 0).to_vec::<f64>();
        let (sum, divisor, penalty) = (numbers[0], numbers[1], numbers.get(2).copied().unwrap_or(0.0));
        let samples = prediction.size(0);
        self.sum += sum;
        self.divisor += divisor;
        self.reduction = parts.reduction;
        self.penalties += penalty * samples as f64;
        self.samples += samples;
        let prediction = prediction.detach();
        metrics.iter_mut().for_each(|metric| metric.update(&prediction, target));
        reduced(sum, divisor, parts.reduction) + penalty
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Loss and metrics so far, by name; `running` leaves out metrics that are too costly before the end of the pass.
    pub fn logs(&self, metrics: &[Box<dyn Metric>], names: &[String], running: bool) -> Logs {
        let mut logs = Logs::default();
        let penalty = self.penalties / self.samples.max(1) as f64;
        let loss = reduced(self.sum, self.divisor, self.reduction) + penalty;
        logs.push("loss", loss, format!("{loss:.4}"));
        for (metric, name) in metrics.iter().zip(names) {
            if running && !metric.has_running_value() {
                continue;
            }
            let value = metric.compute();
            logs.push(name, value, metric.display(value));
        }
        logs
    }
}

/// As [`LossParts::value`].
fn reduced(sum: f64, divisor: f64, reduction: Reduction) -> f64 {
    match reduction {
        Reduction::Sum => sum,
        Reduction::Mean => sum / if divisor == 0.0 { 1.0 } else { divisor },
    }
}
