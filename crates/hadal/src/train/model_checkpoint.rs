//! Keeping the model of a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Callback, Event, Flow, Logs};
use crate::Result;
use crate::nn::{Architecture, check_architecture, stage_parts};

/// Writes the model to one file after every epoch, whole or not at all: an interrupted run has lost an epoch at most. To keep
/// the history beside it, see [`RunFolder`](super::RunFolder).
///
/// The file is what [`Sequential::load`](crate::nn::Sequential::load) reads; its notes name the epoch (`hadal.epoch`)
/// and the epoch's numbers (`hadal.loss`, ...).
pub struct ModelCheckpoint {
    path: PathBuf,
    architecture: Architecture,
    notes: BTreeMap<String, String>,
}

impl ModelCheckpoint {
    /// Writes to `path` a model of this architecture, with `notes` beside the weights.
    pub fn new(path: impl AsRef<Path>, architecture: Architecture, notes: BTreeMap<String, String>) -> ModelCheckpoint {
        ModelCheckpoint { path: path.as_ref().to_owned(), architecture, notes }
    }
}

impl Callback for ModelCheckpoint {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { model, .. } => check_architecture(&self.architecture, *model)?,
            Event::EpochEnd { epoch, logs, model, .. } => {
                let notes = epoch_notes(&self.notes, *epoch, logs);
                stage_parts(&self.path, &self.architecture, &model.state_dict(), notes)?.commit()?;
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }
}

/// The notes beside a model after an epoch.
pub(super) fn epoch_notes(notes: &BTreeMap<String, String>, epoch: usize, logs: &Logs) -> BTreeMap<String, String> {
    let mut notes = notes.clone();
    notes.extend(logs.iter().map(|(name, value)| (format!("hadal.{name}"), value.to_string())));
    notes.insert("hadal.epoch".into(), epoch.to_string());
    notes
}
