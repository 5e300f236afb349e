//! The temporary folder in which `verify` trains: removed when the command ends, or by the next one if it was killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hadal::{Error, Result};
use tempfile::TempDir;

const PREFIX: &str = "hadal-verify-";
/// Locked by the process that uses the folder.
const LOCK: &str = "lock";
/// A folder as new as this may be one whose process has not locked it yet.
const NEW: Duration = Duration::from_secs(10);

/// A folder of the system's for temporary files.
pub struct Scratch {
    // Closed before the folder is removed: fields are dropped in this order.
    _lock: File,
    folder: TempDir,
}

impl Scratch {
    /// Makes one, and removes those that killed processes left.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new() -> Result<Scratch> {
        Scratch::below(&std::env::temp_dir(), NEW)
    }

    fn below(root: &Path, new: Duration) -> Result<Scratch> {
        remove_leavings(root, new);
        let io = |source| Error::Io { path: root.to_owned(), action: "make a temporary folder", source };
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(root).map_err(io)?;
        let lock = File::create(folder.path().join(LOCK)).map_err(io)?;
        // On a file system without locks no folder can be locked, and so none is ever removed.
        let _ = lock.try_lock();
        Ok(Scratch { _lock: lock, folder })
    }

    /// Where the run goes.
    pub fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }
}

/// Removes the folders that no process uses. Those of other users, and what cannot be removed, stay.
fn remove_leavings(root: &Path, new: Duration) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let is_own = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // No link: this is the type of the entry itself.
        if !is_own || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        let Ok(lock) = File::options().write(true).open(path.join(LOCK)) else { continue };
        let age = lock.metadata().and_then(|own| own.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age >= new) && lock.try_lock().is_ok() {
            drop(lock);
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_processes_left_is_removed_and_what_is_in_use_stays() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["hadal-verify-left", "other-folder"] {
            std::fs::create_dir_all(at(name).join("run")).unwrap();
            std::fs::write(at(name).join(LOCK), "").unwrap();
        }
        let first = Scratch::below(root.path(), NEW).unwrap();
        assert!(at("hadal-verify-left").exists(), "it may be one that begins at the same time");
        let second = Scratch::below(root.path(), Duration::ZERO).unwrap();
        assert!(!at("hadal-verify-left").exists(), "nobody uses it");
        assert!(at("other-folder").exists(), "it is none of these");
        assert!(first.folder.path().exists() && second.folder.path().exists(), "both are in use");
        drop((first, second));
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1, "only the other folder is left");
    }
}
