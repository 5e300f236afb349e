//! A folder that belongs to one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::atomic::{UNFINISHED, make_folder};
use crate::monitor::note;
use crate::{Error, Result};

/// The file whose lock stands for the folder. It stays; the lock ends with its process, however that ends.
const LOCK_FILE: &str = ".hadal.lock";

/// Holds a folder until it is dropped.
pub(crate) struct FolderLock {
    file: File,
}

impl FolderLock {
    /// Takes the folder, which is made if need be, and removes what killed processes left unfinished in it.
    ///
    /// # Errors
    /// If another process holds it, or it cannot be written to.
    pub fn take(folder: &Path) -> Result<FolderLock> {
        let advice = "wait for it to end, or choose another folder";
        FolderLock::try_take(folder)?.map_err(|in_use| Error::file(folder, format!("{in_use}; {advice}")))
    }

    /// As [`take`](FolderLock::take); where another process holds the folder, this says so.
    pub fn try_take(folder: &Path) -> Result<std::result::Result<FolderLock, String>> {
        let file = open(folder)?;
        match file.try_lock() {
            Ok(()) => FolderLock::held(file, folder).map(Ok),
            Err(TryLockError::WouldBlock) => Ok(Err(in_use(file))),
            Err(TryLockError::Error(error)) => FolderLock::without_locks(file, folder, error).map(Ok),
        }
    }

    /// Whether a process holds the folder; nothing is made or changed in it.
    pub fn is_taken(folder: &Path) -> bool {
        let file = File::open(folder.join(LOCK_FILE));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// As [`take`](FolderLock::take); waits for another process that holds the folder.
    #[cfg_attr(not(feature = "download"), expect(dead_code, reason = "downloads alone wait"))]
    pub fn wait(folder: &Path) -> Result<FolderLock> {
        let file = open(folder)?;
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            note(&format!("waiting for another process that writes to {}", folder.display()));
        }
        match file.lock() {
            Ok(()) => FolderLock::held(file, folder),
            Err(error) => FolderLock::without_locks(file, folder, error),
        }
    }

    fn held(mut file: File, folder: &Path) -> Result<FolderLock> {
        // The process id only helps people, so an error here does not matter.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        remove_unfinished(folder);
        Ok(FolderLock { file })
    }

    /// Takes the folder again if it was removed or replaced since: what is written to it next would be unprotected. Returns whether
    /// that was so.
    ///
    /// # Errors
    /// As [`take`](FolderLock::take).
    pub fn renew(&mut self, folder: &Path) -> Result<bool> {
        let is_current = self.is_current(folder);
        if !is_current {
            *self = FolderLock::take(folder)?;
            note(&format!("{} was removed during the run; it is made again", folder.display()));
        }
        Ok(!is_current)
    }

    /// Whether the folder's lock file is still the one that is held.
    pub fn is_current(&self, folder: &Path) -> bool {
        let Ok(found) = folder.join(LOCK_FILE).metadata() else { return false };
        #[cfg(unix)]
        let same = {
            use std::os::unix::fs::MetadataExt;
            self.file.metadata().is_ok_and(|held| (held.dev(), held.ino()) == (found.dev(), found.ino()))
        };
        #[cfg(not(unix))]
        let same = found.is_file();
        same
    }

    /// Some network file systems have no locks. There the folder is used without one, and nothing in it is removed.
    fn without_locks(file: File, folder: &Path, error: std::io::Error) -> Result<FolderLock> {
        let no_locks_available = cfg!(target_os = "linux") && error.raw_os_error() == Some(37);
        if error.kind() != std::io::ErrorKind::Unsupported && !no_locks_available {
            return Err(Error::io(folder, "lock the folder")(error));
        }
        note(&format!("{} cannot be locked ({error}); no other run should write to it", folder.display()));
        Ok(FolderLock { file })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file is not enough while a process that another thread has just started still has a copy of it.
        let _ = self.file.unlock();
    }
}

fn open(folder: &Path) -> Result<File> {
    make_folder(folder)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let path = folder.join(LOCK_FILE);
    // What a link leads to is not ours to write to.
    if path.symlink_metadata().is_ok_and(|file| !file.is_file()) {
        return Err(Error::file(&path, "is not a regular file; remove it, or choose another folder"));
    }
    options.open(path).map_err(Error::io(folder, "write to the folder"))
}

/// Who holds the lock, where the system lets its file be read.
fn in_use(mut file: File) -> String {
    let mut holder = String::new();
    let read = file.rewind().and_then(|()| file.take(20).read_to_string(&mut holder));
    let process = match holder.trim().parse::<u32>() {
        Ok(process) if read.is_ok() => format!(" (process {process})"),
        _ => String::new(),
    };
    format!("is in use by another run{process}")
}

/// Removes temporary files whose writers are dead.
fn remove_unfinished(folder: &Path) {
    let remove = || -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let unfinished = entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes());
            if unfinished && entry.file_type()?.is_file() && File::open(entry.path())?.try_lock().is_ok() {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    if let Err(error) = remove() {
        note(&format!("{}: files of an interrupted run could not be removed: {error}", folder.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_tidied() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join(".hadal-dead01");
        std::fs::write(&dead, "half").unwrap();
        let alive = super::super::atomic::stage(&folder.path().join("file"), |out| out.write_all(b"x")).unwrap();
        let other = folder.path().join(".other-file");
        std::fs::write(&other, "not Hadal's").unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        assert!(!dead.exists() && other.exists());
        alive.commit().unwrap();
        let message = FolderLock::take(folder.path()).err().unwrap().to_string();
        let process = format!("in use by another run (process {})", std::process::id());
        assert!(message.contains(&process) && message.contains(&*folder.path().to_string_lossy()), "{message}");
        drop(lock);
        FolderLock::take(folder.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_that_is_a_link_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("precious");
        std::fs::write(&precious, "text").unwrap();
        let run = folder.path().join("run");
        std::fs::create_dir(&run).unwrap();
        std::os::unix::fs::symlink(&precious, run.join(LOCK_FILE)).unwrap();
        let message = FolderLock::take(&run).err().unwrap().to_string();
        assert!(message.contains(LOCK_FILE) && message.contains("not a regular file"), "{message}");
        assert_eq!(std::fs::read(&precious).unwrap(), b"text");
    }
}
