//! Units that no sample activates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::look::Look;
use super::{Finding, FindingKind};
use crate::data::Parts;

/// A layer is said to have died when so much of it has. Networks that learn well often have some dead units: up to 60% of a layer in
/// tables with the recipe.
const SHARE: f64 = 0.75;

/// The least samples and looks that a unit must have been dead for.
const SAMPLES: usize = 1000;
const LOOKS: usize = 10;

/// Which units got a gradient in the looks since the last time there were enough.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct DeadUnits {
    looks: usize,
    samples: usize,
    alive: BTreeMap<String, Vec<bool>>,
    /// The first to last tensor, by name.
    order: Vec<String>,
}

impl DeadUnits {
    pub fn look(&mut self, look: &Look, samples: usize, predictions: &Parts) {
        let Some((outputs, hidden)) = split(&look.units, predictions) else { return };
        // Without an error at an output, nothing behind it can have a gradient.
        if outputs.iter().any(|(_, units)| units.contains(&false)) {
            return;
        }
        self.looks += 1;
        self.samples += samples;
        self.order = hidden.iter().map(|(name, _)| name.clone()).collect();
        for (name, units) in hidden {
            let alive = self.alive.entry(name.clone()).or_insert_with(|| vec![false; units.len()]);
            alive.iter_mut().zip(units).for_each(|(alive, now)| *alive |= now);
        }
    }

    pub fn epoch(&mut self, at: (usize, usize)) -> Vec<Finding> {
        if self.samples < SAMPLES || self.looks < LOOKS {
            return Vec::new();
        }
        let DeadUnits { looks, samples, alive, order } = std::mem::take(self);
        let dead = order.iter().filter_map(|name| {
            let units = alive.get(name)?;
            let dead = units.iter().filter(|alive| !**alive).count();
            if (dead as f64) < SHARE * units.len() as f64 {
                return None;
            }
            let text = format!(
                "{dead} of the {} units of {name} are dead: no gradient from {samples} samples in {looks} batches",
                units.len()
            );
            let advice = "a lower learning rate, LeakyRelu instead of Relu, or BatchNorm before it";
            Some(Finding::new(FindingKind::DeadUnits, Some(name), at, text, advice))
        });
        dead.collect()
    }
}

/// A tensor's name, and which of its units got a gradient.
type Units = (String, Vec<bool>);

/// The units of outputs, and all others. With one output it is the last tensor. Which are those of several is not known: all that are as
/// wide as one of them may be, and are taken for it.
fn split<'a>(units: &'a [Units], predictions: &Parts) -> Option<(Vec<&'a Units>, Vec<&'a Units>)> {
    if predictions.len() <= 1 {
        let (last, hidden) = units.split_last()?;
        return Some((vec![last], hidden.iter().collect()));
    }
    let widths: Vec<usize> = predictions.iter().filter_map(|(_, output)| output.shape().last().copied()).collect();
    let (outputs, hidden): (Vec<_>, Vec<_>) = units.iter().partition(|(_, units)| widths.contains(&units.len()));
    (!outputs.is_empty()).then_some((outputs, hidden))
}
