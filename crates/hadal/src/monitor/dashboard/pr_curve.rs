//! Precision-recall curves, and how far probabilities can be relied on, of one class each.

use serde::Serialize;

use crate::monitor::tensorboard::messages::TensorProto;
use crate::{Error, Result};

/// The rows of the tensor: true and false positives, true and false negatives, precision and recall.
const ROWS: usize = 6;

/// The bins of the calibration curve.
const BINS: usize = 10;

/// Longer curves are not shown.
const MOST_THRESHOLDS: usize = 10_000;

#[derive(Debug, PartialEq, Serialize)]
pub(super) struct PrCurve {
    class: String,
    step: i64,
    /// Thresholds at which anything is predicted as positive, falling.
    threshold: Vec<f64>,
    precision: Vec<f64>,
    recall: Vec<f64>,
    /// Mean precision, each weighted with the recall that is new at its threshold.
    average_precision: f64,
    calibration: Calibration,
}

/// For each bin of predicted probabilities that has samples: their mean, the share of positives, and their number.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Calibration {
    predicted: Vec<f64>,
    observed: Vec<f64>,
    count: Vec<f64>,
    /// How far the mean probabilities may be from those of the samples, of which only the thresholds between which
    /// they lie are known.
    precision: f64,
}

impl PrCurve {
    /// From a tensor as TensorBoard's plugin has it, `[6, thresholds]`, with thresholds from 0 to 1.
    pub fn new(tag: &str, step: i64, tensor: &TensorProto) -> Result<PrCurve> {
        let wrong = |reason: String| Error::Data(format!("the precision-recall curve `{tag}` of step {step} {reason}"));
        let length = tensor.float_val.len();
        let thresholds = length / ROWS;
        if !length.is_multiple_of(ROWS) || !(2..=MOST_THRESHOLDS).contains(&thresholds) {
            return Err(wrong(format!("has {length} numbers, not 6 for each of 2 to {MOST_THRESHOLDS} thresholds")));
        }
        let counts: Vec<f64> = tensor.float_val[..4 * thresholds].iter().map(|count| f64::from(*count)).collect();
        if let Some(count) = counts.iter().find(|count| !(count.is_finite() && **count >= 0.0)) {
            return Err(wrong(format!("has a count of {count}")));
        }
        let (positive, negative) = (&counts[..thresholds], &counts[thresholds..2 * thresholds]);
        let falls = |row: &[f64]| row.is_sorted_by(|a, b| a >= b);
        if !falls(positive) || !falls(negative) {
            return Err(wrong("has more positives at a higher threshold".into()));
        }
        // Positives that are not found at threshold 0, if there are any, count, too.
        let all = positive[0] + counts[3 * thresholds];
        let place = |at: usize| at as f64 / (thresholds - 1) as f64;
        let mut curve = PrCurve {
            class: tag.split_once('/').map_or(tag, |(_, class)| class).to_owned(),
            step,
            threshold: Vec::new(),
            precision: Vec::new(),
            recall: Vec::new(),
            average_precision: 0.0,
            calibration: calibration(positive, negative),
        };
        let mut before = 0.0;
        for at in (0..thresholds).rev().filter(|at| positive[*at] + negative[*at] > 0.0) {
            let precision = positive[at] / (positive[at] + negative[at]);
            let recall = if all > 0.0 { positive[at] / all } else { 0.0 };
            curve.threshold.push(place(at));
            curve.precision.push(precision);
            curve.recall.push(recall);
            curve.average_precision += (recall - before) * precision;
            before = recall;
        }
        Ok(curve)
    }
}

/// The samples between two thresholds are those that are positive at the one and not at the next. Their probabilities
/// are taken to be in the middle; those from the last threshold on are 1.
fn calibration(positive: &[f64], negative: &[f64]) -> Calibration {
    let steps = positive.len() - 1;
    let mut bins = [[0.0; 3]; BINS];
    for at in 0..=steps {
        let own = |row: &[f64]| row[at] - row.get(at + 1).copied().unwrap_or(0.0);
        let (positives, count) = (own(positive), own(positive) + own(negative));
        let middle = ((at as f64 + 0.5) / steps as f64).min(1.0);
        let bin = &mut bins[((middle * BINS as f64) as usize).min(BINS - 1)];
        [positives, count, count * middle].into_iter().zip(bin).for_each(|(new, sum)| *sum += new);
    }
    let mut found = Calibration { precision: 0.5 / steps as f64, ..Calibration::default() };
    for [positives, count, sum] in bins.into_iter().filter(|bin| bin[1] > 0.0) {
        found.predicted.push(sum / count);
        found.observed.push(positives / count);
        found.count.push(count);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use crate::monitor::tensorboard::Log;

    fn tensor(values: &[f32]) -> TensorProto {
        TensorProto { float_val: values.to_vec(), ..TensorProto::default() }
    }

    /// The curve that the library itself writes of these labels and probabilities.
    fn logged(labels: &[i64], probabilities: &[f64]) -> PrCurve {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path()).unwrap();
        let shape = [labels.len()];
        let labels = Tensor::from_slice(labels, shape);
        log.step(3).pr_curve("precision_recall/a/b", &labels, &Tensor::from_slice(probabilities, shape)).unwrap();
        let name = log.path().file_name().unwrap().to_str().unwrap().to_owned();
        drop(log);
        let mut events = super::super::events::Events::new(folder.path());
        events.follow(&[name]);
        let place = events.pr_curves["precision_recall/a/b"].last().unwrap();
        let (tensor, _) = events.tensor("precision_recall/a/b", place).unwrap();
        PrCurve::new("precision_recall/a/b", place.step, &tensor).unwrap()
    }

    #[test]
    fn a_curve_begins_where_anything_is_found() {
        let curve = logged(&[1, 0, 1, 1], &[0.9, 0.6, 0.4, 0.95]);
        assert_eq!((&curve.class[..], curve.step), ("a/b", 3));
        let ends = |all: &[f64]| (all[0], all[all.len() - 1]);
        assert_eq!((ends(&curve.precision), ends(&curve.recall)), ((1.0, 0.75), (1.0 / 3.0, 1.0)));
        assert!(curve.threshold[0] <= 0.95 && curve.threshold[0] > 0.94, "{}", curve.threshold[0]);
        // By hand: 2/3 at precision 1, the last third at 3/4.
        assert!((curve.average_precision - (2.0 / 3.0 + 0.25)).abs() < 1e-12, "{}", curve.average_precision);
    }

    #[test]
    fn probabilities_are_calibrated_where_their_share_comes_true() {
        // Of 10 samples at 0.25, 2 are positive; of 4 at 0.95, 3; one at 1, which is.
        let labels = [[1, 1, 0, 0, 0, 0, 0, 0, 0, 0].as_slice(), &[1, 1, 1, 0], &[1]].concat();
        let probabilities = [[0.25; 10].as_slice(), &[0.95; 4], &[1.0]].concat();
        let found = logged(&labels, &probabilities).calibration;
        assert_eq!((&found.count[..], &found.observed[..]), (&[10.0, 5.0][..], &[0.2, 0.8][..]));
        let expected = [0.25, (4.0 * 0.95 + 1.0) / 5.0];
        assert_eq!(found.precision, 0.5 / 126.0);
        assert!(found.predicted.iter().zip(expected).all(|(a, b)| (a - b).abs() <= found.precision), "{found:?}");
    }

    #[test]
    fn classes_without_positives_have_no_recall() {
        let curve = logged(&[0, 0], &[0.5, 0.5]);
        assert!(curve.recall.iter().chain(&curve.precision).all(|own| *own == 0.0) && curve.average_precision == 0.0);
    }

    #[test]
    fn what_is_no_curve_is_refused() {
        let message = |values: &[f32]| PrCurve::new("c", 1, &tensor(values)).unwrap_err().to_string();
        for length in [0, 6, 13] {
            assert!(message(&vec![0.0; length]).contains(&format!("has {length} numbers, not 6 for each of 2")));
        }
        assert!(message(&[f32::NAN; 12]).ends_with("has a count of NaN"));
        let rising = [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.5, 1.0];
        assert!(message(&rising).ends_with("has more positives at a higher threshold"));
    }
}
