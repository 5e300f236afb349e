//! Stochastic depth.

use serde::{Deserialize, Serialize};

use super::spatial_dropout::dropped;
use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Shape, Tensor};

/// Stochastic depth (Huang and others, Deep Networks with Stochastic Depth, ECCV 2016, eq. 2): in training, sets whole samples to 0 with
/// probability `rate` and scales the others by `1 / (1 - rate)`; in evaluation, the identity. As the last layer of a
/// [`Residual`](super::Residual), it leaves the block out for some samples. timm's `DropPath`, torchvision's `StochasticDepth` by row.
///
/// ```
/// use hadal::nn::DropPath;
/// use hadal::prelude::*;
/// let block = Residual::new().add(Dense::new(4).activation(Relu)).add(DropPath::new(0.5)).built([4], &mut Rng::new(0))?;
/// let x = Tensor::ones([100, 4]);
/// let y = block.forward(&x, &mut Context::training(Rng::new(1)));
/// // In about half of the samples, the shortcut is all there is.
/// let skipped = y.i((.., 0)).eq(1.0).to_dtype(DType::F32).mean().item();
/// assert!((skipped - 0.5).abs() < 0.15);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "StochasticDepth")]
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropPath {
    rate: f64,
}

impl DropPath {
    /// Drops samples with probability `rate`.
    ///
    /// ```
    /// use hadal::nn::DropPath;
    /// use hadal::prelude::*;
    /// let y = DropPath::new(0.5).forward(&Tensor::ones([2, 3]), &mut Context::evaluation());
    /// assert_eq!(y.sum().item(), 6.0);
    /// ```
    ///
    /// # Panics
    /// If `rate` is not within `[0, 1)`.
    #[track_caller]
    pub fn new(rate: f64) -> DropPath {
        assert!((0.0..1.0).contains(&rate), "DropPath: rate {rate} is not within [0, 1)");
        DropPath { rate }
    }
}

impl Forward for DropPath {
    /// # Panics
    /// If `x` is a scalar.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        assert!(x.rank() > 0, "DropPath: the input is a scalar, but the layer takes [N, ..]");
        dropped(x, 1, self.rate, ctx)
    }
}

impl Layer for DropPath {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        // A rate from a file has not passed `new`.
        if !(0.0..1.0).contains(&self.rate) {
            return Err(Error::Config(format!("DropPath: rate {} is not within [0, 1)", self.rate)));
        }
        Ok(Plan { output_shape: *input, weights: 0 })
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("DropPath ({})", self.rate)
    }

    fn keeps_values(&self) -> bool {
        true
    }
}

impl LayerKind for DropPath {
    const NAME: &'static str = "drop_path";
}
