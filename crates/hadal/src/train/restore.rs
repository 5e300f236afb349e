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
    let unless_found = |history: &str, last: bool| {
        let right = !last && found.as_ref().is_some_and(|found| found == history.as_bytes());
        Ok((!right).then(|| Missing { history: history.to_owned(), last }))
    };
    if !notes.contains_key(MONITOR_NOTE) {
        return unless_found(own, false);
    }
    // The run may have gone on after its best epoch: what begins with the model's history is of the same run.
    let goes_on = found.as_ref().is_some_and(|found| found.starts_with(own.as_bytes()));
    match last_history(folder) {
        Ok(Some(history)) if history.starts_with(own) => unless_found(&history, false),
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
