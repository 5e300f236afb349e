//! Noise as regularisation.

use super::{Context, Forward, Layer, LayerConfig, Module, Plan};
use crate::{Error, Result, Shape, Tensor};

/// In training, adds normal noise of a given deviation to its input, as Keras's `GaussianNoise`; on small noise the same
/// as an L2 penalty on the sensitivity of what follows (Bishop, Neural Computation 7, 1995). In evaluation, passes
/// its input on.
#[derive(Clone, Debug, Module)]
pub struct GaussianNoise {
    deviation: f64,
}

impl GaussianNoise {
    /// Noise of this deviation.
    pub fn new(deviation: f64) -> GaussianNoise {
        GaussianNoise { deviation }
    }
}

impl Forward for GaussianNoise {
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        if !ctx.is_training() || self.deviation == 0.0 {
            return x.clone();
        }
        x + Tensor::randn(x.shape(), &mut ctx.rng).to_dtype(x.dtype()) * self.deviation
    }
}

impl Layer for GaussianNoise {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        if self.deviation >= 0.0 && self.deviation.is_finite() {
            return Ok(Plan { output: *input, numbers: 0 });
        }
        Err(Error::Config(format!(
            "GaussianNoise: deviation {} must be 0 or a positive, finite number",
            self.deviation
        )))
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::GaussianNoise { deviation: self.deviation }
    }
}
