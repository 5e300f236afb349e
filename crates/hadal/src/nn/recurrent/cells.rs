//! Cells: one step of a recurrent layer, for modules that go from step to step themselves.

use super::lstm::LstmState;
use super::weights::{Scheme, Weights};
use crate::nn::{Activation, Module};
use crate::{RecurrentCell, Rng, Steps, Tensor};

/// Makes `$cell` a cell with weights for inputs of `features`.
macro_rules! cell {
    ($cell:ident) => {
        impl Module for $cell {
            fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
                self.weights.visit(path, "", visitor);
            }

            fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
                self.weights.visit_mut(path, "", visitor);
            }
        }
    };
}

/// One step of an [`Lstm`](crate::nn::Lstm), with PyTorch's initialization and names: `weight_ih` `[4 units, features]`, `weight_hh`
/// `[4 units, units]`, `bias_ih` and `bias_hh`. A whole sequence is faster by the layer.
///
/// ```
/// use hadal::nn::LstmCell;
/// use hadal::prelude::*;
/// let cell = LstmCell::new(8, 16, &mut Rng::new(0));
/// let mut state = None;
/// for _ in 0..3 {
///     state = Some(cell.step(&Tensor::ones([2, 8]), state.as_ref()));
/// }
/// assert_eq!(state.unwrap().h.shape(), &[2, 16]);
/// ```
#[doc(alias = "LSTMCell")]
#[derive(Clone, Debug)]
pub struct LstmCell {
    weights: Weights,
}

cell!(LstmCell);

impl LstmCell {
    /// A cell for inputs of so many features.
    ///
    /// # Panics
    /// If a number is 0.
    #[track_caller]
    pub fn new(features: usize, units: usize, rng: &mut Rng) -> LstmCell {
        LstmCell { weights: new_weights("LstmCell", RecurrentCell::Lstm, features, units, rng) }
    }

    /// Leaves the biases out.
    pub fn without_bias(mut self) -> LstmCell {
        self.weights.bias = None;
        self
    }

    /// The state after a step, `h` and `c` `[batch, units]`, for `x` `[batch, features]` and the `state` before, zeros without one.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn step(&self, x: &Tensor, state: Option<&LstmState>) -> LstmState {
        let state = state.map(|state| [&state.h, &state.c]);
        let mut next = step("LstmCell", RecurrentCell::Lstm, &self.weights, x, state.as_ref().map(|state| &state[..]));
        let c = next.pop();
        let h = next.pop();
        match (h, c) {
            (Some(h), Some(c)) => LstmState { h, c },
            _ => unreachable!("an LSTM has two states"),
        }
    }
}

/// One step of a [`Gru`](crate::nn::Gru), with PyTorch's initialization and names: `weight_ih` `[3 units, features]`, `weight_hh`
/// `[3 units, units]`, `bias_ih` and `bias_hh`. A whole sequence is faster by the layer.
///
/// ```
/// use hadal::nn::GruCell;
/// use hadal::prelude::*;
/// let cell = GruCell::new(8, 16, &mut Rng::new(0));
/// let h = cell.step(&Tensor::ones([2, 8]), None);
/// assert_eq!(cell.step(&Tensor::ones([2, 8]), Some(&h)).shape(), &[2, 16]);
/// ```
#[doc(alias = "GRUCell")]
#[derive(Clone, Debug)]
pub struct GruCell {
    weights: Weights,
}

cell!(GruCell);

impl GruCell {
    /// A cell for inputs of so many features.
    ///
    /// # Panics
    /// If a number is 0.
    #[track_caller]
    pub fn new(features: usize, units: usize, rng: &mut Rng) -> GruCell {
        GruCell { weights: new_weights("GruCell", RecurrentCell::Gru, features, units, rng) }
    }

    /// Leaves the biases out.
    pub fn without_bias(mut self) -> GruCell {
        self.weights.bias = None;
        self
    }

    /// The hidden state after a step, `[batch, units]`, for `x` `[batch, features]` and that before, zeros without one.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn step(&self, x: &Tensor, h: Option<&Tensor>) -> Tensor {
        let state = h.map(|h| [h]);
        step("GruCell", RecurrentCell::Gru, &self.weights, x, state.as_ref().map(|state| &state[..])).remove(0)
    }
}

/// One step of a [`SimpleRnn`](crate::nn::SimpleRnn), with PyTorch's initialization and names: `weight_ih` `[units, features]`,
/// `weight_hh` `[units, units]`, `bias_ih` and `bias_hh`. A whole sequence is faster by the layer.
///
/// ```
/// use hadal::nn::SimpleRnnCell;
/// use hadal::prelude::*;
/// let cell = SimpleRnnCell::new(8, 16, &mut Rng::new(0));
/// let h = cell.step(&Tensor::ones([2, 8]), None);
/// assert!(h.abs().max().item() < 1.0);
/// ```
#[doc(alias = "RNNCell")]
#[derive(Clone, Debug)]
pub struct SimpleRnnCell {
    cell: RecurrentCell,
    weights: Weights,
}

cell!(SimpleRnnCell);

impl SimpleRnnCell {
    /// A cell for inputs of so many features, with tanh.
    ///
    /// # Panics
    /// If a number is 0.
    #[track_caller]
    pub fn new(features: usize, units: usize, rng: &mut Rng) -> SimpleRnnCell {
        let cell = RecurrentCell::Tanh;
        SimpleRnnCell { cell, weights: new_weights("SimpleRnnCell", cell, features, units, rng) }
    }

    /// The function applied: tanh, the default, or relu.
    ///
    /// # Panics
    /// If it is another.
    #[track_caller]
    pub fn activation(mut self, activation: Activation) -> SimpleRnnCell {
        self.cell = match activation {
            Activation::Tanh => RecurrentCell::Tanh,
            Activation::Relu => RecurrentCell::Relu,
            other => panic!("SimpleRnnCell: the activation can be tanh or relu, not {other}"),
        };
        self
    }

    /// Leaves the biases out.
    pub fn without_bias(mut self) -> SimpleRnnCell {
        self.weights.bias = None;
        self
    }

    /// The hidden state after a step, `[batch, units]`, for `x` `[batch, features]` and that before, zeros without one.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn step(&self, x: &Tensor, h: Option<&Tensor>) -> Tensor {
        let state = h.map(|h| [h]);
        step("SimpleRnnCell", self.cell, &self.weights, x, state.as_ref().map(|state| &state[..])).remove(0)
    }
}

#[track_caller]
fn new_weights(name: &str, cell: RecurrentCell, features: usize, units: usize, rng: &mut Rng) -> Weights {
    assert!(features > 0 && units > 0, "{name}: the numbers of features and of units must be at least 1");
    Weights::new(cell, Scheme::Torch, features, units, true, rng)
}

#[track_caller]
fn step(name: &str, cell: RecurrentCell, weights: &Weights, x: &Tensor, state: Option<&[&Tensor]>) -> Vec<Tensor> {
    let (features, units) = (weights.features(), weights.hh.size(1));
    assert!(
        x.rank() == 2 && x.size(1) == features,
        "{name}: the input has shape {}, but one step takes [batch, {features}]",
        x.shape()
    );
    let batch = x.size(0);
    for state in state.into_iter().flatten() {
        assert!(
            state.shape()[..] == [batch, units],
            "{name}: the state has shape {}, but must be [{batch}, {units}]: [batch, units]",
            state.shape()
        );
    }
    let state = match state {
        Some(state) => state.iter().map(|&state| state.clone()).collect(),
        None => vec![Tensor::full_of([batch, units], 0.0, x.dtype()); cell.states()],
    };
    x.recurrent(cell, weights.as_recurrent(), &state, &Steps::of(1, batch)).1
}
