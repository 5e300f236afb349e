//! The loss of each sample.

use super::Trainer;
use super::counted::Counted;
use super::trainer::EVALUATION_BATCH;
use crate::data::{Batch, Dataset};
use crate::nn::{Context, Model};
use crate::{DType, Error, Result, Tensor, no_grad};

impl<M: Model> Trainer<M> {
    /// The loss of each sample of `data` in evaluation mode, times the sample's weights, and what it counts in the mean: the loss of all is
    /// the sum of the first divided by the sum of the second. Of padded sequences with an output for each step, the loss of a sample is the sum
    /// over its steps, which it counts. Penalties are not part of it. For intervals of a loss, as
    /// [`bootstrap_interval`](crate::metric::bootstrap_interval) computes them, and for finding what the model is worst at.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// let model = model.compile(Sgd::new(0.1), BinaryCrossentropy, ())?;
    /// let (sum, count) = model.sample_losses(&data)?.into_iter().fold((0.0, 0.0), |(a, b), (loss, own)| (a + loss, b + own));
    /// assert!((sum / count - model.evaluate(&data)?["loss"]).abs() < 1e-6);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`evaluate`](Trainer::evaluate); if the model has several losses.
    pub fn sample_losses(&self, data: &Dataset) -> Result<Vec<(f64, f64)>> {
        let [own] = &self.losses[..] else {
            return Err(Error::Config("sample_losses is for a model with one loss".into()));
        };
        self.check(data)?;
        let mut all = Vec::with_capacity(data.len());
        data.batches(EVALUATION_BATCH).read_ahead(|next| -> Result<()> {
            while let Some(Batch { inputs, targets, weights }) = next()? {
                no_grad(|| {
                    let mut ctx = Context::evaluation();
                    let predictions = self.model.forward_parts(&inputs, &mut ctx);
                    for row in 0..inputs.first().size(0) {
                        let pick = |_: usize, tensor: &Tensor| tensor.narrow(0, row, 1);
                        let weight = weights.as_ref().map(|weights| weights.narrow(0, row, 1));
                        let lengths = ctx.lengths().map(|lengths| &lengths[row..=row]);
                        let sample = Counted::of(predictions.map(pick), &targets.map(pick), weight.as_ref(), lengths);
                        let (parts, _) = self.parts(&sample, &mut Context::evaluation());
                        let number = |scalar: &Tensor| scalar.to_dtype(DType::F64).item();
                        all.extend(parts.iter().map(|parts| (own.weight * number(&parts.sum), number(&parts.divisor))));
                    }
                });
            }
            Ok(())
        })?;
        Ok(all)
    }
}
