//! Exploding and vanishing gradients.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::look::Look;
use super::not_finite::short;
use super::{Finding, FindingKind, median};

/// So many times the running median of a tensor's gradient norm, and the largest of the first looks, is an explosion: late in
/// training gradients are small, and a hard batch may have many times their norm.
const FACTOR: f64 = 100.0;

/// So many times the norm of its weights is one, too. At the start of training they are of the same order, and 100 times that for
/// a loss that is summed over a batch.
const OF_WEIGHTS: f64 = 1000.0;

/// The looks that the running median is of, and the least that it needs.
const WINDOW: usize = 21;
const LEAST: usize = 5;

/// The gradient of the first layer, of that of the last. With ReLU and usual initialization the two are within a factor of 100; each
/// sigmoid between them takes a factor of 4 or more.
const VANISHING: f64 = 1e-4;

/// The gradient norms of the looks so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct GradientNorms {
    /// By tensor: the last norms, and the largest of the first.
    norms: BTreeMap<String, (Vec<f64>, f64)>,
    /// The first layer's by the last layer's, since the last epoch in which there were enough.
    ratios: Vec<f64>,
    /// The tensors that were compared.
    ends: Option<(String, String)>,
}

impl GradientNorms {
    /// Takes a look at a model with so many outputs; returns an explosion.
    pub fn look(&mut self, look: &Look, outputs: usize) -> Option<Finding> {
        if let [first, .., last] = look.weights.as_slice()
            && outputs == 1
            && last.gradient > 0.0
        {
            self.ratios.push(first.gradient / last.gradient);
            self.ends = Some((first.name.clone(), last.name.clone()));
        }
        let mut worst: Option<(f64, Finding)> = None;
        for weight in &look.weights {
            let (norms, first) = self.norms.entry(weight.name.clone()).or_default();
            let usual = median(norms).filter(|_| norms.len() >= LEAST);
            let times = usual.filter(|usual| *usual > 0.0).map_or(0.0, |usual| weight.gradient / usual);
            let grown = times > FACTOR && weight.gradient > FACTOR * *first;
            let huge = weight.gradient > OF_WEIGHTS * (1.0 + weight.norm);
            if (grown || huge) && worst.as_ref().is_none_or(|(norm, _)| weight.gradient > *norm) {
                let of = if grown {
                    format!("{} times its usual norm", short(times.round()))
                } else {
                    format!("while the weights' norm is {}", short(weight.norm))
                };
                let text =
                    format!("the gradient of {} explodes: its norm is {}, {of}", weight.name, short(weight.gradient));
                let advice = "clip_norm, a lower learning rate, or inputs and targets that are standardized";
                let kind = FindingKind::ExplodingGradients;
                worst = Some((weight.gradient, Finding::new(kind, Some(&weight.name), look.at, text, advice)));
            }
            if norms.len() < LEAST {
                *first = first.max(weight.gradient);
            }
            if norms.len() == WINDOW {
                norms.remove(0);
            }
            norms.push(weight.gradient);
        }
        worst.map(|(_, finding)| finding)
    }

    /// The end of an epoch; returns whether the gradients have vanished on their way to the first layer.
    pub fn epoch(&mut self, at: (usize, usize)) -> Option<Finding> {
        if self.ratios.len() < LEAST {
            return None;
        }
        let ratio = median(&std::mem::take(&mut self.ratios)).filter(|ratio| *ratio < VANISHING)?;
        let (first, last) = self.ends.clone()?;
        let (text, advice) = if ratio == 0.0 {
            (
                format!("{first} gets no gradient at all, while {last} has one: units between them are dead"),
                "a lower learning rate, weights initialized with HeNormal, LeakyRelu instead of Relu, or BatchNorm",
            )
        } else {
            (
                format!("the gradients vanish: the norm of that of {first} is {} times that of {last}", short(ratio)),
                "Relu instead of Sigmoid or Tanh, weights initialized with HeNormal, BatchNorm, or Residual blocks",
            )
        };
        Some(Finding::new(FindingKind::VanishingGradients, Some(&first), at, text, advice))
    }
}
