//! Datasets: where they come from, and how they are cut into batches.

mod batches;
mod dataset;
mod digits;
#[cfg(feature = "image")]
mod image_folder;
mod mnist;
#[cfg(feature = "numpy")]
mod numpy;
mod parts;
mod preprocessing;
mod rows;
pub mod source;
pub mod synthetic;

pub use batches::Batches;
pub use dataset::Dataset;
pub use digits::Digits;
#[cfg(feature = "image")]
pub use image_folder::ImageFolder;
pub use mnist::Mnist;
#[cfg(feature = "numpy")]
pub use numpy::NumPy;
pub use parts::Parts;
pub use preprocessing::{Preprocessing, Transform};
pub use rows::Rows;
#[cfg(feature = "numpy")]
pub(crate) use rows::check_indices;
