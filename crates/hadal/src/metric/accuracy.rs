//! Accuracy of classification.

use super::classes::{Threshold, check_classes, predictions_and_labels};
use super::{Metric, counts};
use crate::{Result, Shape, Tensor};

/// Accuracy: the fraction of samples that are classified correctly. Predictions are `[N, C]`, where the class is the argmax, or
/// `[N, 1]`, where class 1 is above the [`threshold`](Accuracy::threshold); targets are labels (`i64`, `[N]`) or of the
/// predictions' shape. A sample with a NaN among its outputs is wrong. Of sequences, predictions are `[N, T, C]`, labels `[N, T]`,
/// and each place counts, as in Keras.
///
/// ```
/// use hadal::prelude::*;
/// let mut accuracy = Accuracy::default();
/// let scores = Tensor::from_slice(&[0.9f32, 0.1, 0.3, 0.7], [2, 2]);
/// accuracy.update(&scores, &Tensor::from_slice(&[0i64, 0], [2]));
/// assert_eq!(accuracy.compute(), 0.5);
/// ```
#[doc(alias = "SparseCategoricalAccuracy")]
#[doc(alias = "BinaryAccuracy")]
#[doc(alias = "accuracy_score")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Accuracy {
    threshold: Threshold,
    correct: usize,
    samples: usize,
}

/// The metric itself, so that it can be written like a value: `[Accuracy]`.
#[allow(non_upper_case_globals)]
pub const Accuracy: Accuracy = Accuracy { threshold: Threshold::HALF, correct: 0, samples: 0 };

impl Accuracy {
    /// Sets the decision threshold: a single output above it means class 1. Default: the threshold of the loss, which is 0 for
    /// logits and [`Hinge`](crate::loss::Hinge) and 0.5 otherwise.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (logits, labels) = (Tensor::from([[0.3], [0.7]]), Tensor::from([1, 1]));
    /// let mut accuracy = Accuracy.threshold(0.0);
    /// accuracy.update(&logits, &labels);
    /// assert_eq!(accuracy.compute(), 1.0);
    /// ```
    pub fn threshold(mut self, threshold: f64) -> Accuracy {
        self.threshold = Threshold::fixed(threshold);
        self
    }
}

impl Metric for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn describe(&self) -> String {
        format!("{} {}", self.name(), self.threshold)
    }

    fn reset(&mut self) {
        *self = Accuracy { threshold: self.threshold, ..Accuracy };
    }

    #[track_caller]
    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        let pairs = predictions_and_labels(self.name(), prediction, target, self.threshold);
        self.correct += pairs.iter().filter(|(predicted, label)| predicted == label).count();
        self.samples += pairs.len();
    }

    fn compute(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    fn display(&self, value: f64) -> String {
        format!("{:.2}%", 100.0 * value)
    }

    fn higher_is_better(&self) -> Option<bool> {
        Some(true)
    }

    fn set_threshold(&mut self, threshold: f64) {
        self.threshold.follow(threshold);
    }

    fn state(&self) -> Option<Vec<f64>> {
        Some(vec![self.correct as f64, self.samples as f64])
    }

    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        [self.correct, self.samples] = counts(self.name(), state)?;
        Ok(())
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_classes(self.name(), output, targets, self.threshold)
    }
}
