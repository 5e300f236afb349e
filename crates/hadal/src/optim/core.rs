//! The settings and state of all optimizers: learning rate, weight decay, parameter groups, state tensors.

use std::collections::BTreeMap;
use std::sync::Once;

use super::{Optimizer, ParamGroup};
use crate::monitor::note;
use crate::nn::Module;
use crate::{Error, Gradients, Result, Tensor, WeightDecay};

/// Settings and state that every optimizer has.
///
/// ```
/// use hadal::optim::{Core, Optimizer};
/// use hadal::{Formula, Real, States, Tensor, UpdateRule};
/// /// Gradient descent by the sign of the gradient.
/// struct Signs {
///     core: Core,
/// }
///
/// impl Optimizer for Signs {
///     fn name(&self) -> &'static str {
///         "signs"
///     }
///     fn core(&self) -> &Core {
///         &self.core
///     }
///     fn core_mut(&mut self) -> &mut Core {
///         &mut self.core
///     }
///     fn update_rule(&self, learning_rate: f64, _step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
///         apply(&Sign { learning_rate });
///     }
/// }
///
/// /// For each number.
/// #[derive(Clone, Copy, Debug)]
/// struct Sign {
///     learning_rate: f64,
/// }
///
/// impl Formula for Sign {
///     const STATES: usize = 0;
///
///     #[inline(always)]
///     fn step<T: Real>(self, w: &mut T, g: T, _: States<T>) {
///         let learning_rate = T::from_f64(self.learning_rate);
///         *w = *w - if g > T::ZERO { learning_rate } else { -learning_rate };
///     }
/// }
///
/// let mut w = Tensor::from([1.0]).requires_grad();
/// let mut optimizer = Signs { core: Core::new(0.5) };
/// let grads = w.sum().backward();
/// optimizer.step(&mut w, &grads);
/// assert_eq!(w.item(), 0.5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Core {
    pub(super) learning_rate: f64,
    /// PyTorch's `weight_decay`: added to the gradient.
    pub(super) weight_decay: f64,
    /// AdamW's: taken off the parameter.
    pub(super) decoupled_weight_decay: f64,
    /// Whether the optimizer's own kind of decay is the decoupled one.
    decoupled: bool,
    pub(super) groups: Vec<ParamGroup>,
    steps: u64,
    /// The state tensors of each parameter, by the parameter's name.
    states: BTreeMap<String, Vec<Tensor>>,
}

/// One parameter in one optimizer step, with its gradient and optimizer state.
pub struct ParamUpdate<'a> {
    /// The parameter, to be changed in place.
    pub parameter: &'a mut Tensor,
    /// Its gradient, of the same shape.
    pub gradient: &'a Tensor,
    /// The state tensors of the parameter, such as momentum buffers; empty at the first step.
    pub states: &'a mut Vec<Tensor>,
    /// The learning rate for this parameter.
    pub learning_rate: f64,
    /// The decay for this parameter.
    pub decay: WeightDecay,
}

impl ParamUpdate<'_> {
    /// Step `step` by the rule of an optimizer; states begin as zeros.
    pub(super) fn step(self, optimizer: &(impl Optimizer + ?Sized), step: u64) {
        let ParamUpdate { parameter, gradient, states, learning_rate, decay } = self;
        optimizer.update_rule(learning_rate, step, &mut |rule| {
            if states.is_empty() {
                states.extend((0..rule.states()).map(|_| parameter.zeros_like()));
            }
            parameter.update(rule, decay, states, gradient);
        });
    }
}

impl Core {
    /// With the given learning rate, without decay or groups.
    ///
    /// ```
    /// use hadal::optim::Core;
    /// let core = Core::new(0.1);
    /// assert_eq!((core.learning_rate(), core.steps()), (0.1, 0));
    /// ```
    pub fn new(learning_rate: f64) -> Core {
        Core { learning_rate, ..Core::default() }
    }

    /// Makes decoupled weight decay, as in AdamW, the default kind for the weight decay of parameter groups.
    pub fn decoupled(self) -> Core {
        Core { decoupled: true, ..self }
    }

    /// Sets weight decay of the optimizer's own kind.
    pub(super) fn set_weight_decay(&mut self, weight_decay: f64) {
        let kind = if self.decoupled { &mut self.decoupled_weight_decay } else { &mut self.weight_decay };
        *kind = weight_decay;
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// The number of steps taken.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Sgd::new(0.1);
    /// let grads = w.powi(2).sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert_eq!(optimizer.core().steps(), 1);
    /// ```
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Checks learning rate, groups and parameters before a step changes anything.
    ///
    /// # Panics
    /// If the learning rate is negative or not finite, a parameter is not the one that its state was made for, or a group
    /// matches no parameter.
    pub(super) fn assert_ready(&self, model: &dyn Module) {
        assert!(
            self.learning_rate >= 0.0 && self.learning_rate.is_finite(),
            "step: learning rate {} must be 0 or a positive, finite number, for example 0.001",
            self.learning_rate
        );
        let mut problem = self.empty_group(model);
        model.visit("", &mut |name, parameter| {
            if problem.is_none()
                && let Some(states) = self.states.get(name)
            {
                problem = misfit(name, parameter, states);
            }
        });
        if let Some(problem) = problem {
            panic!("step: {problem}");
        }
    }

    /// The error message for the first group that matches no parameter.
    fn empty_group(&self, model: &dyn Module) -> Option<String> {
        self.groups.iter().find_map(|group| {
            let (mut found, mut names) = (false, Vec::new());
            model.visit("", &mut |name, parameter| {
                found |= group.holds(name);
                if parameter.is_leaf() {
                    names.push(name.to_owned());
                }
            });
            (!found).then(|| format!("the {group} matches no parameter; the parameters are {}", names.join(", ")))
        })
    }

    /// Calls `visit` for every parameter of `model` that has a gradient, and counts the step.
    ///
    /// ```
    /// use hadal::optim::Core;
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut core = Core::new(0.5);
    /// let grads = w.sum().backward();
    /// core.each(&mut w, &grads, &mut |place| place.parameter.add_scaled(-place.learning_rate, place.gradient));
    /// assert_eq!(w.item(), 0.5);
    /// ```
    ///
    /// # Panics
    /// If the learning rate is negative or not finite, a parameter is not the one that its state was made for, or a group
    /// matches no parameter; nothing has been changed then.
    pub fn each(&mut self, model: &mut dyn Module, gradients: &Gradients, visit: &mut dyn FnMut(ParamUpdate)) {
        self.assert_ready(model);
        self.walk(model, gradients, visit);
    }

    /// [`each`](Core::each) where [`assert_ready`](Core::assert_ready) has not panicked.
    pub(super) fn walk(&mut self, model: &mut dyn Module, gradients: &Gradients, visit: &mut dyn FnMut(ParamUpdate)) {
        self.steps += 1;
        let mut updated = false;
        model.visit_mut("", &mut |name, parameter| {
            let Some(gradient) = gradients.get(parameter) else { return };
            updated = true;
            let (mut learning_rate, mut weight_decay) = (self.learning_rate, None);
            for group in self.groups.iter().filter(|group| group.holds(name)) {
                learning_rate *= group.learning_rate_scale;
                weight_decay = group.weight_decay.or(weight_decay);
            }
            // A group's decay replaces the kind that the optimizer has, or is of its default kind if it has none.
            let none = self.weight_decay == 0.0 && self.decoupled_weight_decay == 0.0;
            let own = |decay: f64, is_own_kind: bool| match weight_decay {
                Some(group) if decay != 0.0 || none && is_own_kind => group,
                _ => decay,
            };
            let decay = WeightDecay {
                coupled: own(self.weight_decay, !self.decoupled),
                factor: 1.0 - learning_rate * own(self.decoupled_weight_decay, self.decoupled),
            };
            if !self.states.contains_key(name) {
                self.states.insert(name.to_owned(), Vec::new());
            }
            let Some(states) = self.states.get_mut(name) else { return };
            visit(ParamUpdate { parameter, gradient, states, learning_rate, decay });
        });
        if !updated && !gradients.is_empty() {
            static ONCE: Once = Once::new();
            ONCE.call_once(|| {
                note(
                    "an optimizer's step changed nothing: none of the parameters has a gradient. They were replaced after the loss was \
                     computed, or the gradients are those of another model",
                );
            });
        }
    }

    /// Its settings, for a comparison.
    pub(crate) fn describe(&self) -> String {
        let Core { learning_rate, weight_decay, decoupled_weight_decay, groups, .. } = self;
        format!(
            "learning rate {learning_rate}, weight decay {weight_decay} {decoupled_weight_decay}, groups {groups:?}"
        )
    }

    /// The number of steps, and the state tensors of all parameters by name, `layers.0.weight.0` and so on: what a run needs to go on
    /// as if it had not been interrupted, beside the settings. PyTorch's `state_dict`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Adam::new(0.1);
    /// let grads = w.powi(2).sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// let (steps, state) = optimizer.core().state_dict();
    /// assert_eq!((steps, state.len()), (1, 2)); // two moments
    /// let mut continued = Adam::new(0.1);
    /// continued.core_mut().load_state_dict(steps, &state)?;
    /// assert_eq!(continued.core().steps(), 1);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn state_dict(&self) -> (u64, Vec<(String, Tensor)>) {
        let of = |(name, states): (&String, &Vec<Tensor>)| {
            let name = name.clone();
            states.clone().into_iter().enumerate().map(move |(i, state)| (format!("{name}.{i}"), state))
        };
        (self.steps, self.states.iter().flat_map(of).collect())
    }

    /// Brings back what [`state_dict`](Core::state_dict) returned. Whether it fits the model, the next step checks.
    ///
    /// # Errors
    /// If a name is not that of a state, or one is missing.
    pub fn load_state_dict(&mut self, steps: u64, state: &[(String, Tensor)]) -> Result<()> {
        let mut states: BTreeMap<String, BTreeMap<usize, Tensor>> = BTreeMap::new();
        for (name, tensor) in state {
            let place = name.rsplit_once('.').and_then(|(name, place)| Some((name, place.parse().ok()?)));
            let (parameter, place) =
                place.ok_or_else(|| Error::Data(format!("`{name}` is not the state of an optimizer")))?;
            states.entry(parameter.to_owned()).or_default().insert(place, tensor.clone());
        }
        if let Some((name, _)) = states.iter().find(|(_, own)| own.keys().copied().ne(0..own.len())) {
            return Err(Error::Data(format!("the optimizer's state of `{name}` is not complete")));
        }
        self.steps = steps;
        self.states = states.into_iter().map(|(name, own)| (name, own.into_values().collect())).collect();
        Ok(())
    }

    /// Resets the step count and the state of all parameters.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::from([1.0]).requires_grad();
    /// let mut optimizer = Adam::new(0.1);
    /// let grads = w.powi(2).sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// optimizer.core_mut().reset();
    /// assert_eq!(optimizer.core().steps(), 0);
    /// ```
    pub fn reset(&mut self) {
        self.steps = 0;
        self.states.clear();
    }

    /// Checks that the parameters are those that the state was made for, and that each group matches one.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut w = Tensor::ones([2]).requires_grad();
    /// let mut optimizer = Adam::default();
    /// let grads = w.sum().backward();
    /// optimizer.step(&mut w, &grads);
    /// assert!(optimizer.core().check_parameters(&w).is_ok());
    /// assert!(optimizer.core().check_parameters(&Tensor::ones([3]).requires_grad()).is_err());
    /// ```
    ///
    /// # Errors
    /// If a parameter is gone or has another shape, or a group matches none.
    pub fn check_parameters(&self, model: &dyn Module) -> Result<()> {
        if let Some(problem) = self.empty_group(model) {
            return Err(Error::Config(problem));
        }
        let mut unseen: Vec<&String> = self.states.keys().collect();
        let mut problem = None;
        model.visit("", &mut |name, parameter| {
            unseen.retain(|other| *other != name);
            if problem.is_none()
                && let Some(states) = self.states.get(name)
            {
                problem = misfit(name, parameter, states);
            }
        });
        if problem.is_none()
            && let Some(name) = unseen.first()
        {
            problem = Some(format!("the optimizer has state for a parameter `{name}`, which this model does not have"));
        }
        problem
            .map_or(Ok(()), |problem| Err(Error::Config(format!("{problem}; reset() the optimizer or use a new one"))))
    }

    /// Checks the settings that all optimizers have.
    ///
    /// ```
    /// use hadal::optim::Core;
    /// assert!(Core::new(0.1).check().is_ok());
    /// assert!(Core::new(-0.1).check().is_err());
    /// ```
    ///
    /// # Errors
    /// If a learning rate is not positive and finite, or a decay is negative or not finite.
    pub fn check(&self) -> Result<()> {
        check_positive_in_f32("learning rate", self.learning_rate, "0.001")?;
        check_decay(self.weight_decay)?;
        check_decay(self.decoupled_weight_decay)?;
        for group in &self.groups {
            check_decay(group.weight_decay.unwrap_or(0.0))?;
            if !(group.learning_rate_scale >= 0.0 && group.learning_rate_scale.is_finite()) {
                return Err(Error::Config(format!(
                    "{group}: learning_rate_scale {} must be 0 or a positive, finite number, for example 0.1",
                    group.learning_rate_scale
                )));
            }
        }
        Ok(())
    }
}

fn misfit(name: &str, parameter: &Tensor, states: &[Tensor]) -> Option<String> {
    let state = states.first()?;
    let fits = state.shape() == parameter.shape() && state.dtype() == parameter.dtype();
    (!fits).then(|| {
        format!(
            "the optimizer's state for parameter `{name}` is {} {}, but the parameter is {} {}",
            state.dtype(),
            state.shape(),
            parameter.dtype(),
            parameter.shape()
        )
    })
}

/// Factors and the like must be positive and finite.
pub(crate) fn check_positive(name: &str, value: f64, example: &str) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::Config(format!("{name} {value} must be a positive, finite number, for example {example}")))
}

/// Rates, epsilons and limits must be positive and finite in f32, too, the type of most parameters.
pub(crate) fn check_positive_in_f32(name: &str, value: f64, example: &str) -> Result<()> {
    check_positive(name, value, example)?;
    if (f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX)).contains(&value) {
        return Ok(());
    }
    let side = if value < 1.0 { "small" } else { "large" };
    Err(Error::Config(format!(
        "{name} {value:e} is too {side} for f32; it must lie between 1.2e-38 and 3.4e38, for example {example}"
    )))
}

/// Momentum factors and decay rates must be in `[0, 1)`.
pub(super) fn check_share(name: &str, share: f64) -> Result<()> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(Error::Config(format!("{name} {share} must be at least 0 and below 1, for example 0.9")))
}

fn check_decay(decay: f64) -> Result<()> {
    if decay >= 0.0 && decay.is_finite() {
        return Ok(());
    }
    Err(Error::Config(format!("weight decay {decay} must be 0 or a positive, finite number, for example 0.0001")))
}
