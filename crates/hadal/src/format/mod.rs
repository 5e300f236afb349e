//! Readers and writers of other people's files.
//!
//! Sizes are judged by a file's header before anything is read or allocated: by the file's length, by limits that each reader
//! states, and by the memory that is available. Devices, FIFOs, sockets and folders are refused by name.

#[cfg(any(feature = "dashboard", feature = "numpy"))]
#[cfg_attr(not(feature = "numpy"), allow(dead_code))]
pub(crate) mod at;
mod atomic;
mod digest;
pub mod idx;
#[cfg(feature = "image")]
pub mod image;
mod lock;
#[cfg(feature = "numpy")]
pub mod npy;
#[cfg(feature = "numpy")]
pub mod npz;
mod open;
pub mod safetensors;
pub(crate) mod text;

pub(crate) use atomic::{Staged, UNFINISHED, stage};
pub use atomic::{check_writable, write_atomically};
pub(crate) use digest::Hash;
pub use digest::digest_files;
pub(crate) use lock::FolderLock;
pub(crate) use open::kind_name;
pub(crate) use open::open_regular;
