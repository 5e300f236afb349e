//! Sequences that come piece by piece.

use super::{Context, Forward};
use crate::{Error, Result, Tensor, no_grad};

/// Runs a network on a sequence that comes piece by piece, as when text is generated: what its layers
/// [carry](Context::carry) along the sequence goes from one piece to the next, so that a piece costs only its own steps. The pieces give
/// what the whole sequence would; layers whose output depends on steps that have not come yet, or that look at neighbouring ones, such as
/// bidirectional ones, convolutions and pooling, refuse them, but in a [`TimeDistributed`](super::TimeDistributed). Evaluation,
/// without gradients.
///
/// ```
/// use hadal::nn::Stream;
/// use hadal::prelude::*;
/// let model = Sequential::new([2]).add(Dense::new(3)).build()?;
/// let mut stream = Stream::new(&model);
/// assert_eq!(stream.feed(&Tensor::ones([1, 2])).shape(), &[1, 3]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "stateful")]
#[doc(alias = "key-value cache")]
#[derive(Clone)]
pub struct Stream<'a> {
    model: &'a dyn Forward,
    ctx: Context,
}

impl<'a> Stream<'a> {
    /// The beginning of a sequence.
    pub fn new(model: &'a dyn Forward) -> Stream<'a> {
        let mut ctx = Context::evaluation();
        ctx.carried = Some(Default::default());
        Stream { model, ctx }
    }

    /// The output for the next piece, which has the same number of samples as those before.
    ///
    /// # Panics
    /// If the network cannot take it.
    #[track_caller]
    pub fn feed(&mut self, piece: &Tensor) -> Tensor {
        if let Some(carried) = &mut self.ctx.carried {
            carried.rewind();
        }
        no_grad(|| self.model.forward(piece, &mut self.ctx))
    }
}

/// The [`stream_length`](Forward::stream_length) of a layer that looks at several places of an axis.
pub(super) fn not_in_pieces(layer: &str) -> Result<Option<usize>> {
    Err(Error::Config(format!(
        "{layer} looks at several steps, or places, at once: it needs the whole sequence, and cannot run in a Stream, where it comes piece \
         by piece; put it into a TimeDistributed if it is for each step by itself"
    )))
}

impl Context {
    /// The check of such a layer's `forward`.
    ///
    /// # Panics
    /// In a stream, if the layer takes no pieces.
    #[track_caller]
    pub(super) fn refuse_pieces(&self, layer: &impl Forward) {
        if self.carried.is_some()
            && let Err(error) = layer.stream_length()
        {
            panic!("{error}");
        }
    }
}
