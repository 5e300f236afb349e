//! Another shape for the same numbers.

use super::{Context, Forward, Layer, LayerConfig, Module, Plan};
use crate::{Error, Result, Shape, Tensor};

/// Reshapes each sample: `[batch, 784]` becomes `[batch, 28, 28]`.
///
/// ```
/// use hadal::prelude::*;
/// let y = Reshape::new([28, 28]).forward(&Tensor::zeros([5, 784]), &mut Context::evaluation());
/// assert_eq!(y.shape(), &[5, 28, 28]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Reshape {
    shape: Shape,
}

impl Reshape {
    /// To samples of shape `shape`.
    pub fn new(shape: impl Into<Shape>) -> Reshape {
        Reshape { shape: shape.into() }
    }
}

impl Forward for Reshape {
    #[track_caller]
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        let mut sizes = vec![x.size(0)];
        sizes.extend_from_slice(&self.shape);
        x.reshape(sizes)
    }
}

impl Layer for Reshape {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let wanted = self.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        if wanted == Some(input.elements()) {
            return Ok(Plan { output_shape: self.shape, weights: 0 });
        }
        Err(Error::Config(format!(
            "Reshape to {} is not possible for an input of shape {input}, which has {} elements",
            self.shape,
            input.elements()
        )))
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::Reshape { shape: self.shape.to_vec() }
    }
}
