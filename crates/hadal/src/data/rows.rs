//! Data that lies outside memory.

use std::fmt::Debug;

use crate::{DType, Result, Shape, Tensor};

/// Rows of one tensor that lie outside memory, and are read when a batch needs them.
pub trait Rows: Send + Sync + Debug {
    /// The number of rows.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one row.
    fn sample_shape(&self) -> Shape;

    /// The dtype of what [`read`](Rows::read) returns.
    fn dtype(&self) -> DType;

    /// The rows at `indices`, in their order: `[indices.len(), sample_shape..]`.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read(&self, indices: &[usize]) -> Result<Tensor>;
}
