//! Matrices of any strides, and the sizes of a product.

/// A matrix in someone else's memory.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub data: &'a [T],
    pub offset: usize,
    pub row_stride: isize,
    pub column_stride: isize,
}

impl<T> Matrix<'_, T> {
    pub fn flipped(self) -> Self {
        Matrix { row_stride: self.column_stride, column_stride: self.row_stride, ..self }
    }

    /// The matrix that begins at a row and column of this one.
    pub fn from(self, row: usize, column: usize) -> Self {
        Matrix { offset: self.at(row, column), ..self }
    }

    /// Panics unless element (0, 0) to (rows - 1, columns - 1) lie within the data.
    pub fn check(&self, rows: usize, columns: usize) {
        // In 128 bits, where no product or sum of sizes can wrap.
        let reach = |count: usize, stride: isize| (count as i128 - 1) * stride as i128;
        let (down, across) = (reach(rows, self.row_stride), reach(columns, self.column_stride));
        let first = self.offset as i128 + down.min(0) + across.min(0);
        let last = self.offset as i128 + down.max(0) + across.max(0);
        assert!(first >= 0 && last < self.data.len() as i128, "gemm: a matrix reaches outside its storage");
    }

    /// Where a row and column lies. Strides may lead back from there, so it belongs to all of the data.
    pub fn pointer(&self, row: usize, column: usize) -> *const T {
        self.data.as_ptr().wrapping_add(self.at(row, column))
    }

    pub fn at(&self, row: usize, column: usize) -> usize {
        (self.offset as isize + row as isize * self.row_stride + column as isize * self.column_stride) as usize
    }
}

/// The sizes of a product: `[rows, depth] x [depth, columns]`.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub rows: usize,
    pub depth: usize,
    pub columns: usize,
}

impl Sizes {
    /// How many multiplications the product takes.
    pub fn work(&self) -> usize {
        self.rows.saturating_mul(self.depth).saturating_mul(self.columns)
    }
}
