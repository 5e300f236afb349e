//! Gated recurrent units.

use serde::{Deserialize, Serialize};

use super::layer::{example, recurrent_layer};
use super::stack::{Family, Stack};
use super::weights::Scheme;
use crate::nn::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Rng, Shape, Tensor};

/// A layer of gated recurrent units (Cho and others, EMNLP 2014), in the form of PyTorch's `GRU`, with the reset after the product, which
/// is also Keras's (`reset_after=True`): with `h` from the step before,
///
/// ```text
/// r = sigmoid(x W_irᵀ + b_ir + h W_hrᵀ + b_hr)
/// z = sigmoid(x W_izᵀ + b_iz + h W_hzᵀ + b_hz)
/// n = tanh(x W_inᵀ + b_in + r (h W_hnᵀ + b_hn))
/// h' = (1 - z) n + z h
/// ```
///
/// Input `[batch, time, features]`; output `[batch, units]`, that of the last step (Keras's default), or with
/// [`return_sequences`](Gru::return_sequences) `[batch, time, units]`. States begin as zeros. The names, shapes and order of gates of
/// the tensors are PyTorch's: `weight_ih_l0` `[3 units, features]`, `weight_hh_l0` `[3 units, units]`, `bias_ih_l0`, `bias_hh_l0`,
/// and so on for further layers, with `_reverse` for the backward direction.
///
/// In a [`Stream`](crate::nn::Stream) the state goes on from piece to piece. [`run`](Gru::run) takes and gives states, and takes
/// sequences of differing length.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([20, 3]).add(Gru::new(16).return_sequences()).add(Gru::new(8)).add(Dense::new(1)).build()?;
/// assert_eq!(model.forward(&Tensor::ones([4, 20, 3]), &mut Context::evaluation()).shape(), &[4, 1]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "GRU")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gru {
    stack: Stack,
}

recurrent_layer!(Gru, Family::Gru, "gru");

impl Gru {
    /// The outputs at all steps, `[batch, time, directions * units]`, and the state at the end, `[layers * directions, batch, units]` as
    /// PyTorch's `h_n`, for `x` `[batch, time, features]` and the `state` to begin with, zeros without one. For a module of your own.
    ///
    /// With `lengths`, one for each sample, a sample's sequence ends after so many steps, as in PyTorch's `pack_padded_sequence`: what is
    /// beyond is not computed, and its outputs are 0; the state is that at its end, where the backward direction begins. The samples
    /// may be in any order. One of length 0 keeps the state it begins with.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Gru::with(8, 16, &mut Rng::new(0));
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
        match self.stack.run(Family::Gru, x, state.map(std::slice::from_ref), lengths, ctx) {
            Ok(outputs) => (outputs.sequences(), outputs.state[0].clone()),
            Err(problem) => panic!("{problem}"),
        }
    }
}
