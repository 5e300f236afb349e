//! Layers that change the sizes of pictures and sequences: pooling, upsampling, padding.

mod adaptive;
mod average;
mod global;
mod max;
mod over_time;
mod pad;
mod settings;
mod upsample;

pub use adaptive::{AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveAvgPoolNd};
pub use average::{AvgPool1d, AvgPool2d, AvgPool3d, AvgPoolNd};
pub use global::GlobalAveragePool;
pub use max::{MaxPool1d, MaxPool2d, MaxPool3d, MaxPoolNd};
pub use over_time::MeanOverTime;
pub use pad::{Pad, Widths};
pub use upsample::Upsample;
