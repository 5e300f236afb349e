//! From losses of samples to one number.

use super::{Loss, LossParts, Weights};
use crate::{Result, Shape, Tensor};

/// How the losses of a batch become one number, and those of a dataset: its mean or its sum over all samples. For none at all,
/// call [`per_sample`](Loss::per_sample).
///
/// ```
/// use hadal::loss::Reduction;
/// use hadal::prelude::*;
/// let (y, t) = (Tensor::from([[1.0], [3.0]]), Tensor::zeros([2, 1]));
/// assert_eq!(MeanSquaredError.loss(&y, &t).item(), 5.0);
/// assert_eq!(MeanSquaredError.reduction(Reduction::Sum).loss(&y, &t).item(), 10.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

/// A loss with another reduction: what [`Loss::reduction`] makes.
///
/// ```
/// use hadal::loss::Reduction;
/// use hadal::prelude::*;
/// let (y, t) = (Tensor::full([4, 1], 2.0), Tensor::zeros([4, 1]));
/// assert_eq!(MeanSquaredError.reduction(Reduction::Sum).loss(&y, &t).item(), 16.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Reduced<L> {
    loss: L,
    reduction: Reduction,
}

impl<L> Reduced<L> {
    pub(super) fn new(loss: L, reduction: Reduction) -> Reduced<L> {
        Reduced { loss, reduction }
    }
}

impl<L: Loss> Loss for Reduced<L> {
    fn name(&self) -> &'static str {
        self.loss.name()
    }

    fn describe(&self) -> String {
        format!("{} with reduction {:?}", self.loss.describe(), self.reduction)
    }

    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        self.loss.per_sample(prediction, target)
    }

    fn class_weighted(&self, prediction: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
        self.loss.class_weighted(prediction, target, weights)
    }

    fn parts(&self, prediction: &Tensor, target: &Tensor, weights: Weights) -> LossParts {
        LossParts { reduction: self.reduction, ..self.loss.parts(prediction, target, weights) }
    }

    fn decision_threshold(&self) -> f64 {
        self.loss.decision_threshold()
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        self.loss.check(output, targets)
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        self.loss.check_prediction(prediction)
    }
}
