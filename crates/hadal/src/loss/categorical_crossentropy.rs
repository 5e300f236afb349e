//! Categorical cross-entropy.

use std::sync::Once;

use super::parts::weigh;
use super::{EPSILON, Loss, NOT_PROBABILITIES, check_labels, check_probabilities, class_weighted, mean_of_rest};
use super::{assert_classes, note_once, probabilities_as_logits};
use crate::autograd::{OutputActivation, with_logit_gradient};
use crate::{DType, Error, Result, Shape, Tensor};

/// Categorical cross-entropy, `-sum_k t_k ln p_k`. Use it after a softmax.
///
/// Predictions are probabilities `[N, C]`; targets are class labels (`i64`, `[N]`) or probabilities (`[N, C]`). Of sequences,
/// predictions are `[N, T, C]`, targets `[N, T]` or `[N, T, C]`, and the loss of a sample is the mean over its places, as in Keras; so
/// the loss of a batch is the mean over all places, as in PyTorch, whose predictions are `[N, C, T]`. More axes than one may stand
/// in the place of `T`.
///
/// As in Keras, predictions are first divided by their sum and clipped to `[1e-7, 1 - 1e-7]`, so that a confident
/// mistake costs a finite 16.1. If they are the direct output of a softmax over the last axis, its input receives the gradient
/// `p sum(t) - t`, as in Keras on TensorFlow: it does not vanish where the softmax saturates.
/// ([`complement`](CategoricalCrossentropy::complement) differentiates through the softmax.)
///
/// With [`class_weights`](Loss::class_weights) and label smoothing, the weights are those of the classes that the target
/// is spread over, `-sum_k w_k t_k ln p_k`, as in PyTorch.
///
/// ```
/// use hadal::prelude::*;
/// let scores = Tensor::from_slice(&[2.0f32, 0.0, 0.0, 3.0], [2, 2]);
/// let labels = Tensor::from_slice(&[0i64, 1], [2]);
/// // PyTorch's CrossEntropyLoss.
/// let loss = CategoricalCrossentropy.from_logits().label_smoothing(0.1).loss(&scores, &labels);
/// assert!((loss.item() - 0.2128).abs() < 1e-4);
/// ```
#[doc(alias = "CrossEntropyLoss")]
#[doc(alias = "SparseCategoricalCrossentropy")]
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
    /// Takes logits instead of probabilities: more accurate, and not clipped (PyTorch's `CrossEntropyLoss`).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let loss = CategoricalCrossentropy.from_logits().loss(&Tensor::from([[0.0, 0.0]]), &Tensor::from([1]));
    /// assert!((loss.item() - 2f64.ln()).abs() < 1e-6);
    /// ```
    pub fn from_logits(mut self) -> CategoricalCrossentropy {
        self.from_logits = true;
        self
    }

    /// Label smoothing: mixes the targets with the uniform distribution, which gets this weight (Szegedy and others, CVPR 2016,
    /// section 7). Default: 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// // Of two classes, the target is 0.9 and 0.1 in the place of 1 and 0.
    /// let loss = CategoricalCrossentropy.label_smoothing(0.2);
    /// let loss = |p: f32| loss.loss(&Tensor::from([[p, 1.0 - p]]), &Tensor::from([0])).item();
    /// assert!(loss(0.9) < loss(0.99));
    /// ```
    ///
    /// # Panics
    /// If `smoothing` is not within `[0, 1)`.
    #[track_caller]
    pub fn label_smoothing(mut self, smoothing: f64) -> CategoricalCrossentropy {
        assert!((0.0..1.0).contains(&smoothing), "label_smoothing: {smoothing} is not within [0, 1)");
        self.smoothing = smoothing;
        self
    }

    /// The lecture's form, which also counts how sure the network is of the wrong classes:
    /// `-sum_k (t_k ln p_k + (1 - t_k) ln(1 - p_k))`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (p, label) = (Tensor::from([[0.5, 0.5]]), Tensor::from([0]));
    /// let loss = CategoricalCrossentropy.complement().loss(&p, &label).item();
    /// assert!((loss - 2.0 * CategoricalCrossentropy.loss(&p, &label).item()).abs() < 1e-6);
    /// ```
    pub fn complement(mut self) -> CategoricalCrossentropy {
        self.complement = true;
        self
    }
}

/// Predictions whose sum is below this are divided by this: all are 0, or next to it.
const SMALLEST_SUM: f64 = 1e-15;

/// Probabilities divided by their sum and kept away from 0 and 1, as Keras does.
pub(super) fn clipped(probabilities: &Tensor, sum: &Tensor) -> Tensor {
    (probabilities / sum.clamp(SMALLEST_SUM, f64::INFINITY)).clamp(EPSILON, 1.0 - EPSILON)
}

/// Labels or probabilities of classes as probabilities like the prediction, mixed with the uniform distribution.
pub(super) fn spread(target: &Tensor, prediction: &Tensor, smoothing: f64) -> Tensor {
    let classes = prediction.size(-1);
    let one_hot = target.dtype() == DType::I64;
    let target = if one_hot { target.one_hot(classes) } else { target.clone() }.to_dtype(prediction.dtype());
    if smoothing == 0.0 {
        return target;
    }
    target * (1.0 - smoothing) + smoothing / classes as f64
}

/// Checks that targets are labels or probabilities of the classes that a model's output is about.
pub(super) fn check_classes(name: &str, output: &Shape, targets: &Tensor) -> Result<()> {
    if targets.dtype() == DType::I64 {
        return check_labels(name, output, targets);
    }
    if targets.dtype().is_float() && targets.rank() >= 2 && **output == targets.shape()[1..] {
        return check_probabilities(name, "target", targets, "targets lie between 0 and 1");
    }
    Err(Error::Data(format!(
        "{name} takes labels (i64, [N]) or one probability per class ([N, C]); the model's output has shape {output}, the \
         targets are {} of shape {}",
        targets.dtype(),
        targets.shape()
    )))
}

impl CategoricalCrossentropy {
    /// Logarithms of what the predictions become when they are divided by their sum and clipped.
    fn logarithm(probabilities: &Tensor, sum: &Tensor) -> Tensor {
        clipped(probabilities, sum).ln()
    }

    /// Targets as probabilities, smoothed.
    fn spread(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        spread(target, prediction, self.smoothing)
    }

    /// `-sum_k t_k ln p_k`, with the spread target or, where that is all there is to it, the label.
    #[track_caller]
    fn own_class(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        if target.dtype() == DType::I64 {
            let index = target.unsqueeze(-1);
            let chosen = if self.from_logits {
                prediction.log_softmax(-1).gather(-1, &index)
            } else {
                Self::logarithm(&prediction.gather(-1, &index), &prediction.sum_keepdim(&[-1]))
            };
            return -chosen.squeeze(-1);
        }
        let logarithm = if self.from_logits {
            prediction.log_softmax(-1)
        } else {
            Self::logarithm(prediction, &prediction.sum_keepdim(&[-1]))
        };
        -weigh(target, &logarithm).sum_axes(&[-1])
    }

    /// [`own_class`](Self::own_class), whose gradient goes to the softmax's input where there is one.
    #[track_caller]
    fn losses(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        if !self.from_logits && prediction.is_tracked() {
            let losses = self.own_class(&prediction.detach(), target);
            let (p, target) = (prediction.clone(), target.clone());
            let direct = with_logit_gradient(&losses, prediction, OutputActivation::Softmax, move |g| {
                let g = g.unsqueeze(-1);
                if target.dtype() == DType::I64 {
                    return (&p - target.one_hot(p.size(-1)).to_dtype(p.dtype())) * g;
                }
                (&p * target.sum_keepdim(&[-1]) - &target) * g
            });
            if let Some(losses) = direct {
                return losses;
            }
        }
        self.own_class(prediction, target)
    }

    /// The loss of each place, `[N, ..]`.
    #[track_caller]
    fn per_place(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        static ONCE: Once = Once::new();
        assert_classes(self.name(), prediction, target);
        if self.from_logits {
            note_once(&ONCE, || probabilities_as_logits(self.name(), prediction));
        }
        if target.dtype() == DType::I64 && self.smoothing == 0.0 && !self.complement {
            return self.losses(prediction, target);
        }
        let target = self.spread(target, prediction);
        if !self.complement {
            return self.losses(prediction, &target);
        }
        let p = if self.from_logits {
            prediction.softmax(-1)
        } else {
            prediction / prediction.sum_keepdim(&[-1]).clamp(SMALLEST_SUM, f64::INFINITY)
        };
        let others = (1.0 - p).clamp(EPSILON, 1.0 - EPSILON).ln();
        self.own_class(prediction, &target) - ((1.0 - target) * others).sum_axes(&[-1])
    }
}

impl Loss for CategoricalCrossentropy {
    fn name(&self) -> &'static str {
        "categorical_crossentropy"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        mean_of_rest(self.per_place(prediction, target))
    }

    #[track_caller]
    fn class_weighted(&self, prediction: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
        if self.smoothing == 0.0 || self.complement {
            return class_weighted(self.per_place(prediction, target), target, weights);
        }
        assert_classes(self.name(), prediction, target);
        let spread = self.spread(target, prediction);
        mean_of_rest(self.losses(prediction, &(spread * weights.to_dtype(prediction.dtype()))))
    }

    fn decision_threshold(&self) -> f64 {
        if self.from_logits { 0.0 } else { 0.5 }
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_classes(self.name(), output, targets)
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        if self.from_logits {
            return probabilities_as_logits(self.name(), prediction)
                .map_or(Ok(()), |problem| Err(Error::Config(problem)));
        }
        check_probabilities(self.name(), "prediction", prediction, NOT_PROBABILITIES)
    }
}
