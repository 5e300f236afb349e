//! A folder that is held for a run.

use std::ffi::OsString;
use std::io::ErrorKind::AlreadyExists;
use std::path::{Path, PathBuf};

use crate::format::{FolderLock, check_writable};
use crate::monitor::note;
use crate::{Error, Result};

/// A directory that is locked for a run to come: no other run can use it until this, or the
/// [`RunFolder`](super::RunFolder) that is made of it, is dropped.
///
/// A program that may be started twice with the same directory gives the second run its own:
///
/// ```
/// use hadal::prelude::*;
/// use hadal::train::{HeldFolder, RunFolder};
/// # let folder = tempfile::tempdir().unwrap();
/// # let runs = folder.path();
/// # let network = || Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// let first = RunFolder::open(runs.join("moons"), network().architecture(), Default::default())?;
/// let second = HeldFolder::take_or_next(runs.join("moons"))?; // another process, say
/// assert_eq!(second.path(), runs.join("moons-2"));
/// let second = RunFolder::open_held(second, network().architecture(), Default::default())?;
/// # Ok::<(), hadal::Error>(())
/// ```
pub struct HeldFolder {
    pub(super) path: PathBuf,
    pub(super) lock: FolderLock,
}

/// So many directories are tried.
const MOST: usize = 10_000;

impl HeldFolder {
    /// Locks a directory, which is made if need be.
    ///
    /// # Errors
    /// If another run holds it, or files cannot be written there.
    pub fn take(path: impl AsRef<Path>) -> Result<HeldFolder> {
        let path = path.as_ref().to_owned();
        check_writable(&path)?;
        let lock = FolderLock::take(&path)?;
        Ok(HeldFolder { path, lock })
    }

    /// Locks a directory, which is made if need be; where another run holds it, the first of `path-2`, `path-3`, ... that does not
    /// exist is made and locked, and a note on standard error says so. Of several processes that call this at the same moment,
    /// each gets a directory of its own.
    ///
    /// # Errors
    /// If files cannot be written there, or none of 10,000 directories is free.
    pub fn take_or_next(path: impl AsRef<Path>) -> Result<HeldFolder> {
        let path = path.as_ref();
        check_writable(path)?;
        let in_use = match FolderLock::try_take(path)? {
            Ok(lock) => return Ok(HeldFolder { path: path.to_owned(), lock }),
            Err(in_use) => in_use,
        };
        for number in 2..MOST {
            // A path like `..` has no name to put a number behind.
            let Some(next) = numbered(path, number) else { break };
            match std::fs::create_dir(&next) {
                Err(error) if error.kind() == AlreadyExists => continue,
                made => made.map_err(Error::io(&next, "make the folder"))?,
            }
            if let Ok(lock) = FolderLock::try_take(&next)? {
                note(&format!("{} {in_use}; this one goes into {}", path.display(), next.display()));
                return Ok(HeldFolder { path: next, lock });
            }
        }
        Err(Error::file(path, format!("{in_use}; choose another folder")))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a run holds a directory now. It is not changed.
    pub fn is_taken(path: &Path) -> bool {
        FolderLock::is_taken(path)
    }
}

/// `runs/moons-2`.
fn numbered(path: &Path, number: usize) -> Option<PathBuf> {
    let mut name = OsString::from(path.file_name()?);
    name.push(format!("-{number}"));
    Some(path.with_file_name(name))
}
