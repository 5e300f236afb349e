//! Saving the model during training.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::best::Best;
use super::training_state::check_settings;
use super::{Callback, CallbackState, Event, Flow, Logs};
use crate::Result;
use crate::nn::{Architecture, check_architecture, stage_parts};
use crate::optim::Mode;

/// The note in a model file that says which metric made it the best.
pub(super) const MONITOR_NOTE: &str = "hadal.monitor";

/// The note that says after which epoch the model was saved.
pub(super) const EPOCH_NOTE: &str = "hadal.epoch";

/// A callback that saves the model after every epoch, or after every one that is the best so far, as Keras's `ModelCheckpoint`. The file is written atomically: an
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
    best: Option<Best>,
    mode: Option<Mode>,
}

impl ModelCheckpoint {
    /// Saves a model of this architecture to `path`, with `notes` in the metadata of the file.
    pub fn new(path: impl AsRef<Path>, architecture: Architecture, notes: BTreeMap<String, String>) -> ModelCheckpoint {
        ModelCheckpoint { path: path.as_ref().to_owned(), architecture, notes, best: None, mode: None }
    }

    /// Saves the model only after an epoch whose metric `monitor`, for example `val_loss`, is the best so far: Keras's
    /// `save_best_only`. The notes name the metric (`hadal.monitor`). A metric that is NaN is never the best. The best is that of
    /// all calls of `fit` that the callback is passed to. Default: after every epoch.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("best.safetensors");
    /// # let data = hadal::data::synthetic::moons(40, 0.3, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// let checkpoint = ModelCheckpoint::new(&path, model.model.architecture(), Default::default()).save_best_only("loss");
    /// let history = model.fit(&data, Fit::epochs(5).quiet().callback(checkpoint))?;
    /// let (_, notes) = Sequential::load(&path)?;
    /// let least = history.get("loss")?.into_iter().fold(f64::INFINITY, f64::min);
    /// assert_eq!((&notes["hadal.monitor"], &notes["hadal.loss"]), (&"loss".to_string(), &least.to_string()));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn save_best_only(mut self, monitor: impl Into<String>) -> ModelCheckpoint {
        let best = Best::new("ModelCheckpoint", monitor);
        self.notes.insert(MONITOR_NOTE.into(), best.monitor.clone());
        self.best = Some(best);
        self
    }

    /// Whether lower or higher is better, of the metric that [`save_best_only`](ModelCheckpoint::save_best_only) names. Default:
    /// what the metric says ([`Metric::higher_is_better`](crate::metric::Metric::higher_is_better)); for a loss, lower is.
    pub fn mode(mut self, mode: Mode) -> ModelCheckpoint {
        self.mode = Some(mode);
        self
    }

    /// What must be the same for a run to be resumed.
    fn settings(&self) -> String {
        self.best.as_ref().map_or("every epoch".to_owned(), |best| format!("save_best_only {}", best.settings()))
    }
}

impl Callback for ModelCheckpoint {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { model, preprocessing, metric_names, higher_is_better, .. } => {
                if let Some(best) = &mut self.best {
                    best.mode = self.mode;
                    best.prepare(metric_names, higher_is_better)?;
                }
                self.architecture.preprocessing = preprocessing.first().cloned();
                check_architecture(&self.architecture, *model)?;
            }
            Event::EpochEnd { epoch, logs, model, .. } => {
                if self.best.as_mut().is_some_and(|best| !best.update(*epoch, logs)) {
                    return Ok(Flow::Continue);
                }
                let notes = epoch_notes(&self.notes, *epoch, logs);
                stage_parts(&self.path, &self.architecture, &model.state_dict(), notes)?.commit()?;
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn state(&self) -> Option<CallbackState> {
        CallbackState::json(&(self.settings(), self.best.as_ref().and_then(Best::state)), Vec::new())
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let (settings, best): (String, _) = state.parse("ModelCheckpoint")?;
        check_settings("ModelCheckpoint", &settings, &self.settings())?;
        if let Some(own) = &mut self.best {
            own.load_state(best);
        }
        Ok(())
    }
}

/// The notes beside a model after an epoch.
pub(super) fn epoch_notes(notes: &BTreeMap<String, String>, epoch: usize, logs: &Logs) -> BTreeMap<String, String> {
    let mut notes = notes.clone();
    notes.extend(logs.iter().map(|(name, value)| (format!("hadal.{name}"), value.to_string())));
    notes.insert(EPOCH_NOTE.into(), epoch.to_string());
    notes
}
