//! Attention.

use super::arithmetic::{check_float, check_same_dtype};
use crate::autograd::{record, records, unrecorded};
use crate::shape::{Layout, Shape};
use crate::tensor::{Tensor, Value};

impl Tensor {
    /// Scaled dot-product attention of these queries `[.., T, D]` to `keys` `[.., S, D]` and `values` `[.., S, V]`, `softmax(Q Kᵀ / sqrt(D)) V`
    /// (Vaswani and others, NeurIPS 2017, eq. 1): `[.., T, V]`. If `causal`, query `i` has the keys up to `i + S - T`, the last query all of
    /// them; one that has none gives zeros. The same as products with a [`masked_softmax`](Tensor::masked_softmax) between them, in one pass
    /// where that is faster.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let (query, keys) = (Tensor::from([[0.0, 0.0]]), Tensor::from([[1.0, 5.0], [2.0, 3.0]]));
    /// // All scores are 0: the mean of the values.
    /// assert_eq!(query.attention(&keys, &Tensor::from([[1.0], [3.0]]), false).item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, or dtypes differ or are not floating-point.
    #[doc(alias = "scaled_dot_product_attention")]
    #[track_caller]
    pub fn attention(&self, keys: &Tensor, values: &Tensor, causal: bool) -> Tensor {
        check_float("attention", self);
        check_same_dtype("attention", self, keys);
        check_same_dtype("attention", self, values);
        let (q, k, v) = (self.shape(), keys.shape(), values.shape());
        let rank = q.rank();
        assert!(
            rank >= 2
                && (k.rank(), v.rank()) == (rank, rank)
                && q[rank - 1] == k[rank - 1]
                && k[..rank - 1] == v[..rank - 1]
                && q[..rank - 2] == k[..rank - 2],
            "attention: queries {q}, keys {k} and values {v} do not fit: they must be [.., T, D], [.., S, D] and [.., S, V]"
        );
        match rank {
            2 => return self.unsqueeze(0).attention(&keys.unsqueeze(0), &values.unsqueeze(0), causal).squeeze(0),
            3 => return self.unsqueeze(1).attention(&keys.unsqueeze(1), &values.unsqueeze(1), causal).squeeze(1),
            4 => {}
            _ => return composed(self, keys, values, causal),
        }
        let scale = scale(self);
        let inputs = [self, keys, values];
        let records_it = records(&inputs);
        let Some((out, shares)) = self.backend().attention(inputs.map(Tensor::view), scale, causal, records_it) else {
            return composed(self, keys, values, causal);
        };
        // Heads are the second last axis there.
        let layout = Layout::contiguous(Shape::from([q[0], q[2], q[1], v[3]])).transpose(1, 2);
        let value = Value { layout, storage: out };
        let Some(shares) = shares else { return unrecorded("attention", value, &inputs) };
        let shares = Tensor::from_storage(Shape::from([q[0], q[1], q[2], k[2]]), shares);
        let [q, k, v] = inputs.map(Tensor::clone);
        record("attention", value, &inputs, move |g, sink| {
            if records(&[g, &q, &k, &v]) {
                return sink.send_through(&composed(&q, &k, &v, causal), g);
            }
            let views = [&q, &k, &v].map(|x| x.view());
            let sent = g.backend().attention_gradients(views, shares.view(), g.view(), scale, causal);
            for (index, (storage, layout)) in sent.into_iter().enumerate() {
                sink.add(index, || Tensor::new(Value { layout: layout.transpose(1, 2), storage }, None));
            }
        })
    }
}

/// What scores are multiplied by.
fn scale(queries: &Tensor) -> f64 {
    1.0 / (queries.size(-1).max(1) as f64).sqrt()
}

/// Step by step, which can be differentiated again.
#[track_caller]
fn composed(queries: &Tensor, keys: &Tensor, values: &Tensor, causal: bool) -> Tensor {
    queries.matmul(&keys.t()).masked_softmax(scale(queries), causal, None).matmul(values)
}
