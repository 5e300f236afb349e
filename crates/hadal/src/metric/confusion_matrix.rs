//! Who is taken for whom.

use std::fmt;

use super::{Metric, labels, predicted};
use crate::Tensor;

/// How often each class (row) was predicted as each class (column). Its value is the share on the diagonal: the accuracy.
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// `[class, predicted]`, square.
    counts: Vec<Vec<u64>>,
}

impl ConfusionMatrix {
    /// Without samples; it grows with the classes it meets.
    pub fn new() -> ConfusionMatrix {
        ConfusionMatrix::default()
    }

    /// The number of classes met so far, or outputs of the model if there were more.
    pub fn classes(&self) -> usize {
        self.counts.len()
    }

    /// How often samples of `class` were predicted as `predicted`.
    pub fn count(&self, class: usize, predicted: usize) -> u64 {
        self.counts.get(class).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
    }

    /// Samples of `class`.
    pub(super) fn of_class(&self, class: usize) -> u64 {
        (0..self.classes()).map(|predicted| self.count(class, predicted)).sum()
    }

    /// Samples predicted as `predicted`.
    pub(super) fn predicted_as(&self, predicted: usize) -> u64 {
        (0..self.classes()).map(|class| self.count(class, predicted)).sum()
    }

    fn grow(&mut self, classes: usize) {
        if classes > self.classes() {
            self.counts.iter_mut().for_each(|row| row.resize(classes, 0));
            self.counts.resize(classes, vec![0; classes]);
        }
    }
}

impl Metric for ConfusionMatrix {
    fn name(&self) -> &'static str {
        "confusion_accuracy"
    }

    fn reset(&mut self) {
        self.counts.clear();
    }

    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        self.grow(if prediction.rank() == 2 { prediction.size(1).max(2) } else { 2 });
        for (predicted, label) in predicted(prediction).into_iter().zip(labels(target)) {
            if let (Ok(label), Ok(predicted)) = (usize::try_from(label), usize::try_from(predicted)) {
                self.grow(label.max(predicted) + 1);
                self.counts[label][predicted] += 1;
            }
        }
    }

    fn value(&self) -> f64 {
        let right: u64 = (0..self.classes()).map(|class| self.count(class, class)).sum();
        right as f64 / self.counts.iter().flatten().sum::<u64>() as f64
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.counts.iter().flatten().max().map_or(1, |most| most.to_string().len()).max(3) + 1;
        write!(f, "{:>7}", "")?;
        for class in 0..self.classes() {
            write!(f, "{class:>width$}")?;
        }
        for (class, row) in self.counts.iter().enumerate() {
            write!(f, "\n{class:>7}")?;
            for count in row {
                write!(f, "{count:>width$}")?;
            }
        }
        Ok(())
    }
}
