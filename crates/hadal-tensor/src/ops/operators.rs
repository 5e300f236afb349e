//! `+ - * /` and unary minus for tensors, references to them, and `f64` scalars on either side.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::backend::UnaryOp;
use crate::tensor::Tensor;

macro_rules! binary_operator {
    ($trait:ident, $method:ident, $tensors:ident, |$x:ident, $s:ident| $right:expr, $left:expr) => {
        impl $trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                self.$tensors(other)
            }
        }
        impl $trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                self.$tensors(&other)
            }
        }
        impl $trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                self.$tensors(other)
            }
        }
        impl $trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                self.$tensors(&other)
            }
        }
        impl $trait<f64> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, $s: f64) -> Tensor {
                let $x = self;
                $right
            }
        }
        impl $trait<f64> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, scalar: f64) -> Tensor {
                (&self).$method(scalar)
            }
        }
        impl $trait<&Tensor> for f64 {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, $x: &Tensor) -> Tensor {
                let $s = self;
                $left
            }
        }
        impl $trait<Tensor> for f64 {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, x: Tensor) -> Tensor {
                self.$method(&x)
            }
        }
    };
}
binary_operator!(Add, add, add_tensor, |x, s| x.unary(UnaryOp::AddScalar(s)), x.unary(UnaryOp::AddScalar(s)));
binary_operator!(Sub, sub, sub_tensor, |x, s| x.unary(UnaryOp::AddScalar(-s)), x.unary(UnaryOp::RSubScalar(s)));
binary_operator!(Mul, mul, mul_tensor, |x, s| x.unary(UnaryOp::MulScalar(s)), x.unary(UnaryOp::MulScalar(s)));
binary_operator!(Div, div, div_tensor, |x, s| x.unary(UnaryOp::MulScalar(1.0 / s)), x.unary(UnaryOp::RDivScalar(s)));

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
