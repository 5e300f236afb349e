//! Binary cross-entropy.

use std::sync::Once;

use super::parts::weigh;
use super::{
    EPSILON, Loss, NOT_PROBABILITIES, assert_same_shape, check_label_range, check_like_output, check_probabilities,
    mean_of_rest,
};
use super::{note_once, probabilities_as_logits};
use crate::autograd::{OutputActivation, with_logit_gradient};
use crate::{DType, Error, Result, Shape, Tensor};

/// Binary cross-entropy, `-(t ln p + (1 - t) ln(1 - p))`, averaged over each sample's outputs. Use it after a sigmoid.
///
/// Predictions are probabilities, clipped to `[1e-7, 1 - 1e-7]` as in Keras; targets have their shape, or are labels 0
/// and 1 (`i64`, `[N]`) for one output. If the predictions are the direct output of a sigmoid, its input receives the gradient
/// `p - t`, as in Keras on TensorFlow: it does not vanish where the sigmoid saturates.
///
/// ```
/// use hadal::prelude::*;
/// let p = Tensor::from_slice(&[0.5f32, 0.9], [2, 1]);
/// let loss = BinaryCrossentropy.loss(&p, &Tensor::from_slice(&[0i64, 1], [2]));
/// assert!((loss.item() - 0.39925).abs() < 1e-4);
/// ```
#[doc(alias = "BCELoss")]
#[doc(alias = "BCEWithLogitsLoss")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BinaryCrossentropy {
    from_logits: bool,
    smoothing: f64,
}

/// The loss itself, so that it can be written like a value.
#[allow(non_upper_case_globals)]
pub const BinaryCrossentropy: BinaryCrossentropy = BinaryCrossentropy { from_logits: false, smoothing: 0.0 };

impl BinaryCrossentropy {
    /// Takes logits instead of probabilities: more accurate, and not clipped (PyTorch's `BCEWithLogitsLoss`).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (logits, labels) = (Tensor::from([[0.0], [100.0]]), Tensor::from([1, 0]));
    /// let loss = BinaryCrossentropy.from_logits().per_sample(&logits, &labels);
    /// assert!((loss.to_vec::<f32>()[0] - 0.6931).abs() < 1e-4);
    /// assert_eq!(loss.to_vec::<f32>()[1], 100.0);
    /// ```
    pub fn from_logits(mut self) -> BinaryCrossentropy {
        self.from_logits = true;
        self
    }

    /// Label smoothing: moves the targets toward 1/2 by this fraction. Default: 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// // The targets are 0.9 and 0.1 in the place of 1 and 0, so that nothing is gained by more certainty than that.
    /// let loss = |p: f32| BinaryCrossentropy.label_smoothing(0.2).loss(&Tensor::from([[p]]), &Tensor::from([1])).item();
    /// assert!(loss(0.9) < loss(0.99));
    /// ```
    ///
    /// # Panics
    /// If `smoothing` is not within `[0, 1)`.
    #[track_caller]
    pub fn label_smoothing(mut self, smoothing: f64) -> BinaryCrossentropy {
        assert!((0.0..1.0).contains(&smoothing), "label_smoothing: {smoothing} is not within [0, 1)");
        self.smoothing = smoothing;
        self
    }

    /// The loss of every sample for smoothed targets of the prediction's shape and dtype.
    fn losses(&self, prediction: &Tensor, t: &Tensor) -> Tensor {
        mean_of_rest(if self.from_logits {
            // -ln sigmoid(z) is softplus(-z), and -ln(1 - sigmoid(z)) is softplus(z).
            weigh(t, &(-prediction).softplus()) + weigh(&(1.0 - t), &prediction.softplus())
        } else {
            let p = prediction.clamp(EPSILON, 1.0 - EPSILON);
            -(t * p.ln() + (1.0 - t) * (1.0 - p).ln())
        })
    }
}

/// What each output receives, to be broadcast, where the mean over the outputs of its sample receives `g`.
pub(super) fn share_of_mean(g: &Tensor, shape: &Shape) -> Tensor {
    // `[N, 1, ..]`.
    let mut column = vec![1; shape.rank()];
    column.iter_mut().take(1).for_each(|samples| *samples = shape[0]);
    g.reshape(column) / shape.iter().skip(1).product::<usize>().max(1) as f64
}

/// Targets of the prediction's shape and dtype: labels of one output as numbers.
#[track_caller]
pub(super) fn bits(name: &str, prediction: &Tensor, target: &Tensor) -> Tensor {
    let labels = target.dtype() == DType::I64 && target.rank() == 1;
    let target = if labels { target.reshape(*prediction.shape()) } else { target.clone() };
    assert_same_shape(name, prediction, &target);
    target.to_dtype(prediction.dtype())
}

/// Checks that targets are labels 0 and 1 for one output, or numbers between them for each.
pub(super) fn check_bits(name: &str, output: &Shape, targets: &Tensor) -> Result<()> {
    if targets.dtype() == DType::I64 && targets.rank() == 1 && output.elements() == 1 {
        return check_label_range(targets, 2);
    }
    check_like_output(name, output, targets)?;
    check_probabilities(name, "target", targets, "targets lie between 0 and 1")
}

impl Loss for BinaryCrossentropy {
    fn name(&self) -> &'static str {
        "binary_crossentropy"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let mut t = bits(self.name(), prediction, target);
        static ONCE: Once = Once::new();
        if self.from_logits {
            note_once(&ONCE, || probabilities_as_logits(self.name(), prediction));
        }
        if self.smoothing > 0.0 {
            t = t * (1.0 - self.smoothing) + 0.5 * self.smoothing;
        }
        if !self.from_logits && prediction.is_tracked() {
            let losses = self.losses(&prediction.detach(), &t);
            let (p, t) = (prediction.clone(), t.clone());
            let direct = with_logit_gradient(&losses, prediction, OutputActivation::Sigmoid, move |g| {
                (&p - &t) * share_of_mean(g, p.shape())
            });
            if let Some(losses) = direct {
                return losses;
            }
        }
        self.losses(prediction, &t)
    }

    fn decision_threshold(&self) -> f64 {
        if self.from_logits { 0.0 } else { 0.5 }
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_bits(self.name(), output, targets)
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        if self.from_logits {
            return probabilities_as_logits(self.name(), prediction)
                .map_or(Ok(()), |problem| Err(Error::Config(problem)));
        }
        check_probabilities(self.name(), "prediction", prediction, NOT_PROBABILITIES)
    }
}
