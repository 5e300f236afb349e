//! Tensors that lie outside memory.

use std::fmt::Debug;

use crate::{DType, Result, Shape, Tensor};

/// Rows of one tensor that lie outside memory, and are read when a batch needs them.
///
/// ```
/// use hadal::data::Rows;
/// use hadal::prelude::*;
///
/// /// Squares that are computed instead of read.
/// #[derive(Debug)]
/// struct Squares;
///
/// impl Rows for Squares {
///     fn len(&self) -> usize {
///         100
///     }
///     fn sample_shape(&self) -> Shape {
///         Shape::from([1])
///     }
///     fn dtype(&self) -> DType {
///         DType::F32
///     }
///     fn read(&self, indices: &[usize]) -> hadal::Result<Tensor> {
///         let squares = indices.iter().map(|&index| (index * index) as f32).collect();
///         Ok(Tensor::from_vec(squares, [indices.len(), 1]))
///     }
/// }
///
/// assert_eq!(Squares.read(&[3, 1])?.to_vec::<f32>(), [9.0, 1.0]);
/// # Ok::<(), hadal::Error>(())
/// ```
pub trait Rows: Send + Sync + Debug {
    /// The number of rows.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one row.
    fn sample_shape(&self) -> Shape;

    /// The type of what [`read`](Rows::read) returns.
    fn dtype(&self) -> DType;

    /// Reads the rows at `indices`, in their order: `[indices.len(), sample_shape..]`. An index may occur more than
    /// once.
    ///
    /// # Errors
    /// If an index is not below [`len`](Rows::len), or the rows cannot be read.
    fn read(&self, indices: &[usize]) -> Result<Tensor>;
}

/// Up to how many bytes are kept in memory unless something else is asked for.
#[cfg(any(feature = "image", feature = "numpy"))]
const IN_MEMORY: usize = 256 << 20;

/// Whether data is kept in memory unless something else is asked for: if it is small, here and for this machine.
#[cfg(any(feature = "image", feature = "numpy"))]
pub(super) fn fits_in_memory(bytes: usize) -> bool {
    bytes <= IN_MEMORY && crate::can_allocate(4 * bytes)
}

/// That every index is one of `rows` rows of `name`.
#[cfg(any(feature = "image", feature = "numpy"))]
pub(crate) fn check_indices(name: impl std::fmt::Display, rows: usize, indices: &[usize]) -> Result<()> {
    match indices.iter().find(|index| **index >= rows) {
        None => Ok(()),
        Some(index) => {
            Err(crate::Error::Data(format!("{name}: there is no sample {index}; there are {rows}, from 0 on")))
        }
    }
}
