//! Contrastive cross-entropy of views.

use super::Loss;
use super::distance::{assert_embeddings, assert_labelled, check_labelled};
use super::parts::weigh;
use crate::{Result, Shape, Tensor, concat};

/// Normalized, temperature-scaled cross-entropy: `-ln(exp(s_ij / tau) / sum over k != i of exp(s_ik / tau))`, with the cosine
/// similarity `s` of embeddings, where `i` and `j` are two views of one thing and all others of the batch are to be unlike `i`
/// (Chen and others, "A simple framework for contrastive learning", SimCLR, ICML 2020, eq. 1); InfoNCE (van den Oord and others,
/// 2018) over a batch. Default: temperature 0.5, SimCLR's for CIFAR-10.
///
/// [`views`](NtXent::views) takes two views of each. As a [`Loss`], it takes embeddings `[N, D]` and labels (`i64`, `[N]`): samples of
/// one label are views of one thing. Where there are more than two, the loss is the mean over all others of the label (Khosla and
/// others, "Supervised contrastive learning", NeurIPS 2020, eq. 2); a sample alone with its label has loss 0. The loss of a
/// dataset depends on how it is cut into batches.
///
/// ```
/// use hadal::prelude::*;
/// // Two views of two things: each is like its own, and at right angles to the other.
/// let (a, b) = (Tensor::from([[1.0, 0.0], [0.0, 1.0]]), Tensor::from([[2.0, 0.0], [0.0, 3.0]]));
/// let losses = NtXent::default().views(&a, &b).to_vec::<f32>();
/// let expected = -(2f32.exp() / (2f32.exp() + 2.0)).ln();
/// assert!(losses.len() == 4 && losses.iter().all(|loss| (loss - expected).abs() < 1e-5));
/// ```
#[doc(alias = "InfoNCE")]
#[doc(alias = "SimCLR")]
#[doc(alias = "SupConLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NtXent {
    temperature: f64,
}

impl Default for NtXent {
    fn default() -> NtXent {
        NtXent { temperature: 0.5 }
    }
}

/// Embeddings shorter than this are divided by this: PyTorch's `normalize`.
const SHORTEST: f64 = 1e-12;

impl NtXent {
    /// What similarities are divided by: the smaller, the more the most similar of the others count. Default: 0.5.
    ///
    /// # Panics
    /// If it is below 1e-6 or not finite.
    #[track_caller]
    pub fn temperature(mut self, temperature: f64) -> NtXent {
        let fits = temperature >= 1e-6 && temperature.is_finite();
        assert!(fits, "NtXent: temperature {temperature} must be at least 1e-6 and finite, for example 0.5");
        self.temperature = temperature;
        self
    }

    /// The loss `[2 N]` of each of two views `a` and `b`, `[N, D]`, whose rows belong together: first those of `a`.
    ///
    /// # Panics
    /// If they are not of one shape, `[N, D]`.
    #[track_caller]
    pub fn views(&self, a: &Tensor, b: &Tensor) -> Tensor {
        assert_embeddings("NtXent", &[("the first view", a), ("the second", b)]);
        let which = Tensor::arange(a.size(0));
        self.per_sample(&concat(&[a.clone(), b.clone()], 0), &concat(&[which.clone(), which], 0))
    }
}

impl Loss for NtXent {
    fn name(&self) -> &'static str {
        "nt_xent"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let samples = assert_labelled(self.name(), prediction, target).len();
        let dtype = prediction.dtype();
        if samples < 2 {
            // Nothing to be like, or unlike.
            return prediction.sum_axes(&[1]) * 0.0;
        }
        // The root of 0 has no finite derivative: the square is kept away from it.
        let length = prediction.powi(2).sum_keepdim(&[1]).clamp(SHORTEST * SHORTEST, f64::INFINITY).sqrt();
        let unit = prediction / length;
        let similar = unit.matmul(&unit.t()) / self.temperature;
        // A sample is not compared with itself: its place has no part in the sum of exponentials.
        let own = Tensor::eye(samples).ne(0.0);
        let logarithm = own.where_(&Tensor::full_of([], f64::NEG_INFINITY, dtype), &similar).log_softmax(1);
        let same = target.unsqueeze(1).eq(target.unsqueeze(0)).to_dtype(dtype) - own.to_dtype(dtype);
        let views = same.sum_axes(&[1]).clamp(1.0, f64::INFINITY);
        -weigh(&same, &logarithm).sum_axes(&[1]) / views
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_labelled(self.name(), output, targets)
    }
}
