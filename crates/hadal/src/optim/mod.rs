//! Optimizers and learning rate schedules.
//!
//! | optimizer | method |
//! | --- | --- |
//! | [`Sgd`] | gradient descent, optionally with momentum or Nesterov momentum |
//! | [`Adagrad`], [`Adadelta`], [`RmsProp`] | adaptive learning rates per parameter |
//! | [`Adam`] (and AMSGrad), [`Adamax`], [`AdamW`], [`Nadam`] | adaptive learning rates with momentum |
//! | [`Lion`] | the sign of the momentum |
//! | [`Muon`] | orthogonal steps for matrices |
//! | [`second_order`] | second-order methods: Newton, L-BFGS, Levenberg-Marquardt |

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod adamw;
mod core;
mod lion;
mod muon;
mod nadam;
mod param_group;
mod reduce_lr_on_plateau;
mod rmsprop;
mod schedule;
pub mod second_order;
mod sgd;
mod squares;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use adamw::AdamW;
use core::check_share;
pub use core::{Core, ParamUpdate};
pub(crate) use core::{check_positive, check_positive_in_f32};
pub use lion::Lion;
pub use muon::Muon;
pub use nadam::Nadam;
pub use param_group::ParamGroup;
pub(crate) use reduce_lr_on_plateau::direction;
pub use reduce_lr_on_plateau::{Mode, ReduceLrOnPlateau};
pub use rmsprop::RmsProp;
pub use schedule::Schedule;
pub use sgd::{MomentumForm, Sgd};

use crate::nn::Module;
use crate::{Gradients, Result, UpdateRule};

/// An optimizer: updates parameters from their gradients.
///
/// ```
/// use hadal::prelude::*;
/// let mut w = Tensor::ones([2]).requires_grad();
/// let mut optimizer = Sgd::new(0.1);
/// let grads = w.powi(2).sum().backward();
/// optimizer.step(&mut w, &grads);
/// assert_eq!(w.to_vec::<f32>(), [0.8, 0.8]);
/// ```
///
/// To write a custom optimizer, store a [`Core`] and pass the [`Formula`](crate::Formula) of a step on in
/// [`update_rule`](Optimizer::update_rule), or override [`step`](Optimizer::step) and compute with tensors, as [`Muon`] does.
pub trait Optimizer: Send + Sync {
    /// The optimizer's name, as it stands in reports: `rmsprop`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(RmsProp::default().name(), "rmsprop");
    /// ```
    fn name(&self) -> &'static str;

    /// The settings and state that all optimizers have.
    fn core(&self) -> &Core;

    /// As [`core`](Optimizer::core), to be changed.
    fn core_mut(&mut self) -> &mut Core;

    /// Calls `apply` with the update rule of step `step` (counted from 1) for a parameter with this learning rate: a
    /// [`Formula`](crate::Formula) with its constants.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut states = 0;
    /// Adam::default().update_rule(0.001, 1, &mut |rule| states = rule.states());
    /// assert_eq!(states, 2);
    /// ```
    fn update_rule(&self, learning_rate: f64, step: u64, apply: &mut dyn FnMut(&dyn UpdateRule));

    /// The settings beyond those of [`Core`]: what must be the same for a run to be [resumed](crate::train::Trainer::resume). Default:
    /// the update rule of the first step, which has the settings of most; an optimizer of your own that has others adds them.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_ne!(Muon::new(0.01).describe(), Muon::new(0.01).momentum(0.9).describe());
    /// ```
    fn describe(&self) -> String {
        let mut described = self.name().to_owned();
        self.update_rule(self.learning_rate(), 1, &mut |rule| described += &format!(" {rule:?}"));
        described
    }

    /// Checks the settings beyond those of [`Core`].
    ///
    /// # Errors
    /// If a setting cannot work.
    fn check_settings(&self) -> Result<()> {
        Ok(())
    }

    /// Performs one optimization step: updates every parameter of `model` that has a gradient, in place.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Sgd::new(0.1);
    /// let grads = w.powi(2).sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert!((w.item() - 0.8).abs() < 1e-5);
    /// ```
    ///
    /// # Panics
    /// If the learning rate is negative or not finite, another setting cannot work, a group matches no parameter, or the
    /// parameters are not those that the optimizer began with; nothing has been changed then.
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        assert_ready(self, model);
        let step = self.core().steps() + 1;
        let mut core = std::mem::take(self.core_mut());
        core.walk(model, gradients, &mut |place| {
            place.step(self, step);
        });
        *self.core_mut() = core;
    }

    /// The learning rate of the next step.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(RmsProp::default().learning_rate(), 0.001);
    /// ```
    fn learning_rate(&self) -> f64 {
        self.core().learning_rate
    }

    /// Sets the learning rate of the next step.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut optimizer = Sgd::new(0.1);
    /// optimizer.set_learning_rate(0.01);
    /// assert_eq!(optimizer.learning_rate(), 0.01);
    /// ```
    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.core_mut().learning_rate = learning_rate;
    }

    /// Checks all settings.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert!(Sgd::new(0.1).momentum(0.9).check().is_ok());
    /// assert!(Sgd::new(0.1).momentum(1.0).check().is_err());
    /// ```
    ///
    /// # Errors
    /// If a setting cannot work: a learning rate that is not positive and finite, a momentum outside `[0, 1)`.
    fn check(&self) -> Result<()> {
        self.core().check()?;
        self.check_settings()
    }

    /// Weight decay of the kind that PyTorch's optimizer of the same name has. For [`AdamW`], [`Lion`] and [`Muon`] it is
    /// [decoupled](Optimizer::decoupled_weight_decay). For all others it is an L2 penalty `weight_decay / 2 * |w|^2` on the loss:
    /// `g + weight_decay * w` replaces the gradient `g`. Default: 0; 0.004 for `AdamW`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Sgd::new(0.1).weight_decay(0.5);
    /// let grads = w.powi(2).sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert!((w.item() - 0.75).abs() < 1e-5); // the gradient is 2 + 0.5
    /// ```
    fn weight_decay(mut self, weight_decay: f64) -> Self
    where
        Self: Sized,
    {
        self.core_mut().set_weight_decay(weight_decay);
        self
    }

    /// Weight decay decoupled from the gradient, as AdamW's and as Keras's `weight_decay`:
    /// `w -= learning_rate * weight_decay * w` before the step (Loshchilov and Hutter, ICLR 2019). Default: 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Adam::new(0.1).decoupled_weight_decay(0.5);
    /// let grads = w.powi(2).sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert!((w.item() - 0.85).abs() < 1e-5); // decay of 0.05, then a step of 0.1
    /// ```
    fn decoupled_weight_decay(mut self, weight_decay: f64) -> Self
    where
        Self: Sized,
    {
        self.core_mut().decoupled_weight_decay = weight_decay;
        self
    }

    /// Adds a parameter group with its own settings, as PyTorch's `add_param_group`. If several groups match a parameter, their
    /// learning rate scales multiply and the last weight decay applies.
    ///
    /// ```
    /// use hadal::optim::ParamGroup;
    /// use hadal::prelude::*;
    /// let optimizer = AdamW::default().param_group(ParamGroup::suffix("bias").weight_decay(0.0));
    /// assert!(optimizer.check().is_ok());
    /// ```
    fn param_group(mut self, group: ParamGroup) -> Self
    where
        Self: Sized,
    {
        self.core_mut().groups.push(group);
        self
    }
}

/// Panics with what is wrong before a step, before anything is changed.
fn assert_ready<O: Optimizer + ?Sized>(optimizer: &O, model: &dyn Module) {
    if let Err(error) = optimizer.check_settings() {
        panic!("step: {error}");
    }
    optimizer.core().assert_ready(model);
}

impl Optimizer for Box<dyn Optimizer> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn core(&self) -> &Core {
        (**self).core()
    }

    fn core_mut(&mut self) -> &mut Core {
        (**self).core_mut()
    }

    fn update_rule(&self, learning_rate: f64, step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        (**self).update_rule(learning_rate, step, apply);
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn check_settings(&self) -> Result<()> {
        (**self).check_settings()
    }

    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        (**self).step(model, gradients);
    }

    fn learning_rate(&self) -> f64 {
        (**self).learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        (**self).set_learning_rate(learning_rate);
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }
}

/// What [`Optimizer`] asks of a type that keeps its [`Core`] in a field of that name.
macro_rules! has_core {
    ($name:literal) => {
        fn name(&self) -> &'static str {
            $name
        }

        fn core(&self) -> &crate::optim::Core {
            &self.core
        }

        fn core_mut(&mut self) -> &mut crate::optim::Core {
            &mut self.core
        }
    };
}
use has_core;
