//! Operations: one file per family, forward, gradient and docs of an operation side by side.
//!
//! Gradients are written with the same operations, so they can be differentiated again.

mod arithmetic;
mod assign;
mod axes;
mod compare;
mod elementwise;
mod index;
mod join;
mod matmul;
mod operators;
mod reduce;
mod softmax;
mod views;

pub use join::{concat, stack};
