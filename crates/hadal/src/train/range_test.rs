//! The learning rate range test.

use std::collections::BTreeMap;

use super::Trainer;
use super::counted::Counted;
use crate::data::{Batch, Dataset};
use crate::nn::{Context, Model};
use crate::optim::{Core, check_positive};
use crate::{DType, Error, Result, Rng, Tensor};

/// The result of a [learning rate range test](Trainer::learning_rate_range_test): the loss at each learning rate.
#[doc(alias = "lr_find")]
#[derive(Clone, Debug, PartialEq)]
pub struct LearningRateRangeTest {
    /// The learning rate of each step; it grows exponentially.
    pub learning_rates: Vec<f64>,
    /// The loss of each step, smoothed by an exponential moving average.
    pub losses: Vec<f64>,
}

/// The smoothing factor of the exponential moving average.
const SMOOTHING: f64 = 0.9;
/// The test ends when the smoothed loss is this many times the smallest so far.
const DIVERGED: f64 = 4.0;

impl LearningRateRangeTest {
    /// The suggested learning rate: where the smoothed loss decreases fastest on a logarithmic scale of the learning rate,
    /// among steps with a new minimum of the loss.
    ///
    /// ```
    /// use hadal::train::LearningRateRangeTest;
    /// let learning_rates = vec![0.001, 0.01, 0.1, 1.0, 10.0];
    /// let test = LearningRateRangeTest { learning_rates, losses: vec![1.0, 0.9, 0.4, 0.35, 2.0] };
    /// assert_eq!(test.suggestion(), 0.01);
    /// ```
    pub fn suggestion(&self) -> f64 {
        // Over a stretch of steps, since single losses are noisy.
        let reach = (self.learning_rates.len() / 20).max(1);
        let (mut lowest, mut steepest) = (f64::INFINITY, (0.0, 0));
        for end in 2 * reach..self.losses.len() {
            let (start, loss) = (self.losses[end - 2 * reach], self.losses[end]);
            lowest = lowest.min(self.losses[end - 1]);
            if loss < lowest && loss - start < steepest.0 {
                steepest = (loss - start, end - reach);
            }
        }
        self.learning_rates[steepest.1]
    }
}

impl<M: Model> Trainer<M> {
    /// Trains for up to `steps` steps on batches of `batch_size` while the learning rate grows from `min_lr` to `max_lr`, until
    /// the loss explodes (Smith, WACV 2017, section 3.3); then puts model and optimizer back as they were, whatever happened.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let x = Tensor::rand([256, 2], &mut Rng::new(1));
    /// let data = Dataset::new("sums", x.clone(), x.sum_keepdim(&[1]))?;
    /// let mut model = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::default(), MeanSquaredError, ())?;
    /// let test = model.learning_rate_range_test(&data, 1e-4, 10.0, 100, 32)?;
    /// assert!(test.suggestion() > 1e-4 && test.suggestion() < 10.0);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the learning rates are not positive, finite and growing, there are fewer than 2 steps, the data does not fit the
    /// model, or as [`fit`](Trainer::fit).
    pub fn learning_rate_range_test(
        &mut self,
        data: &Dataset,
        min_lr: f64,
        max_lr: f64,
        steps: usize,
        batch_size: usize,
    ) -> Result<LearningRateRangeTest> {
        check_positive("min_lr", min_lr, "1e-6")?;
        check_positive("max_lr", max_lr, "1")?;
        if max_lr <= min_lr || steps < 2 || batch_size == 0 {
            return Err(Error::Config(format!(
                "a range test needs learning rates that grow, at least 2 steps and batches of at least 1 sample; got {min_lr} to \
                 {max_lr}, {steps} steps and batches of {batch_size}"
            )));
        }
        self.optimizer.check()?;
        self.optimizer.core().check_parameters(&self.model)?;
        self.check(data)?;
        self.check_batches(data, batch_size)?;
        let before = Restored::after(self);
        let trainer = &mut *before.trainer;
        let mut rng = Rng::with_stream(trainer.seed, 0x7a7e);
        let mut ctx = Context::training(rng.clone());
        let mut test = LearningRateRangeTest { learning_rates: Vec::new(), losses: Vec::new() };
        let (mut average, mut smallest) = (0.0, f64::INFINITY);
        'steps: while test.learning_rates.len() < steps {
            let mut batches = data.batches(batch_size).shuffle(&mut rng);
            while let Some(Batch { inputs, targets, weights }) = batches.next_batch()? {
                let step = test.learning_rates.len();
                if step == steps {
                    break;
                }
                let learning_rate = min_lr * (max_lr / min_lr).powf(step as f64 / (steps - 1) as f64);
                let predictions = trainer.model.forward_parts(&inputs, &mut ctx);
                let lengths = ctx.take_lengths();
                let counted = Counted::of(predictions, &targets, weights.as_ref(), lengths.as_deref());
                let (parts, penalty) = trainer.parts(&counted, &mut ctx);
                let loss = trainer.total(&parts, penalty.as_ref());
                let gradients = loss.backward();
                average = SMOOTHING * average + (1.0 - SMOOTHING) * loss.to_dtype(DType::F64).item();
                let smoothed = average / (1.0 - SMOOTHING.powf(step as f64 + 1.0));
                if !smoothed.is_finite() || smoothed > DIVERGED * smallest {
                    break 'steps;
                }
                smallest = smallest.min(smoothed);
                test.learning_rates.push(learning_rate);
                test.losses.push(smoothed);
                trainer.optimizer.set_learning_rate(learning_rate);
                trainer.optimizer.step(&mut trainer.model, &gradients);
                trainer.model.constrain();
            }
        }
        if test.learning_rates.is_empty() {
            return Err(Error::Data("the loss is not finite even at the lowest learning rate".into()));
        }
        Ok(test)
    }
}

/// Restores model and optimizer when dropped: at the end of the test, on an error, on a panic.
struct Restored<'a, M: Model> {
    trainer: &'a mut Trainer<M>,
    weights: BTreeMap<String, Tensor>,
    core: Core,
}

impl<M: Model> Restored<'_, M> {
    fn after(trainer: &mut Trainer<M>) -> Restored<'_, M> {
        let (weights, core) = (trainer.model.state_dict().into_iter().collect(), trainer.optimizer.core().clone());
        Restored { trainer, weights, core }
    }
}

impl<M: Model> Drop for Restored<'_, M> {
    fn drop(&mut self) {
        // The weights are the model's own, so they fit.
        let _ = self.trainer.model.load_state_dict(&self.weights);
        *self.trainer.optimizer.core_mut() = std::mem::take(&mut self.core);
    }
}
