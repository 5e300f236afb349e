//! The page: its sections in order, and how it looks.

use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::mistakes::{self, Samples};
use super::outcome::Outcome;
use super::scores::{self, Scores};
use super::text::{counted, facts, figure, verbatim};
use super::{Report, classes, data, inputs, numbers};
use crate::nn::Sequential;
use crate::plot;
use crate::train::{Finding, RunFolder, Trained};
use crate::{Error, Result};

const STYLE: &str = include_str!("page.css");
/// Nothing is fetched and nothing is run, whatever a name in the page may be.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

struct Section {
    id: &'static str,
    title: &'static str,
    body: Markup,
}

impl Report {
    /// The page about the run; `trained` is there when it has ended.
    pub(super) fn page(&self, trained: Option<&dyn Trained>) -> String {
        let data = self.validation_data.as_ref();
        let scores = trained.zip(data).map(|(trained, data)| Scores::of(trained, data));
        let sections = self.sections(trained, scores.as_ref());
        let title = self.title.as_deref().unwrap_or(&self.run.dataset);
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="generator" content=(concat!("Hadal ", env!("CARGO_PKG_VERSION")));
                    title { (title) " – report of a training run" }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header { h1 { (title) } (self.lead(trained, scores.as_ref())) }
                    nav aria-label="Contents" {
                        ul { @for section in &sections { li { a href=(format!("#{}", section.id)) { (section.title) } } } }
                    }
                    main {
                        @for section in &sections {
                            section id=(section.id) { h2 { (section.title) } (section.body) }
                        }
                    }
                    footer { p { "Written by Hadal " (env!("CARGO_PKG_VERSION")) "." } }
                }
            }
        }
        .into_string()
    }

    /// What came of it, in a few sentences.
    fn lead(&self, trained: Option<&dyn Trained>, scores: Option<&Result<Scores>>) -> Markup {
        let run = &self.run;
        let epochs = counted(run.epochs.len(), "epoch");
        html! {
            @if trained.is_none() {
                p.note role="note" {
                    "Training was stopped after " (epochs) " of " (run.planned) " and step " (run.step) ", to be resumed: this page shows the run so far."
                }
            }
            @if let Some(Ok(scores)) = scores { p.lead { (scores.line()) } }
            @if trained.is_some() && run.began() {
                p {
                    "Trained on " (counted(run.samples, "sample")) " of " (run.dataset) " for " (epochs)
                    @if run.epochs.len() < run.planned { " of " (run.planned) }
                    "."
                }
            }
        }
    }

    fn sections(&self, trained: Option<&dyn Trained>, scores: Option<&Result<Scores>>) -> Vec<Section> {
        let run = &self.run;
        let changes = trained.map_or(&[][..], |trained| trained.learning_rate_changes());
        let mut all = vec![section("scores", "Scores", scores::section(run, scores, self.validation_data.as_ref()))];
        if run.began() {
            all.push(section("curves", "Curves", scores::curves(run, changes)));
        }
        all.extend(health(&self.path).map(|body| section("health", "Health", body)));
        if let Some(trained) = trained {
            self.add_predictions(&mut all, trained, scores);
            all.extend(trained.module().as_sequential().map(|model| section("network", "Network", network(model))));
        }
        all.push(section("data", "Data", data::section(self)));
        if run.began() {
            all.push(section("timing", "Timing", scores::timing(run)));
        }
        if let Some(settings) = &self.settings {
            let body = html! { details { summary { "All settings" } (verbatim("All settings", settings)) } };
            all.push(section("settings", "Settings", body));
        }
        all.push(section("repeat", "How to repeat the run", self.how_to_repeat(trained)));
        all
    }

    /// What the trained model gives for the validation data.
    fn add_predictions(&self, all: &mut Vec<Section>, trained: &dyn Trained, scores: Option<&Result<Scores>>) {
        let Some(data) = &self.validation_data else { return };
        let samples = Samples { data, image_shape: self.image_shape.as_ref(), columns: self.sample_columns.as_ref() };
        let names = &self.class_names;
        match Outcome::of(trained, data) {
            Outcome::Classes(evaluation) => {
                all.push(section("classes", "Classes", classes::confusion(&evaluation, names)));
                all.push(section("calibration", "Calibration", classes::calibration(&evaluation, names)));
                all.push(section("mistakes", "Hardest mistakes", mistakes::of_classes(&evaluation, names, &samples)));
            }
            Outcome::Numbers { predicted, truth } => {
                all.push(section("predictions", "Predicted and true", numbers::section(&predicted, &truth)));
                all.push(section("errors", "Largest errors", mistakes::of_numbers(&predicted, &truth, &samples)));
            }
            Outcome::Unknown(why) => all.push(section("predictions", "Predictions", html! { p.note { (why) } })),
        }
        if let Some(Ok(scores)) = scores
            && let Some(body) = inputs::section(self, trained, &scores.logs, samples.image())
        {
            all.push(section("inputs", "What the model looks at", body));
        }
    }

    fn how_to_repeat(&self, trained: Option<&dyn Trained>) -> Markup {
        let mut all = vec![("version of Hadal", env!("CARGO_PKG_VERSION").to_owned())];
        all.extend(trained.map(|trained| ("seed of the training", trained.seed().to_string())));
        html! {
            @if !self.repeat.is_empty() { (verbatim("Commands", &self.repeat.join("\n"))) }
            (facts(all))
            p.small {
                "With the same version, seed, data and settings, on a processor with the same vector instructions, the result is the same to the \
                 last bit, whatever the number of threads."
            }
        }
    }
}

fn section(id: &'static str, title: &'static str, body: Markup) -> Section {
    Section { id, title, body }
}

/// The findings beside the report; `None` where nothing was looked for.
fn health(report: &Path) -> Option<Markup> {
    let path = report.with_file_name(RunFolder::HEALTH);
    let text = std::fs::read_to_string(&path).ok()?;
    Some(match serde_json::from_str::<Vec<Finding>>(&text) {
        Ok(all) if all.is_empty() => html! { p { "Nothing was found to be wrong." } },
        Ok(all) => html! {
            ul {
                @for own in all {
                    li { "Epoch " (own.epoch) ", step " (own.step) ": " (own.text) ". Try " (own.advice) "." }
                }
            }
        },
        Err(error) => super::text::missing(
            "The findings about the run’s health",
            &Error::file(&path, format!("is not a list of findings ({error})")),
        ),
    })
}

fn network(model: &Sequential) -> Markup {
    html! {
        (verbatim("Layers", &model.summary().to_string()))
        (figure("Layers of the network", plot::network_diagram(model), "From the input, left, to the output, right."))
    }
}
