//! Pictures in other sizes.

use super::pooling::spatial;
use crate::cpu::buffer::vec_with_room;
use crate::tensor::Tensor;
use crate::window::PerDimension;

impl Tensor {
    /// Pictures or the like, `[N, C, ..]`, in other sizes, as PyTorch's `interpolate`: in each dimension, place `i` of `out` takes the
    /// element that [`Interpolation`] names, or a mean of the two beside the point that it names, weighted by their nearness.
    ///
    /// ```
    /// use hadal_tensor::{Interpolation, Tensor};
    /// let x = Tensor::from([1.0, 3.0]).reshape([1, 1, 2]);
    /// assert_eq!(x.interpolate(4, Interpolation::Nearest).to_vec::<f32>(), [1.0, 1.0, 3.0, 3.0]);
    /// assert_eq!(x.interpolate(4, Interpolation::Linear).to_vec::<f32>(), [1.0, 1.5, 2.5, 3.0]);
    /// assert_eq!(x.interpolate(3, Interpolation::LinearCorners).to_vec::<f32>(), [1.0, 2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If a size is 0, or the input is empty.
    #[doc(alias = "upsample")]
    #[doc(alias = "resize")]
    #[track_caller]
    pub fn interpolate(&self, sizes: impl PerDimension, interpolation: Interpolation) -> Tensor {
        let sizes = self.adaptive_sizes("interpolate", sizes.numbers());
        self.at_points(&sizes, interpolation, None)
    }

    /// [`interpolate`](Tensor::interpolate) to all sizes times `factor`, rounded down: PyTorch's `scale_factor`. The points are those of
    /// the factor, `i / factor` and `(i + 1/2) / factor - 1/2`, also where a size was rounded, as PyTorch's are by default; with corners
    /// they are those of the sizes.
    ///
    /// ```
    /// use hadal_tensor::{Interpolation, Tensor};
    /// let x = Tensor::from([1.0, 2.0, 3.0]).reshape([1, 1, 3]);
    /// assert_eq!(x.interpolate_by(1.5, Interpolation::Nearest).to_vec::<f32>(), [1.0, 1.0, 2.0, 3.0]);
    /// assert_eq!(x.interpolate_by(0.5, Interpolation::Linear).to_vec::<f32>(), [1.5]);
    /// ```
    ///
    /// # Panics
    /// If the factor is not a positive number, or makes a size 0, or the input is empty.
    #[doc(alias = "scale_factor")]
    #[track_caller]
    pub fn interpolate_by(&self, factor: f64, interpolation: Interpolation) -> Tensor {
        spatial("interpolate_by", self);
        assert!(
            factor > 0.0 && factor.is_finite(),
            "interpolate_by: the factor must be positive and finite, not {factor}"
        );
        // Beyond the largest number it is that, which no shape holds.
        let sizes: Vec<usize> = self.shape()[2..].iter().map(|&size| (size as f64 * factor) as usize).collect();
        self.check_sizes("interpolate_by", &sizes);
        self.at_points(&sizes, interpolation, Some(factor))
    }

    /// To these sizes, of which there is one for each dimension; points are those of the sizes, or of a factor.
    #[track_caller]
    fn at_points(&self, sizes: &[usize], interpolation: Interpolation, factor: Option<f64>) -> Tensor {
        if interpolation == Interpolation::Nearest {
            let mut x = self.clone();
            for (d, &count) in sizes.iter().enumerate() {
                let size = self.shape()[2 + d];
                let _ = x.shape().with(2 + d, count);
                let mut places = vec_with_room(count);
                places.extend((0..count).map(|at| match factor {
                    Some(factor) => ((at as f64 / factor) as usize).min(size - 1) as i64,
                    None => (at as u128 * size as u128 / count as u128) as i64,
                }));
                x = x.index_select(2 + d as isize, &Tensor::from_vec(places, [count]));
            }
            return x;
        }
        self.separable(sizes, |d, at| {
            let (size, count) = (self.shape()[2 + d], sizes[d]);
            let place = match (interpolation, factor) {
                (Interpolation::LinearCorners, _) if count == 1 => 0.0,
                (Interpolation::LinearCorners, _) => at as f64 * (size - 1) as f64 / (count - 1) as f64,
                (_, Some(factor)) => ((at as f64 + 0.5) / factor - 0.5).max(0.0),
                (_, None) => ((at as f64 + 0.5) * size as f64 / count as f64 - 0.5).max(0.0),
            };
            let below = (place.floor() as usize).min(size - 1);
            let share = place - below as f64;
            vec![(below, 1.0 - share), ((below + 1).min(size - 1), share)]
        })
    }
}

/// How [`Tensor::interpolate`] computes what lies between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The element at or before `i size / out`: PyTorch's `nearest`.
    Nearest,
    /// The point `(i + 1/2) size / out - 1/2`, within the elements, which are squares: PyTorch's `linear`, `bilinear` and `trilinear` with
    /// `align_corners=False`.
    Linear,
    /// The point `i (size - 1) / (out - 1)`: elements are points, the first and the last of which stay: `align_corners=True`.
    LinearCorners,
}
