//! The simple recurrent layer.

use serde::{Deserialize, Serialize};

use super::layer::{example, recurrent_layer};
use super::stack::{Family, Stack};
use super::weights::Scheme;
use crate::nn::{Activation, Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Rng, Shape, Tensor};

/// A simple recurrent layer (Elman, Cognitive Science 14, 1990), `h' = tanh(x W_ihᵀ + b_ih + h W_hhᵀ + b_hh)` with `h` from the step
/// before, as PyTorch's `RNN` and Keras's `SimpleRNN`.
///
/// Input `[batch, time, features]`; output `[batch, units]`, that of the last step (Keras's default), or with
/// [`return_sequences`](SimpleRnn::return_sequences) `[batch, time, units]`. States begin as zeros. The names and shapes of the tensors
/// are PyTorch's: `weight_ih_l0` `[units, features]`, `weight_hh_l0` `[units, units]`, `bias_ih_l0`, `bias_hh_l0`, and so on for
/// further layers, with `_reverse` for the backward direction.
///
/// In a [`Stream`](crate::nn::Stream) the state goes on from piece to piece. [`run`](SimpleRnn::run) takes and gives states, and takes
/// sequences of differing length.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([20, 3]).add(SimpleRnn::new(16)).add(Dense::new(1)).build()?;
/// assert_eq!(model.forward(&Tensor::ones([4, 20, 3]), &mut Context::evaluation()).shape(), &[4, 1]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "RNN")]
#[doc(alias = "SimpleRNN")]
#[doc(alias = "Elman")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SimpleRnn {
    stack: Stack,
}

recurrent_layer!(SimpleRnn, Family::SimpleRnn, "simple_rnn");

impl SimpleRnn {
    /// The function applied at each step: tanh, the default, or relu.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([5, 8]).add(SimpleRnn::new(16).activation(Relu)).build()?;
    /// let y = model.forward(&Tensor::ones([2, 5, 8]), &mut Context::evaluation());
    /// assert!(y.min().item() >= 0.0);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    #[doc(alias = "nonlinearity")]
    pub fn activation(mut self, activation: Activation) -> SimpleRnn {
        self.stack.activation = activation;
        self
    }

    /// The outputs at all steps, `[batch, time, directions * units]`, and the state at the end, `[layers * directions, batch, units]` as
    /// PyTorch's `h_n`, for `x` `[batch, time, features]` and the `state` to begin with, zeros without one. For a module of your own.
    ///
    /// With `lengths`, one for each sample, a sample's sequence ends after so many steps, as in PyTorch's `pack_padded_sequence`: what is
    /// beyond is not computed, and its outputs are 0; the state is that at its end, where the backward direction begins. The samples
    /// may be in any order. One of length 0 keeps the state it begins with.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = SimpleRnn::with(8, 16, &mut Rng::new(0));
    /// let (x, ctx) = (Tensor::ones([2, 5, 8]), &mut Context::evaluation());
    /// let (outputs, state) = layer.run(&x, None, Some(&[3, 5]), ctx);
    /// assert_eq!((outputs.shape(), state.shape()), (&[2, 5, 16].into(), &[1, 2, 16].into()));
    /// let (_, next) = layer.run(&x, Some(&state), None, ctx);
    /// # let _ = next;
    /// ```
    ///
    /// # Panics
    /// If the layer has not been built, shapes or dtypes do not fit, or a length is beyond the time axis.
    #[track_caller]
    pub fn run(
        &self,
        x: &Tensor,
        state: Option<&Tensor>,
        lengths: Option<&[usize]>,
        ctx: &mut Context,
    ) -> (Tensor, Tensor) {
        match self.stack.run(Family::SimpleRnn, x, state.map(std::slice::from_ref), lengths, ctx) {
            Ok(outputs) => (outputs.sequences(), outputs.state[0].clone()),
            Err(problem) => panic!("{problem}"),
        }
    }
}
