//! The innermost products: functions of pointers, compiled for each level of vector instructions.
//!
//! Kernels know numbers and registers, nothing of how products are cut, packed or shared out. A level is a file that
//! instantiates the tiles ([`tile`], [`dot_tile`], [`sparse_rows`]) for its registers, and a line in [`LEVELS`]; a kernel for
//! pairs of bf16 is a file and a line in [`PAIR_KERNELS`].

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_tile;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bf16;
mod baseline;
pub(crate) mod dot_tile;
pub(crate) mod kernel;
#[cfg(target_arch = "x86_64")]
pub(crate) mod pair;
mod product;
pub(crate) mod sparse_rows;
pub(crate) mod store;
#[cfg(test)]
mod tests;
pub(crate) mod tile;
pub(crate) mod vector;
pub(crate) mod window_dots;
pub(crate) mod window_lines;
pub(crate) mod window_places;
pub(crate) mod window_tile;

use crate::cpu::float::Float;
use crate::cpu::simd::level;
use kernel::{Kernels, Level};
#[cfg(target_arch = "x86_64")]
use pair::PairKernel;

/// The levels that have kernels, the highest first. One that has none uses those of the next below.
pub(super) static LEVELS: &[&Level] = &[
    #[cfg(target_arch = "x86_64")]
    &avx512::LEVEL,
    #[cfg(target_arch = "x86_64")]
    &avx2::LEVEL,
    &baseline::LEVEL,
];

/// The kernels for pairs of bf16, the fastest first.
#[cfg(target_arch = "x86_64")]
pub(crate) static PAIR_KERNELS: &[&PairKernel] = &[&amx::KERNEL, &avx512_bf16::KERNEL];

/// A number type that has kernels.
pub(crate) trait Gemm: Float {
    /// Its kernels at a level.
    fn of(level: &'static Level) -> &'static Kernels<Self>;

    /// Its kernels at the level in use.
    fn kernels() -> &'static Kernels<Self> {
        let level = level();
        let best = LEVELS.iter().find(|kernels| kernels.level <= level);
        Self::of(best.expect("the last has kernels for every processor"))
    }
}

impl Gemm for f32 {
    fn of(level: &'static Level) -> &'static Kernels<f32> {
        &level.f32
    }
}

impl Gemm for f64 {
    fn of(level: &'static Level) -> &'static Kernels<f64> {
        &level.f64
    }
}
