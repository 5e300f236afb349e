//! Where a number that is not finite came from: the step is computed again, with checks on.

use crate::autograd::{Origin, Trace};
use crate::data::{Batch, Parts};
use crate::finite::first_not_finite;
use crate::nn::{Context, Model};
use crate::train::Trainer;
use crate::train::counted::Counted;
use crate::{DType, Rng, Tensor};

/// How many rows a message lists.
const LISTED: usize = 4;

/// What a number that is not finite came from, and what to try.
pub(in crate::train) struct Cause {
    /// For after a colon: "first in `ln` of layer 2 (Dense), ...".
    pub place: Option<String>,
    /// For after "try".
    pub advice: &'static str,
}

/// The samples of a batch.
pub(in crate::train) struct Rows<'a> {
    /// The name of the data.
    pub data: &'a str,
    /// The place of each sample in it.
    pub samples: Vec<usize>,
}

const LOWER_RATE: &str = "a lower learning rate, or clip the gradients with clip_norm";
const AWAY_FROM_ZERO: &str = "to keep its inputs in its domain and away from 0, for example with clamp";
const OTHER_DATA: &str = "to correct these samples, or to leave them out";

impl<M: Model> Trainer<M> {
    /// What made the loss, or the gradient of a parameter, not finite: computes the step with random numbers `rng` again, from the
    /// parameters as they are. The model is left as it is.
    pub(in crate::train) fn cause(&mut self, batch: &Batch, rng: Rng, parameter: Option<&str>, rows: &Rows) -> Cause {
        let data = [("input", &batch.inputs), ("target", &batch.targets)];
        if let Some(place) = data.iter().find_map(|(what, parts)| in_data(what, parts, rows)) {
            return Cause { place: Some(place), advice: OTHER_DATA };
        }
        if let Some((name, number)) = self.parameter_not_finite() {
            let place = format!("the last step made the parameter `{name}` {number}");
            return Cause { place: Some(place), advice: LOWER_RATE };
        }
        // Running means change in a forward pass.
        let before: Vec<Tensor> = self.model.state_dict().into_iter().map(|(_, tensor)| tensor.detach()).collect();
        let origin = self.retrace(batch, rng, parameter);
        let mut before = before.into_iter();
        self.model.visit_mut("", &mut |_, tensor| before.next().iter().for_each(|own| tensor.assign(own)));
        match origin {
            Some(origin) => Cause { place: Some(describe(&origin, rows)), advice: advice(&origin) },
            None => Cause { place: None, advice: LOWER_RATE },
        }
    }

    fn parameter_not_finite(&self) -> Option<(String, f64)> {
        let mut found = None;
        self.model.visit("", &mut |name, tensor| {
            if found.is_none() && tensor.is_leaf() {
                found = first_not_finite(tensor).map(|(_, number)| (name.to_owned(), number));
            }
        });
        found
    }

    /// The step with checks on.
    fn retrace(&self, batch: &Batch, rng: Rng, parameter: Option<&str>) -> Option<Origin> {
        let trace = Trace::start();
        let mut ctx = Context::training(rng);
        let predictions = self.model.forward_parts(&batch.inputs, &mut ctx);
        let lengths = ctx.take_lengths();
        let loss = {
            let _scope = Trace::enter(|| "the loss".into());
            let counted = Counted::of(predictions, &batch.targets, batch.weights.as_ref(), lengths.as_deref());
            let (parts, penalty) = self.parts(&counted, &mut ctx);
            self.total(&parts, penalty.as_ref())
        };
        let Some(parameter) = parameter else { return trace.origin(&loss) };
        loss.backward();
        let mut origin = None;
        self.model.visit("", &mut |name, tensor| {
            if name == parameter {
                origin = trace.origin_of_gradient(tensor);
            }
        });
        origin
    }
}

/// Data that holds numbers which are not finite.
fn in_data(what: &str, parts: &Parts, rows: &Rows) -> Option<String> {
    parts.iter().find_map(|(name, tensor)| {
        let (_, number) = first_not_finite(tensor)?;
        let which = if parts.len() > 1 { format!(" `{name}`") } else { String::new() };
        let bad = bad_rows(tensor, rows.samples.len());
        Some(format!("the {what}s{which} hold {number}{}", rows.list(", in ", &bad)))
    })
}

fn describe(origin: &Origin, rows: &Rows) -> String {
    let mut text = String::from(if origin.in_gradient { "first in the gradient of " } else { "first in " });
    text += &format!("`{}`", origin.operation);
    if !origin.scopes.is_empty() {
        text += &format!(" of {}", origin.scopes.join(", "));
    }
    if let Some(location) = origin.location.filter(|location| !is_own(location.file())) {
        text += &format!(" ({}:{})", location.file(), location.line());
    }
    text += &rows.list(", ", &bad_rows(&origin.result, rows.samples.len()));
    text + &reason(origin)
}

/// What the inputs were.
fn reason(origin: &Origin) -> String {
    let values = numbers(&origin.result);
    let Some((index, result)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) else {
        return String::new();
    };
    if let Some(inputs) = inputs_at(origin, index) {
        let inputs: Vec<String> = inputs.into_iter().map(short).collect();
        let inputs = inputs.join(" and ");
        return match origin.in_gradient {
            true => format!(", which is {result} at {inputs}"),
            false => format!(", which gives {result} for {inputs}"),
        };
    }
    let largest = origin.inputs.iter().flat_map(numbers).map(f64::abs).fold(0.0, f64::max);
    format!(", whose inputs reach {}", short(largest))
}

/// The inputs of one number of the result, of operations that go element by element.
fn inputs_at(origin: &Origin, index: usize) -> Option<Vec<f64>> {
    let shape = *origin.result.shape();
    let mixes = [
        "conv",
        "conv_relu",
        "conv_transpose",
        "linear",
        "linear_gelu",
        "linear_relu",
        "log_softmax",
        "matmul",
        "softmax",
        "with_gradient",
        "with_logit_gradient",
    ];
    if mixes.contains(&origin.operation) {
        return None;
    }
    let at = |input: &Tensor| {
        let fits = input.shape().broadcast(&shape) == Some(shape);
        fits.then(|| numbers(&input.expand(shape))[index])
    };
    origin.inputs.iter().map(at).collect()
}

fn advice(origin: &Origin) -> &'static str {
    match origin.operation {
        "ln" | "log1p" | "sqrt" | "recip" | "div" | "pow" | "powf" | "powi with a negative exponent" => AWAY_FROM_ZERO,
        _ => LOWER_RATE,
    }
}

/// The rows of the first axis that hold numbers which are not finite, if that axis is the batch's.
fn bad_rows(tensor: &Tensor, samples: usize) -> Vec<usize> {
    if tensor.rank() == 0 || tensor.size(0) != samples || tensor.elements() == 0 {
        return Vec::new();
    }
    let values = numbers(tensor);
    let rows = values.chunks(values.len() / samples).enumerate();
    rows.filter(|(_, row)| row.iter().any(|value| !value.is_finite())).map(|(index, _)| index).collect()
}

impl Rows<'_> {
    /// The rows, counted from 0, and the samples that they are; nothing if there are none.
    fn list(&self, before: &str, rows: &[usize]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let samples: Vec<usize> = rows.iter().map(|&row| self.samples[row]).collect();
        let noun = |noun: &str| format!("{noun}{}", if rows.len() == 1 { "" } else { "s" });
        format!(
            "{before}{} {} of the batch ({} {} of {})",
            noun("row"),
            listed(rows),
            noun("sample"),
            listed(&samples),
            self.data
        )
    }
}

/// `5, 9 and 3 more`.
fn listed(numbers: &[usize]) -> String {
    let (shown, rest) = numbers.split_at(numbers.len().min(LISTED));
    let shown: Vec<String> = shown.iter().map(usize::to_string).collect();
    match (rest.len(), shown.split_last()) {
        (0, Some((last, front))) if !front.is_empty() => format!("{} and {last}", front.join(", ")),
        (0, _) => shown.join(", "),
        (more, _) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.detach().to_dtype(DType::F64).to_vec::<f64>()
}

/// A number with few digits.
pub(super) fn short(number: f64) -> String {
    if number == 0.0 || number.is_infinite() || (1e-3..1e5).contains(&number.abs()) {
        let digits = format!("{number:.4}");
        let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
        return digits.to_owned();
    }
    format!("{number:.1e}")
}

/// Whether a line is in this library.
fn is_own(file: &str) -> bool {
    let own = file!();
    file.starts_with(&own[..own.len() - "train/health/not_finite.rs".len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_listed_with_their_samples() {
        let rows = Rows { data: "ten", samples: vec![7, 3, 9, 1, 0, 2] };
        assert_eq!(rows.list(", ", &[]), "");
        assert_eq!(rows.list(", ", &[2]), ", row 2 of the batch (sample 9 of ten)");
        assert_eq!(rows.list("in ", &[0, 1]), "in rows 0 and 1 of the batch (samples 7 and 3 of ten)");
        assert_eq!(listed(&[5, 6, 7, 8, 9, 10]), "5, 6, 7, 8 and 2 more");
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 1.0, -0.25, 1234.56789, 3.4e38, 1e-7, f64::NAN].map(short);
        assert_eq!(shown, ["0", "1", "-0.25", "1234.5679", "3.4e38", "1.0e-7", "NaN"]);
    }
}
