//! Which format serves which precision.

#[cfg(target_arch = "x86_64")]
use super::bf16::Bf16;
use super::format::Format;
use super::kernels::Gemm;
use super::kernels::tile::TileKernel;
use crate::precision::MatmulPrecision;

/// A number type, and what its products may be computed in.
pub(crate) trait Formats: Gemm {
    /// The format of the lower precisions.
    type Reduced: Format<Self>;

    /// What large products at a precision are computed in, where that is faster than the numbers as they are.
    fn reduced(precision: MatmulPrecision) -> Option<Self::Reduced>;
}

#[cfg(target_arch = "x86_64")]
impl Formats for f32 {
    type Reduced = Bf16;

    fn reduced(precision: MatmulPrecision) -> Option<Bf16> {
        Bf16::for_precision(precision)
    }
}

/// Other processors have no faster format yet.
#[cfg(not(target_arch = "x86_64"))]
impl Formats for f32 {
    type Reduced = TileKernel<f32>;

    fn reduced(_precision: MatmulPrecision) -> Option<TileKernel<f32>> {
        None
    }
}

impl Formats for f64 {
    type Reduced = TileKernel<f64>;

    fn reduced(_precision: MatmulPrecision) -> Option<TileKernel<f64>> {
        None
    }
}
