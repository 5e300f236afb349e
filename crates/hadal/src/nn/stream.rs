//! Sequences that come piece by piece.

use super::{Context, Forward};
use crate::{Tensor, no_grad};

/// Runs a network on a sequence that comes piece by piece, as when text is generated: what its layers
/// [carry](Context::carry) along the sequence goes from one piece to the next, so that a piece costs only its own steps. The pieces give
/// what the whole sequence would. Evaluation, without gradients.
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
