//! The fully connected layer of a [`Sequential`](super::Sequential).

use super::{Activation, Context, Forward, Layer, LayerConfig, Linear, Module, init};
use crate::{Error, Result, Rng, Shape, Tensor};

/// `activation(x Wᵀ + b)`, as Keras's `Dense`: the input size is taken from the layer before. Weights begin
/// Glorot-uniform and biases at zero, Keras's defaults. Input `[batch, in]`, output `[batch, units]`.
#[derive(Clone, Debug)]
pub struct Dense {
    units: usize,
    activation: Activation,
    linear: Option<Linear>,
}

impl Dense {
    /// A layer of `units` outputs without activation.
    pub fn new(units: usize) -> Dense {
        Dense { units, activation: Activation::Identity, linear: None }
    }

    /// The function applied to the outputs. Default: none.
    pub fn activation(mut self, activation: Activation) -> Dense {
        self.activation = activation;
        self
    }
}

impl Module for Dense {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.linear.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.linear.visit_mut(path, visitor);
    }
}

impl Forward for Dense {
    /// # Panics
    /// If the layer has not been built as part of a compiled [`Sequential`](super::Sequential).
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let Some(linear) = &self.linear else {
            panic!("Dense: the layer has no weights yet; compile the Sequential it belongs to first");
        };
        self.activation.apply(&linear.forward(x, ctx))
    }
}

impl Layer for Dense {
    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<Shape> {
        let &[size] = &**input else {
            return Err(Error::Config(format!(
                "Dense takes vectors, but its input has shape {input}; put a Flatten before it"
            )));
        };
        if self.units == 0 {
            return Err(Error::Config("Dense needs at least 1 unit, not 0".into()));
        }
        let weight = init::glorot_uniform(self.units, size, rng).requires_grad();
        let bias = Tensor::zeros([self.units]).requires_grad();
        self.linear = Some(Linear::from_weights(weight, Some(bias)));
        Ok(Shape::from([self.units]))
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::Dense { units: self.units, activation: self.activation }
    }
}
