//! Categorical cross-entropy.

use super::{EPSILON, Loss, NOT_PROBABILITIES, check_labels, check_probabilities};
use crate::{DType, Error, Result, Shape, Tensor};

/// `-sum_k t_k ln p_k`: the loss of a network that ends in softmax.
///
/// Predictions are probabilities `[N, C]`; targets are class labels (`i64`, `[N]`) or probabilities (`[N, C]`).
/// As in Keras, predictions are first divided by their sum and clipped to `[1e-7, 1 - 1e-7]`, so that a confident
/// mistake costs a finite 16.1.
///
/// ```
/// use hadal::prelude::*;
/// let scores = Tensor::from_slice(&[2.0f32, 0.0, 0.0, 3.0], [2, 2]);
/// let labels = Tensor::from_slice(&[0i64, 1], [2]);
/// // PyTorch's CrossEntropyLoss.
/// let loss = CategoricalCrossentropy.from_logits().label_smoothing(0.1).loss(&scores, &labels);
/// assert!((loss.item() - 0.2128).abs() < 1e-4);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CategoricalCrossentropy {
    from_logits: bool,
    smoothing: f64,
    complement: bool,
}

/// The loss itself, so that it can be written like a value.
#[allow(non_upper_case_globals)]
pub const CategoricalCrossentropy: CategoricalCrossentropy =
    CategoricalCrossentropy { from_logits: false, smoothing: 0.0, complement: false };

impl CategoricalCrossentropy {
    /// Predictions are what softmax would be taken of: more accurate, and never clipped.
    pub fn from_logits(mut self) -> CategoricalCrossentropy {
        self.from_logits = true;
        self
    }

    /// Moves this share of the target's weight from the label to all classes alike (Szegedy and others, CVPR 2016,
    /// section 7). Default: 0.
    ///
    /// # Panics
    /// If `share` is not within `[0, 1)`.
    #[track_caller]
    pub fn label_smoothing(mut self, share: f64) -> CategoricalCrossentropy {
        assert!((0.0..1.0).contains(&share), "label_smoothing: share {share} is not within [0, 1)");
        self.smoothing = share;
        self
    }

    /// The lecture's form, which also counts how sure the network is of the wrong classes:
    /// `-sum_k (t_k ln p_k + (1 - t_k) ln(1 - p_k))`.
    pub fn complement(mut self) -> CategoricalCrossentropy {
        self.complement = true;
        self
    }
}

impl Loss for CategoricalCrossentropy {
    fn name(&self) -> &'static str {
        "categorical_crossentropy"
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let log = |p: &Tensor| (p / prediction.sum_keep(&[1])).clamp(EPSILON, 1.0 - EPSILON).ln();
        let labels = target.dtype() == DType::I64;
        if labels && self.smoothing == 0.0 && !self.complement {
            let index = target.unsqueeze(1);
            let chosen = if self.from_logits {
                prediction.log_softmax(1).gather(1, &index)
            } else {
                log(&prediction.gather(1, &index))
            };
            return -chosen.squeeze(1);
        }
        let classes = prediction.size(1);
        let target = if labels { target.one_hot(classes) } else { target.clone() };
        let mut target = target.to_dtype(prediction.dtype());
        if self.smoothing > 0.0 {
            target = target * (1.0 - self.smoothing) + self.smoothing / classes as f64;
        }
        let logarithm = if self.from_logits { prediction.log_softmax(1) } else { log(prediction) };
        let own = (&target * &logarithm).sum_axes(&[1]);
        if !self.complement {
            return -own;
        }
        let p = if self.from_logits { prediction.softmax(1) } else { prediction / prediction.sum_keep(&[1]) };
        let others = (1.0 - p).clamp(EPSILON, 1.0 - EPSILON).ln();
        -(own + ((1.0 - target) * others).sum_axes(&[1]))
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        if targets.dtype() == DType::I64 {
            return check_labels(self.name(), output, targets);
        }
        let fits = targets.dtype().is_float() && targets.rank() == 2 && **output == targets.shape()[1..];
        if fits {
            return check_probabilities(self.name(), "target", targets, "targets lie between 0 and 1");
        }
        Err(Error::Data(format!(
            "{} takes labels (i64, [N]) or one probability per class ([N, C]); the model's output has shape {output}, \
             the targets are {} of shape {}",
            self.name(),
            targets.dtype(),
            targets.shape()
        )))
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        if self.from_logits {
            return Ok(());
        }
        check_probabilities(self.name(), "prediction", prediction, NOT_PROBABILITIES)
    }
}
