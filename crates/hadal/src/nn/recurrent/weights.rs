//! The weights of a recurrent layer in one direction, or of a cell.

use serde::{Deserialize, Serialize};

use crate::nn::{Initializer, join};
use crate::{RecurrentCell, RecurrentWeights, Rng, Tensor};

/// How the weights begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scheme {
    /// PyTorch's: all uniform on ±1/sqrt(units).
    #[default]
    Torch,
    /// Keras's: Glorot uniform, an orthogonal recurrent weight, biases 0 but for the forget gate's, which is 1.
    Keras,
}

#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// `[gates * units, features]`.
    pub ih: Tensor,
    /// `[gates * units, units]`.
    pub hh: Tensor,
    /// `[gates * units]` each: that of the input and that of the state.
    pub bias: Option<[Tensor; 2]>,
}

impl Weights {
    /// # Panics
    /// If memory cannot address them.
    #[track_caller]
    pub fn new(
        cell: RecurrentCell,
        scheme: Scheme,
        features: usize,
        units: usize,
        use_bias: bool,
        rng: &mut Rng,
    ) -> Weights {
        let rows = cell.gates().saturating_mul(units);
        let limit = Initializer::Uniform(1.0 / (units as f64).sqrt());
        let (input, recurrent) = match scheme {
            Scheme::Torch => (limit, limit),
            Scheme::Keras => (Initializer::GlorotUniform, Initializer::Orthogonal(1.0)),
        };
        let ih = input.make(&[rows, features], rng).requires_grad();
        let hh = recurrent.make(&[rows, units], rng).requires_grad();
        let bias = use_bias.then(|| {
            let [input, state] = match scheme {
                Scheme::Torch => [limit.make(&[rows], rng), limit.make(&[rows], rng)],
                Scheme::Keras => [keras_bias(cell, units), Tensor::zeros([rows])],
            };
            [input.requires_grad(), state.requires_grad()]
        });
        Weights { ih, hh, bias }
    }

    pub fn as_recurrent(&self) -> RecurrentWeights<'_> {
        RecurrentWeights { ih: &self.ih, hh: &self.hh, bias: self.bias.as_ref().map(|[input, state]| [input, state]) }
    }

    /// The features of an input.
    pub fn features(&self) -> usize {
        self.ih.size(1)
    }

    /// Visits the tensors under PyTorch's names, which end with `suffix`.
    pub fn visit(&self, path: &str, suffix: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        visitor(&join(path, &format!("weight_ih{suffix}")), &self.ih);
        visitor(&join(path, &format!("weight_hh{suffix}")), &self.hh);
        if let Some([input, state]) = &self.bias {
            visitor(&join(path, &format!("bias_ih{suffix}")), input);
            visitor(&join(path, &format!("bias_hh{suffix}")), state);
        }
    }

    pub fn visit_mut(&mut self, path: &str, suffix: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        visitor(&join(path, &format!("weight_ih{suffix}")), &mut self.ih);
        visitor(&join(path, &format!("weight_hh{suffix}")), &mut self.hh);
        if let Some([input, state]) = &mut self.bias {
            visitor(&join(path, &format!("bias_ih{suffix}")), input);
            visitor(&join(path, &format!("bias_hh{suffix}")), state);
        }
    }
}

/// 0, but 1 for the forget gate (Jozefowicz, Zaremba and Sutskever, ICML 2015).
fn keras_bias(cell: RecurrentCell, units: usize) -> Tensor {
    let forget = |row: usize| cell == RecurrentCell::Lstm && row / units == 1;
    let rows = cell.gates().saturating_mul(units);
    let numbers = (0..rows).map(|row| if forget(row) { 1.0f32 } else { 0.0 });
    Tensor::from_vec(numbers.collect(), [rows])
}
