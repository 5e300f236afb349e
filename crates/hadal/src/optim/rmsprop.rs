//! RMSprop.

use super::squares::{square, subnormal_counts};
use super::{Core, Optimizer, check_positive_in_f32, check_share, has_core};
use crate::{Formula, Real, Result, States, UpdateRule};

/// RMSprop in Keras's form: `s = rho * s + (1 - rho) * g^2; w -= learning_rate * g / sqrt(s + epsilon)`
/// (Tieleman and Hinton, COURSERA lecture 6.5, 2012). With momentum, the step goes through a velocity,
/// `v = momentum * v + step; w -= v`. If centered, the squared running mean of `g` is subtracted from `s` (Graves,
/// arXiv 1308.0850, 2013, eq. 40).
///
/// PyTorch divides by `sqrt(s) + epsilon` instead and keeps 0.99 of `s` by default.
///
/// ```
/// use hadal::prelude::*;
/// let mut w = Tensor::from([1.0]).requires_grad();
/// let mut optimizer = RmsProp::new(0.1);
/// let grads = w.powi(2).sum().backward();
/// optimizer.step(&mut w, &grads);
/// assert!((w.item() - (1.0 - 0.1 / 0.1f64.sqrt())).abs() < 1e-5);
/// ```
#[derive(Clone, Debug)]
pub struct RmsProp {
    core: Core,
    rho: f64,
    epsilon: f64,
    momentum: f64,
    centered: bool,
}

impl RmsProp {
    /// With the given learning rate; the rest as in [`default`](RmsProp::default).
    pub fn new(learning_rate: f64) -> RmsProp {
        RmsProp { core: Core::new(learning_rate), rho: 0.9, epsilon: 1e-7, momentum: 0.0, centered: false }
    }

    /// The decay rate of the running average of squared gradients. Default: 0.9.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = RmsProp::new(0.1).rho(0.0);
    /// let grads = w.powi(2).sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert!((w.item() - 0.9).abs() < 1e-5); // the sign of the gradient
    /// ```
    pub fn rho(mut self, rho: f64) -> RmsProp {
        self.rho = rho;
        self
    }

    /// A small constant added to the mean square for numerical stability. Default: 1e-7.
    pub fn epsilon(mut self, epsilon: f64) -> RmsProp {
        self.epsilon = epsilon;
        self
    }

    /// The momentum factor. Default: 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = RmsProp::new(0.01).momentum(0.5);
    /// for _ in 0..300 {
    ///     let grads = w.powi(2).sum().backward();
    ///     optimizer.step(&mut w, &grads);
    /// }
    /// assert!(w.item().abs() < 0.05);
    /// ```
    pub fn momentum(mut self, momentum: f64) -> RmsProp {
        self.momentum = momentum;
        self
    }

    /// Normalizes the gradient by an estimate of its standard deviation instead of its root mean square.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = RmsProp::new(0.01).centered();
    /// for _ in 0..300 {
    ///     let grads = w.powi(2).sum().backward();
    ///     optimizer.step(&mut w, &grads);
    /// }
    /// assert!(w.item().abs() < 0.05);
    /// ```
    pub fn centered(mut self) -> RmsProp {
        self.centered = true;
        self
    }
}

impl Default for RmsProp {
    /// Learning rate 0.001, rho 0.9, epsilon 1e-7, no momentum, not centered: Keras's defaults.
    fn default() -> RmsProp {
        RmsProp::new(0.001)
    }
}

impl Optimizer for RmsProp {
    has_core!("rmsprop");

    fn update_rule(&self, learning_rate: f64, _step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        let &RmsProp { rho, epsilon, momentum, centered, .. } = self;
        let plain = Plain { learning_rate, rho, epsilon };
        if centered {
            apply(&Centered { plain, momentum });
        } else if momentum == 0.0 {
            apply(&plain);
        } else {
            apply(&Momentum { plain, momentum });
        }
    }

    fn check_settings(&self) -> Result<()> {
        check_share("rho", self.rho)?;
        check_share("momentum", self.momentum)?;
        check_positive_in_f32("epsilon", self.epsilon, "1e-7")
    }
}

/// State `s`.
#[derive(Clone, Copy, Debug)]
struct Plain {
    learning_rate: f64,
    rho: f64,
    epsilon: f64,
}

impl Formula for Plain {
    const STATES: usize = 1;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [s, ..]: States<T>) {
        let [learning_rate, epsilon] = T::all([self.learning_rate, self.epsilon]);
        self.observe(g, s);
        *w = *w - learning_rate * g / (*s + epsilon).sqrt();
    }

    #[inline(always)]
    fn keeps_subnormal(self) -> bool {
        subnormal_counts(self.epsilon)
    }
}

impl Plain {
    #[inline(always)]
    fn observe<T: Real>(self, g: T, s: &mut T) {
        let [rho, rest] = T::all([self.rho, 1.0 - self.rho]);
        *s = rho * *s + rest * square(g, self.epsilon);
    }
}

/// States `s` and `v`.
#[derive(Clone, Copy, Debug)]
struct Momentum {
    plain: Plain,
    momentum: f64,
}

impl Formula for Momentum {
    const STATES: usize = 2;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [s, v, _]: States<T>) {
        let [learning_rate, epsilon, momentum] = T::all([self.plain.learning_rate, self.plain.epsilon, self.momentum]);
        self.plain.observe(g, s);
        *v = momentum * *v + learning_rate * g / (*s + epsilon).sqrt();
        *w = *w - *v;
    }

    #[inline(always)]
    fn keeps_subnormal(self) -> bool {
        subnormal_counts(self.plain.epsilon)
    }
}

/// States `s`, `v` and the running mean of `g`.
#[derive(Clone, Copy, Debug)]
struct Centered {
    plain: Plain,
    momentum: f64,
}

impl Formula for Centered {
    const STATES: usize = 3;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [s, v, a]: States<T>) {
        let [learning_rate, epsilon, momentum] = T::all([self.plain.learning_rate, self.plain.epsilon, self.momentum]);
        let [rho, rest] = T::all([self.plain.rho, 1.0 - self.plain.rho]);
        self.plain.observe(g, s);
        *a = rho * *a + rest * g;
        // A variance, which rounding would make negative where the gradient stays the same. Where the squares overflow it is
        // infinite, and the step 0.
        let variance = if *s == T::INFINITY { *s } else { (*s - *a * *a).larger(T::ZERO) };
        *v = momentum * *v + learning_rate * g / (variance + epsilon).sqrt();
        *w = *w - *v;
    }

    #[inline(always)]
    fn keeps_subnormal(self) -> bool {
        subnormal_counts(self.plain.epsilon)
    }
}
