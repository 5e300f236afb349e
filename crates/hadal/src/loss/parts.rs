//! How the losses of samples become one number, over any number of batches.

use super::Reduction;
use crate::Tensor;

/// Sample weights and class weights of a loss. Default: all weights are 1.
///
/// ```
/// use hadal::loss::Weights;
/// use hadal::prelude::*;
/// let (y, t) = (Tensor::from([[1.0], [3.0]]), Tensor::zeros([2, 1]));
/// let samples = Tensor::from([1.0, 0.0]);
/// let parts = MeanSquaredError.parts(&y, &t, Weights { samples: Some(&samples), classes: None });
/// assert_eq!(parts.value().item(), 0.5); // the second sample does not count
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Weights<'a> {
    /// One weight for each sample of the batch, `[N]`.
    pub samples: Option<&'a Tensor>,
    /// One weight for each class, `[C]`; targets must then be labels.
    pub classes: Option<&'a Tensor>,
}

/// The loss of a batch, before it is divided: sums and divisors of batches add up to those of all their samples, so that the
/// loss of a dataset does not depend on how it is cut into batches.
///
/// ```
/// use hadal::loss::Weights;
/// use hadal::prelude::*;
/// let (y, t) = (Tensor::from_slice(&[1.0f32, 3.0], [2, 1]), Tensor::zeros([2, 1]));
/// let parts = MeanSquaredError.parts(&y, &t, Weights::default());
/// assert_eq!((parts.sum.item(), parts.divisor.item(), parts.value().item()), (10.0, 2.0, 5.0));
/// ```
#[derive(Clone, Debug)]
pub struct LossParts {
    /// The sum of the samples' losses, each times the weights of its sample and its class: a scalar.
    pub sum: Tensor,
    /// What the sum is divided by under [`Reduction::Mean`]: the sum of the weights of the samples' classes, or the number of
    /// samples if classes have no weights. A scalar without gradient, of the sum's dtype.
    pub divisor: Tensor,
    /// Whether the sum is divided at all.
    pub reduction: Reduction,
}

impl LossParts {
    /// The loss of this batch: the sum, divided if the reduction is a mean. 0, with gradients of 0, if the divisor is 0, which
    /// is where no sample counts: all are of classes whose weight is 0, or there are none.
    ///
    /// ```
    /// use hadal::loss::{LossParts, Reduction};
    /// use hadal::Tensor;
    /// let mut parts =
    ///     LossParts { sum: Tensor::full([], 10.0), divisor: Tensor::full([], 4.0), reduction: Reduction::Mean };
    /// assert_eq!(parts.value().item(), 2.5);
    /// parts.reduction = Reduction::Sum;
    /// assert_eq!(parts.value().item(), 10.0);
    /// ```
    pub fn value(&self) -> Tensor {
        match self.reduction {
            Reduction::Sum => self.sum.clone(),
            Reduction::Mean => {
                let divisor = &self.divisor;
                &self.sum / divisor.eq(0.0).where_(&divisor.ones_like(), divisor)
            }
        }
    }
}

/// What is wrong with the losses of a batch, unless there is one for each sample.
pub(crate) fn check_per_sample(name: &str, losses: &Tensor, prediction: &Tensor) -> Result<(), String> {
    match prediction.shape().first() {
        Some(&samples) if losses.shape()[..] != [samples] => Err(format!(
            "per_sample of the loss `{name}` returned shape {} for a batch of {samples}; it must return one value per sample, [{samples}]",
            losses.shape()
        )),
        _ => Ok(()),
    }
}

/// `weight * value`, and 0 where the weight is 0, even if the value is infinite there.
pub(super) fn weigh(weight: &Tensor, value: &Tensor) -> Tensor {
    let product = weight * value;
    weight.detach().eq(0.0).where_(&Tensor::full_of([], 0.0, product.dtype()), &product)
}
