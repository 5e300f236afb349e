//! What a forward pass needs to know beside its input.

use crate::Rng;

/// Whether a pass is training or evaluation, and the random numbers it may draw. An argument, not a global mode.
#[derive(Clone, Debug)]
pub struct Context {
    training: bool,
    /// The stream that dropout and its like draw from.
    pub rng: Rng,
}

impl Context {
    /// Training: dropout drops, drawing from `rng`.
    pub fn training(rng: Rng) -> Context {
        Context { training: true, rng }
    }

    /// Evaluation: every layer is deterministic.
    pub fn evaluation() -> Context {
        Context { training: false, rng: Rng::new(0) }
    }

    /// Whether this is training.
    pub fn is_training(&self) -> bool {
        self.training
    }
}
