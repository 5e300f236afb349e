//! Attention itself.

use super::AttentionMask;
use crate::{Shape, Tensor};

/// Scaled dot-product attention, `softmax(Q Kᵀ / sqrt(D)) V` (Vaswani and others, NeurIPS 2017, eq. 1): `query` `[.., T, D]`, `key`
/// `[.., S, D]`, `value` `[.., S, V]`; the result is `[.., T, V]`. Leading axes are usually samples and heads, `[N, H, ..]`. A query of
/// which all keys are left out gives zeros.
///
/// ```
/// use hadal::nn::{AttentionMask, scaled_dot_product_attention};
/// use hadal::prelude::*;
/// let (query, key) = (Tensor::from([[0.0, 0.0]]), Tensor::from([[1.0, 5.0], [2.0, 3.0]]));
/// let value = Tensor::from([[1.0], [3.0]]);
/// // All scores are 0: the mean of the values.
/// assert_eq!(scaled_dot_product_attention(&query, &key, &value, &AttentionMask::new()).item(), 2.0);
/// ```
///
/// # Panics
/// If the shapes do not fit, or dtypes differ.
#[doc(alias = "sdpa")]
#[track_caller]
pub fn scaled_dot_product_attention(query: &Tensor, key: &Tensor, value: &Tensor, mask: &AttentionMask) -> Tensor {
    let (q, k, v) = (query.shape(), key.shape(), value.shape());
    let ranks = q.rank() >= 2 && q.rank() == k.rank() && q.rank() == v.rank();
    let fits = ranks && {
        let (keys, sizes) = (k.rank() - 2, k.rank() - 1);
        q[sizes] == k[sizes] && k[keys] == v[keys] && q[..keys] == k[..keys] && q[..keys] == v[..keys]
    };
    assert!(
        fits,
        "scaled_dot_product_attention: query {q}, key {k} and value {v} do not fit: they must be [.., T, D], [.., S, D] and [.., S, V]"
    );
    if mask.has_tensors() {
        return attention_weights(query, key, mask).matmul(value);
    }
    query.attention(key, value, mask.is_causal())
}

/// How much each query `[.., T, D]` attends to each key `[.., S, D]`: `[.., T, S]`.
#[track_caller]
pub(super) fn attention_weights(query: &Tensor, key: &Tensor, mask: &AttentionMask) -> Tensor {
    let mut sizes = query.shape().to_vec();
    let size = std::mem::replace(&mut sizes[query.rank() - 1], key.size(-2));
    let scale = 1.0 / (size.max(1) as f64).sqrt();
    let (hidden, added) = mask.for_scores(&Shape::from(sizes));
    let keys = key.transpose(-2, -1);
    match added {
        None => query.matmul(&keys).masked_softmax(scale, mask.is_causal(), hidden.as_ref()),
        Some(added) => {
            let scores = (query * scale).matmul(&keys) + added.to_dtype(query.dtype());
            scores.masked_softmax(1.0, mask.is_causal(), hidden.as_ref())
        }
    }
}
