//! Reading and writing elements by index.

use crate::autograd::record;
use crate::dtype::DType;
use crate::kinds::{Meeting, meet};
use crate::shape::Shape;
use crate::tensor::{Tensor, Value};

#[track_caller]
fn check_index(operation: &str, index: &Tensor, size: usize) {
    assert!(index.dtype() == DType::I64, "{operation}: indices must be i64, not {}", index.dtype());
    if let Some(bad) = index.backend().out_of_range(index.view(), size) {
        panic!("{operation}: index {bad} is out of range for an axis of size {size}");
    }
}

impl Tensor {
    /// `out[i][j] = self[i][index[i][j]]` for `axis` 1, and alike for others; the result has the shape of `index`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// // The score that each row gives its label.
    /// let scores = Tensor::from_slice(&[0.1f32, 0.9, 0.8, 0.2], [2, 2]);
    /// let labels = Tensor::from_slice(&[1i64, 0], [2, 1]);
    /// assert_eq!(scores.gather(1, &labels).to_vec::<f32>(), [0.9, 0.8]);
    /// ```
    ///
    /// # Panics
    /// If an index is out of range, `index` is not `i64`, or it is larger than `self` along another axis.
    #[doc(alias = "take_along_axis")]
    #[doc(alias = "take_along_dim")]
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Tensor) -> Tensor {
        let axis = self.shape().axis(axis, "gather");
        check_index("gather", index, self.shape()[axis]);
        self.check_index_shape("gather", axis, self.shape(), index);
        let storage = self.backend().gather(self.view(), axis, index.view());
        let (shape, places) = (*self.shape(), index.clone());
        record("gather", Value::contiguous(*index.shape(), storage), &[self], move |g, to| {
            to.add(0, || g.scatter_add(axis as isize, &places, shape));
        })
    }

    /// Zeros of `shape` to which each element of `self` is added at the place that [`gather`](Tensor::gather) with
    /// the same `axis` and `index` would read it from. Bytes and truth values are added as `i64`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let (values, places) = (Tensor::from([1.0, 2.0, 3.0]), Tensor::from([0, 2, 0]));
    /// assert_eq!(values.scatter_add(0, &places, [3]).to_vec::<f32>(), [4.0, 0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If an index is out of range, or shapes do not fit.
    #[doc(alias = "bincount")]
    #[doc(alias = "scatter")]
    #[doc(alias = "index_add")]
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Tensor, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        let sum = meet("scatter_add", Meeting::Sum(self.dtype()));
        if sum != self.dtype() {
            return self.to_dtype(sum).scatter_add(axis, index, shape);
        }
        let axis = shape.axis(axis, "scatter_add");
        check_index("scatter_add", index, shape[axis]);
        assert!(
            self.shape() == index.shape(),
            "scatter_add: values {} and indices {} differ in shape",
            self.shape(),
            index.shape()
        );
        self.check_index_shape("scatter_add", axis, &shape, index);
        let storage = self.backend().scatter_add(shape, axis, index.view(), self.view());
        let places = index.clone();
        record("scatter_add", Value::contiguous(shape, storage), &[self], move |g, to| {
            to.add(0, || g.gather(axis as isize, &places));
        })
    }

    #[track_caller]
    fn check_index_shape(&self, operation: &str, axis: usize, shape: &Shape, index: &Tensor) {
        let fits = index.rank() == shape.rank() && (0..shape.rank()).all(|a| a == axis || index.shape()[a] <= shape[a]);
        assert!(
            fits,
            "{operation}: indices of shape {} do not fit {shape}: sizes may differ along axis {axis} alone",
            index.shape()
        );
    }

    /// The slices of `axis` that `index` (one axis, `i64`) names, in its order: rows of a table, samples of a batch.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let table = Tensor::from([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(table.index_select(0, &Tensor::from([2, 0])).to_vec::<i64>(), [5, 6, 1, 2]);
    /// ```
    ///
    /// # Panics
    /// If an index is out of range, or `index` is not a vector of `i64`.
    #[doc(alias = "take")]
    #[doc(alias = "embedding")]
    #[track_caller]
    pub fn index_select(&self, axis: isize, index: &Tensor) -> Tensor {
        assert!(index.rank() == 1, "index_select: indices must be one vector, not of shape {}", index.shape());
        let axis = self.shape().axis(axis, "index_select");
        check_index("index_select", index, self.shape()[axis]);
        if axis != 0 {
            let axis = axis as isize;
            return self.transpose(0, axis).index_select(0, index).transpose(0, axis);
        }
        let shape = self.shape().with(0, index.elements());
        let storage = self.backend().index_select(self.view(), index.view());
        let (from, places) = (*self.shape(), index.clone());
        record("index_select", Value::contiguous(shape, storage), &[self], move |g, to| {
            to.add(0, || g.index_add(&places, from));
        })
    }

    /// Zeros of `shape` with the slices of `self` added at `index` of the first axis: the gradient of a selection.
    #[track_caller]
    pub(super) fn index_add(&self, index: &Tensor, shape: Shape) -> Tensor {
        let storage = self.backend().index_add(shape, index.view(), self.view());
        let places = index.clone();
        record("index_add", Value::contiguous(shape, storage), &[self], move |g, to| {
            to.add(0, || g.index_select(0, &places));
        })
    }

    /// One-hot encoding, as `f32`: labels `[N]` become `[N, classes]`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let labels = Tensor::from_slice(&[2i64, 0], [2]);
    /// assert_eq!(labels.one_hot(3).to_vec::<f32>(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If `self` is not `i64` or an index is not below `classes`.
    #[doc(alias = "to_categorical")]
    #[track_caller]
    pub fn one_hot(&self, classes: usize) -> Tensor {
        check_index("one_hot", self, classes);
        let index = self.unsqueeze(-1);
        let mut sizes = self.shape().to_vec();
        sizes.push(classes);
        Tensor::ones(index.shape()).scatter_add(-1, &index, sizes)
    }
}
