//! Nadam.

use super::adam::power;
use super::squares::{square, subnormal_counts};
use super::{Core, Optimizer, check_positive_in_f32, check_share, has_core};
use crate::{Formula, Real, Result, States, UpdateRule};

/// Adam with Nesterov momentum (Dozat, ICLR workshop 2016, algorithm 8), in Keras's form. With `m` and `v` of
/// [`Adam`](super::Adam), `u_t = beta1 (1 - 0.5 * 0.96^t)` and `U_t = u_1 .. u_t`, step t is
/// `w -= learning_rate * (u_(t+1) / (1 - U_(t+1)) * m + (1 - u_t) / (1 - U_t) * g) / (sqrt(v / (1 - beta2^t)) + epsilon)`.
///
/// ```
/// use hadal::prelude::*;
/// let mut w = Tensor::from([1.0]).requires_grad();
/// let mut optimizer = Nadam::new(0.1);
/// for _ in 0..300 {
///     let grads = w.powi(2).sum().backward();
///     optimizer.step(&mut w, &grads);
/// }
/// assert!(w.item().abs() < 0.01);
/// ```
#[derive(Clone, Debug)]
pub struct Nadam {
    core: Core,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
}

impl Nadam {
    /// With the given learning rate; the rest as in [`default`](Nadam::default).
    pub fn new(learning_rate: f64) -> Nadam {
        Nadam { core: Core::new(learning_rate), beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }
    }

    /// The exponential decay rates of the first and second moment estimates. Default: 0.9 and 0.999.
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Nadam {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// A small constant added to the denominator for numerical stability. Default: 1e-7.
    pub fn epsilon(mut self, epsilon: f64) -> Nadam {
        self.epsilon = epsilon;
        self
    }

    fn u(&self, step: u64) -> f64 {
        self.beta1 * (1.0 - 0.5 * power(0.96, step))
    }

    /// `U_t`; after 1,000 steps its factors are `beta1` to the last bit.
    fn product(&self, step: u64) -> f64 {
        let mut decay = 1.0;
        let mut product = power(self.beta1, step);
        for _ in 0..step.min(1000) {
            decay *= 0.96;
            product *= 1.0 - 0.5 * decay;
        }
        product
    }
}

impl Default for Nadam {
    /// Learning rate 0.001, betas 0.9 and 0.999, epsilon 1e-7: Keras's defaults.
    fn default() -> Nadam {
        Nadam::new(0.001)
    }
}

impl Optimizer for Nadam {
    has_core!("nadam");

    fn update_rule(&self, learning_rate: f64, step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        let (product, next) = (self.product(step), self.u(step + 1));
        apply(&Rule {
            momentum_rate: learning_rate * next / (1.0 - product * next),
            gradient_rate: learning_rate * (1.0 - self.u(step)) / (1.0 - product),
            beta1: self.beta1,
            beta2: self.beta2,
            correction: 1.0 - power(self.beta2, step),
            epsilon: self.epsilon,
        });
    }

    fn check_settings(&self) -> Result<()> {
        check_share("beta1", self.beta1)?;
        check_share("beta2", self.beta2)?;
        check_positive_in_f32("epsilon", self.epsilon, "1e-7")
    }
}

/// States `m` and `v`; the rates of `m` and `g` have the bias correction in them.
#[derive(Clone, Copy, Debug)]
struct Rule {
    momentum_rate: f64,
    gradient_rate: f64,
    beta1: f64,
    beta2: f64,
    correction: f64,
    epsilon: f64,
}

impl Formula for Rule {
    const STATES: usize = 2;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [m, v, _]: States<T>) {
        let [momentum_rate, gradient_rate] = T::all([self.momentum_rate, self.gradient_rate]);
        let [beta1, rest1, beta2, rest2] = T::all([self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2]);
        let [unbias, epsilon] = T::all([1.0 / self.correction, self.epsilon]);
        *m = beta1 * *m + rest1 * g;
        *v = beta2 * *v + rest2 * square(g, self.epsilon);
        *w = *w - (momentum_rate * *m + gradient_rate * g) / ((*v * unbias).sqrt() + epsilon);
    }

    #[inline(always)]
    fn keeps_subnormal(self) -> bool {
        subnormal_counts(self.epsilon)
    }
}
