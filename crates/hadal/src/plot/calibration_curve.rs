//! Calibration: how often what is predicted with some probability happens.

use super::color::Color;
use super::plot::{Mark, Series};
use super::roc_curve::frame;
use super::scores::{Scores, numbers};
use super::{Picture, Plot};
use crate::{Error, Result, Tensor};

/// The mean predicted probability and the observed share in bins of equal width: scikit-learn's `calibration_curve`. Of two
/// classes, the probability of class 1; of more, that of the class predicted, against the accuracy (Guo and others, ICML 2017).
///
/// ```
/// use hadal::{Tensor, plot::CalibrationCurve};
/// let probabilities = Tensor::from([0.1, 0.1, 0.9, 0.9]);
/// let curve = CalibrationCurve::new(&probabilities, &Tensor::from([0, 1, 1, 1]), 10)?;
/// assert_eq!((curve.observed, curve.counts), (vec![0.5, 1.0], vec![2, 2]));
/// assert!((curve.expected_calibration_error - 0.25).abs() < 1e-6);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationCurve {
    /// The mean predicted probability of each bin that has samples.
    pub predicted: Vec<f64>,
    /// The share of its samples of which it was true.
    pub observed: Vec<f64>,
    /// Its number of samples.
    pub counts: Vec<usize>,
    /// The mean distance of the two, weighted by the number of samples (ECE).
    pub expected_calibration_error: f64,
}

impl CalibrationCurve {
    /// Of probabilities `[N]`, `[N, 1]`, or `[N, classes]`, and labels, in `bins` of equal width from 0 to 1.
    ///
    /// # Errors
    /// If they do not fit each other, a number is no probability, or there are no bins or more than a million.
    pub fn new(probabilities: &Tensor, targets: &Tensor, bins: usize) -> Result<CalibrationCurve> {
        CalibrationCurve::of(&pairs(probabilities, targets)?, bins)
    }

    fn of(pairs: &[(f64, bool)], bins: usize) -> Result<CalibrationCurve> {
        if !(1..=1_000_000).contains(&bins) {
            return Err(Error::Config(format!("{NAME} takes 1 to 1,000,000 bins, not {bins}")));
        }
        let mut sums = vec![(0usize, 0.0, 0.0); bins];
        for (probability, is_true) in pairs {
            // A bin has its upper end, as in scikit-learn.
            let bin = ((probability * bins as f64).ceil() as usize).clamp(1, bins) - 1;
            let (count, predicted, observed) = &mut sums[bin];
            *count += 1;
            *predicted += probability;
            *observed += f64::from(u8::from(*is_true));
        }
        sums.retain(|bin| bin.0 > 0);
        let error: f64 = sums.iter().map(|(_, predicted, observed)| (predicted - observed).abs()).sum();
        Ok(CalibrationCurve {
            predicted: sums.iter().map(|(count, predicted, _)| predicted / *count as f64).collect(),
            observed: sums.iter().map(|(count, _, observed)| observed / *count as f64).collect(),
            counts: sums.iter().map(|bin| bin.0).collect(),
            expected_calibration_error: error / pairs.len() as f64,
        })
    }
}

const NAME: &str = "calibration_curve";

/// Predicted probabilities, and whether what was predicted was true.
fn pairs(probabilities: &Tensor, targets: &Tensor) -> Result<Vec<(f64, bool)>> {
    let scores = Scores::of(NAME, probabilities, targets)?;
    let columns = numbers(probabilities).len() / scores.labels.len();
    if let Some((place, value)) =
        numbers(probabilities).into_iter().enumerate().find(|(_, value)| !(-1e-6..=1.0 + 1e-6).contains(value))
    {
        return Err(Error::Data(format!(
            "{NAME} takes probabilities, but sample {} has {value}; apply sigmoid or softmax to logits",
            place / columns
        )));
    }
    if scores.binary() {
        return Ok(scores.pairs(0));
    }
    let sure = |sample: usize| {
        let better = |best: usize, class: usize| {
            if scores.of_class[class][sample] > scores.of_class[best][sample] { class } else { best }
        };
        let predicted = (1..scores.of_class.len()).fold(0, better);
        (scores.of_class[predicted][sample], predicted == scores.labels[sample])
    };
    Ok((0..scores.labels.len()).map(sure).collect())
}

/// How well probabilities `[N]`, `[N, 1]` or `[N, classes]` agree with labels, in ten bins: on the diagonal they are right, above
/// it too low, below it too high. Beside it, how many samples each bin has.
///
/// ```
/// use hadal::{Tensor, plot};
/// let probabilities = Tensor::from([0.1, 0.1, 0.9, 0.9]);
/// assert!(plot::calibration_curve(&probabilities, &Tensor::from([0, 1, 1, 1]))?.svg().contains("0.250"));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// As [`CalibrationCurve::new`].
pub fn calibration_curve(probabilities: &Tensor, targets: &Tensor) -> Result<Picture> {
    const BINS: usize = 10;
    let pairs = pairs(probabilities, targets)?;
    let curve = CalibrationCurve::of(&pairs, BINS)?;
    let binary = probabilities.rank() == 1 || probabilities.size(1) <= 2;
    let (x, y) = if binary {
        ("predicted probability of class 1", "observed share of class 1")
    } else {
        ("probability of the predicted class", "accuracy")
    };
    let points: Vec<(f64, f64)> = curve.predicted.iter().copied().zip(curve.observed.iter().copied()).collect();
    let ideal = Series::new("perfect", &[(0.0, 0.0), (1.0, 1.0)], Mark::Line).color(Color(150, 150, 150));
    let name = format!("model, expected calibration error {:.3}", curve.expected_calibration_error);
    let curve = Series { radius: 5.0, ..Series::new(&name, &points, Mark::Way).color(super::color::of_index(0)) };
    let reliability = frame("Calibration", x, y).series(ideal.dash("5 5").width(1.5)).series(curve);
    let mut heights: Vec<(f64, f64)> = (0..=BINS).map(|bin| (bin as f64 / BINS as f64, 0.0)).collect();
    for (probability, _) in &pairs {
        heights[((probability * BINS as f64).ceil() as usize).clamp(1, BINS) - 1].1 += 1.0;
    }
    let most = heights.iter().map(|bin| bin.1).fold(1.0, f64::max);
    let mut counts = Plot::new("Samples by probability").labels(x, "samples").limits(0.0..1.0, 0.0..1.05 * most);
    counts.size = (560, 640);
    let counts = counts.series(Series::new("", &heights, Mark::Bars));
    Picture::grid([reliability.picture()?, counts.picture()?], 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_classes_the_predicted_one_counts() {
        let probabilities = Tensor::from([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]);
        let curve = CalibrationCurve::new(&probabilities, &Tensor::from([0, 1]), 2).unwrap();
        assert_eq!((curve.observed, curve.counts), (vec![0.5], vec![2]));
        assert!((curve.expected_calibration_error - 0.15).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        let message = |scores: Tensor| calibration_curve(&scores, &Tensor::from([0, 1])).unwrap_err().to_string();
        assert!(message(Tensor::from([0.2, 3.5])).contains("sample 1 has 3.5; apply sigmoid"));
        assert!(message(Tensor::from([0.2, f32::NAN])).contains("NaN"));
        let bins = CalibrationCurve::new(&Tensor::from([0.5]), &Tensor::from([1]), 0).unwrap_err().to_string();
        assert!(bins.contains("not 0"), "{bins}");
    }
}
