//! Negative log-likelihood of log-probabilities.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Loss, check_labels, mean_of_rest};
use super::{assert_classes, note_once};
use crate::{DType, Error, Result, Shape, Tensor};

/// Negative log-likelihood, `-y[label]`, PyTorch's `NLLLoss`. Use it after a log-softmax.
///
/// Predictions are log-probabilities `[N, C]`, targets class labels (`i64`, `[N]`).
///
/// ```
/// use hadal::prelude::*;
/// let logits = Tensor::from([[0.0, 0.0]]);
/// let loss = NegativeLogLikelihood.loss(&logits.log_softmax(1), &Tensor::from([1]));
/// assert!((loss.item() - 2f64.ln()).abs() < 1e-6);
/// ```
#[doc(alias = "NLLLoss")]
#[derive(Clone, Copy, Debug, Default)]
pub struct NegativeLogLikelihood;

impl Loss for NegativeLogLikelihood {
    fn name(&self) -> &'static str {
        "negative_log_likelihood"
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        static ONCE: Once = Once::new();
        static LOOKS: AtomicUsize = AtomicUsize::new(0);
        assert_classes(self.name(), prediction, target);
        assert!(
            target.dtype() == DType::I64,
            "{}: the targets must be labels, i64, not {}",
            self.name(),
            target.dtype()
        );
        note_once(&ONCE, || {
            // The first steps show what a network ends in.
            if LOOKS.fetch_add(1, Ordering::Relaxed) >= MOST_LOOKS {
                return None;
            }
            let positive = prediction.elements() > 0 && prediction.detach().max().item() > ROUNDING;
            positive.then(|| not_log_probabilities(self.name(), prediction.detach().max().item(), ADVICE))
        });
        mean_of_rest(-prediction.gather(-1, &target.unsqueeze(-1)).squeeze(-1))
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_labels(self.name(), output, targets)
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        check_log_probabilities(self.name(), prediction, ADVICE)
    }
}

/// How often predictions are looked at, which costs a pass over them.
const MOST_LOOKS: usize = 100;

/// Log-probabilities may be above 0 by so much, by rounding.
const ROUNDING: f64 = 1e-6;

/// Advice for networks whose outputs are no log-probabilities.
const ADVICE: &str = "or use CategoricalCrossentropy.from_logits()";

/// Checks that numbers are log-probabilities; `advice` says what else than a log-softmax would be right.
pub(super) fn check_log_probabilities(name: &str, prediction: &Tensor, advice: &str) -> Result<()> {
    let numbers = prediction.to_dtype(DType::F64).to_vec::<f64>();
    match numbers.iter().find(|p| p.is_nan() || **p > ROUNDING) {
        None => Ok(()),
        Some(&bad) => Err(Error::Data(not_log_probabilities(name, bad, advice))),
    }
}

fn not_log_probabilities(name: &str, value: f64, advice: &str) -> String {
    format!(
        "{name} takes log-probabilities, which are at most 0, but a prediction is {value}; end the network with LogSoftmax, {advice}"
    )
}
