//! The area under the ROC curve.

use super::classes::{Threshold, assert_as_many, check_classes};
use super::{Metric, no_state, numbers};
use crate::{Error, Result, Shape, Tensor};

/// The area under the ROC curve (ROC AUC), computed exactly from the ranks of all scores (Hanley and McNeil, 1982). Predictions
/// are scores `[N, 1]`, or `[N, 2]` of which the second counts; targets are labels 0 and 1, `i64` or numbers. NaN if a score is
/// NaN, which has no rank.
///
/// It sorts all scores, so it is computed at the end of a pass, not batch by batch.
///
/// ```
/// use hadal::metric::RocAuc;
/// use hadal::prelude::*;
/// let mut auc = RocAuc::new();
/// let scores = Tensor::from_slice(&[0.1f32, 0.4, 0.35, 0.8], [4, 1]);
/// auc.update(&scores, &Tensor::from_slice(&[0i64, 0, 1, 1], [4]));
/// assert_eq!(auc.compute(), 0.75);
/// ```
#[doc(alias = "AUC")]
#[doc(alias = "AUROC")]
#[doc(alias = "roc_auc_score")]
#[derive(Clone, Debug, Default)]
pub struct RocAuc {
    /// Scores, and whether they belong to class 1.
    scores: Vec<(f64, bool)>,
}

impl RocAuc {
    /// Without samples.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut auc = RocAuc::new();
    /// auc.update(&Tensor::from([[0.2], [0.9]]), &Tensor::from([0, 1]));
    /// assert_eq!(auc.compute(), 1.0);
    /// ```
    pub fn new() -> RocAuc {
        RocAuc::default()
    }
}

fn is_positive(target: &Tensor) -> Vec<bool> {
    let target = if target.rank() == 2 && target.size(1) == 2 { target.narrow(1, 1, 1) } else { target.clone() };
    numbers(&target).into_iter().map(|label| label > 0.5).collect()
}

impl Metric for RocAuc {
    fn name(&self) -> &'static str {
        "roc_auc"
    }

    fn reset(&mut self) {
        self.scores.clear();
    }

    #[track_caller]
    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        let two = prediction.rank() == 2 && prediction.size(1) == 2;
        let scores = if two { prediction.narrow(1, 1, 1) } else { prediction.clone() };
        let (scores, positive) = (numbers(&scores), is_positive(target));
        let largest = numbers(target).into_iter().fold(0.0, f64::max);
        assert!(largest <= 1.0, "roc_auc takes labels 0 and 1, not {largest}");
        assert_as_many(self.name(), prediction, scores.len(), target, positive.len());
        self.scores.extend(scores.into_iter().zip(positive));
    }

    /// NaN while only one class has been met, or if a score is NaN.
    fn compute(&self) -> f64 {
        if self.scores.iter().any(|(score, _)| score.is_nan()) {
            return f64::NAN;
        }
        let mut sorted = self.scores.clone();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let positives = sorted.iter().filter(|entry| entry.1).count() as f64;
        let negatives = sorted.len() as f64 - positives;
        // The sum of the positives' ranks, equal scores sharing the mean of theirs.
        let mut ranks = 0.0;
        let mut start = 0;
        while start < sorted.len() {
            let end = start + sorted[start..].iter().take_while(|entry| entry.0 == sorted[start].0).count();
            let own = sorted[start..end].iter().filter(|entry| entry.1).count() as f64;
            ranks += own * (start + 1 + end) as f64 / 2.0;
            start = end;
        }
        (ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives)
    }

    fn has_running_value(&self) -> bool {
        false
    }

    fn higher_is_better(&self) -> Option<bool> {
        Some(true)
    }

    /// Score and class of each sample.
    fn state(&self) -> Option<Vec<f64>> {
        Some(self.scores.iter().flat_map(|(score, positive)| [*score, f64::from(u8::from(*positive))]).collect())
    }

    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        if !state.len().is_multiple_of(2) || state.chunks(2).any(|pair| pair[1] != 0.0 && pair[1] != 1.0) {
            return Err(no_state(self.name()));
        }
        self.scores = state.chunks(2).map(|pair| (pair[0], pair[1] == 1.0)).collect();
        Ok(())
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        if !matches!(output.elements(), 1 | 2) || output.rank() > 1 {
            return Err(Error::Config(format!(
                "roc_auc is for two classes, but the model's output has shape {output}"
            )));
        }
        check_classes(self.name(), output, targets, Threshold::fixed(0.0))?;
        let positive = is_positive(targets);
        if positive.iter().all(|&x| x) || !positive.iter().any(|&x| x) {
            return Err(Error::Data("roc_auc needs samples of both classes, but all samples are of one class".into()));
        }
        Ok(())
    }
}
