//! Tensors from literals, arrays, vectors and slices.

use crate::dtype::Element;
use crate::tensor::Tensor;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for i64 {}
    impl Sealed for bool {}
}

/// The types of literals that make tensors: `f32`, `i64` and `bool`.
///
/// There is one of each kind, so that `[0.5, 1.0]` makes a tensor of `f32` and `[1, 2]` one of `i64` without a suffix.
#[diagnostic::on_unimplemented(
    message = "arrays of `{Self}` do not convert into a tensor",
    note = "arrays of `f32`, `i64` and `bool` do; for other types use `Tensor::from_slice` or `Tensor::from_vec`"
)]
pub trait Literal: Element + sealed::Sealed {}

impl Literal for f32 {}
impl Literal for i64 {}
impl Literal for bool {}

/// A vector of `f32`, `i64` or `bool`.
///
/// ```
/// use hadal_tensor::{DType, Tensor};
/// let x = Tensor::from([0.5, 1.5]);
/// assert_eq!((x.dtype(), x.shape()), (DType::F32, &[2].into()));
/// assert_eq!(Tensor::from([0, 1, 2]).dtype(), DType::I64);
/// assert_eq!(Tensor::from([true, false]).dtype(), DType::Bool);
/// ```
impl<T: Literal, const A: usize> From<[T; A]> for Tensor {
    #[track_caller]
    fn from(values: [T; A]) -> Tensor {
        Tensor::from_slice(&values, [A])
    }
}

/// A matrix, row by row.
///
/// ```
/// use hadal_tensor::Tensor;
/// let x = Tensor::from([[0., 1., 2.], [3., 4., 5.]]);
/// assert_eq!(x.shape(), &[2, 3]);
/// ```
impl<T: Literal, const A: usize, const B: usize> From<[[T; B]; A]> for Tensor {
    #[track_caller]
    fn from(values: [[T; B]; A]) -> Tensor {
        Tensor::from_slice(values.as_flattened(), [A, B])
    }
}

/// A tensor of three axes.
impl<T: Literal, const A: usize, const B: usize, const C: usize> From<[[[T; C]; B]; A]> for Tensor {
    #[track_caller]
    fn from(values: [[[T; C]; B]; A]) -> Tensor {
        Tensor::from_slice(values.as_flattened().as_flattened(), [A, B, C])
    }
}

/// A tensor of four axes.
impl<T: Literal, const A: usize, const B: usize, const C: usize, const D: usize> From<[[[[T; D]; C]; B]; A]>
    for Tensor
{
    #[track_caller]
    fn from(values: [[[[T; D]; C]; B]; A]) -> Tensor {
        Tensor::from_slice(values.as_flattened().as_flattened().as_flattened(), [A, B, C, D])
    }
}

/// A tensor of one axis; the dtype is the vector's.
///
/// ```
/// use hadal_tensor::Tensor;
/// assert_eq!(Tensor::from(vec![1.0f32, 2.0, 3.0]).shape(), &[3]);
/// ```
impl<T: Element> From<Vec<T>> for Tensor {
    #[track_caller]
    fn from(values: Vec<T>) -> Tensor {
        let length = values.len();
        Tensor::from_vec(values, [length])
    }
}

/// A copy as a tensor of one axis; the dtype is the slice's.
///
/// ```
/// use hadal_tensor::Tensor;
/// assert_eq!(Tensor::from(&[1u8, 2, 3][1..]).to_vec::<u8>(), [2, 3]);
/// ```
impl<T: Element> From<&[T]> for Tensor {
    #[track_caller]
    fn from(values: &[T]) -> Tensor {
        Tensor::from_slice(values, [values.len()])
    }
}
