//! What a killed run left undone in its folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use super::RunFolder;
use super::model_checkpoint::MONITOR_NOTE;
use crate::format::{safetensors, write_atomically};
use crate::monitor::note;
use crate::{Error, Result};

/// The note in a model file that holds the history up to its epoch.
pub(super) const HISTORY_NOTE: &str = "hadal.history";

/// What is wrong in a folder.
struct Missing {
    /// What `history.csv` must hold.
    history: String,
    /// Whether `last.safetensors` is missing or lags behind the best model, which is then the last one.
    last: bool,
    /// Whether the history is that of `last.safetensors`.
    from_last: bool,
}

/// Whether the files in the folder belong to the model whose notes these are. True if they say nothing.
pub(super) fn is_current(folder: &Path, notes: &BTreeMap<String, String>) -> bool {
    matches!(missing(folder, notes), Ok(None))
}

/// Writes what is missing beside the model whose notes these are.
pub(super) fn restore_files(folder: &Path, notes: &BTreeMap<String, String>) {
    let restored = missing(folder, notes).and_then(|missing| {
        let Some(missing) = missing else { return Ok(()) };
        if missing.last {
            let (model, last) = (folder.join(RunFolder::MODEL), folder.join(RunFolder::LAST));
            let mut file = File::open(&model).map_err(Error::io(&model, "read the file"))?;
            write_atomically(&last, |out| std::io::copy(&mut file, out).map(drop))?;
            note(&format!("{} was missing or older than the best model; it was restored from it", last.display()));
        } else if missing.from_last {
            // Its header alone was read: all is compared with its digest before anything is written.
            safetensors::load(&folder.join(RunFolder::LAST))?;
        }
        let path = folder.join(RunFolder::HISTORY);
        if std::fs::read(&path).is_ok_and(|found| found == missing.history.as_bytes()) {
            return Ok(());
        }
        write_atomically(&path, |out| out.write_all(missing.history.as_bytes()))?;
        note(&format!("{} was missing or did not match the model; it was restored from the model", path.display()));
        Ok(())
    });
    if let Err(error) = restored {
        cannot_restore(folder, &error);
    }
}

pub(super) fn cannot_restore(folder: &Path, error: &dyn std::fmt::Display) {
    let path = folder.join(RunFolder::HISTORY);
    note(&format!("{} is missing or does not match the model, and cannot be restored ({error})", path.display()));
}

/// What is missing beside the model whose notes these are.
fn missing(folder: &Path, notes: &BTreeMap<String, String>) -> Result<Option<Missing>> {
    let Some(own) = notes.get(HISTORY_NOTE) else { return Ok(None) };
    let found = std::fs::read(folder.join(RunFolder::HISTORY)).ok();
    let unless_found = |history: &str, last: bool| -> Result<Option<Missing>> {
        let right = !last && found.as_ref().is_some_and(|found| found == history.as_bytes());
        Ok((!right).then(|| Missing { history: history.to_owned(), last, from_last: false }))
    };
    if !notes.contains_key(MONITOR_NOTE) {
        return unless_found(own, false);
    }
    // The run may have gone on after its best epoch: what begins with the model's history is of the same run.
    let goes_on = found.as_ref().is_some_and(|found| found.starts_with(own.as_bytes()));
    match last_history(folder) {
        Ok(Some(history)) if history.starts_with(own) => {
            let missing = unless_found(&history, false)?;
            Ok(missing.map(|missing| Missing { from_last: true, ..missing }))
        }
        Ok(Some(history)) if own.starts_with(&history) => unless_found(own, true),
        _ if goes_on => Ok(None),
        Ok(None) => unless_found(own, found.is_none()),
        Ok(Some(_)) => {
            let reason = format!("is the model of another run than {}", RunFolder::MODEL);
            Err(Error::file(&folder.join(RunFolder::LAST), reason))
        }
        Err(error) => Err(error),
    }
}

/// The history that the model of the last epoch holds; `None` without such a model.
fn last_history(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(RunFolder::LAST);
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let history = safetensors::Reader::open(&path)?.metadata().get(HISTORY_NOTE).cloned();
    history.map(Some).ok_or_else(|| Error::file(&path, "holds no history"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::optim::Mode;
    use crate::prelude::*;

    const FILES: [&str; 3] = [RunFolder::MODEL, RunFolder::LAST, RunFolder::HISTORY];

    /// The folder after a run of this many epochs. The loss falls: by `Mode::Min` every epoch is the best so far, by `Mode::Max`
    /// the first.
    fn train(folder: &Path, epochs: usize, seed: u64, mode: Mode) {
        let data = crate::data::synthetic::moons(40, 0.1, 1).unwrap();
        let model = Sequential::new([2]).seed(seed).add(Dense::new(1).activation(Sigmoid));
        let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, [Accuracy]).unwrap();
        let run = RunFolder::open(folder, model.model.architecture(), BTreeMap::new()).unwrap();
        model.fit(&data, Fit::epochs(epochs).quiet().callback(run.keep_best("loss").mode(mode))).unwrap();
    }

    fn read(folder: &Path) -> [Option<Vec<u8>>; 3] {
        FILES.map(|name| std::fs::read(folder.join(name)).ok())
    }

    fn epochs(folder: &Path) -> [String; 2] {
        [RunFolder::MODEL, RunFolder::LAST]
            .map(|name| Sequential::load(folder.join(name)).unwrap().1["hadal.epoch"].clone())
    }

    /// A folder with files of other folders: what a kill leaves. A model, a last model and a history, or none.
    fn left(files: [Option<&Path>; 3]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, from) in FILES.into_iter().zip(files) {
            from.map(|from| std::fs::copy(from.join(name), folder.path().join(name)).unwrap());
        }
        folder
    }

    /// Restores in both ways; both leave the same.
    fn restored(files: [Option<&Path>; 3]) -> [Option<Vec<u8>>; 3] {
        let (read_only, next_run) = (left(files), left(files));
        let notes = Sequential::load(read_only.path().join(RunFolder::MODEL)).unwrap().1;
        RunFolder::restore(read_only.path(), &notes);
        drop(RunFolder::open(next_run.path(), Sequential::new([1]).architecture(), BTreeMap::new()).unwrap());
        let found = read(read_only.path());
        assert!(found == read(next_run.path()));
        assert!(is_current(read_only.path(), &notes), "nothing is left to restore");
        found
    }

    #[test]
    fn a_folder_holds_the_best_and_the_last_model() {
        let [rising, falling] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        train(rising.path(), 3, 1, Mode::Max);
        assert_eq!(epochs(rising.path()), ["1", "3"]);
        let notes = Sequential::load(rising.path().join(RunFolder::MODEL)).unwrap().1;
        assert_eq!(notes[MONITOR_NOTE], "loss");
        assert_eq!(notes[HISTORY_NOTE].lines().count(), 2);
        let last = Sequential::load(rising.path().join(RunFolder::LAST)).unwrap().1;
        assert_eq!(last[HISTORY_NOTE].as_bytes(), read(rising.path())[2].as_ref().unwrap());
        train(falling.path(), 3, 1, Mode::Min);
        assert_eq!(epochs(falling.path()), ["3", "3"]);
        let [model, last, _] = read(falling.path());
        assert!(model == last);
        assert_eq!(std::fs::read_dir(falling.path()).unwrap().count(), 5, "three files, the times and the lock");
        assert_eq!(RunFolder::existing_run(falling.path()), Some(falling.path().join(RunFolder::MODEL)));
    }

    #[test]
    fn whatever_a_kill_leaves_is_made_whole() {
        for mode in [Mode::Min, Mode::Max] {
            let folders: [tempfile::TempDir; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
            let [before, after, first] = folders.each_ref().map(tempfile::TempDir::path);
            train(before, 2, 1, mode);
            train(after, 3, 1, mode);
            train(first, 1, 2, mode);
            let (whole_before, whole_after) = (read(before), read(after));
            // The history is set aside, then come the models.
            assert!(restored([Some(before), Some(before), None]) == whole_before);
            if mode == Mode::Min {
                assert!(restored([Some(after), Some(before), None]) == whole_after);
            }
            assert!(restored([Some(after), Some(after), None]) == whole_after);
            // The first epoch of a run that replaces another: what is of the old run is set aside, then come the models.
            assert!(restored([Some(first), None, None]) == read(first));
            assert!(restored([Some(first), Some(first), None]) == read(first));
            // A history of another run does not stay.
            assert!(restored([Some(after), Some(after), Some(first)]) == whole_after);
            // A folder that is whole stays as it is.
            assert!(restored([Some(after), Some(after), Some(after)]) == whole_after);
        }
    }

    #[test]
    fn a_history_that_goes_on_after_the_best_model_is_not_cut() {
        let folders: [tempfile::TempDir; 2] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
        let [run, other] = folders.each_ref().map(tempfile::TempDir::path);
        train(run, 3, 1, Mode::Max);
        train(other, 2, 2, Mode::Max);
        let [model, last, history] = read(run);
        // Somebody removed the last model, or put another one there.
        assert!(restored([Some(run), None, Some(run)]) == [model.clone(), None, history.clone()]);
        let [_, other_last, _] = read(other);
        assert!(restored([Some(run), Some(other), Some(run)]) == [model.clone(), other_last, history]);
        // Damage beyond the header of the last model.
        let folder = left([Some(run), Some(run), None]);
        let mut bytes = last.unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(folder.path().join(RunFolder::LAST), &bytes).unwrap();
        RunFolder::restore(folder.path(), &Sequential::load(folder.path().join(RunFolder::MODEL)).unwrap().1);
        assert!(read(folder.path()) == [model, Some(bytes), None]);
    }

    #[test]
    fn the_next_run_leaves_nothing_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        train(folder.path(), 3, 1, Mode::Max);
        train(folder.path(), 2, 2, Mode::Min);
        assert_eq!(epochs(folder.path()), ["2", "2"]);
        // Without the best alone, there is no last model.
        let data = crate::data::synthetic::moons(20, 0.1, 1).unwrap();
        let mut model = Sequential::new([2])
            .add(Dense::new(1).activation(Sigmoid))
            .compile(Sgd::new(0.1), BinaryCrossentropy, ())
            .unwrap();
        let run = RunFolder::open(folder.path(), model.model.architecture(), BTreeMap::new()).unwrap();
        model.fit(&data, Fit::epochs(2).quiet().callback(run)).unwrap();
        assert!(!folder.path().join(RunFolder::LAST).exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn a_removed_folder_gets_its_best_model_again() {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("run");
        let data = crate::data::synthetic::moons(20, 0.1, 1).unwrap();
        let mut model = Sequential::new([2])
            .add(Dense::new(1).activation(Sigmoid))
            .compile(Sgd::new(0.1), BinaryCrossentropy, ())
            .unwrap();
        let run = RunFolder::open(&path, model.model.architecture(), BTreeMap::new()).unwrap();
        let remove = |event: &Event| {
            if matches!(event, Event::EpochEnd { epoch: 2, .. }) {
                std::fs::remove_dir_all(&path).unwrap();
            }
            Ok(Flow::Continue)
        };
        let run = run.keep_best("loss").mode(Mode::Max);
        model.fit(&data, Fit::epochs(3).quiet().callback(run).on_event(remove)).unwrap();
        assert_eq!(epochs(&path), ["1", "3"]);
    }
}
