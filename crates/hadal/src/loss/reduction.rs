//! From losses of samples to one number.

use super::Loss;
use crate::{Result, Shape, Tensor};

/// How the losses of a batch become one number. For none at all, call [`per_sample`](Loss::per_sample).
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

    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        self.loss.per_sample(prediction, target)
    }

    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        match self.reduction {
            Reduction::Mean => self.loss.loss(prediction, target),
            Reduction::Sum => self.per_sample(prediction, target).sum(),
        }
    }

    fn weighted(&self, prediction: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
        match self.reduction {
            Reduction::Mean => self.loss.weighted(prediction, target, weights),
            Reduction::Sum => {
                let losses = self.per_sample(prediction, target);
                (&losses * weights.to_dtype(losses.dtype())).sum()
            }
        }
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        self.loss.check(output, targets)
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        self.loss.check_prediction(prediction)
    }
}
