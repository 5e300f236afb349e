//! The coefficient of determination.

use super::classes::assert_as_many;
use super::{Metric, check_numbers, no_state, numbers};
use crate::{Error, Result, Shape, Tensor};

/// The coefficient of determination R², `1 - sum (y - t)^2 / sum (t - mean of t)^2`: 1 for perfect predictions, 0 for those no
/// better than the mean, below for worse. Over all elements of all batches; NaN where all targets are the same.
///
/// ```
/// use hadal::metric::R2Score;
/// use hadal::prelude::*;
/// let mut r2 = R2Score::new();
/// let t = Tensor::from_slice(&[1.0f32, 2.0, 3.0], [3, 1]);
/// r2.update(&(&t + 0.1), &t);
/// assert!((r2.compute() - 0.985).abs() < 1e-6);
/// ```
#[doc(alias = "r2_score")]
#[derive(Clone, Copy, Debug, Default)]
pub struct R2Score {
    count: f64,
    mean: f64,
    /// The sum of squared distances of targets from their mean.
    spread: f64,
    /// The sum of squared errors.
    errors: f64,
}

impl R2Score {
    /// Without samples.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut r2 = R2Score::new();
    /// let target = Tensor::from([[1.0], [3.0]]);
    /// r2.update(&Tensor::from([[2.0], [2.0]]), &target);
    /// assert_eq!(r2.compute(), 0.0); // no better than the mean
    /// ```
    pub fn new() -> R2Score {
        R2Score::default()
    }
}

impl Metric for R2Score {
    fn name(&self) -> &'static str {
        "r2_score"
    }

    fn reset(&mut self) {
        *self = R2Score::default();
    }

    #[track_caller]
    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        let (predictions, targets) = (numbers(prediction), numbers(target));
        assert_as_many(self.name(), prediction, predictions.len(), target, targets.len());
        for (y, t) in predictions.into_iter().zip(targets) {
            // Welford's running mean and spread, which no offset can spoil.
            self.count += 1.0;
            let before = t - self.mean;
            self.mean += before / self.count;
            self.spread += before * (t - self.mean);
            self.errors += (y - t) * (y - t);
        }
    }

    fn compute(&self) -> f64 {
        if self.spread == 0.0 { f64::NAN } else { 1.0 - self.errors / self.spread }
    }

    fn higher_is_better(&self) -> Option<bool> {
        Some(true)
    }

    fn state(&self) -> Option<Vec<f64>> {
        Some(vec![self.count, self.mean, self.spread, self.errors])
    }

    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        let [count, mean, spread, errors] = state.try_into().map_err(|_| no_state(self.name()))?;
        *self = R2Score { count, mean, spread, errors };
        Ok(())
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_numbers(self.name(), output, targets)?;
        let all = numbers(targets);
        if all.iter().any(|t| *t != all[0]) {
            return Ok(());
        }
        Err(Error::Data("r2_score is undefined because all targets are equal".into()))
    }
}
