//! Scores, curves and times.

use maud::{Markup, html};

use super::run::Run;
use super::text::{counted, duration, facts, figure, missing, number, score, score_text, table};
use crate::Result;
use crate::data::Dataset;
use crate::nn::thousands;
use crate::plot::{self, Plot};
use crate::train::{Interval, Logs, Trained};

/// What the trained model was scored.
pub(super) struct Scores {
    pub logs: Logs,
    intervals: Result<Vec<Interval>>,
}

impl Scores {
    pub fn of(trained: &dyn Trained, data: &Dataset) -> Result<Scores> {
        let logs = trained.evaluate(data)?;
        let intervals = trained.intervals(data, &logs);
        Ok(Scores { logs, intervals })
    }

    /// In a sentence.
    pub fn line(&self) -> String {
        let score = |(name, value): (&str, f64)| format!("{name} {}", score_text(name, value));
        self.logs.iter().map(score).collect::<Vec<_>>().join(", ")
    }

    fn interval(&self, name: &str) -> Option<&Interval> {
        self.intervals.as_ref().ok()?.iter().find(|own| own.name == name)
    }
}

/// The scores on the validation data, beside those of the last epoch's training.
pub(super) fn section(run: &Run, scores: Option<&Result<Scores>>, data: Option<&Dataset>) -> Markup {
    let history = run.history();
    let last = history.epochs.last().cloned().unwrap_or_default();
    let (Some(scores), Some(data)) = (scores, data) else { return of_epoch(&last, run) };
    let scores = match scores {
        Ok(scores) => scores,
        Err(error) => return html! { (missing("The scores", error)) (of_epoch(&last, run)) },
    };
    let head = ["score", "validation", "95% interval", "training"].map(str::to_owned);
    let row = |(name, value): (&str, f64)| {
        let interval = scores.interval(name);
        let ends =
            interval.map_or(html! { "–" }, |own| html! { (score(name, own.low)) " to " (score(name, own.high)) });
        let training = last.get(name).map_or(html! { "–" }, |value| score(name, value));
        vec![html! { (name) }, score(name, value), ends, training]
    };
    let caption = format!(
        "Scores of the trained model on the validation data: {} of {}",
        counted(data.len(), "sample"),
        data.name()
    );
    html! {
        (table(&caption, &head, scores.logs.iter().map(row).collect(), |at| at > 0))
        @if let Err(error) = &scores.intervals { (missing("Intervals", error)) }
        p.small {
            "An interval says what other samples of the same kind would give: Wilson’s for an accuracy, the percentile bootstrap for other \
             scores. “–” is not computed. Training scores are means over the last epoch, while weights changed and with dropout, if any."
        }
        @if let Some(epoch) = epoch_of(run, &scores.logs) {
            p { "The model was left with the weights of epoch " (epoch.0) " of " (epoch.1) ", not those of the last one." }
        }
    }
}

/// Where nothing was evaluated.
fn of_epoch(last: &Logs, run: &Run) -> Markup {
    let Some(epoch) = run.epochs.last() else { return html! { p { "No epoch has ended yet." } } };
    let row = |(name, value): (&str, f64)| vec![html! { (name) }, score(name, value)];
    let caption = format!("Loss and metrics of epoch {}", epoch.number);
    table(&caption, &["score", "value"].map(str::to_owned), last.iter().map(row).collect(), |at| at > 0)
}

/// The epoch with just these validation scores, and the last one, where they are not the same.
fn epoch_of(run: &Run, scores: &Logs) -> Option<(usize, usize)> {
    let history = run.history();
    let is_its = |logs: &Logs| {
        scores.iter().all(|(name, value)| {
            let own = logs.get(&format!("val_{name}")).unwrap_or(f64::NAN);
            (own - value).abs() <= 1e-6 * value.abs().max(1e-6)
        })
    };
    let last = history.epochs.len().checked_sub(1)?;
    let found = history.epochs.iter().rposition(is_its).filter(|found| *found < last)?;
    Some((run.epochs[found].number, run.epochs[last].number))
}

/// Loss, metrics and learning rate by epoch.
pub(super) fn curves(run: &Run, changes: &[(usize, f64)]) -> Markup {
    if run.epochs.is_empty() {
        return html! { p { "No epoch has ended yet." } };
    }
    let first = run.epochs.first().map_or(1, |epoch| epoch.number);
    let rates = run.learning_rates();
    let is_constant = rates.iter().all(|rate| *rate == rates[0]);
    html! {
        (figure("Loss and metrics by epoch", plot::loss_curves(&run.history()),
            "Solid lines: training, the mean over each epoch. Dashed lines (val_): validation data, after the epoch."))
        @if first > 1 { p { "The first epoch that is drawn is epoch " (first) " of the model." } }
        @if is_constant { p { "The learning rate was " (number(rates[0])) " throughout." } }
        @else {
            (figure("Learning rate by epoch", rate_curve(&rates), "The learning rate of each epoch’s last step."))
        }
        @if !changes.is_empty() {
            p { "It was changed while training went on: " (changes_text(changes)) "." }
        }
    }
}

fn changes_text(changes: &[(usize, f64)]) -> String {
    let change = |(step, rate): &(usize, f64)| format!("to {} after step {}", number(*rate), thousands(*step));
    changes.iter().map(change).collect::<Vec<_>>().join(", ")
}

fn rate_curve(rates: &[f64]) -> Result<plot::Picture> {
    let points: Vec<(f64, f64)> = rates.iter().enumerate().map(|(at, rate)| (at as f64 + 1.0, *rate)).collect();
    Ok(Plot::new("").labels("epoch", "learning rate").line("learning rate", &points).picture()?.size(800, 320))
}

/// How long it took, and where.
pub(super) fn timing(run: &Run) -> Markup {
    let mut epochs = run.epoch_seconds();
    epochs.sort_by(f64::total_cmp);
    let mut all = vec![("total", duration(run.seconds()))];
    if let (Some(least), Some(most)) = (epochs.first(), epochs.last()) {
        let median = epochs[epochs.len() / 2];
        let range = format!("{}, from {} to {}", duration(median), duration(*least), duration(*most));
        all.push(("training of an epoch (median)", range));
        if median > 0.0 {
            let rate = (run.samples as f64 / median).round() as usize;
            all.push(("training speed", format!("{} per second", counted(rate, "sample"))));
        }
    }
    all.push(("steps", thousands(run.step)));
    if run.resumed > 0 {
        all.push(("resumed", counted(run.resumed, "time")));
    }
    all.extend([
        ("processor", crate::Machine::this().processor()),
        ("threads", crate::num_threads().to_string()),
        ("vector instructions", crate::simd_level().name().to_owned()),
    ]);
    html! {
        (facts(all))
        p.small { "The total has validation and what else was done between the epochs, but not the pause before a run was resumed." }
    }
}
