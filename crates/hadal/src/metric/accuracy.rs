//! Accuracy of classification.

use super::{Metric, labels, predicted};
use crate::Tensor;

/// The share of samples that are classified right. Predictions are `[N, C]`, the largest output is the class, or
/// `[N, 1]`, class 1 above one half; targets are labels (`i64`, `[N]`) or of the predictions' shape.
///
/// ```
/// use hadal::prelude::*;
/// let mut accuracy = Accuracy::default();
/// let scores = Tensor::from_slice(&[0.9f32, 0.1, 0.3, 0.7], [2, 2]);
/// accuracy.update(&scores, &Tensor::from_slice(&[0i64, 0], [2]));
/// assert_eq!(accuracy.value(), 0.5);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Accuracy {
    correct: usize,
    samples: usize,
}

/// The metric itself, so that it can be written like a value: `[Accuracy]`.
#[allow(non_upper_case_globals)]
pub const Accuracy: Accuracy = Accuracy { correct: 0, samples: 0 };

impl Metric for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn reset(&mut self) {
        *self = Accuracy;
    }

    #[track_caller]
    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        let (predicted, labels) = (predicted(prediction), labels(target));
        self.correct += predicted.iter().zip(&labels).filter(|(a, b)| a == b).count();
        self.samples += labels.len();
    }

    fn value(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    fn display(&self, value: f64) -> String {
        format!("{:.2}%", 100.0 * value)
    }
}
