//! Another shape for the same numbers.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Shape, Tensor};

/// Reshapes each sample: `[batch, 784]` becomes `[batch, 28, 28]`.
///
/// ```
/// use hadal::prelude::*;
/// let y = Reshape::new([28, 28]).forward(&Tensor::zeros([5, 784]), &mut Context::evaluation());
/// assert_eq!(y.shape(), &[5, 28, 28]);
/// ```
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    #[serde(with = "sizes")]
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
        LayerConfig::of(self)
    }

    fn keeps_values(&self) -> bool {
        true
    }
}

impl LayerKind for Reshape {
    const NAME: &'static str = "reshape";
}

/// A shape in a file: a list of sizes.
mod sizes {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::{MAX_RANK, Shape};

    pub fn serialize<S: Serializer>(shape: &Shape, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(shape.iter())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Shape, D::Error> {
        let sizes: Vec<usize> = Vec::deserialize(deserializer)?;
        // One axis more is for the samples of a batch.
        if sizes.len() >= MAX_RANK {
            return Err(D::Error::custom(format!("Reshape: shape {sizes:?} has too many axes")));
        }
        Shape::try_new(&sizes).map_err(D::Error::custom)
    }
}
