//! The data: its parts, and how many samples of which class.

use maud::{Markup, html};

use super::Report;
use super::text::{facts, number, percent, table, verbatim};
use crate::data::Dataset;
use crate::monitor::evaluation::class_name;
use crate::nn::thousands;
use crate::{DType, Tensor};

/// Of how many classes there is a line.
const CLASSES: usize = 100;

pub(super) fn section(report: &Report) -> Markup {
    let mut all = Vec::new();
    if report.run.began() {
        all.push(("training data".to_owned(), report.run.dataset.clone()));
        all.push(("training samples".to_owned(), thousands(report.run.samples)));
    }
    all.extend(report.facts.iter().cloned());
    html! {
        (facts(all))
        @if !report.parts.is_empty() { (parts(&report.parts)) (targets(report)) }
        @if let Some(text) = &report.details { (verbatim("What was found in the data", text)) }
    }
}

fn parts(parts: &[(String, Dataset)]) -> Markup {
    let total = parts.iter().map(|(_, data)| data.len()).sum::<usize>().max(1) as f64;
    let row = |(name, data): &(String, Dataset)| {
        let is_single = data.input_kinds().len() == 1;
        let shape = if is_single { data.input_shape().to_string() } else { "several inputs".to_owned() };
        let cells = [thousands(data.len()), percent(data.len() as f64 / total), shape];
        [html! { (name) }].into_iter().chain(cells.map(|text| html! { (text) })).collect()
    };
    let head = ["part", "samples", "share", "shape of a sample"].map(str::to_owned);
    table("Parts of the data", &head, parts.iter().map(row).collect(), |at| at == 1 || at == 2)
}

/// The classes of each part, or the spread of its numbers.
fn targets(report: &Report) -> Markup {
    let parts: Option<Vec<(&String, &Tensor)>> =
        report.parts.iter().map(|(name, data)| Some((name, data.target_parts().only()?))).collect();
    let Some(parts) = parts else { return html! {} };
    if parts.iter().all(|(_, targets)| targets.dtype() == DType::I64 && targets.rank() == 1) {
        return classes(&parts, &report.class_names);
    }
    let is_single = |targets: &Tensor| targets.dtype().is_float() && targets.elements() == targets.size(0);
    if parts.iter().all(|(_, targets)| is_single(targets)) {
        spread(&parts)
    } else {
        html! {}
    }
}

fn classes(parts: &[(&String, &Tensor)], names: &[String]) -> Markup {
    let count = |(_, targets): &(&String, &Tensor)| {
        let mut counts: Vec<usize> = Vec::new();
        for class in targets.to_vec::<i64>().into_iter().filter_map(|label| usize::try_from(label).ok()) {
            if class >= counts.len() && class < 1 << 20 {
                counts.resize(class + 1, 0);
            }
            if let Some(count) = counts.get_mut(class) {
                *count += 1;
            }
        }
        counts
    };
    let counts: Vec<Vec<usize>> = parts.iter().map(count).collect();
    let all = counts.iter().map(Vec::len).max().unwrap_or(0);
    let row = |class: usize| {
        let cell = |counts: &Vec<usize>| html! { (thousands(counts.get(class).copied().unwrap_or(0))) };
        [html! { (class_name(names, class)) }].into_iter().chain(counts.iter().map(cell)).collect()
    };
    let head: Vec<String> =
        ["class".to_owned()].into_iter().chain(parts.iter().map(|(name, _)| (*name).clone())).collect();
    html! {
        (table("Samples of each class", &head, (0..all.min(CLASSES)).map(row).collect(), |at| at > 0))
        @if all > CLASSES { p { "The first " (CLASSES) " of " (thousands(all)) " classes are listed." } }
    }
}

fn spread(parts: &[(&String, &Tensor)]) -> Markup {
    let row = |(name, targets): &(&String, &Tensor)| {
        let values = targets.detach().to_dtype(DType::F64).to_vec::<f64>();
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let std = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        [html! { (name) }].into_iter().chain([mean, std, least, most].map(|value| html! { (number(value)) })).collect()
    };
    let head = ["part", "mean", "standard deviation", "least", "largest"].map(str::to_owned);
    table("The numbers to be predicted", &head, parts.iter().map(row).collect(), |at| at > 0)
}
