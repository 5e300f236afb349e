//! How exactly products of `f32` matrices are computed.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// The precision of `f32` matrix products: the settings of PyTorch's `set_float32_matmul_precision`.
///
/// Inputs and results are `f32` whatever the precision, and so is everything that is not a matrix product. A lower
/// precision is used only where the processor is faster by it, and for products large enough to gain; elsewhere, and for
/// `f64`, products are as with [`Highest`](MatmulPrecision::Highest). The same seed gives the same bits on any number of
/// threads, at each precision.
///
/// `bf16` is the format of 8 exponent and 8 significant bits (7 stored): the upper half of an `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatmulPrecision {
    /// Each factor is rounded to one `bf16`, products are summed in `f32`: a relative error of up to 2^-8 a factor, about
    /// 2e-3 of a typical result. Used on matrix tile units (AMX) and on AVX-512 with `bf16`.
    Medium,
    /// Each factor is the sum of two `bf16` terms, three products of which are summed in `f32`: a relative error of up to
    /// 2^-16 a factor, about 5e-6 of a typical result. Used on matrix tile units (AMX).
    High,
    /// As `f32` arithmetic is, the default: about 3e-7 of a typical result.
    #[default]
    Highest,
}

static PRECISION: AtomicU8 = AtomicU8::new(MatmulPrecision::Highest as u8);

/// How exactly products of `f32` matrices are computed, in the whole process.
///
/// ```standalone_crate
/// use hadal_tensor::{MatmulPrecision, matmul_precision};
/// assert_eq!(matmul_precision(), MatmulPrecision::Highest);
/// ```
#[doc(alias = "get_float32_matmul_precision")]
pub fn matmul_precision() -> MatmulPrecision {
    match PRECISION.load(Ordering::Relaxed) {
        0 => MatmulPrecision::Medium,
        1 => MatmulPrecision::High,
        _ => MatmulPrecision::Highest,
    }
}

/// Sets the precision of `f32` matrix products for the whole process, from the next operation on.
///
/// ```standalone_crate
/// use hadal_tensor::{MatmulPrecision, Tensor, set_matmul_precision};
/// set_matmul_precision(MatmulPrecision::Medium);
/// let product = Tensor::ones([64, 64]).matmul(&Tensor::full([64, 64], 1.01));
/// assert!((product.to_vec::<f32>()[0] / 64.64 - 1.0).abs() < 4e-3);
/// set_matmul_precision(MatmulPrecision::Highest);
/// ```
#[doc(alias = "set_float32_matmul_precision")]
pub fn set_matmul_precision(precision: MatmulPrecision) {
    PRECISION.store(precision as u8, Ordering::Relaxed);
}

impl fmt::Display for MatmulPrecision {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            MatmulPrecision::Medium => "medium",
            MatmulPrecision::High => "high",
            MatmulPrecision::Highest => "highest",
        })
    }
}

impl FromStr for MatmulPrecision {
    type Err = String;

    /// Reads the name that is displayed.
    fn from_str(name: &str) -> Result<MatmulPrecision, String> {
        [MatmulPrecision::Highest, MatmulPrecision::High, MatmulPrecision::Medium]
            .into_iter()
            .find(|precision| precision.to_string() == name)
            .ok_or_else(|| format!("unknown precision {name}; use highest, high or medium"))
    }
}
