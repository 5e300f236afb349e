//! Putting tensors together.

use crate::autograd::record;
use crate::shape::Layout;
use crate::tensor::{Tensor, Value};

/// Concatenates tensors along an existing axis; all other sizes must be equal.
///
/// ```
/// use hadal_tensor::{Tensor, concat};
/// let (a, b) = (Tensor::zeros([2, 3]), Tensor::ones([1, 3]));
/// assert_eq!(concat(&[a, b], 0).shape(), &[3, 3]);
/// ```
///
/// # Panics
/// If there is no tensor, or shapes or dtypes do not fit.
#[doc(alias = "cat")]
#[doc(alias = "concatenate")]
#[doc(alias = "hstack")]
#[doc(alias = "vstack")]
#[track_caller]
pub fn concat(tensors: &[Tensor], axis: isize) -> Tensor {
    assert!(!tensors.is_empty(), "concat: at least one tensor is needed");
    let first = &tensors[0];
    let axis = first.shape().axis(axis, "concat");
    let mut total: usize = 0;
    for tensor in tensors {
        assert!(
            tensor.rank() == first.rank()
                && tensor.shape().with(axis, 0) == first.shape().with(axis, 0)
                && tensor.dtype() == first.dtype(),
            "concat: {} {} cannot be concatenated with {} {} along axis {axis}",
            tensor.dtype(),
            tensor.shape(),
            first.dtype(),
            first.shape()
        );
        total = tensor.shape()[axis].saturating_add(total);
    }
    let shape = first.shape().with(axis, total);
    let backend = first.backend();
    let mut storage = backend.scratch(shape.elements(), first.dtype());
    let whole = Layout::contiguous(shape);
    let mut starts = Vec::with_capacity(tensors.len());
    let mut start = 0;
    for tensor in tensors {
        let size = tensor.shape()[axis];
        backend.copy_into(&mut storage, &whole.narrow(axis, start, size), tensor.view());
        starts.push((start, size));
        start += size;
    }
    let inputs: Vec<&Tensor> = tensors.iter().collect();
    record("concat", Value::contiguous(shape, storage), &inputs, move |g, sink| {
        for (index, &(start, size)) in starts.iter().enumerate() {
            sink.add(index, || g.narrow(axis as isize, start, size));
        }
    })
}

/// Stacks tensors of the same shape along a new axis.
///
/// ```
/// use hadal_tensor::{Tensor, stack};
/// let rows = [Tensor::from([1, 2]), Tensor::from([3, 4])];
/// assert_eq!(stack(&rows, 0).shape(), &[2, 2]);
/// assert_eq!(stack(&rows, 1).to_vec::<i64>(), [1, 3, 2, 4]);
/// ```
///
/// # Panics
/// If there is no tensor, or shapes or dtypes differ.
#[track_caller]
pub fn stack(tensors: &[Tensor], axis: isize) -> Tensor {
    // A loop, not a closure: messages name the line of the caller only through plain calls.
    let mut parts = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        parts.push(tensor.unsqueeze(axis));
    }
    let axis = match parts.first() {
        Some(part) => part.shape().axis(axis, "stack") as isize,
        None => panic!("stack: at least one tensor is needed"),
    };
    concat(&parts, axis)
}
