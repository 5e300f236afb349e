//! Loss functions.

mod binary_crossentropy;
mod binary_focal;
mod categorical_crossentropy;
mod class_weights;
mod contrastive;
mod ctc;
mod dice;
mod distance;
mod focal;
mod hinge;
mod huber;
mod kl_divergence;
mod log_cosh;
mod mean_absolute_error;
mod mean_squared_error;
mod negative_log_likelihood;
mod nt_xent;
mod outputs;
mod parts;
mod reduction;
mod triplet;

pub use binary_crossentropy::BinaryCrossentropy;
pub use binary_focal::BinaryFocal;
pub use categorical_crossentropy::CategoricalCrossentropy;
pub use class_weights::{ClassWeighted, balanced_class_weights};
pub use contrastive::Contrastive;
pub use ctc::Ctc;
pub use dice::Dice;
pub use focal::Focal;
pub use hinge::Hinge;
pub use huber::Huber;
pub use kl_divergence::KlDivergence;
pub use log_cosh::LogCosh;
pub use mean_absolute_error::MeanAbsoluteError;
pub use mean_squared_error::MeanSquaredError;
pub use negative_log_likelihood::NegativeLogLikelihood;
pub use nt_xent::NtXent;
pub(crate) use outputs::OutputLoss;
pub use outputs::{IntoLosses, Losses};
pub(crate) use parts::check_per_sample;
pub use parts::{LossParts, Weights};
pub use reduction::{Reduced, Reduction};
pub use triplet::Triplet;

use std::panic::Location;
use std::sync::Once;

use crate::autograd::{OutputActivation, output_activation};
use crate::monitor::note;
use crate::{DType, Error, Result, Shape, Tensor};

/// A loss function: a differentiable loss per sample, and its reduction over a batch.
///
/// ```
/// use hadal::prelude::*;
/// let prediction = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 5.0], [2, 2]);
/// let target = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0], [2, 2]);
/// assert_eq!(MeanSquaredError.per_sample(&prediction, &target).to_vec::<f32>(), [0.0, 0.5]);
/// assert_eq!(MeanSquaredError.loss(&prediction, &target).item(), 0.25);
/// ```
pub trait Loss: Send + Sync {
    /// The loss's name, as it stands in reports.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(MeanSquaredError.name(), "mean_squared_error");
    /// ```
    fn name(&self) -> &'static str;

    /// The loss with all its settings: what must be the same for a run to be [resumed](crate::train::Trainer::resume). Default:
    /// the name; a loss of your own that has settings adds them.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_ne!(Huber::new(1.0).describe(), Huber::new(2.0).describe());
    /// ```
    fn describe(&self) -> String {
        self.name().to_owned()
    }

    /// The loss of every sample, `[N]`: no reduction. Shapes are those that [`check`](Loss::check) accepts. A loss of your own
    /// that returns another shape is refused.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (y, t) = (Tensor::from([[1.0, 1.0], [0.0, 2.0]]), Tensor::zeros([2, 2]));
    /// assert_eq!(MeanSquaredError.per_sample(&y, &t).to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes or labels do not fit; [`fit`](crate::train::Trainer::fit) checks them beforehand.
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor;

    /// The loss of every sample, `[N]`, times the weight of its class: `weights` is `[C]`, targets are labels. Default:
    /// [`per_sample`](Loss::per_sample) times the weight of the label.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (y, labels) = (Tensor::from([[2.0], [2.0]]), Tensor::from([0, 0]));
    /// let losses = Hinge.class_weighted(&y, &labels, &Tensor::from([0.5, 1.0]));
    /// assert_eq!(losses.to_vec::<f32>(), [1.5, 1.5]); // half of 3
    /// ```
    ///
    /// # Panics
    /// As [`per_sample`](Loss::per_sample).
    #[track_caller]
    fn class_weighted(&self, prediction: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
        class_weighted(self.per_sample(prediction, target), target, weights)
    }

    /// The loss of a batch as a sum and what it is divided by. With class weights `c` and sample weights `s`, the mean is
    /// `sum of c s l / sum of c`: with the former alone PyTorch's `weight`, `sum of c l / sum of c`, with the latter alone
    /// Keras's `sample_weight`, `sum of s l / N`.
    ///
    /// [`fit`](crate::train::Trainer::fit) and [`evaluate`](crate::train::Trainer::evaluate) call this alone.
    ///
    /// ```
    /// use hadal::loss::Weights;
    /// use hadal::prelude::*;
    /// let (y, t) = (Tensor::from([[1.0], [3.0]]), Tensor::zeros([2, 1]));
    /// let parts = MeanSquaredError.parts(&y, &t, Weights::default());
    /// assert_eq!((parts.sum.item(), parts.divisor.item()), (10.0, 2.0));
    /// ```
    ///
    /// # Panics
    /// As [`per_sample`](Loss::per_sample).
    #[track_caller]
    fn parts(&self, prediction: &Tensor, target: &Tensor, weights: Weights) -> LossParts {
        let mut losses = match weights.classes {
            Some(classes) => self.class_weighted(prediction, target, classes),
            None => self.per_sample(prediction, target),
        };
        if let Err(problem) = parts::check_per_sample(self.name(), &losses, prediction) {
            panic!("{problem}");
        }
        let dtype = losses.dtype();
        let divisor = match weights.classes {
            Some(classes) => mean_of_rest(weights_of(classes, target).to_dtype(dtype)).sum(),
            None => Tensor::full_of([], losses.elements() as f64, dtype),
        };
        if let Some(samples) = weights.samples {
            losses = parts::weigh(&samples.to_dtype(dtype), &losses);
        }
        LossParts { sum: losses.sum(), divisor, reduction: Reduction::Mean }
    }

    /// The mean over the batch, as a scalar, unless the loss says otherwise: [`parts`](Loss::parts) in one number.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (y, t) = (Tensor::from([[1.0], [3.0]]).requires_grad(), Tensor::zeros([2, 1]));
    /// let loss = MeanSquaredError.loss(&y, &t);
    /// assert_eq!(loss.item(), 5.0);
    /// assert_eq!(loss.backward()[&y].to_vec::<f32>(), [1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// As [`per_sample`](Loss::per_sample).
    #[track_caller]
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        self.parts(prediction, target, Weights::default()).value()
    }

    /// As [`loss`](Loss::loss), each sample's loss times its weight (`[N]`).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (y, t) = (Tensor::from([[1.0], [3.0]]), Tensor::zeros([2, 1]));
    /// assert_eq!(MeanSquaredError.weighted(&y, &t, &Tensor::from([1.0, 0.0])).item(), 0.5);
    /// ```
    ///
    /// # Panics
    /// As [`per_sample`](Loss::per_sample).
    #[track_caller]
    fn weighted(&self, prediction: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
        self.parts(prediction, target, Weights { samples: Some(weights), classes: None }).value()
    }

    /// The decision threshold: a single output above it means class 1. Metrics use it. Default: 0.5, as for probabilities; 0 for
    /// logits and for [`Hinge`].
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(BinaryCrossentropy.decision_threshold(), 0.5);
    /// assert_eq!(BinaryCrossentropy.from_logits().decision_threshold(), 0.0);
    /// ```
    fn decision_threshold(&self) -> f64 {
        0.5
    }

    /// Checks that targets (first axis: samples) suit a model whose samples come out with shape `output`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let error = CategoricalCrossentropy.check(&[10].into(), &Tensor::from([3, 10])).unwrap_err();
    /// assert!(error.to_string().contains("sample 1 has label 10"));
    /// ```
    ///
    /// # Errors
    /// A message that says what does not fit.
    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()>;

    /// Checks predictions of an untrained model for what the loss cannot mean: probabilities outside `[0, 1]`. Default:
    /// any number will do.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let logits = Tensor::from([[-2.0], [3.0]]);
    /// assert!(BinaryCrossentropy.check_prediction(&logits).is_err());
    /// assert!(BinaryCrossentropy.from_logits().check_prediction(&logits).is_ok());
    /// ```
    ///
    /// # Errors
    /// A message that says what is wrong, and what to change.
    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        let _ = prediction;
        Ok(())
    }

    /// Sums or averages over the batch, or over the dataset. Default: [`Reduction::Mean`].
    ///
    /// ```
    /// use hadal::loss::Reduction;
    /// use hadal::prelude::*;
    /// let (y, t) = (Tensor::from([[1.0], [3.0]]), Tensor::zeros([2, 1]));
    /// assert_eq!(MeanAbsoluteError.reduction(Reduction::Sum).loss(&y, &t).item(), 4.0);
    /// ```
    fn reduction(self, reduction: Reduction) -> Reduced<Self>
    where
        Self: Sized,
    {
        Reduced::new(self, reduction)
    }

    /// Weights each sample by the weight of its class, for imbalanced classes; see
    /// [`balanced_class_weights`]. Targets must be labels. With label
    /// smoothing, categorical cross-entropy weighs each class that the target is spread over by its own weight, as PyTorch
    /// does, and binary cross-entropy weighs the whole sample by the weight of its label, as Keras does.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (p, labels) = (Tensor::from([[0.5], [0.5]]), Tensor::from([0, 1]));
    /// let losses = BinaryCrossentropy.class_weights(&[1.0, 3.0]).per_sample(&p, &labels).to_vec::<f32>();
    /// assert!((losses[1] - 3.0 * losses[0]).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If a weight is negative or not a finite number of `f32`, or all are 0.
    #[track_caller]
    fn class_weights(self, weights: &[f64]) -> ClassWeighted<Self>
    where
        Self: Sized,
    {
        ClassWeighted::new(self, weights)
    }
}

impl Loss for Box<dyn Loss> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        (**self).per_sample(prediction, target)
    }

    fn class_weighted(&self, prediction: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
        (**self).class_weighted(prediction, target, weights)
    }

    fn parts(&self, prediction: &Tensor, target: &Tensor, weights: Weights) -> LossParts {
        (**self).parts(prediction, target, weights)
    }

    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        (**self).loss(prediction, target)
    }

    fn weighted(&self, prediction: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
        (**self).weighted(prediction, target, weights)
    }

    fn decision_threshold(&self) -> f64 {
        (**self).decision_threshold()
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        (**self).check(output, targets)
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        (**self).check_prediction(prediction)
    }
}

/// Keras's `epsilon()`: probabilities are kept this far from 0 and 1 before their logarithm is taken.
const EPSILON: f64 = 1e-7;

/// The message for probabilities under a loss that takes logits.
fn probabilities_as_logits(name: &str, prediction: &Tensor) -> Option<String> {
    let function = match output_activation(prediction)? {
        OutputActivation::Sigmoid => "sigmoid",
        OutputActivation::Softmax => "softmax",
    };
    Some(format!(
        "{name} with from_logits() takes logits, but the prediction is the output of a {function}, which would be applied twice; \
         remove from_logits() or the {function}"
    ))
}

/// Notes a problem of a loop of the user's own, once in a process, with the line that it is in.
#[track_caller]
fn note_once(once: &Once, problem: impl FnOnce() -> Option<String>) {
    if !once.is_completed()
        && let Some(problem) = problem()
    {
        let at = Location::caller();
        once.call_once(|| note(&format!("{}:{}: {problem}", at.file(), at.line())));
    }
}

/// Checks that targets are labels below `C`, or of the shape of the prediction, `[N, .., C]`.
#[track_caller]
fn assert_classes(name: &str, prediction: &Tensor, target: &Tensor) {
    let (p, t) = (prediction.shape(), target.shape());
    assert!(
        prediction.rank() >= 2,
        "{name}: the prediction must have shape [N, C], or [N, T, C] for sequences, one value per class, not {p}"
    );
    let (classes, places) = (p[p.rank() - 1], Shape::from(&p[..p.rank() - 1]));
    let fits = if target.dtype() == DType::I64 { *t == places } else { target.dtype().is_float() && t == p };
    assert!(
        fits,
        "{name}: the targets are {} of shape {t}, but for a prediction of shape {p} they must be labels (i64 of shape {places}; convert \
         them with to_dtype(DType::I64) and reshape) or one probability per class (of shape {p})",
        target.dtype()
    );
    if target.dtype() == DType::I64 {
        let labels = target.to_vec::<i64>();
        if let Some(place) = labels.iter().position(|&label| label < 0 || label >= classes as i64) {
            panic!(
                "{name}: sample {} has label {}, but the {classes} values per sample of the prediction stand for labels 0 to {}",
                place / (labels.len() / p[0]),
                labels[place],
                classes as i64 - 1
            );
        }
    }
}

/// Losses of samples, or of the places of sequences, times the weights of their classes: `[N]`.
#[track_caller]
fn class_weighted(losses: Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
    assert!(
        losses.shape() == target.shape(),
        "class weights: the losses have shape {}, but there are {} labels; per_sample must return one number for each sample",
        losses.shape(),
        target.elements()
    );
    mean_of_rest(parts::weigh(&weights_of(weights, target).to_dtype(losses.dtype()), &losses))
}

/// The weight of each label.
#[track_caller]
fn weights_of(classes: &Tensor, labels: &Tensor) -> Tensor {
    classes.index_select(0, &labels.reshape([labels.elements()])).reshape(labels.shape())
}

/// The mean over all axes but the first.
fn mean_of_rest(x: Tensor) -> Tensor {
    sum_of_rest(x, true)
}

fn sum_of_rest(x: Tensor, mean: bool) -> Tensor {
    match x.rank() {
        0 | 1 => x,
        _ => {
            let rest = x.flatten(1);
            if mean { rest.mean_axes(&[1]) } else { rest.sum_axes(&[1]) }
        }
    }
}

#[track_caller]
fn assert_same_shape(name: &str, prediction: &Tensor, target: &Tensor) {
    assert!(
        prediction.shape() == target.shape(),
        "{name}: prediction {} and target {} differ in shape",
        prediction.shape(),
        target.shape()
    );
}

/// Checks targets that must look like the output.
fn check_like_output(name: &str, output: &Shape, targets: &Tensor) -> Result<()> {
    if targets.dtype().is_float() && **output == targets.shape()[1..] {
        return Ok(());
    }
    Err(Error::Data(format!(
        "{name} takes targets of the output's shape; the model's output has shape {output}, the targets are {} of shape {}",
        targets.dtype(),
        targets.shape()
    )))
}

/// Checks that numbers are probabilities; `what` names them: `sample 3 has target`.
fn check_probabilities(name: &str, what: &str, values: &Tensor, advice: &str) -> Result<()> {
    let per_sample = (values.elements() / values.shape().first().copied().unwrap_or(1).max(1)).max(1);
    let numbers = values.to_dtype(DType::F64).to_vec::<f64>();
    // A little beyond is rounding.
    match numbers.iter().position(|p| !(-1e-6..=1.0 + 1e-6).contains(p)) {
        None => Ok(()),
        Some(index) => Err(Error::Data(format!(
            "{name} takes probabilities, but sample {} has {what} {}; {advice}",
            index / per_sample,
            numbers[index]
        ))),
    }
}

/// Advice for networks whose outputs are no probabilities.
const NOT_PROBABILITIES: &str = "end the network with Softmax or Sigmoid, or use the loss's from_logits()";

/// Checks class labels, `i64` of shape `[N]`, or `[N, T]` for sequences, against an output of one number per class.
fn check_labels(name: &str, output: &Shape, targets: &Tensor) -> Result<()> {
    let Some((&classes, places)) = output.split_last() else {
        return Err(Error::Data(format!(
            "{name} takes one output per class, but the model's output has shape {output}"
        )));
    };
    if targets.dtype() != DType::I64 || targets.rank() == 0 || targets.shape()[1..] != *places {
        let sizes: Vec<String> = places.iter().map(|size| format!(", {size}")).collect();
        return Err(Error::Data(format!(
            "{name} takes class labels, i64 of shape [N{}] for a model whose output has shape {output}, but the targets are {} of \
             shape {}",
            sizes.concat(),
            targets.dtype(),
            targets.shape()
        )));
    }
    check_label_range(targets, classes)
}

fn check_label_range(targets: &Tensor, classes: usize) -> Result<()> {
    let labels = targets.to_vec::<i64>();
    match labels.iter().position(|&label| label < 0 || label >= classes as i64) {
        None => Ok(()),
        Some(place) => Err(Error::Data(format!(
            "sample {} has label {}, but the model's {classes} outputs stand for labels 0 to {}",
            place / (labels.len() / targets.size(0)),
            labels[place],
            classes as i64 - 1
        ))),
    }
}
