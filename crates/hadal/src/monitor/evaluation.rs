//! What a network gives for validation data, and what it should have given: what its watchers show of it.

use crate::data::Parts;
use crate::finite::first_not_finite;
use crate::{DType, Tensor, concat};

/// Probabilities and truth of samples, a row each, a column per class; a single column is class 1 of two.
pub(crate) struct Evaluation {
    pub probabilities: Tensor,
    pub truth: Tensor,
}

impl Evaluation {
    fn new(outputs: &Tensor, targets: &Tensor, scale: Scale) -> Option<Evaluation> {
        let outputs = match outputs.rank() {
            1 => outputs.unsqueeze(1),
            2 => outputs.clone(),
            _ => return None,
        };
        if outputs.elements() == 0 || targets.size(0) != outputs.size(0) {
            return None;
        }
        let truth = truth(targets, outputs.size(1))?;
        if first_not_finite(&outputs).is_some() {
            return None;
        }
        Some(Evaluation { probabilities: probabilities(&outputs, &truth, scale), truth })
    }

    pub fn samples(&self) -> usize {
        self.truth.size(0)
    }

    /// Whether both say the same of the same samples.
    #[cfg(feature = "tensorboard")]
    pub fn is_same(&self, other: &Evaluation) -> bool {
        let numbers = |own: &Evaluation| own.probabilities.to_dtype(DType::F64).to_vec::<f64>();
        self.probabilities.shape() == other.probabilities.shape() && numbers(self) == numbers(other)
    }

    /// At least two.
    pub fn classes(&self) -> usize {
        self.truth.size(1).max(2)
    }

    /// The class of each sample, the predicted one, and the probability that its own class was given. A sample of several classes,
    /// or of none, has no class of its own.
    pub fn verdicts(&self) -> Vec<Option<Verdict>> {
        let rows = |tensor: &Tensor| tensor.to_dtype(DType::F64).to_vec::<f64>();
        let columns = self.truth.size(1);
        let (probabilities, truth) = (rows(&self.probabilities), rows(&self.truth));
        let verdict = |(sample, (own, truth)): (usize, (&[f64], &[f64]))| {
            let (class, predicted) = if columns == 1 {
                (usize::from(truth[0] == 1.0), usize::from(own[0] > 0.5))
            } else {
                let mut classes = (0..columns).filter(|class| truth[*class] == 1.0);
                let (Some(class), None) = (classes.next(), classes.next()) else { return None };
                let largest = (0..columns).max_by(|a, b| own[*a].total_cmp(&own[*b]).then(b.cmp(a))).unwrap_or(0);
                (class, largest)
            };
            let of = |class: usize| match (columns, class) {
                (1, 0) => 1.0 - own[0],
                (1, _) => own[0],
                _ => own[class],
            };
            Some(Verdict { sample, class, predicted, probability: of(class), confidence: of(predicted) })
        };
        probabilities.chunks(columns).zip(truth.chunks(columns)).enumerate().map(verdict).collect()
    }

    /// Those samples that are taken for another class, the worst first, at most `most`.
    pub fn mistakes(&self, most: usize) -> Vec<Verdict> {
        let mut mistakes: Vec<Verdict> = self.verdicts().into_iter().flatten().filter(Verdict::is_mistake).collect();
        mistakes.sort_by(|a, b| a.probability.total_cmp(&b.probability));
        mistakes.truncate(most);
        mistakes
    }

    /// How many samples of a class, a row each, were taken for each class.
    pub fn confusion(&self) -> Vec<Vec<u64>> {
        let mut counts = vec![vec![0; self.classes()]; self.classes()];
        self.verdicts().into_iter().flatten().for_each(|own| counts[own.class][own.predicted] += 1);
        counts
    }
}

/// What became of a sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub sample: usize,
    pub class: usize,
    pub predicted: usize,
    /// Of its own class.
    pub probability: f64,
    /// The probability of the predicted class.
    pub confidence: f64,
}

impl Verdict {
    pub fn is_mistake(&self) -> bool {
        self.class != self.predicted
    }
}

/// What the outputs of a network are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Scale {
    /// Probabilities if they can be, else logits.
    #[default]
    Unknown,
    Logits,
    /// Those beyond 0 to 1 are cut off.
    Probabilities,
}

impl Scale {
    /// By the output above which a single output means class 1.
    pub fn of_threshold(threshold: f64) -> Scale {
        if threshold == 0.0 { Scale::Logits } else { Scale::Probabilities }
    }
}

/// The batches of an evaluation. Cloning is cheap.
#[derive(Clone, Default)]
pub(crate) struct Gathered {
    outputs: Vec<Tensor>,
    targets: Vec<Tensor>,
    bytes: usize,
    scale: Scale,
}

impl Gathered {
    /// Takes in what an [`Event::ValidationBatch`](crate::train::Event::ValidationBatch) holds; nothing of models with several outputs.
    pub fn add(&mut self, predictions: &Parts, targets: &Parts) {
        if let (Some(outputs), Some(targets)) = (predictions.only(), targets.only()) {
            self.bytes += [outputs, targets].map(|own| own.elements() * own.dtype().size()).iter().sum::<usize>();
            self.outputs.push(outputs.detach());
            self.targets.push(targets.clone());
        }
    }

    /// Where it is known what the outputs are.
    pub fn of_scale(self, scale: Scale) -> Gathered {
        Gathered { scale, ..self }
    }

    /// Of all batches; `None` where there were none, outputs and targets are not about classes, or an output is not finite.
    pub fn evaluation(self) -> Option<Evaluation> {
        if self.outputs.is_empty() || self.outputs[0].rank() == 0 {
            return None;
        }
        Evaluation::new(&concat(&self.outputs, 0), &concat(&self.targets, 0), self.scale)
    }
}

/// For those who watch a run while it goes on.
#[cfg(feature = "tensorboard")]
impl Gathered {
    /// How much memory they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether these are the samples of `data`, in order, as far as their targets tell.
    pub fn is_of(&self, data: &crate::data::Dataset) -> bool {
        let Some(targets) = data.target_parts().only() else { return false };
        let samples: usize = self.targets.iter().map(|own| own.size(0)).sum();
        if samples == 0 || samples != targets.size(0) || self.targets[0].dtype() != targets.dtype() {
            return false;
        }
        let own = concat(&self.targets, 0);
        let numbers = |tensor: &Tensor| tensor.detach().to_dtype(DType::F64).to_vec::<f64>();
        own.shape() == targets.shape() && numbers(&own) == numbers(targets)
    }

    /// Whether the outputs begin with `first`, but for rounding.
    pub fn begins_with(&self, first: &Tensor) -> bool {
        let own = concat(&self.outputs, 0);
        if own.shape()[1..] != first.shape()[1..] || own.size(0) < first.size(0) {
            return false;
        }
        let numbers = |tensor: &Tensor| tensor.detach().to_dtype(DType::F64).to_vec::<f64>();
        let own = numbers(&own.narrow(0, 0, first.size(0)));
        own.iter().zip(numbers(first)).all(|(own, first)| (own - first).abs() <= 1e-4 * (1.0 + first.abs()))
    }

    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    pub fn is_finite(&self) -> bool {
        self.outputs.iter().all(|outputs| first_not_finite(outputs).is_none())
    }
}

/// The name of a class, or its number.
pub(crate) fn class_name(names: &[String], class: usize) -> String {
    names.get(class).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| class.to_string())
}

/// 1 where a sample is of a class, and 0 elsewhere: `[samples, classes]`. `None` if targets are not classes.
fn truth(targets: &Tensor, classes: usize) -> Option<Tensor> {
    let samples = targets.size(0);
    let per_sample = targets.elements() / samples;
    if targets.dtype() == DType::I64 {
        if per_sample != 1 {
            return None;
        }
        let labels = targets.to_vec::<i64>();
        let columns = classes.max(2);
        let mut truth = vec![0.0f32; samples * columns];
        for (sample, label) in labels.into_iter().enumerate() {
            truth[sample * columns + usize::try_from(label).ok().filter(|label| *label < columns)?] = 1.0;
        }
        let truth = Tensor::from_vec(truth, [samples, columns]);
        return Some(if classes == 1 { truth.narrow(1, 1, 1) } else { truth });
    }
    if per_sample != classes {
        return None;
    }
    let mut values = targets.detach().to_dtype(DType::F32).to_vec::<f32>();
    if classes == 1 && values.iter().all(|value| value.abs() == 1.0) {
        // -1 and 1, as a hinge loss has them.
        values.iter_mut().for_each(|value| *value = value.max(0.0));
    }
    let are_classes = values.iter().all(|value| [0.0, 1.0].contains(value));
    are_classes.then(|| Tensor::from_vec(values, [samples, classes]))
}

/// The outputs as probabilities: as they are, if they can be; else sigmoid, if there is one output or samples have several classes;
/// else softmax. Where each output stands for itself, as in these, `scale` says whether they are probabilities.
fn probabilities(outputs: &Tensor, truth: &Tensor, scale: Scale) -> Tensor {
    let outputs = outputs.detach().to_dtype(DType::F64);
    let one_class = truth.to_dtype(DType::F64).sum_keepdim(&[1]).ne(1.0).to_dtype(DType::F64).sum().item() == 0.0;
    let several = outputs.size(1) > 1 && one_class;
    let in_range = outputs.min().item() >= 0.0 && outputs.max().item() <= 1.0;
    let sums_to_1 = || (outputs.sum_keepdim(&[1]) - 1.0).abs().max().item() < 1e-3;
    match several {
        true if scale != Scale::Logits && in_range && sums_to_1() => outputs,
        true => outputs.softmax(1),
        false => match scale {
            Scale::Logits => outputs.sigmoid(),
            Scale::Probabilities => outputs.clamp(0.0, 1.0),
            Scale::Unknown if in_range => outputs,
            Scale::Unknown => outputs.sigmoid(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    fn truth_of(targets: Tensor, classes: usize) -> Option<Vec<f32>> {
        truth(&targets, classes).map(|truth| truth.to_vec())
    }

    #[test]
    fn targets_are_classes_or_not() {
        assert_eq!(truth_of(Tensor::from([2, 0]), 3), Some(vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0]));
        assert_eq!(truth_of(Tensor::from([1, 0]), 1), Some(vec![1.0, 0.0]));
        assert_eq!(truth_of(Tensor::from([[-1.0], [1.0]]), 1), Some(vec![0.0, 1.0]));
        assert_eq!(truth_of(Tensor::from([[1.0, 1.0], [0.0, 0.0]]), 2), Some(vec![1.0, 1.0, 0.0, 0.0]));
        assert_eq!(truth_of(Tensor::from([[0.3], [1.0]]), 1), None);
        assert_eq!(truth_of(Tensor::from([3, 0]), 3), None);
        assert_eq!(truth_of(Tensor::from([[1.0, 1.0], [0.0, 0.0]]), 3), None);
    }

    #[test]
    fn outputs_become_probabilities() {
        let one_of = Tensor::from([[1.0, 0.0], [0.0, 1.0]]);
        let given = Tensor::from([[0.25, 0.75], [0.5, 0.5]]);
        assert_eq!(probabilities(&given, &one_of, Scale::Unknown).to_vec::<f64>(), [0.25, 0.75, 0.5, 0.5]);
        let logits = Tensor::from([[0.0, 3.0f32.ln()], [0.0, 0.0]]);
        let found = probabilities(&logits, &one_of, Scale::Unknown).to_vec::<f64>();
        assert!(found.iter().zip([0.25, 0.75, 0.5, 0.5]).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        let several_of = Tensor::from([[1.0, 1.0], [0.0, 1.0]]);
        assert_eq!(probabilities(&Tensor::zeros([2, 2]), &several_of, Scale::Unknown).to_vec::<f64>(), [0.0; 4]);
        assert_eq!(
            probabilities(&Tensor::full([1, 1], -0.0), &Tensor::ones([1, 1]), Scale::Unknown).to_vec::<f64>(),
            [0.0]
        );
        let wide = probabilities(&Tensor::from([[-2.0], [2.0]]), &Tensor::from([[0.0], [1.0]]), Scale::Unknown)
            .to_vec::<f64>();
        assert!((wide[0] + wide[1] - 1.0).abs() < 1e-9 && wide[0] < 0.2);
        // Where the loss tells, the numbers do not decide: these logits could be probabilities, and these probabilities cannot.
        let (own, of) = (Tensor::from([[0.25], [0.75]]), Tensor::from([[0.0], [1.0]]));
        assert!(probabilities(&own, &of, Scale::of_threshold(0.0)).to_vec::<f64>().iter().all(|own| *own > 0.5));
        let own = probabilities(&Tensor::from([[-0.25], [1.5]]), &of, Scale::of_threshold(0.5));
        assert_eq!(own.to_vec::<f64>(), [0.0, 1.0]);
    }

    fn evaluation(probabilities: Tensor, classes: usize) -> Evaluation {
        Evaluation { truth: truth(&Tensor::from([0, 1, 0, 1]), classes).unwrap(), probabilities }
    }

    #[test]
    fn mistakes_are_those_samples_that_are_taken_for_another_class_the_worst_first() {
        for evaluation in [
            evaluation(Tensor::from([[0.4, 0.6], [0.3, 0.7], [0.9, 0.1], [0.8, 0.2]]), 2),
            evaluation(Tensor::from([[0.6], [0.7], [0.1], [0.2]]), 1),
        ] {
            let mistakes = evaluation.mistakes(16);
            let found: Vec<_> = mistakes.iter().map(|own| (own.sample, own.class, own.predicted)).collect();
            assert_eq!(found, [(3, 1, 0), (0, 0, 1)]);
            let close = |own: f64, expected: f64| (own - expected).abs() < 1e-6;
            assert!(close(mistakes[0].probability, 0.2) && close(mistakes[0].confidence, 0.8), "{mistakes:?}");
            assert_eq!(evaluation.mistakes(1).len(), 1);
            assert_eq!(evaluation.confusion(), [[1, 1], [1, 1]]);
        }
    }

    #[test]
    fn batches_are_evaluated_together() {
        let mut gathered = Gathered::default();
        for (outputs, label) in [([[0.9f32, 0.1]], 0i64), ([[0.2, 0.8]], 1), ([[0.7, 0.3]], 1)] {
            gathered.add(&Tensor::from(outputs).into(), &Tensor::from([label]).into());
        }
        assert_eq!(gathered.clone().evaluation().unwrap().confusion(), [[1, 0], [1, 1]]);
        assert!(Gathered::default().evaluation().is_none());
        let data = |labels: [i64; 3]| Dataset::new("d", Tensor::zeros([3, 2]), Tensor::from(labels)).unwrap();
        assert!(gathered.is_of(&data([0, 1, 1])) && !gathered.is_of(&data([1, 0, 1])));
        assert!(!gathered.is_of(&data([0, 1, 1]).take(2)) && !Gathered::default().is_of(&data([0, 1, 1])));
        assert_eq!(gathered.bytes(), 3 * (2 * 4 + 8));
        assert!(gathered.begins_with(&Tensor::from([[0.90001, 0.1], [0.2, 0.8]])));
        assert!(!gathered.begins_with(&Tensor::from([[0.9, 0.1], [0.3, 0.8]])));
        assert!(!gathered.begins_with(&Tensor::zeros([4, 2])) && !gathered.begins_with(&Tensor::zeros([1, 1])));
        let mut infinite = Gathered::default();
        infinite.add(&Tensor::from([[f32::INFINITY, 0.0]]).into(), &Tensor::from([0]).into());
        assert!(infinite.evaluation().is_none());
    }
}
