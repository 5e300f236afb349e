//! Training events and callbacks.

use std::time::Duration;

use super::{BatchLogs, CallbackState, Logs, Trained, TrainingState};
use crate::data::{Parts, Preprocessing};
use crate::nn::Module;
use crate::{Error, Gradients, Result, Tensor};

/// A training event, passed to every [`Callback`].
///
/// ```
/// use hadal::train::{Callback, Event, Flow};
/// /// Prints the norm of the gradients of every step.
/// struct PrintNorm;
///
/// impl Callback for PrintNorm {
///     fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
///         if let Event::BatchEnd { step, gradients, .. } = event {
///             println!("step {step}: gradient norm {:.3}", gradients.norm());
///         }
///         Ok(Flow::Continue)
///     }
/// }
/// ```
#[non_exhaustive]
pub enum Event<'a> {
    /// Training begins: all settings and data have been checked (Keras's `on_train_begin`).
    TrainBegin {
        /// The name of the training data.
        dataset: &'a str,
        /// The number of training samples.
        samples: usize,
        /// The total number of epochs, including those of earlier calls of `fit`.
        epochs: usize,
        /// Steps per epoch.
        steps_per_epoch: usize,
        /// Steps taken before, in earlier calls of `fit`, or before the run was interrupted.
        step: usize,
        /// The names of the loss and metrics that every epoch reports, in order.
        metric_names: &'a [String],
        /// Whether larger values are better, for each of `metric_names`; `None` where that is not known.
        higher_is_better: &'a [Option<bool>],
        /// The transforms of the training inputs, one for each.
        preprocessing: &'a [Preprocessing],
        /// The model before the first step.
        model: &'a dyn Module,
    },
    /// A training batch has ended: the optimizer has taken a step (Keras's `on_train_batch_end`).
    BatchEnd {
        /// The epoch, counted from 1 over all calls of `fit`.
        epoch: usize,
        /// The batch within the epoch, counted from 1.
        batch: usize,
        /// The optimizer step, counted from 1 over all calls of `fit`.
        step: usize,
        /// Samples trained in this epoch so far.
        samples: usize,
        /// The learning rate of this step.
        learning_rate: f64,
        /// The loss of this batch, penalties included.
        loss: f64,
        /// What the model gave for the batch, before the step. Of outputs that are [padded sequences](crate::nn::Context::lengths), the
        /// steps that count, one after another: `[steps, ..]`.
        predictions: &'a Parts,
        /// What it should have given.
        targets: &'a Parts,
        /// The output above which a single output means class 1; see
        /// [`Loss::decision_threshold`](crate::loss::Loss::decision_threshold).
        decision_threshold: f64,
        /// The gradients that the optimizer was given, after clipping. [`Gradients::norm`] computes their norm.
        gradients: &'a Gradients,
        /// The time that the step took.
        elapsed: Duration,
        /// The model after the step.
        model: &'a dyn Module,
        /// Loss and metrics of this epoch so far, computed when they are first read.
        logs: &'a BatchLogs<'a>,
    },
    /// A batch of the validation data has been evaluated, after the training of an epoch (Keras's `on_test_batch_end`). Batches come in
    /// the order of the data. [`Flow::Stop`] and [`Flow::Suspend`] take effect at the end of the epoch.
    ValidationBatch {
        /// The epoch, counted from 1 over all calls of `fit`.
        epoch: usize,
        /// What the model gave for the batch; of padded sequences, the steps that count, as in [`BatchEnd`](Event::BatchEnd).
        predictions: &'a Parts,
        /// What it should have given.
        targets: &'a Parts,
    },
    /// An epoch has ended, including validation (Keras's `on_epoch_end`).
    EpochEnd {
        /// The epoch, counted from 1 over all calls of `fit`.
        epoch: usize,
        /// The loss and metrics of the epoch; validation results have the prefix `val_`.
        logs: &'a Logs,
        /// The learning rate of the epoch's last step.
        learning_rate: f64,
        /// The training time of the epoch, without validation.
        elapsed: Duration,
        /// The model as it is now.
        model: &'a dyn Module,
    },
    /// Training has ended (Keras's `on_train_end`).
    TrainEnd,
}

/// Whether training continues after an event.
///
/// ```
/// use hadal::train::{Callback, Event, Flow};
/// struct StopAfterTenSteps;
///
/// impl Callback for StopAfterTenSteps {
///     fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
///         Ok(if matches!(event, Event::BatchEnd { step: 10, .. }) { Flow::Stop } else { Flow::Continue })
///     }
/// }
/// ```
#[doc(alias = "stop_training")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Continue training.
    Continue,
    /// Stop training after this event (Keras's `stop_training`).
    Stop,
    /// Leave training as it is after this event, to be [resumed](super::Trainer::resume) later: no validation, no end of the epoch,
    /// no [`Event::TrainEnd`]. [`Checkpoint`](super::Checkpoint) saves the state first.
    Suspend,
}

/// A callback: an object that is called at every training event. An error ends training.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::train::{Callback, Event, Flow};
///
/// /// Stops when the loss of an epoch is low enough.
/// struct StopBelow(f64);
///
/// impl Callback for StopBelow {
///     fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
///         match event {
///             Event::EpochEnd { logs, .. } if logs["loss"] < self.0 => Ok(Flow::Stop),
///             _ => Ok(Flow::Continue),
///         }
///     }
/// }
///
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// let history = model.fit(&data, Fit::epochs(1000).quiet().callback(StopBelow(0.5)))?;
/// assert!(history.epochs.len() < 1000);
/// # Ok::<(), hadal::Error>(())
/// ```
pub trait Callback {
    /// Called at every event, in order.
    ///
    /// # Errors
    /// An error of the callback; training ends and `fit` returns the error.
    fn on_event(&mut self, event: &Event) -> Result<Flow>;

    /// The weights that the model is to have when training has ended, by name, as [`Module::state_dict`] gives them. It is asked
    /// once, after [`Event::TrainEnd`], also when a callback stopped training, but not after an error. If several callbacks have
    /// weights, the model gets those of the last. The optimizer's state is not changed. Default: none, so that the model keeps
    /// the weights of its last step.
    ///
    /// ```
    /// use hadal::prelude::*;
    ///
    /// /// Gives the model its weights after the first epoch again.
    /// struct FirstEpoch(Vec<(String, Tensor)>);
    ///
    /// impl Callback for FirstEpoch {
    ///     fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
    ///         if let Event::EpochEnd { epoch: 1, model, .. } = event {
    ///             self.0 = model.state_dict();
    ///         }
    ///         Ok(Flow::Continue)
    ///     }
    ///
    ///     fn final_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
    ///         Some(std::mem::take(&mut self.0))
    ///     }
    /// }
    ///
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = || Sequential::new([2]).add(Dense::new(1).activation(Sigmoid)).compile(Sgd::new(0.1), BinaryCrossentropy, ());
    /// let (mut one, mut five) = (model()?, model()?);
    /// one.fit(&data, Fit::epochs(1).quiet())?;
    /// five.fit(&data, Fit::epochs(5).quiet().callback(FirstEpoch(Vec::new())))?;
    /// assert_eq!(one.evaluate(&data)?["loss"], five.evaluate(&data)?["loss"]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    fn final_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
        None
    }

    /// Whether the running statistics of the model, as those of [`BatchNorm`](crate::nn::BatchNorm), are to be renewed by a pass over
    /// the training data when it has been given the [`final_weights`](Callback::final_weights) of this callback: statistics that were
    /// collected with other weights do not fit them. Default: no.
    fn renews_batch_statistics(&self) -> bool {
        false
    }

    /// The weights that an epoch is to be validated with, by name: asked for after its last step. The model has them during
    /// validation and [`Event::EpochEnd`], so that callbacks which keep weights keep those that were validated; training goes on with
    /// those of the last step. If several callbacks have such weights, those of the last are taken. Default: those of the last step.
    fn validation_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
        None
    }

    /// A learning rate to go on with, asked for after every batch: before the factor of the schedule, in place of the optimizer's.
    /// What was answered is in [`Trainer::learning_rate_changes`](super::Trainer::learning_rate_changes), so that the run can be repeated,
    /// and in checkpoints. Default: no change.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// use hadal::train::{Callback, Event, Flow};
    /// /// Halves the learning rate once, after 5 steps.
    /// struct Halve(usize);
    ///
    /// impl Callback for Halve {
    ///     fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
    ///         self.0 += usize::from(matches!(event, Event::BatchEnd { .. }));
    ///         Ok(Flow::Continue)
    ///     }
    ///     fn new_learning_rate(&mut self) -> Option<f64> {
    ///         (self.0 == 5).then_some(0.05)
    ///     }
    /// }
    /// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// # let model = || Sequential::new([2]).add(Dense::new(1).activation(Sigmoid)).compile(Sgd::new(0.1), BinaryCrossentropy, ());
    /// let (mut first, mut again) = (model()?, model()?);
    /// let history = first.fit(&data, Fit::epochs(3).quiet().callback(Halve(0)))?;
    /// assert_eq!(first.learning_rate_changes(), [(5, 0.05)]);
    /// assert_eq!(history, again.fit(&data, Fit::epochs(3).quiet().learning_rate_changes([(5, 0.05)]))?);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    fn new_learning_rate(&mut self) -> Option<f64> {
        None
    }

    /// What the callback remembers of the run, to be kept in a [checkpoint](super::Checkpoint): what it needs to go on as if the run
    /// had not been interrupted. Default: nothing.
    fn state(&self) -> Option<CallbackState> {
        None
    }

    /// Whether the callback only watches, so that a run may be resumed with or without it: nothing that it remembers has an influence
    /// on training or on what others write. Default: no.
    fn only_watches(&self) -> bool {
        false
    }

    /// What kind of callback this is, by which its state finds it when a run is resumed. Default: the name of its type.
    #[doc(hidden)]
    fn kind(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Brings back what [`state`](Callback::state) returned. When a run is resumed, it is called after
    /// [`Event::TrainBegin`].
    ///
    /// # Errors
    /// If it is not the state of such a callback.
    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let _ = state;
        Err(Error::Data("the checkpoint holds the state of a callback that has none".into()))
    }

    /// Whether the callback asks for the [state of training](TrainingState) now, after step `step` and all callbacks have seen it.
    /// Default: never.
    fn wants_state(&self, step: usize) -> bool {
        let _ = step;
        false
    }

    /// Takes the state of training: one that it [asked for](Callback::wants_state), or the last one, after which training is
    /// suspended or has ended. Default: it has no use for it.
    ///
    /// # Errors
    /// As [`on_event`](Callback::on_event).
    fn take_state(&mut self, state: &TrainingState, is_last: bool) -> Result<()> {
        let _ = (state, is_last);
        Ok(())
    }

    /// Sees the trained model, once, when training has ended and the model has its final weights: to evaluate it, or to draw what it
    /// does. Not called if training ends with an error, or is suspended to be resumed. Default: it has no use for it.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// use hadal::train::{Event, Flow, Trained};
    /// struct Score(Dataset);
    ///
    /// impl Callback for Score {
    ///     fn on_event(&mut self, _: &Event) -> hadal::Result<Flow> {
    ///         Ok(Flow::Continue)
    ///     }
    ///     fn on_trained(&mut self, trained: &dyn Trained) -> hadal::Result<()> {
    ///         println!("after {} epochs: {}", trained.epochs(), trained.evaluate(&self.0)?);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`on_event`](Callback::on_event).
    fn on_trained(&mut self, trained: &dyn Trained) -> Result<()> {
        let _ = trained;
        Ok(())
    }

    /// Whether the callback takes states at all, the last one among them. Default: no.
    fn takes_states(&self) -> bool {
        false
    }
}

/// What a callback does behind a pointer.
macro_rules! forward {
    ($pointer:ty) => {
        impl<S: Callback + ?Sized> Callback for $pointer {
            fn on_event(&mut self, event: &Event) -> Result<Flow> {
                (**self).on_event(event)
            }

            fn final_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
                (**self).final_weights()
            }

            fn renews_batch_statistics(&self) -> bool {
                (**self).renews_batch_statistics()
            }

            fn validation_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
                (**self).validation_weights()
            }

            fn new_learning_rate(&mut self) -> Option<f64> {
                (**self).new_learning_rate()
            }

            fn state(&self) -> Option<CallbackState> {
                (**self).state()
            }

            fn only_watches(&self) -> bool {
                (**self).only_watches()
            }

            fn kind(&self) -> &'static str {
                (**self).kind()
            }

            fn load_state(&mut self, state: CallbackState) -> Result<()> {
                (**self).load_state(state)
            }

            fn wants_state(&self, step: usize) -> bool {
                (**self).wants_state(step)
            }

            fn take_state(&mut self, state: &TrainingState, is_last: bool) -> Result<()> {
                (**self).take_state(state, is_last)
            }

            fn on_trained(&mut self, trained: &dyn Trained) -> Result<()> {
                (**self).on_trained(trained)
            }

            fn takes_states(&self) -> bool {
                (**self).takes_states()
            }
        }
    };
}

forward!(&mut S);
forward!(Box<S>);
