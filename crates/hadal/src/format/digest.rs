//! What tells contents apart: SHA-256.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::open::open_regular;
use crate::{Error, Result};

/// A SHA-256 in the making.
#[derive(Default)]
pub(crate) struct Hash(Sha256);

impl Hash {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    pub fn number(&mut self, number: usize) {
        self.update(&(number as u64).to_le_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.number(text.len());
        self.update(text.as_bytes());
    }

    pub fn hexadecimal(self) -> String {
        self.finish().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The SHA-256 of a file's bytes, in hexadecimal, as `sha256sum` prints it; of several files, that of their names below `root` and
/// their own digests, so that it changes if a file is added, removed, renamed or changed.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("empty.csv");
/// std::fs::write(&path, "").unwrap();
/// let digest = hadal::format::digest_files(folder.path(), &[path])?;
/// assert!(digest.starts_with("e3b0c442"));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If a file cannot be read, or is not a regular file.
pub fn digest_files(root: &Path, files: &[PathBuf]) -> Result<String> {
    if let [file] = files {
        return digest_file(file);
    }
    let mut hash = Hash::default();
    for file in files {
        hash.text(&file.strip_prefix(root).unwrap_or(file).to_string_lossy());
        hash.text(&digest_file(file)?);
    }
    Ok(hash.hexadecimal())
}

fn digest_file(path: &Path) -> Result<String> {
    let (mut file, _) = open_regular(path, "read the file")?;
    let (mut hash, mut bytes) = (Hash::default(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut bytes) {
            Ok(0) => return Ok(hash.hexadecimal()),
            Ok(count) => hash.update(&bytes[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io(path, "read the file")(error)),
        }
    }
}
