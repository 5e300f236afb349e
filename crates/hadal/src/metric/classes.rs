//! From outputs and targets to classes: what the metrics of classification share.

use std::fmt;

use super::numbers;
use crate::{DType, Error, Result, Shape, Tensor};

/// Above which number a single output means class 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Threshold {
    value: f64,
    /// Set by hand: it no longer follows the loss.
    fixed: bool,
}

impl Default for Threshold {
    fn default() -> Threshold {
        Threshold::HALF
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "with threshold {}", self.value)
    }
}

impl Threshold {
    pub const HALF: Threshold = Threshold { value: 0.5, fixed: false };

    pub fn fixed(value: f64) -> Threshold {
        Threshold { value, fixed: true }
    }

    pub fn follow(&mut self, value: f64) {
        if !self.fixed {
            self.value = value;
        }
    }
}

/// Class labels of targets: labels themselves, one number per class, or one number for class 1: above 1/2.
pub(super) fn labels(target: &Tensor) -> Vec<i64> {
    if target.dtype() == DType::I64 {
        return target.to_vec::<i64>();
    }
    if target.rank() == 2 && target.size(1) > 1 {
        return target.argmax(1).to_vec::<i64>();
    }
    target.gt(0.5).to_dtype(DType::I64).to_vec::<i64>()
}

/// The predicted class of each sample, and of each place of sequences (`[N, T, C]`): the largest of several outputs or whether a single one is above the threshold, and
/// its label. The class is -1, which is nobody's, where an output of the sample is NaN: such a prediction is wrong.
///
/// # Panics
/// If there are not as many predictions as labels, or a label is negative.
#[track_caller]
pub(super) fn predictions_and_labels(
    name: &str,
    prediction: &Tensor,
    target: &Tensor,
    threshold: Threshold,
) -> Vec<(i64, i64)> {
    let none = Tensor::full_of([], -1.0, DType::I64);
    let rank = prediction.rank();
    let sequences = rank > 2 && target.dtype() == DType::I64 && target.shape()[..] == prediction.shape()[..rank - 1];
    let several = (rank == 2 || sequences) && prediction.size(-1) > 1;
    let predicted = if several {
        let largest = prediction.argmax(-1);
        // The first NaN is the largest.
        let value = prediction.gather(-1, &largest.unsqueeze(-1)).squeeze(-1);
        value.ne(&value).where_(&none, &largest)
    } else {
        prediction.ne(prediction).where_(&none, &prediction.gt(threshold.value).to_dtype(DType::I64))
    };
    let (predicted, labels) = (predicted.to_vec::<i64>(), labels(target));
    assert_as_many(name, prediction, predicted.len(), target, labels.len());
    for label in &labels {
        assert!(*label >= 0, "{name}: label {label} is negative");
    }
    predicted.into_iter().zip(labels).collect()
}

#[track_caller]
pub(super) fn assert_as_many(name: &str, prediction: &Tensor, predictions: usize, target: &Tensor, targets: usize) {
    assert!(
        predictions == targets,
        "{name}: {predictions} predictions (shape {}) but {targets} targets (shape {}); there must be one target per prediction",
        prediction.shape(),
        target.shape()
    );
}

/// Checks that outputs and targets mean classes.
///
/// # Errors
/// If an output is not one number, or one per class (for sequences, at each place that has a label), or targets are not labels, rows of probabilities, or 0 and 1; -1 and 1 are
/// taken unless the threshold is 0.5 by default.
pub(super) fn check_classes(name: &str, output: &Shape, targets: &Tensor, threshold: Threshold) -> Result<()> {
    let labels = targets.dtype() == DType::I64;
    let (outputs, sequences) = match output.split_last() {
        Some((&classes, places)) if labels && classes > 1 && !places.is_empty() && targets.shape()[1..] == *places => {
            (classes, true)
        }
        _ => (output.elements(), false),
    };
    if output.rank() > 1 && outputs != 1 && !sequences || outputs == 0 {
        return Err(Error::Config(format!(
            "{name} takes one output per class, or a single output for two classes, not outputs of shape {output}"
        )));
    }
    let advice = "for regression use MeanAbsoluteError, MeanSquaredError or R2Score";
    let samples = targets.size(0);
    let per_sample = targets.elements().checked_div(samples).unwrap_or(1);
    if labels {
        if per_sample != 1 && !sequences {
            return Err(Error::Data(format!(
                "{name} takes one label for each sample, i64 of shape [N], but the targets are of shape {}",
                targets.shape()
            )));
        }
        let classes = outputs.max(2) as i64;
        let labels = targets.to_vec::<i64>();
        return match labels.iter().position(|label| !(0..classes).contains(label)) {
            None => Ok(()),
            Some(place) => Err(Error::Data(format!(
                "{name}: sample {} has label {}, but the model has classes 0 to {}",
                place / per_sample,
                labels[place],
                classes - 1
            ))),
        };
    }
    if per_sample != outputs {
        return Err(Error::Data(format!(
            "{name} takes labels, i64 of shape [N], or targets of the output's shape; the model's output has shape {output}, \
             the targets are {} of shape {}; {advice}",
            targets.dtype(),
            targets.shape()
        )));
    }
    let numbers = numbers(targets);
    if outputs > 1 {
        let not_a_class = |row: &[f64]| {
            let probabilities = row.iter().all(|t| *t >= -1e-6) && (row.iter().sum::<f64>() - 1.0).abs() <= 1e-3;
            let signs = row.iter().all(|t| t.abs() == 1.0) && row.iter().filter(|t| **t == 1.0).count() == 1;
            !probabilities && !signs
        };
        let Some(sample) = numbers.chunks(outputs).position(not_a_class) else { return Ok(()) };
        let row = &numbers[sample * outputs..(sample + 1) * outputs];
        let what = match row.iter().find(|t| **t < 0.0) {
            Some(negative) => format!("target {negative}"),
            None => format!("targets that sum to {}", row.iter().sum::<f64>()),
        };
        return Err(Error::Data(format!(
            "{name} takes class labels, or for each sample a row of probabilities that sum to 1, but sample {sample} has {what}; \
             {advice}"
        )));
    }
    let signs = numbers.contains(&-1.0);
    let fits = |t: f64| t == 1.0 || t == if signs { -1.0 } else { 0.0 };
    if let Some(sample) = numbers.iter().position(|t| !fits(*t)) {
        return Err(Error::Data(format!(
            "{name} takes class labels, but sample {sample} has target {}, which is not a class label: labels are 0 and 1, or -1 and 1; \
             {advice}",
            numbers[sample]
        )));
    }
    if signs && threshold == Threshold::HALF {
        return Err(Error::Config(format!(
            "{name} takes outputs above 0.5 for class 1, but the targets are -1 and 1; set its threshold(0.0)"
        )));
    }
    Ok(())
}
