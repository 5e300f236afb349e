//! Datasets: where they come from, and how they are cut into batches.

mod augment;
mod augmented;
mod batches;
mod dataset;
mod digest;
mod digits;
#[cfg(feature = "image")]
mod image_folder;
mod inputs;
mod kfold;
mod mnist;
#[cfg(feature = "numpy")]
mod numpy;
mod pad_sequences;
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
#[cfg(feature = "table")]
mod table;
mod text;

pub use augment::{Augment, AugmentStep};
pub(crate) use batches::Batch;
pub use batches::Batches;
pub(crate) use dataset::AugmentPass;
pub use dataset::Dataset;
pub use digits::Digits;
#[cfg(feature = "image")]
pub use image_folder::ImageFolder;
pub use kfold::KFold;
pub use mnist::Mnist;
#[cfg(feature = "numpy")]
pub use numpy::NumPy;
pub use pad_sequences::pad_sequences;
pub use partition::{Part, Partition, SplitBy};
pub use parts::Parts;
#[cfg(feature = "table")]
pub use preprocess::{ColumnReport, Encoder, Leak, Preprocess, Task, check_target_spread};
pub use preprocessing::{Preprocessing, Transform};
pub use rows::Rows;
#[cfg(feature = "numpy")]
pub(crate) use rows::check_indices;
pub use split::{Split, Stratify};
#[cfg(feature = "table")]
pub use table::{Column, DateFormat, Dialect, Kind, ReadOptions, Table};
pub use text::{Text, Vocabulary};
