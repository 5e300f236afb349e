//! Comparisons, and choosing by their results.

use super::arithmetic::{broadcast, check_same_dtype};
use crate::autograd::record;
use crate::backend::{CompareOp, View};
use crate::dtype::DType;
use crate::tensor::{Tensor, Value};

/// The right side of a comparison: a tensor or an `f64`.
pub trait Operand {
    /// The operand as a tensor of the dtype of `like`.
    fn tensor(self, like: &Tensor) -> Tensor;
}

impl Operand for &Tensor {
    fn tensor(self, _like: &Tensor) -> Tensor {
        self.clone()
    }
}

impl Operand for Tensor {
    fn tensor(self, _like: &Tensor) -> Tensor {
        self
    }
}

impl Operand for f64 {
    fn tensor(self, like: &Tensor) -> Tensor {
        Tensor::full_of([], self, like.dtype())
    }
}

/// # Comparing
///
/// Results are of dtype `bool`, broadcast, and carry no gradient; comparisons with NaN are false but for `ne`.
impl Tensor {
    #[track_caller]
    fn compare(&self, operation: &str, op: CompareOp, other: Tensor) -> Tensor {
        check_same_dtype(operation, self, &other);
        let shape = broadcast(operation, self, &other);
        let (a, b) = (self.layout().expand(shape), other.layout().expand(shape));
        let storage = self.backend().compare(
            op,
            View { storage: &self.value().storage, layout: &a },
            View { storage: &other.value().storage, layout: &b },
        );
        Tensor::from_storage(shape, storage)
    }

    /// Where both are equal.
    #[track_caller]
    pub fn eq(&self, other: impl Operand) -> Tensor {
        self.compare("eq", CompareOp::Eq, other.tensor(self))
    }

    /// Where they differ.
    #[track_caller]
    pub fn ne(&self, other: impl Operand) -> Tensor {
        self.compare("ne", CompareOp::Ne, other.tensor(self))
    }

    /// Where `self < other`.
    #[track_caller]
    pub fn lt(&self, other: impl Operand) -> Tensor {
        self.compare("lt", CompareOp::Lt, other.tensor(self))
    }

    /// Where `self <= other`.
    #[track_caller]
    pub fn le(&self, other: impl Operand) -> Tensor {
        self.compare("le", CompareOp::Le, other.tensor(self))
    }

    /// Where `self > other`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from_slice(&[-1.0f32, 2.0], [2]);
    /// assert_eq!(x.gt(0.0).to_vec::<bool>(), [false, true]);
    /// ```
    #[track_caller]
    pub fn gt(&self, other: impl Operand) -> Tensor {
        self.compare("gt", CompareOp::Gt, other.tensor(self))
    }

    /// Where `self >= other`.
    #[track_caller]
    pub fn ge(&self, other: impl Operand) -> Tensor {
        self.compare("ge", CompareOp::Ge, other.tensor(self))
    }

    /// `a` where `self` is true, else `b`; all three broadcast. Gradients flow to the side that was chosen.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from_slice(&[-4.0f32, 9.0], [2]);
    /// let y = x.gt(0.0).where_(&x.sqrt(), &x.zeros_like());
    /// assert_eq!(y.to_vec::<f32>(), [0.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If `self` is not of dtype `bool`, or `a` and `b` differ in dtype, or shapes do not broadcast.
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
        record(Value::contiguous(shape, storage), &[a, b], move |g, sink| {
            let zero = Tensor::full_of([], 0.0, g.dtype());
            sink.add(0, || condition.where_(g, &zero).sum_to(of_a));
            sink.add(1, || condition.where_(&zero, g).sum_to(of_b));
        })
    }
}
