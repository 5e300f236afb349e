//! Gradient descent.

use super::{Core, Optimizer, check_share, has_core};
use crate::{Formula, Real, Result, States, UpdateRule};

/// Gradient descent, `w -= learning_rate * g`: stochastic with batches, full-batch when a batch is all the data
/// ([`Fit::full_batch`](crate::train::Fit::full_batch)). With momentum (Polyak, 1964), in one of the
/// forms of [`MomentumForm`].
///
/// ```
/// use hadal::prelude::*;
/// let mut w = Tensor::from([1.0]).requires_grad();
/// let mut optimizer = Sgd::new(0.1);
/// let grads = w.powi(2).sum().backward();
/// optimizer.step(&mut w, &grads);
/// assert!((w.item() - 0.8).abs() < 1e-5);
/// ```
#[derive(Clone, Debug)]
pub struct Sgd {
    core: Core,
    momentum: f64,
    form: MomentumForm,
    nesterov: bool,
}

/// How the momentum update is written. At a constant learning rate all forms take the same steps. When the learning rate
/// changes, the first uses the new one at once; the others keep the old one in the velocity.
///
/// ```
/// use hadal::optim::MomentumForm;
/// use hadal::prelude::*;
/// let w = [MomentumForm::Torch, MomentumForm::Keras].map(|form| {
///     let mut w = Tensor::from([1.0]).requires_grad();
///     let mut optimizer = Sgd::new(0.1).momentum(0.5).momentum_form(form);
///     for learning_rate in [0.1, 0.0] {
///         optimizer.set_learning_rate(learning_rate);
///         let grads = w.powi(2).sum().backward();
///         optimizer.step(&mut w, &grads);
///     }
///     w.item()
/// });
/// // Under a learning rate of 0, Keras's velocity goes on, PyTorch's does not.
/// assert!((w[0] - 0.8).abs() < 1e-6 && (w[1] - 0.7).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MomentumForm {
    /// PyTorch's: `v = momentum * v + g; w -= learning_rate * v`.
    #[default]
    Torch,
    /// Classical momentum (Rumelhart, Hinton and Williams, Nature 323, 1986, eq. 9):
    /// `v = momentum * v + learning_rate * g; w -= v`.
    Classical,
    /// Keras's: `v = momentum * v - learning_rate * g; w += v`, the classical form with the opposite sign of `v`.
    Keras,
}

impl Sgd {
    /// Plain gradient descent.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Sgd::new(0.25);
    /// let grads = w.powi(2).sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert!((w.item() - 0.5).abs() < 1e-5);
    /// ```
    pub fn new(learning_rate: f64) -> Sgd {
        Sgd { core: Core::new(learning_rate), momentum: 0.0, form: MomentumForm::Torch, nesterov: false }
    }

    /// The momentum factor. Default: 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Sgd::new(0.1).momentum(0.9);
    /// for _ in 0..2 {
    ///     let grads = w.sum().backward();
    ///     optimizer.step(&mut w, &grads);
    /// }
    /// // Steps of 0.1 and of 0.1 + 0.9 * 0.1.
    /// assert!((w.item() - 0.71).abs() < 1e-6);
    /// ```
    pub fn momentum(mut self, momentum: f64) -> Sgd {
        self.momentum = momentum;
        self
    }

    /// The form of the momentum update. Default: [`MomentumForm::Torch`].
    ///
    /// ```
    /// use hadal::optim::MomentumForm;
    /// use hadal::prelude::*;
    /// let optimizer = Sgd::new(0.1).momentum(0.9).momentum_form(MomentumForm::Keras);
    /// assert!(optimizer.check().is_ok());
    /// ```
    pub fn momentum_form(mut self, form: MomentumForm) -> Sgd {
        self.form = form;
        self
    }

    /// Whether to use Nesterov momentum (Nesterov, 1983, as rewritten by Sutskever and others, ICML 2013). Requires momentum.
    /// Default: no.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let optimizer = Sgd::new(0.1).momentum(0.9).nesterov(true);
    /// assert!(optimizer.check().is_ok());
    /// assert!(Sgd::new(0.1).nesterov(true).check().is_err()); // there is no momentum
    /// ```
    pub fn nesterov(mut self, nesterov: bool) -> Sgd {
        self.nesterov = nesterov;
        self
    }
}

impl Default for Sgd {
    /// Learning rate 0.01, no momentum: Keras's defaults.
    fn default() -> Sgd {
        Sgd::new(0.01)
    }
}

impl Optimizer for Sgd {
    has_core!("sgd");

    fn update_rule(&self, learning_rate: f64, _step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        let &Sgd { momentum, nesterov, .. } = self;
        match self.form {
            _ if momentum == 0.0 => apply(&Plain { learning_rate }),
            MomentumForm::Torch => apply(&Momentum { learning_rate, momentum, nesterov }),
            MomentumForm::Classical | MomentumForm::Keras => apply(&Velocity { learning_rate, momentum, nesterov }),
        }
    }

    fn check_settings(&self) -> Result<()> {
        if self.nesterov && self.momentum == 0.0 {
            return Err(crate::Error::Config(
                "Nesterov momentum requires a momentum above 0, for example momentum(0.9)".into(),
            ));
        }
        check_share("momentum", self.momentum)
    }
}

#[derive(Clone, Copy, Debug)]
struct Plain {
    learning_rate: f64,
}

impl Formula for Plain {
    const STATES: usize = 0;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, _: States<T>) {
        *w = *w - T::from_f64(self.learning_rate) * g;
    }
}

/// State `v`, without the learning rate.
#[derive(Clone, Copy, Debug)]
struct Momentum {
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
}

impl Formula for Momentum {
    const STATES: usize = 1;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [v, ..]: States<T>) {
        let [learning_rate, momentum] = T::all([self.learning_rate, self.momentum]);
        *v = momentum * *v + g;
        let direction = if self.nesterov { g + momentum * *v } else { *v };
        *w = *w - learning_rate * direction;
    }
}

/// State `v`, with the learning rate in it.
#[derive(Clone, Copy, Debug)]
struct Velocity {
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
}

impl Formula for Velocity {
    const STATES: usize = 1;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [v, ..]: States<T>) {
        let [learning_rate, momentum] = T::all([self.learning_rate, self.momentum]);
        *v = momentum * *v + learning_rate * g;
        *w = *w - if self.nesterov { momentum * *v + learning_rate * g } else { *v };
    }
}
