//! Lion.

use super::{Core, Optimizer, check_share, has_core};
use crate::{Formula, Real, Result, States, UpdateRule};

/// Lion (Chen and others, NeurIPS 2023, algorithm 2): `w -= learning_rate * sign(beta1 * m + (1 - beta1) * g);
/// m = beta2 * m + (1 - beta2) * g`. Every step has the same size, so learning rates are 3 to 10 times smaller than Adam's;
/// decay is usually [decoupled](Optimizer::decoupled_weight_decay).
///
/// ```
/// use hadal::prelude::*;
/// let mut w = Tensor::from([1.0]).requires_grad();
/// let mut optimizer = Lion::new(0.1);
/// let grads = w.powi(2).sum().backward();
/// optimizer.step(&mut w, &grads);
/// assert!((w.item() - 0.9).abs() < 1e-5);
/// ```
#[derive(Clone, Debug)]
pub struct Lion {
    core: Core,
    beta1: f64,
    beta2: f64,
}

impl Lion {
    /// With the given learning rate; the rest as in [`default`](Lion::default).
    pub fn new(learning_rate: f64) -> Lion {
        Lion { core: Core::new(learning_rate).decoupled(), beta1: 0.9, beta2: 0.99 }
    }

    /// The coefficient of `m` in the step, and the decay rate of `m`. Default: 0.9 and 0.99.
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Lion {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }
}

impl Default for Lion {
    /// Learning rate 0.0001, betas 0.9 and 0.99: the paper's defaults (Keras's learning rate is 0.001).
    fn default() -> Lion {
        Lion::new(1e-4)
    }
}

impl Optimizer for Lion {
    has_core!("lion");

    fn update_rule(&self, learning_rate: f64, _step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        apply(&Rule { learning_rate, beta1: self.beta1, beta2: self.beta2 });
    }

    fn check_settings(&self) -> Result<()> {
        check_share("beta1", self.beta1)?;
        check_share("beta2", self.beta2)
    }
}

/// State `m`.
#[derive(Clone, Copy, Debug)]
struct Rule {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
}

impl Formula for Rule {
    const STATES: usize = 1;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [m, ..]: States<T>) {
        let [learning_rate, one, beta1, beta2] = T::all([self.learning_rate, 1.0, self.beta1, self.beta2]);
        let direction = beta1 * *m + (one - beta1) * g;
        let step = if direction > T::ZERO {
            learning_rate
        } else if direction < T::ZERO {
            -learning_rate
        } else {
            // 0, or NaN, which is not to be hidden.
            direction
        };
        *w = *w - step;
        *m = beta2 * *m + (one - beta2) * g;
    }
}
