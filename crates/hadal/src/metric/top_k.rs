//! Accuracy among the best guesses.

use super::{Metric, labels, numbers};
use crate::{Error, Result, Shape, Tensor};

/// The share of samples whose label is among the `k` largest of the outputs `[N, C]`. Equal outputs count as ranked by
/// class, first class first.
///
/// ```
/// use hadal::metric::TopKAccuracy;
/// use hadal::prelude::*;
/// let mut top = TopKAccuracy::new(2);
/// let scores = Tensor::from_slice(&[0.5f32, 0.3, 0.2, 0.5, 0.3, 0.2], [2, 3]);
/// top.update(&scores, &Tensor::from_slice(&[1i64, 2], [2]));
/// assert_eq!(top.value(), 0.5);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TopKAccuracy {
    k: usize,
    correct: usize,
    samples: usize,
}

impl TopKAccuracy {
    /// Among the `k` largest.
    ///
    /// # Panics
    /// If `k` is 0.
    #[track_caller]
    pub fn new(k: usize) -> TopKAccuracy {
        assert!(k > 0, "TopKAccuracy: k must be at least 1, not 0");
        TopKAccuracy { k, correct: 0, samples: 0 }
    }
}

impl Metric for TopKAccuracy {
    fn name(&self) -> &'static str {
        "top_k_accuracy"
    }

    fn reset(&mut self) {
        *self = TopKAccuracy::new(self.k);
    }

    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        let classes = prediction.size(1);
        let labels = labels(target);
        for (row, &label) in numbers(prediction).chunks(classes).zip(&labels) {
            let Some(own) = usize::try_from(label).ok().and_then(|label| row.get(label)) else { continue };
            let better = row.iter().enumerate().filter(|&(class, x)| x > own || x == own && (class as i64) < label);
            self.correct += usize::from(better.count() < self.k);
        }
        self.samples += labels.len();
    }

    fn value(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    fn display(&self, value: f64) -> String {
        format!("{:.2}%", 100.0 * value)
    }

    fn check(&self, output: &Shape, _targets: &Tensor) -> Result<()> {
        match **output {
            [classes] if self.k <= classes => Ok(()),
            [classes] => {
                Err(Error::Config(format!("top_k_accuracy: k is {}, but there are only {classes} classes", self.k)))
            }
            _ => {
                Err(Error::Config(format!("top_k_accuracy takes one number per class, not outputs of shape {output}")))
            }
        }
    }
}
