//! A training loss that does not fall as it should.

use serde::{Deserialize, Serialize};

use super::not_finite::short;
use super::{Finding, FindingKind};

/// The samples whose loss counts as that before training.
const FIRST: usize = 32;

/// A loss that is this part of the first one has not fallen.
const NOT_FALLEN: f64 = 0.99;

/// A loss that is this part of the first one has hardly fallen.
const HIGH: f64 = 0.9;

/// Epochs and steps before the loss must have fallen. Deep networks of sigmoids may well need 300 steps to leave a plateau.
const EPOCHS: usize = 3;
const STEPS: usize = 500;

/// Steps before the loss must fall at some pace.
const SLOW_STEPS: usize = 300;

/// A loss of so many times the first one, or the best one, has risen.
const RISEN: f64 = 2.0;
const ABOVE_BEST: f64 = 3.0;

/// The epochs in which a loss must go up and down, or fall too slowly.
const WAVES: usize = 6;

/// Steps before it counts that a loss goes up and down: a few in each epoch are noise.
const WAVES_STEPS: usize = 100;

/// A loss below this part of the first one may well go up and down: training is near its end.
const WAVES_FROM: f64 = 0.25;

/// How much it must change from epoch to epoch when it goes up and down, in parts of it; and how little in 100 steps when it is too
/// slow. Sgd at its default rate, on points of the plane, makes 1%.
const SWING: f64 = 0.2;
const SLOW: f64 = 0.002;

/// The losses so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct LossCurve {
    /// The steps of all calls of `fit`.
    steps: usize,
    /// Whether the model had been trained before: then its first loss says little.
    trained: bool,
    /// The sum over the first samples, and their number.
    first: (f64, usize),
    epochs: Vec<f64>,
    /// One finding about the rate is enough.
    said: bool,
}

impl LossCurve {
    pub fn begin(&mut self, step: usize) {
        (self.steps, self.trained) = (step, step > 0);
    }

    pub fn batch(&mut self, loss: f64, samples: usize) {
        self.steps += 1;
        if self.first.1 < FIRST {
            self.first = (self.first.0 + loss * samples as f64, self.first.1 + samples);
        }
    }

    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The loss before training, if it is one that says something.
    fn first(&self) -> Option<f64> {
        let first = self.first.0 / self.first.1.max(1) as f64;
        (!self.trained && first > 0.0 && first.is_finite()).then_some(first)
    }

    /// Whether the loss of the last epoch has hardly fallen since training began.
    pub fn is_high(&self) -> bool {
        self.first().zip(self.epochs.last()).is_some_and(|(first, last)| *last > HIGH * first)
    }

    /// Whether the last epoch's loss was not below that of the epoch before.
    pub fn has_risen(&self) -> bool {
        matches!(self.epochs.as_slice(), [.., before, last] if last >= before)
    }

    /// The end of an epoch.
    pub fn end(&mut self, loss: f64) {
        if loss.is_finite() {
            self.epochs.push(loss);
        }
    }

    /// Whether something about the rate has been said.
    pub fn has_said(&self) -> bool {
        self.said
    }

    /// Something about the rate has been said elsewhere.
    pub fn say_no_more(&mut self) {
        self.said = true;
    }

    /// What is wrong after an epoch.
    pub fn epoch(&mut self, at: (usize, usize)) -> Option<Finding> {
        let first = self.first().filter(|_| !self.said)?;
        let (kind, text, advice) =
            self.too_high(first).or_else(|| self.too_low(first)).or_else(|| self.not_falling(first))?;
        self.said = true;
        Some(Finding::new(kind, None, at, text, advice))
    }

    fn too_high(&self, first: f64) -> Option<(FindingKind, String, &'static str)> {
        let advice = "a lower learning rate, a tenth of it, or clip_norm";
        let kind = FindingKind::LearningRateTooHigh;
        let [earlier @ .., loss] = self.epochs.as_slice() else { return None };
        let (loss, before) = (*loss, *earlier.last()?);
        let best = earlier.iter().copied().fold(f64::INFINITY, f64::min);
        let diverged = loss > RISEN * first && loss > HIGH * before;
        if diverged || loss > ABOVE_BEST * best && loss > 0.5 * first {
            let than = if diverged { first } else { best };
            let text = format!("the loss has risen from {} to {}", short(than), short(loss));
            return Some((kind, text, advice));
        }
        let last = self.epochs.len().checked_sub(WAVES).map(|start| &self.epochs[start..])?;
        let changes: Vec<f64> = last.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let turns = changes.windows(2).filter(|pair| pair[0] * pair[1] < 0.0).count();
        let mean = last.iter().sum::<f64>() / last.len() as f64;
        let swing = changes.iter().map(|change| change.abs()).sum::<f64>() / changes.len() as f64;
        (turns + 1 >= changes.len() - 1
            && self.steps >= WAVES_STEPS
            && swing > SWING * mean
            && mean > WAVES_FROM * first)
            .then(|| {
                let text =
                    format!("the loss goes up and down by {} around {} from epoch to epoch", short(swing), short(mean));
                (kind, text, advice)
            })
    }

    /// A loss that falls in every epoch, but hardly.
    fn too_low(&self, first: f64) -> Option<(FindingKind, String, &'static str)> {
        let last = self.epochs.len().checked_sub(WAVES).map(|start| &self.epochs[start..])?;
        let steps = self.steps as f64 / self.epochs.len() as f64;
        let falls: Vec<f64> = last.windows(2).map(|pair| (pair[0] - pair[1]) / pair[0] * 100.0 / steps).collect();
        let slow = falls.iter().all(|fall| (1e-9..SLOW).contains(fall));
        (slow && self.steps >= SLOW_STEPS && last[WAVES - 1] > HIGH * first).then(|| {
            let mean = falls.iter().sum::<f64>() / falls.len() as f64;
            let text = format!(
                "the loss falls by only {}% in 100 steps; it is still {} of {} at first",
                short(100.0 * mean),
                short(last[WAVES - 1]),
                short(first)
            );
            (
                FindingKind::LearningRateTooLow,
                text,
                "a higher learning rate, 10 times as high; learning_rate_range_test suggests one",
            )
        })
    }

    fn not_falling(&self, first: f64) -> Option<(FindingKind, String, &'static str)> {
        let best = self.epochs.iter().copied().fold(f64::INFINITY, f64::min);
        let enough = self.epochs.len() >= EPOCHS && self.steps >= STEPS;
        (enough && best > NOT_FALLEN * first).then(|| {
            let epochs = self.epochs.len();
            let text = format!("the loss has not fallen in {epochs} epochs: it was {} at first, and is {} at best", short(first), short(best));
            let advice = "another learning rate (learning_rate_range_test suggests one), standardized inputs, or a look at the targets";
            (FindingKind::LossNotFalling, text, advice)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in epochs of 50 steps, after a first loss.
    fn found(first: f64, epochs: &[f64]) -> Vec<(usize, FindingKind)> {
        let mut curve = LossCurve::default();
        curve.begin(0);
        let mut found = Vec::new();
        for (index, &loss) in epochs.iter().enumerate() {
            (0..50).for_each(|_| curve.batch(first, 32));
            curve.end(loss);
            found.extend(curve.epoch((index + 1, curve.steps())).map(|finding| (index + 1, finding.kind)));
        }
        found
    }

    #[test]
    fn each_course_of_the_loss_is_told_once() {
        use FindingKind::*;
        let slow: Vec<f64> = (1..20).map(|epoch| 2.3 - 1e-4 * f64::from(epoch)).collect();
        let flat: Vec<f64> = (0..20).map(|epoch| 2.3 + 0.001 * f64::from(epoch % 3)).collect();
        assert_eq!(found(2.3, &slow), [(6, LearningRateTooLow)]);
        assert_eq!(found(2.3, &flat), [(10, LossNotFalling)]);
        assert_eq!(found(2.3, &[1.0, 0.8, 0.3, 2.0, 3.0, 9.0]), [(4, LearningRateTooHigh)]);
        assert_eq!(found(2.3, &[4.0, 5.0, 6.0]), [(2, LearningRateTooHigh)]);
        assert_eq!(found(2.3, &[1.0, 2.0, 1.0, 2.0, 1.0, 2.0]), [(6, LearningRateTooHigh)]);
    }

    #[test]
    fn a_loss_that_falls_or_has_fallen_is_left_in_peace() {
        let falls: Vec<f64> = (1..40).map(|epoch| 2.3 / f64::from(epoch)).collect();
        let ends: Vec<f64> = (0..40).map(|epoch| 0.01 + 0.01 * f64::from(epoch % 2)).collect();
        let noisy: Vec<f64> = (0..40).map(|epoch| 1.5 - 0.01 * f64::from(epoch) + 0.1 * f64::from(epoch % 2)).collect();
        for epochs in [&falls, &ends, &noisy, &vec![0.5; 40], &vec![2.2, f64::NAN, f64::INFINITY]] {
            assert!(found(2.3, epochs).is_empty(), "{epochs:?}");
        }
        // A loss that is negative, and one of a model that was trained before, have no first value to compare with.
        assert!(found(-1.0, &[-1.0; 30]).is_empty());
        let mut trained = LossCurve::default();
        trained.begin(7);
        for epoch in 1..30 {
            (0..50).for_each(|_| trained.batch(1.0, 32));
            trained.end(1.0);
            assert!(trained.epoch((epoch, trained.steps())).is_none() && !trained.is_high());
        }
    }
}
