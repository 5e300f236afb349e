//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::open::kind_name;
use crate::{Error, Result};

/// How the names of unfinished files begin.
pub(crate) const UNFINISHED: &str = ".hadal-";

/// Checks that files can be written to `folder`, which is made if need be: better known before a long run than after.
///
/// ```
/// use hadal::format::check_writable;
/// # let folder = tempfile::tempdir().unwrap();
/// check_writable(&folder.path().join("runs"))?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the folder cannot be made, or no file can be written to it.
pub fn check_writable(folder: &Path) -> Result<()> {
    make_folder(folder)?;
    tempfile::tempfile_in(folder).map(drop).map_err(without_path).map_err(Error::io(folder, "write to the folder"))
}

/// Makes a folder and those above it, unless it is there.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    let Err(error) = std::fs::create_dir_all(folder) else { return Ok(()) };
    match folder.metadata() {
        Ok(file) if !file.is_dir() => {
            Err(Error::file(folder, format!("is {}, not a folder", kind_name(file.file_type()))))
        }
        Err(_) if folder.is_symlink() => Err(Error::file(folder, "is a broken symbolic link, not a folder")),
        _ => Err(Error::io(folder, "make the folder")(error)),
    }
}

/// The system's error alone: `tempfile` adds a temporary path, which means nothing to a reader.
fn without_path(error: std::io::Error) -> std::io::Error {
    let inner = error.get_ref().and_then(|inner| inner.source()?.downcast_ref::<std::io::Error>());
    inner.and_then(std::io::Error::raw_os_error).map_or(error, std::io::Error::from_raw_os_error)
}

/// Writes a file under a temporary name beside `path`, syncs it, then renames it: a crash at any instant leaves the old
/// file or the new one. Missing folders are made. On an error nothing is left behind. A link is followed, and a file that is
/// replaced keeps its permissions.
///
/// ```
/// use hadal::format::write_atomically;
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("new folder/notes.txt");
/// write_atomically(&path, |out| out.write_all(b"epoch 1"))?;
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "epoch 1");
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If a folder or the file cannot be written or synced, `write` fails, or something that is no regular file is at `path`: a
/// device or a FIFO is not replaced.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    stage(path, write)?.commit()
}

/// A finished file that is not in its place yet. Dropped, it is removed.
pub(crate) struct Staged {
    file: NamedTempFile,
    path: PathBuf,
}

/// The first half of [`write_atomically`]: all that can take long or fail for lack of room.
pub(crate) fn stage(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<Staged> {
    if path.as_os_str().is_empty() {
        return Err(Error::Config("the path of a file to be written must not be empty".into()));
    }
    // A broken link is an error here.
    let is_link = path.symlink_metadata().is_ok_and(|file| file.is_symlink());
    let target =
        if is_link { path.canonicalize().map_err(Error::io(path, "follow the link"))? } else { path.to_owned() };
    let path = target.as_path();
    let old = path.metadata().ok();
    if let Some(kind) = old.as_ref().map(std::fs::Metadata::file_type).filter(|kind| !kind.is_file()) {
        return Err(Error::file(path, format!("is {}, not a regular file, and is not replaced", kind_name(kind))));
    }
    let folder = folder_of(path);
    make_folder(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    // The permissions of any new file; a temporary file's own are private.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder).map_err(without_path).map_err(Error::io(path, "write the file"))?;
    // The lock shows that the writer is still running: files without one are removed by the next run in the folder. Where
    // files cannot be locked none are removed, so an error does not matter.
    let _ = file.as_file().try_lock();
    let mut writer = BufWriter::new(file.as_file());
    write(&mut writer).and_then(|()| writer.flush()).map_err(Error::io(path, "write the file"))?;
    drop(writer);
    if let Some(old) = old {
        file.as_file().set_permissions(old.permissions()).map_err(Error::io(path, "keep the file's permissions"))?;
    }
    file.as_file().sync_all().map_err(Error::io(path, "sync the file"))?;
    Ok(Staged { file, path: path.to_owned() })
}

impl Staged {
    /// Puts the file in its place.
    pub fn commit(self) -> Result<()> {
        let Staged { file, path } = self;
        let renamed = file.persist(&path);
        renamed.map_err(|error| Error::io(&path, "rename the finished file into place")(error.error))?;
        sync_folder(folder_of(&path))
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a rename in the folder durable, where the system can.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if !cannot_sync(&error) => Err(Error::io(folder, "sync the folder")(error)),
        _ => Ok(()),
    }
}

/// Some file systems sync no folders, and a folder that may be written to but not read cannot be opened.
fn cannot_sync(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/file");
        write_atomically(&path, |out| out.write_all(b"old")).unwrap();
        let failed = write_atomically(&path, |out| {
            out.write_all(b"half")?;
            Err(std::io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        drop(stage(&path, |out| out.write_all(b"never committed")).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_stands_where_a_folder_should_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
        for (path, words) in
            [(Path::new("/dev/null"), "is a device"), (&file, "is a file"), (&link, "is a broken symbolic link")]
        {
            let message = check_writable(path).unwrap_err().to_string();
            assert!(message.contains(words) && message.contains("not a folder"), "{message}");
        }
        let message = write_atomically(Path::new(""), |_| Ok(())).unwrap_err().to_string();
        assert!(message.contains("must not be empty"), "{message}");
        let error = tempfile::tempfile_in(folder.path().join("missing")).map_err(without_path).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(2));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_permissions_kept_and_fifos_left_alone() {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [real, link, fifo, lost] = ["real", "link", "fifo", "lost"].map(|name| folder.path().join(name));
        std::fs::write(&real, "old").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&real, &link).unwrap();
        write_atomically(&link, |out| out.write_all(b"new")).unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read(&real).unwrap(), b"new");
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        symlink(folder.path().join("nowhere"), &lost).unwrap();
        assert!(write_atomically(&lost, |out| out.write_all(b"x")).is_err());
        if std::process::Command::new("mkfifo").arg(&fifo).status().is_ok_and(|status| status.success()) {
            let message = write_atomically(&fifo, |out| out.write_all(b"x")).unwrap_err().to_string();
            assert!(message.contains("is a FIFO"), "{message}");
            assert!(fifo.metadata().unwrap().file_type().is_fifo());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_failed_sync_is_an_error_unless_the_system_cannot_sync() {
        let error = std::io::Error::from_raw_os_error;
        let (input_output, invalid, not_supported, no_space) = (5, 22, 95, 28);
        assert!(cannot_sync(&error(invalid)) && cannot_sync(&error(not_supported)));
        assert!(!cannot_sync(&error(input_output)) && !cannot_sync(&error(no_space)));
        assert!(sync_folder(Path::new("/nowhere/at/all")).unwrap_err().to_string().contains("sync the folder"));
    }
}
