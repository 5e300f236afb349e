//! What is done to a block of a product as soon as it is complete, and still near the processor.

use crate::cpu::float::Float;
use crate::cpu::simd::Task;
use crate::cpu::threads::SharedMut;
use std::ops::Range;

/// A bias for every column is added; then what is negative becomes 0 if `relu`.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Epilogue<'a, T> {
    pub bias: &'a [T],
    pub relu: bool,
}

/// An epilogue of a block of a row-major product. The block must be complete, and the caller's alone.
pub(super) struct Finish<'a, T> {
    pub epilogue: Epilogue<'a, T>,
    pub base: SharedMut<T>,
    pub row_stride: usize,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl<T: Float> Task for Finish<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let bias = &self.epilogue.bias[self.columns.clone()];
        for row in self.rows {
            // SAFETY: the rows of a block lie within the product, and nobody else uses them.
            let out = unsafe { self.base.part(row * self.row_stride + self.columns.start, bias.len()) };
            for (x, &bias) in out.iter_mut().zip(bias) {
                let sum = *x + bias;
                *x = if self.epilogue.relu { sum.relu() } else { sum };
            }
        }
    }
}
