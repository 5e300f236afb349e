//! What the model gives for the validation data at the end of each epoch, and whether there is time to show it.

use std::time::{Duration, Instant};

use crate::data::{Dataset, Parts};
use crate::monitor::evaluation::{Evaluation, Gathered, Scale};

/// Outputs and targets that take more memory are not kept.
const MOST_BYTES: usize = 64 << 20;

pub(super) struct Live {
    /// The outputs of the epoch.
    gathered: Gathered,
    epoch: usize,
    is_too_large: bool,
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

    /// The outputs of the last epoch, if they are all those for `data`.
    pub fn outputs(&self, data: &Dataset) -> Option<Gathered> {
        self.gathered.is_of(data).then(|| self.gathered.clone())
    }

    /// The evaluation of the last epoch; `None` if it was not one of `data`, or is not about classes.
    pub fn evaluation(&self, data: &Dataset) -> Option<Evaluation> {
        self.outputs(data)?.scaled(self.scale)
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
        add(&mut live, 1, Tensor::from([[0.1]]), Tensor::from([0]));
        assert!(live.evaluation(&data).is_none(), "one sample of two");
        add(&mut live, 1, Tensor::from([[0.1]]), Tensor::from([1]));
        assert_eq!(live.evaluation(&data).unwrap().confusion(), [[1, 0], [1, 0]]);
        add(&mut live, 2, Tensor::from([[0.1], [0.9]]), Tensor::from([0, 1]));
        assert_eq!(live.evaluation(&data).unwrap().confusion(), [[1, 0], [0, 1]]);
        live.decided_at(0.0);
        assert_eq!(live.evaluation(&data).unwrap().confusion(), [[0, 1], [0, 1]], "logits");
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
