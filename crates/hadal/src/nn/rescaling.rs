//! A fixed change of scale.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Shape, Tensor};

/// `scale * x + offset`, as Keras's `Rescaling`: at the end of a network, it turns a standardized prediction into one in the
/// units of the target.
///
/// ```
/// use hadal::nn::Rescaling;
/// use hadal::prelude::*;
/// let y = Rescaling::new(10.0, 20.0).forward(&Tensor::from([[0.0], [1.0]]), &mut Context::evaluation());
/// assert_eq!(y.to_vec::<f32>(), [20.0, 30.0]);
/// ```
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rescaling {
    scale: f64,
    offset: f64,
}

impl Rescaling {
    /// Multiplies by `scale`, then adds `offset`.
    pub fn new(scale: f64, offset: f64) -> Rescaling {
        Rescaling { scale, offset }
    }

    /// The factor.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// What is added after it.
    pub fn offset(&self) -> f64 {
        self.offset
    }
}

impl Forward for Rescaling {
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        x * self.scale + self.offset
    }
}

impl Layer for Rescaling {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let finite = |number: f64| (number as f32).is_finite();
        if finite(self.scale) && self.scale as f32 != 0.0 && finite(self.offset) {
            return Ok(Plan { output_shape: *input, weights: 0 });
        }
        Err(Error::Config(format!(
            "Rescaling: scale {} and offset {} must be finite numbers of f32, and the scale not 0",
            self.scale, self.offset
        )))
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for Rescaling {
    const NAME: &'static str = "rescaling";
}
