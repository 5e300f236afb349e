//! Gradient descent.

use super::{Core, Optimizer, check_share, has_core};
use crate::{Result, UpdateRule};

/// Gradient descent, `w -= learning_rate * g`: stochastic with batches, full-batch when a batch is all the data
/// ([`Fit::full_batch`](crate::train::Fit::full_batch)). With momentum (Polyak, 1964), in the spelling of
/// [`MomentumForm`].
#[derive(Clone, Debug)]
pub struct Sgd {
    core: Core,
    momentum: f64,
    form: MomentumForm,
    nesterov: bool,
}

/// The spellings of momentum. At a constant learning rate all take the same steps; when the learning rate changes, the first forgets the
/// old learning rate at once, the others keep it in the velocity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MomentumForm {
    /// PyTorch's: `v = momentum * v + g; w -= learning_rate * v`.
    #[default]
    Torch,
    /// The lecture's, and Rumelhart's, Hinton's and Williams's (Nature 323, 1986, eq. 9):
    /// `v = momentum * v + learning_rate * g; w -= v`.
    Lecture,
    /// Keras's: `v = momentum * v - learning_rate * g; w += v`, the lecture's with the sign of `v` turned.
    Keras,
}

impl Sgd {
    /// Plain gradient descent.
    pub fn new(learning_rate: f64) -> Sgd {
        Sgd { core: Core::new(learning_rate), momentum: 0.0, form: MomentumForm::Torch, nesterov: false }
    }

    /// The share of the last step's velocity that is kept. Default: 0.
    pub fn momentum(mut self, momentum: f64) -> Sgd {
        self.momentum = momentum;
        self
    }

    /// How momentum is spelled. Default: [`MomentumForm::Torch`].
    pub fn form(mut self, form: MomentumForm) -> Sgd {
        self.form = form;
        self
    }

    /// Looks ahead along the velocity (Nesterov, 1983, as Sutskever and others rewrote it, ICML 2013). Needs momentum.
    pub fn nesterov(mut self) -> Sgd {
        self.nesterov = true;
        self
    }
}

impl Default for Sgd {
    /// Rate 0.01, no momentum: Keras's defaults.
    fn default() -> Sgd {
        Sgd::new(0.01)
    }
}

impl Optimizer for Sgd {
    has_core!("sgd");

    fn rule(&self, learning_rate: f64, _step: u64) -> UpdateRule {
        let &Sgd { momentum, nesterov, .. } = self;
        match self.form {
            _ if momentum == 0.0 => UpdateRule::Sgd { learning_rate },
            MomentumForm::Torch => UpdateRule::Momentum { learning_rate, momentum, nesterov },
            MomentumForm::Lecture | MomentumForm::Keras => UpdateRule::Velocity { learning_rate, momentum, nesterov },
        }
    }

    fn check_own(&self) -> Result<()> {
        if self.nesterov && self.momentum == 0.0 {
            return Err(crate::Error::Config(
                "nesterov looks ahead along the velocity: set a momentum, for example 0.9".into(),
            ));
        }
        check_share("momentum", self.momentum)
    }
}
