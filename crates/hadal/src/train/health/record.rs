//! The file with what was found.

use std::path::{Path, PathBuf};

use super::Finding;
use crate::format::write_atomically;
use crate::monitor::note;
use crate::{Error, Result};

/// A JSON array of findings.
#[derive(Debug)]
pub(super) struct RecordFile {
    path: PathBuf,
    /// Whether it could not be written, which has been said.
    has_failed: bool,
}

impl RecordFile {
    pub fn new(path: &Path) -> RecordFile {
        RecordFile { path: path.to_owned(), has_failed: false }
    }

    /// Whether it is to be written again: it could not be, or it was removed with its folder.
    pub fn is_missing(&self) -> bool {
        self.has_failed || !self.path.exists()
    }

    /// Replaces it. What cannot be written is said once: training goes on.
    pub fn write(&mut self, findings: &[Finding]) {
        let outcome = self.replace(findings);
        if let Err(error) = &outcome
            && !self.has_failed
        {
            note(&format!("{error}; training goes on"));
        }
        self.has_failed = outcome.is_err();
    }

    fn replace(&self, findings: &[Finding]) -> Result<()> {
        let text = serde_json::to_string_pretty(findings).map_err(|error| Error::Data(error.to_string()))?;
        write_atomically(&self.path, |out| writeln!(out, "{text}"))
    }
}
