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
    let board =
        TensorBoard::new(folder.path).hparams(hparams(config)).verbatim("configuration", &config::to_toml(config)?);
    // What is shown of the outputs for a test part has a row for each sample, and a text's have one for each character.
    if parts.vocabulary.is_some() {
        return Ok(board);
    }
    let mut board = board.validation_data(&parts.test);
    if let Some((names, row)) = parts.test_columns() {
        board = board.sample_columns(names, row);
    }
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

#[cfg(test)]
mod tests {
    use hadal::data::{ReadOptions, Table};
    use hadal::prelude::*;
    use hadal::train::Every;

    use super::*;
    use crate::tables::parts_of;

    #[test]
    fn mistakes_of_a_table_are_shown_with_their_cells() {
        let mut text = "name,y,x\n".to_owned();
        (0..60).for_each(|row| text += &format!("row|{row},{},{}\n", ["no", "yes"][row % 2], row % 2));
        let table = Table::from_reader("t", text.as_bytes(), &ReadOptions::default()).unwrap();
        let mut config = Config::default();
        config.data.target = Some("y".into());
        config.data.drop = vec!["name".into()];
        let parts = parts_of(&table, &mut config, None).unwrap();
        let path = tempfile::tempdir().unwrap();
        let folder = Folder {
            path: path.path(),
            checkpoint_every: Every::default(),
            resume: false,
            inexact: false,
            is_watched: true,
            is_reported: false,
        };
        let board = tensorboard(folder, &config, &parts).unwrap();
        let network = Sequential::new(parts.train.input_shape()).add(Dense::new(1).activation(Sigmoid));
        let mut model = network.compile(Sgd::new(0.1), BinaryCrossentropy, ()).unwrap();
        model.fit(&parts.train, Fit::epochs(1).validation_data(&parts.test).callback(board).quiet()).unwrap();
        let events = std::fs::read_dir(path.path()).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        let events: String = events.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        assert!(events.contains("| probability of the predicted class | line | x | name |"));
        let (_, row) = parts.test_columns().unwrap();
        let [line, x, name] = row(0).try_into().unwrap();
        assert!(events.contains(&format!(" | {line} | {x} | {} |\n", name.replace('|', "\\|"))), "{line} {x} {name}");
    }
}
