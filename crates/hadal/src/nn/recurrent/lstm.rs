//! Long short-term memory.

use serde::{Deserialize, Serialize};

use super::layer::{example, recurrent_layer};
use super::stack::{Family, Stack};
use super::weights::Scheme;
use crate::nn::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Rng, Shape, Tensor};

/// A layer of long short-term memory (Hochreiter and Schmidhuber, Neural Computation 9, 1997; with the forget gate of Gers,
/// Schmidhuber and Cummins, Neural Computation 12, 2000), as PyTorch's and Keras's `LSTM`: with `h` and `c` from the step before,
///
/// ```text
/// i, f, g, o = the four parts of x W_ihᵀ + b_ih + h W_hhᵀ + b_hh
/// c' = sigmoid(f) c + sigmoid(i) tanh(g)
/// h' = sigmoid(o) tanh(c')
/// ```
///
/// Input `[batch, time, features]`; output `[batch, units]`, that of the last step (Keras's default), or with
/// [`return_sequences`](Lstm::return_sequences) `[batch, time, units]`. States begin as zeros. The names, shapes and order of gates of
/// the tensors are PyTorch's: `weight_ih_l0` `[4 units, features]`, `weight_hh_l0` `[4 units, units]`, `bias_ih_l0`, `bias_hh_l0`,
/// and so on for further layers, with `_reverse` for the backward direction.
///
/// In a [`Stream`](crate::nn::Stream) the state goes on from piece to piece. [`run`](Lstm::run) takes and gives states, and takes
/// sequences of differing length.
///
/// ```
/// use hadal::prelude::*;
/// // The class of a text of 20 words.
/// let model = Sequential::new([20]).add(Embedding::new(1000, 8)).add(Lstm::new(16)).add(Dense::new(2)).build()?;
/// let words = Tensor::zeros([4, 20]).to_dtype(DType::I64);
/// assert_eq!(model.forward(&words, &mut Context::evaluation()).shape(), &[4, 2]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "LSTM")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lstm {
    stack: Stack,
}

/// The state of an [`Lstm`]: `[layers * directions, batch, units]` each, the forward direction of a layer before its backward one, as
/// PyTorch's `(h_n, c_n)`; of an [`LstmCell`](crate::nn::LstmCell), `[batch, units]`.
#[derive(Clone, Debug)]
pub struct LstmState {
    /// The hidden state, which is the output.
    pub h: Tensor,
    /// The cell state.
    pub c: Tensor,
}

recurrent_layer!(Lstm, Family::Lstm, "lstm");

impl Lstm {
    /// The outputs at all steps, `[batch, time, directions * units]`, and the state at the end, for `x` `[batch, time, features]` and
    /// the `state` to begin with, zeros without one. For a module of your own.
    ///
    /// With `lengths`, one for each sample, a sample's sequence ends after so many steps, as in PyTorch's `pack_padded_sequence`: what is
    /// beyond is not computed, and its outputs are 0; the state is that at its end, where the backward direction begins. The samples
    /// may be in any order. One of length 0 keeps the state it begins with.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let lstm = Lstm::with(8, 16, &mut Rng::new(0));
    /// let (x, ctx) = (Tensor::ones([2, 5, 8]), &mut Context::evaluation());
    /// let (outputs, state) = lstm.run(&x, None, Some(&[3, 5]), ctx);
    /// assert_eq!((outputs.shape(), state.c.shape()), (&[2, 5, 16].into(), &[1, 2, 16].into()));
    /// assert_eq!(outputs.slice(1, 3..).narrow(0, 0, 1).abs().max().item(), 0.0);
    /// let (_, next) = lstm.run(&x, Some(&state), None, ctx);
    /// # let _ = next;
    /// ```
    ///
    /// # Panics
    /// If the layer has not been built, shapes or dtypes do not fit, or a length is beyond the time axis.
    #[track_caller]
    pub fn run(
        &self,
        x: &Tensor,
        state: Option<&LstmState>,
        lengths: Option<&[usize]>,
        ctx: &mut Context,
    ) -> (Tensor, LstmState) {
        let state = state.map(|state| [state.h.clone(), state.c.clone()]);
        match self.stack.run(Family::Lstm, x, state.as_ref().map(|state| &state[..]), lengths, ctx) {
            Ok(outputs) => {
                let (h, c) = (outputs.state[0].clone(), outputs.state[1].clone());
                (outputs.sequences(), LstmState { h, c })
            }
            Err(problem) => panic!("{problem}"),
        }
    }
}
