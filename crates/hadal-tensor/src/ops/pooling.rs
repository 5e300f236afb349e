//! Pooling: the largest or the mean of each window; windows as columns, and back.

use super::arithmetic::check_float;
use super::convolution::padded_to_three;
use super::join::concat;
use super::pad::Padding;
use crate::autograd::{record, records};
use crate::backend::Geometry;
use crate::cpu::buffer::vec_with_room;
use crate::kinds::{Meeting, meet};
use crate::shape::Shape;
use crate::tensor::{Tensor, Value};
use crate::window::{DIMENSIONS, Numbers, PerDimension, Pool};

impl Pool {
    /// The sizes for an input of this shape, and the places of padding behind it. Without a stride, windows lie side by side, or move on
    /// by 1 if they are `sliding`.
    #[track_caller]
    fn geometry(self, operation: &str, shape: &Shape, sliding: bool) -> (Geometry, [usize; DIMENSIONS]) {
        let dimensions = shape.rank() - 2;
        let kernel = self.window.last(dimensions, 1, operation, "the window's size");
        let mut geometry = Geometry {
            batch: shape[0],
            channels: shape[1],
            filters: shape[1],
            groups: 1,
            input: padded_to_three(&shape[2..]),
            kernel,
            output: [1; DIMENSIONS],
            stride: match self.stride {
                Some(stride) => stride.last(dimensions, 1, operation, "stride"),
                None if sliding => [1; DIMENSIONS],
                None => kernel,
            },
            padding: self.padding.last(dimensions, 0, operation, "padding"),
            dilation: self.dilation.last(dimensions, 1, operation, "dilation"),
            dimensions,
        };
        let mut after = geometry.padding;
        if self.same_padding {
            geometry.check(operation);
            for (d, after) in after.iter_mut().enumerate() {
                (geometry.padding[d], *after) = geometry.axis(d).same_padding();
            }
        }
        geometry.output = geometry.output_sizes(operation, after, self.ceil_mode);
        (geometry, after)
    }

    /// [`geometry`](Pool::geometry) of a reduction of windows, none of which may consist of padding.
    #[track_caller]
    fn reduction(self, operation: &str, x: &Tensor) -> (Geometry, [usize; DIMENSIONS]) {
        spatial(operation, x);
        let (geometry, after) = self.geometry(operation, x.shape(), false);
        for (padding, size) in geometry.padding.into_iter().zip(geometry.kernel) {
            assert!(
                padding <= size / 2 || self.same_padding,
                "{operation}: padding {padding} is more than half of the window's size, {size}"
            );
        }
        (geometry, after)
    }

    /// The windows of pictures, and for each of their elements the places in the padded picture, one element's after another's.
    #[track_caller]
    fn places(self, operation: &str, shape: &Shape) -> (Geometry, Tensor) {
        assert!(shape.rank() == 4, "{operation}: pictures have shape [N, C, H, W], not {shape}");
        assert!(
            !self.ceil_mode && !self.same_padding,
            "{operation}: ceil_mode and same_padding are for max_pool and avg_pool; pad the pictures first"
        );
        let (geometry, _) = self.geometry(operation, shape, true);
        let [_, top, left] = geometry.padding;
        // The check that so many elements can be held.
        let _ = Shape::new(&[shape[0], shape[1], shape[2] + 2 * top, shape[3] + 2 * left]);
        let along = |d: usize, wide: usize| {
            let (kernel, output) = (geometry.kernel[d], geometry.output[d]);
            let mut all = vec_with_room(kernel.saturating_mul(output));
            for window in 0..kernel {
                let at = |place: usize| (window * geometry.dilation[d] + place * geometry.stride[d]) * wide;
                all.extend((0..output).map(|place| at(place) as i64));
            }
            Tensor::from_vec(all, [kernel, output])
        };
        let (rows, columns) = (along(1, shape[3] + 2 * left), along(2, 1));
        // [window rows, window columns, output rows, output columns].
        let places = rows.unsqueeze(1).unsqueeze(3) + columns.unsqueeze(0).unsqueeze(2);
        let count = places.elements();
        (geometry, places.reshape([count]))
    }
}

/// How many dimensions a picture or the like has.
#[track_caller]
pub(super) fn spatial(operation: &str, x: &Tensor) -> usize {
    check_float(operation, x);
    assert!(
        (3..=2 + DIMENSIONS).contains(&x.rank()),
        "{operation}: input {} must have 3, 4 or 5 axes, [N, C, ..], for 1, 2 or 3 dimensions",
        x.shape()
    );
    x.rank() - 2
}

impl Tensor {
    /// The largest element of each window of `[N, C, ..]`, in one, two or three dimensions, as PyTorch's `max_pool2d`: in each dimension
    /// `out[i] = max over k of x[i stride + k dilation - padding]`, where padding is never the largest; NaN if there is one. The gradient
    /// goes to the first of equals.
    ///
    /// ```
    /// use hadal_tensor::{Pool, Tensor};
    /// let x = Tensor::from([1.0, 3.0, 2.0, 5.0, 4.0]).reshape([1, 1, 5]);
    /// assert_eq!(x.max_pool(Pool::new(3).stride(2)).to_vec::<f32>(), [3.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If the window is larger than the padded input, the padding larger than half of the window, or a window lies within the padding.
    #[doc(alias = "max_pool1d")]
    #[doc(alias = "max_pool2d")]
    #[doc(alias = "max_pool3d")]
    #[track_caller]
    pub fn max_pool(&self, pool: Pool) -> Tensor {
        let (geometry, _) = pool.reduction("max_pool", self);
        let gapped = geometry.dilation != [1; DIMENSIONS] && geometry.padding != [0; DIMENSIONS];
        let with_places = gapped || records(&[self]);
        let (values, places) = self.backend().largest(self.view(), &geometry, with_places);
        let (shape, own) = (geometry.output_shape(), *self.shape());
        let flat = |sizes: &[usize; DIMENSIONS]| Shape::new(&[own[0], own[1], sizes.iter().product()]);
        let (outputs, inputs) = (flat(&geometry.output), flat(&geometry.input));
        let places = places.map(|places| Tensor::from_storage(outputs, places));
        let is_outside = |places: &Tensor| places.elements() > 0 && places.min().item() < 0.0;
        assert!(
            !places.as_ref().is_some_and(|places| gapped && is_outside(places)),
            "max_pool: a window of {:?} with dilation {:?} lies within the padding of input {}",
            &geometry.kernel[DIMENSIONS - geometry.dimensions..],
            &geometry.dilation[DIMENSIONS - geometry.dimensions..],
            self.shape()
        );
        record("max_pool", Value::contiguous(shape, values), &[self], move |g, to| {
            to.add(0, || {
                let places = places.as_ref().expect("the places were asked for, as this is recorded");
                g.reshape(outputs).scatter_add(2, places, inputs).reshape(own)
            });
        })
    }

    /// The mean of each window of `[N, C, ..]`, in one, two or three dimensions, as PyTorch's `avg_pool2d`: in each dimension
    /// `out[i] = sum over k of x[i stride + k - padding] / window`, where padding is 0.
    ///
    /// # Panics
    /// If the window is larger than the padded input, the padding larger than half of the window, or there is a dilation.
    #[doc(alias = "avg_pool1d")]
    #[doc(alias = "avg_pool2d")]
    #[doc(alias = "avg_pool3d")]
    #[track_caller]
    pub fn avg_pool(&self, pool: Pool) -> Tensor {
        let (geometry, after) = pool.reduction("avg_pool", self);
        assert!(geometry.dilation == [1; DIMENSIONS], "avg_pool: means have no dilation");
        let first = DIMENSIONS - geometry.dimensions;
        self.separable(&geometry.output[first..], |d, place| {
            let (kernel, padding) = (geometry.kernel[first + d], geometry.padding[first + d]);
            let (start, size) = (place * geometry.stride[first + d], geometry.input[first + d]);
            let end = start.saturating_add(kernel);
            let range = start.saturating_sub(padding)..end.saturating_sub(padding).min(size);
            // What lies beyond the padding does not count.
            let padded = padding + size + after[first + d];
            let count = if pool.count_padding { end.min(padded) - start } else { range.len() };
            range.map(|at| (at, 1.0 / count as f64)).collect()
        })
    }

    /// Means of windows so chosen that the output has these sizes, as PyTorch's `adaptive_avg_pool2d`: place `i` of `out` takes
    /// the elements from `i size / out`, rounded down, to `(i + 1) size / out`, rounded up. Size 1 is the mean of all.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::ones([2, 3, 7, 5]);
    /// assert_eq!(x.adaptive_avg_pool([2, 2]).shape(), &[2, 3, 2, 2]);
    /// assert_eq!(x.adaptive_avg_pool(1).shape(), &[2, 3, 1, 1]);
    /// ```
    ///
    /// # Panics
    /// If a size is 0, or the input is empty.
    #[doc(alias = "adaptive_avg_pool2d")]
    #[doc(alias = "global average pooling")]
    #[track_caller]
    pub fn adaptive_avg_pool(&self, sizes: impl PerDimension) -> Tensor {
        let sizes = self.adaptive_sizes("adaptive_avg_pool", sizes.numbers());
        self.separable(&sizes, |d, place| {
            let range = adaptive_window(place, sizes[d], self.shape()[2 + d]);
            let count = range.len() as f64;
            range.map(|at| (at, 1.0 / count)).collect()
        })
    }

    /// The largest elements of the windows of [`adaptive_avg_pool`](Tensor::adaptive_avg_pool).
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([1.0, 5.0, 2.0, 3.0, 4.0]).reshape([1, 1, 5]);
    /// assert_eq!(x.adaptive_max_pool(2).to_vec::<f32>(), [5.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If a size is 0, or the input is empty.
    #[doc(alias = "adaptive_max_pool2d")]
    #[track_caller]
    pub fn adaptive_max_pool(&self, sizes: impl PerDimension) -> Tensor {
        let sizes = self.adaptive_sizes("adaptive_max_pool", sizes.numbers());
        let mut x = self.clone();
        for d in (0..sizes.len()).rev() {
            let axis = 2 + d as isize;
            let _ = x.shape().with(2 + d, sizes[d]);
            let mut parts = vec_with_room(sizes[d]);
            for place in 0..sizes[d] {
                let window = adaptive_window(place, sizes[d], self.shape()[2 + d]);
                let part = x.slice(axis, window);
                parts.push(part.gather(axis, &part.detach().argmax(axis).unsqueeze(axis)));
            }
            x = concat(&parts, axis);
        }
        x
    }

    #[track_caller]
    pub(super) fn adaptive_sizes(&self, operation: &str, sizes: Numbers) -> Vec<usize> {
        let dimensions = spatial(operation, self);
        let sizes = sizes.last(dimensions, 1, operation, "the output's size")[DIMENSIONS - dimensions..].to_vec();
        self.check_sizes(operation, &sizes);
        sizes
    }

    /// Checks that neither the input nor an output of these sizes is empty.
    #[track_caller]
    pub(super) fn check_sizes(&self, operation: &str, sizes: &[usize]) {
        assert!(
            !sizes.contains(&0) && !self.shape()[2..].contains(&0),
            "{operation}: input {} and output {sizes:?} must have sizes of at least 1",
            self.shape()
        );
    }

    /// A linear map along each dimension to sizes `counts`: `window(d, place)` has for a place of the output those of the input with
    /// their weights.
    #[track_caller]
    pub(super) fn separable(&self, counts: &[usize], window: impl Fn(usize, usize) -> Vec<(usize, f64)>) -> Tensor {
        let mut x = self.clone();
        for (d, &count) in counts.iter().enumerate() {
            let size = self.shape()[2 + d];
            // The check that so many elements can be held.
            let _ = (x.shape().with(2 + d, count), Shape::new(&[size, count]));
            let mut matrix = vec_with_room(size * count);
            matrix.resize(size * count, 0.0);
            for to in 0..count {
                window(d, to).iter().for_each(|&(from, weight)| matrix[from * count + to] += weight);
            }
            let matrix = Tensor::from_vec(matrix, [size, count]).to_dtype(self.dtype());
            let axis = 2 + d as isize;
            x = x.transpose(axis, -1).matmul(&matrix).transpose(axis, -1);
        }
        x
    }

    /// The windows of pictures `[N, C, H, W]` as columns: `[N, C * window, places]`, as PyTorch's `unfold`:
    /// `out[n, c window + k, place]` is element `k` of channel `c` of the window at `place`, both row by row; zeros where they reach beyond.
    /// Without a stride, they move on by 1. [`fold`](Tensor::fold) is its transpose.
    ///
    /// ```
    /// use hadal_tensor::{Pool, Tensor};
    /// let x = Tensor::arange(9).reshape([1, 1, 3, 3]);
    /// let windows = x.unfold(Pool::new(2).stride(1));
    /// assert_eq!(windows.shape(), &[1, 4, 4]);
    /// assert_eq!(windows.i((0, .., 0)).to_vec::<i64>(), [0, 1, 3, 4]);
    /// ```
    ///
    /// # Panics
    /// If the tensor does not have four axes, the window is larger than the padded pictures, or for [`ceil_mode`](Pool::ceil_mode) and
    /// [`same_padding`](Pool::same_padding).
    #[doc(alias = "im2col")]
    #[track_caller]
    pub fn unfold(&self, windows: Pool) -> Tensor {
        let (geometry, places) = windows.places("unfold", self.shape());
        let [_, top, left] = geometry.padding;
        let framed = self.pad(&[(top, top), (left, left)], Padding::Constant(0.0));
        let (n, c) = (geometry.batch, geometry.channels);
        let pixels = framed.size(2) * framed.size(3);
        let window: usize = geometry.kernel.iter().product();
        let count: usize = geometry.output.iter().product();
        framed.reshape([n, c, pixels]).index_select(2, &places).reshape([n, c * window, count])
    }

    /// Adds windows `[N, C * window, places]` up where they lie in pictures of `height` and `width`, as PyTorch's `fold`: `[N, C,
    /// height, width]`; of `u8` and `bool` in `i64`, as every sum.
    ///
    /// ```
    /// use hadal_tensor::{Pool, Tensor};
    /// let windows = Tensor::ones([1, 4, 4]);
    /// let counts = windows.fold([3, 3], Pool::new(2).stride(1));
    /// assert_eq!(counts.to_vec::<f32>(), [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the sizes do not fit.
    #[doc(alias = "col2im")]
    #[track_caller]
    pub fn fold(&self, [height, width]: [usize; 2], windows: Pool) -> Tensor {
        let sum = meet("fold", Meeting::Sum(self.dtype()));
        if sum != self.dtype() {
            return self.to_dtype(sum).fold([height, width], windows);
        }
        assert!(self.rank() == 3, "fold: shape {} is not [N, C * window, places]", self.shape());
        let window: usize = windows.window.last(2, 1, "fold", "the window's size").iter().product();
        assert!(
            window > 0 && self.size(1).is_multiple_of(window),
            "fold: axis 1 of shape {} does not divide by the window's {window} elements",
            self.shape()
        );
        let (n, c) = (self.size(0), self.size(1) / window);
        let (geometry, places) = windows.places("fold", &Shape::new(&[n, c, height, width]));
        let count: usize = geometry.output.iter().product();
        assert!(
            self.size(2) == count,
            "fold: shape {} has {} places, but windows have {count} in pictures of {height} x {width}",
            self.shape(),
            self.size(2)
        );
        let [_, top, left] = geometry.padding;
        let (tall, wide) = (height + 2 * top, width + 2 * left);
        let columns = self.reshape([n, c, window * count]).permute(&[2, 0, 1]);
        let framed = columns.index_add(&places, Shape::new(&[tall * wide, n, c])).permute(&[1, 2, 0]);
        framed.reshape([n, c, tall, wide]).slice(2, top..top + height).slice(3, left..left + width)
    }
}

/// The elements that place `place` of `count` takes of `size`.
fn adaptive_window(place: usize, count: usize, size: usize) -> std::ops::Range<usize> {
    place * size / count..((place + 1) * size).div_ceil(count)
}
