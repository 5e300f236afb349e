//! The linear layer.

use super::{Activation, Context, Forward, Initializer, Module};
use crate::{Rng, Shape, Tensor};

/// A linear layer, `y = x Wᵀ + b`, as PyTorch's `Linear`. Input `[batch, in]`, output `[batch, out]`.
///
/// ```
/// use hadal::prelude::*;
/// let layer = Linear::new(3, 2, &mut Rng::new(0));
/// assert_eq!(layer.weight.shape(), &[2, 3]);
/// assert_eq!(layer.parameter_count(), 2 * 3 + 2);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Tensor,
    /// `[out]`.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// Weight and bias uniform on ±1/sqrt(in), PyTorch's default.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Linear::new(3, 2, &mut Rng::new(0));
    /// let y = layer.forward(&Tensor::ones([5, 3]), &mut Context::evaluation());
    /// assert_eq!(y.shape(), &[5, 2]);
    /// ```
    ///
    /// # Panics
    /// If there are no outputs, or more weights than memory can address.
    #[track_caller]
    pub fn new(input: usize, output: usize, rng: &mut Rng) -> Linear {
        assert!(output > 0, "Linear: the number of outputs must be at least 1, not 0");
        let torch = Initializer::TORCH_DEFAULT;
        Linear {
            weight: torch.make(&[output, input], rng).requires_grad(),
            bias: Some(torch.make_for(&[output], input, output, rng).requires_grad()),
        }
    }

    /// From tensors: `weight` `[out, in]`, `bias` `[out]`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Linear::from_weights(Tensor::from([[1.0, 2.0]]), Some(Tensor::from([0.5])));
    /// let y = layer.forward(&Tensor::from([[10.0, 100.0]]), &mut Context::evaluation());
    /// assert_eq!(y.item(), 210.5);
    /// ```
    pub fn from_weights(weight: Tensor, bias: Option<Tensor>) -> Linear {
        Linear { weight, bias }
    }

    /// `activation(x Wᵀ + b)`, in one pass where the two have something in common.
    ///
    /// # Panics
    /// If the last axis of `x` is not `in`.
    #[track_caller]
    pub(super) fn activated(&self, x: &Tensor, activation: Activation) -> Tensor {
        self.check_input(x);
        match activation {
            Activation::Relu => x.linear_relu(&self.weight, self.bias.as_ref()),
            Activation::Gelu => x.linear_gelu(&self.weight, self.bias.as_ref()),
            _ => activation.apply(&x.linear(&self.weight, self.bias.as_ref())),
        }
    }

    #[track_caller]
    fn check_input(&self, x: &Tensor) {
        assert!(
            x.shape().last() == Some(&self.weight.size(1)),
            "Linear: the input has shape {}, but the weight {} takes {} features on the last axis",
            x.shape(),
            self.weight.shape(),
            self.weight.size(1)
        );
    }
}

impl Forward for Linear {
    /// # Panics
    /// If the last axis of `x` is not `in`.
    #[track_caller]
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        self.check_input(x);
        x.linear(&self.weight, self.bias.as_ref())
    }

    fn input_shape(&self) -> Option<Shape> {
        Some(Shape::from([self.weight.size(1)]))
    }

    fn output_shape(&self) -> Option<Shape> {
        Some(Shape::from([self.weight.size(0)]))
    }
}
