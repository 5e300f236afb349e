//! Accuracy of classification.

use super::Metric;
use crate::{DType, Tensor};

/// The share of samples whose largest output is that of their label. Predictions are `[N, C]`; targets labels (`i64`,
/// `[N]`) or one number per class (`[N, C]`).
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
    correct: f64,
    samples: f64,
}

/// The metric itself, so that it can be written like a value: `[Accuracy]`.
#[allow(non_upper_case_globals)]
pub const Accuracy: Accuracy = Accuracy { correct: 0.0, samples: 0.0 };

impl Metric for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn reset(&mut self) {
        *self = Accuracy;
    }

    #[track_caller]
    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        let labels = if target.dtype() == DType::I64 { target.clone() } else { target.argmax(1) };
        self.correct += prediction.argmax(1).eq(&labels).to_dtype(DType::I64).sum().item();
        self.samples += labels.elements() as f64;
    }

    fn value(&self) -> f64 {
        self.correct / self.samples
    }

    fn display(&self, value: f64) -> String {
        format!("{:.2}%", 100.0 * value)
    }
}
