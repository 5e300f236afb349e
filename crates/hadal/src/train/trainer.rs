//! Training and evaluation of a model.

use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use super::pass::Pass;
use super::{Fit, History, Logs};
use crate::data::{Dataset, Parts, Preprocessing};
use crate::finite::first_not_finite;
use crate::loss::{IntoLosses, LossParts, OutputLoss, Weights, check_per_sample};
use crate::metric::{IntoMetrics, Metric};
use crate::monitor::note;
use crate::nn::{Context, Model, Sequential, Summary};
use crate::optim::Optimizer;
use crate::{DType, Error, Result, Rng, Shape, Tensor, concat, no_grad};

/// A model with its optimizer, loss and metrics, ready to train: what [`Sequential::compile`] returns.
///
/// A second [`fit`](Trainer::fit) continues where the first one stopped, with its random numbers, its epochs and its schedule:
/// `fit` for 5 epochs twice is `fit` for 10, unless the learning rate follows a schedule over the length of the run or
/// [`reduce_lr_on_plateau`](Fit::reduce_lr_on_plateau), which begin anew.
pub struct Trainer<M> {
    /// The network.
    pub model: M,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) losses: Vec<OutputLoss>,
    /// Behind a lock, so that a shared trainer can be evaluated.
    metrics: Mutex<Vec<Box<dyn Metric>>>,
    /// The name of each metric in logs.
    metric_names: Vec<String>,
    pub(super) seed: u64,
    pub(super) progress: Progress,
    /// The transforms of the data that the model was trained on, one for each input; none before.
    preprocessing: Vec<Preprocessing>,
}

/// How far training has come.
pub(super) struct Progress {
    /// Epochs trained to their end, or stopped by a callback.
    pub epochs: usize,
    /// Optimizer steps.
    pub steps: usize,
    /// The stream of the order of samples.
    pub order: Rng,
    /// The stream of dropout and its like.
    pub dropout: Rng,
}

/// The random streams of training.
const SHUFFLING: u64 = 0x5488;
const DROPPING: u64 = 0xd209;

impl Progress {
    fn start(seed: u64) -> Progress {
        let (order, dropout) = (Rng::with_stream(seed, SHUFFLING), Rng::with_stream(seed, DROPPING));
        Progress { epochs: 0, steps: 0, order, dropout }
    }
}

/// How many samples `evaluate` takes at once.
const EVALUATION_BATCH: usize = 1000;

/// How many samples are passed through the model before a run, to see that everything fits.
const PROBE: usize = 32;

impl<M: Model> Trainer<M> {
    /// Creates a trainer for any module. For a `Sequential` use [`Sequential::compile`].
    pub fn new(
        model: M,
        optimizer: impl Optimizer + 'static,
        loss: impl IntoLosses,
        metrics: impl IntoMetrics,
    ) -> Trainer<M> {
        let (mut metrics, losses) = (metrics.into_metrics(), loss.into_losses().0);
        for metric in &mut metrics {
            let own = losses.iter().find(|loss| loss.output.as_deref() == metric.output());
            if let Some(own) = own {
                metric.set_threshold(own.loss.decision_threshold());
            }
        }
        let taken = losses.iter().filter_map(|loss| Some(format!("{}_loss", loss.output.as_ref()?)));
        let metric_names = distinct(taken.collect(), metrics.iter().map(|metric| full_name(&**metric)));
        let optimizer = Box::new(optimizer);
        let (progress, preprocessing) = (Progress::start(0), model.kept_preprocessing());
        Trainer {
            model,
            optimizer,
            losses,
            metrics: Mutex::new(metrics),
            metric_names,
            seed: 0,
            progress,
            preprocessing,
        }
    }

    /// Sets the random seed of shuffling and dropout, and resets the epoch and step counters. Default: 0.
    pub fn seed(mut self, seed: u64) -> Trainer<M> {
        self.seed = seed;
        self.progress = Progress::start(seed);
        self
    }

    /// Trains the model on `data`. All settings and data are checked before the first step.
    ///
    /// Later calls continue training: random number streams and epoch numbers continue, and schedules count the steps (or epochs) of all calls; their total is the sum of those done and those requested.
    ///
    /// # Errors
    /// If a setting cannot work, the data does not fit the model or the loss, the loss is no longer finite, or a
    /// callback fails. After the first step, model, optimizer and streams then stand as the last step left them, and
    /// the optimizer's learning rate is its own again; an epoch counts once its batches are done.
    pub fn fit(&mut self, data: &Dataset, fit: Fit) -> Result<History> {
        fit.run(self, data)
    }

    /// Computes the loss and metrics on `data`, in evaluation mode.
    ///
    /// ```text
    /// loss 0.0912  accuracy 98.40%
    /// ```
    ///
    /// # Errors
    /// If the data does not fit the model or the loss, or the loss is not finite.
    pub fn evaluate(&self, data: &Dataset) -> Result<Logs> {
        self.check(data)?;
        check_preprocessing(&self.preprocessing, data)?;
        let score = self.score(data, EVALUATION_BATCH);
        match score.get("loss") {
            Some(loss) if !loss.is_finite() => {
                Err(Error::Data(format!("{}: the model's loss is {loss}: {}", data.name(), self.cause_of_nan())))
            }
            _ => Ok(score),
        }
    }

    /// The model's outputs for a [`Dataset`](crate::data::Dataset), or for a tensor whose first axis counts the samples; in
    /// evaluation mode, without gradients.
    ///
    /// A dataset's transforms are applied, as in training. Raw samples, which are of the type that the training data was stored in,
    /// are transformed as the training data was: bytes of pixels are scaled as those that the model was trained on, also after
    /// the model was loaded from a file. Inputs of another type are taken as they are.
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
                let own = &self.preprocessing;
                let raw =
                    own.len() == inputs.len() && inputs.iter().zip(own).all(|((_, input), own)| own.is_raw(input));
                if raw { self.outputs(&inputs.map(|i, input| own[i].apply(input))) } else { self.outputs(&inputs) }
            }
            Kind::Dataset(data) => {
                check_preprocessing(&self.preprocessing, data)?;
                let mut batches = data.batches(EVALUATION_BATCH);
                let mut all: Vec<Parts> = Vec::new();
                while let Some((x, _, _)) = batches.next_weighted() {
                    all.push(self.outputs(&x)?);
                }
                let column = |name: &str| all.iter().map(|parts| parts[name].clone()).collect::<Vec<_>>();
                Ok(all[0].iter().map(|(name, _)| (name, concat(&column(name), 0))).collect())
            }
        }
    }

    fn outputs(&self, inputs: &Parts) -> Result<Parts> {
        self.model.check_parts(inputs)?;
        for (_, input) in inputs.iter() {
            if let Some((element, value)) = first_not_finite(input) {
                let sample = element / (input.elements() / input.size(0));
                return Err(Error::Data(format!(
                    "the inputs must be finite numbers, but sample {sample} holds {value}"
                )));
            }
        }
        let predictions = no_grad(|| self.model.forward_parts(inputs, &mut Context::evaluation()));
        predictions.iter().try_for_each(|(_, prediction)| self.check_not_nan(prediction))?;
        Ok(predictions)
    }

    /// Checks that outputs are numbers; the message names the weights that are not, if there are such.
    fn check_not_nan(&self, prediction: &Tensor) -> Result<()> {
        // Infinite outputs have their uses, as logits of classes that cannot be.
        if first_not_finite(prediction).is_none() || prediction.ne(prediction).sum().item() == 0.0 {
            return Ok(());
        }
        Err(Error::Data(format!("the model's output is NaN: {}", self.cause_of_nan())))
    }

    /// Why numbers that the model computes are not finite.
    fn cause_of_nan(&self) -> String {
        let mut cause = None;
        self.model.visit("", &mut |name, tensor| {
            if cause.is_none() {
                cause = first_not_finite(tensor).map(|(element, value)| (name.to_owned(), element, value));
            }
        });
        match cause {
            Some((name, element, value)) => format!("its tensor `{name}` holds {value} (element {element})"),
            None => {
                "its weights are finite, but its outputs overflow for these inputs, or a layer computes an undefined value such as 0 / 0".into()
            }
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

    /// The numbers that an epoch reports, and whether larger ones are better, where that is known.
    pub(super) fn reported(&self, validation: bool) -> Vec<(String, Option<bool>)> {
        let metrics = self.metrics();
        let metrics = self.metric_names.iter().zip(metrics.iter());
        let mut all = vec![("loss".to_owned(), Some(false))];
        let outputs = self.losses.iter().filter_map(|loss| loss.output.as_ref());
        all.extend(outputs.map(|output| (format!("{output}_loss"), Some(false))));
        all.extend(metrics.map(|(name, metric)| (name.clone(), metric.higher_is_better())));
        if validation {
            let own: Vec<_> = all.iter().map(|(name, higher)| (format!("val_{name}"), *higher)).collect();
            all.extend(own);
        }
        all
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
        let (x, y) = data.run(0, data.len().min(PROBE));
        self.model.check_parts(&x).map_err(prefix)?;
        // All inputs, where there are indices; of floating-point numbers the dataset has checked all.
        if data.input_parts().iter().any(|(_, input)| input.dtype() == DType::I64) {
            self.model.check_parts(&data.run(0, data.len()).0).map_err(prefix)?;
        }
        // Recorded, for the loss to see which function made the prediction.
        let predictions = self.model.forward_parts(&x, &mut Context::evaluation());
        for OutputLoss { output, loss, .. } in &self.losses {
            let output = output.as_deref();
            let prediction = part("output", &predictions, output).map_err(prefix)?;
            let target = part("target", &y, output).map_err(prefix)?;
            let targets = part("target", data.target_parts(), output).map_err(prefix)?;
            if prediction.shape().first() != Some(&x.first().size(0)) {
                return Err(prefix(Error::Data(format!(
                    "the model gives shape {} for {} samples; outputs have the samples on their first axis",
                    prediction.shape(),
                    x.first().size(0)
                ))));
            }
            let shape = Shape::from(&prediction.shape()[1..]);
            loss.check(&shape, targets).map_err(prefix)?;
            self.check_not_nan(prediction).map_err(prefix)?;
            loss.check_prediction(prediction).map_err(prefix)?;
            let losses = no_grad(|| loss.per_sample(&prediction.detach(), target));
            check_per_sample(loss.name(), &losses, prediction).map_err(Error::Config).map_err(prefix)?;
        }
        self.metrics().iter().try_for_each(|metric| {
            let prediction = part("output", &predictions, metric.output()).map_err(prefix)?;
            let targets = part("target", data.target_parts(), metric.output()).map_err(prefix)?;
            metric.check(&Shape::from(&prediction.shape()[1..]), targets).map_err(prefix)
        })
    }

    /// The losses of a batch, and the penalties that layers left in `ctx`.
    pub(super) fn parts(
        &self,
        predictions: &Parts,
        targets: &Parts,
        weights: Option<&Tensor>,
        ctx: &mut Context,
    ) -> (Vec<LossParts>, Option<Tensor>) {
        let weights = Weights { samples: weights, classes: None };
        let parts = self.losses.iter().filter_map(|OutputLoss { output, loss, .. }| {
            // Checked before the run.
            Some(loss.parts(predictions.of(output.as_deref())?, targets.of(output.as_deref())?, weights))
        });
        (parts.collect(), ctx.take_penalty())
    }

    /// One scalar to walk back from.
    pub(super) fn total(&self, parts: &[LossParts], penalty: Option<&Tensor>) -> Tensor {
        let weighted = self.losses.iter().zip(parts).map(|(loss, parts)| {
            let value = parts.value();
            if loss.weight == 1.0 { value } else { value * loss.weight }
        });
        weighted.chain(penalty.cloned()).reduce(|sum, term| sum + term).unwrap_or_else(|| Tensor::scalar(0.0))
    }

    /// Takes a batch into a pass; returns its loss.
    pub(super) fn update(
        &mut self,
        pass: &mut Pass,
        batch: (&Parts, &Parts),
        parts: &[LossParts],
        penalty: Option<&Tensor>,
    ) -> f64 {
        let metrics = self.metrics.get_mut().unwrap_or_else(PoisonError::into_inner);
        pass.update(&self.losses, metrics, batch, parts, penalty)
    }

    fn metrics(&self) -> MutexGuard<'_, Vec<Box<dyn Metric>>> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn metrics_mut(&mut self) -> &mut [Box<dyn Metric>] {
        self.metrics.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn score(&self, data: &Dataset, batch_size: usize) -> Logs {
        let mut metrics = self.metrics();
        let mut pass = Pass::start(&mut metrics);
        let mut batches = data.batches(batch_size);
        while let Some((x, y, weights)) = batches.next_weighted() {
            no_grad(|| {
                let mut ctx = Context::evaluation();
                let prediction = self.model.forward_parts(&x, &mut ctx);
                let (parts, penalty) = self.parts(&prediction, &y, weights.as_ref(), &mut ctx);
                pass.update(&self.losses, &mut metrics, (&prediction, &y), &parts, penalty.as_ref());
            });
        }
        pass.logs(&self.losses, &metrics, &self.metric_names, false)
    }

    /// Keeps the transforms of the training data, with the model, too.
    pub(super) fn set_preprocessing(&mut self, preprocessing: &[Preprocessing]) {
        self.model.keep_preprocessing(preprocessing);
        self.preprocessing = preprocessing.to_vec();
    }

    /// Loss and metrics of a pass, by name.
    pub(super) fn logs(&self, pass: &Pass, running: bool) -> Logs {
        pass.logs(&self.losses, &self.metrics(), &self.metric_names, running)
    }
}

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
pub(super) fn check_preprocessing(trained: &[Preprocessing], data: &Dataset) -> Result<()> {
    for ((trained, own), (_, input)) in trained.iter().zip(data.preprocessing()).zip(data.input_parts().iter()) {
        if !trained.is_raw(input) || own == trained {
            continue;
        }
        let problem = format!("{}: the model was trained on {trained}, but these are {own}", data.name());
        if !input.dtype().is_float() {
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

/// The name of a metric in logs, if no other has it.
fn full_name(metric: &dyn Metric) -> String {
    match metric.output() {
        Some(output) => format!("{output}_{}", metric.name()),
        None => metric.name().to_owned(),
    }
}

/// Names of metrics in logs: the second `auc` is `auc_1`, the third `auc_2`, as in Keras, and none is the loss's or another's
/// under validation.
fn distinct(mut taken: Vec<String>, names: impl Iterator<Item = String>) -> Vec<String> {
    taken.push("loss".to_owned());
    let before = taken.len();
    for name in names {
        let clashes = |candidate: &str| {
            taken.iter().any(|other| {
                other == candidate
                    || other.strip_prefix("val_") == Some(candidate)
                    || candidate.strip_prefix("val_") == Some(other)
            })
        };
        let numbered = (1..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|candidate| !clashes(candidate));
        taken.extend(free);
    }
    taken.split_off(before)
}

impl Trainer<Sequential> {
    /// A summary of the model: its layers, output shapes and numbers of parameters.
    pub fn summary(&self) -> Summary {
        self.model.summary()
    }
}
