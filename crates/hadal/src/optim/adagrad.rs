//! AdaGrad.

use super::squares::{square, subnormal_counts};
use super::{Core, Optimizer, check_positive_in_f32, has_core};
use crate::{Formula, Real, Result, States, UpdateRule};

/// AdaGrad (Duchi, Hazan and Singer, JMLR 12, 2011), in PyTorch's form: `s += g^2; w -= learning_rate * g / (sqrt(s) + epsilon)`.
///
/// ```
/// use hadal::prelude::*;
/// let mut w = Tensor::from([1.0]).requires_grad();
/// let mut optimizer = Adagrad::new(0.1);
/// let grads = w.powi(2).sum().backward();
/// optimizer.step(&mut w, &grads);
/// assert!((w.item() - 0.9).abs() < 1e-5);
/// ```
#[derive(Clone, Debug)]
pub struct Adagrad {
    core: Core,
    epsilon: f64,
}

impl Adagrad {
    /// With the given learning rate; the rest as in [`default`](Adagrad::default).
    pub fn new(learning_rate: f64) -> Adagrad {
        Adagrad { core: Core::new(learning_rate), epsilon: 1e-10 }
    }

    /// A small constant added to the denominator for numerical stability. Default: 1e-10.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Adagrad::new(0.1).epsilon(2.0);
    /// let grads = w.powi(2).sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert!((w.item() - 0.95).abs() < 1e-5); // half a step
    /// ```
    pub fn epsilon(mut self, epsilon: f64) -> Adagrad {
        self.epsilon = epsilon;
        self
    }
}

impl Default for Adagrad {
    /// Learning rate 0.01, epsilon 1e-10: PyTorch's defaults.
    fn default() -> Adagrad {
        Adagrad::new(0.01)
    }
}

impl Optimizer for Adagrad {
    has_core!("adagrad");

    fn update_rule(&self, learning_rate: f64, _step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        apply(&Rule { learning_rate, epsilon: self.epsilon });
    }

    fn check_settings(&self) -> Result<()> {
        check_positive_in_f32("epsilon", self.epsilon, "1e-10")
    }
}

/// State `s`.
#[derive(Clone, Copy, Debug)]
struct Rule {
    learning_rate: f64,
    epsilon: f64,
}

impl Formula for Rule {
    const STATES: usize = 1;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [s, ..]: States<T>) {
        let [learning_rate, epsilon] = T::all([self.learning_rate, self.epsilon]);
        *s = *s + square(g, self.epsilon);
        *w = *w - learning_rate * g / ((*s).sqrt() + epsilon);
    }

    #[inline(always)]
    fn keeps_subnormal(self) -> bool {
        subnormal_counts(self.epsilon)
    }
}
