//! Adam and AMSGrad.

use super::squares::{square, subnormal_counts};
use super::{Core, Optimizer, check_positive_in_f32, check_share, has_core};
use crate::{Formula, Real, Result, States, UpdateRule};

/// Adam in Keras's form (Kingma and Ba, ICLR 2015, the variant at the end of section 2): with
/// `m += (1 - beta1) (g - m)` and `v += (1 - beta2) (g^2 - v)`, step t is
/// `w -= learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)`. As AMSGrad (Reddi, Kale and Kumar,
/// ICLR 2018, algorithm 2) it divides by the largest `v` so far.
///
/// PyTorch adds its epsilon (1e-8) after the bias correction of `v`.
///
/// ```
/// use hadal::prelude::*;
/// let mut w = Tensor::from([1.0]).requires_grad();
/// let mut optimizer = Adam::new(0.1);
/// let grads = w.powi(2).sum().backward();
/// optimizer.step(&mut w, &grads);
/// assert!((w.item() - 0.9).abs() < 1e-5); // the first step has the size of the learning rate
/// ```
#[derive(Clone, Debug)]
pub struct Adam {
    core: Core,
    pub(super) beta1: f64,
    pub(super) beta2: f64,
    pub(super) epsilon: f64,
    amsgrad: bool,
}

impl Adam {
    /// With the given learning rate; the rest as in [`default`](Adam::default).
    pub fn new(learning_rate: f64) -> Adam {
        Adam::with_core(Core::new(learning_rate))
    }

    pub(super) fn with_core(core: Core) -> Adam {
        Adam { core, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, amsgrad: false }
    }

    /// The exponential decay rates of the first and second moment estimates. Default: 0.9 and 0.999.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Adam::new(0.1).betas(0.8, 0.99);
    /// for _ in 0..300 {
    ///     let grads = w.powi(2).sum().backward();
    ///     optimizer.step(&mut w, &grads);
    /// }
    /// assert!(w.item().abs() < 0.01);
    /// ```
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Adam {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// A small constant added to the denominator for numerical stability. Default: 1e-7.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// // PyTorch's value.
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Adam::new(0.1).epsilon(1e-8);
    /// let grads = w.powi(2).sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert!((w.item() - 0.9).abs() < 1e-5);
    /// ```
    pub fn epsilon(mut self, epsilon: f64) -> Adam {
        self.epsilon = epsilon;
        self
    }

    /// Enables AMSGrad: uses the maximum of the second moment estimates so far.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Adam::new(0.1).amsgrad();
    /// for _ in 0..300 {
    ///     let grads = w.powi(2).sum().backward();
    ///     optimizer.step(&mut w, &grads);
    /// }
    /// assert!(w.item().abs() < 0.01);
    /// ```
    pub fn amsgrad(mut self) -> Adam {
        self.amsgrad = true;
        self
    }
}

impl Default for Adam {
    /// Learning rate 0.001, betas 0.9 and 0.999, epsilon 1e-7: Keras's defaults.
    fn default() -> Adam {
        Adam::new(0.001)
    }
}

impl Optimizer for Adam {
    has_core!("adam");

    fn update_rule(&self, learning_rate: f64, step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        let &Adam { beta1, beta2, epsilon, .. } = self;
        let learning_rate = learning_rate * (1.0 - power(beta2, step)).sqrt() / (1.0 - power(beta1, step));
        if self.amsgrad {
            apply(&AmsGrad(Moments { learning_rate, beta1, beta2, epsilon }));
        } else {
            apply(&Moments { learning_rate, beta1, beta2, epsilon });
        }
    }

    fn check_settings(&self) -> Result<()> {
        check_share("beta1", self.beta1)?;
        check_share("beta2", self.beta2)?;
        check_positive_in_f32("epsilon", self.epsilon, "1e-7")
    }
}

/// `share^step`.
pub(super) fn power(share: f64, step: u64) -> f64 {
    share.powf(step as f64)
}

/// States `m` and `v`; the learning rate has the bias correction in it.
#[derive(Clone, Copy, Debug)]
struct Moments {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
}

impl Formula for Moments {
    const STATES: usize = 2;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [m, v, _]: States<T>) {
        let [learning_rate, epsilon] = T::all([self.learning_rate, self.epsilon]);
        self.observe(g, m, v);
        *w = *w - learning_rate * *m / ((*v).sqrt() + epsilon);
    }

    #[inline(always)]
    fn keeps_subnormal(self) -> bool {
        subnormal_counts(self.epsilon)
    }
}

impl Moments {
    #[inline(always)]
    fn observe<T: Real>(self, g: T, m: &mut T, v: &mut T) {
        let [beta1, rest1, beta2, rest2] = T::all([self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2]);
        *m = beta1 * *m + rest1 * g;
        *v = beta2 * *v + rest2 * square(g, self.epsilon);
    }
}

/// States `m`, `v` and the largest `v` so far.
#[derive(Clone, Copy, Debug)]
struct AmsGrad(Moments);

impl Formula for AmsGrad {
    const STATES: usize = 3;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [m, v, h]: States<T>) {
        let [learning_rate, epsilon] = T::all([self.0.learning_rate, self.0.epsilon]);
        self.0.observe(g, m, v);
        *h = (*h).larger(*v);
        *w = *w - learning_rate * *m / ((*h).sqrt() + epsilon);
    }

    #[inline(always)]
    fn keeps_subnormal(self) -> bool {
        subnormal_counts(self.0.epsilon)
    }
}
