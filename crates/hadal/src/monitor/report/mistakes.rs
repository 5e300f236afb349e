//! The samples that the model is worst at.

use maud::{Markup, html};

use super::text::{figure, missing, number, percent, table};
use crate::data::Dataset;
use crate::monitor::evaluation::{Evaluation, Verdict, class_name};
use crate::monitor::images::{as_images, image_of};
use crate::monitor::sample_columns::SampleColumns;
use crate::nn::thousands;
use crate::plot;
use crate::{DType, Result, Shape, Tensor};

/// How many are shown, and how many columns of a table, in how many characters.
const SHOWN: usize = 16;

/// How samples are shown.
pub(super) struct Samples<'a> {
    pub data: &'a Dataset,
    pub image_shape: Option<&'a Shape>,
    pub columns: Option<&'a SampleColumns>,
}

impl Samples<'_> {
    /// The channels, height and width of an image.
    pub fn image(&self) -> Option<[usize; 3]> {
        if self.data.input_kinds().len() != 1 {
            return None;
        }
        image_of(self.data, self.image_shape)
    }

    fn head(&self) -> Vec<String> {
        self.columns.iter().flat_map(|columns| columns.names()).collect()
    }

    fn cells(&self, sample: usize) -> Vec<Markup> {
        self.columns.iter().flat_map(|columns| columns.cells(sample)).map(|cell| html! { (cell) }).collect()
    }

    fn left_out(&self) -> usize {
        self.columns.map_or(0, SampleColumns::left_out)
    }
}

/// Those that were taken for another class, the least probable truth first.
pub(super) fn of_classes(evaluation: &Evaluation, names: &[String], samples: &Samples) -> Markup {
    let mistakes = evaluation.mistakes(SHOWN);
    if mistakes.is_empty() {
        return html! { p { "There is no mistake." } };
    }
    let name = |class: usize| class_name(names, class);
    let head = ["sample", "class", "predicted", "its probability", "the class’s"].map(str::to_owned);
    let row = |own: &Verdict| {
        let cells = [name(own.class), name(own.predicted), percent(own.confidence), percent(own.probability)];
        let cells = [thousands(own.sample)].into_iter().chain(cells).map(|text| html! { (text) });
        cells.chain(samples.cells(own.sample)).collect()
    };
    let rows = mistakes.iter().map(row).collect();
    let head: Vec<String> = head.into_iter().chain(samples.head()).collect();
    html! {
        p { "The mistakes to whose true class the model gave the least probability. Samples are counted from 0." }
        @if let Some(image) = samples.image() { (pictures(&mistakes, &name, samples.data, image)) }
        (table("Hardest mistakes", &head, rows, |at| at == 0 || at == 3 || at == 4))
        (left_out(samples))
    }
}

fn left_out(samples: &Samples) -> Markup {
    let more = samples.left_out();
    html! { @if more > 0 { p.small { (more) " more columns of the table are not shown." } } }
}

fn pictures(mistakes: &[Verdict], name: &dyn Fn(usize) -> String, data: &Dataset, image: [usize; 3]) -> Markup {
    let indices: Vec<usize> = mistakes.iter().map(|own| own.sample).collect();
    let captions: Vec<String> =
        mistakes.iter().map(|own| format!("{}, not {}", name(own.class), name(own.predicted))).collect();
    let picture = || -> Result<Option<plot::Picture>> {
        let (inputs, _) = data.try_batch(&indices)?;
        as_images(inputs.first(), image).map(|images| plot::image_grid(&images, &captions)).transpose()
    };
    match picture() {
        Ok(Some(picture)) => {
            figure("Hardest mistakes", Ok(picture), "Below each image: its class, and what it was taken for.")
        }
        Ok(None) => html! {},
        Err(error) => missing("Images of the mistakes", &error),
    }
}

/// Those whose predicted numbers are farthest off.
pub(super) fn of_numbers(predicted: &Tensor, truth: &Tensor, samples: &Samples) -> Markup {
    let outputs = truth.size(1);
    let rows = |tensor: &Tensor| tensor.to_dtype(DType::F64).to_vec::<f64>();
    let (predicted, truth) = (rows(predicted), rows(truth));
    let error = |sample: usize| {
        let places = sample * outputs..(sample + 1) * outputs;
        let (at, size) = places
            .map(|at| (at, (predicted[at] - truth[at]).abs()))
            .fold((0, -1.0), |most, own| if own.1 > most.1 { own } else { most });
        (sample, at, size)
    };
    let mut all: Vec<(usize, usize, f64)> = (0..truth.len() / outputs).map(error).collect();
    all.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
    let head = ["sample", "true", "predicted", "error"].map(str::to_owned);
    let row = |&(sample, at, _): &(usize, usize, f64)| {
        let cells = [truth[at], predicted[at], predicted[at] - truth[at]].map(|value| html! { (number(value)) });
        [html! { (thousands(sample)) }].into_iter().chain(cells).chain(samples.cells(sample)).collect()
    };
    let shown = all.iter().take(SHOWN).map(row).collect();
    let head: Vec<String> = head.into_iter().chain(samples.head()).collect();
    html! {
        p {
            "The predictions that are farthest off"
            @if outputs > 1 { ", by the output that is worst for the sample" }
            ". Samples are counted from 0."
        }
        (table("Largest errors", &head, shown, |at| at < 4))
        (left_out(samples))
    }
}
