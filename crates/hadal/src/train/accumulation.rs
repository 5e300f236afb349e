//! Gradient accumulation.

use super::pass::Pass;
use crate::autograd::BackwardOptions;
use crate::loss::{LossParts, OutputLoss};
use crate::{Gradients, Tensor};

/// The gradients of several batches, added up to those of one batch of all their samples.
#[derive(Default)]
pub(super) struct Accumulation {
    /// Those of the sum of each loss, times its weight, and of the penalties, times the samples of their batch: each by itself, since
    /// what each is divided by is known at the end alone.
    terms: Vec<Gradients>,
    pass: Pass,
}

impl Accumulation {
    /// Adds the gradients of a batch; `own` is the pass of that batch alone.
    pub fn add(&mut self, losses: &[OutputLoss], parts: &[LossParts], penalty: Option<&Tensor>, own: &Pass) {
        let sums = losses.iter().zip(parts).map(|(loss, part)| &part.sum * loss.weight);
        let terms: Vec<Tensor> = sums.chain(penalty.map(|penalty| penalty * own.samples() as f64)).collect();
        self.terms.resize_with(self.terms.len().max(terms.len()), Gradients::default);
        let last = terms.iter().rposition(Tensor::is_tracked);
        for (place, (term, sum)) in terms.iter().zip(&mut self.terms).enumerate() {
            if term.is_tracked() {
                // They share what leads to the outputs.
                let options = BackwardOptions { retain_graph: Some(place) != last, ..Default::default() };
                *sum += term.backward_with(options);
            }
        }
        self.pass.add(own);
    }

    /// The gradients, and the loss, of all samples.
    pub fn finish(self, losses: &[OutputLoss]) -> (Gradients, f64) {
        let loss = self.pass.loss(losses);
        let divisors = self.pass.divisors().chain([self.pass.samples() as f64]);
        let mut all = Gradients::default();
        for (mut sum, divisor) in self.terms.into_iter().zip(divisors) {
            sum *= 1.0 / divisor;
            all += sum;
        }
        (all, loss)
    }
}
