//! N-dimensional tensors with automatic differentiation: the tensor library of Hadal.
//!
//! A [`Tensor`] is a cheap handle to an array on a device. Operations record how to differentiate
//! themselves, and [`Tensor::backward`] walks that record:
//!
//! ```
//! use hadal_tensor::Tensor;
//! let w = Tensor::from_slice(&[1.0f32, 2.0, 3.0], [3]).requires_grad();
//! let grads = w.powi(2).sum().backward();
//! assert_eq!(grads[&w].to_vec::<f32>(), [2.0, 4.0, 6.0]);
//! ```
//!
//! Algebra on shapes, dtypes or axes that do not fit is a programming mistake and panics like slice
//! indexing does, naming the caller's line and what would fit.

pub mod autograd;
pub(crate) mod backend;
pub(crate) mod cpu;
mod creation;
mod device;
mod display;
mod dtype;
mod kinds;
mod literal;
mod operand;
mod ops;
mod precision;
mod random;
mod recurrent;
mod shape;
mod sizes;
mod tensor;
mod update;
mod window;

pub use autograd::{Gradients, no_grad};
pub use cpu::pool::{can_allocate, live_bytes};
pub use cpu::threads::{MAX_THREADS, num_threads, set_num_threads};
pub use device::Device;
pub use dtype::{DType, Element};
pub use kinds::Scalar;
pub use literal::Literal;
pub use operand::Operand;
pub use ops::{
    Ellipsis, Interpolation, NewAxis, Padding, PartSizes, Pick, PickOne, Picks, Step, concat, einsum, stack,
};
pub use precision::{MatmulPrecision, matmul_precision, set_matmul_precision};
pub use random::Rng;
pub use recurrent::{RecurrentCell, RecurrentWeights, Steps};
pub use shape::{MAX_ELEMENTS, MAX_RANK, Shape, ShapeError};
pub use sizes::{REST, Sizes};
pub use tensor::Tensor;
pub use update::{Formula, MAX_STATES, Real, States, UpdateRule, WeightDecay};
pub use window::{Conv, PerDimension, Pool};

#[doc(hidden)]
pub use cpu::caches::Caches;
#[doc(hidden)]
pub use cpu::machine::{Machine, kernels_in_use};
#[doc(hidden)]
pub use cpu::pages::{set_large_pages, uses_large_pages};
#[doc(hidden)]
pub use cpu::simd::{
    SimdLevel, Task, available_levels, chosen as chosen_simd_level, dispatch, force_level, level as simd_level,
};
#[doc(hidden)]
pub use cpu::threads::{ROOM_FOR_THREAD, for_each_part, set_num_threads_exactly};
#[doc(hidden)]
pub use cpu::update::Piece;
#[doc(hidden)]
pub use window::{Numbers, WindowAxis};
