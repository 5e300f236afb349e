//! Archives of NumPy arrays: `.npz`, a zip archive of `.npy` files, stored (`np.savez`) or deflated
//! (`np.savez_compressed`).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zip::CompressionMethod;
use zip::read::ZipArchive;
use zip::result::ZipError;

use super::at::At;
use super::npy::Array;
use super::open::open_regular;
use crate::{Error, Result, nearest};

/// The most that deflate compresses (zlib's documentation, "Maximum Expansion Factor").
const LARGEST_RATIO: u64 = 1032;

/// An archive of arrays whose directory has been read.
///
/// ```no_run
/// use hadal::format::npz;
/// let archive = npz::open("iris.npz")?; // np.savez("iris.npz", x=x, y=y)
/// assert_eq!(archive.names(), ["x", "y"]);
/// let x = archive.open("x")?.read()?;
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Archive {
    path: PathBuf,
    file: Arc<File>,
    members: Vec<Member>,
}

/// One array of an archive.
#[derive(Clone, Debug)]
pub(super) struct Member {
    name: String,
    index: usize,
    /// Where its bytes begin in the archive, if they are stored as they are.
    stored_at: Option<u64>,
}

/// Opens an `.npz` archive, and reads its directory alone.
///
/// # Errors
/// If the file is no regular file, cannot be read, is not a zip archive, or has two members of one name.
pub fn open(path: impl AsRef<Path>) -> Result<Archive> {
    let path = path.as_ref();
    let (file, _) = open_regular(path, "open the archive")?;
    let file = Arc::new(file);
    let zip = directory(path, &file)?;
    if zip.has_duplicate_names() {
        return Err(Error::file(path, "has two members of one name; np.savez writes each array once"));
    }
    let mut members = Vec::new();
    for index in 0..zip.len() {
        let name = zip.name_for_index(index).and_then(|name| name.ok()).unwrap_or_default();
        if let Some(name) = name.strip_suffix(".npy") {
            members.push(Member { name: name.to_owned(), index, stored_at: None });
        }
    }
    Ok(Archive { path: path.to_owned(), file, members })
}

fn directory(path: &Path, file: &Arc<File>) -> Result<ZipArchive<BufReader<At>>> {
    ZipArchive::new(BufReader::new(At::new(file.clone(), 0))).map_err(|error| match error {
        ZipError::Io(error) => Error::io(path, "read the archive")(error),
        error => Error::file(path, format!("is not an .npz file, or damaged ({error}); np.savez writes one")),
    })
}

impl Archive {
    /// The arrays' names, in the archive's order: `x` for the member `x.npy`.
    pub fn names(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.name.as_str()).collect()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the array called `name`, and reads its header alone.
    ///
    /// # Errors
    /// If there is no such array, it is encrypted, compressed in another way than deflate, or larger than its
    /// compressed bytes can be; and as [`npy::open`](super::npy::open).
    pub fn open(&self, name: &str) -> Result<Array> {
        let name = name.strip_suffix(".npy").unwrap_or(name);
        let Some(member) = self.members.iter().find(|member| member.name == name) else {
            return Err(Error::file(&self.path, missing(name, &self.names())));
        };
        let failed = |reason: String| Error::file(&self.path, format!("member `{name}.npy` {reason}"));
        let mut zip = directory(&self.path, &self.file)?;
        let entry = zip.by_index_raw(member.index).map_err(|error| failed(format!("is damaged: {error}")))?;
        let (length, packed, at) = (entry.size(), entry.compressed_size(), entry.data_start());
        if entry.encrypted() {
            return Err(failed("is encrypted, which is not read".to_owned()));
        }
        let mut member = member.clone();
        match entry.compression() {
            CompressionMethod::Stored if packed == length => member.stored_at = at,
            CompressionMethod::Stored => {
                return Err(failed(format!("is damaged: {packed} stored bytes of {length}")));
            }
            CompressionMethod::Deflated if length <= packed.saturating_mul(LARGEST_RATIO) => {}
            CompressionMethod::Deflated => {
                return Err(failed(format!("is damaged: {packed} compressed bytes cannot hold {length}")));
            }
            other => {
                return Err(failed(format!("is compressed by {other:?}; np.savez_compressed writes what is read")));
            }
        }
        drop(entry);
        let end = self.file.metadata().map_err(Error::io(&self.path, "read the archive"))?.len();
        if at.is_none_or(|at| at.checked_add(packed).is_none_or(|last| last > end)) {
            return Err(failed("is cut short: it goes on after the archive's end".to_owned()));
        }
        let bytes = zip.by_index(member.index).map_err(|error| failed(format!("cannot be read: {error}")))?;
        Array::of_member(self.path.clone(), self.file.clone(), bytes, length, member)
    }
}

impl Member {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn stored_at(&self) -> Option<u64> {
        self.stored_at
    }

    /// Hands the member's bytes, as they were before they were compressed, to `read`.
    pub fn with_bytes<T>(
        &self,
        path: &Path,
        file: &Arc<File>,
        read: impl FnOnce(&mut dyn Read) -> std::io::Result<T>,
    ) -> Result<T> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::file(path, format!("member `{}.npy` is damaged: {error}", self.name))
        };
        let mut zip = directory(path, file)?;
        let mut bytes = zip.by_index(self.index).map_err(|error| failed(&error))?;
        read(&mut bytes).map_err(|error| failed(&error))
    }
}

/// Which array is missing, and which there are.
pub(crate) fn missing(name: &str, names: &[&str]) -> String {
    let there = match names {
        [] => "there are no arrays in it".to_owned(),
        names => format!("there are `{}`", names[..names.len().min(20)].join("`, `")),
    };
    let more = if names.len() > 20 { format!(" and {} more", names.len() - 20) } else { String::new() };
    let hint = nearest(name, names.iter().copied()).map_or(String::new(), |nearest| format!("; is `{nearest}` meant?"));
    format!("has no array `{name}`; {there}{more}{hint}")
}

#[cfg(test)]
mod tests;
