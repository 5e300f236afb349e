//! How kinds of numbers meet: one rule, held by [`meet`]. The guide has it as a table.

use crate::dtype::DType;

/// A number beside a tensor: `2` is an integer, `2.0` is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Scalar {
        Scalar::Float(value)
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Scalar {
        Scalar::Integer(value)
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Integer(value) => value.fmt(f),
            // With a point, so that 2.0 is not taken for 2.
            Scalar::Float(value) => write!(f, "{value:?}"),
        }
    }
}

impl Scalar {
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Scalar::Integer(value) => value as f64,
            Scalar::Float(value) => value,
        }
    }
}

/// What meets in an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meeting {
    /// Two tensors in a sum, a difference, a product, an extreme.
    Tensors(DType, DType),
    /// A tensor and a number, likewise.
    Scalar(DType, Scalar),
    /// Elements of one type that are added.
    Sum(DType),
}

/// The type of the result. Integers stay integers among themselves and become floats, `f32` as in PyTorch, beside a
/// floating-point number; sums of what is smaller than `i64` are `i64`. So no fraction is lost.
///
/// # Panics
/// If there is none: truth values have no arithmetic, two tensors must be of one type, and an integer must be one that the
/// tensor's type has.
#[inline]
#[track_caller]
pub(crate) fn meet(operation: &str, meeting: Meeting) -> DType {
    // What meets most often.
    match meeting {
        Meeting::Tensors(DType::F32, DType::F32) => DType::F32,
        meeting => meet_others(operation, meeting),
    }
}

#[track_caller]
fn meet_others(operation: &str, meeting: Meeting) -> DType {
    match meeting {
        Meeting::Sum(DType::U8 | DType::Bool) => DType::I64,
        Meeting::Sum(dtype) => dtype,
        Meeting::Tensors(a, b) if a != b => {
            panic!("{operation}: dtypes {a} and {b} differ; convert one with to_dtype()")
        }
        Meeting::Tensors(DType::Bool, _) | Meeting::Scalar(DType::Bool, _) => {
            panic!("{operation}: bool tensors do not support arithmetic; convert them with to_dtype() first")
        }
        Meeting::Scalar(DType::I64 | DType::U8, Scalar::Float(_)) => DType::F32,
        Meeting::Scalar(DType::U8, Scalar::Integer(value)) if !(0..=255).contains(&value) => {
            panic!("{operation}: u8 cannot hold {value}; convert the tensor with to_dtype() first")
        }
        Meeting::Tensors(dtype, _) | Meeting::Scalar(dtype, _) => dtype,
    }
}

/// The type of a quotient: integers divide into floats, as in PyTorch.
pub(crate) fn quotient(dtype: DType) -> DType {
    if dtype.is_float() { dtype } else { DType::F32 }
}

/// Whether a tensor of `dtype` can hold exactly this number; of floats, as nearly as they can.
pub(crate) fn holds(dtype: DType, value: f64) -> bool {
    match dtype {
        // 2^63 is the first number that is too large.
        DType::I64 => {
            value.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value)
        }
        DType::U8 => value.fract() == 0.0 && (0.0..=255.0).contains(&value),
        DType::F32 | DType::F64 | DType::Bool => true,
    }
}
