//! Stochastic weight averaging.

use super::training_state::check_settings;
use super::weight_average::WeightAverage;
use super::{Callback, CallbackState, Event, Flow};
use crate::nn::Module;
use crate::optim::check_positive;
use crate::{Error, Result, Tensor};

/// A callback that averages the weights at the end of the last epochs and gives the model their mean when training has ended: wider
/// optima, which often generalize better (Izmailov and others, "Averaging weights leads to wider optima and better
/// generalization", UAI 2018, algorithm 1; PyTorch's `AveragedModel`). The running statistics of
/// [`BatchNorm`](crate::nn::BatchNorm) are then renewed by a pass over the training data, since those that were collected do not fit
/// the mean.
///
/// Between the epochs that are averaged the weights must move: the learning rate should stay well above 0 from the first of them,
/// constant ([`learning_rate`](StochasticWeightAveraging::learning_rate)) or in cycles that end where weights are taken.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::train::StochasticWeightAveraging;
/// # let data = hadal::data::synthetic::moons(100, 0.3, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(16)).add(BatchNorm::new()).add(Relu).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// // The mean of the weights after epochs 6 to 10, which are trained with a learning rate of 0.05.
/// let averaging = StochasticWeightAveraging::new(6).learning_rate(0.05);
/// model.fit(&data, Fit::epochs(10).callback(averaging).quiet())?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// In a loop of your own, call [`update`](StochasticWeightAveraging::update) where weights are to be taken, load
/// [`weights`](StochasticWeightAveraging::weights) at the end, and call
/// [`renew_batch_statistics`](super::renew_batch_statistics).
#[derive(Clone, Debug)]
pub struct StochasticWeightAveraging {
    start: usize,
    every: usize,
    learning_rate: Option<f64>,
    renews: bool,
    average: WeightAverage,
    /// Batches of an epoch.
    batches: usize,
    /// Whether the learning rate was changed, and that it is to be now.
    has_changed: bool,
    is_due: bool,
}

impl StochasticWeightAveraging {
    /// Takes weights at the end of epoch `start`, counted from 1 over all calls of `fit`, and of those that follow. An epoch that ends
    /// early is not taken.
    ///
    /// # Panics
    /// If `start` is 0.
    #[track_caller]
    pub fn new(start: usize) -> StochasticWeightAveraging {
        assert!(start > 0, "StochasticWeightAveraging: epochs are counted from 1; 0 is none to start with");
        StochasticWeightAveraging {
            start,
            every: 1,
            learning_rate: None,
            renews: true,
            average: WeightAverage::default(),
            batches: 0,
            has_changed: false,
            is_due: false,
        }
    }

    /// Takes weights every so many epochs from the first on: the length of a cycle of the learning rate. Default: 1.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn every(mut self, epochs: usize) -> StochasticWeightAveraging {
        assert!(epochs > 0, "StochasticWeightAveraging: weights are taken every 1 or more epochs, not 0");
        self.every = epochs;
        self
    }

    /// The learning rate from epoch `start` on, before the factor of the schedule (PyTorch's `SWALR`, without annealing). In a run that
    /// begins with that epoch, it is that of the second step. Default: it is not changed.
    pub fn learning_rate(mut self, learning_rate: f64) -> StochasticWeightAveraging {
        self.learning_rate = Some(learning_rate);
        self
    }

    /// Whether running statistics are renewed at the end. Default: true.
    pub fn renew_batch_statistics(mut self, renew: bool) -> StochasticWeightAveraging {
        self.renews = renew;
        self
    }

    /// Takes in the parameters of `model`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// use hadal::train::StochasticWeightAveraging;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut averaging = StochasticWeightAveraging::new(1);
    /// for value in [1.0, 2.0, 6.0] {
    ///     w.assign(&Tensor::from([value]));
    ///     averaging.update(&w);
    /// }
    /// assert_eq!(averaging.weights().unwrap()[0].1.item(), 3.0);
    /// ```
    ///
    /// # Panics
    /// If the model has other tensors than before.
    #[track_caller]
    pub fn update(&mut self, model: &dyn Module) {
        let count = self.average.count() as f64;
        self.average.update(model, 1.0 / (count + 1.0));
    }

    /// The mean of the weights that were taken in, by name, as [`load_state_dict`](Module::load_state_dict) takes it; `None` if there
    /// were none, and after `fit`, which gave it to the model.
    pub fn weights(&self) -> Option<Vec<(String, Tensor)>> {
        self.average.get()
    }

    fn settings(&self) -> String {
        let StochasticWeightAveraging { start, every, learning_rate, renews, .. } = self;
        format!("start {start}, every {every}, learning_rate {learning_rate:?}, renew_batch_statistics {renews}")
    }
}

impl Callback for StochasticWeightAveraging {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { epochs, steps_per_epoch, .. } => {
                if self.start > *epochs {
                    return Err(Error::Config(format!(
                        "StochasticWeightAveraging starts with epoch {}, but training ends with epoch {epochs}; start earlier",
                        self.start
                    )));
                }
                if let Some(rate) = self.learning_rate {
                    check_positive("StochasticWeightAveraging: learning_rate", rate, "0.05")?;
                }
                (self.average, self.batches) = (WeightAverage::default(), *steps_per_epoch);
                (self.has_changed, self.is_due) = (false, false);
            }
            Event::BatchEnd { epoch, batch, model, .. } => {
                let is_last = *batch == self.batches;
                if is_last && *epoch >= self.start && (epoch - self.start).is_multiple_of(self.every) {
                    self.update(*model);
                }
                let has_begun = *epoch >= self.start || is_last && epoch + 1 == self.start;
                self.is_due = has_begun && !self.has_changed;
                self.has_changed |= has_begun;
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn new_learning_rate(&mut self) -> Option<f64> {
        self.learning_rate.filter(|_| std::mem::take(&mut self.is_due))
    }

    fn final_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
        self.average.take()
    }

    fn renews_batch_statistics(&self) -> bool {
        self.renews
    }

    fn state(&self) -> Option<CallbackState> {
        CallbackState::json(
            &(self.settings(), self.average.count(), self.has_changed),
            self.average.get().unwrap_or_default(),
        )
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let (settings, count, has_changed): (String, u64, bool) = state.parse("StochasticWeightAveraging")?;
        check_settings("StochasticWeightAveraging", &settings, &self.settings())?;
        self.average = WeightAverage::of(count, state.tensors);
        self.has_changed = has_changed;
        Ok(())
    }
}
