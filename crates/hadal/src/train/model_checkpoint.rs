//! Saving the model during training.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Callback, Event, Flow, Logs};
use crate::Result;
use crate::nn::{Architecture, check_architecture, stage_parts};

/// A callback that saves the model after every epoch, as Keras's `ModelCheckpoint`. The file is written atomically: an
/// interrupted run loses at most one epoch. To keep the history beside it, see [`RunFolder`](super::RunFolder).
///
/// The file is what [`Sequential::load`](crate::nn::Sequential::load) reads; its notes name the epoch (`hadal.epoch`)
/// and the epoch's numbers (`hadal.loss`, ...).
///
/// ```
/// use hadal::train::ModelCheckpoint;
/// use hadal::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("model.safetensors");
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// let checkpoint = ModelCheckpoint::new(&path, model.model.architecture(), Default::default());
/// model.fit(&data, Fit::epochs(2).quiet().callback(checkpoint))?;
/// let (_, notes) = Sequential::load(&path)?;
/// assert_eq!(notes["hadal.epoch"], "2");
/// # Ok::<(), hadal::Error>(())
/// ```
pub struct ModelCheckpoint {
    path: PathBuf,
    architecture: Architecture,
    notes: BTreeMap<String, String>,
}

impl ModelCheckpoint {
    /// Saves a model of this architecture to `path`, with `notes` in the metadata of the file.
    pub fn new(path: impl AsRef<Path>, architecture: Architecture, notes: BTreeMap<String, String>) -> ModelCheckpoint {
        ModelCheckpoint { path: path.as_ref().to_owned(), architecture, notes }
    }
}

impl Callback for ModelCheckpoint {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { model, preprocessing, .. } => {
                self.architecture.preprocessing = preprocessing.first().cloned();
                check_architecture(&self.architecture, *model)?;
            }
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
