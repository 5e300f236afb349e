//! AdamW.

use super::{Adam, Core, Optimizer};
use crate::{Result, UpdateRule};

/// [`Adam`] with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, algorithm 2): `w -= learning_rate * decay * w` before
/// each step. Set the decay with [`weight_decay`](Optimizer::weight_decay).
///
/// ```
/// use hadal::prelude::*;
/// let mut w = Tensor::from([1.0, 1.0]).requires_grad();
/// let mut optimizer = AdamW::new(0.1).weight_decay(0.5);
/// let grads = (&w * Tensor::from([1.0, 0.0])).sum().backward();
/// optimizer.step(&mut w, &grads);
/// // Both decay to 0.95; the first also takes a step of 0.1.
/// let w = w.to_vec::<f32>();
/// assert!((w[0] - 0.85).abs() < 1e-5 && (w[1] - 0.95).abs() < 1e-5);
/// ```
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

    fn update_rule(&self, learning_rate: f64, step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        self.0.update_rule(learning_rate, step, apply);
    }

    fn check_settings(&self) -> Result<()> {
        self.0.check_settings()
    }
}
