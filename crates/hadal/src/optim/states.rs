//! What optimizers remember of each parameter.

use std::collections::BTreeMap;

use crate::nn::Module;
use crate::{Gradients, Tensor, UpdateRule};

/// The state tensors of each parameter, by the parameter's name; made of zeros at its first step.
#[derive(Clone, Debug, Default)]
pub struct States(BTreeMap<String, Vec<Tensor>>);

impl States {
    /// Applies `rule` to every parameter of `model` that has a gradient.
    pub fn step(&mut self, rule: UpdateRule, model: &mut dyn Module, gradients: &Gradients) {
        model.visit_mut("", &mut |name, parameter| {
            let Some(gradient) = gradients.get(parameter) else { return };
            if !self.0.contains_key(name) {
                let states = (0..rule.states()).map(|_| parameter.zeros_like()).collect();
                self.0.insert(name.to_owned(), states);
            }
            let Some(states) = self.0.get_mut(name) else { return };
            parameter.update(rule, states, gradient);
        });
    }
}
