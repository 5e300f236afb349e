//! Datasets: where they come from, and how they are cut into batches.

mod augment;
mod batches;
mod dataset;
mod digits;
mod mnist;
mod parts;
mod preprocessing;
pub mod source;
pub mod synthetic;

pub use augment::{Augment, AugmentStep};
pub use batches::Batches;
pub use dataset::Dataset;
pub use digits::Digits;
pub use mnist::Mnist;
pub use parts::Parts;
pub use preprocessing::{Preprocessing, Transform};
