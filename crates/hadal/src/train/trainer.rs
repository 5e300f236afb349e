//! Training and evaluation of a model.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::checks::check_preprocessing;
use super::counted::Counted;
use super::pass::Pass;
use super::{Fit, History, Logs};
use crate::data::{Batch, Dataset, Parts, Preprocessing};
use crate::loss::{IntoLosses, LossParts, OutputLoss, Weights};
use crate::metric::{IntoMetrics, Metric};
use crate::nn::{Context, Model, Sequential, Summary};
use crate::optim::Optimizer;
use crate::{Error, Result, Rng, Tensor, no_grad};

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
    /// The learning rate that was changed to, and after which step.
    pub learning_rate_changes: Vec<(usize, f64)>,
}

/// The random streams of training.
const SHUFFLING: u64 = 0x5488;
const DROPPING: u64 = 0xd209;

impl Progress {
    fn start(seed: u64) -> Progress {
        let (order, dropout) = (Rng::with_stream(seed, SHUFFLING), Rng::with_stream(seed, DROPPING));
        Progress { epochs: 0, steps: 0, order, dropout, learning_rate_changes: Vec::new() }
    }
}

/// How many samples `evaluate` takes at once.
pub(super) const EVALUATION_BATCH: usize = 1000;

impl<M: Model> Trainer<M> {
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
        loss: impl IntoLosses,
        metrics: impl IntoMetrics,
    ) -> Trainer<M> {
        let (mut metrics, losses) = (metrics.into_metrics(), loss.into_losses().0);
        for metric in &mut metrics {
            // The only loss is that of the only output, whoever names it.
            let is_its = |loss: &&OutputLoss| losses.len() == 1 || loss.output.as_deref() == metric.output();
            if let Some(own) = losses.iter().find(is_its) {
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

    /// The number of epochs that have been trained, over all calls of `fit`.
    pub fn epochs(&self) -> usize {
        self.progress.epochs
    }

    /// The number of optimizer steps that have been taken, over all calls of `fit`.
    pub fn steps(&self) -> usize {
        self.progress.steps
    }

    /// The changes of the learning rate that [callbacks](super::Callback::new_learning_rate) made, or that
    /// [`Fit::learning_rate_changes`](super::Fit::learning_rate_changes) planned: after which step, and to what.
    pub fn learning_rate_changes(&self) -> &[(usize, f64)] {
        &self.progress.learning_rate_changes
    }

    /// Trains the model on `data`. All settings and data are checked before the first step.
    ///
    /// Later calls continue training: random number streams and epoch numbers continue, and schedules count the steps (or
    /// epochs) of all calls; their total is the sum of those done and those requested.
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
        fit.run(self, data, None)
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
        check_preprocessing(&self.preprocessing(), data)?;
        let score = self.score(data, EVALUATION_BATCH)?;
        match score.get("loss") {
            Some(loss) if !loss.is_finite() => {
                Err(Error::Data(format!("{}: the model's loss is {loss}: {}", data.name(), self.cause_of_nan())))
            }
            _ => Ok(score),
        }
    }

    /// Above which number a single output means class 1, by the first loss.
    #[cfg(feature = "plot")]
    pub(crate) fn decision_threshold(&self) -> f64 {
        self.losses.first().map_or(0.5, |own| own.loss.decision_threshold())
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

    /// The losses of a batch, and the penalties that layers left in `ctx`.
    pub(super) fn parts(&self, batch: &Counted, ctx: &mut Context) -> (Vec<LossParts>, Option<Tensor>) {
        let Counted { predictions, targets, weights, .. } = batch;
        let weights = Weights { samples: weights.as_ref(), classes: None };
        let parts = self.losses.iter().filter_map(|OutputLoss { output, loss, .. }| {
            // Checked before the run.
            Some(loss.parts(predictions.of(output.as_deref())?, targets.of(output.as_deref())?, weights))
        });
        (parts.collect(), ctx.take_penalty())
    }

    /// The loss of a batch, as a scalar: the weighted sum of all losses and the penalties.
    pub(super) fn total(&self, parts: &[LossParts], penalty: Option<&Tensor>) -> Tensor {
        let weighted = self.losses.iter().zip(parts).map(|(loss, parts)| {
            let value = parts.value();
            if loss.weight == 1.0 { value } else { value * loss.weight }
        });
        weighted
            .chain(penalty.cloned())
            .reduce(|sum, term| &sum + term.to_dtype(sum.dtype()))
            .unwrap_or_else(|| Tensor::scalar(0.0))
    }

    /// Takes a batch into a pass; returns the pass of that batch alone.
    pub(super) fn update(
        &mut self,
        pass: &mut Pass,
        batch: &Counted,
        parts: &[LossParts],
        penalty: Option<&Tensor>,
    ) -> Pass {
        let metrics = self.metrics.get_mut().unwrap_or_else(PoisonError::into_inner);
        pass.update(metrics, batch, parts, penalty)
    }

    pub(super) fn metrics(&self) -> MutexGuard<'_, Vec<Box<dyn Metric>>> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn metrics_mut(&mut self) -> &mut [Box<dyn Metric>] {
        self.metrics.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn score(&self, data: &Dataset, batch_size: usize) -> Result<Logs> {
        self.score_watched(data, batch_size, |_, _| Ok(()))
    }

    /// As [`score`](Trainer::score); `watch` sees predictions and targets of each batch.
    pub(super) fn score_watched(
        &self,
        data: &Dataset,
        batch_size: usize,
        mut watch: impl FnMut(&Parts, &Parts) -> Result<()>,
    ) -> Result<Logs> {
        let mut metrics = self.metrics();
        let mut pass = Pass::start(&mut metrics);
        data.batches(batch_size).read_ahead(|next| -> Result<()> {
            while let Some(Batch { inputs, targets, weights }) = next()? {
                let counted = no_grad(|| {
                    let mut ctx = Context::evaluation();
                    let predictions = self.model.forward_parts(&inputs, &mut ctx);
                    let lengths = ctx.take_lengths();
                    let counted = Counted::of(predictions, &targets, weights.as_ref(), lengths.as_deref());
                    let (parts, penalty) = self.parts(&counted, &mut ctx);
                    pass.update(&mut metrics, &counted, &parts, penalty.as_ref());
                    counted
                });
                watch(&counted.predictions, &counted.targets)?;
            }
            Ok(())
        })?;
        Ok(pass.logs(&self.losses, &metrics, &self.metric_names, false))
    }

    /// The transforms of the data that the model was trained on: those that it keeps itself, or that it was trained on here.
    pub(super) fn preprocessing(&self) -> Vec<Preprocessing> {
        let kept = self.model.kept_preprocessing();
        if kept.is_empty() { self.preprocessing.clone() } else { kept }
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
