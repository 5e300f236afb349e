//! Batch normalization of pictures and the like.

use super::arithmetic::{check_float, check_same_dtype};
use crate::autograd::{record, records};
use crate::shape::Shape;
use crate::tensor::{Tensor, Value};

impl Tensor {
    /// Batch normalization of `[N, C, ..]` by the batch's own statistics (Ioffe and Szegedy, ICML 2015, algorithm 1):
    /// `(x - mean) / sqrt(variance + epsilon) * weight + bias`, where mean and variance, that of a population, are taken over all axes but
    /// the second, and `weight` and `bias` are `[C]`. Gives the result, the means and the variances, the last two `[C]` and untracked.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[[1.0, 3.0]], [[5.0, 7.0]]]); // one channel
    /// let (y, mean, variance) = x.batch_norm(&Tensor::ones([1]), &Tensor::zeros([1]), 0.0);
    /// assert_eq!((mean.item(), variance.item()), (4.0, 5.0));
    /// assert!((y.max().item() - 3.0 / 5.0f64.sqrt()).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than 2 axes, no elements, weight or bias have another size, or dtypes differ or are not floating-point.
    #[track_caller]
    pub fn batch_norm(&self, weight: &Tensor, bias: &Tensor, epsilon: f64) -> (Tensor, Tensor, Tensor) {
        check_float("batch_norm", self);
        assert!(
            self.rank() >= 2 && self.elements() > 0,
            "batch_norm: input {} must have at least 2 axes, [N, C, ..], and elements",
            self.shape()
        );
        let channels = self.shape()[1];
        for (name, other) in [("weight", weight), ("bias", bias)] {
            assert!(
                other.shape()[..] == [channels],
                "batch_norm: the {name} has shape {}, but the input {} needs [{channels}]",
                other.shape(),
                self.shape()
            );
            check_same_dtype("batch_norm", self, other);
        }
        let (storage, statistics) = self.backend().batch_norm(self.view(), weight.view(), bias.view(), epsilon);
        let statistics = Tensor::new(Value::contiguous(Shape::new(&[2, channels]), statistics), None);
        let (x, w, known) = (self.clone(), weight.clone(), statistics.clone());
        let y = record("batch_norm", Value::contiguous(*self.shape(), storage), &[self, weight, bias], move |g, to| {
            let [for_x, for_weight, for_bias] = gradients(g, &x, &w, &known, epsilon);
            to.add(0, || for_x);
            to.add(1, || for_weight);
            to.add(2, || for_bias);
        });
        (y, statistics.i(0), statistics.i(1))
    }
}

/// The gradients for input, weight and bias, in one pass; step by step where they are differentiated again.
fn gradients(g: &Tensor, x: &Tensor, weight: &Tensor, statistics: &Tensor, epsilon: f64) -> [Tensor; 3] {
    if !records(&[g, x, weight]) {
        let (storage, sums) =
            x.backend().batch_norm_gradient(x.view(), g.view(), weight.view(), statistics.view(), epsilon);
        let sums = Tensor::new(Value::contiguous(*statistics.shape(), sums), None);
        return [Tensor::new(Value::contiguous(*x.shape(), storage), None), sums.i(0), sums.i(1)];
    }
    let axes: Vec<isize> = (0..x.rank() as isize).filter(|&axis| axis != 1).collect();
    let mut wide = vec![1; x.rank()];
    wide[1] = x.shape()[1];
    let centered = x - x.mean_keepdim(&axes);
    let factor = (centered.powi(2).mean_keepdim(&axes) + epsilon).sqrt().recip();
    let normal = centered * &factor;
    let weighed = g * weight.reshape(wide);
    let along = (&weighed * &normal).mean_keepdim(&axes);
    let for_x = (&weighed - weighed.mean_keepdim(&axes) - &normal * along) * factor;
    [for_x, (g * normal).sum_axes(&axes), g.sum_axes(&axes)]
}
