//! Predictions of a trained model.

use super::Trainer;
use super::checks::check_preprocessing;
use super::trainer::EVALUATION_BATCH;
#[cfg(feature = "table")]
use crate::data::Table;
use crate::data::{Dataset, Parts, Preprocessing};
use crate::finite::first_not_finite;
use crate::nn::{Context, Model};
use crate::{Error, Result, Tensor, concat, no_grad};

/// What [`Trainer::predict`] takes: `&Tensor`, `&Dataset`, or `&Parts` for a model with several inputs.
pub struct Samples<'a>(Kind<'a>);

enum Kind<'a> {
    Raw(Parts),
    Dataset(&'a Dataset),
    #[cfg(feature = "table")]
    Table(&'a Table),
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

#[cfg(feature = "table")]
impl<'a> From<&'a Table> for Samples<'a> {
    fn from(table: &'a Table) -> Samples<'a> {
        Samples(Kind::Table(table))
    }
}

impl<M: Model> Trainer<M> {
    /// The model's outputs for a [`Dataset`](crate::data::Dataset), or for a tensor whose first axis counts the samples; in
    /// evaluation mode, without gradients, and some at a time, as the activations of all might not fit into memory.
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
                self.in_batches(&inputs, |part| {
                    let ready = part.iter().map(|(name, input)| match Preprocessing::of(&all, part.len(), name) {
                        Some(own) if own.is_raw(input) => (name, own.apply(input)),
                        _ => (name, input.clone()),
                    });
                    ready.collect()
                })
            }
            #[cfg(feature = "table")]
            Kind::Table(table) => {
                let all = self.preprocessing();
                let only = if let [only] = &all[..] { Some(only) } else { None };
                let Some((own, encoder)) = only.and_then(|own| Some((own, own.encoder()?))) else {
                    return Err(Error::Data(format!(
                        "{}: the model was not trained on the rows of a table; give it a tensor or a dataset",
                        table.name()
                    )));
                };
                self.in_batches(&encoder.inputs(table)?.into(), |part| own.apply(part.first()).into())
            }
            Kind::Dataset(data) => {
                check_preprocessing(&self.preprocessing(), data)?;
                let mut all: Vec<Parts> = Vec::new();
                let mut start = 0;
                data.batches(EVALUATION_BATCH).read_ahead(|next| -> Result<()> {
                    while let Some(batch) = next()? {
                        all.push(self.outputs(&batch.inputs, start)?);
                        start += batch.inputs.first().size(0);
                    }
                    Ok(())
                })?;
                joined(&all, start)
            }
        }
    }

    /// The outputs for raw inputs, which `ready` transforms, some at a time: activations take memory.
    fn in_batches(&self, inputs: &Parts, ready: impl Fn(&Parts) -> Parts) -> Result<Parts> {
        let rows = inputs.first().shape().first().copied().unwrap_or(0);
        // What does not fit together is refused as it is.
        if rows <= EVALUATION_BATCH || inputs.iter().any(|(_, input)| input.shape().first() != Some(&rows)) {
            return self.outputs(&ready(inputs), 0);
        }
        let starts = (0..rows).step_by(EVALUATION_BATCH);
        let part = |start: usize| {
            let part = inputs.map(|_, input| input.narrow(0, start, EVALUATION_BATCH.min(rows - start)));
            self.outputs(&ready(&part), start)
        };
        joined(&starts.map(part).collect::<Result<Vec<_>>>()?, rows)
    }

    /// The outputs for a batch that begins with sample `start`.
    fn outputs(&self, inputs: &Parts, start: usize) -> Result<Parts> {
        self.model.check_parts(inputs).map_err(|error| match start {
            0 => error,
            _ => Error::Data(format!("counted from sample {start}: {error}")),
        })?;
        for (_, input) in inputs.iter() {
            if let Some((element, value)) = first_not_finite(input) {
                let samples = input.shape().first().copied().unwrap_or(1);
                let sample = start + element / (input.elements() / samples);
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

/// The outputs for batches, one after another.
///
/// # Errors
/// If there are several batches, and outputs that are not for each of the samples.
fn joined(all: &[Parts], samples: usize) -> Result<Parts> {
    if let [only] = all {
        return Ok(only.clone());
    }
    let join = |name: &str, first: &Tensor| {
        let outputs: Vec<Tensor> = all.iter().map(|parts| parts[name].clone()).collect();
        let count: usize = outputs.iter().filter_map(|output| output.shape().first()).sum();
        if count != samples {
            return Err(Error::Data(format!(
                "the model gives shape {} for the first of {} batches of {samples} samples; outputs have the samples on their first \
                 axis, or all samples are given to the model itself at once",
                first.shape(),
                all.len()
            )));
        }
        Ok(concat(&outputs, 0))
    };
    all[0].iter().map(|(name, first)| Ok((name, join(name, first)?))).collect()
}
