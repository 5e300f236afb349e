//! What a forward pass needs to know beside its input.

use crate::{Rng, Tensor};

/// The context of a forward pass: training or evaluation mode, the random number generator, and the regularization penalties that layers add.
#[derive(Clone, Debug)]
pub struct Context {
    training: bool,
    /// The stream that dropout and its like draw from.
    pub rng: Rng,
    penalty: Option<Tensor>,
    /// The feedback matrix of the layer whose output is on its way to the next layer with weights.
    pub(super) feedback_matrix: Option<Tensor>,
    /// What hidden layers passed on, waiting for the error of the network's output, with their feedback matrices.
    pub(super) awaiting_error: Vec<(Tensor, Tensor)>,
}

impl Context {
    /// Training: dropout drops, drawing from `rng`.
    pub fn training(rng: Rng) -> Context {
        Context { training: true, rng, penalty: None, feedback_matrix: None, awaiting_error: Vec::new() }
    }

    /// Evaluation: every layer is deterministic.
    pub fn evaluation() -> Context {
        Context { training: false, ..Context::training(Rng::new(0)) }
    }

    /// Whether this is training.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// Adds a scalar regularization term to the loss of this pass, as Keras's `add_loss`.
    pub fn penalize(&mut self, term: Tensor) {
        self.penalty = Some(match self.penalty.take() {
            Some(sum) => sum + term,
            None => term,
        });
    }

    /// The sum of the penalties since it was last taken; `None` if there were none. `fit` adds it to the loss; a loop of
    /// your own does so too:
    ///
    /// ```
    /// # use hadal::prelude::*;
    /// # use hadal::nn::Regularizer;
    /// # let model = Sequential::new([2]).add(Dense::new(1).weight_regularizer(Regularizer::l2(0.1))).build()?;
    /// # let (x, y) = (Tensor::ones([4, 2]), Tensor::ones([4, 1]));
    /// let mut ctx = Context::training(Rng::new(1));
    /// let mut loss = MeanSquaredError.loss(&model.forward(&x, &mut ctx), &y);
    /// if let Some(penalty) = ctx.take_penalty() {
    ///     loss += &penalty;
    /// }
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn take_penalty(&mut self) -> Option<Tensor> {
        self.penalty.take()
    }
}
