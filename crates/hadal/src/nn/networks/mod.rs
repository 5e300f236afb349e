//! Well-known networks, each made by one call: a [`Sequential`](super::Sequential) that ends in a softmax over its classes, not yet
//! built, so that a seed may still be set.
//!
//! ```
//! use hadal::nn::networks;
//! use hadal::prelude::*;
//! let model = networks::lenet(10).seed(1).compile(Adam::default(), CategoricalCrossentropy, [Accuracy])?;
//! assert_eq!(model.summary().parameters(), 61_706);
//! # Ok::<(), hadal::Error>(())
//! ```

mod gpt;
mod lenet;
mod mlp_mixer;
mod resnet;

pub use gpt::{Gpt, GptConfig, gpt};
pub use lenet::lenet;
pub use mlp_mixer::{MlpMixer, mlp_mixer};
pub use resnet::{resnet, resnet20};
