//! Predictions of a trained model.

use super::Trainer;
use super::checks::check_preprocessing;
use super::trainer::EVALUATION_BATCH;
use crate::data::{Dataset, Parts, Preprocessing};
use crate::finite::first_not_finite;
use crate::nn::{Context, Model};
use crate::{Error, Result, Tensor, concat, no_grad};

/// What [`Trainer::predict`] takes: `&Tensor`, `&Dataset`, or `&Parts` for a model with several inputs.
pub struct Samples<'a>(Kind<'a>);

enum Kind<'a> {
    Raw(Parts),
    Dataset(&'a Dataset),
}

impl<'a> From<&'a Tensor> for Samples<'a> {
    fn from(inputs: &'a Tensor) -> Samples<'a> {
        Samples(Kind::Raw(inputs.clone().into()))
    }
}

impl<'a> From<&'a Parts> for Samples<'a> {
    fn from(inputs: &'a Parts) -> Samples<'a> {
        Samples(Kind::Raw(inputs.clone()))
    }
}

impl<'a> From<&'a Dataset> for Samples<'a> {
    fn from(data: &'a Dataset) -> Samples<'a> {
        Samples(Kind::Dataset(data))
    }
}

impl<M: Model> Trainer<M> {
    /// The model's outputs for a [`Dataset`](crate::data::Dataset), or for a tensor whose first axis counts the samples; in
    /// evaluation mode, without gradients.
    ///
    /// A dataset's transforms are applied, as in training. Raw samples, which are of the type that the training data was stored
    /// in, are transformed as the training data was: bytes of pixels are scaled as those that the model was trained on, also
    /// after the model was loaded from a file. Inputs of another type are taken as they are. What [`Dataset::batch`] returns is
    /// transformed already: where the raw inputs are floats, too, give the dataset, or call the model itself.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let pixels = Tensor::from_slice(&[0u8, 255, 255, 0], [2, 2]);
    /// let data = Dataset::new("pixels", pixels.clone(), Tensor::arange(2))?.divide(255.0);
    /// let model = Sequential::new([2]).add(Dense::new(2).activation(Softmax));
    /// let mut model = model.compile(Adam::new(0.1), CategoricalCrossentropy, ())?;
    /// model.fit(&data, Fit::epochs(20).quiet())?;
    /// let from_pixels = model.predict(&pixels)?;
    /// assert_eq!(from_pixels.argmax(1).to_vec::<i64>(), [0, 1]);
    /// assert_eq!(from_pixels.to_vec::<f32>(), model.predict(&data)?.to_vec::<f32>());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the inputs do not fit the model or are not finite, or an output is NaN.
    pub fn predict<'a>(&self, inputs: impl Into<Samples<'a>>) -> Result<Tensor> {
        let outputs = self.predict_parts(inputs)?;
        match outputs.only() {
            Some(output) => Ok(output.clone()),
            None => Err(Error::Config(format!("the model has the outputs {}; use predict_parts", outputs.names()))),
        }
    }

    /// As [`predict`](Trainer::predict), for a model with several inputs or outputs.
    ///
    /// # Errors
    /// As [`predict`](Trainer::predict).
    pub fn predict_parts<'a>(&self, inputs: impl Into<Samples<'a>>) -> Result<Parts> {
        match inputs.into().0 {
            Kind::Raw(inputs) => {
                let all = self.preprocessing();
                let ready = inputs.iter().map(|(name, input)| match Preprocessing::of(&all, inputs.len(), name) {
                    Some(own) if own.is_raw(input) => (name, own.apply(input)),
                    _ => (name, input.clone()),
                });
                self.outputs(&ready.collect())
            }
            Kind::Dataset(data) => {
                check_preprocessing(&self.preprocessing(), data)?;
                let mut all: Vec<Parts> = Vec::new();
                data.batches(EVALUATION_BATCH).read_ahead(|next| -> Result<()> {
                    while let Some(batch) = next()? {
                        all.push(self.outputs(&batch.inputs)?);
                    }
                    Ok(())
                })?;
                let column = |name: &str| all.iter().map(|parts| parts[name].clone()).collect::<Vec<_>>();
                Ok(all[0].iter().map(|(name, _)| (name, concat(&column(name), 0))).collect())
            }
        }
    }

    fn outputs(&self, inputs: &Parts) -> Result<Parts> {
        self.model.check_parts(inputs)?;
        for (_, input) in inputs.iter() {
            if let Some((element, value)) = first_not_finite(input) {
                let samples = input.shape().first().copied().unwrap_or(1);
                let sample = element / (input.elements() / samples);
                return Err(Error::Data(format!(
                    "the inputs must be finite numbers, but sample {sample} holds {value}"
                )));
            }
        }
        let predictions = no_grad(|| self.model.forward_parts(inputs, &mut Context::evaluation()));
        predictions.iter().try_for_each(|(_, prediction)| self.check_not_nan(prediction))?;
        Ok(predictions)
    }
}
