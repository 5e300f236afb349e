//! Datasets: where they come from, and how they are cut into batches.

mod batches;
mod dataset;
mod digits;
mod kfold;
mod mnist;
mod partition;
mod parts;
mod preprocessing;
pub mod source;
mod split;
pub mod synthetic;

pub use batches::Batches;
pub use dataset::Dataset;
pub use digits::Digits;
pub use kfold::KFold;
pub use mnist::Mnist;
pub use partition::{Part, Partition, SplitBy};
pub use parts::Parts;
pub use preprocessing::{Preprocessing, Transform};
pub use split::{Split, Stratify};
