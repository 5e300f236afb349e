//! Errors from files, downloads, configuration and data.

use std::path::{Path, PathBuf};

/// The error type of this crate.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("{path}: cannot {action}: {source}", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was to be done with it.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file's contents are invalid.
    #[error("{path}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// A dataset was not found on this machine and could not be downloaded.
    #[error("{dataset} is not available (tried {tried})\n{supply}")]
    Unavailable {
        /// The dataset's name.
        dataset: String,
        /// Where it was looked for, with the reasons why it was not there.
        tried: String,
        /// How its files can be supplied.
        supply: String,
    },
    /// Data does not fit the model or the loss.
    #[error("{0}")]
    Data(String),
    /// A setting is invalid.
    #[error("{0}")]
    Config(String),
}

/// Same as `Display`, so that `fn main() -> hadal::Result<()>` prints a readable message.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// A result with Hadal's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<crate::ShapeError> for Error {
    fn from(error: crate::ShapeError) -> Error {
        Error::Config(error.to_string())
    }
}

impl Error {
    /// Turns the system's error at `path` into ours; for `map_err`.
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { path: path.to_owned(), action, source }
    }

    pub(crate) fn file(path: &Path, reason: impl Into<String>) -> Error {
        Error::File { path: path.to_owned(), reason: reason.into() }
    }
}
