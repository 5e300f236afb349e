//! Opening files that others made.

use std::fs::{File, FileType};
use std::path::Path;

use crate::{Error, Result};

/// Opens a regular file and tells its length in bytes. What has no end (a device) or would wait for a writer (a FIFO) is
/// refused by name before it is opened.
pub(crate) fn open_regular(path: &Path, action: &'static str) -> Result<(File, u64)> {
    let kind = std::fs::metadata(path).map_err(Error::io(path, action))?.file_type();
    if !kind.is_file() {
        return Err(Error::file(path, format!("is {}, not a regular file", kind_name(kind))));
    }
    let file = File::open(path).map_err(Error::io(path, action))?;
    let length = file.metadata().map_err(Error::io(path, action))?.len();
    Ok((file, length))
}

/// What a file is that is no regular one.
pub(crate) fn kind_name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a FIFO (named pipe)";
        } else if kind.is_socket() {
            return "a socket";
        } else if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if kind.is_file() { "a file" } else { "something else" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let message = |path: &Path| open_regular(path, "read the file").unwrap_err().to_string();
        assert!(message(folder.path()).contains("is a folder, not a regular file"));
        assert!(message(&folder.path().join("missing")).contains("cannot read the file"));
        #[cfg(unix)]
        {
            assert!(message(Path::new("/dev/zero")).contains("is a device"));
            let socket = folder.path().join("socket");
            let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            assert!(message(&socket).contains("is a socket"));
            let fifo = folder.path().join("fifo");
            if std::process::Command::new("mkfifo").arg(&fifo).status().is_ok_and(|status| status.success()) {
                assert!(message(&fifo).contains("is a FIFO"));
            }
        }
    }
}
