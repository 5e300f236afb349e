//! The precision-recall curve.

use super::Picture;
use super::color::Color;
use super::plot::{Mark, Series};
use super::roc_curve::{each_class, frame, title};
use super::scores::{Scores, cumulative};
use crate::{Error, Result, Tensor};

/// The precision by the recall, for every threshold: scikit-learn's `precision_recall_curve`, in the order of the recall.
///
/// ```
/// use hadal::{Tensor, plot::PrecisionRecallCurve};
/// let curve = PrecisionRecallCurve::new(&Tensor::from([0.1, 0.4, 0.35, 0.8]), &Tensor::from([0, 0, 1, 1]))?;
/// assert_eq!(curve.recall, [0.0, 0.5, 0.5, 1.0, 1.0]);
/// assert_eq!(curve.precision, [1.0, 1.0, 0.5, 2.0 / 3.0, 0.5]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecallCurve {
    /// The share of the positive samples whose score is at or above the threshold, rising from 0 to 1.
    pub recall: Vec<f64>,
    /// The share of positive samples among those whose score is at or above the threshold; 1 where there are none.
    pub precision: Vec<f64>,
    /// The thresholds, falling; the first is infinite.
    pub thresholds: Vec<f64>,
    /// The sum of the precisions, each weighted by the rise of the recall: scikit-learn's `average_precision_score`.
    pub average_precision: f64,
    /// The share of the positive samples, which is the precision of a classifier that guesses.
    pub prevalence: f64,
}

impl PrecisionRecallCurve {
    /// Of scores `[N]`, `[N, 1]`, or `[N, 2]` of which the second counts, and labels 0 and 1 (or -1 and 1).
    ///
    /// # Errors
    /// If scores and labels do not fit each other, a score is NaN, or no sample is positive.
    pub fn new(scores: &Tensor, targets: &Tensor) -> Result<PrecisionRecallCurve> {
        PrecisionRecallCurve::of(Scores::of(NAME, scores, targets)?.only_pairs(NAME)?)
    }

    fn of(pairs: Vec<(f64, bool)>) -> Result<PrecisionRecallCurve> {
        let samples = pairs.len();
        let positives = pairs.iter().filter(|pair| pair.1).count() as f64;
        if positives == 0.0 {
            return Err(Error::Data(format!("{NAME} needs positive samples, but all {samples} samples are negative")));
        }
        let mut curve = PrecisionRecallCurve {
            recall: vec![0.0],
            precision: vec![1.0],
            thresholds: vec![f64::INFINITY],
            average_precision: 0.0,
            prevalence: positives / samples as f64,
        };
        let mut before = 0.0;
        for (threshold, negative, positive) in cumulative(pairs) {
            let (recall, precision) = (positive / positives, positive / (negative + positive));
            curve.average_precision += (recall - before) * precision;
            before = recall;
            curve.recall.push(recall);
            curve.precision.push(precision);
            curve.thresholds.push(threshold);
        }
        Ok(curve)
    }

    /// As steps: a precision holds from the recall before it on, as the average precision counts it.
    fn steps(&self) -> Vec<(f64, f64)> {
        let mut points = vec![(0.0, self.precision[1.min(self.precision.len() - 1)])];
        for (recall, precision) in self.recall.iter().zip(&self.precision).skip(1) {
            let before = points[points.len() - 1].0;
            points.extend([(before, *precision), (*recall, *precision)]);
        }
        points
    }
}

const NAME: &str = "precision_recall_curve";

/// The precision-recall curve of scores `[N]`, `[N, 1]` or `[N, 2]` against labels 0 and 1, with the average precision. Of scores
/// `[N, classes]`, the curve of each class against all others; of more than seven classes, the seven with the smallest averages.
///
/// ```
/// use hadal::{Tensor, plot};
/// let scores = Tensor::from([0.1, 0.4, 0.35, 0.8]);
/// assert!(plot::precision_recall_curve(&scores, &Tensor::from([0, 0, 1, 1]))?.svg().contains("0.833"));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If scores and labels do not fit each other, a score is NaN, or no sample is positive. A class without samples has no curve.
pub fn precision_recall_curve(scores: &Tensor, targets: &Tensor) -> Result<Picture> {
    let scores = Scores::of(NAME, scores, targets)?;
    let curves = each_class(&scores, PrecisionRecallCurve::of, |curve| curve.average_precision)?;
    let mut plot = frame(&title("Precision-recall curve", &scores, curves.len()), "recall", "precision");
    for (class, curve) in &curves {
        let name = if scores.binary() { "model" } else { &format!("class {class}") };
        plot = plot.line(&format!("{name}, average {:.3}", curve.average_precision), &curve.steps());
    }
    if let (true, [(_, curve)]) = (scores.binary(), &curves[..]) {
        let share = curve.prevalence;
        let chance = Series::new(&format!("chance, {share:.3}"), &[(0.0, share), (1.0, share)], Mark::Line);
        plot = plot.series(chance.color(Color(150, 150, 150)).dash("5 5").width(1.5));
    }
    plot.picture()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_enclose_the_average_precision() {
        let curve =
            PrecisionRecallCurve::new(&Tensor::from([0.1, 0.4, 0.35, 0.8, 0.7]), &Tensor::from([0, 1, 1, 1, 0]))
                .unwrap();
        let steps = curve.steps();
        let area: f64 = steps.windows(2).map(|pair| (pair[1].0 - pair[0].0) * pair[1].1).sum();
        assert!((area - curve.average_precision).abs() < 1e-12, "{area} {curve:?}");
        assert_eq!(steps[steps.len() - 1], (1.0, 0.6));
    }

    #[test]
    fn without_positive_samples_there_is_no_curve() {
        let message = precision_recall_curve(&Tensor::from([0.5]), &Tensor::from([0])).unwrap_err().to_string();
        assert!(message.contains("all 1 samples are negative"), "{message}");
        let one = precision_recall_curve(&Tensor::from([0.5]), &Tensor::from([1])).unwrap().svg();
        assert!(one.contains("average 1.000"));
    }
}
