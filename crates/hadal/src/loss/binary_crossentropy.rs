//! Binary cross-entropy.

use super::{
    EPSILON, Loss, NOT_PROBABILITIES, assert_same_shape, check_label_range, check_like_output, check_probabilities,
    mean_of_rest,
};
use crate::{DType, Result, Shape, Tensor};

/// `-(t ln p + (1 - t) ln(1 - p))`, averaged over each sample's outputs: the loss of a network that ends in sigmoid.
///
/// Predictions are probabilities, clipped to `[1e-7, 1 - 1e-7]` as in Keras; targets have their shape, or are labels 0
/// and 1 (`i64`, `[N]`) for one output.
///
/// ```
/// use hadal::prelude::*;
/// let p = Tensor::from_slice(&[0.5f32, 0.9], [2, 1]);
/// let loss = BinaryCrossentropy.loss(&p, &Tensor::from_slice(&[0i64, 1], [2]));
/// assert!((loss.item() - 0.39925).abs() < 1e-4);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BinaryCrossentropy {
    from_logits: bool,
    smoothing: f64,
}

/// The loss itself, so that it can be written like a value.
#[allow(non_upper_case_globals)]
pub const BinaryCrossentropy: BinaryCrossentropy = BinaryCrossentropy { from_logits: false, smoothing: 0.0 };

impl BinaryCrossentropy {
    /// Predictions are what sigmoid would be taken of: more accurate, and never clipped (PyTorch's `BCEWithLogitsLoss`).
    pub fn from_logits(mut self) -> BinaryCrossentropy {
        self.from_logits = true;
        self
    }

    /// Moves targets this share of the way to one half. Default: 0.
    ///
    /// # Panics
    /// If `share` is not within `[0, 1)`.
    #[track_caller]
    pub fn label_smoothing(mut self, share: f64) -> BinaryCrossentropy {
        assert!((0.0..1.0).contains(&share), "label_smoothing: share {share} is not within [0, 1)");
        self.smoothing = share;
        self
    }
}

impl Loss for BinaryCrossentropy {
    fn name(&self) -> &'static str {
        "binary_crossentropy"
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let labels = target.dtype() == DType::I64 && target.rank() == 1;
        let target = if labels { target.reshape(*prediction.shape()) } else { target.clone() };
        assert_same_shape(self.name(), prediction, &target);
        let mut t = target.to_dtype(prediction.dtype());
        if self.smoothing > 0.0 {
            t = t * (1.0 - self.smoothing) + 0.5 * self.smoothing;
        }
        mean_of_rest(if self.from_logits {
            // -ln sigmoid(x) is softplus(-x), and -ln(1 - sigmoid(x)) is softplus(-x) + x.
            (1.0 - t) * prediction + (-prediction).softplus()
        } else {
            let p = prediction.clamp(EPSILON, 1.0 - EPSILON);
            -(&t * p.ln() + (1.0 - &t) * (1.0 - p).ln())
        })
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        if targets.dtype() == DType::I64 && targets.rank() == 1 && output.elements() == 1 {
            return check_label_range(targets, 2);
        }
        check_like_output(self.name(), output, targets)?;
        check_probabilities(self.name(), "target", targets, "targets lie between 0 and 1")
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        if self.from_logits {
            return Ok(());
        }
        check_probabilities(self.name(), "prediction", prediction, NOT_PROBABILITIES)
    }
}
