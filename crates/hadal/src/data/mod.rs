//! Datasets: where they come from, and how they are cut into batches.

mod batches;
mod dataset;
mod digits;
mod mnist;
mod parts;
mod preprocessing;
mod rows;
pub mod source;
pub mod synthetic;

pub use batches::Batches;
pub use dataset::Dataset;
pub use digits::Digits;
pub use mnist::Mnist;
pub use parts::Parts;
pub use preprocessing::{Preprocessing, Transform};
pub use rows::Rows;
#[cfg(any(feature = "image", feature = "numpy"))]
pub(crate) use rows::check_indices;
