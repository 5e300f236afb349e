//! The options of training.

use super::checks::{PROBE, check_preprocessing, note_missing_labels};
use super::{Callback, Event, Flow, Trainer};
use crate::data::Dataset;
use crate::monitor::note;
use crate::nn::Model;
use crate::optim::{ReduceLrOnPlateau, Schedule, check_positive_in_f32};
use crate::{Error, Result, Shape};

/// The options of [`Trainer::fit`](super::Trainer::fit). Defaults are Keras's.
///
/// ```
/// use hadal::prelude::*;
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// let options = Fit::epochs(5).batch_size(20).schedule(Schedule::Cosine).clip_norm(1.0).quiet();
/// let history = model.fit(&data, options)?;
/// assert_eq!(history.epochs.len(), 5);
/// # Ok::<(), hadal::Error>(())
/// ```
pub struct Fit<'a> {
    pub(super) epochs: usize,
    pub(super) batch_size: usize,
    /// Whether `batch_size` was set to a number.
    pub(super) sized: bool,
    /// Batches for each step.
    pub(super) accumulate: usize,
    pub(super) validation_data: Option<&'a Dataset>,
    pub(super) validation_batch_size: usize,
    pub(super) schedule: Schedule,
    pub(super) by_epoch: bool,
    pub(super) learning_rate_changes: Vec<(usize, f64)>,
    pub(super) plateau: Option<ReduceLrOnPlateau>,
    pub(super) clip_norm: Option<f64>,
    pub(super) clip_value: Option<f64>,
    pub(super) shuffle: bool,
    pub(super) quiet: bool,
    pub(super) is_inexact_allowed: bool,
    pub(super) max_steps: Option<usize>,
    pub(super) callbacks: Vec<Box<dyn Callback + 'a>>,
}

impl<'a> Fit<'a> {
    /// Trains for `epochs` epochs, with batch size 32, shuffled samples and a progress bar.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// let history = model.fit(&data, Fit::epochs(2).quiet())?;
    /// assert_eq!(history.epochs.len(), 2);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn epochs(epochs: usize) -> Fit<'a> {
        Fit {
            epochs,
            batch_size: 32,
            sized: false,
            accumulate: 1,
            validation_data: None,
            validation_batch_size: 1000,
            schedule: Schedule::Constant,
            by_epoch: false,
            learning_rate_changes: Vec::new(),
            plateau: None,
            clip_norm: None,
            clip_value: None,
            shuffle: true,
            quiet: false,
            is_inexact_allowed: false,
            max_steps: None,
            callbacks: Vec::new(),
        }
    }

    /// The number of samples per batch. Default: 32. The last batch of an epoch may be smaller.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// model.fit(&data, Fit::epochs(1).batch_size(25).quiet())?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn batch_size(mut self, samples: usize) -> Fit<'a> {
        (self.batch_size, self.sized) = (samples, true);
        self
    }

    /// Uses all samples in every step: full-batch gradient descent.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// model.fit(&data, Fit::epochs(3).full_batch().quiet())?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn full_batch(mut self) -> Fit<'a> {
        (self.batch_size, self.sized) = (usize::MAX, false);
        self
    }

    /// Adds up the gradients of so many batches before each step, so that it is that of one large batch of all their samples, in the
    /// memory of one: gradient accumulation. Losses and penalties are averaged over the samples of all of them, whatever their weights;
    /// gradients are clipped when they have been added up. The last step of an epoch takes what is left. Default: 1.
    ///
    /// A step is one [`Event::BatchEnd`], one batch for callbacks, schedules and [`mixup`](crate::data::Augment::mixup). What
    /// depends on the samples of a batch beside that, such as the statistics of
    /// [`BatchNorm`](crate::nn::BatchNorm), is of those of [`batch_size`](Fit::batch_size). A model with several outputs, or with
    /// regularizers, takes a backward pass for each of its losses.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = || Sequential::new([2]).add(Dense::new(1).activation(Sigmoid)).compile(Sgd::new(0.1), BinaryCrossentropy, ());
    /// let (mut large, mut small) = (model()?, model()?);
    /// let history = large.fit(&data, Fit::epochs(2).batch_size(50).quiet())?;
    /// let same = small.fit(&data, Fit::epochs(2).batch_size(10).accumulate(5).quiet())?;
    /// assert!(small.steps() == 4 && (history.last("loss")? - same.last("loss")?).abs() < 1e-6);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    #[doc(alias = "gradient_accumulation_steps")]
    #[doc(alias = "accumulate_grad_batches")]
    pub fn accumulate(mut self, batches: usize) -> Fit<'a> {
        self.accumulate = batches;
        self
    }

    /// The number of samples of a step.
    pub(super) fn step_size(&self) -> usize {
        self.batch_size.saturating_mul(self.accumulate)
    }

    /// Data on which loss and metrics are evaluated after every epoch. Default: none.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let test = hadal::data::synthetic::moons(100, 0.1, 2)?;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// let history = model.fit(&data, Fit::epochs(2).validation_data(&test).quiet())?;
    /// println!("{:.1}% of the test samples", 100.0 * history.last("val_accuracy")?);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn validation_data(mut self, data: &'a Dataset) -> Fit<'a> {
        self.validation_data = Some(data);
        self
    }

    /// The batch size of the evaluation on the validation data; the results do not depend on it. Default: 1000.
    pub fn validation_batch_size(mut self, samples: usize) -> Fit<'a> {
        self.validation_batch_size = samples;
        self
    }

    /// The learning rate schedule, updated at every step and counted over the steps of all calls of `fit`. Default: constant.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// // Warm up over 3 steps, then fall along a cosine.
    /// let schedule = Schedule::WarmUp { warmup_steps: 3, then: Box::new(Schedule::Cosine) };
    /// model.fit(&data, Fit::epochs(3).schedule(schedule).quiet())?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn schedule(mut self, schedule: Schedule) -> Fit<'a> {
        (self.schedule, self.by_epoch) = (schedule, false);
        self
    }

    /// As [`schedule`](Fit::schedule), updated once per epoch.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// // Divide the learning rate by 10 after every 2 epochs.
    /// let schedule = Schedule::Step { step_size: 2, gamma: 0.1 };
    /// model.fit(&data, Fit::epochs(4).schedule_by_epoch(schedule).quiet())?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn schedule_by_epoch(mut self, schedule: Schedule) -> Fit<'a> {
        (self.schedule, self.by_epoch) = (schedule, true);
        self
    }

    /// Changes of the learning rate, each after a step (counted over all calls of `fit`) and before the factor of the schedule: those of
    /// a run whose learning rate was changed while it went on, which is repeated by them
    /// ([`learning_rate_changes`](super::Trainer::learning_rate_changes)). Default: none.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// let history = model.fit(&data, Fit::epochs(3).learning_rate_changes([(4, 0.05), (8, 0.01)]).quiet())?;
    /// assert_eq!(model.learning_rate_changes(), [(4, 0.05), (8, 0.01)]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn learning_rate_changes(mut self, changes: impl IntoIterator<Item = (usize, f64)>) -> Fit<'a> {
        self.learning_rate_changes = changes.into_iter().collect();
        self
    }

    /// Reduces the learning rate when a monitored metric has stopped improving, in addition to the schedule, in this call of
    /// `fit`. Default: no reduction.
    ///
    /// ```
    /// use hadal::optim::ReduceLrOnPlateau;
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// let plateau = ReduceLrOnPlateau::new("loss").patience(3);
    /// model.fit(&data, Fit::epochs(5).reduce_lr_on_plateau(plateau).quiet())?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn reduce_lr_on_plateau(mut self, plateau: ReduceLrOnPlateau) -> Fit<'a> {
        self.plateau = Some(plateau);
        self
    }

    /// Clips the global norm of the gradients to `max_norm` before each step, as PyTorch's `clip_grad_norm_` and Keras's
    /// `global_clipnorm` ([`Gradients::clip_norm`](crate::Gradients::clip_norm)). Default: no clipping.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// model.fit(&data, Fit::epochs(1).clip_norm(1.0).quiet())?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn clip_norm(mut self, max_norm: f64) -> Fit<'a> {
        self.clip_norm = Some(max_norm);
        self
    }

    /// Clips each element of the gradients to `[-clip_value, clip_value]`, before their norm is clipped. Default: no clipping.
    pub fn clip_value(mut self, clip_value: f64) -> Fit<'a> {
        self.clip_value = Some(clip_value);
        self
    }

    /// Whether to shuffle the samples before each epoch. Default: true.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// // The samples in the order of the dataset.
    /// model.fit(&data, Fit::epochs(1).shuffle(false).quiet())?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn shuffle(mut self, shuffle: bool) -> Fit<'a> {
        self.shuffle = shuffle;
        self
    }

    /// Disables the progress bar (Keras's `verbose=0`).
    pub fn quiet(mut self) -> Fit<'a> {
        self.quiet = true;
        self
    }

    /// Stops after so many steps, counted over all calls of `fit`, also in the middle of an epoch; schedules are still those of all
    /// epochs. Default: no limit. See [`TimeLimit`](super::TimeLimit).
    pub fn max_steps(mut self, steps: usize) -> Fit<'a> {
        self.max_steps = Some(steps);
        self
    }

    /// Lets [`Trainer::resume`](super::Trainer::resume) go on with a run of another version of this library, of a processor with other
    /// vector instructions, or with another precision of products: the result is then not that of the run without the
    /// interruption, by rounding. Default: refused.
    pub fn allow_inexact_resume(mut self) -> Fit<'a> {
        self.is_inexact_allowed = true;
        self
    }

    /// Adds a [`Callback`].
    pub fn callback(mut self, callback: impl Callback + 'a) -> Fit<'a> {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Calls `f` at every training event: a [`Callback`] in a closure.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(40, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, ())?;
    /// // Stops when the loss is below 0.5.
    /// let stop = |event: &Event| match event {
    ///     Event::EpochEnd { logs, .. } if logs["loss"] < 0.5 => Ok(Flow::Stop),
    ///     _ => Ok(Flow::Continue),
    /// };
    /// model.fit(&data, Fit::epochs(100).quiet().on_event(stop))?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn on_event(self, f: impl FnMut(&Event) -> Result<Flow> + 'a) -> Fit<'a> {
        self.callback(Closure(f))
    }

    /// Checks all settings and data.
    pub(super) fn check<M: Model>(&mut self, trainer: &Trainer<M>, data: &Dataset) -> Result<()> {
        if self.epochs == 0 {
            return Err(Error::Config("epochs must be at least 1, not 0".into()));
        }
        if let Some(steps) = self.max_steps.filter(|steps| *steps <= trainer.progress.steps) {
            let taken = trainer.progress.steps;
            return Err(Error::Config(format!(
                "max_steps must be more than the {taken} steps that were taken, not {steps}"
            )));
        }
        if self.batch_size == 0 || self.validation_batch_size == 0 {
            return Err(Error::Config("the batch size must be at least 1, not 0".into()));
        }
        if self.accumulate == 0 {
            return Err(Error::Config("accumulate must be at least 1 batch, not 0".into()));
        }
        trainer.optimizer.check()?;
        trainer.optimizer.core().check_parameters(&trainer.model)?;
        self.schedule.check()?;
        if let Some(plateau) = &mut self.plateau {
            plateau.prepare(&trainer.reported(self.validation_data.is_some()))?;
        }
        for (name, limit) in [("clip_norm", self.clip_norm), ("clip_value", self.clip_value)] {
            limit.map_or(Ok(()), |limit| check_positive_in_f32(name, limit, "1"))?;
        }
        trainer.check(data)?;
        if let Some(changed) = data.augmented_start(PROBE, trainer.seed)? {
            trainer.check(&changed)?;
        }
        trainer.check_batches(data, self.batch_size)?;
        let Some(validation) = self.validation_data else { return Ok(()) };
        trainer.check(validation)?;
        check_preprocessing(data.preprocessing(), validation)
    }

    /// Says what may not be meant, at the first of several calls of `fit`.
    pub(super) fn note_oddities(&self, data: &Dataset, output: Option<Shape>) {
        note_missing_labels(data, output);
        if self.sized && self.batch_size > data.len() {
            let (size, samples) = (self.batch_size, data.len());
            note(&format!(
                "batch size {size} is more than the {samples} samples of {}: each epoch is one step",
                data.name()
            ));
        }
    }
}

/// A function as a callback.
struct Closure<F>(F);

impl<F: FnMut(&Event) -> Result<Flow>> Callback for Closure<F> {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        self.0(event)
    }
}
