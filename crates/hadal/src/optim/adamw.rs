//! AdamW.

use super::{Adam, Core, Optimizer};
use crate::{Result, UpdateRule};

/// [`Adam`] with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, algorithm 2): `w -= learning_rate * decay * w` before
/// each step. Set the decay with [`weight_decay`](Optimizer::weight_decay).
#[derive(Clone, Debug)]
pub struct AdamW(Adam);

impl AdamW {
    /// With the given learning rate; the rest as in [`default`](AdamW::default).
    pub fn new(learning_rate: f64) -> AdamW {
        AdamW(Adam::with_core(Core::new(learning_rate).decoupled()).decoupled_weight_decay(0.004))
    }

    /// The exponential decay rates of the first and second moment estimates. Default: 0.9 and 0.999.
    pub fn betas(self, beta1: f64, beta2: f64) -> AdamW {
        AdamW(self.0.betas(beta1, beta2))
    }

    /// A small constant added to the denominator for numerical stability. Default: 1e-7.
    pub fn epsilon(self, epsilon: f64) -> AdamW {
        AdamW(self.0.epsilon(epsilon))
    }
}

impl Default for AdamW {
    /// Learning rate 0.001, weight decay 0.004, betas 0.9 and 0.999, epsilon 1e-7: Keras's defaults (PyTorch's decay is 0.01).
    fn default() -> AdamW {
        AdamW::new(0.001)
    }
}

impl Optimizer for AdamW {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn core(&self) -> &Core {
        self.0.core()
    }

    fn core_mut(&mut self) -> &mut Core {
        self.0.core_mut()
    }

    fn update_rule(&self, learning_rate: f64, step: u64) -> UpdateRule {
        self.0.update_rule(learning_rate, step)
    }

    fn check_settings(&self) -> Result<()> {
        self.0.check_settings()
    }
}
