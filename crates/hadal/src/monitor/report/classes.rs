//! Which classes are confused, and whether probabilities are right.

use maud::{Markup, html};

use super::text::{counted, figure, missing, percent, table};
use crate::metric::{ConfusionMatrix, Metric};
use crate::monitor::evaluation::{Evaluation, class_name};
use crate::nn::thousands;
use crate::plot::{self, CalibrationCurve};
use crate::{DType, Result, Tensor};

/// How many pairs of classes are named, and of how many classes there is a line.
const PAIRS: usize = 10;
const CLASSES: usize = 100;

/// Right and wrong predictions of each class.
pub(super) fn confusion(evaluation: &Evaluation, names: &[String]) -> Markup {
    if evaluation.verdicts().iter().any(Option::is_none) {
        return html! {
            p { "Some samples have several classes, or none, so there is no confusion matrix. A class is predicted where its probability is above one half." }
            (per_class(&of_labels(evaluation), names))
        };
    }
    let counts = evaluation.confusion();
    let all: Vec<String> = (0..counts.len()).map(|class| class_name(names, class)).collect();
    let picture = matrix(&counts).and_then(|matrix| plot::confusion_matrix(&matrix, &all));
    html! {
        (figure("Confusion matrix", picture,
            "Rows are true classes, columns predicted ones. The darker a cell, the larger its share of the row."))
        (pairs(&counts, names))
        (per_class(&of_counts(&counts), names))
    }
}

fn matrix(counts: &[Vec<u64>]) -> Result<ConfusionMatrix> {
    let classes = counts.len();
    let numbers = [classes as f64].into_iter().chain(counts.iter().flatten().map(|count| *count as f64));
    let mut matrix = ConfusionMatrix::new();
    matrix.load_state(&numbers.chain(std::iter::repeat_n(0.0, classes)).collect::<Vec<f64>>())?;
    Ok(matrix)
}

/// The pairs that are confused most.
fn pairs(counts: &[Vec<u64>], names: &[String]) -> Markup {
    let all = counts
        .iter()
        .enumerate()
        .flat_map(|(class, row)| row.iter().enumerate().map(move |(predicted, count)| (*count, class, predicted)));
    let mut wrong: Vec<_> = all.filter(|(count, class, predicted)| *count > 0 && class != predicted).collect();
    wrong.sort_by_key(|(count, class, predicted)| (std::cmp::Reverse(*count), *class, *predicted));
    let mistakes: u64 = wrong.iter().map(|(count, ..)| count).sum();
    if mistakes == 0 {
        return html! { p { "There is no mistake." } };
    }
    let name = |class: usize| class_name(names, class);
    html! {
        p { (counted(mistakes as usize, "mistake")) ". Most often confused:" }
        ol {
            @for (count, class, predicted) in wrong.into_iter().take(PAIRS) {
                li { b { (name(class)) } " was taken for " b { (name(predicted)) } ", " (counted(count as usize, "time")) }
            }
        }
    }
}

/// Of a class: right predictions, predictions, samples.
type Counts = [u64; 3];

fn of_counts(counts: &[Vec<u64>]) -> Vec<Counts> {
    let column = |class: usize| counts.iter().map(|row| row[class]).sum();
    (0..counts.len()).map(|class| [counts[class][class], column(class), counts[class].iter().sum()]).collect()
}

fn of_labels(evaluation: &Evaluation) -> Vec<Counts> {
    let columns = evaluation.truth.size(1);
    let rows = |tensor: &Tensor| tensor.to_dtype(DType::F64).to_vec::<f64>();
    let (probabilities, truth) = (rows(&evaluation.probabilities), rows(&evaluation.truth));
    let mut counts = vec![[0; 3]; columns];
    for (place, (probability, truth)) in probabilities.into_iter().zip(truth).enumerate() {
        let (predicted, is) = (probability > 0.5, truth == 1.0);
        let own = &mut counts[place % columns];
        own[0] += u64::from(predicted && is);
        own[1] += u64::from(predicted);
        own[2] += u64::from(is);
    }
    counts
}

/// Precision, recall and F1 of each class.
fn per_class(counts: &[Counts], names: &[String]) -> Markup {
    let head = ["class", "precision", "recall", "F1", "samples", "predicted"].map(str::to_owned);
    let share = |a: f64, b: f64| if b > 0.0 { percent(a / b) } else { "–".to_owned() };
    let row = |(class, &[right, predicted, samples]): (usize, &Counts)| {
        let [r, p, s] = [right, predicted, samples].map(|count| count as f64);
        let scores = [share(r, p), share(r, s), share(2.0 * r, p + s)];
        let counts = [samples, predicted].map(|count| thousands(count as usize));
        let cells = scores.into_iter().chain(counts).map(|text| html! { (text) });
        [html! { (class_name(names, class)) }].into_iter().chain(cells).collect()
    };
    let rows = counts.iter().enumerate().take(CLASSES).map(row).collect();
    html! {
        (table("Scores of each class", &head, rows, |at| at > 0))
        @if counts.len() > CLASSES { p { "The first " (CLASSES) " of " (thousands(counts.len())) " classes are listed." } }
        p.small {
            "Precision: of what was predicted as the class, the share that was. Recall: of the class’s samples, the share that was found. F1: \
             their harmonic mean. “–” has nothing to divide by."
        }
    }
}

/// Whether predicted probabilities are what happens.
pub(super) fn calibration(evaluation: &Evaluation, names: &[String]) -> Markup {
    const BINS: usize = 10;
    let labels: Option<Vec<i64>> =
        evaluation.verdicts().iter().map(|own| own.as_ref().map(|own| own.class as i64)).collect();
    let Some(labels) = labels else {
        return html! { p { "Some samples have several classes, or none, so there is no calibration curve." } };
    };
    let samples = evaluation.samples();
    let labels = Tensor::from_vec(labels, [samples]);
    let curve = match CalibrationCurve::new(&evaluation.probabilities, &labels, BINS) {
        Ok(curve) => curve,
        Err(error) => return missing("Calibration", &error),
    };
    let error = curve.expected_calibration_error;
    html! {
        p {
            "The expected calibration error is " data value=(error) { (format!("{error:.4}")) }
            ": so far, on average, is a predicted probability from the share of samples that it comes true for (" (BINS) " bins)."
        }
        (figure("Reliability of probabilities", plot::calibration_curve(&evaluation.probabilities, &labels),
            "On the diagonal, what is predicted with some probability happens that often. Where the curve is \
             flatter than the diagonal, the model is too sure; where it is steeper, not sure enough."))
        @if evaluation.classes() == 2 { p { "Class 1 is " b { (class_name(names, 1)) } "." } }
    }
}
