//! Adam.

use super::{Optimizer, States, check_rate, check_share};
use crate::nn::Module;
use crate::{Gradients, Result, UpdateRule};

/// Adam in Keras's form (Kingma and Ba, ICLR 2015, the variant at the end of section 2): with
/// `m += (1 - beta1) (g - m)` and `v += (1 - beta2) (g^2 - v)`, step t is
/// `w -= rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)`.
#[derive(Clone, Debug)]
pub struct Adam {
    rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    steps: i32,
    states: States,
}

impl Adam {
    /// With the given rate; the rest as in [`default`](Adam::default).
    pub fn new(rate: f64) -> Adam {
        Adam { rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, steps: 0, states: States::default() }
    }

    /// The shares of mean and mean square that are kept. Default: 0.9 and 0.999.
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Adam {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// Keeps the division finite. Default: 1e-7.
    pub fn epsilon(mut self, epsilon: f64) -> Adam {
        self.epsilon = epsilon;
        self
    }
}

impl Default for Adam {
    /// Rate 0.001, betas 0.9 and 0.999, epsilon 1e-7: Keras's defaults.
    fn default() -> Adam {
        Adam::new(0.001)
    }
}

impl Optimizer for Adam {
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        self.steps = self.steps.saturating_add(1);
        let &mut Adam { rate, beta1, beta2, epsilon, steps, .. } = self;
        let rate = rate * (1.0 - beta2.powi(steps)).sqrt() / (1.0 - beta1.powi(steps));
        self.states.step(UpdateRule::Adam { rate, beta1, beta2, epsilon }, model, gradients);
    }

    fn name(&self) -> &'static str {
        "adam"
    }

    fn learning_rate(&self) -> f64 {
        self.rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.rate = rate;
    }

    fn check(&self) -> Result<()> {
        check_rate(self.rate)?;
        check_share("beta1", self.beta1)?;
        check_share("beta2", self.beta2)
    }
}
