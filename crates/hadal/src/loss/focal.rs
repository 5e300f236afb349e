//! Focal loss for several classes.

use std::sync::Once;

use super::categorical_crossentropy::{check_classes, clipped, spread};
use super::parts::weigh;
use super::{Loss, NOT_PROBABILITIES, check_probabilities};
use super::{assert_classes, mean_of_rest, note_once, probabilities_as_logits};
use crate::autograd::{OutputActivation, with_gradient, with_logit_gradient};
use crate::{Error, Result, Shape, Tensor};

/// Focal loss, `-sum_k alpha_k t_k (1 - p_k)^gamma ln p_k` (Lin and others, "Focal loss for dense object detection", ICCV 2017,
/// eq. 5): categorical cross-entropy that counts little where the model is right and sure, so that many easy samples do not
/// outweigh few hard ones. Use it after a softmax.
///
/// Predictions are probabilities `[N, C]`, divided by their sum and clipped to `[1e-7, 1 - 1e-7]` as in Keras; targets are class
/// labels (`i64`, `[N]`) or probabilities (`[N, C]`). Defaults: gamma 2, no alpha. If the predictions are the direct output of a
/// softmax, the gradient goes straight to its input, as that of
/// [`CategoricalCrossentropy`](struct@super::CategoricalCrossentropy) does. For one output, or several labels per sample, see
/// [`BinaryFocal`](struct@super::BinaryFocal).
///
/// ```
/// use hadal::prelude::*;
/// let (p, labels) = (Tensor::from([[0.9, 0.1], [0.6, 0.4]]), Tensor::from([0, 0]));
/// let losses = Focal.per_sample(&p, &labels).to_vec::<f32>();
/// assert!((losses[0] + 0.01 * 0.9f32.ln()).abs() < 1e-6 && (losses[1] + 0.16 * 0.6f32.ln()).abs() < 1e-6);
/// ```
#[doc(alias = "CategoricalFocalCrossentropy")]
#[derive(Clone, Debug, PartialEq)]
pub struct Focal {
    gamma: f64,
    /// One for all classes, or one for each; none counts as 1.
    alpha: Vec<f64>,
    from_logits: bool,
    smoothing: f64,
}

/// The loss itself, so that it can be written like a value.
#[allow(non_upper_case_globals)]
pub const Focal: Focal = Focal { gamma: 2.0, alpha: Vec::new(), from_logits: false, smoothing: 0.0 };

impl Focal {
    /// How much less a sample counts that is nearly right. 0 is cross-entropy. Default: 2.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (p, labels) = (Tensor::from([[0.75, 0.25]]), Tensor::from([0]));
    /// let cross_entropy = CategoricalCrossentropy.loss(&p, &labels).item();
    /// assert_eq!(Focal.gamma(1.0).loss(&p, &labels).item(), 0.25 * cross_entropy);
    /// ```
    ///
    /// # Panics
    /// If `gamma` is negative or not finite.
    #[track_caller]
    pub fn gamma(mut self, gamma: f64) -> Focal {
        self.gamma = checked_gamma(gamma);
        self
    }

    /// The weights of the classes, or one number for all of them, as Keras's `alpha`. The mean over a batch is not divided by them,
    /// as it is with [`class_weights`](Loss::class_weights). Default: 1.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (p, labels) = (Tensor::from([[0.5, 0.5], [0.5, 0.5]]), Tensor::from([0, 1]));
    /// let losses = Focal.alpha(&[0.25, 1.0]).per_sample(&p, &labels).to_vec::<f32>();
    /// assert_eq!(losses[0], 0.25 * losses[1]);
    /// ```
    ///
    /// # Panics
    /// If there is no weight, or one is negative or not finite.
    #[track_caller]
    pub fn alpha(mut self, alpha: &[f64]) -> Focal {
        let fit = !alpha.is_empty() && alpha.iter().all(|alpha| *alpha >= 0.0 && (*alpha as f32).is_finite());
        assert!(
            fit,
            "Focal: alpha must be one number, or one for each class, none negative or infinite; got {alpha:?}"
        );
        self.alpha = alpha.to_vec();
        self
    }

    /// Takes logits instead of probabilities: more accurate, and not clipped.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let loss = Focal.from_logits().loss(&Tensor::from([[0.0, 0.0]]), &Tensor::from([1]));
    /// assert!((loss.item() - 0.25 * 2f64.ln()).abs() < 1e-6);
    /// ```
    pub fn from_logits(mut self) -> Focal {
        self.from_logits = true;
        self
    }

    /// Label smoothing: mixes the targets with the uniform distribution, which gets this weight. Default: 0.
    ///
    /// # Panics
    /// If `smoothing` is not within `[0, 1)`.
    #[track_caller]
    pub fn label_smoothing(mut self, smoothing: f64) -> Focal {
        assert!((0.0..1.0).contains(&smoothing), "label_smoothing: {smoothing} is not within [0, 1)");
        self.smoothing = smoothing;
        self
    }

    /// Each class's weight in the loss: its share in the target, times its alpha.
    #[track_caller]
    fn shares(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        assert_classes(self.name(), prediction, target);
        let target = spread(target, prediction, self.smoothing);
        if self.alpha.is_empty() {
            return target;
        }
        let (given, classes) = (self.alpha.len(), prediction.size(-1));
        assert!([1, classes].contains(&given), "Focal: alpha has {given} numbers, but there are {classes} classes");
        target * Tensor::from_slice(&self.alpha, [given]).to_dtype(prediction.dtype())
    }

    /// The losses for these weights of the classes.
    fn losses(&self, prediction: &Tensor, shares: &Tensor) -> Tensor {
        if !prediction.is_tracked() {
            return self.value(prediction, shares);
        }
        // Written out: through the product of factor and logarithm, logits that are infinite would have gradients that are NaN.
        let value = self.value(&prediction.detach(), shares);
        let (gamma, input, shares_there) = (self.gamma, prediction.clone(), shares.detach());
        if self.from_logits {
            return with_gradient(&value, &[prediction], move |_, g| {
                logit_gradient(gamma, &input.softmax(-1), &shares_there) * g.unsqueeze(-1)
            });
        }
        let direct = with_logit_gradient(&value, prediction, OutputActivation::Softmax, move |g| {
            logit_gradient(gamma, &input, &shares_there) * g.unsqueeze(-1)
        });
        direct.unwrap_or_else(|| self.value(prediction, shares))
    }

    fn value(&self, prediction: &Tensor, shares: &Tensor) -> Tensor {
        let (p, logarithm) = if self.from_logits {
            let logarithm = prediction.log_softmax(-1);
            (logarithm.exp(), logarithm)
        } else {
            let p = clipped(prediction, &prediction.sum_keepdim(&[-1]));
            (p.clone(), p.ln())
        };
        -weigh(shares, &(factor(&p, self.gamma) * logarithm)).sum_axes(&[-1])
    }
}

/// `(1 - p)^gamma`.
fn factor(p: &Tensor, gamma: f64) -> Tensor {
    (1.0 - p).clamp(SMALLEST, f64::INFINITY).powf(gamma)
}

/// Numbers below this are taken for this where 0 would make a power or a logarithm infinite.
pub(super) const SMALLEST: f64 = 1e-30;

/// The gradient in the logits of `-sum_k w_k (1 - p_k)^gamma ln p_k`, `[N, C]`: with
/// `r_k = w_k (gamma (1 - p_k)^(gamma - 1) p_k ln p_k - (1 - p_k)^gamma)`, it is `r_k - p_k sum_j r_j`.
fn logit_gradient(gamma: f64, p: &Tensor, w: &Tensor) -> Tensor {
    let logarithm = p.clamp(SMALLEST, 1.0).ln();
    let r = w * (factor(p, gamma - 1.0) * (p * logarithm) * gamma - factor(p, gamma));
    &r - p * r.sum_keepdim(&[-1])
}

#[track_caller]
pub(super) fn checked_gamma(gamma: f64) -> f64 {
    assert!(gamma >= 0.0 && gamma.is_finite(), "gamma {gamma} must be 0 or a positive, finite number, for example 2");
    gamma
}

impl Loss for Focal {
    fn name(&self) -> &'static str {
        "focal"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        static ONCE: Once = Once::new();
        let shares = self.shares(prediction, target);
        if self.from_logits {
            note_once(&ONCE, || probabilities_as_logits(self.name(), prediction));
        }
        mean_of_rest(self.losses(prediction, &shares))
    }

    #[track_caller]
    fn class_weighted(&self, prediction: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
        let shares = self.shares(prediction, target) * weights.to_dtype(prediction.dtype());
        mean_of_rest(self.losses(prediction, &shares))
    }

    fn decision_threshold(&self) -> f64 {
        if self.from_logits { 0.0 } else { 0.5 }
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_classes(self.name(), output, targets)?;
        let (given, classes) = (self.alpha.len(), output.last().copied().unwrap_or(1));
        if given <= 1 || given == classes {
            return Ok(());
        }
        Err(Error::Config(format!(
            "{}: alpha has {given} numbers, but the model has {classes} outputs, one for each class",
            self.name()
        )))
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        if self.from_logits {
            return probabilities_as_logits(self.name(), prediction)
                .map_or(Ok(()), |problem| Err(Error::Config(problem)));
        }
        check_probabilities(self.name(), "prediction", prediction, NOT_PROBABILITIES)
    }
}
