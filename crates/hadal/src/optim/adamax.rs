//! Adamax.

use super::adam::power;
use super::squares::subnormal_counts;
use super::{Core, Optimizer, check_positive_in_f32, check_share, has_core};
use crate::{Formula, Real, Result, States, UpdateRule};

/// Adamax, the variant of Adam based on the infinity norm (Kingma and Ba, ICLR 2015, algorithm 2), in Keras's form: with
/// `m += (1 - beta1) (g - m)` and `u = max(beta2 * u, |g|)`, step t is
/// `w -= learning_rate / (1 - beta1^t) * m / (u + epsilon)`.
///
/// ```
/// use hadal::optim::Adamax;
/// use hadal::prelude::*;
/// let mut w = Tensor::from([1.0]).requires_grad();
/// let mut optimizer = Adamax::new(0.1);
/// let grads = w.powi(2).sum().backward();
/// optimizer.step(&mut w, &grads);
/// assert!((w.item() - 0.9).abs() < 1e-5);
/// ```
#[derive(Clone, Debug)]
pub struct Adamax {
    core: Core,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
}

impl Adamax {
    /// With the given learning rate; the rest as in [`default`](Adamax::default).
    pub fn new(learning_rate: f64) -> Adamax {
        Adamax { core: Core::new(learning_rate), beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }
    }

    /// The exponential decay rates of the first moment `m` and the weighted infinity norm `u`. Default: 0.9 and 0.999.
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Adamax {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// A small constant added to the denominator for numerical stability. Default: 1e-7.
    pub fn epsilon(mut self, epsilon: f64) -> Adamax {
        self.epsilon = epsilon;
        self
    }
}

impl Default for Adamax {
    /// Learning rate 0.001, betas 0.9 and 0.999, epsilon 1e-7: Keras's defaults.
    fn default() -> Adamax {
        Adamax::new(0.001)
    }
}

impl Optimizer for Adamax {
    has_core!("adamax");

    fn update_rule(&self, learning_rate: f64, step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        let &Adamax { beta1, beta2, epsilon, .. } = self;
        apply(&Rule { learning_rate: learning_rate / (1.0 - power(beta1, step)), beta1, beta2, epsilon });
    }

    fn check_settings(&self) -> Result<()> {
        check_share("beta1", self.beta1)?;
        check_share("beta2", self.beta2)?;
        check_positive_in_f32("epsilon", self.epsilon, "1e-7")
    }
}

/// States `m` and `u`; the learning rate has the bias correction in it.
#[derive(Clone, Copy, Debug)]
struct Rule {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
}

impl Formula for Rule {
    const STATES: usize = 2;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [m, u, _]: States<T>) {
        let [learning_rate, epsilon] = T::all([self.learning_rate, self.epsilon]);
        let [beta1, rest1, beta2] = T::all([self.beta1, 1.0 - self.beta1, self.beta2]);
        *m = beta1 * *m + rest1 * g;
        *u = (beta2 * *u).larger(g.abs());
        *w = *w - learning_rate * *m / (*u + epsilon);
    }

    #[inline(always)]
    fn keeps_subnormal(self) -> bool {
        subnormal_counts(self.epsilon)
    }
}
