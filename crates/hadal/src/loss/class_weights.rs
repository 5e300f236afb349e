//! Weights for classes.

use super::{Loss, LossParts, Weights};
use crate::{DType, Error, Result, Shape, Tensor};

/// The weights that make every class count the same in sum: `n / (classes * count)`, scikit-learn's `"balanced"`, for
/// [`Loss::class_weights`]. `targets` are labels, `i64` of shape `[N]`, from 0 to `classes - 1`.
///
/// ```
/// use hadal::loss::balanced_class_weights;
/// use hadal::prelude::*;
/// let labels = Tensor::from([0, 0, 0, 1]);
/// let weights = balanced_class_weights(&labels, 2)?;
/// assert_eq!(weights, [4.0 / 6.0, 2.0]);
/// let loss = BinaryCrossentropy.class_weights(&weights);
/// # let _ = loss;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the targets are no labels, a label is not below `classes`, or a class has no samples, as in scikit-learn: no weight makes up
/// for that.
#[doc(alias = "compute_class_weight")]
pub fn balanced_class_weights(targets: &Tensor, classes: usize) -> Result<Vec<f64>> {
    if targets.dtype() != DType::I64 || targets.rank() != 1 {
        return Err(Error::Data(format!(
            "balanced class weights need class labels, i64 of shape [N], not targets that are {} of shape {}",
            targets.dtype(),
            targets.shape()
        )));
    }
    let mut counts = vec![0usize; classes];
    let labels = targets.to_vec::<i64>();
    for (sample, label) in labels.iter().enumerate() {
        match usize::try_from(*label).ok().and_then(|label| counts.get_mut(label)) {
            Some(count) => *count += 1,
            None => {
                return Err(Error::Data(format!(
                    "balanced class weights: sample {sample} has label {label}, but the labels of {classes} classes are below \
                     {classes}, from 0 on"
                )));
            }
        }
    }
    if let Some(class) = counts.iter().position(|&count| count == 0) {
        return Err(Error::Data(format!(
            "balanced class weights: class {class} of {classes} has no samples, so that its weight would be infinite"
        )));
    }
    Ok(counts.iter().map(|&count| labels.len() as f64 / (classes as f64 * count as f64)).collect())
}

/// A loss with class weights: what [`Loss::class_weights`] returns. As in PyTorch the mean is `sum of w l / sum of w` over the
/// batch; Keras divides by the number of samples, as [`Dataset::sample_weights`](crate::data::Dataset::sample_weights) does.
/// Both together, and with a [reduction](Loss::reduction), are as in [`Loss::parts`], in whatever order they are set.
///
/// ```
/// use hadal::prelude::*;
/// let p = Tensor::from_slice(&[0.5f32, 0.5, 0.1, 0.9], [2, 2]);
/// let labels = Tensor::from_slice(&[0i64, 1], [2]);
/// let loss = CategoricalCrossentropy.class_weights(&[3.0, 1.0]).loss(&p, &labels);
/// assert!((loss.item() - (3.0 * 0.693147 + 0.105361) / 4.0).abs() < 1e-5);
/// ```
#[derive(Clone, Debug)]
pub struct ClassWeighted<L> {
    loss: L,
    weights: Tensor,
}

impl<L> ClassWeighted<L> {
    #[track_caller]
    pub(super) fn new(loss: L, weights: &[f64]) -> ClassWeighted<L> {
        // Losses are computed in f32, as a rule: what is finite and positive must be so there.
        let narrow = weights.iter().map(|&weight| weight as f32);
        let fit = narrow.clone().all(|w| w == 0.0 || (1e-30..=1e30).contains(&w)) && narrow.clone().any(|w| w > 0.0);
        assert!(
            fit,
            "class_weights: each weight must be 0 or between 1e-30 and 1e30, and at least one must be positive; got {weights:?}"
        );
        ClassWeighted { loss, weights: Tensor::from_slice(weights, [weights.len()]) }
    }

    /// These weights, times those that are given.
    fn with(&self, outer: Option<&Tensor>) -> Tensor {
        match outer {
            Some(outer) => &self.weights * outer.to_dtype(DType::F64),
            None => self.weights.clone(),
        }
    }
}

impl<L: Loss> Loss for ClassWeighted<L> {
    fn name(&self) -> &'static str {
        self.loss.name()
    }

    fn describe(&self) -> String {
        format!("{} with class weights {:?}", self.loss.describe(), self.weights.to_vec::<f64>())
    }

    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        self.loss.class_weighted(prediction, target, &self.weights)
    }

    fn class_weighted(&self, prediction: &Tensor, target: &Tensor, weights: &Tensor) -> Tensor {
        self.loss.class_weighted(prediction, target, &self.with(Some(weights)))
    }

    fn parts(&self, prediction: &Tensor, target: &Tensor, weights: Weights) -> LossParts {
        let classes = self.with(weights.classes);
        self.loss.parts(prediction, target, Weights { classes: Some(&classes), ..weights })
    }

    fn decision_threshold(&self) -> f64 {
        self.loss.decision_threshold()
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        self.loss.check(output, targets)?;
        let weights = self.weights.elements();
        if targets.dtype() != DType::I64 {
            return Err(Error::Data(format!(
                "class weights need class labels, i64, not targets of {}",
                targets.dtype()
            )));
        }
        let classes = output.elements().max(2);
        if weights != classes {
            return Err(Error::Config(format!(
                "class_weights needs one weight for each of the model's {classes} classes, but has {weights}"
            )));
        }
        let labels = targets.to_vec::<i64>();
        match labels.iter().position(|&label| label >= weights as i64) {
            None => Ok(()),
            Some(sample) => Err(Error::Data(format!(
                "sample {sample} has label {}, but the {weights} class weights are of labels 0 to {}",
                labels[sample],
                weights - 1
            ))),
        }
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        self.loss.check_prediction(prediction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_cannot_be_balanced_are_named() {
        let says = |targets: Tensor, classes: usize, words: &[&str]| {
            let message = balanced_class_weights(&targets, classes).unwrap_err().to_string();
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        };
        says(Tensor::from([0, 2, 0]), 3, &["class 1 of 3 has no samples"]);
        says(Tensor::from([0, 1, 2]), 2, &["sample 2 has label 2", "below 2"]);
        says(Tensor::from([0, -1]), 2, &["sample 1 has label -1"]);
        says(Tensor::from([0.0, 1.0]), 2, &["need class labels", "f32 of shape [2]"]);
        says(Tensor::from([[0], [1]]), 2, &["need class labels", "i64 of shape [2, 1]"]);
        says(Tensor::zeros([0]).to_dtype(DType::I64), 1, &["class 0 of 1 has no samples"]);
    }

    #[test]
    fn every_class_counts_the_same_in_sum() {
        let labels = [0, 0, 0, 1, 2, 2, 0, 0];
        let weights = balanced_class_weights(&Tensor::from(labels), 3).unwrap();
        let sum = |class: i64| labels.iter().filter(|label| **label == class).count() as f64 * weights[class as usize];
        assert!([sum(0), sum(1), sum(2)].iter().all(|sum| (sum - 8.0 / 3.0).abs() < 1e-12));
    }
}
