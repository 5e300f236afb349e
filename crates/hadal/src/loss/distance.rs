//! Distances between embeddings, and which samples of a batch belong together.

use crate::{DType, Error, Result, Shape, Tensor, no_grad};

/// Added to each difference, so that the distance of equal embeddings has a gradient: PyTorch's.
const EPSILON: f64 = 1e-6;

/// The distances `[N]` between the rows of `a` and `b`, `[N, D]`: the `p`-norm of `a - b + 1e-6`, PyTorch's
/// `pairwise_distance`.
#[track_caller]
pub(super) fn distance(a: &Tensor, b: &Tensor, p: f64) -> Tensor {
    (a - b + EPSILON).norm(p, &[1])
}

/// The distances of `row` of `x` (`[N, D]`) from all rows, `[N]`.
#[track_caller]
pub(super) fn distances_from(row: usize, x: &Tensor, p: f64) -> Tensor {
    distance(&x.narrow(0, row, 1), x, p)
}

/// Checks embeddings that must be of one shape, `[N, D]`.
#[track_caller]
pub(super) fn assert_embeddings(name: &str, all: &[(&str, &Tensor)]) {
    for (what, x) in all {
        let first = all[0].1;
        assert!(
            x.rank() == 2 && x.shape() == first.shape() && x.dtype() == first.dtype() && x.dtype().is_float(),
            "{name}: all embeddings must be floating-point numbers of one shape, [N, D]; {} is {} {}, {what} is {} {}",
            all[0].0,
            first.dtype(),
            first.shape(),
            x.dtype(),
            x.shape()
        );
    }
}

/// Checks embeddings `[N, D]` with labels `[N]`; returns the labels.
#[track_caller]
pub(super) fn assert_labelled(name: &str, prediction: &Tensor, target: &Tensor) -> Vec<i64> {
    assert_embeddings(name, &[("the prediction", prediction)]);
    assert!(
        target.dtype() == DType::I64 && target.shape()[..] == prediction.shape()[..1],
        "{name}: the targets are {} of shape {}, but for embeddings of shape {} they must be labels, i64 of shape [{}]",
        target.dtype(),
        target.shape(),
        prediction.shape(),
        prediction.size(0)
    );
    target.to_vec()
}

/// The distances between all embeddings of a batch, row by row, without gradients.
#[track_caller]
pub(super) fn all_distances(x: &Tensor, p: f64) -> Vec<Vec<f64>> {
    let x = x.detach();
    let row = |row| no_grad(|| distances_from(row, &x, p)).to_dtype(DType::F64).to_vec::<f64>();
    (0..x.size(0)).map(row).collect()
}

/// Checks that a model gives embeddings, `[D]`, and that targets are labels.
pub(super) fn check_labelled(name: &str, output: &Shape, targets: &Tensor) -> Result<()> {
    if output.rank() == 1 && targets.dtype() == DType::I64 && targets.rank() == 1 {
        return Ok(());
    }
    Err(Error::Data(format!(
        "{name} takes embeddings [D] with labels, i64 of shape [N]; the model's output has shape {output}, the targets are {} of shape {}",
        targets.dtype(),
        targets.shape()
    )))
}
