//! A folder of files that only save time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::format::{Hash, write_atomically};

/// Files that have not been needed for so long are removed.
const OLDEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is kept of each run's folder, by the folder's path.
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub fn new(folder: PathBuf) -> Cache {
        Cache { folder }
    }

    fn path(&self, run: &Path) -> Option<PathBuf> {
        let mut hash = Hash::default();
        hash.update(run.canonicalize().ok()?.as_os_str().as_encoded_bytes());
        Some(self.folder.join(hash.hexadecimal()))
    }

    /// What is kept of a run's folder.
    pub fn find(&self, run: &Path) -> Option<Vec<u8>> {
        std::fs::read(self.path(run)?).ok()
    }

    /// Keeps bytes for a run's folder. Where that does not work, the next start takes longer.
    pub fn keep(&self, run: &Path, bytes: &[u8]) {
        let Some(path) = self.path(run) else { return };
        if std::fs::create_dir_all(&self.folder).is_ok() {
            self.tidy();
            let _ = write_atomically(&path, |out| out.write_all(bytes));
        }
    }

    fn tidy(&self) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age > OLDEST) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}
