//! Focal loss for outputs that are each true or false.

use std::sync::Once;

use super::binary_crossentropy::{bits, check_bits, share_of_mean};
use super::focal::{SMALLEST, checked_gamma};
use super::parts::weigh;
use super::{EPSILON, Loss, NOT_PROBABILITIES, check_probabilities, mean_of_rest};
use super::{note_once, probabilities_as_logits};
use crate::autograd::{OutputActivation, with_gradient, with_logit_gradient};
use crate::{Error, Result, Shape, Tensor};

/// Focal loss of outputs that are each true or false, `-alpha_t (1 - p_t)^gamma ln p_t`, where `p_t` is the probability of what
/// is the case and `alpha_t` is `alpha` for targets 1 and `1 - alpha` for targets 0 (Lin and others, ICCV 2017, eq. 5), averaged
/// over each sample's outputs. Use it after a sigmoid.
///
/// Predictions and targets are as those of [`BinaryCrossentropy`](struct@super::BinaryCrossentropy). Defaults: gamma 2 and alpha
/// 0.25, torchvision's; Keras's `BinaryFocalCrossentropy` has no alpha unless it is asked for.
///
/// ```
/// use hadal::prelude::*;
/// // torchvision's sigmoid_focal_loss.
/// let (logits, targets) = (Tensor::from([[0.0], [0.0]]), Tensor::from([1, 0]));
/// let losses = BinaryFocal.from_logits().per_sample(&logits, &targets).to_vec::<f32>();
/// assert!((losses[0] - 0.25 * 0.25 * 2f32.ln()).abs() < 1e-6 && (losses[1] - 3.0 * losses[0]).abs() < 1e-6);
/// ```
#[doc(alias = "sigmoid_focal_loss")]
#[doc(alias = "BinaryFocalCrossentropy")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryFocal {
    gamma: f64,
    alpha: Option<f64>,
    from_logits: bool,
}

/// The loss itself, so that it can be written like a value.
#[allow(non_upper_case_globals)]
pub const BinaryFocal: BinaryFocal = BinaryFocal { gamma: 2.0, alpha: Some(0.25), from_logits: false };

impl BinaryFocal {
    /// How much less an output counts that is nearly right. 0 is cross-entropy. Default: 2.
    ///
    /// # Panics
    /// If `gamma` is negative or not finite.
    #[track_caller]
    pub fn gamma(mut self, gamma: f64) -> BinaryFocal {
        self.gamma = checked_gamma(gamma);
        self
    }

    /// The weight of targets 1; that of targets 0 is 1 less it. `None`: both are 1. Default: 0.25.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (p, targets) = (Tensor::from([[0.75]]), Tensor::from([1]));
    /// let plain = BinaryFocal.gamma(0.0).alpha(None).loss(&p, &targets).item();
    /// assert_eq!(plain, BinaryCrossentropy.loss(&p, &targets).item());
    /// ```
    ///
    /// # Panics
    /// If `alpha` is not within `[0, 1]`.
    #[track_caller]
    pub fn alpha(mut self, alpha: impl Into<Option<f64>>) -> BinaryFocal {
        self.alpha = alpha.into();
        assert!(
            self.alpha.is_none_or(|alpha| (0.0..=1.0).contains(&alpha)),
            "BinaryFocal: alpha {:?} is not within [0, 1]",
            self.alpha
        );
        self
    }

    /// Takes logits instead of probabilities: more accurate, and not clipped (torchvision's `sigmoid_focal_loss`).
    pub fn from_logits(mut self) -> BinaryFocal {
        self.from_logits = true;
        self
    }

    fn value(&self, prediction: &Tensor, t: &Tensor) -> Tensor {
        let (p, crossentropy) = if self.from_logits {
            (prediction.sigmoid(), crossentropy(prediction, t))
        } else {
            let p = prediction.clamp(EPSILON, 1.0 - EPSILON);
            (p.clone(), -(t * p.ln() + (1.0 - t) * (1.0 - p).ln()))
        };
        mean_of_rest(weigh(&self.weight(t), &(miss(&p, t).powf(self.gamma) * crossentropy)))
    }

    /// `alpha_t`.
    fn weight(&self, t: &Tensor) -> Tensor {
        self.alpha.map_or_else(|| t.ones_like(), |alpha| t * (2.0 * alpha - 1.0) + (1.0 - alpha))
    }

    /// The gradient in logits of each output's loss: `alpha_t ((p - t) m^gamma - gamma m^(gamma - 1) (2 t - 1) p (1 - p) c)`
    /// with `m = 1 - p_t` and the cross-entropy `c`.
    fn logit_gradient(&self, p: &Tensor, t: &Tensor, crossentropy: &Tensor) -> Tensor {
        let m = miss(p, t);
        // Infinite where p is 0 or 1, which stands before it.
        let c = crossentropy.clamp(0.0, 1.0 / SMALLEST);
        let turn = m.powf(self.gamma - 1.0) * (t * 2.0 - 1.0) * (p * (1.0 - p) * c) * self.gamma;
        self.weight(t) * ((p - t) * m.powf(self.gamma) - turn)
    }
}

/// `1 - p_t`, how far the prediction is off.
fn miss(p: &Tensor, t: &Tensor) -> Tensor {
    (p + t - p * t * 2.0).clamp(SMALLEST, f64::INFINITY)
}

/// That of logits: `-ln sigmoid(z)` is `softplus(-z)`, and `-ln(1 - sigmoid(z))` is `softplus(z)`.
fn crossentropy(z: &Tensor, t: &Tensor) -> Tensor {
    weigh(t, &(-z).softplus()) + weigh(&(1.0 - t), &z.softplus())
}

impl Loss for BinaryFocal {
    fn name(&self) -> &'static str {
        "binary_focal"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        static ONCE: Once = Once::new();
        let t = bits(self.name(), prediction, target);
        if self.from_logits {
            note_once(&ONCE, || probabilities_as_logits(self.name(), prediction));
        }
        if !prediction.is_tracked() {
            return self.value(prediction, &t);
        }
        let value = self.value(&prediction.detach(), &t);
        let (own, input, there) = (*self, prediction.clone(), t.detach());
        if self.from_logits {
            return with_gradient(&value, &[prediction], move |_, g| {
                own.logit_gradient(&input.sigmoid(), &there, &crossentropy(&input, &there))
                    * share_of_mean(g, input.shape())
            });
        }
        let direct = with_logit_gradient(&value, prediction, OutputActivation::Sigmoid, move |g| {
            let p = input.clamp(EPSILON, 1.0 - EPSILON);
            let crossentropy = -(&there * p.ln() + (1.0 - &there) * (1.0 - p).ln());
            own.logit_gradient(&input, &there, &crossentropy) * share_of_mean(g, input.shape())
        });
        direct.unwrap_or_else(|| self.value(prediction, &t))
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
