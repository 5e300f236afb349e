//! What can go wrong where the outside world enters: files, networks, configuration, data.

use std::path::{Path, PathBuf};

/// An error, worded for the person who will read it.
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
    /// A file does not hold what it should.
    #[error("{path}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// A dataset is nowhere on this machine and could not be fetched.
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
    /// A setting that cannot work.
    #[error("{0}")]
    Config(String),
}

/// As it is displayed: what `fn main() -> hadal::Result<()>` prints is for people.
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
