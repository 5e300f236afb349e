//! Updates that are too large or too small for their weights.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::look::Look;
use super::loss_curve::LossCurve;
use super::not_finite::short;
use super::{Finding, FindingKind, median};

/// The norm of an update by that of the weights, in a step; about 1e-3 is usual.
const SMALLEST: f64 = 1e-4;
const LARGEST: f64 = 1e-1;

/// The looks that a median needs, and the steps before small updates are looked for.
const LEAST: usize = 3;
const STEPS: usize = 300;

/// The updates since the last epoch in which there were enough looks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Updates {
    ratios: BTreeMap<String, Vec<f64>>,
    /// The learning rate of the first of these looks.
    learning_rate: f64,
}

impl Updates {
    pub fn look(&mut self, look: &Look) {
        if self.ratios.is_empty() {
            self.learning_rate = look.learning_rate;
        }
        for weight in &look.weights {
            if let Some(update) = weight.update.filter(|_| weight.norm > 0.0) {
                self.ratios.entry(weight.name.clone()).or_default().push(update / weight.norm);
            }
        }
    }

    /// The end of an epoch, which the loss curve has seen.
    pub fn epoch(&mut self, at: (usize, usize), curve: &LossCurve, learning_rate: f64) -> Option<Finding> {
        if self.ratios.values().map(Vec::len).max() < Some(LEAST) {
            return None;
        }
        // A rate that rises is a warm-up.
        let rising = learning_rate > self.learning_rate;
        let all: Vec<(String, f64)> = std::mem::take(&mut self.ratios)
            .into_iter()
            .filter_map(|(name, ratios)| Some((name, median(&ratios)?)))
            .collect();
        let (largest, most) = all.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        if *most > LARGEST && curve.has_risen() {
            let text =
                format!("a step changes {largest} by {} times its norm, and the loss does not fall", short(*most));
            let advice = "a lower learning rate, or a warm-up; about 0.001 times is usual";
            return Some(Finding::new(FindingKind::LargeUpdates, Some(largest), at, text, advice));
        }
        if rising || curve.steps() < STEPS || !curve.is_high() {
            return None;
        }
        let (smallest, least) = all.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        if *most == 0.0 {
            let text = "no step changes any weights: their gradients are 0, and the loss has hardly fallen".to_owned();
            let advice =
                "a lower learning rate from the start, inputs that are standardized, or LeakyRelu instead of Relu";
            return Some(Finding::new(FindingKind::LossNotFalling, None, at, text, advice));
        }
        if *most < SMALLEST && !curve.has_said() {
            let text = format!(
                "the learning rate {} is too low: a step changes no weights by more than {} times their norm, and the loss has hardly \
                 fallen",
                short(learning_rate),
                short(*most)
            );
            let advice = "a rate 10 times as high; learning_rate_range_test suggests one";
            return Some(Finding::new(FindingKind::LearningRateTooLow, None, at, text, advice));
        }
        (*least < SMALLEST && *most >= SMALLEST).then(|| {
            let text = format!(
                "a step changes {smallest} by only {} times its norm, and the loss has hardly fallen",
                short(*least)
            );
            let advice = "another initialization, BatchNorm, inputs that are standardized, or a higher learning rate";
            Finding::new(FindingKind::SmallUpdates, Some(smallest), at, text, advice)
        })
    }
}
