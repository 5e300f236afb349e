//! What a run is watched by: callbacks that have no influence on it, but by the buttons of the dashboard.

use std::path::Path;

use hadal::Result;
use hadal::data::Task;
use hadal::monitor::dashboard::{Control, Dashboard, Server};
use hadal::monitor::tensorboard::{HParam, TensorBoard};
use hadal::train::{Health, RunFolder};

use crate::args::HealthName;
use crate::config::{self, Config};
use crate::parts::Parts;
use crate::session::Folder;

/// Settings that are no hyperparameters: where things lie.
const PLACES: [&str; 2] = ["data.source", "tune"];

/// The callback that writes the run's events file.
pub fn tensorboard(folder: Folder, config: &Config, parts: &Parts) -> Result<TensorBoard> {
    let names = (0..parts.outputs.max(parts.classes.len())).map(|class| parts.class_name(class));
    let board = TensorBoard::new(folder.path)
        .validation_data(&parts.test)
        .hparams(hparams(config))
        .verbatim("configuration", &config::to_toml(config)?);
    Ok(if parts.task == Task::Classification { board.class_names(names) } else { board })
}

/// What looks for that which makes training fail, and keeps what it found in the run's folder.
pub fn health(what: HealthName, config: &Config, parts: &Parts, folder: Option<&Path>) -> Option<Health> {
    let mut health = Health::new().restores_best_weights(config.training.keep_best == Some(true));
    if parts.task == Task::Classification {
        health = health.class_names((0..parts.outputs.max(parts.classes.len())).map(|class| parts.class_name(class)));
    }
    if let Some(folder) = folder {
        health = health.record(folder.join(RunFolder::HEALTH));
    }
    match what {
        HealthName::On => Some(health),
        HealthName::Strict => Some(health.strict()),
        HealthName::Off => None,
    }
}

/// A page that shows the runs below `root`, and what its buttons do to training.
pub fn dashboard(root: &Path, interrupted: impl Fn() -> bool + Send + Sync + 'static) -> Result<(Server, Control)> {
    let control = Control::default().interrupted_by(interrupted);
    let server = Dashboard::serve([root]).control(control.clone()).start()?;
    Ok((server, control))
}

/// What the page's buttons do to the run in `folder`, and its record of that.
pub fn control(control: &Control, folder: &Path) -> Control {
    control.clone().record(folder.join("control.csv"))
}

fn hparams(config: &Config) -> Vec<(String, HParam)> {
    let settings = config::flat(config).into_iter().filter(|(name, _)| !PLACES.contains(&name.as_str()));
    settings.map(|(name, value)| (name, hparam(&value))).collect()
}

/// A setting, as TOML, as the page "HParams" takes it.
fn hparam(value: &str) -> HParam {
    match (value.parse::<f64>(), value.parse::<bool>()) {
        (Ok(number), _) => HParam::Number(number),
        (_, Ok(is)) => HParam::Bool(is),
        _ => HParam::Text(value.trim_matches('"').to_owned()),
    }
}
