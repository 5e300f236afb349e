//! Contrastive loss of pairs.

use super::Loss;
use super::distance::{assert_embeddings, assert_labelled, check_labelled, distance, distances_from};
use super::parts::weigh;
use super::triplet::checked_margin;
use crate::{Result, Shape, Tensor, stack};

/// Contrastive loss of pairs, `d^2 / 2` for two that belong together and `max(0, margin - d)^2 / 2` for two that do not, with the
/// Euclidean distance `d` (Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping", CVPR 2006,
/// eq. 4, where 0 means that they belong together). Default: margin 1.
///
/// [`pairs`](Contrastive::pairs) takes pairs. As a [`Loss`], it takes embeddings `[N, D]` and labels (`i64`, `[N]`): a sample's loss is
/// the mean over its pairs with all others of its batch, so that the loss of a dataset depends on how it is cut into batches.
///
/// ```
/// use hadal::prelude::*;
/// let (a, b) = (Tensor::from([[0.0], [0.0], [0.0]]), Tensor::from([[0.5], [0.5], [2.0]]));
/// let losses = Contrastive::default().pairs(&a, &b, &Tensor::from([1, 0, 0])).to_vec::<f32>();
/// assert!((losses[0] - 0.125).abs() < 1e-5 && (losses[1] - 0.125).abs() < 1e-5 && losses[2] == 0.0);
/// ```
#[doc(alias = "ContrastiveLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrastive {
    margin: f64,
}

impl Default for Contrastive {
    fn default() -> Contrastive {
        Contrastive { margin: 1.0 }
    }
}

impl Contrastive {
    /// The distance from which on two that do not belong together cost nothing. Default: 1.
    ///
    /// # Panics
    /// If it is not positive and finite.
    #[track_caller]
    pub fn margin(mut self, margin: f64) -> Contrastive {
        self.margin = checked_margin("Contrastive", margin);
        self
    }

    /// The loss `[N]` of each pair of rows of `a` and `b`, `[N, D]`; `same`, `[N]`, is 1 where they belong together, else 0.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn pairs(&self, a: &Tensor, b: &Tensor, same: &Tensor) -> Tensor {
        assert_embeddings("Contrastive", &[("the first", a), ("the second", b)]);
        assert!(
            same.shape()[..] == a.shape()[..1],
            "Contrastive: `same` has shape {}, but there are {} pairs; it must have one number for each",
            same.shape(),
            a.size(0)
        );
        self.of(&distance(a, b, 2.0), &same.to_dtype(a.dtype()))
    }

    /// The loss of each distance.
    fn of(&self, distance: &Tensor, same: &Tensor) -> Tensor {
        let apart = (self.margin - distance).relu();
        (weigh(same, &distance.powi(2)) + weigh(&(1.0 - same), &apart.powi(2))) * 0.5
    }
}

impl Loss for Contrastive {
    fn name(&self) -> &'static str {
        "contrastive"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let labels = assert_labelled(self.name(), prediction, target);
        let mut losses = Vec::with_capacity(labels.len());
        for (row, label) in labels.iter().enumerate() {
            let same = target.eq(*label).to_dtype(prediction.dtype());
            let all = self.of(&distances_from(row, prediction, 2.0), &same);
            // All but the pair of the sample with itself.
            let others = Tensor::arange(labels.len()).ne(row as i64).to_dtype(prediction.dtype());
            losses.push(weigh(&others, &all).sum() / labels.len().saturating_sub(1).max(1) as f64);
        }
        if losses.is_empty() {
            return prediction.sum_axes(&[1]);
        }
        stack(&losses, 0)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_labelled(self.name(), output, targets)
    }
}
