//! Matrix products.

use super::arithmetic::{check_float, check_same_dtype};
use crate::autograd::{record, records};
use crate::backend::View;
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::{Tensor, Value};

impl Tensor {
    /// The matrix product: `[.., m, k] x [.., k, n] -> [.., m, n]`, leading (batch) axes broadcast.
    ///
    /// A vector on the left is a row (`[k] x [k, n] -> [n]`), on the right a column (`[m, k] x [k] -> [m]`), as in
    /// PyTorch. Any strides are taken as they are: a transposed view costs no copy. Gradients: `g bT` and `aT g`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let a = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0], [2, 2]);
    /// assert_eq!(a.matmul(&a).to_vec::<f32>(), [7.0, 10.0, 15.0, 22.0]);
    /// ```
    ///
    /// # Panics
    /// If the inner sizes differ, batch axes do not broadcast, or dtypes differ or are not floating-point.
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        assert!(
            self.rank() > 0 && other.rank() > 0,
            "matmul: {} x {}: a scalar has no axes to sum over; use *",
            self.shape(),
            other.shape()
        );
        if self.rank() == 1 {
            return self.unsqueeze(0).matmul(other).squeeze(if other.rank() == 1 { 0 } else { -2 });
        }
        if other.rank() == 1 {
            return self.matmul(&other.unsqueeze(1)).squeeze(-1);
        }
        check_float("matmul", self);
        check_same_dtype("matmul", self, other);
        let (a, b) = (self.shape(), other.shape());
        let (m, k, n) = (a[a.rank() - 2], a[a.rank() - 1], b[b.rank() - 1]);
        assert!(k == b[b.rank() - 2], "matmul: {a} x {b}: inner sizes {k} and {} differ", b[b.rank() - 2]);
        let (batch_a, batch_b) = (Shape::new(&a[..a.rank() - 2]), Shape::new(&b[..b.rank() - 2]));
        let Some(batch) = batch_a.broadcast(&batch_b) else {
            panic!("matmul: {a} x {b}: batch axes {batch_a} and {batch_b} do not broadcast");
        };
        let with = |rows: usize, columns: usize| {
            let rank = batch.rank() + 2;
            let mut sizes = [0; MAX_RANK];
            sizes[..rank - 2].copy_from_slice(&batch);
            sizes[rank - 2..rank].copy_from_slice(&[rows, columns]);
            Shape::new(&sizes[..rank])
        };
        let (wide_a, wide_b) = (self.layout().expand(with(m, k)), other.layout().expand(with(k, n)));
        let storage = self.backend().matmul(
            View { storage: &self.value().storage, layout: &wide_a },
            View { storage: &other.value().storage, layout: &wide_b },
        );
        let value = Value::contiguous(with(m, n), storage);
        if !records(&[self, other]) {
            return Tensor::new(value, None);
        }
        let (x, y) = (self.clone(), other.clone());
        record(value, &[self, other], move |g, sink| {
            sink.add(0, || laid_out_as(&x, g, &y.t()).sum_to(*x.shape()));
            sink.add(1, || laid_out_as(&y, &x.t(), g).sum_to(*y.shape()));
        })
    }
}

/// `a` times `b`, column by column in memory where `like` is: the gradient of a transposed parameter then lies in
/// memory as the parameter does, and its update reads both from front to back.
fn laid_out_as(like: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
    match like.layout().strides() {
        [.., 1, column] if *column != 1 => b.t().matmul(&a.t()).t(),
        _ => a.matmul(b),
    }
}
