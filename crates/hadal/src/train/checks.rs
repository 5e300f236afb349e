//! What is checked before a run, an evaluation or a prediction.

use std::sync::Once;

use super::Trainer;
use super::counted::{check_lengths, joined};
use super::trainer::EVALUATION_BATCH;
use crate::data::{Dataset, Parts, Preprocessing};
use crate::finite::first_not_finite;
use crate::loss::{OutputLoss, check_per_sample};
use crate::monitor::note;
use crate::nn::{Context, Model};
use crate::{DType, Error, Result, Shape, Tensor, no_grad};

/// How many samples are passed through the model before a run, to see that everything fits.
pub(super) const PROBE: usize = 32;

impl<M: Model> Trainer<M> {
    /// Checks that outputs are numbers; the message names the weights that are not, if there are such.
    pub(super) fn check_not_nan(&self, prediction: &Tensor) -> Result<()> {
        // Infinite outputs have their uses, as logits of classes that cannot be.
        if first_not_finite(prediction).is_none() || prediction.ne(prediction).sum().item() == 0.0 {
            return Ok(());
        }
        Err(Error::Data(format!("the model's output is NaN: {}", self.cause_of_nan())))
    }

    /// Why numbers that the model computes are not finite.
    pub(super) fn cause_of_nan(&self) -> String {
        let mut cause = None;
        self.model.visit("", &mut |name, tensor| {
            if cause.is_none() {
                cause = first_not_finite(tensor).map(|(element, value)| (name.to_owned(), element, value));
            }
        });
        match cause {
            Some((name, element, value)) => format!("its tensor `{name}` holds {value} (element {element})"),
            None => "its weights are finite, but its outputs overflow for these inputs, or a layer computes an undefined value \
                     such as 0 / 0"
                .into(),
        }
    }

    /// Checks that the model can be trained in batches of `batch_size` samples of `data`.
    pub(super) fn check_batches(&self, data: &Dataset, batch_size: usize) -> Result<()> {
        if self.model.parameter_count() == 0 {
            return Err(Error::Config("the model has no parameters to train; unfreeze() some".into()));
        }
        let (samples, needed) = (data.len(), self.model.min_batch_size());
        let last = match samples % batch_size.min(samples) {
            0 => batch_size.min(samples),
            rest => rest,
        };
        if last >= needed {
            return Ok(());
        }
        Err(Error::Config(format!(
            "{}: with batch size {batch_size} the smallest batch of the {samples} samples has {last}, but training this model needs \
             at least {needed} samples per batch (BatchNorm computes their variance); choose another batch size or number of samples",
            data.name()
        )))
    }

    /// Checks that data fits model and loss, by a pass of a few samples.
    pub(super) fn check(&self, data: &Dataset) -> Result<()> {
        let prefix = |error: Error| Error::Data(format!("{}: {error}", data.name()));
        if self.losses.is_empty() {
            return Err(Error::Config("there is no loss; add one for each output to Losses".into()));
        }
        if data.sample_weights_tensor().is_some_and(|weights| weights.max().item() == 0.0) {
            return Err(prefix(Error::Data("all sample weights are 0; at least one must be positive".into())));
        }
        let (x, y) = data.run(0, data.len().min(PROBE))?;
        self.model.check_parts(&x).map_err(prefix)?;
        // All inputs, where there are indices; of floating-point numbers the dataset has checked all.
        if data.input_kinds().iter().any(|(_, dtype)| *dtype == DType::I64) {
            let mut batches = data.batches(EVALUATION_BATCH);
            let mut start = 0;
            while let Some(batch) = batches.next_batch()? {
                let from_start = |error: Error| match start {
                    0 => prefix(error),
                    _ => prefix(Error::Data(format!("counted from sample {start}: {error}"))),
                };
                self.model.check_parts(&batch.inputs).map_err(from_start)?;
                start += EVALUATION_BATCH;
            }
        }
        // Recorded, for the loss to see which function made the prediction.
        let mut ctx = Context::evaluation();
        let predictions = self.model.forward_parts(&x, &mut ctx);
        let samples = x.first().size(0);
        for (_, prediction) in predictions.iter() {
            if prediction.shape().first() != Some(&samples) {
                return Err(prefix(Error::Data(format!(
                    "the model gives shape {} for {samples} samples; outputs have the samples on their first axis",
                    prediction.shape()
                ))));
            }
        }
        let lengths = ctx.take_lengths();
        if let Some(lengths) = &lengths {
            check_lengths(&predictions, &y, lengths).map_err(prefix)?;
        }
        for OutputLoss { output, loss, .. } in &self.losses {
            let output = output.as_deref();
            let prediction = part("output", &predictions, output).map_err(prefix)?;
            let target = part("target", &y, output).map_err(prefix)?;
            let targets = part("target", data.target_parts(), output).map_err(prefix)?;
            let shape = Shape::from(&prediction.shape()[1..]);
            loss.check(&shape, targets).map_err(prefix)?;
            if lengths.is_some() {
                loss.check(&Shape::from(&shape[1..]), &joined(targets)).map_err(prefix)?;
            }
            self.check_not_nan(prediction).map_err(prefix)?;
            loss.check_prediction(prediction).map_err(prefix)?;
            let losses = no_grad(|| loss.per_sample(&prediction.detach(), target));
            check_per_sample(loss.name(), &losses, prediction).map_err(Error::Config).map_err(prefix)?;
        }
        self.metrics().iter().try_for_each(|metric| {
            let prediction = part("output", &predictions, metric.output()).map_err(prefix)?;
            let targets = part("target", data.target_parts(), metric.output()).map_err(prefix)?;
            let shape = Shape::from(&prediction.shape()[1..]);
            metric.check(&shape, targets).map_err(prefix)?;
            if lengths.is_none() {
                return Ok(());
            }
            metric.check(&Shape::from(&shape[1..]), &joined(targets)).map_err(prefix)
        })
    }
}

/// The part of what a loss or metric is about.
fn part<'a>(what: &str, parts: &'a Parts, output: Option<&str>) -> Result<&'a Tensor> {
    parts.of(output).ok_or_else(|| {
        Error::Config(match output {
            Some(name) => {
                format!("no {what} is called `{name}`, which a loss or metric is for; there are {}", parts.names())
            }
            None => format!(
                "there are the {what}s {}, so each loss and metric must name its own: Losses::output and Metric::of",
                parts.names()
            ),
        })
    })
}

/// Refuses bytes that are transformed otherwise than those that the model was trained on. Floats may have been transformed
/// before they were put into the dataset, so there is only a note.
pub(crate) fn check_preprocessing(trained: &[Preprocessing], data: &Dataset) -> Result<()> {
    let inputs = data.input_kinds();
    for ((name, dtype), own) in inputs.iter().zip(data.preprocessing()) {
        let Some(trained) = Preprocessing::of(trained, inputs.len(), name) else { continue };
        if !trained.is_of_type(*dtype) || own.is_same_as(trained) {
            continue;
        }
        let problem = format!("{}: the model was trained on {trained}, but these are {own}", data.name());
        if !dtype.is_float() {
            return Err(Error::Data(format!("{problem}; apply the same transforms to the dataset")));
        }
        static ONCE: Once = Once::new();
        ONCE.call_once(|| note(&format!("{problem}; if they are raw, apply the same transforms to the dataset")));
    }
    Ok(())
}

/// Notes labels that no sample has, though the model has an output for each.
pub(super) fn note_missing_labels(data: &Dataset, output: Option<Shape>) {
    let Some(&[classes]) = output.as_deref() else { return };
    if data.targets().dtype() != DType::I64 || data.targets().rank() != 1 || classes < 2 {
        return;
    }
    let mut seen = vec![false; classes];
    for label in data.targets().to_vec::<i64>() {
        if let Some(seen) = usize::try_from(label).ok().and_then(|label| seen.get_mut(label)) {
            *seen = true;
        }
    }
    if let Some(missing) = seen.iter().position(|seen| !seen) {
        let all = seen.iter().filter(|seen| !**seen).count();
        let others = if all > 1 { format!(" and {} more of the labels", all - 1) } else { String::new() };
        let name = data.name();
        note(&format!("{name}: no sample has label {missing}{others}, though the model has {classes} outputs"));
    }
}
