//! Classes that the model never predicts.

use serde::{Deserialize, Serialize};

use super::{Finding, FindingKind};
use crate::train::Event;
use crate::{DType, Tensor};

/// The samples that are counted before classes are looked at, how often in a row a class must not have been predicted, and the
/// steps before that counts: early in training a class may well not be.
const SAMPLES: usize = 500;
const TIMES: usize = 3;
const STEPS: usize = 300;

/// The samples of a class that must have been among them each time.
const OF_CLASS: usize = 10;

/// Counts of the predictions in the batches that were looked at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Classes {
    samples: usize,
    predicted: Vec<usize>,
    actual: Vec<usize>,
    /// How often in a row each class was not predicted, and its samples in that time.
    missed: Vec<(usize, usize)>,
}

impl Classes {
    pub fn look(&mut self, event: &Event) {
        let Event::BatchEnd { predictions, targets, decision_threshold, .. } = event else { return };
        let (Some(prediction), Some(target)) = (predictions.only(), targets.only()) else { return };
        let Some(predicted) = labels(prediction, target, *decision_threshold) else { return };
        let classes = prediction.elements() / prediction.size(0);
        let classes = if classes == 1 { 2 } else { classes };
        for counts in [&mut self.predicted, &mut self.actual] {
            counts.resize(classes, 0);
        }
        let count = |counts: &mut Vec<usize>, label: i64| {
            if let Some(count) = usize::try_from(label).ok().and_then(|label| counts.get_mut(label)) {
                *count += 1;
            }
        };
        predicted.iter().for_each(|&label| count(&mut self.predicted, label));
        target.to_vec::<i64>().into_iter().for_each(|label| count(&mut self.actual, label));
        self.samples += predicted.len();
    }

    pub fn epoch(&mut self, at: (usize, usize), names: &[String]) -> Option<Finding> {
        if self.samples < SAMPLES {
            return None;
        }
        if at.1 < STEPS {
            *self = Classes::default();
            return None;
        }
        self.samples = 0;
        let (predicted, actual) = (std::mem::take(&mut self.predicted), std::mem::take(&mut self.actual));
        self.missed.resize(predicted.len(), (0, 0));
        for ((missed, predicted), actual) in self.missed.iter_mut().zip(predicted).zip(actual) {
            let again = predicted == 0 && actual >= OF_CLASS;
            *missed = if again { (missed.0 + 1, missed.1 + actual) } else { (0, 0) };
        }
        let never = self.missed.iter().enumerate().filter(|(_, (times, _))| *times >= TIMES);
        let never: Vec<(usize, usize)> = never.map(|(class, (_, samples))| (class, *samples)).collect();
        let &(class, samples) = never.first()?;
        let more = if never.len() > 1 { format!(" (nor {} other classes)", never.len() - 1) } else { String::new() };
        let class = names.get(class).map_or(class.to_string(), |name| format!("`{name}`"));
        let text = format!("class {class} is never predicted{more}: not once for {samples} training samples of it");
        let advice = "class_weights in the loss, more samples of it, or another learning rate";
        Some(Finding::new(FindingKind::ClassNeverPredicted, None, at, text, advice))
    }
}

/// The predicted classes, where targets are labels.
fn labels(prediction: &Tensor, target: &Tensor, threshold: f64) -> Option<Vec<i64>> {
    let is_label = target.dtype() == DType::I64 && target.rank() == 1 && target.elements() > 0;
    if !is_label || prediction.rank() == 0 || prediction.size(0) != target.size(0) {
        return None;
    }
    let prediction = prediction.detach();
    match prediction.shape().len() {
        1 => Some(prediction.gt(threshold).to_dtype(DType::I64).to_vec::<i64>()),
        2 if prediction.size(1) == 1 => Some(prediction.gt(threshold).to_dtype(DType::I64).to_vec::<i64>()),
        2 => Some(prediction.argmax(1).to_vec::<i64>()),
        _ => None,
    }
}
