//! From outputs and targets to what the curves of classifiers are made of.

use crate::{DType, Error, Result, Tensor};

pub(super) fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).to_vec::<f64>()
}

/// The scores of a classifier for each class, and the class of each sample.
pub(super) struct Scores {
    /// For two classes, the scores of class 1 alone; otherwise those of each class, first to last.
    pub of_class: Vec<Vec<f64>>,
    pub labels: Vec<usize>,
}

impl Scores {
    /// Checks outputs `[N]`, `[N, 1]` or `[N, classes]`, and targets, which are labels `[N]` or one number for each class.
    ///
    /// # Errors
    /// If they do not fit each other, or a score is not a number.
    pub fn of(what: &str, scores: &Tensor, targets: &Tensor) -> Result<Scores> {
        let classes = match scores.shape()[..] {
            [_] | [_, 1] => 1,
            [_, classes] if classes > 1 => classes,
            _ => {
                return Err(Error::Data(format!(
                    "{what} takes scores of shape [N] or [N, 1] for two classes, or [N, classes], not {}",
                    scores.shape()
                )));
            }
        };
        let all = numbers(scores);
        let samples = all.len() / classes;
        if let Some(place) = all.iter().position(|score| score.is_nan()) {
            return Err(Error::Data(format!("{what}: the score of sample {} is NaN", place / classes)));
        }
        let labels = labels(what, targets, classes.max(2))?;
        if labels.len() != samples || samples == 0 {
            return Err(Error::Data(format!(
                "{what} takes one target for each score, and at least one; there are {samples} scores (shape {}) and {} targets \
                 (shape {})",
                scores.shape(),
                labels.len(),
                targets.shape()
            )));
        }
        let column = |class: usize| all.iter().skip(class).step_by(classes).copied().collect();
        let of_class = if classes > 2 { (0..classes).map(column).collect() } else { vec![column(classes - 1)] };
        Ok(Scores { of_class, labels })
    }

    /// Whether one column of scores tells two classes apart.
    pub fn binary(&self) -> bool {
        self.of_class.len() == 1
    }

    /// Score and truth of every sample, where `class` is what counts as positive.
    pub fn pairs(&self, class: usize) -> Vec<(f64, bool)> {
        self.of_class[class].iter().copied().zip(self.positive(class)).collect()
    }

    /// Those of two classes; `what` is for the message.
    ///
    /// # Errors
    /// If there are more classes.
    pub fn only_pairs(&self, what: &str) -> Result<Vec<(f64, bool)>> {
        if self.binary() {
            return Ok(self.pairs(0));
        }
        Err(Error::Data(format!(
            "{what}: one curve is for two classes, but there are {}; give it one column of scores",
            self.of_class.len()
        )))
    }

    fn positive(&self, class: usize) -> impl Iterator<Item = bool> + '_ {
        let class = if self.binary() { 1 } else { class };
        self.labels.iter().map(move |label| *label == class)
    }
}

/// The labels of targets: `[N]` or `[N, 1]` numbers from 0, -1 and 1 for two classes, or the largest of `[N, classes]`.
pub(super) fn labels(what: &str, targets: &Tensor, classes: usize) -> Result<Vec<usize>> {
    let all = numbers(targets);
    if let Some(bad) = all.iter().position(|target| !target.is_finite()) {
        return Err(Error::Data(format!("{what}: target {bad} is {}", all[bad])));
    }
    if targets.rank() == 2 && targets.size(1) > 1 {
        if targets.size(1) != classes {
            return Err(Error::Data(format!(
                "{what}: there are {classes} classes, but {} targets a sample",
                targets.size(1)
            )));
        }
        return Ok(all.chunks(classes).map(largest).collect());
    }
    if targets.elements() != targets.shape().first().copied().unwrap_or(1) {
        return Err(Error::Data(format!("{what} takes targets of shape [N] or [N, classes], not {}", targets.shape())));
    }
    let signs = classes == 2 && all.contains(&-1.0) && all.iter().all(|target| target.abs() == 1.0);
    let label = |(sample, target): (usize, &f64)| {
        let label = if signs { (target + 1.0) / 2.0 } else { *target };
        if label.fract() == 0.0 && (0.0..classes as f64).contains(&label) {
            return Ok(label as usize);
        }
        Err(Error::Data(format!(
            "{what} takes class labels from 0 to {}, but sample {sample} has target {target}",
            classes - 1
        )))
    };
    all.iter().enumerate().map(label).collect()
}

/// The index of the largest number, the first of several.
pub(super) fn largest(scores: &[f64]) -> usize {
    (1..scores.len()).fold(0, |best, index| if scores[index] > scores[best] { index } else { best })
}

/// Refuses pairs of which all or none are positive.
pub(super) fn check_both(what: &str, pairs: &[(f64, bool)]) -> Result<()> {
    let positives = pairs.iter().filter(|pair| pair.1).count();
    if positives > 0 && positives < pairs.len() {
        return Ok(());
    }
    let kind = if positives == 0 { "negative" } else { "positive" };
    Err(Error::Data(format!("{what} needs positive and negative samples, but all {} samples are {kind}", pairs.len())))
}

/// How many samples at or above each score that occurs, largest first, are negative and positive.
pub(super) fn cumulative(mut pairs: Vec<(f64, bool)>) -> Vec<(f64, f64, f64)> {
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut negatives, mut positives) = (0.0, 0.0);
    let groups = pairs.chunk_by(|a, b| a.0 == b.0).map(|group| {
        let own = group.iter().filter(|pair| pair.1).count() as f64;
        positives += own;
        negatives += group.len() as f64 - own;
        (group[0].0, negatives, positives)
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let message =
            |scores: Tensor, targets: Tensor| Scores::of("roc_curve", &scores, &targets).err().unwrap().to_string();
        let two = || Tensor::from([0, 1]);
        for (scores, targets, words) in [
            (Tensor::from([0.1, f64::NAN as f32]), two(), "sample 1 is NaN"),
            (Tensor::from([0.1, 0.2, 0.3]), two(), "3 scores (shape [3]) and 2 targets"),
            (Tensor::ones([2, 2, 2]), two(), "not [2, 2, 2]"),
            (Tensor::from([0.1, 0.2]), Tensor::from([0, 2]), "sample 1 has target 2"),
            (Tensor::from([0.1, 0.2]), Tensor::from([0.5, 1.0]), "sample 0 has target 0.5"),
            (Tensor::from([0.1, 0.2]), Tensor::from([0.0, f32::INFINITY]), "target 1 is inf"),
            (Tensor::ones([2, 3]), Tensor::ones([2, 4]), "3 classes, but 4 targets"),
            (Tensor::ones([0, 1]), Tensor::zeros([0]), "at least one"),
        ] {
            let message = message(scores, targets);
            assert!(message.contains(words), "{message}");
        }
        assert!(
            check_both("roc_curve", &[(0.1, true)]).unwrap_err().to_string().contains("all 1 samples are positive")
        );
    }

    #[test]
    fn labels_are_taken_in_every_form() {
        for targets in [Tensor::from([1, 0]), Tensor::from([1.0, -1.0]), Tensor::from([[1.0], [0.0]])] {
            assert_eq!(labels("test", &targets, 2).unwrap(), [1, 0]);
        }
        assert_eq!(labels("test", &Tensor::from([[0.0, 1.0], [1.0, 0.0]]), 2).unwrap(), [1, 0]);
        let two = Scores::of("test", &Tensor::from([[0.9, 0.1], [0.2, 0.8]]), &Tensor::from([0, 1])).unwrap();
        assert_eq!(two.of_class.len(), 1);
        assert_eq!(two.pairs(0).iter().map(|pair| pair.1).collect::<Vec<_>>(), [false, true]);
    }
}
