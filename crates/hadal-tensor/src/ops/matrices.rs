//! Triangles and diagonals of matrices, and products of vectors.

use crate::autograd::record;
use crate::dtype::DType;
use crate::shape::{Layout, Shape};
use crate::tensor::{Tensor, Value};
use crate::window::PerDimension;

impl Tensor {
    /// The identity matrix, as `f32`: 1 on the main diagonal of as many rows as columns, or of `[rows, columns]`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::eye(2).to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
    /// assert_eq!(Tensor::eye([2, 3]).to_vec::<f32>(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    /// ```
    #[doc(alias = "identity")]
    #[track_caller]
    pub fn eye(sizes: impl PerDimension) -> Tensor {
        let [.., rows, columns] = sizes.numbers().last(2, 1, "eye", "the size");
        let shape = Shape::from([rows, columns]);
        Tensor::ones([rows.min(columns)]).placed_in(shape, equal_places(&Layout::contiguous(shape), 0, 1))
    }

    /// The lower triangle of a matrix, or of each in a batch: 0 above diagonal number `diagonal`, of which 0 is the main one and 1 the
    /// next above it.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.tril(0).to_vec::<i64>(), [1, 0, 3, 4]);
    /// assert_eq!(x.tril(-1).to_vec::<i64>(), [0, 0, 3, 0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than two axes.
    #[track_caller]
    pub fn tril(&self, diagonal: isize) -> Tensor {
        let above = self.distances("tril").gt(diagonal as i64);
        above.where_(&Tensor::full_of([], 0.0, self.dtype()), self)
    }

    /// The upper triangle of a matrix, or of each in a batch: 0 below diagonal number `diagonal`, of which 0 is the main one and 1
    /// the next above it.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.triu(0).to_vec::<i64>(), [1, 2, 0, 4]);
    /// assert_eq!(x.triu(1).to_vec::<i64>(), [0, 2, 0, 0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than two axes.
    #[track_caller]
    pub fn triu(&self, diagonal: isize) -> Tensor {
        let below = self.distances("triu").lt(diagonal as i64);
        below.where_(&Tensor::full_of([], 0.0, self.dtype()), self)
    }

    /// For each place of a matrix, its column less its row: the number of its diagonal.
    #[track_caller]
    fn distances(&self, operation: &str) -> Tensor {
        assert!(self.rank() >= 2, "{operation}: shape {} has fewer than two axes", self.shape());
        let (rows, columns) = (self.size(-2), self.size(-1));
        Tensor::arange(columns) - Tensor::arange(rows).unsqueeze(1)
    }

    /// Of a vector, the matrix with it on diagonal number `diagonal`, of which 0 is the main one and 1 the next above it, and 0 elsewhere;
    /// of a matrix, that diagonal, which is empty beyond its corners.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([1, 2]);
    /// assert_eq!(x.diag(0).to_vec::<i64>(), [1, 0, 0, 2]);
    /// assert_eq!(x.diag(0).diag(0).to_vec::<i64>(), [1, 2]);
    /// assert_eq!(x.diag(1).to_vec::<i64>(), [0, 1, 0, 0, 0, 2, 0, 0, 0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has neither one axis nor two.
    #[doc(alias = "diagonal")]
    #[track_caller]
    pub fn diag(&self, diagonal: isize) -> Tensor {
        let away = diagonal.unsigned_abs();
        let (first_row, first_column) = if diagonal < 0 { (away, 0) } else { (0, away) };
        match self.rank() {
            1 => {
                let size = self.elements();
                let shape = Shape::from([size.saturating_add(away); 2]);
                let first = if size > 0 { first_row * shape[1] + first_column } else { 0 };
                let mut layout = Layout::contiguous(shape).moved_to(first);
                layout.shape = Shape::from([size; 2]);
                layout = equal_places(&layout, 0, 1);
                self.placed_in(shape, layout)
            }
            2 => {
                let (rows, columns) = (self.size(0), self.size(1));
                self.slice(0, first_row.min(rows)..).slice(1, first_column.min(columns)..).diagonal(0, 1)
            }
            _ => panic!("diag: shape {} has neither one axis nor two", self.shape()),
        }
    }

    /// The elements whose places along `a` and `b` are equal, along `a`; `b`, which is behind it, is gone.
    #[track_caller]
    pub(super) fn diagonal(&self, a: usize, b: usize) -> Tensor {
        let shape = *self.shape();
        let value = Value { layout: equal_places(self.layout(), a, b), storage: self.value().storage.clone() };
        record("diag", value, &[self], move |g, to| {
            to.add(0, || g.placed_in(shape, equal_places(&Layout::contiguous(shape), a, b)));
        })
    }

    /// The products of each element of a vector with each of another: `out[i][j] = self[i] * other[j]`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).outer(&Tensor::from([3, 4])).to_vec::<i64>(), [3, 4, 6, 8]);
    /// ```
    ///
    /// # Panics
    /// If one of them is not a vector, or dtypes differ.
    #[doc(alias = "ger")]
    #[track_caller]
    pub fn outer(&self, other: &Tensor) -> Tensor {
        assert!(
            self.rank() == 1 && other.rank() == 1,
            "outer: shapes {} and {} are not those of two vectors",
            self.shape(),
            other.shape()
        );
        self.unsqueeze(1) * other.unsqueeze(0)
    }

    /// The numbers from `start` on in steps of `step` that are below `end` (above it, if the step is negative), as `f32`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::arange_step(0.0, 1.0, 0.25).to_vec::<f32>(), [0.0, 0.25, 0.5, 0.75]);
    /// assert_eq!(Tensor::arange_step(2.0, 0.0, -1.0).to_vec::<f32>(), [2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the step is 0, or one of the numbers is not finite.
    #[doc(alias = "arange")]
    #[track_caller]
    pub fn arange_step(start: f64, end: f64, step: f64) -> Tensor {
        assert!(
            step != 0.0 && [start, end, step].iter().all(|number| number.is_finite()),
            "arange_step: from {start} to {end} in steps of {step}; the numbers must be finite, and the step not 0"
        );
        let count = ((end - start) / step).ceil().max(0.0);
        Tensor::spaced(start, step, count as usize)
    }

    /// `count` numbers from `start` to `end`, both included, at equal distances, as `f32`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::linspace(0.0, 1.0, 5).to_vec::<f32>(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If one of the numbers is not finite.
    #[track_caller]
    pub fn linspace(start: f64, end: f64, count: usize) -> Tensor {
        assert!(start.is_finite() && end.is_finite(), "linspace: from {start} to {end}; the numbers must be finite");
        let step = if count > 1 { (end - start) / (count - 1) as f64 } else { 0.0 };
        Tensor::spaced(start, step, count)
    }

    /// Computed in `f64`, so that the last number is not the sum of many roundings.
    #[track_caller]
    fn spaced(start: f64, step: f64, count: usize) -> Tensor {
        (Tensor::arange(count).to_dtype(DType::F64) * step + start).to_dtype(DType::F32)
    }
}

/// The places where `a` and `b`, which is behind it, are equal.
fn equal_places(layout: &Layout, a: usize, b: usize) -> Layout {
    let length = layout.shape[a].min(layout.shape[b]);
    let mut strides = layout.strides;
    strides[a] += strides[b];
    let rank = layout.shape.rank();
    strides[b..rank].rotate_left(1);
    let shape = layout.shape.with(a, length).without(b);
    strides[shape.rank()..].fill(0);
    Layout { shape, strides, ..*layout }
}
