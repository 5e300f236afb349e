//! Batch normalization of pictures and the like.

use super::arithmetic::{check_float, check_same_dtype};
use crate::autograd::{Sink, record, record_with_output, records};
use crate::backend::Then;
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
        self.batch_norm_then("batch_norm", weight, bias, epsilon, Then::Nothing)
    }

    /// [`batch_norm`](Tensor::batch_norm), what is to be `added` if anything, of the input's shape, and [`relu`](Tensor::relu), in one
    /// pass: a layer of a convolutional network, or the end of a residual block. Gives the result, the means and the variances.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[[1.0, 3.0]], [[5.0, 7.0]]]);
    /// let (weight, bias) = (Tensor::ones([1]), Tensor::zeros([1]));
    /// let steps = (x.batch_norm(&weight, &bias, 0.1).0 + &x).relu();
    /// let (y, mean, _) = x.batch_norm_relu(&weight, &bias, 0.1, Some(&x));
    /// assert_eq!((y.to_vec::<f32>(), mean.item()), (steps.to_vec(), 4.0));
    /// ```
    ///
    /// # Panics
    /// As [`batch_norm`](Tensor::batch_norm); if what is added has another shape or dtype.
    #[track_caller]
    pub fn batch_norm_relu(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        epsilon: f64,
        added: Option<&Tensor>,
    ) -> (Tensor, Tensor, Tensor) {
        let operation = "batch_norm_relu";
        let Some(added) = added else {
            return self.batch_norm_then(operation, weight, bias, epsilon, Then::Relu);
        };
        assert!(
            added.shape() == self.shape(),
            "{operation}: what is added has shape {}, but must have that of the input, {}",
            added.shape(),
            self.shape()
        );
        check_same_dtype(operation, self, added);
        self.batch_norm_then(operation, weight, bias, epsilon, Then::AddRelu(added))
    }

    #[track_caller]
    fn batch_norm_then(
        &self,
        operation: &'static str,
        weight: &Tensor,
        bias: &Tensor,
        epsilon: f64,
        then: Then<&Tensor>,
    ) -> (Tensor, Tensor, Tensor) {
        check_float(operation, self);
        assert!(
            self.rank() >= 2 && self.elements() > 0,
            "{operation}: input {} must have at least 2 axes, [N, C, ..], and elements",
            self.shape()
        );
        self.check_channels(operation, &[("weight", weight), ("bias", bias)]);
        let (storage, statistics) =
            self.backend().batch_norm(self.view(), weight.view(), bias.view(), epsilon, then.map(Tensor::view));
        let statistics = Tensor::new(Value::contiguous(Shape::new(&[2, self.shape()[1]]), statistics), None);
        let value = Value::contiguous(*self.shape(), storage);
        let taken = Taken {
            x: self.clone(),
            weight: weight.clone(),
            bias: bias.clone(),
            statistics: statistics.clone(),
            epsilon,
        };
        let y = match then {
            Then::Nothing => record(operation, value, &[self, weight, bias], move |g, to| taken.send(g, false, to)),
            Then::Relu => record_with_output(operation, value, &[self, weight, bias], move |g, y, to| {
                if taken.are_recorded(g) { taken.send(&g.gate(y), false, to) } else { taken.send(g, true, to) }
            }),
            Then::AddRelu(added) => {
                record_with_output(operation, value, &[self, weight, bias, added], move |g, y, to| {
                    let g = g.gate(y);
                    taken.send(&g, false, to);
                    to.add(3, || g);
                })
            }
        };
        (y, statistics.i(0), statistics.i(1))
    }

    /// Normalization of `[N, C, ..]` by means and variances `[C]` that are known, as those that a layer has collected in training:
    /// `(x - mean) * (weight / sqrt(variance + epsilon)) + bias` for each channel. In one pass, where no gradient is recorded.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[[1.0, 3.0]], [[5.0, 7.0]]]);
    /// let (weight, bias) = (Tensor::from([2.0]), Tensor::from([10.0]));
    /// let y = x.batch_norm_by(&Tensor::from([3.0]), &Tensor::from([4.0]), &weight, &bias, 0.0);
    /// assert_eq!(y.to_vec::<f32>(), [8.0, 10.0, 12.0, 14.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than 2 axes, statistics, weight or bias have another size than the second, or dtypes differ or are not
    /// floating-point.
    #[track_caller]
    pub fn batch_norm_by(
        &self,
        mean: &Tensor,
        variance: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        epsilon: f64,
    ) -> Tensor {
        check_float("batch_norm_by", self);
        assert!(self.rank() >= 2, "batch_norm_by: input {} must have at least 2 axes, [N, C, ..]", self.shape());
        let channels = self.shape()[1];
        self.check_channels(
            "batch_norm_by",
            &[("mean", mean), ("variance", variance), ("weight", weight), ("bias", bias)],
        );
        if records(&[self, mean, variance, weight, bias]) {
            let mut wide = vec![1; self.rank()];
            wide[1] = channels;
            let wide = |tensor: &Tensor| tensor.reshape(wide.clone());
            let scale = wide(weight) / (wide(variance) + epsilon).sqrt();
            return (self - wide(mean)) * scale + wide(bias);
        }
        let statistics = [mean.view(), variance.view()];
        let storage = self.backend().batch_norm_by(self.view(), statistics, weight.view(), bias.view(), epsilon);
        Tensor::new(Value::contiguous(*self.shape(), storage), None)
    }

    /// # Panics
    /// If one of these has another shape than `[C]`, or another dtype.
    #[track_caller]
    fn check_channels(&self, operation: &str, others: &[(&str, &Tensor)]) {
        let channels = self.shape()[1];
        for (name, other) in others {
            assert!(
                other.shape()[..] == [channels],
                "{operation}: the {name} has shape {}, but the input {} needs [{channels}]",
                other.shape(),
                self.shape()
            );
            check_same_dtype(operation, self, other);
        }
    }
}

/// What the gradients are computed from.
struct Taken {
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    /// Means and variances, `[2, C]`.
    statistics: Tensor,
    epsilon: f64,
}

impl Taken {
    /// Whether the gradients are to be differentiated again.
    fn are_recorded(&self, g: &Tensor) -> bool {
        records(&[g, &self.x, &self.weight])
    }

    /// Sends input, weight and bias what they get when the result, or that of relu, gets `g`.
    fn send(&self, g: &Tensor, relu: bool, to: &mut Sink) {
        let [for_x, for_weight, for_bias] =
            if self.are_recorded(g) { self.gradients_in_steps(g) } else { self.gradients(g, relu) };
        to.add(0, || for_x);
        to.add(1, || for_weight);
        to.add(2, || for_bias);
    }

    fn gradients(&self, g: &Tensor, relu: bool) -> [Tensor; 3] {
        let Taken { x, weight, bias, statistics, epsilon } = self;
        let affine = [weight.view(), bias.view()];
        let (storage, sums) =
            x.backend().batch_norm_gradient(x.view(), g.view(), affine, statistics.view(), *epsilon, relu);
        let sums = Tensor::new(Value::contiguous(*statistics.shape(), sums), None);
        [Tensor::new(Value::contiguous(*x.shape(), storage), None), sums.i(0), sums.i(1)]
    }

    fn gradients_in_steps(&self, g: &Tensor) -> [Tensor; 3] {
        let Taken { x, weight, .. } = self;
        let axes: Vec<isize> = (0..x.rank() as isize).filter(|&axis| axis != 1).collect();
        let mut wide = vec![1; x.rank()];
        wide[1] = x.shape()[1];
        let centered = x - x.mean_keepdim(&axes);
        let factor = (centered.powi(2).mean_keepdim(&axes) + self.epsilon).sqrt().recip();
        let normal = centered * &factor;
        let weighed = g * weight.reshape(wide);
        let along = (&weighed * &normal).mean_keepdim(&axes);
        let for_x = (&weighed - weighed.mean_keepdim(&axes) - &normal * along) * factor;
        [for_x, (g * normal).sum_axes(&axes), g.sum_axes(&axes)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::random::Rng;

    #[test]
    fn known_statistics_in_one_pass_have_the_bits_of_the_steps() {
        let shapes = [&[3, 2, 5][..], &[2, 3, 17, 9], &[40, 300], &[2, 3, 70, 70], &[0, 3, 2], &[3, 2, 0], &[1, 1]];
        for (shape, dtype) in shapes.into_iter().flat_map(|shape| [(shape, DType::F32), (shape, DType::F64)]) {
            let mut rng = Rng::new(1);
            let mut random = |shape: &[usize]| Tensor::randn(Shape::new(shape), &mut rng).to_dtype(dtype);
            let (x, mean, variance) = (random(shape), random(&shape[1..2]), random(&shape[1..2]).powi(2));
            let (weight, bias) = (random(&shape[1..2]), random(&shape[1..2]));
            for x in [x.clone(), x.transpose(0, -1).contiguous().transpose(0, -1)] {
                let at_once = x.batch_norm_by(&mean, &variance, &weight, &bias, 1e-3);
                let steps = x.batch_norm_by(&mean, &variance, &weight.clone().requires_grad(), &bias, 1e-3);
                let bits = |y: Tensor| {
                    y.to_dtype(DType::F64).to_vec::<f64>().into_iter().map(f64::to_bits).collect::<Vec<_>>()
                };
                assert_eq!(bits(at_once), bits(steps.detach()), "{shape:?}");
            }
        }
    }
}
