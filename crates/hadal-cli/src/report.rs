//! The page about a run in its folder.

use std::path::Path;

use hadal::Result;
use hadal::data::Task;
use hadal::monitor::report::Report;

use crate::config::{self, Config};
use crate::counted::counted;
use crate::parts::Parts;
use crate::session::SETTINGS;
use crate::source::Source;
use crate::train::quoted;

/// The callback that writes it.
pub fn report(folder: &Path, config: &Config, source: &Source, parts: &Parts) -> Result<Report> {
    let mut report = Report::new(folder.join(Report::FILE))
        .title(source.name())
        .part("training", &parts.train)
        .part("test", &parts.test)
        .settings(config::to_toml(config)?)
        .repeat(commands(folder, config));
    if parts.vocabulary.is_none() {
        report = report.validation_data(&parts.test);
    }
    if let Some(holdout) = &parts.holdout {
        report = report.part("holdout", holdout);
    }
    if parts.task == Task::Classification {
        report = report.class_names((0..parts.outputs.max(parts.classes.len())).map(|class| parts.class_name(class)));
    }
    if let Some((names, row)) = parts.test_columns() {
        report = report.sample_columns(names, row);
    }
    if let Some(source) = &config.data.source {
        report = report.fact("source", source);
    }
    if let Some(digest) = &parts.digest {
        report = report.fact("SHA-256", digest);
    }
    let mut found = parts.found.clone();
    if let Some(table) = &parts.table {
        report = report.fact("file", format!("{}; {}", table.dialect, counted(table.rows, "row")));
        found.push(table.encoder.report(&table.columns).to_string());
    }
    Ok(if found.is_empty() { report } else { report.details(found.join("\n")) })
}

/// How the run is repeated, and how it is checked that the same comes out.
fn commands(folder: &Path, config: &Config) -> Vec<String> {
    let settings = quoted(&folder.join(SETTINGS));
    let mut lines = vec!["# in the folder where the run was started".to_owned()];
    if config.training.time_limit.is_some() {
        lines.push(format!("# {SETTINGS} has the step at which the time was up, as max_steps"));
    }
    // Standard input cannot be read again.
    if config.data.source.as_deref() == Some("-") {
        lines.push(format!("hadal train - --config {settings} < TABLE"));
        return lines;
    }
    lines.push(format!("hadal train --config {settings}"));
    lines.push(format!("hadal verify {}", quoted(folder)));
    lines
}
