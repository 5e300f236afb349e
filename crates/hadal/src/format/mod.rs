//! Readers and writers of other people's files.

mod atomic;
pub mod idx;
#[cfg(feature = "image")]
pub mod image;
pub mod safetensors;

pub use atomic::{check_writable, write_atomically};
