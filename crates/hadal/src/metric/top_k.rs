//! Top-k accuracy.

use super::classes::{Threshold, assert_as_many, check_classes, labels};
use super::{Metric, counts, numbers};
use crate::{Error, Result, Shape, Tensor};

/// Top-k accuracy: the fraction of samples whose label is among the `k` largest outputs `[N, C]`. Ties are broken by class
/// index, lowest first; NaN ranks above all numbers, as in PyTorch's `topk`, but a sample whose own output is NaN is wrong.
///
/// ```
/// use hadal::metric::TopKAccuracy;
/// use hadal::prelude::*;
/// let mut top = TopKAccuracy::new(2);
/// let scores = Tensor::from_slice(&[0.5f32, 0.3, 0.2, 0.5, 0.3, 0.2], [2, 3]);
/// top.update(&scores, &Tensor::from_slice(&[1i64, 2], [2]));
/// assert_eq!(top.compute(), 0.5);
/// ```
#[doc(alias = "TopKCategoricalAccuracy")]
#[derive(Clone, Copy, Debug)]
pub struct TopKAccuracy {
    k: usize,
    correct: usize,
    samples: usize,
}

impl TopKAccuracy {
    /// Among the `k` largest.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut top = TopKAccuracy::new(1);
    /// top.update(&Tensor::from([[0.5, 0.3, 0.2]]), &Tensor::from([1]));
    /// assert_eq!(top.compute(), 0.0);
    /// ```
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

    fn describe(&self) -> String {
        format!("{} with k {}", self.name(), self.k)
    }

    fn reset(&mut self) {
        *self = TopKAccuracy::new(self.k);
    }

    /// # Panics
    /// If predictions are not `[N, C]`, or there are not as many labels, or a label is not below `C`.
    #[track_caller]
    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        assert!(prediction.rank() == 2, "top_k_accuracy takes predictions [N, C], not {}", prediction.shape());
        let (classes, labels) = (prediction.size(1), labels(target));
        assert_as_many(self.name(), prediction, prediction.size(0), target, labels.len());
        for (row, &label) in numbers(prediction).chunks(classes.max(1)).zip(&labels) {
            let own = usize::try_from(label).ok().and_then(|label| row.get(label));
            let Some(own) = own else { panic!("top_k_accuracy: label {label} is out of range for {classes} classes") };
            let before = |class: usize, x: &f64| x > own || x.is_nan() || x == own && (class as i64) < label;
            let better = row.iter().enumerate().filter(|&(class, x)| before(class, x)).count();
            self.correct += usize::from(!own.is_nan() && better < self.k);
        }
        self.samples += labels.len();
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

    fn state(&self) -> Option<Vec<f64>> {
        Some(vec![self.correct as f64, self.samples as f64])
    }

    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        [self.correct, self.samples] = counts(self.name(), state)?;
        Ok(())
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        match **output {
            [classes] if classes > 1 && self.k <= classes => {
                check_classes(self.name(), output, targets, Threshold::HALF)
            }
            [classes] if classes > 1 => {
                Err(Error::Config(format!("top_k_accuracy: k is {}, but there are only {classes} classes", self.k)))
            }
            _ => {
                Err(Error::Config(format!("top_k_accuracy takes one number per class, not outputs of shape {output}")))
            }
        }
    }
}
