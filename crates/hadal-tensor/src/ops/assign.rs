//! `+= -= *= /=`: in place where nobody else sees the storage, on a copy otherwise.
//!
//! On a leaf, with a right side that is not tracked, this is a parameter update: it is not recorded and the tensor
//! stays the same leaf. In all other cases `a += b` means `a = a + b`, recorded.

use std::ops::{AddAssign, DivAssign, MulAssign, SubAssign};

use super::arithmetic::{broadcast, check_float, check_same_dtype};
use crate::autograd::records;
use crate::backend::{BinaryOp, View};
use crate::dtype::DType;
use crate::kinds::{Meeting, Scalar, meet, quotient};
use crate::operand::{Operand, Side};
use crate::tensor::Tensor;

impl Tensor {
    #[track_caller]
    fn assign_op(&mut self, operation: &str, op: BinaryOp, other: &Tensor) {
        let update = self.is_leaf() && !other.is_tracked();
        if !update && records(&[self, other]) {
            *self = match op {
                BinaryOp::Add => self.add_tensor(other),
                BinaryOp::Sub => self.sub_tensor(other),
                BinaryOp::Mul => self.mul_tensor(other),
                _ => self.div_tensor(other),
            };
            return;
        }
        let dtype = meet(operation, Meeting::Tensors(self.dtype(), other.dtype()));
        self.check_result(operation, op, dtype);
        let shape = broadcast(operation, self, other);
        assert!(
            shape == *self.shape(),
            "{operation}: the right side {} does not broadcast into {}",
            other.shape(),
            self.shape()
        );
        // Held first: when both sides share storage, this makes the copy below happen.
        let right = other.value().clone();
        let wide = right.layout.expand(shape);
        let backend = self.backend();
        let target = self.make_unshared();
        backend.binary_assign(op, &mut target.storage, &target.layout, View { storage: &right.storage, layout: &wide });
    }

    /// The result of an operation in place must be of the tensor's own type.
    #[track_caller]
    fn check_result(&self, operation: &str, op: BinaryOp, dtype: DType) {
        let dtype = if op == BinaryOp::Div { quotient(dtype) } else { dtype };
        assert!(
            dtype == self.dtype(),
            "{operation}: the result is {dtype}, which a tensor of {} cannot hold; convert it with to_dtype() first, or use \
             an integer",
            self.dtype()
        );
    }

    #[track_caller]
    fn assign_scalar(&mut self, operation: &str, op: BinaryOp, scalar: Scalar) {
        let dtype = meet(operation, Meeting::Scalar(self.dtype(), scalar));
        self.check_result(operation, op, dtype);
        self.assign_op(operation, op, &Tensor::from_scalar(scalar, dtype));
    }

    /// `self += factor * other` in one pass, with the rules of `+=`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let mut x = Tensor::from([1.0, 2.0]);
    /// x.add_scaled(0.5, &Tensor::from([2.0, 4.0]));
    /// assert_eq!(x.to_vec::<f32>(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a floating-point type, dtypes differ or `other` does not broadcast into `self`.
    #[doc(alias = "add_")]
    #[doc(alias = "alpha")]
    #[doc(alias = "axpy")]
    #[track_caller]
    pub fn add_scaled(&mut self, factor: f64, other: &Tensor) {
        let update = self.is_leaf() && !other.is_tracked();
        check_float("add_scaled", self);
        check_same_dtype("add_scaled", self, other);
        if (!update && records(&[self, other])) || self.shape() != other.shape() {
            return *self += other * factor;
        }
        let right = other.value().clone();
        let backend = self.backend();
        let target = self.make_unshared();
        backend.add_scaled(&mut target.storage, &target.layout, factor, right.view());
    }
}

macro_rules! assign_operator {
    ($trait:ident, $method:ident, $operation:literal, $op:expr) => {
        impl<R: Operand> $trait<R> for Tensor {
            #[track_caller]
            fn $method(&mut self, other: R) {
                match other.operand() {
                    Side::Tensor(other) => self.assign_op($operation, $op, other),
                    Side::Number(scalar) => self.assign_scalar($operation, $op, scalar),
                }
            }
        }
    };
}
assign_operator!(AddAssign, add_assign, "+=", BinaryOp::Add);
assign_operator!(SubAssign, sub_assign, "-=", BinaryOp::Sub);
assign_operator!(MulAssign, mul_assign, "*=", BinaryOp::Mul);
assign_operator!(DivAssign, div_assign, "/=", BinaryOp::Div);
