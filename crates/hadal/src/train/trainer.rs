//! Training and evaluation of a model.

use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use super::pass::Pass;
use super::{Fit, History, Logs};
use crate::data::{Dataset, Preprocessing};
use crate::finite::first_not_finite;
use crate::loss::{Loss, LossParts, Weights, check_per_sample};
use crate::metric::{IntoMetrics, Metric};
use crate::monitor::note;
use crate::nn::{Context, Forward, Sequential, Summary};
use crate::optim::Optimizer;
use crate::{DType, Error, Result, Rng, Shape, Tensor, concat, no_grad};

/// A model with its optimizer, loss and metrics, ready to train: what [`Sequential::compile`] returns.
///
/// A second [`fit`](Trainer::fit) continues where the first one stopped, with its random numbers, its epochs and its schedule:
/// `fit` for 5 epochs twice is `fit` for 10, unless the learning rate follows a schedule over the length of the run or
/// [`reduce_lr_on_plateau`](Fit::reduce_lr_on_plateau), which begin anew.
///
/// ```
/// use hadal::prelude::*;
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// let model = Sequential::new([2]).add(Dense::new(16).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
/// let mut trainer = model.compile(Adam::new(0.01), BinaryCrossentropy, [Accuracy])?;
/// trainer.fit(&data, Fit::epochs(5).quiet())?;
/// trainer.fit(&data, Fit::epochs(5).quiet())?; // epochs 6 to 10
/// println!("{}", trainer.evaluate(&data)?);
/// # Ok::<(), hadal::Error>(())
/// ```
pub struct Trainer<M> {
    /// The network.
    pub model: M,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) loss: Box<dyn Loss>,
    /// Behind a lock, so that a shared trainer can be evaluated.
    metrics: Mutex<Vec<Box<dyn Metric>>>,
    /// The name of each metric in logs.
    metric_names: Vec<String>,
    pub(super) seed: u64,
    pub(super) progress: Progress,
    /// The transforms of the data that the model was trained on.
    preprocessing: Option<Preprocessing>,
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

impl<M: Forward> Trainer<M> {
    /// Creates a trainer for any module. For a `Sequential` use [`Sequential::compile`].
    ///
    /// ```
    /// use hadal::prelude::*;
    ///
    /// #[derive(Module)]
    /// struct Net {
    ///     fc: Linear,
    /// }
    ///
    /// impl Forward for Net {
    ///     fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
    ///         self.fc.forward(x, ctx)
    ///     }
    /// }
    ///
    /// let data = Dataset::new("sums", Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([[3.0], [7.0]]))?;
    /// let net = Net { fc: Linear::new(2, 1, &mut Rng::new(0)) };
    /// let mut trainer = Trainer::new(net, Sgd::new(0.01), MeanSquaredError, ());
    /// trainer.fit(&data, Fit::epochs(10).quiet())?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(
        model: M,
        optimizer: impl Optimizer + 'static,
        loss: impl Loss + 'static,
        metrics: impl IntoMetrics,
    ) -> Trainer<M> {
        let mut metrics = metrics.into_metrics();
        metrics.iter_mut().for_each(|metric| metric.set_threshold(loss.decision_threshold()));
        let metric_names = distinct(metrics.iter().map(|metric| metric.name()));
        let (optimizer, loss) = (Box::new(optimizer), Box::new(loss));
        let (progress, preprocessing) = (Progress::start(0), model.preprocessing().cloned());
        Trainer { model, optimizer, loss, metrics: Mutex::new(metrics), metric_names, seed: 0, progress, preprocessing }
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
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// let history = model.fit(&data, Fit::epochs(3).quiet())?;
    /// assert_eq!(history.get("loss")?.len(), 3);
    /// # Ok::<(), hadal::Error>(())
    /// ```
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
        if let Some(own) = &self.preprocessing {
            check_preprocessing(own, data)?;
        }
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
        match inputs.into().0 {
            Kind::Raw(inputs) => match &self.preprocessing {
                Some(preprocessing) if preprocessing.is_raw(inputs) => self.outputs(&preprocessing.apply(inputs)),
                _ => self.outputs(inputs),
            },
            Kind::Dataset(data) => {
                if let Some(own) = &self.preprocessing {
                    check_preprocessing(own, data)?;
                }
                let batches = data.batches(EVALUATION_BATCH).map(|(x, _)| self.outputs(&x));
                Ok(concat(&batches.collect::<Result<Vec<_>>>()?, 0))
            }
        }
    }

    fn outputs(&self, inputs: &Tensor) -> Result<Tensor> {
        if inputs.rank() == 0 {
            return Err(Error::Data("predict takes inputs of shape [N, ..], not a scalar".into()));
        }
        let sample = Shape::from(&inputs.shape()[1..]);
        self.model.check_inputs(inputs)?;
        self.check_input(&sample, "the inputs")?;
        self.check_dtype(inputs)?;
        if let Some((element, value)) = first_not_finite(inputs) {
            let sample = element / (inputs.elements() / inputs.size(0));
            return Err(Error::Data(format!("the inputs must be finite numbers, but sample {sample} holds {value}")));
        }
        let prediction = no_grad(|| self.model.forward(inputs, &mut Context::evaluation()));
        self.check_not_nan(&prediction)?;
        Ok(prediction)
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

    /// Checks the shape of one sample against what the model takes.
    fn check_input(&self, sample: &Shape, name: &str) -> Result<()> {
        match self.model.input_shape() {
            Some(expected) if expected != *sample => {
                Err(Error::Data(format!("{name}: samples have shape {sample}, but the model expects {expected}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks that inputs are of the floating-point type of the parameters, where those have one.
    fn check_dtype(&self, x: &Tensor) -> Result<()> {
        let mut dtypes = Vec::new();
        self.model.visit("", &mut |_, tensor| dtypes.push(tensor.dtype()));
        match dtypes.first() {
            Some(&dtype) if x.dtype().is_float() && x.dtype() != dtype && dtypes.iter().all(|own| *own == dtype) => {
                Err(Error::Data(format!(
                    "the inputs are {}, but the model's tensors are {dtype}; convert them with to_dtype",
                    x.dtype()
                )))
            }
            _ => Ok(()),
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
        all.extend(metrics.map(|(name, metric)| (name.clone(), metric.higher_is_better())));
        if validation {
            let own: Vec<_> = all.iter().map(|(name, higher)| (format!("val_{name}"), *higher)).collect();
            all.extend(own);
        }
        all
    }

    /// Checks that data fits model and loss, by a pass of a few samples.
    pub(super) fn check(&self, data: &Dataset) -> Result<()> {
        self.check_input(&data.input_shape(), data.name())?;
        let prefix = |error: Error| Error::Data(format!("{}: {error}", data.name()));
        if data.sample_weights_tensor().is_some_and(|weights| weights.max().item() == 0.0) {
            return Err(prefix(Error::Data("all sample weights are 0; at least one must be positive".into())));
        }
        // All inputs, where they are indices; of floating-point numbers the dataset has checked all.
        if data.inputs().dtype() == DType::I64 {
            self.model.check_inputs(data.inputs()).map_err(prefix)?;
        }
        let (x, y) = data.run(0, data.len().min(PROBE));
        self.model.check_inputs(&x).map_err(prefix)?;
        self.check_dtype(&x).map_err(prefix)?;
        // Recorded, for the loss to see which function made the prediction.
        let prediction = self.model.forward(&x, &mut Context::evaluation());
        let output = Shape::from(&prediction.shape()[1..]);
        self.loss.check(&output, data.targets()).map_err(prefix)?;
        self.check_not_nan(&prediction).map_err(prefix)?;
        self.loss.check_prediction(&prediction).map_err(prefix)?;
        let losses = no_grad(|| self.loss.per_sample(&prediction.detach(), &y));
        check_per_sample(self.loss.name(), &losses, &prediction).map_err(Error::Config).map_err(prefix)?;
        self.metrics().iter().try_for_each(|metric| metric.check(&output, data.targets())).map_err(prefix)
    }

    /// The loss of a batch, and the penalties that layers left in `ctx`.
    pub(super) fn parts(
        &self,
        prediction: &Tensor,
        y: &Tensor,
        weights: Option<&Tensor>,
        ctx: &mut Context,
    ) -> (LossParts, Option<Tensor>) {
        (self.loss.parts(prediction, y, Weights { samples: weights, classes: None }), ctx.take_penalty())
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
                let prediction = self.model.forward(&x, &mut ctx);
                let (parts, penalty) = self.parts(&prediction, &y, weights.as_ref(), &mut ctx);
                pass.update(&mut metrics, &prediction, &y, &parts, penalty.as_ref());
            });
        }
        pass.logs(&metrics, &self.metric_names, false)
    }

    /// Keeps the transforms of the training data, with the model, too.
    pub(super) fn set_preprocessing(&mut self, preprocessing: &Preprocessing) {
        self.model.set_preprocessing(preprocessing);
        self.preprocessing = Some(preprocessing.clone());
    }

    /// Loss and metrics of a pass, by name.
    pub(super) fn logs(&self, pass: &Pass, running: bool) -> Logs {
        pass.logs(&self.metrics(), &self.metric_names, running)
    }
}

/// What [`Trainer::predict`] takes: `&Tensor` or `&Dataset`.
pub struct Samples<'a>(Kind<'a>);

enum Kind<'a> {
    Raw(&'a Tensor),
    Dataset(&'a Dataset),
}

impl<'a> From<&'a Tensor> for Samples<'a> {
    fn from(inputs: &'a Tensor) -> Samples<'a> {
        Samples(Kind::Raw(inputs))
    }
}

impl<'a> From<&'a Dataset> for Samples<'a> {
    fn from(data: &'a Dataset) -> Samples<'a> {
        Samples(Kind::Dataset(data))
    }
}

/// Refuses bytes that are transformed otherwise than those that the model was trained on. Floats may have been transformed
/// before they were put into the dataset, so there is only a note.
pub(super) fn check_preprocessing(trained: &Preprocessing, data: &Dataset) -> Result<()> {
    let own = data.preprocessing();
    if !trained.is_raw(data.inputs()) || own == trained {
        return Ok(());
    }
    let problem = format!("{}: the model was trained on {trained}, but these are {own}", data.name());
    if data.inputs().dtype().is_float() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| note(&format!("{problem}; if they are raw, apply the same transforms to the dataset")));
        return Ok(());
    }
    Err(Error::Data(format!("{problem}; apply the same transforms to the dataset")))
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

/// One scalar to walk back from.
pub(super) fn total(parts: &LossParts, penalty: Option<&Tensor>) -> Tensor {
    match penalty {
        Some(penalty) => parts.value() + penalty,
        None => parts.value(),
    }
}

/// Names of metrics in logs: the second `auc` is `auc_1`, the third `auc_2`, as in Keras, and none is the loss's or another's
/// under validation.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = vec!["loss".to_owned()];
    for name in names {
        let clashes = |candidate: &str| {
            taken.iter().any(|other| {
                other == candidate
                    || other.strip_prefix("val_") == Some(candidate)
                    || candidate.strip_prefix("val_") == Some(other)
            })
        };
        let numbered = (1..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.to_owned()).chain(numbered).find(|candidate| !clashes(candidate));
        taken.extend(free);
    }
    taken.split_off(1)
}

impl Trainer<Sequential> {
    /// A summary of the model: its layers, output shapes and numbers of parameters.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// assert_eq!(model.summary().parameters(), 3);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn summary(&self) -> Summary {
        self.model.summary()
    }
}
