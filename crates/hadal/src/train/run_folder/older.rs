//! The files by which an older run in the folder was watched.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::RunFolder;

/// They are to go when the folder is another run's. That run may have written files of the same names before: those stay.
pub(super) struct OlderFiles(Vec<(PathBuf, Identity)>);

/// What differs when a file was replaced.
type Identity = (Option<SystemTime>, u64);

impl OlderFiles {
    /// The names of files of which there is one: findings, the report, and what was done from the dashboard.
    const NAMES: [&str; 3] = [RunFolder::HEALTH, RunFolder::REPORT, "control.csv"];

    pub fn find(folder: &Path) -> OlderFiles {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let own = files.filter(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            // Those that TensorBoard reads.
            name.starts_with("events.out.tfevents.") || OlderFiles::NAMES.contains(&&*name)
        });
        OlderFiles(own.filter_map(|file| Some((file.path(), identity(&file.metadata().ok()?)))).collect())
    }

    /// Removes those that have not been replaced. One that cannot be removed is shown beside this run's.
    pub fn remove(&mut self) {
        for (path, then) in self.0.drain(..) {
            if path.symlink_metadata().is_ok_and(|file| identity(&file) == then) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

fn identity(file: &Metadata) -> Identity {
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(file);
    #[cfg(not(unix))]
    let number = file.len();
    (file.modified().ok(), number)
}
