//! The right side of operators and comparisons: a tensor or a number.

use crate::kinds::Scalar;
use crate::tensor::Tensor;

/// The right side of `+ - * /`, of `+= -= *= /=` and of comparisons: a tensor, a reference to one, or a number.
///
/// Numbers are `f64`, `f32`, `i64`, `i32`, `usize` and `u8`, each by its exact value. Integers stay integers: `&x * 2` of
/// an `i64` tensor is `i64`. An integer literal without a suffix is an `i32`; larger ones need `i64`.
///
/// ```
/// use hadal_tensor::Tensor;
/// let (x, batch, rate) = (Tensor::ones([2]), 4usize, 0.5f32);
/// assert_eq!((&x / batch * rate).to_vec::<f32>(), [0.125; 2]);
/// assert_eq!(x.gt(rate).to_vec::<bool>(), [true; 2]);
/// ```
///
/// # Panics
/// Operations with a `usize` above `i64::MAX` panic.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand beside a tensor",
    note = "tensors, references to them, and `f64`, `f32`, `i64`, `i32`, `usize` and `u8` can"
)]
pub trait Operand {
    #[doc(hidden)]
    #[track_caller]
    fn operand(&self) -> Side<'_>;
}

/// What an [`Operand`] is.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Side<'a> {
    Tensor(&'a Tensor),
    Number(Scalar),
}

impl Operand for Tensor {
    #[inline]
    fn operand(&self) -> Side<'_> {
        Side::Tensor(self)
    }
}

impl Operand for &Tensor {
    #[inline]
    fn operand(&self) -> Side<'_> {
        Side::Tensor(self)
    }
}

macro_rules! number_operand {
    ($($number:ty => $kind:ident),*) => {$(
        impl Operand for $number {
            #[inline]
            fn operand(&self) -> Side<'_> {
                Side::Number(Scalar::$kind((*self).into()))
            }
        }
    )*};
}
number_operand!(f64 => Float, f32 => Float, i64 => Integer, i32 => Integer, u8 => Integer);

impl Operand for usize {
    #[inline]
    #[track_caller]
    fn operand(&self) -> Side<'_> {
        match i64::try_from(*self) {
            Ok(value) => Side::Number(Scalar::Integer(value)),
            Err(_) => panic!("the number {self} is larger than {}, the largest integer of a tensor", i64::MAX),
        }
    }
}
