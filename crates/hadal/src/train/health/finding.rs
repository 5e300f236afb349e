//! What was found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that [`Health`](super::Health) found to be wrong. It is displayed as one line that says what was seen, and what to
/// try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// The tensor that it is about, as `layers.0.weight`, if it is about one.
    pub layer: Option<String>,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The last step before it was found, counted from 1.
    pub step: usize,
    /// What was seen, with the numbers.
    pub text: String,
    /// What to try.
    pub advice: String,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The norm of a gradient is 100 times what it was at first and of late, or 1,000 times that of its weights.
    ExplodingGradients,
    /// The gradient of the first layer is less than 1/10,000 of that of the last: the first layers hardly learn.
    VanishingGradients,
    /// Three quarters of the units of a layer got no gradient from any of 1,000 samples: for none of them are they active.
    DeadUnits,
    /// A step changes the weights of a layer by more than a tenth of their norm, and the loss does not fall.
    LargeUpdates,
    /// A step changes the weights of a layer by less than 1/10,000 of their norm, and the loss has hardly fallen.
    SmallUpdates,
    /// The loss has not fallen by 1% in 3 epochs and 500 steps.
    LossNotFalling,
    /// The loss rises, or goes up and down.
    LearningRateTooHigh,
    /// The loss falls by less than 0.2% in 100 steps, or no layer's weights change by 1/10,000 of their norm in a step.
    LearningRateTooLow,
    /// The loss of the validation data has risen since 5 epochs or more, while that of the training data fell.
    Overfitting,
    /// There are samples of a class, but the model has not predicted it for any sample.
    ClassNeverPredicted,
}

impl Finding {
    pub(super) fn new(
        kind: FindingKind,
        layer: Option<&str>,
        (epoch, step): (usize, usize),
        text: String,
        advice: &str,
    ) -> Finding {
        Finding { kind, layer: layer.map(str::to_owned), epoch, step, text, advice: advice.to_owned() }
    }

    /// Whether both say the same: each kind is said once, of dead units for each layer.
    pub(super) fn is_same(&self, other: &Finding) -> bool {
        self.kind == other.kind && (self.kind != FindingKind::DeadUnits || self.layer == other.layer)
    }
}

/// The line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "health, epoch {}, step {}: {}; try {}", self.epoch, self.step, self.text, self.advice)
    }
}
