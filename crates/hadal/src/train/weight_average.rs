//! A running average of a model's weights.

use std::collections::BTreeMap;

use crate::nn::Module;
use crate::{Formula, Real, States, Tensor, WeightDecay};

/// The average of the parameters that a model has had, by name, and its other tensors as they were last.
#[derive(Clone, Debug, Default)]
pub(super) struct WeightAverage {
    /// Empty before the first.
    tensors: BTreeMap<String, Tensor>,
    /// How often parameters were taken in.
    count: u64,
}

/// Moves a number toward another by a fraction of their distance.
#[derive(Clone, Copy, Debug)]
struct Toward {
    fraction: f64,
}

impl Formula for Toward {
    const STATES: usize = 0;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, _: States<T>) {
        *w = *w + T::from_f64(self.fraction) * (g - *w);
    }
}

impl WeightAverage {
    /// Takes in the model's parameters with this weight; the first are taken as they are.
    ///
    /// # Panics
    /// If the model has other tensors than before.
    #[track_caller]
    pub fn update(&mut self, model: &dyn Module, weight: f64) {
        if self.count == 0 {
            self.tensors = model.state_dict().into_iter().map(|(name, tensor)| (name, tensor.detach())).collect();
        } else {
            // Panics name the caller's line, which they could not from within the visitor.
            let state = model.state_dict();
            assert!(
                state.len() == self.tensors.len(),
                "the average is of {} tensors, but the model has {}; begin a new one for another model",
                self.tensors.len(),
                state.len()
            );
            for (name, tensor) in &state {
                let Some(average) = self.tensors.get_mut(name) else {
                    panic!("the average has no `{name}`, which the model has; begin a new one for another model")
                };
                assert!(
                    average.shape() == tensor.shape() && average.dtype() == tensor.dtype(),
                    "the average has a `{name}` of {} {}, the model one of {} {}; begin a new one for another model",
                    average.dtype(),
                    average.shape(),
                    tensor.dtype(),
                    tensor.shape()
                );
                if tensor.is_leaf() {
                    average.update(&Toward { fraction: weight }, WeightDecay::NONE, &mut [], &tensor.detach());
                } else {
                    *average = tensor.detach();
                }
            }
        }
        self.count += 1;
    }

    /// How often parameters were taken in.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The average, once there is one.
    pub fn get(&self) -> Option<Vec<(String, Tensor)>> {
        self.clone().take()
    }

    /// Takes the average out.
    pub fn take(&mut self) -> Option<Vec<(String, Tensor)>> {
        (self.count > 0).then(|| std::mem::take(self).tensors.into_iter().collect())
    }

    /// The average as it was kept: [`count`](WeightAverage::count), and the tensors by name.
    pub fn of(count: u64, tensors: Vec<(String, Tensor)>) -> WeightAverage {
        WeightAverage { tensors: tensors.into_iter().collect(), count }
    }
}
