//! How parameters follow their gradients, one file each.

mod adam;
mod rmsprop;
mod schedule;
mod sgd;
mod states;

pub use adam::Adam;
pub use rmsprop::RmsProp;
pub use schedule::Schedule;
pub use sgd::Sgd;
pub use states::States;

use crate::nn::Module;
use crate::{Error, Gradients, Result};

/// Changes parameters, given their gradients.
///
/// ```
/// use hadal::prelude::*;
/// let mut w = Tensor::ones([2]).requires_grad();
/// let mut optimizer = Sgd::new(0.1);
/// let grads = w.powi(2).sum().backward();
/// optimizer.step(&mut w, &grads);
/// assert_eq!(w.to_vec::<f32>(), [0.8, 0.8]);
/// ```
pub trait Optimizer: Send + Sync {
    /// One step for every parameter of `model` that has a gradient, in place.
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients);

    /// The optimizer's name, as it stands in reports: `rmsprop`.
    fn name(&self) -> &'static str;

    /// The rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the rate of the next step.
    fn set_learning_rate(&mut self, rate: f64);

    /// Checks the settings.
    ///
    /// # Errors
    /// If a setting cannot work: a rate that is not positive and finite, a momentum outside `[0, 1)`.
    fn check(&self) -> Result<()>;
}

impl Optimizer for Box<dyn Optimizer> {
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        (**self).step(model, gradients);
    }

    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn learning_rate(&self) -> f64 {
        (**self).learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f64) {
        (**self).set_learning_rate(rate);
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }
}

/// Rates must be positive and finite.
fn check_rate(rate: f64) -> Result<()> {
    if rate > 0.0 && rate.is_finite() {
        return Ok(());
    }
    Err(Error::Config(format!("learning rate {rate} must be a positive, finite number, for example 0.001")))
}

/// Shares that are kept must lie in `[0, 1)`.
fn check_share(name: &str, share: f64) -> Result<()> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(Error::Config(format!("{name} {share} must be at least 0 and below 1, for example 0.9")))
}
