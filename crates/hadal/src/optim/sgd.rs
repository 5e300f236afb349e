//! Stochastic gradient descent.

use super::{Optimizer, States, check_rate, check_share};
use crate::nn::Module;
use crate::{Gradients, Result, UpdateRule};

/// Stochastic gradient descent, with momentum in PyTorch's form: `v = momentum * v + g; w -= rate * v`
/// (Polyak, 1964; Sutskever and others, ICML 2013, note the two forms).
#[derive(Clone, Debug)]
pub struct Sgd {
    rate: f64,
    momentum: f64,
    states: States,
}

impl Sgd {
    /// Plain gradient descent, `w -= rate * g`.
    pub fn new(rate: f64) -> Sgd {
        Sgd { rate, momentum: 0.0, states: States::default() }
    }

    /// The share of the last step's velocity that is kept. Default: 0.
    pub fn momentum(mut self, momentum: f64) -> Sgd {
        self.momentum = momentum;
        self
    }
}

impl Default for Sgd {
    /// Rate 0.01, no momentum: Keras's defaults.
    fn default() -> Sgd {
        Sgd::new(0.01)
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        let rule = if self.momentum == 0.0 {
            UpdateRule::Sgd { rate: self.rate }
        } else {
            UpdateRule::Momentum { rate: self.rate, momentum: self.momentum }
        };
        self.states.step(rule, model, gradients);
    }

    fn name(&self) -> &'static str {
        "sgd"
    }

    fn learning_rate(&self) -> f64 {
        self.rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.rate = rate;
    }

    fn check(&self) -> Result<()> {
        check_rate(self.rate)?;
        check_share("momentum", self.momentum)
    }
}
