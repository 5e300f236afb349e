//! Rotary positions.

use crate::{DType, Tensor, stack};

/// Rotary position embedding (Su and others, "RoFormer", 2021, eq. 34): turns each pair of features `(2i, 2i + 1)` at place `p` by the
/// angle `p base^(-2i / D)`, so that products of queries and keys depend on how far apart they are. `x` is `[.., T, D]` with an even `D`;
/// its first place is `first`. The usual base is 10000.
///
/// [`MultiHeadAttention::rotary`](super::MultiHeadAttention::rotary) does this to queries and keys.
///
/// ```
/// use hadal::nn::rotary;
/// use hadal::prelude::*;
/// let x = Tensor::from([[1.0, 0.0], [1.0, 0.0]]);
/// let y = rotary(&x, 0, 10000.0);
/// let expected = [1.0, 0.0, 1f32.cos(), 1f32.sin()];
/// assert!(y.to_vec::<f32>().iter().zip(expected).all(|(y, expected)| (y - expected).abs() < 1e-6));
/// ```
///
/// # Panics
/// If `x` has fewer than two axes, the number of features is odd, `base` is not a positive number, or `x` is not floating-point.
#[doc(alias = "rope")]
#[track_caller]
pub fn rotary(x: &Tensor, first: usize, base: f64) -> Tensor {
    assert!(
        x.rank() >= 2 && x.size(-1).is_multiple_of(2),
        "rotary: the input must be [.., T, D] with an even number of features, not of shape {}",
        x.shape()
    );
    assert!(base > 0.0 && base.is_finite(), "rotary: the base {base} is not a positive number");
    assert!(x.dtype().is_float(), "rotary: the tensor holds {}, not floating-point numbers", x.dtype());
    let (places, pairs) = (x.size(-2), x.size(-1) / 2);
    let angles = angles(first, places, pairs, base.ln() / pairs.max(1) as f64);
    let (cos, sin) = (angles.cos().to_dtype(x.dtype()), angles.sin().to_dtype(x.dtype()));
    let part = |first: usize| x.slice_step(-1, first.., 2);
    let (even, odd) = if pairs == 0 { (x.clone(), x.clone()) } else { (part(0), part(1)) };
    let turned = [&even * &cos - &odd * &sin, &even * &sin + &odd * &cos];
    stack(&turned, -1).reshape(x.shape())
}

/// `p e^(-i step)` for `places` places `p` from `first` on and each pair `i`: `[places, pairs]`, `f64`.
pub(super) fn angles(first: usize, places: usize, pairs: usize, step: f64) -> Tensor {
    let places = (Tensor::arange(places).to_dtype(DType::F64) + first as f64).reshape([places, 1]);
    places * (Tensor::arange(pairs).to_dtype(DType::F64) * -step).exp()
}
