//! Datasets: where they come from, and how they are cut into batches.

mod augment;
mod batches;
mod dataset;
mod digits;
mod inputs;
mod kfold;
mod mnist;
mod partition;
mod parts;
#[cfg(feature = "table")]
mod preprocess;
mod preprocessing;
mod rows;
mod scaling;
pub mod source;
mod split;
pub mod synthetic;

pub use augment::Augment;
pub(crate) use batches::Batch;
pub use batches::Batches;
pub(crate) use dataset::AugmentPass;
pub use dataset::Dataset;
pub use digits::Digits;
pub use kfold::KFold;
pub use mnist::Mnist;
pub use partition::{Part, Partition, SplitBy};
pub use parts::Parts;
#[cfg(feature = "table")]
pub use preprocess::{ColumnReport, Encoder, Leak, Preprocess, Task};
pub use preprocessing::{Preprocessing, Transform};
pub use rows::Rows;
pub use split::{Split, Stratify};
