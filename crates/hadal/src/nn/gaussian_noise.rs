//! Noise as regularization.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Shape, Tensor};

/// Adds zero-centered Gaussian noise to its input during training, as Keras's `GaussianNoise`; on small noise the same
/// as an L2 penalty on the sensitivity of what follows (Bishop, Neural Computation 7, 1995). In evaluation, passes
/// its input on.
///
/// ```
/// use hadal::nn::GaussianNoise;
/// use hadal::prelude::*;
/// let (noise, x) = (GaussianNoise::new(0.1), Tensor::zeros([1, 1000]));
/// assert_eq!(noise.forward(&x, &mut Context::evaluation()).abs().max().item(), 0.0);
/// let y = noise.forward(&x, &mut Context::training(Rng::new(1)));
/// assert!((y.powi(2).mean().sqrt().item() - 0.1).abs() < 0.01);
/// ```
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianNoise {
    #[serde(alias = "deviation")]
    std: f64,
}

impl GaussianNoise {
    /// Noise with standard deviation `std`.
    pub fn new(std: f64) -> GaussianNoise {
        GaussianNoise { std }
    }
}

impl Forward for GaussianNoise {
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        if !ctx.is_training() || self.std == 0.0 {
            return x.clone();
        }
        x + Tensor::randn(x.shape(), &mut ctx.rng).to_dtype(x.dtype()) * self.std
    }
}

impl Layer for GaussianNoise {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        if self.std >= 0.0 && self.std.is_finite() {
            return Ok(Plan { output_shape: *input, weights: 0 });
        }
        Err(Error::Config(format!("GaussianNoise: std {} must be 0 or a positive, finite number", self.std)))
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("GaussianNoise ({})", self.std)
    }

    fn keeps_values(&self) -> bool {
        true
    }
}

impl LayerKind for GaussianNoise {
    const NAME: &'static str = "gaussian_noise";
}
