//! A directory for the model and history of a training run.

mod held;
mod memory;
mod older;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use self::held::HeldFolder;
use self::older::OlderFiles;
use super::best::Best;
use super::model_checkpoint::{EPOCH_NOTE, MONITOR_NOTE, epoch_notes};
use super::restore::{HISTORY_NOTE, cannot_restore, is_current, restore_files};
use super::set_aside::SetAside;
use super::{Callback, CallbackState, Checkpoint, Event, Every, Flow, Logs, TrainingState};
use crate::format::{FolderLock, Staged, kind_name, safetensors, stage, write_atomically};
use crate::monitor::{Record, note};
use crate::nn::{Architecture, check_architecture, stage_parts};
use crate::optim::Mode;
use crate::{Error, Result, Tensor};

/// A callback that saves the model, the history and the training times to a directory after every epoch.
///
/// | file | holds |
/// | --- | --- |
/// | `model.safetensors` | the model, and in its metadata the notes given, `hadal.epoch`, loss and metrics (`hadal.loss`, ...) and `hadal.history`, the whole of `history.csv` |
/// | `last.safetensors` | only with [`keep_best`](RunFolder::keep_best): the same of the last epoch, while `model.safetensors` is that of the best epoch so far |
/// | `checkpoint.safetensors` | only with [`checkpoint`](RunFolder::checkpoint): the state of training, to go on from |
/// | `history.csv` | a line per epoch: the epoch, all logs, the learning rate, the dataset |
/// | `timing.csv` | a line per epoch: the epoch, the seconds of training |
/// | `.hadal.lock` | the process that writes to the folder, or did last |
///
/// The directory is locked: only one run can use it at a time. Runs with the same seed and data write identical files, except
/// `timing.csv`. Files are written atomically, and the directory never holds a model and a history of different epochs or runs:
/// the old `history.csv` is moved away before a new model replaces the old one. If the run is killed in between,
/// [`restore`](RunFolder::restore), or the next run in the folder, writes the history that the model holds. `timing.csv` is
/// written last and is not restored.
///
/// With [`keep_best`](RunFolder::keep_best) the history of the best model is the beginning of that of the last one, by which they
/// are known to be of one run. An epoch's files take their places in this order: `history.csv` is moved away, and from an earlier
/// run `timing.csv` and `last.safetensors`, too; then `model.safetensors`, if the epoch is the best, `last.safetensors`,
/// `history.csv` and `timing.csv`. So `model.safetensors` is the best model at any instant. If the run is killed before
/// `last.safetensors` is in place, the best model is the last one, and `restore` copies it; if it is killed after that,
/// `restore` writes the history that `last.safetensors` holds.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::train::RunFolder;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("runs/first");
/// # let data = hadal::data::synthetic::moons(20, 0.1, 1)?;
/// let mut model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid)).compile(
///     Sgd::new(0.1),
///     BinaryCrossentropy,
///     [Accuracy],
/// )?;
/// let folder = RunFolder::open(&path, model.model.architecture(), Default::default())?;
/// model.fit(&data, Fit::epochs(3).quiet().callback(folder))?;
/// let (model, notes) = Sequential::load(path.join(RunFolder::MODEL))?;
/// assert_eq!(notes["hadal.epoch"], "3");
/// # Ok::<(), hadal::Error>(())
/// ```
pub struct RunFolder {
    path: PathBuf,
    architecture: Architecture,
    notes: BTreeMap<String, String>,
    record: Record,
    keep_best: Option<KeepBest>,
    mode: Option<Mode>,
    min_delta: f64,
    checkpoint: Option<Checkpoint>,
    /// Names and contents of files that are there from the beginning.
    files: Vec<(String, String)>,
    /// Whether they are, and nothing that only an older run could go on from.
    claimed: bool,
    /// Whether the folder holds a model of this run.
    begun: bool,
    /// Whether the best model in the folder may be that of a later epoch, which this run has yet to reach again.
    resumed: bool,
    /// An epoch whose files could not be written.
    unwritten: Option<Snapshot>,
    /// What watched the run that was here before.
    older: OlderFiles,
    lock: FolderLock,
}

/// The weights and notes of an epoch.
type Snapshot = (Vec<(String, Tensor)>, BTreeMap<String, String>);

/// The best epoch so far. It is kept in memory, too, in case the folder is removed during the run.
struct KeepBest {
    best: Best,
    snapshot: Option<Snapshot>,
}

impl RunFolder {
    /// The name of the model file.
    pub const MODEL: &str = "model.safetensors";
    /// The name of the file with the model of the last epoch, with [`keep_best`](RunFolder::keep_best).
    pub const LAST: &str = "last.safetensors";
    /// The name of the file with the state of training, with [`checkpoint`](RunFolder::checkpoint).
    pub const CHECKPOINT: &str = "checkpoint.safetensors";
    /// The name of a file with what the run came to. It is written by whoever runs the training, and removed when another run takes
    /// the folder.
    pub const SUMMARY: &str = "summary.json";
    /// The name of a file that says how often the holdout part was looked at, with [`SUMMARY`](RunFolder::SUMMARY).
    pub const HOLDOUT: &str = "holdout.csv";
    /// The name of a file with the findings of [`Health`](super::Health), which [`Health::record`](super::Health::record) writes.
    pub const HEALTH: &str = "health.json";
    /// The name of the file with a page about the run, which `Report` writes.
    pub const REPORT: &str = "report.html";
    /// The name of the file with the history.
    pub const HISTORY: &str = "history.csv";
    /// The name of the file with the times.
    pub const TIMING: &str = "timing.csv";

    /// Opens and locks a directory, creating it if needed, for a model of this architecture. `notes` are stored in the metadata
    /// of the model file. What the folder holds is replaced after the first epoch; see
    /// [`existing_run`](RunFolder::existing_run).
    ///
    /// Temporary files of interrupted runs are removed, and a missing history is restored from the model.
    ///
    /// # Errors
    /// If another run holds the folder, or its files cannot be written there. [`HeldFolder::take_or_next`] chooses another one then.
    pub fn open(
        path: impl AsRef<Path>,
        architecture: Architecture,
        notes: BTreeMap<String, String>,
    ) -> Result<RunFolder> {
        RunFolder::open_held(HeldFolder::take(path)?, architecture, notes)
    }

    /// As [`open`](RunFolder::open), with a directory that is locked already.
    ///
    /// # Errors
    /// If something that is no file has the name of one of the run's.
    pub fn open_held(
        folder: HeldFolder,
        architecture: Architecture,
        notes: BTreeMap<String, String>,
    ) -> Result<RunFolder> {
        let HeldFolder { path, lock } = folder;
        for name in [
            RunFolder::MODEL,
            RunFolder::LAST,
            RunFolder::CHECKPOINT,
            RunFolder::HISTORY,
            RunFolder::TIMING,
            RunFolder::SUMMARY,
            RunFolder::HOLDOUT,
        ] {
            let file = path.join(name);
            if let Some(kind) = file.metadata().ok().map(|file| file.file_type()).filter(|kind| !kind.is_file()) {
                return Err(Error::file(&file, format!("is {}, where the run keeps a file", kind_name(kind))));
            }
        }
        // A model that cannot be read has nothing to restore.
        if let Ok((_, notes)) = safetensors::load(&path.join(RunFolder::MODEL)) {
            restore_files(&path, &notes);
        }
        let older = OlderFiles::find(&path);
        let record = Record::default();
        Ok(RunFolder {
            path,
            architecture,
            notes,
            record,
            keep_best: None,
            mode: None,
            min_delta: 0.0,
            checkpoint: None,
            files: Vec::new(),
            claimed: false,
            begun: false,
            resumed: false,
            unwritten: None,
            older,
            lock,
        })
    }

    /// Saves the state of training as `checkpoint.safetensors` in the folder, so that a run that was killed can be
    /// [resumed](super::Trainer::resume): see [`Checkpoint`]. `notes` are kept in the file. Default: no such file.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// use hadal::train::{Every, RunFolder};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("run");
    /// # let data = hadal::data::synthetic::moons(40, 0.3, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// let run = RunFolder::open(&path, model.model.architecture(), Default::default())?;
    /// model.fit(&data, Fit::epochs(5).callback(run.checkpoint(Every::Steps(100), Default::default())).quiet())?;
    /// assert!(path.join(RunFolder::CHECKPOINT).exists());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn checkpoint(mut self, every: Every, notes: BTreeMap<String, String>) -> RunFolder {
        let checkpoint = Checkpoint::new(self.path.join(RunFolder::CHECKPOINT));
        self.checkpoint = Some(checkpoint.every(every).notes(notes));
        self
    }

    /// A file of text that is in the folder from the beginning of the run, such as its settings. If the folder holds a run already, it is
    /// written when the first file of that run is replaced.
    pub fn file(mut self, name: impl Into<String>, contents: impl Into<String>) -> RunFolder {
        self.files.push((name.into(), contents.into()));
        self
    }

    /// Keeps the model of the epoch whose metric `monitor`, for example `val_loss`, is the best so far, as `model.safetensors`,
    /// and that of the last epoch as `last.safetensors`. The notes name the metric (`hadal.monitor`). A metric that is NaN is
    /// never the best; before the first that is a number, the last epoch stands in. Default: the model of the last epoch alone.
    ///
    /// A callback that gives the model its best weights back when training has ended, as
    /// [`EarlyStopping`](super::EarlyStopping) with `restore_best_weights`, should monitor the same metric, so that the trained
    /// model is the one in the folder.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// use hadal::train::RunFolder;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("run");
    /// # let data = hadal::data::synthetic::moons(40, 0.3, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// let run = RunFolder::open(&path, model.model.architecture(), Default::default())?.keep_best("val_loss");
    /// model.fit(&data, Fit::epochs(5).validation_data(&data).callback(run).quiet())?;
    /// let (_, notes) = Sequential::load(path.join(RunFolder::LAST))?;
    /// assert_eq!((notes["hadal.epoch"].as_str(), notes["hadal.monitor"].as_str()), ("5", "val_loss"));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keep_best(mut self, monitor: impl Into<String>) -> RunFolder {
        let best = Best::new("RunFolder", monitor);
        self.notes.insert(MONITOR_NOTE.into(), best.monitor.clone());
        self.keep_best = Some(KeepBest { best, snapshot: None });
        self
    }

    /// Whether lower or higher is better, of the metric that [`keep_best`](RunFolder::keep_best) names. Default: what the metric
    /// says ([`Metric::higher_is_better`](crate::metric::Metric::higher_is_better)); for a loss, lower is.
    pub fn mode(mut self, mode: Mode) -> RunFolder {
        self.mode = Some(mode);
        self
    }

    /// The minimum change of the metric that [`keep_best`](RunFolder::keep_best) names that counts as an improvement. Default: 0.
    pub fn min_delta(mut self, min_delta: f64) -> RunFolder {
        self.min_delta = min_delta;
        self
    }

    /// The path of a model, history or checkpoint file in a directory, if there is one.
    ///
    /// ```
    /// use hadal::train::RunFolder;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let folder = folder.path();
    /// assert_eq!(RunFolder::existing_run(folder), None);
    /// ```
    pub fn existing_run(folder: &Path) -> Option<PathBuf> {
        let names = [RunFolder::MODEL, RunFolder::LAST, RunFolder::HISTORY, RunFolder::CHECKPOINT];
        let files = names.map(|name| folder.join(name));
        files.into_iter().find(|path| path.symlink_metadata().is_ok())
    }

    /// Restores `history.csv` from the model if it is missing or does not match the model, because a run was killed before it
    /// wrote the file, and `last.safetensors` where that is why it is older than the model. `notes` are those of
    /// `model.safetensors` that [`Sequential::load`](crate::nn::Sequential::load) returned; without a history in them, nothing
    /// is done. A note on standard error says what was restored, or why it could not be. The folder of a run that
    /// is still going on is not changed.
    pub fn restore(folder: &Path, notes: &BTreeMap<String, String>) {
        if is_current(folder, notes) {
            return;
        }
        match FolderLock::take(folder) {
            Ok(_lock) => {
                // Meanwhile, the run that was writing may have ended.
                if let Ok((_, notes)) = safetensors::load(&folder.join(RunFolder::MODEL)) {
                    restore_files(folder, &notes);
                }
            }
            Err(Error::Io { source, .. }) => cannot_restore(folder, &source),
            Err(_) => {}
        }
    }

    /// Puts an epoch's files in place; `best` says whether it is the best so far. After a kill between any two steps, `restore`
    /// writes what is missing.
    fn write(&mut self, epoch: &Snapshot, best: bool) -> Result<()> {
        self.renew()?;
        let files = if self.claimed { Vec::new() } else { self.stage_files()? };
        let stage = |name: &str, (state, notes): &Snapshot| {
            stage_parts(&self.path.join(name), &self.architecture, state, notes.clone())
        };
        let (model, last) = match &self.keep_best {
            None => (Some(stage(RunFolder::MODEL, epoch)?), None),
            Some(keep) => {
                let gone = self.path.join(RunFolder::MODEL).symlink_metadata().is_err();
                let is_behind = gone || self.resumed || self.unwritten.is_some();
                let model = keep.snapshot.as_ref().filter(|_| best || is_behind);
                let model = model.map(|model| stage(RunFolder::MODEL, model)).transpose()?;
                (model, Some(stage(RunFolder::LAST, epoch)?))
            }
        };
        let mut replaced = vec![RunFolder::HISTORY];
        if !self.begun {
            replaced.extend([RunFolder::TIMING, RunFolder::LAST]);
        }
        if !self.claimed {
            replaced.extend([RunFolder::SUMMARY, RunFolder::HOLDOUT, RunFolder::CHECKPOINT]);
        }
        let mut old = Vec::new();
        let aside = replaced.iter().try_for_each(|name| {
            old.extend(SetAside::new(&self.path, name)?);
            Ok(())
        });
        // The settings come first: a model without them would be taken for one of the older run's.
        let placed = aside.and_then(|()| files.into_iter().try_for_each(Staged::commit));
        if let Err(error) = placed.and_then(|()| model.map_or(Ok(()), Staged::commit)) {
            // The old model is still there, and so are the files that belong to it.
            old.into_iter().for_each(SetAside::put_back);
            return Err(error);
        }
        if !self.claimed {
            self.older.remove();
        }
        (self.begun, self.claimed, self.resumed) = (true, true, false);
        old.into_iter().try_for_each(SetAside::remove)?;
        last.map_or(Ok(()), Staged::commit)?;
        let history = self.record.history.as_bytes();
        write_atomically(&self.path.join(RunFolder::HISTORY), |out| out.write_all(history))?;
        let timing = self.record.timing.as_bytes();
        write_atomically(&self.path.join(RunFolder::TIMING), |out| out.write_all(timing))
    }
}

impl RunFolder {
    /// Makes the folder this run's, once: removes what an older run could go on from, and writes the files that are there from the
    /// beginning.
    fn claim(&mut self) -> Result<()> {
        if self.claimed {
            return Ok(());
        }
        let files = self.stage_files()?;
        for name in [RunFolder::SUMMARY, RunFolder::HOLDOUT, RunFolder::CHECKPOINT] {
            SetAside::new(&self.path, name)?.map_or(Ok(()), SetAside::remove)?;
        }
        files.into_iter().try_for_each(Staged::commit)?;
        self.claimed = true;
        self.older.remove();
        Ok(())
    }

    /// The files that are there from the beginning, not yet in their places.
    fn stage_files(&self) -> Result<Vec<Staged>> {
        let stage = |(name, contents): &(String, String)| {
            stage(&self.path.join(name), |out| out.write_all(contents.as_bytes()))
        };
        self.files.iter().map(stage).collect()
    }

    /// Takes the folder again if it was removed or replaced, with all that is to be in it.
    fn renew(&mut self) -> Result<()> {
        let is_own = |(name, contents): &(String, String)| {
            std::fs::read(self.path.join(name)).is_ok_and(|found| found == contents.as_bytes())
        };
        if self.lock.renew(&self.path)? && !self.files.iter().all(is_own) {
            (self.claimed, self.begun) = (false, false);
        }
        Ok(())
    }
}

impl RunFolder {
    /// Puts an epoch's files in place, also where the folder is removed meanwhile. What cannot be written, as on a full disk, is
    /// said once, and written with the next epoch: the files of an earlier one stay as they are until then.
    fn keep(&mut self, epoch: Snapshot, best: bool) -> Result<()> {
        let outcome = match self.write(&epoch, best) {
            Err(_) if !self.lock.is_current(&self.path) => self.write(&epoch, best),
            outcome => outcome,
        };
        match outcome {
            Ok(()) => self.unwritten = None,
            Err(error) if self.begun => {
                let number = epoch.1.get(EPOCH_NOTE).map_or("?", String::as_str);
                // A full disk is said once, whichever file meets it first.
                let was_said = self.checkpoint.as_mut().is_some_and(|checkpoint| checkpoint.has_been_said());
                if self.unwritten.is_none() && !was_said {
                    note(&format!(
                        "the files of epoch {number} could not be written ({error}); those of an earlier one stay, and training goes on"
                    ));
                }
                self.unwritten = Some(epoch);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What could not be written is tried for the last time.
    fn end(&mut self) -> Result<()> {
        let Some(epoch) = self.unwritten.take() else { return Ok(()) };
        // Until it is in its place, the best model may be an epoch's that was not written either.
        let outcome = self.write(&epoch, true);
        if outcome.is_err() {
            self.unwritten = Some(epoch);
        }
        outcome
    }
}

impl Callback for RunFolder {
    fn state(&self) -> Option<CallbackState> {
        self.remembered()
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        self.remember(state)
    }

    fn wants_state(&self, step: usize) -> bool {
        self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.wants_state(step))
    }

    fn takes_states(&self) -> bool {
        self.checkpoint.is_some()
    }

    fn take_state(&mut self, state: &TrainingState, is_last: bool) -> Result<()> {
        let ready = self.renew().and_then(|()| self.claim());
        let Some(checkpoint) = &mut self.checkpoint else { return Ok(()) };
        if let Err(error) = ready {
            // As where the checkpoint alone cannot be written.
            checkpoint.wait_from(state.steps());
            checkpoint.fail(&error);
            return Ok(());
        }
        checkpoint.take_state(state, is_last)
    }

    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.on_event(event)?;
        }
        if let Event::TrainBegin { model, preprocessing, metric_names, higher_is_better, step, .. } = event {
            if *step == 0 && RunFolder::existing_run(&self.path).is_none() {
                self.claim()?;
            }
            self.architecture.preprocessing = preprocessing.first().cloned();
            check_architecture(&self.architecture, *model)?;
            if let Some(KeepBest { best, .. }) = &mut self.keep_best {
                best.mode = self.mode;
                best.min_delta = self.min_delta;
                best.prepare(metric_names, higher_is_better)?;
            }
        }
        if self.record.take(event)?
            && let Event::EpochEnd { epoch, logs, model, .. } = event
        {
            let mut notes = epoch_notes(&self.notes, *epoch, logs);
            notes.insert(HISTORY_NOTE.into(), self.record.history.clone());
            let snapshot = (model.state_dict(), notes);
            let best = self.keep_best.as_mut().is_some_and(|keep| keep.update(*epoch, logs, &snapshot));
            self.keep(snapshot, best)?;
        }
        if let Event::TrainEnd = event {
            self.end()?;
        }
        Ok(Flow::Continue)
    }
}

impl KeepBest {
    /// Takes an epoch; returns whether it is the best so far.
    fn update(&mut self, epoch: usize, logs: &Logs, snapshot: &Snapshot) -> bool {
        // Until a metric is a number, the last epoch stands in for the best.
        let best = self.best.update(epoch, logs) || self.best.get().is_none();
        if best {
            self.snapshot = Some(snapshot.clone());
        }
        best
    }
}

#[cfg(test)]
mod tests;
