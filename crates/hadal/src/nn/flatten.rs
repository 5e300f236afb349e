//! Flattening.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Result, Shape, Tensor};

/// Flattens each sample to a vector: `[batch, 28, 28]` becomes `[batch, 784]`.
///
/// ```
/// use hadal::prelude::*;
/// let y = Flatten.forward(&Tensor::zeros([5, 28, 28]), &mut Context::evaluation());
/// assert_eq!(y.shape(), &[5, 784]);
/// ```
#[derive(Clone, Debug, Default, Module, Serialize, Deserialize)]
pub struct Flatten;

impl Forward for Flatten {
    #[track_caller]
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        let size: usize = x.shape()[1..].iter().product();
        x.reshape([x.size(0), size])
    }
}

impl Layer for Flatten {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan { output_shape: Shape::from([input.elements()]), weights: 0 })
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn keeps_values(&self) -> bool {
        true
    }
}

impl LayerKind for Flatten {
    const NAME: &'static str = "flatten";
}
