//! Random transforms of a dataset's training batches.

use std::sync::Arc;

use super::inputs::{Inputs, Pick};
use super::{Augment, AugmentPass, AugmentStep, Dataset, Parts};
use crate::{Error, Result, Shape, Tensor, concat};

impl Dataset {
    /// Changes the first input, or the one chosen by [`for_input`](Dataset::for_input), at random in every training batch of
    /// [`fit`](crate::train::Trainer::fit), before it is scaled and normalized. Evaluation and prediction see it as it is.
    ///
    /// ```
    /// use hadal::data::Augment;
    /// use hadal::prelude::*;
    /// let images = Dataset::new("images", Tensor::zeros([5, 28, 28]), Tensor::arange(5))?;
    /// let images = images.augment(Augment::new().shift(0.1).rotate(10.0))?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the transforms do not fit the shape or type of the inputs.
    pub fn augment(mut self, augment: Augment) -> Result<Dataset> {
        let (_, dtype) = self.inputs.kinds()[self.selected.unwrap_or(0)];
        let shape = match (&self.inputs, self.selected) {
            (Inputs::Memory(parts), Some(index)) => Shape::from(&parts.at(index).shape()[1..]),
            _ => self.input_shape(),
        };
        augment.check(&shape, dtype).map_err(|error| Error::Data(format!("{}: {error}", self.name)))?;
        let mixes = augment.steps().iter().any(|step| matches!(step, AugmentStep::Mixup { .. }));
        if mixes && self.indices() > 0 {
            return Err(Error::Config(format!(
                "{}: augment: mixup cannot mix categories that are embedded; a larger max_one_hot gives each level an input of \
                 its own",
                self.name
            )));
        }
        self.augment = Some(Arc::new(augment));
        Ok(self)
    }

    /// Some samples as a training pass takes them: changed by the random transforms, too.
    pub(super) fn read_augmented(&self, pick: Pick, pass: AugmentPass) -> Result<(Parts, Parts)> {
        let Some(augment) = &self.augment else { return self.read(pick) };
        let chosen = self.selected.unwrap_or(0);
        let (mut inputs, mut targets) = (self.inputs.read(pick)?, self.targets.map(|_, target| pick.of(target)));
        let (mut x, mut y) = (inputs.at(chosen).clone(), targets.first().clone());
        let raw = x.clone();
        (x, y) = augment.apply(&x, &y, pass.seed, pass.epoch, &pick.indices())?;
        x = self.with_indices_of(x, &raw);
        inputs = inputs.map(|i, input| if i == chosen { x.clone() } else { input.clone() });
        targets = targets.map(|i, target| if i == 0 { y.clone() } else { target.clone() });
        Ok((self.ready(&inputs), targets))
    }

    /// How many of the last columns of the augmented input are indices of categories.
    fn indices(&self) -> usize {
        #[cfg(feature = "table")]
        if let Some(encoder) = self.preprocessing[self.selected.unwrap_or(0)].encoder() {
            return encoder.indices();
        }
        0
    }

    /// Indices of categories are no amounts: they stay what they were.
    fn with_indices_of(&self, x: Tensor, raw: &Tensor) -> Tensor {
        match self.indices() {
            0 => x,
            indices => {
                let numbers = x.size(1) - indices;
                concat(&[x.narrow(1, 0, numbers), raw.narrow(1, numbers, indices)], 1)
            }
        }
    }

    /// The first samples as a training pass takes them, if they are changed at random.
    pub(crate) fn augmented_start(&self, samples: usize, seed: u64) -> Result<Option<Dataset>> {
        if self.augment.is_none() {
            return Ok(None);
        }
        let pick = Pick::Run { start: 0, length: samples.min(self.len()) };
        let (inputs, targets) = self.read_augmented(pick, AugmentPass { seed, epoch: 0 })?;
        Dataset::with_parts(&self.name, inputs, targets).map(Some)
    }
}
