//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::{Error, Result};

/// Checks that files can be written to `folder`, which is made if need be: better known before a long run than after.
///
/// # Errors
/// If the folder cannot be made, or no file can be written to it.
pub fn check_writable(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "make the folder"))?;
    tempfile::tempfile_in(folder).map(drop).map_err(Error::io(folder, "write to the folder"))
}

/// Writes a file under a temporary name beside `path`, syncs it, then renames it: a crash at any instant leaves the old
/// file or the new one. Missing folders are made. On an error nothing is left behind.
///
/// # Errors
/// If a folder or the file cannot be written, or `write` fails.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "make the folder"))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hadal-");
    // The permissions of any new file; a temporary file's own are private.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder).map_err(Error::io(path, "write the file"))?;
    let mut writer = BufWriter::new(file);
    write(&mut writer).and_then(|()| writer.flush()).map_err(Error::io(path, "write the file"))?;
    let file = writer.into_inner().map_err(|error| Error::io(path, "write the file")(error.into_error()))?;
    file.as_file().sync_all().map_err(Error::io(path, "sync the file"))?;
    file.persist(path).map_err(|error| Error::io(path, "rename the finished file into place")(error.error))?;
    // The rename itself is durable once the folder is synced; not every system can.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
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
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
