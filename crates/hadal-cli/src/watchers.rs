//! What a run is watched by: callbacks that have no influence on it.

use hadal::Result;
use hadal::monitor::tensorboard::{HParam, TensorBoard};

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
    Ok(if parts.task == hadal::data::Task::Classification { board.class_names(names) } else { board })
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
