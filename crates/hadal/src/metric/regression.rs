//! Errors of regression.

use super::classes::assert_as_many;
use super::{Metric, check_numbers, counts, no_state, numbers};
use crate::{Result, Shape, Tensor};

macro_rules! mean_metric {
    ($(#[$docs:meta])* $name:ident, $label:literal, $error:expr) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name {
            sum: f64,
            count: usize,
        }

        impl $name {
            /// Without samples.
            pub fn new() -> $name {
                $name::default()
            }
        }

        impl Metric for $name {
            fn name(&self) -> &'static str {
                $label
            }

            fn reset(&mut self) {
                *self = $name::default();
            }

            #[track_caller]
            fn update(&mut self, prediction: &Tensor, target: &Tensor) {
                let error: fn(f64) -> f64 = $error;
                let (y, t) = (numbers(prediction), numbers(target));
                assert_as_many(self.name(), prediction, y.len(), target, t.len());
                self.sum += y.iter().zip(&t).map(|(y, t)| error(y - t)).sum::<f64>();
                self.count += t.len();
            }

            fn compute(&self) -> f64 {
                self.sum / self.count as f64
            }

            fn higher_is_better(&self) -> Option<bool> {
                Some(false)
            }

            fn state(&self) -> Option<Vec<f64>> {
                Some(vec![self.sum, self.count as f64])
            }

            fn load_state(&mut self, state: &[f64]) -> Result<()> {
                let [sum, count] = state.try_into().map_err(|_| no_state(self.name()))?;
                [self.count] = counts(self.name(), &[count])?;
                self.sum = sum;
                Ok(())
            }

            fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
                check_numbers(self.name(), output, targets)
            }
        }
    };
}

mean_metric!(
    /// The mean of `|y - t|` over all elements.
    ///
    /// ```
    /// use hadal::metric::MeanAbsoluteError;
    /// use hadal::prelude::*;
    /// let mut error = MeanAbsoluteError::new();
    /// error.update(&Tensor::from_slice(&[1.0f32, 4.0], [2, 1]), &Tensor::zeros([2, 1]));
    /// assert_eq!(error.compute(), 2.5);
    /// ```
    MeanAbsoluteError, "mean_absolute_error", f64::abs
);
mean_metric!(
    /// The mean of `(y - t)^2` over all elements.
    MeanSquaredError, "mean_squared_error", |error| error * error
);
