//! AdaDelta.

use super::squares::{square, subnormal_counts};
use super::{Core, Optimizer, check_positive_in_f32, check_share, has_core};
use crate::{Formula, Real, Result, States, UpdateRule};

/// AdaDelta (Zeiler, arXiv 1212.5701, 2012, algorithm 1): `s = rho * s + (1 - rho) * g^2;
/// d = sqrt(u + epsilon) / sqrt(s + epsilon) * g; u = rho * u + (1 - rho) * d^2; w -= learning_rate * d`.
///
/// ```
/// use hadal::prelude::*;
/// let mut w = Tensor::from([1.0]).requires_grad();
/// let mut optimizer = Adadelta::default();
/// for _ in 0..2000 {
///     let grads = w.powi(2).sum().backward();
///     optimizer.step(&mut w, &grads);
/// }
/// assert!(w.item().abs() < 0.1);
/// ```
#[derive(Clone, Debug)]
pub struct Adadelta {
    core: Core,
    rho: f64,
    epsilon: f64,
}

impl Adadelta {
    /// With the given learning rate; the rest as in [`default`](Adadelta::default).
    pub fn new(learning_rate: f64) -> Adadelta {
        Adadelta { core: Core::new(learning_rate), rho: 0.9, epsilon: 1e-6 }
    }

    /// The decay rate of the running averages of squared gradients and squared updates. Default: 0.9.
    pub fn rho(mut self, rho: f64) -> Adadelta {
        self.rho = rho;
        self
    }

    /// A small constant for numerical stability. Default: 1e-6.
    pub fn epsilon(mut self, epsilon: f64) -> Adadelta {
        self.epsilon = epsilon;
        self
    }
}

impl Default for Adadelta {
    /// Learning rate 1, rho 0.9, epsilon 1e-6: PyTorch's defaults.
    fn default() -> Adadelta {
        Adadelta::new(1.0)
    }
}

impl Optimizer for Adadelta {
    has_core!("adadelta");

    fn update_rule(&self, learning_rate: f64, _step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        apply(&Rule { learning_rate, rho: self.rho, epsilon: self.epsilon });
    }

    fn check_settings(&self) -> Result<()> {
        check_share("rho", self.rho)?;
        check_positive_in_f32("epsilon", self.epsilon, "1e-6")
    }
}

/// States `s` and `u`.
#[derive(Clone, Copy, Debug)]
struct Rule {
    learning_rate: f64,
    rho: f64,
    epsilon: f64,
}

impl Formula for Rule {
    const STATES: usize = 2;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [s, u, _]: States<T>) {
        let [learning_rate, rho, rest, epsilon] = T::all([self.learning_rate, self.rho, 1.0 - self.rho, self.epsilon]);
        *s = rho * *s + rest * square(g, self.epsilon);
        let d = (*u + epsilon).sqrt() / (*s + epsilon).sqrt() * g;
        *u = rho * *u + rest * square(d, self.epsilon);
        *w = *w - learning_rate * d;
    }

    #[inline(always)]
    fn keeps_subnormal(self) -> bool {
        subnormal_counts(self.epsilon)
    }
}
