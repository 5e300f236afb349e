//! What `hadal train` says on standard output: lines for a reader, JSON lines for programs, or the score alone.

use std::io::{IsTerminal, stdout};
use std::path::Path;

use hadal::Result;
use hadal::data::Task;
use hadal::monitor::report::Report;
use hadal::monitor::{Console, JsonLogger, columns, print_line, wrapped};
use hadal::prelude::*;
use hadal::train::{Callback, Logs};
use serde_json::{Value, json};

use crate::args::Train;
use crate::config::Config;
use crate::counted::{counted, shortened};
use crate::intervals::print_intervals;
use crate::narrowed::narrowed;
use crate::outcome;
use crate::parts::Parts;
use crate::session::Ended;
use crate::source::Source;
use crate::summary::scores;
use crate::texts;
use crate::train::quoted;

/// Says what becomes of a run.
pub struct Reporter<'a> {
    args: &'a Train,
    source: &'a Source,
    parts: &'a Parts,
    /// Where it is kept.
    folder: Option<&'a Path>,
}

impl<'a> Reporter<'a> {
    pub fn new(args: &'a Train, source: &'a Source, parts: &'a Parts, folder: Option<&'a Path>) -> Reporter<'a> {
        Reporter { args, source, parts, folder }
    }

    fn is_quiet(&self) -> bool {
        self.args.quiet || self.args.log_json
    }

    fn json(&self, line: &Value) -> Result<()> {
        JsonLogger::new(stdout()).line(line)
    }

    /// What shows how training goes on.
    pub fn progress(&self) -> Option<Box<dyn Callback>> {
        match self.args {
            args if args.log_json => Some(Box::new(JsonLogger::new(stdout()))),
            args if args.quiet => None,
            args => Some(Box::new(Console::new(stdout().is_terminal()).log_interval(args.log_interval))),
        }
    }

    /// Before the first epoch.
    pub fn begin(&self, model: &Sequential, config: &Config) -> Result<()> {
        if self.is_quiet() {
            return Ok(());
        }
        describe(self.source, self.parts)?;
        let columns = columns().unwrap_or(usize::MAX);
        print_line(&format!("{}\n", narrowed(&model.summary().to_string(), columns)))?;
        print_line(&wrapped(&training_on(self.source, self.parts, config), " ", columns))
    }

    /// Training has stopped before its end, by a signal or from the dashboard.
    pub fn stopped(&self, ended: &Ended, by_signal: bool) -> Result<()> {
        let resume = self.folder.map(|folder| format!("hadal train --resume {}", quoted(folder)));
        if self.args.log_json {
            return self.json(&json!({ "event": "interrupted", "resume": resume }));
        }
        let verb = if by_signal { "Interrupted" } else { "Stopped" };
        let place = format!("after epoch {} and step {}", ended.model.epochs(), ended.model.steps());
        print_line(&match resume {
            Some(resume) => format!("{verb} {place}; go on with: {resume}"),
            None => format!("{verb} {place}; nothing was kept (--no-out)"),
        })
    }

    /// The scores on the test part.
    pub fn score(&self, score: &Logs) -> Result<()> {
        if self.args.log_json {
            return self.json(&json!({ "event": "test", "scores": scores(score) }));
        }
        print_line(&format!("{} test: {score}{}", self.source.name(), self.baseline(score)))
    }

    /// What the score is to be compared with.
    fn baseline(&self, score: &Logs) -> String {
        match self.parts.vocabulary {
            Some(_) => texts::in_other_words(score),
            None => baseline(self.source, self.parts),
        }
    }

    /// When all has been written.
    pub fn end(&self, ended: &Ended, score: &Logs) -> Result<()> {
        if self.args.log_json {
            self.json(&json!({ "event": "end", "folder": self.folder, "seconds": ended.seconds }))?;
        }
        if self.is_quiet() {
            return Ok(());
        }
        print_intervals(&ended.model, &self.parts.test, score)?;
        if let Some(columns) = columns() {
            outcome::print(&ended.history, &ended.model, self.parts, columns)?;
        }
        if let Some(step) = ended.timed_out {
            let recorded = if self.folder.is_some() { "; config.toml has it as max_steps" } else { "" };
            print_line(&format!("The time was up after step {step}{recorded}"))?;
        }
        let page = self.folder.map(|folder| folder.join(Report::FILE)).filter(|page| page.exists());
        page.map_or(Ok(()), |page| print_line(&format!("A report is in {}", page.display())))?;
        print_line(&match self.folder {
            Some(folder) => format!("The run is kept in {}", folder.display()),
            None => "Nothing was kept (--no-out)".to_owned(),
        })
    }
}

/// What was found in the data, before the network.
pub fn describe(source: &Source, parts: &Parts) -> Result<()> {
    let Some(table) = &parts.table else {
        parts.found.iter().try_for_each(|line| print_line(line))?;
        return if parts.found.is_empty() { Ok(()) } else { print_line("") };
    };
    let columns = counted(table.encoder.input_columns().len(), "column");
    let inputs = counted(table.encoder.features(), "input");
    print_line(&format!("{}: {}; {}\n", source.name(), table.dialect, counted(table.rows, "row")))?;
    print_line(&format!("{}\n", table.encoder.report(&table.columns)))?;
    let target = table.encoder.target();
    print_line(&match parts.task {
        Task::Classification => format!(
            "Classification: `{target}` has the classes {}, predicted from {columns} ({inputs})",
            shortened(&parts.classes),
        ),
        Task::Regression => format!("Regression: `{target}` is a number, predicted from {columns} ({inputs})"),
    })
}

/// The line before the first epoch.
fn training_on(source: &Source, parts: &Parts, config: &Config) -> String {
    let holdout = parts.holdout.as_ref().map_or(String::new(), |part| format!(", {} held out", part.len()));
    let how = match &config.split {
        split if split.part.is_some() => " (parts as the table says)",
        split if split.group.is_some() => " (by group)",
        split if split.order.is_some() => " (in order)",
        split if split.stratify == Some(true) => " (stratified)",
        _ if parts.vocabulary.is_some() => " (in order)",
        _ => "",
    };
    let length = parts.vocabulary.as_ref().map_or(String::new(), |_| {
        let texts::Length { steps, steps_per_epoch, .. } = texts::length(config, parts);
        format!(", {}, {steps_per_epoch} in an epoch", counted(steps, "step"))
    });
    format!(
        "Training on {}: {}, {} to test{holdout}{how}{length}, seed {}, {}",
        source.name(),
        counted(parts.train.len(), source.sample()),
        parts.test.len(),
        config.training.seed.unwrap_or(1),
        counted(hadal::num_threads(), "thread")
    )
}

/// What guessing would reach: always the most frequent class of the training part.
fn baseline(source: &Source, parts: &Parts) -> String {
    if matches!(source, Source::Mnist | Source::Digits) || parts.task == Task::Regression {
        return String::new();
    }
    let count = |data: &Dataset| {
        let mut counts = vec![0usize; parts.outputs];
        data.targets().to_vec::<i64>().into_iter().for_each(|label| counts[label as usize] += 1);
        counts
    };
    let Some((most, _)) = count(&parts.train).into_iter().enumerate().max_by_key(|(_, count)| *count) else {
        return String::new();
    };
    let share = 100.0 * count(&parts.test)[most] as f64 / parts.test.len() as f64;
    format!(" (always `{}`: {share:.2}%)", parts.class_name(most))
}
