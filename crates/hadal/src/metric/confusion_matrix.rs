//! The confusion matrix.

use std::fmt;

use super::classes::{Threshold, check_classes, predictions_and_labels};
use super::{Metric, counts, no_state};
use crate::{Result, Shape, Tensor};

/// The confusion matrix: rows are true classes, columns are predicted classes. Its value is the accuracy.
/// Predictions and targets are as for [`Accuracy`](struct@super::Accuracy); a sample with a NaN among its outputs is predicted
/// as [no class](ConfusionMatrix::unpredicted).
///
/// ```
/// use hadal::metric::ConfusionMatrix;
/// use hadal::prelude::*;
/// let mut matrix = ConfusionMatrix::new();
/// let scores = Tensor::from_slice(&[0.9f32, 0.1, 0.3, 0.7], [2, 2]);
/// matrix.update(&scores, &Tensor::from_slice(&[0i64, 0], [2]));
/// assert_eq!((matrix.count(0, 0), matrix.count(0, 1)), (1, 1));
/// println!("{matrix}");
/// ```
#[doc(alias = "confusion_matrix")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfusionMatrix {
    threshold: Threshold,
    /// `[class, predicted]`, square.
    counts: Vec<Vec<u64>>,
    /// Samples of each class whose outputs say nothing.
    unpredicted: Vec<u64>,
}

impl ConfusionMatrix {
    /// Without samples; it grows with the classes it meets.
    ///
    /// ```
    /// use hadal::metric::ConfusionMatrix;
    /// use hadal::prelude::*;
    /// let mut matrix = ConfusionMatrix::new();
    /// assert_eq!(matrix.classes(), 0);
    /// matrix.update(&Tensor::from([[0.1, 0.2, 0.7]]), &Tensor::from([2]));
    /// assert_eq!(matrix.classes(), 3);
    /// ```
    pub fn new() -> ConfusionMatrix {
        ConfusionMatrix::default()
    }

    /// Sets the decision threshold: a single output above it means class 1. Default: the threshold of the loss, which is 0 for
    /// logits and [`Hinge`](crate::loss::Hinge) and 0.5 otherwise.
    ///
    /// ```
    /// use hadal::metric::ConfusionMatrix;
    /// use hadal::prelude::*;
    /// let mut matrix = ConfusionMatrix::new().threshold(0.9);
    /// matrix.update(&Tensor::from([[0.8], [0.95]]), &Tensor::from([1, 1]));
    /// assert_eq!((matrix.count(1, 0), matrix.count(1, 1)), (1, 1));
    /// ```
    pub fn threshold(mut self, threshold: f64) -> ConfusionMatrix {
        self.threshold = Threshold::fixed(threshold);
        self
    }

    /// The number of classes met so far, or outputs of the model if there were more.
    ///
    /// ```
    /// use hadal::metric::ConfusionMatrix;
    /// use hadal::prelude::*;
    /// let mut matrix = ConfusionMatrix::new();
    /// matrix.update(&Tensor::from([[0.1, 0.2, 0.7]]), &Tensor::from([0]));
    /// assert_eq!(matrix.classes(), 3);
    /// ```
    pub fn classes(&self) -> usize {
        self.counts.len()
    }

    /// How often samples of `class` were predicted as `predicted`.
    ///
    /// ```
    /// use hadal::metric::ConfusionMatrix;
    /// use hadal::prelude::*;
    /// let mut matrix = ConfusionMatrix::new();
    /// matrix.update(&Tensor::from([[0.1, 0.9], [0.2, 0.8]]), &Tensor::from([0, 1]));
    /// assert_eq!(matrix.count(0, 1), 1); // a 0 taken for a 1
    /// assert_eq!(matrix.count(1, 0), 0);
    /// ```
    pub fn count(&self, class: usize, predicted: usize) -> u64 {
        self.counts.get(class).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
    }

    /// How many samples of `class` were predicted as no class, because an output is NaN.
    ///
    /// ```
    /// use hadal::metric::ConfusionMatrix;
    /// use hadal::prelude::*;
    /// let mut matrix = ConfusionMatrix::new();
    /// matrix.update(&Tensor::from([[f32::NAN, 0.9]]), &Tensor::from([1]));
    /// assert_eq!((matrix.unpredicted(1), matrix.count(1, 1)), (1, 0));
    /// ```
    pub fn unpredicted(&self, class: usize) -> u64 {
        self.unpredicted.get(class).copied().unwrap_or(0)
    }

    /// Samples of `class`.
    pub(super) fn of_class(&self, class: usize) -> u64 {
        (0..self.classes()).map(|predicted| self.count(class, predicted)).sum::<u64>() + self.unpredicted(class)
    }

    /// Samples predicted as `predicted`.
    pub(super) fn predicted_as(&self, predicted: usize) -> u64 {
        (0..self.classes()).map(|class| self.count(class, predicted)).sum()
    }

    /// [`check`](Metric::check) for a metric of another name.
    pub(super) fn check_as(&self, name: &str, output: &Shape, targets: &Tensor) -> Result<()> {
        check_classes(name, output, targets, self.threshold)
    }

    fn grow(&mut self, classes: usize) {
        if classes > self.classes() {
            self.counts.iter_mut().for_each(|row| row.resize(classes, 0));
            self.counts.resize(classes, vec![0; classes]);
            self.unpredicted.resize(classes, 0);
        }
    }
}

impl Metric for ConfusionMatrix {
    fn name(&self) -> &'static str {
        "confusion_accuracy"
    }

    fn describe(&self) -> String {
        format!("{} {}", self.name(), self.threshold)
    }

    fn reset(&mut self) {
        self.counts.clear();
        self.unpredicted.clear();
    }

    #[track_caller]
    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        self.grow(if prediction.rank() >= 2 { prediction.size(-1).max(2) } else { 2 });
        for (predicted, label) in predictions_and_labels("confusion matrix", prediction, target, self.threshold) {
            let label = label as usize;
            self.grow(label + 1);
            match usize::try_from(predicted) {
                Ok(predicted) => self.counts[label][predicted] += 1,
                Err(_) => self.unpredicted[label] += 1,
            }
        }
    }

    fn compute(&self) -> f64 {
        let right: u64 = (0..self.classes()).map(|class| self.count(class, class)).sum();
        right as f64 / (0..self.classes()).map(|class| self.of_class(class)).sum::<u64>() as f64
    }

    fn higher_is_better(&self) -> Option<bool> {
        Some(true)
    }

    fn set_threshold(&mut self, threshold: f64) {
        self.threshold.follow(threshold);
    }

    /// The number of classes, the counts row by row, and the samples of each class whose outputs say nothing.
    fn state(&self) -> Option<Vec<f64>> {
        let counts = self.counts.iter().flatten().chain(&self.unpredicted).map(|count| *count as f64);
        Some(std::iter::once(self.counts.len() as f64).chain(counts).collect())
    }

    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        let name = self.name();
        let [classes] = counts(name, state.get(..1).unwrap_or_default())?;
        let numbers = state[1..].iter().map(|number| Ok(counts::<1>(name, &[*number])?[0] as u64));
        let numbers = numbers.collect::<Result<Vec<u64>>>()?;
        if classes.checked_mul(classes).and_then(|all| all.checked_add(classes)) != Some(numbers.len()) {
            return Err(no_state(name));
        }
        let (matrix, unpredicted) = numbers.split_at(classes * classes);
        self.counts = matrix.chunks(classes.max(1)).map(<[u64]>::to_vec).collect();
        self.unpredicted = unpredicted.to_vec();
        Ok(())
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        self.check_as(self.name(), output, targets)
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unpredicted = self.unpredicted.iter().any(|count| *count > 0);
        let largest = self.counts.iter().flatten().chain(&self.unpredicted).max();
        let width = largest.map_or(1, |most| most.to_string().len()).max(if unpredicted { 4 } else { 3 }) + 1;
        write!(f, "{:>7}", "")?;
        for class in 0..self.classes() {
            write!(f, "{class:>width$}")?;
        }
        if unpredicted {
            write!(f, "{:>width$}", "none")?;
        }
        for (class, row) in self.counts.iter().enumerate() {
            write!(f, "\n{class:>7}")?;
            for count in row {
                write!(f, "{count:>width$}")?;
            }
            if unpredicted {
                write!(f, "{:>width$}", self.unpredicted(class))?;
            }
        }
        Ok(())
    }
}
