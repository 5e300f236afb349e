//! Where a product goes.

use std::ops::Range;

use super::epilogue::{Epilogue, Finish};
use super::kernels::store::Target;
use crate::cpu::float::Float;
use crate::cpu::simd::dispatch;
use crate::cpu::threads::SharedMut;

/// Where a product goes, or a part of it, and what follows. Made by `gemm` and those that it calls alone, for a product
/// that lies within what `gemm` may write.
#[derive(Clone, Copy)]
pub(crate) struct Out<'a, T> {
    pub base: SharedMut<T>,
    pub row_stride: usize,
    pub column_stride: usize,
    /// Whether this is the transposed product: its rows are the caller's columns.
    pub flipped: bool,
    pub epilogue: Option<Epilogue<'a, T>>,
}

impl<T: Float> Out<'_, T> {
    pub fn flipped(self) -> Self {
        Out { row_stride: self.column_stride, column_stride: self.row_stride, flipped: !self.flipped, ..self }
    }

    /// The part that begins at a row and column.
    pub fn from(self, row: usize, column: usize) -> Self {
        let base = SharedMut::new(self.pointer(row, column));
        let skipped = if self.flipped { row } else { column };
        let epilogue = self.epilogue.map(|epilogue| Epilogue { bias: &epilogue.bias[skipped..], ..epilogue });
        Out { base, epilogue, ..self }
    }

    /// Where a row and column of the product lies.
    pub fn pointer(&self, row: usize, column: usize) -> *mut T {
        self.base.pointer().wrapping_add(row * self.row_stride + column * self.column_stride)
    }

    /// Where the tile that begins at a row and column of the product goes, which must be row-major.
    pub fn target(&self, row: usize, column: usize, accumulate: bool) -> Target<T> {
        debug_assert_eq!(self.column_stride, 1);
        Target { pointer: self.pointer(row, column), row_stride: self.row_stride, accumulate }
    }

    /// Does what follows the product to a block of it, which must be complete, and the caller's alone.
    pub fn finish(&self, rows: Range<usize>, columns: Range<usize>) {
        let Some(epilogue) = self.epilogue else { return };
        let (rows, columns, row_stride) =
            if self.flipped { (columns, rows, self.column_stride) } else { (rows, columns, self.row_stride) };
        dispatch(Finish { epilogue, base: self.base, row_stride, rows, columns });
    }
}
