//! Operations: one file per family, forward, gradient and docs of an operation side by side.
//!
//! Gradients are written with the same operations, so they can be differentiated again.

mod arithmetic;
mod assign;
mod attention;
mod axes;
mod batch_norm;
mod compare;
mod convolution;
mod einsum;
mod elementwise;
mod index;
mod interpolate;
mod join;
mod layer_norm;
mod matmul;
mod matrices;
mod operators;
mod pad;
mod pick;
mod pooling;
mod rearrange;
mod recurrent;
mod reduce;
mod scan;
mod softmax;
mod sort;
mod statistics;
mod views;

pub use einsum::einsum;
pub use interpolate::Interpolation;
pub use join::{concat, stack};
pub use pad::Padding;
pub use pick::{Ellipsis, NewAxis, Pick, PickOne, Picks, Step};
pub use rearrange::PartSizes;
