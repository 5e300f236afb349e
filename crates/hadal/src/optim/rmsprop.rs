//! RMSprop.

use super::{Optimizer, States, check_rate, check_share};
use crate::nn::Module;
use crate::{Gradients, Result, UpdateRule};

/// RMSprop in Keras's form: `s = rho * s + (1 - rho) * g^2; w -= rate * g / sqrt(s + epsilon)`
/// (Tieleman and Hinton, COURSERA lecture 6.5, 2012). With momentum, the step goes through a velocity,
/// `v = momentum * v + step; w -= v`.
///
/// PyTorch divides by `sqrt(s) + epsilon` instead and keeps 0.99 of `s` by default.
#[derive(Clone, Debug)]
pub struct RmsProp {
    rate: f64,
    rho: f64,
    epsilon: f64,
    momentum: f64,
    states: States,
}

impl RmsProp {
    /// With the given rate; the rest as in [`default`](RmsProp::default).
    pub fn new(rate: f64) -> RmsProp {
        RmsProp { rate, rho: 0.9, epsilon: 1e-7, momentum: 0.0, states: States::default() }
    }

    /// The share of the mean square that is kept. Default: 0.9.
    pub fn rho(mut self, rho: f64) -> RmsProp {
        self.rho = rho;
        self
    }

    /// Keeps the division finite. Default: 1e-7.
    pub fn epsilon(mut self, epsilon: f64) -> RmsProp {
        self.epsilon = epsilon;
        self
    }

    /// The share of the last step's velocity that is kept. Default: 0.
    pub fn momentum(mut self, momentum: f64) -> RmsProp {
        self.momentum = momentum;
        self
    }
}

impl Default for RmsProp {
    /// Rate 0.001, rho 0.9, epsilon 1e-7, no momentum: Keras's defaults.
    fn default() -> RmsProp {
        RmsProp::new(0.001)
    }
}

impl Optimizer for RmsProp {
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        let &mut RmsProp { rate, rho, epsilon, momentum, .. } = self;
        let rule = if momentum == 0.0 {
            UpdateRule::RmsProp { rate, rho, epsilon }
        } else {
            UpdateRule::RmsPropMomentum { rate, rho, epsilon, momentum }
        };
        self.states.step(rule, model, gradients);
    }

    fn name(&self) -> &'static str {
        "rmsprop"
    }

    fn learning_rate(&self) -> f64 {
        self.rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.rate = rate;
    }

    fn check(&self) -> Result<()> {
        check_rate(self.rate)?;
        check_share("rho", self.rho)?;
        check_share("momentum", self.momentum)
    }
}
