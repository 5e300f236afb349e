//! What the model looks at: weights of its first layer as images, or how much its score depends on each input.

use std::ops::Range;

use maud::{Markup, html};

use super::Report;
use super::text::{figure, missing, number, table};
use crate::data::Dataset;
use crate::nn::{Module, thousands};
use crate::plot;
use crate::train::{Importance, Logs, Trained};
use crate::{Result, Rng, Tensor};

/// How many units' weights are drawn.
const UNITS: usize = 36;
/// The limits of permutation importance: it evaluates the samples once for each input and repeat.
const SAMPLES: usize = 2000;
const REPEATS: usize = 3;
const INPUTS: usize = 100;

/// `None` where neither can be shown.
pub(super) fn section(
    report: &Report,
    trained: &dyn Trained,
    scores: &Logs,
    image: Option<[usize; 3]>,
) -> Option<Markup> {
    if let Some(weights) = image.and_then(|image| first_weights(trained.module(), image)) {
        return Some(weights);
    }
    let data = report.validation_data.as_ref()?;
    importance(report, trained, scores, data)
}

/// The weights of the first layer's units, if it has as many as a sample has pixels, or is a convolution.
fn first_weights(model: &dyn Module, image: [usize; 3]) -> Option<Markup> {
    let mut first: Option<Tensor> = None;
    model.visit("", &mut |_, tensor| {
        if first.is_none() {
            first = Some(tensor.detach());
        }
    });
    let [channels, height, width] = image;
    let weights = first?;
    let units = if weights.rank() > 0 { weights.size(0) } else { 0 };
    let shown = match weights.shape()[..] {
        [_, inputs] if inputs == image.iter().product::<usize>() => {
            weights.narrow(0, 0, units.min(UNITS)).reshape([units.min(UNITS), channels, height, width])
        }
        [_, _, rows, columns] if rows * columns > 1 => weights.narrow(0, 0, units.min(UNITS)),
        _ => return None,
    };
    let which = if units > UNITS { format!("The first {UNITS} of {units} units") } else { format!("{units} units") };
    let caption = format!(
        "{which}, each with a weight for every pixel: bright pixels raise a unit’s output where the weight is orange, and lower it where it is \
         blue. White is 0."
    );
    Some(figure("Weights of the first layer", plot::weights(&shown), &caption))
}

fn importance(report: &Report, trained: &dyn Trained, scores: &Logs, data: &Dataset) -> Option<Markup> {
    if data.input_kinds().len() != 1 || data.input_shape().rank() != 1 {
        return None;
    }
    let inputs = names(report, data);
    if inputs.len() > INPUTS {
        return Some(html! {
            p { "The model has " (thousands(inputs.len())) " inputs; permutation importance is computed for at most " (INPUTS) "." }
        });
    }
    let score = if scores.get("accuracy").is_some() { "accuracy" } else { "loss" };
    let found = some(data).and_then(|some| {
        let found = trained.permutation_importance(&some, &inputs, score, REPEATS, trained.seed())?;
        Ok((some.len(), found))
    });
    let (samples, found) = match found {
        Ok(found) => found,
        Err(error) => return Some(missing("Permutation importance", &error)),
    };
    let verb = if score == "accuracy" { "falls" } else { "rises" };
    let most = found.first().map_or(0.0, |own| own.mean).max(f64::MIN_POSITIVE);
    let row = |own: &Importance| {
        let share = (own.mean / most).clamp(0.0, 1.0);
        let bar = html! { meter min="0" max="1" value=(format!("{share:.3}")) aria-hidden="true" {} };
        let mean = html! { data value=(own.mean) { (number(own.mean)) } };
        vec![html! { (own.name) }, mean, html! { (number(own.std)) }, bar]
    };
    let head = ["input", "mean", "standard deviation", "share of the largest"].map(str::to_owned);
    let caption = format!("How much {score} {verb} without an input");
    let which = if samples < data.len() { "drawn at random" } else { "all" };
    Some(html! {
        (table(&caption, &head, found.iter().map(row).collect(), |at| at == 1 || at == 2))
        p.small {
            "Permutation importance: how much " (score) " " (verb) " when an input is shuffled among " (thousands(samples)) " samples of "
            (data.name()) " (" (which) "), mean of " (REPEATS) " shuffles. Inputs that say the same share their importance between them."
        }
    })
}

/// At most as many samples as are asked.
fn some(data: &Dataset) -> Result<Dataset> {
    if data.len() <= SAMPLES {
        return Ok(data.clone());
    }
    let mut chosen = Rng::new(1).permutation(data.len());
    chosen.truncate(SAMPLES);
    chosen.sort_unstable();
    data.select(&chosen)
}

/// The inputs with their columns.
fn names(report: &Report, data: &Dataset) -> Vec<(String, Range<usize>)> {
    if !report.feature_names.is_empty() {
        return report.feature_names.clone();
    }
    #[cfg(feature = "table")]
    if let Some(encoder) = data.preprocessing().first().and_then(|own| own.encoder()) {
        return encoder.input_ranges().into_iter().map(|(name, columns)| (name.to_owned(), columns)).collect();
    }
    (0..data.input_shape().elements()).map(|column| (format!("input {column}"), column..column + 1)).collect()
}
