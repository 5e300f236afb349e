//! Products of batches of matrices.

use super::buffer::Buffer;
use super::gemm::{self, Matrix, Sizes};
use super::strided;
use crate::precision::matmul_precision;
use crate::shape::{Layout, Shape};

/// Products of the matrices in the last two axes, one for each place of the leading axes.
pub(super) fn matmul<T: gemm::Formats>(
    (x, a): (&[T], &Layout),
    (y, b): (&[T], &Layout),
    epilogue: Option<gemm::Epilogue<T>>,
) -> Buffer<T> {
    let rank = a.shape.rank();
    let sizes = Sizes { rows: a.shape[rank - 2], depth: a.shape[rank - 1], columns: b.shape[rank - 1] };
    let batch = Shape::new(&a.shape[..rank - 2]);
    let matrix = |data, layout: &Layout, offset| Matrix {
        data,
        offset,
        row_stride: layout.strides[rank - 2],
        column_stride: layout.strides[rank - 1],
    };
    let size = sizes.rows * sizes.columns;
    let precision = matmul_precision();
    let mut out = Buffer::scratch(batch.elements() * size);
    if out.is_empty() {
        return out;
    }
    if batch.elements() == 1 {
        gemm::gemm(&[(matrix(x, a, a.offset), matrix(y, b, b.offset))], sizes, precision, epilogue, &mut out);
        return out;
    }
    let leading = |layout: &Layout| Layout { shape: batch, ..*layout };
    let plan = strided::Plan::new([&leading(a), &leading(b)]);
    let [p, q] = plan.steps();
    // A part of a large batch at a time: the list of its matrices may be longer than their product.
    for (part, out) in out.chunks_mut(PAIRS * size).enumerate() {
        let count = out.len() / size;
        let mut pairs = Vec::with_capacity(count);
        for strided::Run { starts: [i, j], length, .. } in plan.runs(part * PAIRS, count) {
            for k in 0..length as isize {
                let (i, j) = ((i as isize + k * p) as usize, (j as isize + k * q) as usize);
                pairs.push((matrix(x, a, i), matrix(y, b, j)));
            }
        }
        gemm::gemm(&pairs, sizes, precision, epilogue, out);
    }
    out
}

/// How many matrices of a batch are multiplied at a time, at most.
const PAIRS: usize = 4096;
