//! Dice loss.

use super::{Loss, NOT_PROBABILITIES, assert_same_shape, check_like_output, check_probabilities};
use crate::{DType, Error, Result, Shape, Tensor};

/// Dice loss, `1 - (2 sum p t + s) / (sum p^2 + sum t^2 + s)` with the sums over a sample's outputs and a smoothing constant `s`
/// (Milletari, Navab and Ahmadi, "V-Net", 3DV 2016, section 3): how far a predicted area and the true one are from covering each
/// other, whatever share of the picture they take. Use it after a sigmoid, or after a softmax over the classes.
///
/// Predictions are probabilities `[N, ..]`, and targets numbers from 0 to 1 of that shape. Predictions `[N, C, ..]` also take class
/// labels (`i64`, `[N, ..]`): the loss is then the mean over the classes. Defaults: squares in the divisor, a smoothing constant of
/// 1e-5 (MONAI's), and probabilities.
///
/// ```
/// use hadal::prelude::*;
/// let (p, mask) = (Tensor::from([[1.0, 1.0, 0.0, 0.0]]), Tensor::from([[0.0, 1.0, 1.0, 0.0]]));
/// assert!((Dice.loss(&p, &mask).item() - 0.5).abs() < 1e-5); // one of two pixels in common
/// assert_eq!(Dice.loss(&mask, &mask).item(), 0.0);
/// ```
#[doc(alias = "DiceLoss")]
#[doc(alias = "F1Loss")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dice {
    squared: bool,
    smoothing: f64,
    per_class: bool,
    from_logits: bool,
}

/// The loss itself, so that it can be written like a value.
#[allow(non_upper_case_globals)]
pub const Dice: Dice = Dice { squared: true, smoothing: 1e-5, per_class: false, from_logits: false };

impl Dice {
    /// With Keras's defaults: no squares in the divisor, and a smoothing constant of 1e-7. Keras sums over a whole batch unless
    /// its `axis` says otherwise; here each sample has its own loss. Keras adds the constant below alone, so that an empty area
    /// always costs 1 there.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (p, mask) = (Tensor::from([[0.5, 0.5]]), Tensor::from([[1.0, 1.0]]));
    /// assert!((Dice::keras().loss(&p, &mask).item() - 1.0 / 3.0).abs() < 1e-6);
    /// assert!((Dice.loss(&p, &mask).item() - 0.2).abs() < 1e-5);
    /// ```
    pub fn keras() -> Dice {
        Dice { squared: false, smoothing: 1e-7, ..Dice }
    }

    /// Whether the divisor has the sums of squares, as Milletari's, or those of the numbers themselves. For targets and
    /// predictions that are 0 or 1 they are equal. Default: true.
    pub fn squared(mut self, squared: bool) -> Dice {
        self.squared = squared;
        self
    }

    /// The constant added above and below, so that an empty area that is predicted as empty costs nothing. Default: 1e-5.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (p, empty) = (Tensor::from([[0.5, 0.5]]), Tensor::zeros([1, 2]));
    /// let loss = |smoothing| Dice.smoothing(smoothing).loss(&p, &empty).item();
    /// assert!(loss(1e-5) > 0.99 && (loss(1.0) - (1.0 - 1.0 / 1.5)).abs() < 1e-6);
    /// assert_eq!(Dice.loss(&empty, &empty).item(), 0.0);
    /// ```
    ///
    /// # Panics
    /// If it is not positive and finite, as a number of `f32`.
    #[track_caller]
    pub fn smoothing(mut self, smoothing: f64) -> Dice {
        let fits = smoothing as f32 > 0.0 && (smoothing as f32).is_finite();
        assert!(fits, "Dice: smoothing {smoothing} must be positive and finite, for example 1e-5");
        self.smoothing = smoothing;
        self
    }

    /// Computes the loss of each class (axis 1) by itself and takes the mean, also where targets have the predictions' shape; it
    /// does so for labels anyway. Default: one loss for all outputs of a sample.
    pub fn per_class(mut self) -> Dice {
        self.per_class = true;
        self
    }

    /// Takes logits instead of probabilities: applies a softmax over the classes (axis 1) where targets are labels, else a sigmoid.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (logits, mask) = (Tensor::from([[-50.0, 50.0]]), Tensor::from([[0.0, 1.0]]));
    /// assert_eq!(Dice.from_logits().loss(&logits, &mask).item(), 0.0);
    /// ```
    pub fn from_logits(mut self) -> Dice {
        self.from_logits = true;
        self
    }

    /// Whether labels are of the classes on axis 1.
    fn fits_labels(prediction: &[usize], labels: &[usize]) -> bool {
        prediction.len() >= 2 && prediction[0] == labels.first().copied().unwrap_or(0) && prediction[2..] == labels[1..]
    }
}

/// Labels `[N, ..]` as zeros and ones `[N, classes, ..]`.
fn planes(labels: &Tensor, classes: usize) -> Tensor {
    let mut order: Vec<isize> = (0..labels.rank() as isize).collect();
    order.insert(1, labels.rank() as isize);
    labels.one_hot(classes).permute(&order)
}

impl Loss for Dice {
    fn name(&self) -> &'static str {
        "dice"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let labels = target.dtype() == DType::I64 && Dice::fits_labels(prediction.shape(), target.shape());
        let t = if labels { planes(target, prediction.size(1)) } else { target.clone() };
        assert_same_shape(self.name(), prediction, &t);
        assert!(prediction.rank() >= 1, "Dice: the prediction must have shape [N, ..], not that of a scalar");
        let p = match self.from_logits {
            true if labels => prediction.softmax(1),
            true => prediction.sigmoid(),
            false => prediction.clone(),
        };
        let t = t.to_dtype(p.dtype());
        let per_class = (labels || self.per_class) && p.rank() >= 2;
        // `[N, areas, numbers]`.
        let areas = if per_class { p.size(1) } else { 1 };
        let shape = [p.size(0), areas, p.shape().iter().skip(1).product::<usize>() / areas.max(1)];
        let (p, t) = (p.reshape(shape), t.reshape(shape));
        let common = (&p * &t).sum_axes(&[2]);
        let sizes = if self.squared { p.powi(2) + t.powi(2) } else { p + t };
        let overlap = (common * 2.0 + self.smoothing) / (sizes.sum_axes(&[2]) + self.smoothing);
        (1.0 - overlap).mean_axes(&[1])
    }

    fn decision_threshold(&self) -> f64 {
        if self.from_logits { 0.0 } else { 0.5 }
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        if targets.dtype() != DType::I64 {
            check_like_output(self.name(), output, targets)?;
            return check_probabilities(self.name(), "target", targets, "targets lie between 0 and 1");
        }
        let samples = targets.shape().first().copied().unwrap_or(0);
        let batch: Vec<usize> = [samples].into_iter().chain(output.iter().copied()).collect();
        if !Dice::fits_labels(&batch, targets.shape()) {
            return Err(Error::Data(format!(
                "dice takes labels (i64) of shape [N, ..] for an output [C, ..], or targets of the output's shape; the model's output \
                 has shape {output}, the targets are i64 of shape {}",
                targets.shape()
            )));
        }
        let (classes, labels) = (output[0], targets.to_vec::<i64>());
        match labels.iter().position(|label| !(0..classes as i64).contains(label)) {
            None => Ok(()),
            Some(place) => Err(Error::Data(format!(
                "sample {} has label {}, but the {classes} classes of the model's output stand for labels 0 to {}",
                place / (labels.len() / samples),
                labels[place],
                classes as i64 - 1
            ))),
        }
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        if self.from_logits {
            return Ok(());
        }
        check_probabilities(self.name(), "prediction", prediction, NOT_PROBABILITIES)
    }
}
