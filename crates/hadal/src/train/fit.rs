//! The loop.

use std::io::IsTerminal;
use std::time::Instant;

use super::checks::{PROBE, check_preprocessing, note_missing_labels};
use super::pass::Pass;
use super::{BatchLogs, Callback, Event, Flow, History, Trainer};
use crate::data::{AugmentPass, Batch, Dataset};
use crate::finite::first_not_finite;
use crate::monitor::{Console, note};
use crate::nn::{Context, Model};
use crate::optim::{ReduceLrOnPlateau, Schedule, check_positive_in_f32};
use crate::{Error, Gradients, Result, Shape};

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
    epochs: usize,
    batch_size: usize,
    /// Whether `batch_size` was set to a number.
    sized: bool,
    validation_data: Option<&'a Dataset>,
    validation_batch_size: usize,
    schedule: Schedule,
    by_epoch: bool,
    plateau: Option<ReduceLrOnPlateau>,
    clip_norm: Option<f64>,
    clip_value: Option<f64>,
    shuffle: bool,
    quiet: bool,
    callbacks: Vec<Box<dyn Callback + 'a>>,
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
            validation_data: None,
            validation_batch_size: 1000,
            schedule: Schedule::Constant,
            by_epoch: false,
            plateau: None,
            clip_norm: None,
            clip_value: None,
            shuffle: true,
            quiet: false,
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
    fn check<M: Model>(&mut self, trainer: &Trainer<M>, data: &Dataset) -> Result<()> {
        if self.epochs == 0 {
            return Err(Error::Config("epochs must be at least 1, not 0".into()));
        }
        if self.batch_size == 0 || self.validation_batch_size == 0 {
            return Err(Error::Config("the batch size must be at least 1, not 0".into()));
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

    pub(super) fn run<M: Model>(mut self, trainer: &mut Trainer<M>, data: &Dataset) -> Result<History> {
        self.check(trainer, data)?;
        let learning_rate = trainer.optimizer.learning_rate();
        if trainer.progress.steps == 0 {
            self.note_oddities(data, trainer.model.only_output_shape());
        }
        trainer.set_preprocessing(data.preprocessing());
        let guard = RateGuard { trainer, learning_rate };
        self.train(guard.trainer, learning_rate, data)
    }

    /// Says what may not be meant, at the first of several calls of `fit`.
    fn note_oddities(&self, data: &Dataset, output: Option<Shape>) {
        note_missing_labels(data, output);
        if self.sized && self.batch_size > data.len() {
            let (size, samples) = (self.batch_size, data.len());
            note(&format!(
                "batch size {size} is more than the {samples} samples of {}: each epoch is one step",
                data.name()
            ));
        }
    }

    /// The loop. Leaves the optimizer at the learning rate of the last step.
    fn train<M: Model>(mut self, trainer: &mut Trainer<M>, learning_rate: f64, data: &Dataset) -> Result<History> {
        let mut callbacks = std::mem::take(&mut self.callbacks);
        if !self.quiet {
            callbacks.insert(0, Box::new(Console::new(std::io::stdout().is_terminal())));
        }
        let mut tell = |event: Event| -> Result<Flow> {
            let mut flow = Flow::Continue;
            for callback in &mut callbacks {
                if callback.on_event(&event)? == Flow::Stop {
                    flow = Flow::Stop;
                }
            }
            Ok(flow)
        };
        self.batch_size = self.batch_size.min(data.len());
        let batches = data.len().div_ceil(self.batch_size);
        let (done, steps_done) = (trainer.progress.epochs, trainer.progress.steps);
        let epochs = done.saturating_add(self.epochs);
        let steps = steps_done.saturating_add(self.epochs.saturating_mul(batches));
        let (length, unit) = if self.by_epoch { (epochs, "epochs") } else { (steps, "steps") };
        self.schedule.too_long_for(length, unit).iter().for_each(|problem| note(problem));
        let mut history = History::default();
        let mut base = learning_rate;
        let reported = trainer.reported(self.validation_data.is_some());
        let (names, higher_is_better): (Vec<String>, Vec<Option<bool>>) = reported.into_iter().unzip();
        let (dataset, samples) = (data.name(), data.len());
        tell(Event::TrainBegin {
            dataset,
            samples,
            epochs,
            steps_per_epoch: batches,
            metric_names: &names,
            higher_is_better: &higher_is_better,
            preprocessing: data.preprocessing(),
            model: &trainer.model,
        })?;
        for epoch in done..epochs {
            let start = Instant::now();
            let mut pass = Pass::start(trainer.metrics_mut());
            let mut all = data.batches(self.batch_size);
            if self.shuffle {
                all = all.shuffle(&mut trainer.progress.order);
            }
            let mut flow = Flow::Continue;
            let mut batch = 0;
            let pass_of_data = AugmentPass { seed: trainer.seed, epoch: epoch as u64 };
            let outcome = all.augmented(pass_of_data).read_ahead(|next| -> Result<()> {
                while let Some(Batch { inputs: x, targets: y, weights }) = next()? {
                    batch += 1;
                    let batch_start = Instant::now();
                    let factor = if self.by_epoch {
                        self.schedule.factor(epoch, epochs)
                    } else {
                        self.schedule.factor(trainer.progress.steps, steps)
                    };
                    trainer.optimizer.set_learning_rate(base * factor);
                    let mut ctx = Context::training(trainer.progress.dropout.clone());
                    let prediction = trainer.model.forward_parts(&x, &mut ctx);
                    trainer.progress.dropout = ctx.rng.clone();
                    let (parts, penalty) = trainer.parts(&prediction, &y, weights.as_ref(), &mut ctx);
                    let loss = trainer.total(&parts, penalty.as_ref());
                    if !loss.is_tracked() {
                        return Err(Error::Config("the loss does not depend on the model's parameters".into()));
                    }
                    let mut gradients = loss.backward();
                    let value = trainer.update(&mut pass, (&prediction, &y), &parts, penalty.as_ref());
                    if !value.is_finite() {
                        return Err(Error::Data(format!(
                            "the loss became {value} in epoch {}, batch {batch}; try a lower learning rate",
                            epoch + 1
                        )));
                    }
                    if let Some(limit) = self.clip_value {
                        gradients.clip_value(limit);
                    }
                    if let Some((name, number)) = not_finite(&trainer.model, &gradients) {
                        return Err(Error::Data(format!(
                            "the gradient of `{name}` became {number} in epoch {}, batch {batch} (loss {value}); try a lower \
                             learning rate, and check for operations without a finite derivative, such as sqrt at 0",
                            epoch + 1
                        )));
                    }
                    if let Some(max_norm) = self.clip_norm {
                        gradients.clip_norm(max_norm);
                    }
                    trainer.optimizer.step(&mut trainer.model, &gradients);
                    trainer.model.constrain();
                    trainer.progress.steps += 1;
                    let make = || trainer.logs(&pass, true);
                    let logs = BatchLogs::new(&make);
                    flow = tell(Event::BatchEnd {
                        epoch: epoch + 1,
                        batch,
                        step: trainer.progress.steps,
                        samples: pass.samples(),
                        learning_rate: trainer.optimizer.learning_rate(),
                        loss: value,
                        gradients: &gradients,
                        elapsed: batch_start.elapsed(),
                        model: &trainer.model,
                        logs: &logs,
                    })?;
                    if flow == Flow::Stop {
                        break;
                    }
                }
                Ok(())
            });
            outcome?;
            let elapsed = start.elapsed();
            let mut logs = trainer.logs(&pass, false);
            if let Some(data) = self.validation_data {
                logs.extend(&trainer.score(data, self.validation_batch_size)?, "val_");
            }
            trainer.progress.epochs += 1;
            let told = tell(Event::EpochEnd {
                epoch: epoch + 1,
                logs: &logs,
                learning_rate: trainer.optimizer.learning_rate(),
                elapsed,
                model: &trainer.model,
            })?;
            if let Some(plateau) = &mut self.plateau {
                // Every epoch reports the metric: it was found among the names before the first.
                let metric = logs.get(plateau.monitor()).unwrap_or(f64::NAN);
                base = plateau.step(metric, learning_rate);
            }
            history.epochs.push(logs);
            if flow == Flow::Stop || told == Flow::Stop {
                break;
            }
        }
        tell(Event::TrainEnd)?;
        if let Some(weights) = callbacks.iter_mut().filter_map(|callback| callback.final_weights()).last() {
            trainer.model.load_state_dict(&weights.into_iter().collect())?;
        }
        Ok(history)
    }
}

/// A function as a callback.
struct Closure<F>(F);

impl<F: FnMut(&Event) -> Result<Flow>> Callback for Closure<F> {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        self.0(event)
    }
}

/// The first parameter whose gradient is not finite, and the first such number.
fn not_finite(model: &impl Model, gradients: &Gradients) -> Option<(String, f64)> {
    let mut found = None;
    model.visit("", &mut |name, parameter| {
        if found.is_none() {
            let number = gradients.get(parameter).and_then(first_not_finite);
            found = number.map(|(_, number)| (name.to_owned(), number));
        }
    });
    found
}

/// Restores the optimizer's own learning rate when dropped: at the end of a run, on an error, on a panic.
struct RateGuard<'a, M> {
    trainer: &'a mut Trainer<M>,
    learning_rate: f64,
}

impl<M> Drop for RateGuard<'_, M> {
    fn drop(&mut self) {
        self.trainer.optimizer.set_learning_rate(self.learning_rate);
    }
}
