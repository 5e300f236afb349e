//! Layer normalization.

use super::arithmetic::{check_float, check_same_dtype};
use crate::autograd::{record, records};
use crate::shape::Shape;
use crate::tensor::{Tensor, Value};

impl Tensor {
    /// Layer normalization over the last axis (Ba, Kiros and Hinton, 2016, eq. 3): `(x - mean) / sqrt(variance + epsilon) * weight + bias`,
    /// where the variance is that of a population; `weight` and `bias` have the size of the axis. PyTorch's `layer_norm`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0]]);
    /// assert_eq!(x.layer_norm(None, None, 0.0).to_vec::<f32>(), [-1.0, 1.0]);
    /// let (weight, bias) = (Tensor::from([2.0, 2.0]), Tensor::from([0.5, 0.5]));
    /// assert_eq!(x.layer_norm(Some(&weight), Some(&bias), 0.0).to_vec::<f32>(), [-1.5, 2.5]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is a scalar, weight or bias have another size, or dtypes differ or are not floating-point.
    #[track_caller]
    pub fn layer_norm(&self, weight: Option<&Tensor>, bias: Option<&Tensor>, epsilon: f64) -> Tensor {
        check_float("layer_norm", self);
        assert!(self.rank() > 0, "layer_norm: a scalar has no axis to normalize");
        let features = self.shape()[self.rank() - 1];
        for (name, other) in [("weight", weight), ("bias", bias)] {
            let Some(other) = other else { continue };
            assert!(
                other.shape()[..] == [features],
                "layer_norm: the {name} has shape {}, but the input {} needs [{features}]",
                other.shape(),
                self.shape()
            );
            check_same_dtype("layer_norm", self, other);
        }
        let storage = self.backend().layer_norm(self.view(), weight.map(Tensor::view), bias.map(Tensor::view), epsilon);
        let inputs: Vec<&Tensor> = [Some(self), weight, bias].into_iter().flatten().collect();
        let (x, w, biased) = (self.clone(), weight.cloned(), bias.is_some());
        record("layer_norm", Value::contiguous(*self.shape(), storage), &inputs, move |g, to| {
            let [for_x, for_weight, for_bias] = gradients(g, &x, w.as_ref(), epsilon);
            to.add(0, || for_x);
            let mut next = 1;
            if w.is_some() {
                to.add(next, || for_weight);
                next += 1;
            }
            if biased {
                to.add(next, || for_bias);
            }
        })
    }
}

/// The gradients for input, weight and bias, in one pass; step by step where they are differentiated again.
fn gradients(g: &Tensor, x: &Tensor, weight: Option<&Tensor>, epsilon: f64) -> [Tensor; 3] {
    let features = Shape::new(&x.shape()[x.rank() - 1..]);
    if !records(&[Some(g), Some(x), weight].into_iter().flatten().collect::<Vec<_>>()) {
        let (storage, sums) = x.backend().layer_norm_gradient(x.view(), g.view(), weight.map(Tensor::view), epsilon);
        let groups = sums.len() / (2 * features[0]).max(1);
        let sums = Tensor::new(Value::contiguous(Shape::new(&[groups, 2, features[0]]), sums), None).sum_axes(&[0]);
        let part = |index: usize| sums.narrow(0, index, 1).reshape(features);
        return [Tensor::new(Value::contiguous(*x.shape(), storage), None), part(0), part(1)];
    }
    let centered = x - x.mean_keepdim(&[-1]);
    let factor = (centered.powi(2).mean_keepdim(&[-1]) + epsilon).sqrt().recip();
    let normal = centered * &factor;
    let weighed = weight.map_or_else(|| g.clone(), |weight| g * weight);
    let along = (&weighed * &normal).mean_keepdim(&[-1]);
    let for_x = (&weighed - weighed.mean_keepdim(&[-1]) - &normal * along) * factor;
    [for_x, (g * normal).sum_to(features), g.sum_to(features)]
}
