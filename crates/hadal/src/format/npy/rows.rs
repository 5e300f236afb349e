//! Rows of an array that are read from disk when they are needed.

use super::Array;
use crate::data::{Rows, check_indices};
use crate::format::at::read_exact_at;
use crate::{DType, Result, Shape, Tensor};

/// The rows of an [`Array`] on disk. The file stays open; each read is of the bytes of its rows alone, and rows that
/// follow each other are one read.
#[derive(Debug)]
pub struct DiskRows {
    pub(super) array: Array,
    /// Where the numbers begin in the file.
    pub(super) start: u64,
}

impl Rows for DiskRows {
    fn len(&self) -> usize {
        self.array.shape()[0]
    }

    fn sample_shape(&self) -> Shape {
        Shape::from(&self.array.shape()[1..])
    }

    fn dtype(&self) -> DType {
        self.array.dtype
    }

    fn read(&self, indices: &[usize]) -> Result<Tensor> {
        let array = &self.array;
        check_indices(array.path.display(), self.len(), indices)?;
        let mut sizes = array.shape().to_vec();
        sizes[0] = indices.len();
        let shape = Shape::try_new(&sizes)?;
        let row = self.sample_shape().elements() * array.header.number.size();
        let mut source = Source { rows: self, indices, row, done: 0 };
        array.header.number.decode(shape, array.dtype, |block| source.fill(block), |reason| array.error(reason))
    }
}

/// The bytes of some rows, one after the other.
struct Source<'a> {
    rows: &'a DiskRows,
    indices: &'a [usize],
    /// The bytes of a row.
    row: usize,
    /// The bytes that have been read.
    done: usize,
}

impl Source<'_> {
    /// Fills `block` with the bytes that follow. A block may end within a row.
    fn fill(&mut self, block: &mut [u8]) -> Result<()> {
        let mut rest = block;
        while !rest.is_empty() {
            let (at, within) = (self.done / self.row, self.done % self.row);
            let first = self.indices[at];
            // Rows that follow each other in the file, too.
            let run = self.indices[at..].iter().enumerate().take_while(|(i, index)| **index == first + i).count();
            let length = (run * self.row - within).min(rest.len());
            let (part, later) = rest.split_at_mut(length);
            let offset = self.rows.start + (first * self.row + within) as u64;
            let array = &self.rows.array;
            read_exact_at(&array.file, part, offset).map_err(|error| array.failed(error))?;
            self.done += length;
            rest = later;
        }
        Ok(())
    }
}
