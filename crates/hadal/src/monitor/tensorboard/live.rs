//! What the model gives for the validation data at the end of each epoch, and whether there is time to show it.

use std::time::{Duration, Instant};

use crate::Tensor;
use crate::data::{Dataset, Parts};
use crate::monitor::evaluation::{Evaluation, Gathered, Scale};

/// Outputs and targets that take more memory are not kept.
const MOST_BYTES: usize = 64 << 20;

pub(super) struct Live {
    /// The outputs of the epoch.
    gathered: Gathered,
    epoch: usize,
    is_too_large: bool,
    /// Whether `fit` validates on the data that is shown; `None` before that is known.
    is_own: Option<bool>,
    scale: Scale,
    /// The share of the time since training began that evaluations may take.
    share: f64,
    began: Instant,
    spent: Duration,
}

impl Live {
    pub fn new(share: f64) -> Live {
        Live {
            gathered: Gathered::default(),
            epoch: 0,
            is_too_large: false,
            is_own: None,
            scale: Scale::Unknown,
            share,
            began: Instant::now(),
            spent: Duration::ZERO,
        }
    }

    /// Takes in the output above which a single output means class 1.
    pub fn decided_at(&mut self, threshold: f64) {
        self.scale = Scale::of_threshold(threshold);
    }

    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Takes in a batch of the validation data. What was kept of an earlier epoch is let go.
    pub fn add(&mut self, epoch: usize, predictions: &Parts, targets: &Parts) {
        if epoch != self.epoch {
            (self.gathered, self.epoch, self.is_too_large) = (Gathered::default(), epoch, false);
        }
        if self.is_too_large {
            return;
        }
        self.gathered.add(predictions, targets);
        if self.gathered.bytes() > MOST_BYTES {
            (self.gathered, self.is_too_large) = (Gathered::default(), true);
        }
    }

    /// Whether the time that evaluations have taken allows another one; always that of a first.
    pub fn is_due(&self) -> bool {
        self.spent.is_zero() || self.spent.as_secs_f64() <= self.share * self.began.elapsed().as_secs_f64()
    }

    /// Counts the time that an evaluation took.
    pub fn took(&mut self, time: Duration) {
        self.spent += time;
    }

    /// Finds out whether the outputs are those for `data`, which is shown: by the targets and, where `first` is what the model gives for
    /// its first samples, by the outputs. Data may differ in inputs alone.
    pub fn check(&mut self, data: &Dataset, first: impl FnOnce() -> Option<Tensor>) {
        if self.is_own.is_none() && !self.gathered.is_empty() {
            let is_own = self.gathered.is_of(data) && first().is_none_or(|first| self.gathered.begins_with(&first));
            self.is_own = Some(is_own);
        }
    }

    /// The outputs of the last epoch, if they are those for the data that is shown.
    pub fn outputs(&self) -> Option<Gathered> {
        let is_known = self.is_own == Some(true) && !self.gathered.is_empty();
        is_known.then(|| self.gathered.clone().of_scale(self.scale))
    }

    /// The evaluation of the last epoch; `None` if it was not one of the data that is shown, or is not about classes.
    pub fn evaluation(&self) -> Option<Evaluation> {
        self.outputs()?.evaluation()
    }

    pub fn is_too_large(&self) -> bool {
        self.is_too_large
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    fn add(live: &mut Live, epoch: usize, outputs: Tensor, labels: Tensor) {
        live.add(epoch, &outputs.into(), &labels.into());
    }

    #[test]
    fn outputs_are_those_of_the_last_epoch() {
        let data = Dataset::new("d", Tensor::zeros([2, 1]), Tensor::from([0, 1])).unwrap();
        let mut live = Live::new(0.0);
        live.check(&data, || None);
        assert!(live.outputs().is_none());
        add(&mut live, 1, Tensor::from([[0.1]]), Tensor::from([0]));
        add(&mut live, 1, Tensor::from([[0.1]]), Tensor::from([1]));
        assert!(live.outputs().is_none(), "before it is known whose they are");
        live.check(&data, || Some(Tensor::from([[0.1]])));
        assert_eq!(live.evaluation().unwrap().confusion(), [[1, 0], [1, 0]]);
        add(&mut live, 2, Tensor::from([[0.1], [0.9]]), Tensor::from([0, 1]));
        assert_eq!(live.evaluation().unwrap().confusion(), [[1, 0], [0, 1]]);
        live.decided_at(0.0);
        assert_eq!(live.evaluation().unwrap().confusion(), [[0, 1], [0, 1]], "logits");
    }

    #[test]
    fn outputs_for_other_data_are_none() {
        let data = Dataset::new("d", Tensor::zeros([2, 1]), Tensor::from([0, 1])).unwrap();
        for (labels, first) in [([1, 1], 0.1), ([0, 1], 0.2)] {
            let mut live = Live::new(0.0);
            add(&mut live, 1, Tensor::from([[0.1], [0.9]]), Tensor::from(labels));
            live.check(&data, || Some(Tensor::from([[first]])));
            assert!(live.outputs().is_none(), "{labels:?} {first}");
        }
    }

    #[test]
    fn large_outputs_are_not_kept() {
        let mut live = Live::new(0.0);
        let samples = MOST_BYTES / 4 / 64 + 1;
        add(&mut live, 1, Tensor::zeros([samples, 64]), Tensor::arange(samples));
        assert!(live.is_too_large() && live.gathered.bytes() == 0);
        add(&mut live, 1, Tensor::zeros([1, 64]), Tensor::arange(1));
        assert_eq!(live.gathered.bytes(), 0);
        add(&mut live, 2, Tensor::zeros([1, 64]), Tensor::arange(1));
        assert!(!live.is_too_large() && live.gathered.bytes() > 0);
    }

    #[test]
    fn evaluations_take_their_share_of_the_time() {
        let mut live = Live::new(0.01);
        assert!(live.is_due(), "the first");
        live.took(Duration::from_millis(20));
        live.began = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        assert!(!live.is_due());
        live.began = Instant::now().checked_sub(Duration::from_secs(3)).unwrap();
        assert!(live.is_due());
        live.share = f64::INFINITY;
        live.took(Duration::from_secs(1000));
        assert!(live.is_due());
    }
}
