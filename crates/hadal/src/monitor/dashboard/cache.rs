//! A folder of files that only save time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::format::{Hash, write_atomically};
use crate::monitor::note;
use crate::{Error, Result};

/// Files that have not been written for so long are removed.
const OLDEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is kept of files and folders, by their paths.
pub(super) struct Cache {
    folder: PathBuf,
    /// Whether it was said that files cannot be written.
    has_noted: AtomicBool,
}

impl Cache {
    pub fn new(folder: PathBuf) -> Cache {
        Cache { folder, has_noted: false.into() }
    }

    /// The file that keeps what is known of a file or folder; it need not be there.
    pub fn path(&self, of: &Path) -> Option<PathBuf> {
        let mut hash = Hash::default();
        hash.update(of.canonicalize().ok()?.as_os_str().as_encoded_bytes());
        Some(self.folder.join(hash.hexadecimal()))
    }

    /// Keeps bytes for a file or folder. Where that does not work, the next start takes longer.
    pub fn keep(&self, of: &Path, bytes: &[u8]) {
        if let Err(error) = self.try_keep(of, bytes)
            && !self.has_noted.swap(true, Ordering::Relaxed)
        {
            note(&format!("{error}; the dashboard reads long files anew at each start"));
        }
    }

    pub(super) fn try_keep(&self, of: &Path, bytes: &[u8]) -> Result<()> {
        let Some(path) = self.path(of) else { return Ok(()) };
        std::fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder, "make the folder"))?;
        self.tidy();
        write_atomically(&path, |out| out.write_all(bytes))
    }

    /// Removes what is kept of a file or folder.
    pub fn forget(&self, of: &Path) {
        // What cannot be removed is found to be damaged again.
        let _ = self.path(of).map(std::fs::remove_file);
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
