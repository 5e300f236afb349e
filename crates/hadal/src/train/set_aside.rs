//! Files of an older run that make way, and come back if they have to.

use std::path::{Path, PathBuf};

use crate::format::UNFINISHED;
use crate::monitor::note;
use crate::{Error, Result};

/// A file under a temporary name, which the next run in the folder removes if this one is killed.
pub(super) struct SetAside {
    file: PathBuf,
    aside: PathBuf,
}

impl SetAside {
    /// `None` if there is no file.
    pub fn new(folder: &Path, name: &str) -> Result<Option<SetAside>> {
        let (file, aside) = (folder.join(name), folder.join(format!("{UNFINISHED}{name}")));
        match std::fs::rename(&file, &aside) {
            Ok(()) => Ok(Some(SetAside { file, aside })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&file, "set the old file aside")(error)),
        }
    }

    pub fn put_back(self) {
        if let Err(error) = std::fs::rename(&self.aside, &self.file) {
            note(&format!("{} cannot be put back ({error})", self.file.display()));
        }
    }

    pub fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.aside).map_err(Error::io(&self.file, "remove the old file"))
    }
}
