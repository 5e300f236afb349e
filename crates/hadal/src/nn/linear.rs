//! The affine map.

use super::{Context, Forward, Module, init};
use crate::{Rng, Shape, Tensor};

/// `y = x Wᵀ + b`, as PyTorch's `Linear`. Input `[batch, in]`, output `[batch, out]`.
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
    pub fn new(input: usize, output: usize, rng: &mut Rng) -> Linear {
        Linear {
            weight: init::torch_linear_uniform(&[output, input], input, rng).requires_grad(),
            bias: Some(init::torch_linear_uniform(&[output], input, rng).requires_grad()),
        }
    }

    /// From tensors: `weight` `[out, in]`, `bias` `[out]`.
    pub fn from_weights(weight: Tensor, bias: Option<Tensor>) -> Linear {
        Linear { weight, bias }
    }
}

impl Forward for Linear {
    #[track_caller]
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        let y = x.matmul(&self.weight.t());
        match &self.bias {
            Some(bias) => y + bias,
            None => y,
        }
    }

    fn input_shape(&self) -> Option<Shape> {
        Some(Shape::from([self.weight.size(1)]))
    }

    fn output_shape(&self) -> Option<Shape> {
        Some(Shape::from([self.weight.size(0)]))
    }
}
