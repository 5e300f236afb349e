//! Comparisons, and choosing by their results.

use super::arithmetic::{broadcast, check_same_dtype};
use crate::autograd::record;
use crate::backend::{CompareOp, View};
use crate::dtype::DType;
use crate::kinds::Scalar;
use crate::operand::{Operand, Side};
use crate::shape::{Layout, Shape};
use crate::tensor::{Tensor, Value};

/// A comparison with a number by value: as one with a number that the tensor's type has, or the answer for all of its numbers.
/// Floats are compared with the number rounded to their type, as in PyTorch, unless that would be infinite.
#[inline]
fn by_value(op: CompareOp, number: Scalar, dtype: DType) -> Result<(CompareOp, Scalar), bool> {
    // What is asked most often.
    match number.as_f64() {
        value if dtype.is_float() && value.abs() < 1e38 => Ok((op, number)),
        value => by_value_of_others(op, number, value, dtype),
    }
}

fn by_value_of_others(op: CompareOp, number: Scalar, value: f64, dtype: DType) -> Result<(CompareOp, Scalar), bool> {
    use CompareOp::*;
    let (above, below) = (matches!(op, Lt | Le | Ne), matches!(op, Gt | Ge | Ne));
    let between = |lower: Scalar| match op {
        Eq => Err(false),
        Ne => Err(true),
        Lt | Le => Ok((Le, lower)),
        Gt | Ge => Ok((Gt, lower)),
    };
    let (lowest, highest) = match dtype {
        DType::F32 => {
            let largest = f64::from(f32::MAX);
            return match value {
                value if value.is_finite() && value as f32 == f32::INFINITY => between(Scalar::Float(largest)),
                value if value.is_finite() && value as f32 == f32::NEG_INFINITY => {
                    between(Scalar::Float(f64::NEG_INFINITY))
                }
                _ => Ok((op, number)),
            };
        }
        DType::F64 => return Ok((op, number)),
        DType::I64 => (i64::MIN, i64::MAX),
        DType::U8 => (0, 255),
        DType::Bool => (0, 1),
    };
    let integer = match number {
        Scalar::Integer(integer) => integer,
        Scalar::Float(value) if value.is_nan() => return Err(op == Ne),
        // -2^63 is the smallest i64, 2^63 the first number above the largest.
        Scalar::Float(value) if value < -9_223_372_036_854_775_808.0 => return Err(below),
        Scalar::Float(value) if value >= 9_223_372_036_854_775_808.0 => return Err(above),
        Scalar::Float(value) => value.floor() as i64,
    };
    match integer {
        integer if integer < lowest => Err(below),
        integer if integer > highest => Err(above),
        integer if matches!(number, Scalar::Float(value) if value.fract() != 0.0) => between(Scalar::Integer(integer)),
        integer => Ok((op, Scalar::Integer(integer))),
    }
}

/// # Comparing
///
/// Results are of dtype `bool`, broadcast, and carry no gradient; comparisons with NaN are false but for `ne`. Numbers are
/// compared by value: `u8` 255 is below 256, and `i64` 0 below 0.5.
///
/// # Panics
/// If shapes do not broadcast, or two tensors differ in dtype.
impl Tensor {
    #[track_caller]
    fn compare(&self, operation: &str, op: CompareOp, other: Side<'_>) -> Tensor {
        let other = match other {
            Side::Tensor(other) => other,
            Side::Number(number) => return self.compare_number(op, number),
        };
        check_same_dtype(operation, self, other);
        let shape = broadcast(operation, self, other);
        let (a, b) = (self.layout().expand(shape), other.layout().expand(shape));
        let storage = self.backend().compare(
            op,
            View { storage: &self.value().storage, layout: &a },
            View { storage: &other.value().storage, layout: &b },
        );
        Tensor::from_storage(shape, storage)
    }

    fn compare_number(&self, op: CompareOp, number: Scalar) -> Tensor {
        let shape = *self.shape();
        let (op, number) = match by_value(op, number, self.dtype()) {
            Ok(comparison) => comparison,
            Err(all) => return Tensor::full_of(shape, f64::from(u8::from(all)), DType::Bool),
        };
        let number = Tensor::storage_of(number, self.dtype());
        let wide = Layout::contiguous(Shape::new(&[])).expand(shape);
        let right = View { storage: &number, layout: &wide };
        let storage = self.backend().compare(op, self.view(), right);
        Tensor::from_storage(shape, storage)
    }

    /// Where both are equal.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).eq(2).to_vec::<bool>(), [false, true]);
    /// ```
    #[doc(alias = "equal")]
    #[doc(alias = "==")]
    #[track_caller]
    pub fn eq(&self, other: impl Operand) -> Tensor {
        self.compare("eq", CompareOp::Eq, other.operand())
    }

    /// Where they differ.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).ne(2).to_vec::<bool>(), [true, false]);
    /// ```
    #[doc(alias = "not_equal")]
    #[doc(alias = "!=")]
    #[track_caller]
    pub fn ne(&self, other: impl Operand) -> Tensor {
        self.compare("ne", CompareOp::Ne, other.operand())
    }

    /// Where `self < other`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).lt(1.5).to_vec::<bool>(), [true, false]);
    /// ```
    #[doc(alias = "less")]
    #[doc(alias = "<")]
    #[track_caller]
    pub fn lt(&self, other: impl Operand) -> Tensor {
        self.compare("lt", CompareOp::Lt, other.operand())
    }

    /// Where `self <= other`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).le(1).to_vec::<bool>(), [true, false]);
    /// ```
    #[doc(alias = "less_equal")]
    #[doc(alias = "<=")]
    #[track_caller]
    pub fn le(&self, other: impl Operand) -> Tensor {
        self.compare("le", CompareOp::Le, other.operand())
    }

    /// Where `self > other`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from_slice(&[-1.0f32, 2.0], [2]);
    /// assert_eq!(x.gt(0.0).to_vec::<bool>(), [false, true]);
    /// ```
    #[doc(alias = "greater")]
    #[doc(alias = ">")]
    #[track_caller]
    pub fn gt(&self, other: impl Operand) -> Tensor {
        self.compare("gt", CompareOp::Gt, other.operand())
    }

    /// Where `self >= other`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).ge(2).to_vec::<bool>(), [false, true]);
    /// ```
    #[doc(alias = "greater_equal")]
    #[doc(alias = ">=")]
    #[track_caller]
    pub fn ge(&self, other: impl Operand) -> Tensor {
        self.compare("ge", CompareOp::Ge, other.operand())
    }

    /// Selects elements from `a` where `self` is true and from `b` elsewhere; all three broadcast. Gradients flow to the side
    /// that was chosen.
    ///
    /// Both sides are computed, and so are both gradients: as in PyTorch, a side whose derivative is not finite where it was not
    /// chosen makes the gradient NaN (0 times infinity). Choose the argument of such a function, not its result:
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from_slice(&[-4.0f32, 9.0], [2]).requires_grad();
    /// let positive = x.gt(0.0);
    /// // The square root is taken of 1 where x is not positive.
    /// let root = positive.where_(&x, &x.ones_like()).sqrt();
    /// let y = positive.where_(&root, &x.zeros_like());
    /// assert_eq!(y.to_vec::<f32>(), [0.0, 3.0]);
    /// assert_eq!(y.sum().backward()[&x].to_vec::<f32>(), [0.0, 1.0 / 6.0]);
    /// ```
    ///
    /// # Panics
    /// If `self` is not of dtype `bool`, or `a` and `b` differ in dtype, or shapes do not broadcast.
    #[doc(alias = "where")]
    #[doc(alias = "select")]
    #[track_caller]
    pub fn where_(&self, a: &Tensor, b: &Tensor) -> Tensor {
        assert!(self.dtype() == DType::Bool, "where_: the condition holds {}, not bool", self.dtype());
        check_same_dtype("where_", a, b);
        let pair = broadcast("where_", a, b);
        let shape = match self.shape().broadcast(&pair) {
            Some(shape) => shape,
            None => panic!("where_: condition {} and values {pair} do not broadcast", self.shape()),
        };
        let layouts = [self, a, b].map(|x| x.layout().expand(shape));
        let storage = self.backend().select(
            View { storage: &self.value().storage, layout: &layouts[0] },
            View { storage: &a.value().storage, layout: &layouts[1] },
            View { storage: &b.value().storage, layout: &layouts[2] },
        );
        let (condition, of_a, of_b) = (self.clone(), *a.shape(), *b.shape());
        record("where_", Value::contiguous(shape, storage), &[a, b], move |g, sink| {
            let zero = Tensor::full_of([], 0.0, g.dtype());
            sink.add(0, || condition.where_(g, &zero).sum_to(of_a));
            sink.add(1, || condition.where_(&zero, g).sum_to(of_b));
        })
    }
    /// `value` where `mask` is true, `self` elsewhere; `mask` broadcasts.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(x.masked_fill(&x.gt(1.5), 0.0).to_vec::<f32>(), [1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If `mask` is not of dtype `bool`, shapes do not broadcast, or the tensor's type does not have the value.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: f64) -> Tensor {
        mask.where_(&Tensor::full_of([], value, self.dtype()), self)
    }
}
