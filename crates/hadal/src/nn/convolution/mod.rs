//! Convolutions.

mod conv;
mod conv_transpose;
mod depthwise;
mod separable;
mod settings;

pub use conv::{Conv1d, Conv2d, Conv3d, ConvNd};
pub use conv_transpose::{ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, ConvTransposeNd};
pub use depthwise::DepthwiseConv2d;
pub use separable::SeparableConv2d;
