//! What a trained network gets right and wrong: precision-recall curves and its worst mistakes.

use std::fmt::Write;

use super::Log;
use super::samples::{as_images, image_of};
use crate::data::Dataset;
use crate::monitor::note;
use crate::nn::{Context, Forward, Sequential};
use crate::{DType, Result, Shape, Tensor, concat, no_grad};

/// How many mistakes are shown, and of how many classes curves.
const MISTAKES: usize = 16;
const CLASSES: usize = 100;

/// How many samples go through the network at once.
const BATCH: usize = 1000;

/// Probabilities and truth of samples, a row each, a column per class; a single column is class 1 of two.
pub(super) struct Evaluation<'a> {
    data: &'a Dataset,
    names: &'a [String],
    probabilities: Tensor,
    truth: Tensor,
}

impl<'a> Evaluation<'a> {
    /// Of a network that tells classes from each other; `None` of another.
    pub fn new(model: &Sequential, data: &'a Dataset, names: &'a [String]) -> Result<Option<Evaluation<'a>>> {
        let mut outputs = Vec::new();
        data.batches(BATCH).read_ahead(|next| -> Result<()> {
            while let Some(batch) = next()? {
                outputs.push(no_grad(|| model.forward(batch.inputs.first(), &mut Context::evaluation())));
            }
            Ok(())
        })?;
        let outputs = concat(&outputs, 0);
        let outputs = match outputs.rank() {
            1 => outputs.unsqueeze(1),
            2 => outputs,
            _ => return Ok(None),
        };
        let Some(truth) = truth(data.targets(), outputs.size(1)) else { return Ok(None) };
        if crate::finite::first_not_finite(&outputs).is_some() {
            note("TensorBoard: an output of the model is not finite; there are no precision-recall curves");
            return Ok(None);
        }
        let probabilities = probabilities(&outputs, &truth);
        Ok(Some(Evaluation { data, names, probabilities, truth }))
    }

    /// Logs a precision-recall curve of each class.
    pub fn log_pr_curves(&self, log: &mut Log) -> Result<()> {
        let classes = self.probabilities.size(1);
        if classes > CLASSES {
            note(&format!(
                "TensorBoard: precision-recall curves of the first {CLASSES} of {classes} classes are written"
            ));
        }
        for class in 0..classes.min(CLASSES) {
            let column = |tensor: &Tensor| tensor.narrow(1, class, 1).squeeze(1);
            let tag = format!("precision_recall/{}", self.name(if classes == 1 { 1 } else { class }));
            log.pr_curve(&tag, &column(&self.truth), &column(&self.probabilities))?;
        }
        Ok(())
    }

    /// Logs the samples whose own class was given the least probability, as a table, and as images where they are images.
    pub fn log_mistakes(&self, log: &mut Log, image_shape: Option<&Shape>) -> Result<()> {
        let mistakes = self.mistakes();
        if mistakes.is_empty() {
            return Ok(());
        }
        let mut table =
            String::from("| sample | class | predicted | probability of its class |\n| --- | --- | --- | --- |\n");
        let image = image_of(self.data, image_shape);
        for (place, mistake) in mistakes.iter().enumerate() {
            let [class, predicted] = [mistake.class, mistake.predicted].map(|class| self.name(class));
            let probability = 100.0 * mistake.probability;
            let [class_cell, predicted_cell] = [&class, &predicted].map(|name| markdown(name));
            // Writing to a String cannot fail.
            let _ = writeln!(table, "| {} | {class_cell} | {predicted_cell} | {probability:.2}% |", mistake.sample);
            if let Some(image) = image {
                let (inputs, _) = self.data.try_batch(&[mistake.sample])?;
                if let Some(picture) = as_images(inputs.first(), image) {
                    let (sample, [class, predicted]) = (mistake.sample, [class, predicted].map(|name| in_a_tag(&name)));
                    let tag = format!("mistakes/{:02}: sample {sample} is {class}, predicted {predicted}", place + 1);
                    log.image(&tag, &picture)?;
                }
            }
        }
        log.text("mistakes", &table)
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let rows = |tensor: &Tensor| tensor.to_dtype(DType::F64).to_vec::<f64>();
        let columns = self.probabilities.size(1);
        let (probabilities, truth) = (rows(&self.probabilities), rows(&self.truth));
        let mut mistakes = Vec::new();
        for (sample, (own, truth)) in probabilities.chunks(columns).zip(truth.chunks(columns)).enumerate() {
            let (class, predicted, probability) = if columns == 1 {
                let class = usize::from(truth[0] == 1.0);
                (class, usize::from(own[0] > 0.5), if class == 1 { own[0] } else { 1.0 - own[0] })
            } else {
                // A sample of several classes, or of none, has no class of its own.
                let mut classes = (0..columns).filter(|class| truth[*class] == 1.0);
                let (Some(class), None) = (classes.next(), classes.next()) else { continue };
                let largest = (0..columns).max_by(|a, b| own[*a].total_cmp(&own[*b]).then(b.cmp(a))).unwrap_or(0);
                (class, largest, own[class])
            };
            if class != predicted {
                mistakes.push(Mistake { sample, class, predicted, probability });
            }
        }
        mistakes.sort_by(|a, b| a.probability.total_cmp(&b.probability));
        mistakes.truncate(MISTAKES);
        mistakes
    }

    fn name(&self, class: usize) -> String {
        self.names.get(class).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| class.to_string())
    }
}

/// A sample that the network takes for another class.
#[derive(Debug, PartialEq)]
struct Mistake {
    sample: usize,
    class: usize,
    predicted: usize,
    /// Of its own class.
    probability: f64,
}

/// The text in Markdown, as it is.
fn markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '-' | '.' | '!' | '|' => {
                escaped.extend(['\\', c]);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// The text without what keeps an image from being shown by its tag: TensorBoard 2.21's data server refuses those with characters
/// that JSON escapes.
fn in_a_tag(text: &str) -> String {
    let plain = |c: char| match c {
        '"' => '\'',
        '\\' => '/',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(plain).collect()
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
/// else softmax.
fn probabilities(outputs: &Tensor, truth: &Tensor) -> Tensor {
    let outputs = outputs.detach().to_dtype(DType::F64);
    let one_class = truth.to_dtype(DType::F64).sum_keepdim(&[1]).ne(1.0).to_dtype(DType::F64).sum().item() == 0.0;
    let several = outputs.size(1) > 1 && one_class;
    let in_range = outputs.min().item() >= 0.0 && outputs.max().item() <= 1.0;
    let sums_to_1 = || (outputs.sum_keepdim(&[1]) - 1.0).abs().max().item() < 1e-3;
    match several {
        true if in_range && sums_to_1() => outputs,
        true => outputs.softmax(1),
        false if in_range => outputs,
        false => outputs.sigmoid(),
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
    fn names_are_shown_as_they_are() {
        assert_eq!(markdown("a|b <i>*c*</i> & \u{1F40B}"), "a\\|b &lt;i>\\*c\\*&lt;/i> &amp; \u{1F40B}");
        assert_eq!(in_a_tag("a \"b\"\n\\c <i>"), "a 'b' /c <i>");
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
        assert_eq!(probabilities(&given, &one_of).to_vec::<f64>(), [0.25, 0.75, 0.5, 0.5]);
        let logits = Tensor::from([[0.0, 3.0f32.ln()], [0.0, 0.0]]);
        let found = probabilities(&logits, &one_of).to_vec::<f64>();
        assert!(found.iter().zip([0.25, 0.75, 0.5, 0.5]).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        let several_of = Tensor::from([[1.0, 1.0], [0.0, 1.0]]);
        assert_eq!(probabilities(&Tensor::zeros([2, 2]), &several_of).to_vec::<f64>(), [0.0; 4]);
        assert_eq!(probabilities(&Tensor::full([1, 1], -0.0), &Tensor::ones([1, 1])).to_vec::<f64>(), [0.0]);
        let wide = probabilities(&Tensor::from([[-2.0], [2.0]]), &Tensor::from([[0.0], [1.0]])).to_vec::<f64>();
        assert!((wide[0] + wide[1] - 1.0).abs() < 1e-9 && wide[0] < 0.2);
    }

    #[test]
    fn mistakes_are_those_samples_that_are_taken_for_another_class_the_worst_first() {
        let data = Dataset::new("four", Tensor::zeros([4, 2]), Tensor::from([0, 1, 0, 1])).unwrap();
        let evaluation = |probabilities: Tensor, classes: usize| Evaluation {
            data: &data,
            names: &[],
            truth: truth(data.targets(), classes).unwrap(),
            probabilities,
        };
        let two = evaluation(Tensor::from([[0.4, 0.6], [0.3, 0.7], [0.9, 0.1], [0.8, 0.2]]), 2);
        let found: Vec<_> = two.mistakes().iter().map(|own| (own.sample, own.class, own.predicted)).collect();
        assert_eq!(found, [(3, 1, 0), (0, 0, 1)]);
        let one = evaluation(Tensor::from([[0.6], [0.7], [0.1], [0.2]]), 1);
        let found: Vec<_> = one.mistakes().iter().map(|own| (own.sample, own.class, own.predicted)).collect();
        assert_eq!(found, [(3, 1, 0), (0, 0, 1)]);
    }
}
