//! `+ - * /` and unary minus for tensors, references to them, and numbers on either side. How kinds of numbers meet stands in
//! [`kinds`](crate::kinds).
//!
//! On the right, any [`Operand`] can stand. On the left, numbers are `f64` and `i64` alone: one type of each kind, without
//! which the type of `(2.0 * x).sum()` could not be inferred. Convert others first, or write them on the right.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::backend::{BinaryOp, UnaryOp};
use crate::kinds::{Meeting, Scalar, meet, quotient};
use crate::operand::{Operand, Side};
use crate::tensor::Tensor;

/// One implementation for all right sides, so that the result is known to be a tensor before the type of a literal is.
macro_rules! binary_operator {
    ($trait:ident, $method:ident, $tensors:ident, $op:expr) => {
        impl<R: Operand> $trait<R> for &Tensor {
            type Output = Tensor;
            #[inline]
            #[track_caller]
            fn $method(self, other: R) -> Tensor {
                match other.operand() {
                    Side::Tensor(other) => self.$tensors(other),
                    Side::Number(scalar) => self.with_scalar($op, scalar, false),
                }
            }
        }
        impl<R: Operand> $trait<R> for Tensor {
            type Output = Tensor;
            #[inline]
            #[track_caller]
            fn $method(self, other: R) -> Tensor {
                $trait::$method(&self, other)
            }
        }
        number_operator!($trait, $method, $op, f64);
        number_operator!($trait, $method, $op, i64);
    };
}

macro_rules! number_operator {
    ($trait:ident, $method:ident, $op:expr, $number:ty) => {
        impl $trait<&Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, x: &Tensor) -> Tensor {
                x.with_scalar($op, self.into(), true)
            }
        }
        impl $trait<Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, x: Tensor) -> Tensor {
                x.with_scalar($op, self.into(), true)
            }
        }
    };
}
binary_operator!(Add, add, add_tensor, BinaryOp::Add);
binary_operator!(Sub, sub, sub_tensor, BinaryOp::Sub);
binary_operator!(Mul, mul, mul_tensor, BinaryOp::Mul);
binary_operator!(Div, div, div_tensor, BinaryOp::Div);

impl Tensor {
    /// `+ - *` or `/` of a tensor and a number, which comes first or last.
    #[track_caller]
    fn with_scalar(&self, op: BinaryOp, scalar: Scalar, first: bool) -> Tensor {
        if !self.dtype().is_float() {
            return self.integers_with_scalar(op, scalar, first);
        }
        let s = scalar.as_f64();
        self.unary(match (op, first) {
            (BinaryOp::Add, _) => UnaryOp::AddScalar(s),
            (BinaryOp::Sub, false) => UnaryOp::AddScalar(-s),
            (BinaryOp::Sub, true) => UnaryOp::RSubScalar(s),
            (BinaryOp::Mul, _) => UnaryOp::MulScalar(s),
            (_, false) => UnaryOp::DivScalar(s),
            (_, true) => UnaryOp::RDivScalar(s),
        })
    }

    #[track_caller]
    fn integers_with_scalar(&self, op: BinaryOp, scalar: Scalar, first: bool) -> Tensor {
        let operation = match op {
            BinaryOp::Add => "add",
            BinaryOp::Sub => "sub",
            BinaryOp::Mul => "mul",
            _ => "div",
        };
        let dtype = meet(operation, Meeting::Scalar(self.dtype(), scalar));
        let dtype = if op == BinaryOp::Div { quotient(dtype) } else { dtype };
        if dtype.is_float() {
            return self.to_dtype(dtype).with_scalar(op, scalar, first);
        }
        // As a tensor, in which every integer is exact.
        let scalar = Tensor::from_scalar(scalar, dtype);
        let (a, b) = if first { (&scalar, self) } else { (self, &scalar) };
        match op {
            BinaryOp::Add => a.add_tensor(b),
            BinaryOp::Sub => a.sub_tensor(b),
            _ => a.mul_tensor(b),
        }
    }
}

impl Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        self.unary(UnaryOp::Neg)
    }
}

impl Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        self.unary(UnaryOp::Neg)
    }
}
