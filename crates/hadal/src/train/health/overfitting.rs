//! A validation loss that rises while the training loss falls.

use serde::{Deserialize, Serialize};

use super::not_finite::short;
use super::{Finding, FindingKind};
use crate::train::Logs;

/// The epochs and steps since the best one.
const PATIENCE: usize = 5;
const STEPS: usize = 100;

/// What each of the last validation losses must be of the best, and how much it must have risen in parts of the first one:
/// noise from epoch to epoch is some percent, and of a small loss more.
const RISEN: f64 = 1.1;
const OF_FIRST: f64 = 0.2;
const LAST: usize = 3;

/// The losses so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Overfitting {
    /// Epoch and step, validation loss and training loss of the epoch with the best validation loss.
    best: Option<((usize, usize), f64, f64)>,
    last: Vec<f64>,
    /// The first validation loss.
    first: Option<f64>,
}

impl Overfitting {
    pub fn epoch(&mut self, at: (usize, usize), logs: &Logs) -> Option<Finding> {
        let (loss, validation) = (logs.get("loss")?, logs.get("val_loss").filter(|loss| loss.is_finite())?);
        let first = *self.first.get_or_insert(validation);
        self.last.push(validation);
        if self.last.len() > LAST {
            self.last.remove(0);
        }
        let ((epoch, step), best, loss_then) = match self.best {
            Some(best) if best.1 < validation => best,
            _ => {
                self.best = Some((at, validation, loss));
                return None;
            }
        };
        let least = self.last.iter().copied().fold(f64::INFINITY, f64::min);
        let long = at.0 >= epoch + PATIENCE && at.1 >= step + STEPS;
        let rises = best > 0.0 && least > RISEN * best && least - best > OF_FIRST * first;
        (long && rises && loss < loss_then).then(|| {
            let text = format!(
                "the validation loss was best in epoch {epoch} ({}) and is {} now, while the training loss fell from {} to {}: the model \
                 overfits",
                short(best),
                short(validation),
                short(loss_then),
                short(loss)
            );
            let advice = "EarlyStopping with restore_best_weights, Dropout, weight decay, a smaller network or more data";
            Finding::new(FindingKind::Overfitting, None, at, text, advice)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The epochs after which something is found, with 50 steps in each.
    fn found(losses: impl Iterator<Item = (f64, f64)>) -> Vec<usize> {
        let mut overfitting = Overfitting::default();
        let mut found = Vec::new();
        for (index, (loss, validation)) in losses.enumerate() {
            let mut logs = Logs::default();
            logs.push("loss", loss, String::new());
            logs.push("val_loss", validation, String::new());
            found.extend(overfitting.epoch((index + 1, 50 * (index + 1)), &logs).map(|_| index + 1));
        }
        found
    }

    #[test]
    fn a_rise_counts_while_the_training_loss_falls() {
        let falls = |epoch: u32| 1.0 / f64::from(epoch + 1);
        let rises = |epoch: u32| if epoch < 5 { 1.0 - 0.1 * f64::from(epoch) } else { 0.1 + 0.1 * f64::from(epoch) };
        assert_eq!(found((0..30).map(|epoch| (falls(epoch), rises(epoch)))).first(), Some(&11));
        assert!(found((0..30).map(|epoch| (1.0, rises(epoch)))).is_empty(), "the training loss does not fall");
        let noise = |epoch: u32| 0.5 + 0.2 * f64::from(epoch % 2);
        assert!(found((0..30).map(|epoch| (falls(epoch), noise(epoch)))).is_empty(), "the best comes again");
        assert!(found((0..30).map(|epoch| (falls(epoch), f64::NAN))).is_empty());
    }
}
