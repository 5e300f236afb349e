//! Loss and metrics of one pass through data.

use super::Logs;
use super::counted::Counted;
use super::training_state::{EpochState, Exact};
use crate::data::Parts;
use crate::loss::{LossParts, OutputLoss, Reduction};
use crate::metric::Metric;
use crate::{DType, Result, Tensor, stack};

/// Running losses and metrics of one pass through data.
#[derive(Default)]
pub(super) struct Pass {
    /// One for each loss.
    sums: Vec<Sum>,
    /// Penalties, each times the samples of its batch.
    penalties: f64,
    samples: usize,
}

/// The sums and divisors of all batches, added up: the loss is that of all samples, however they came in batches.
#[derive(Clone, Copy)]
struct Sum {
    sum: f64,
    divisor: f64,
    reduction: Reduction,
}

impl Sum {
    /// What the sum is divided by, as in [`LossParts::value`].
    fn divisor(self) -> f64 {
        match self.reduction {
            Reduction::Mean if self.divisor != 0.0 => self.divisor,
            _ => 1.0,
        }
    }

    fn value(self) -> f64 {
        self.sum / self.divisor()
    }
}

fn total(losses: &[OutputLoss], sums: &[Sum]) -> f64 {
    losses.iter().zip(sums).map(|(loss, sum)| loss.weight * sum.value()).sum()
}

impl Pass {
    pub fn start(metrics: &mut [Box<dyn Metric>]) -> Pass {
        metrics.iter_mut().for_each(|metric| metric.reset());
        Pass::default()
    }

    /// That of one batch alone, without metrics. Waits for the numbers once.
    fn of(parts: &[LossParts], penalty: Option<&Tensor>, samples: usize) -> Pass {
        let scalars: Vec<Tensor> = parts
            .iter()
            .flat_map(|part| [&part.sum, &part.divisor])
            .chain(penalty)
            .map(|scalar| scalar.detach().to_dtype(DType::F64).reshape([]))
            .collect();
        let numbers = stack(&scalars, 0).to_vec::<f64>();
        let penalty = numbers.get(2 * parts.len()).copied().unwrap_or(0.0);
        let sum = |(part, numbers): (&LossParts, &[f64])| Sum {
            sum: numbers[0],
            divisor: numbers[1],
            reduction: part.reduction,
        };
        let sums = parts.iter().zip(numbers.chunks(2)).map(sum).collect();
        Pass { sums, penalties: penalty * samples as f64, samples }
    }

    /// Takes in a batch; returns the pass of that batch alone.
    pub fn update(
        &mut self,
        metrics: &mut [Box<dyn Metric>],
        counted: &Counted,
        parts: &[LossParts],
        penalty: Option<&Tensor>,
    ) -> Pass {
        let batch = Pass::of(parts, penalty, counted.samples);
        self.add(&batch);
        for metric in metrics {
            let of = |parts: &Parts| parts.of(metric.output()).map(Tensor::detach);
            // Checked before the run.
            if let (Some(prediction), Some(target)) = (of(&counted.predictions), of(&counted.targets)) {
                metric.update(&prediction, &target);
            }
        }
        batch
    }

    /// Goes on with what another pass took in.
    pub fn add(&mut self, other: &Pass) {
        if self.sums.is_empty() {
            self.sums = other.sums.iter().map(|sum| Sum { sum: 0.0, divisor: 0.0, ..*sum }).collect();
        }
        for (all, own) in self.sums.iter_mut().zip(&other.sums) {
            all.sum += own.sum;
            all.divisor += own.divisor;
        }
        self.penalties += other.penalties;
        self.samples += other.samples;
    }

    /// The loss of all samples, penalties included.
    pub fn loss(&self, losses: &[OutputLoss]) -> f64 {
        total(losses, &self.sums) + self.penalties / self.samples.max(1) as f64
    }

    /// What the sum of each loss is divided by.
    pub fn divisors(&self) -> impl Iterator<Item = f64> {
        self.sums.iter().map(|sum| sum.divisor())
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    /// What has been added up in the first `batches` of an epoch.
    pub fn state(&self, batches: usize, seconds: f64, metrics: Vec<Vec<f64>>) -> EpochState {
        let exact = |numbers: Vec<f64>| numbers.into_iter().map(Exact).collect();
        let sums = self.sums.iter().map(|sum| (Exact(sum.sum), Exact(sum.divisor), sum.reduction == Reduction::Mean));
        EpochState {
            batches,
            seconds: Exact(seconds),
            sums: sums.collect(),
            penalties: Exact(self.penalties),
            samples: self.samples,
            metrics: metrics.into_iter().map(exact).collect(),
        }
    }

    /// Goes on from what [`state`](Pass::state) returned.
    pub fn load_state(&mut self, state: &EpochState, metrics: &mut [Box<dyn Metric>]) -> Result<()> {
        let sum = |(sum, divisor, mean): &(Exact, Exact, bool)| Sum {
            sum: sum.0,
            divisor: divisor.0,
            reduction: if *mean { Reduction::Mean } else { Reduction::Sum },
        };
        self.sums = state.sums.iter().map(sum).collect();
        (self.penalties, self.samples) = (state.penalties.0, state.samples);
        metrics.iter_mut().zip(&state.metrics).try_for_each(|(metric, state)| {
            metric.load_state(&state.iter().map(|number| number.0).collect::<Vec<f64>>())
        })
    }

    /// Losses and metrics so far, by name; `running` leaves out metrics that are too costly before the end of the pass.
    pub fn logs(&self, losses: &[OutputLoss], metrics: &[Box<dyn Metric>], names: &[String], running: bool) -> Logs {
        let mut logs = Logs::default();
        let loss = self.loss(losses);
        logs.push("loss", loss, format!("{loss:.4}"));
        for (loss, sum) in losses.iter().zip(&self.sums) {
            if let Some(output) = &loss.output {
                logs.push(format!("{output}_loss"), sum.value(), format!("{:.4}", sum.value()));
            }
        }
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
