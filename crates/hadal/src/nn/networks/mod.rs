//! Whole networks by one call.

mod gpt;

pub use gpt::{Gpt, GptConfig, gpt};
