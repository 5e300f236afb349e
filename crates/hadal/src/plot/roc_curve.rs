//! The ROC curve.

use super::color::Color;
use super::plot::{Mark, Series};
use super::scores::{Scores, check_both, cumulative};
use super::{Picture, Plot};
use crate::{Result, Tensor};

/// The true positive rate by the false positive rate, for every threshold (Fawcett, 2006): scikit-learn's `roc_curve`.
///
/// ```
/// use hadal::{Tensor, plot::RocCurve};
/// let curve = RocCurve::new(&Tensor::from([0.1, 0.4, 0.35, 0.8]), &Tensor::from([0, 0, 1, 1]))?;
/// assert_eq!(curve.true_positive_rate, [0.0, 0.5, 0.5, 1.0, 1.0]);
/// assert_eq!(curve.area, 0.75);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// The share of the negative samples whose score is at or above the threshold, from 0 to 1.
    pub false_positive_rate: Vec<f64>,
    /// The share of the positive samples whose score is at or above the threshold, from 0 to 1.
    pub true_positive_rate: Vec<f64>,
    /// The thresholds, falling; the first is infinite. Those at which the curve goes straight on are left out (scikit-learn's
    /// `drop_intermediate`).
    pub thresholds: Vec<f64>,
    /// The area under the curve, by trapezoids.
    pub area: f64,
}

impl RocCurve {
    /// Of scores `[N]`, `[N, 1]`, or `[N, 2]` of which the second counts, and labels 0 and 1 (or -1 and 1).
    ///
    /// # Errors
    /// If scores and labels do not fit each other, a score is NaN, or all samples are of one class.
    pub fn new(scores: &Tensor, targets: &Tensor) -> Result<RocCurve> {
        RocCurve::of(Scores::of(NAME, scores, targets)?.only_pairs(NAME)?)
    }

    fn of(pairs: Vec<(f64, bool)>) -> Result<RocCurve> {
        check_both(NAME, &pairs)?;
        let mut counts = vec![(f64::INFINITY, 0.0, 0.0)];
        counts.extend(cumulative(pairs));
        let (_, negatives, positives) = counts[counts.len() - 1];
        let straight = |[a, b, c]: [&(f64, f64, f64); 3]| b.1 - a.1 == c.1 - b.1 && b.2 - a.2 == c.2 - b.2;
        // The first threshold stays, as in scikit-learn.
        let corner = |index: &usize| {
            let index = *index;
            let ends = index <= 1 || index + 1 == counts.len();
            ends || !straight([&counts[index - 1], &counts[index], &counts[index + 1]])
        };
        let area = counts.windows(2).map(|pair| (pair[1].1 - pair[0].1) * (pair[1].2 + pair[0].2) / 2.0).sum::<f64>();
        let kept: Vec<(f64, f64, f64)> = (0..counts.len()).filter(corner).map(|index| counts[index]).collect();
        Ok(RocCurve {
            false_positive_rate: kept.iter().map(|point| point.1 / negatives).collect(),
            true_positive_rate: kept.iter().map(|point| point.2 / positives).collect(),
            thresholds: kept.iter().map(|point| point.0).collect(),
            area: area / (negatives * positives),
        })
    }

    fn points(&self) -> Vec<(f64, f64)> {
        self.false_positive_rate.iter().copied().zip(self.true_positive_rate.iter().copied()).collect()
    }
}

const NAME: &str = "roc_curve";

/// Most classes whose curves are drawn.
pub(super) const MOST_CLASSES: usize = 7;

/// The ROC curve of scores `[N]`, `[N, 1]` or `[N, 2]` against labels 0 and 1, with the area under it. Of scores
/// `[N, classes]`, the curve of each class against all others; of more than seven classes, the seven with the smallest areas.
///
/// ```
/// use hadal::{Tensor, plot};
/// let scores = Tensor::from([0.1, 0.4, 0.35, 0.8]);
/// assert!(plot::roc_curve(&scores, &Tensor::from([0, 0, 1, 1]))?.svg().contains("0.75"));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If scores and labels do not fit each other, a score is NaN, or all samples are of one class. A class without samples has no
/// curve.
pub fn roc_curve(scores: &Tensor, targets: &Tensor) -> Result<Picture> {
    let scores = Scores::of(NAME, scores, targets)?;
    let curves = each_class(&scores, RocCurve::of, |curve| curve.area)?;
    let mut plot = frame(&title("ROC curve", &scores, curves.len()), "false positive rate", "true positive rate");
    for (class, curve) in &curves {
        let name = if scores.binary() { "model" } else { &format!("class {class}") };
        plot = plot.line(&format!("{name}, area {:.3}", curve.area), &curve.points());
    }
    let chance = Series::new("chance, area 0.5", &[(0.0, 0.0), (1.0, 1.0)], Mark::Line);
    plot.series(chance.color(Color(150, 150, 150)).dash("5 5").width(1.5)).picture()
}

/// A square from 0 to 1.
pub(super) fn frame(title: &str, x: &str, y: &str) -> Plot {
    let mut plot = Plot::new(title).labels(x, y).limits(0.0..1.0, 0.0..1.0);
    plot.size = (640, 640);
    plot.square = true;
    plot
}

pub(super) fn title(what: &str, scores: &Scores, drawn: usize) -> String {
    match scores.of_class.len() {
        1 => what.to_owned(),
        classes if classes == drawn => format!("{what} of each class against the others"),
        classes => format!("{what}: the {drawn} worst of {classes} classes"),
    }
}

/// The curves of all classes that have samples, or of those with the smallest areas, in the order of the classes.
///
/// # Errors
/// If no class has a curve; then why.
pub(super) fn each_class<C>(
    scores: &Scores,
    curve: impl Fn(Vec<(f64, bool)>) -> Result<C>,
    area: impl Fn(&C) -> f64,
) -> Result<Vec<(usize, C)>> {
    let mut curves = Vec::new();
    let mut refused = None;
    for class in 0..scores.of_class.len() {
        match curve(scores.pairs(class)) {
            Ok(curve) => curves.push((class, curve)),
            Err(error) => refused = Some(error),
        }
    }
    if let (true, Some(error)) = (curves.is_empty(), refused) {
        return Err(error);
    }
    curves.sort_by(|a, b| area(&a.1).total_cmp(&area(&b.1)));
    curves.truncate(MOST_CLASSES);
    curves.sort_by_key(|(class, _)| *class);
    Ok(curves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_and_a_useless_classifier_have_areas_one_and_a_half() {
        let labels = Tensor::from([0, 0, 1, 1]);
        assert_eq!(RocCurve::new(&Tensor::from([0.1, 0.2, 0.8, 0.9]), &labels).unwrap().area, 1.0);
        let same = RocCurve::new(&Tensor::from([0.5, 0.5, 0.5, 0.5]), &labels).unwrap();
        assert_eq!((same.area, same.thresholds), (0.5, vec![f64::INFINITY, 0.5]));
    }

    #[test]
    fn of_many_classes_the_worst_are_drawn_and_those_without_samples_are_not() {
        let mut rng = crate::Rng::new(1);
        let scores = Tensor::rand([60, 30], &mut rng);
        let labels = Tensor::from_vec((0..60i64).map(|i| i % 20).collect(), [60]);
        let svg = roc_curve(&scores, &labels).unwrap().svg();
        assert!(svg.contains("the 7 worst of 30 classes") && !svg.contains("class 25,"));
        let one = roc_curve(&Tensor::rand([3, 3], &mut rng), &Tensor::from([1, 1, 1])).unwrap_err().to_string();
        assert!(one.contains("needs positive and negative samples"), "{one}");
        let several = RocCurve::new(&scores, &labels).unwrap_err().to_string();
        assert!(several.contains("for two classes, but there are 30"), "{several}");
    }
}
