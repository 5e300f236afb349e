//! The exponential moving average of weights.

use super::training_state::check_settings;
use super::weight_average::WeightAverage;
use super::{Callback, CallbackState, Event, Flow};
use crate::nn::Module;
use crate::{Result, Tensor};

/// A callback that keeps an exponential moving average of the parameters, `average = decay * average + (1 - decay) * parameters`
/// after every step, and gives it to the model when training has ended (Polyak and Juditsky, 1992; Keras's `use_ema`, whose decay
/// is called momentum; PyTorch's `AveragedModel` with `get_ema_multi_avg_fn`). The average begins with the weights after the first
/// step, as PyTorch's. Tensors that are not trained, such as running means, are not averaged: the model keeps them.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::train::ExponentialMovingAverage;
/// # let (data, validation) = (hadal::data::synthetic::moons(100, 0.3, 1)?, hadal::data::synthetic::moons(100, 0.3, 2)?);
/// # let model = Sequential::new([2]).add(Dense::new(16).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Adam::new(0.05), BinaryCrossentropy, Accuracy)?;
/// let average = ExponentialMovingAverage::new(0.99).warm_up(true).validate(true);
/// model.fit(&data, Fit::epochs(5).validation_data(&validation).callback(average).quiet())?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// In a loop of your own, call [`update`](ExponentialMovingAverage::update) after each step and load
/// [`weights`](ExponentialMovingAverage::weights) where they are wanted.
///
/// With [`KeepBest`](super::KeepBest), put that after this callback, and validate with the average: the model then gets the best average.
#[derive(Clone, Debug)]
pub struct ExponentialMovingAverage {
    decay: f64,
    warms_up: bool,
    validates: bool,
    average: WeightAverage,
}

impl ExponentialMovingAverage {
    /// With this share of the average that is kept at each step; the average reaches back about `1 / (1 - decay)` steps. Keras's
    /// default is 0.99, PyTorch's 0.999.
    ///
    /// # Panics
    /// If `decay` is not within `[0, 1)`.
    #[track_caller]
    pub fn new(decay: f64) -> ExponentialMovingAverage {
        assert!(
            (0.0..1.0).contains(&decay),
            "ExponentialMovingAverage: decay {decay} must be at least 0 and below 1, for example 0.999"
        );
        ExponentialMovingAverage { decay, warms_up: false, validates: false, average: WeightAverage::default() }
    }

    /// Whether the decay grows to its value, `min(decay, (1 + n) / (10 + n))` after `n` steps, so that the first weights, which are
    /// far from the last, are soon forgotten: TensorFlow's `num_updates`. Default: false.
    pub fn warm_up(mut self, warm_up: bool) -> ExponentialMovingAverage {
        self.warms_up = warm_up;
        self
    }

    /// Whether epochs are validated with the average. Default: false, as in Keras: with the weights of the last step.
    pub fn validate(mut self, validate: bool) -> ExponentialMovingAverage {
        self.validates = validate;
        self
    }

    /// Takes in the parameters of `model`, after a step.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// use hadal::train::ExponentialMovingAverage;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut average = ExponentialMovingAverage::new(0.75);
    /// for value in [0.0, 4.0] {
    ///     w.assign(&Tensor::from([value]));
    ///     average.update(&w);
    /// }
    /// let weights = average.weights().unwrap();
    /// w.load_state_dict(&weights.into_iter().collect())?;
    /// assert_eq!(w.item(), 1.0); // 0.75 * 0 + 0.25 * 4
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the model has other tensors than before.
    #[track_caller]
    pub fn update(&mut self, model: &dyn Module) {
        let steps = self.average.count() as f64;
        let decay = if self.warms_up { self.decay.min((1.0 + steps) / (10.0 + steps)) } else { self.decay };
        self.average.update(model, 1.0 - decay);
    }

    /// The average, by name, as [`load_state_dict`](Module::load_state_dict) takes it; `None` before the first step, and after `fit`,
    /// which gave it to the model.
    pub fn weights(&self) -> Option<Vec<(String, Tensor)>> {
        self.average.get()
    }

    fn settings(&self) -> String {
        format!("decay {}, warm_up {}, validate {}", self.decay, self.warms_up, self.validates)
    }
}

impl Callback for ExponentialMovingAverage {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { .. } => self.average = WeightAverage::default(),
            Event::BatchEnd { model, .. } => self.update(*model),
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn final_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
        self.average.take()
    }

    fn validation_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
        self.average.get().filter(|_| self.validates)
    }

    fn state(&self) -> Option<CallbackState> {
        CallbackState::json(&(self.settings(), self.average.count()), self.average.get().unwrap_or_default())
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let (settings, count): (String, u64) = state.parse("ExponentialMovingAverage")?;
        check_settings("ExponentialMovingAverage", &settings, &self.settings())?;
        self.average = WeightAverage::of(count, state.tensors);
        Ok(())
    }
}
