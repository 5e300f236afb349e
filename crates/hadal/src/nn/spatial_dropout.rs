//! Dropout of whole channels.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Shape, Tensor};

/// Dropout of whole channels (Tompson and others, CVPR 2015, section 3.2): in training, sets each channel of each sample to 0 with
/// probability `rate` and scales the others by `1 / (1 - rate)`; in evaluation, the identity. PyTorch's `Dropout1d`, `Dropout2d` and
/// `Dropout3d`, Keras's `SpatialDropout2D`. Input `[N, C, ..]`.
///
/// ```
/// use hadal::nn::SpatialDropout;
/// use hadal::prelude::*;
/// let y = SpatialDropout::new(0.2).forward(&Tensor::ones([10, 100, 3, 3]), &mut Context::training(Rng::new(1)));
/// // All elements of a channel are 0, or none.
/// let sums = y.sum_axes(&[2, 3]).to_vec::<f32>();
/// assert!(sums.iter().all(|&sum| sum == 0.0 || (sum - 11.25).abs() < 1e-4) && sums.contains(&0.0));
/// ```
#[doc(alias = "Dropout2d")]
#[doc(alias = "SpatialDropout2D")]
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpatialDropout {
    rate: f64,
}

impl SpatialDropout {
    /// Drops with probability `rate`.
    ///
    /// ```
    /// use hadal::nn::SpatialDropout;
    /// use hadal::prelude::*;
    /// let model = Sequential::new([3, 8, 8]).add(Conv2d::new(16, 3)).add(SpatialDropout::new(0.1)).build()?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `rate` is not within `[0, 1)`.
    #[track_caller]
    pub fn new(rate: f64) -> SpatialDropout {
        assert!((0.0..1.0).contains(&rate), "SpatialDropout: rate {rate} is not within [0, 1)");
        SpatialDropout { rate }
    }
}

/// `x` in which what stands at the same place of the first `axes` axes is dropped together with probability `rate`, and the rest scaled.
pub(super) fn dropped(x: &Tensor, axes: usize, rate: f64, ctx: &mut Context) -> Tensor {
    if !ctx.is_training() || rate == 0.0 {
        return x.clone();
    }
    let mut sizes = vec![1; x.rank()];
    sizes[..axes].copy_from_slice(&x.shape()[..axes]);
    let keep = 1.0 - rate;
    x * Tensor::bernoulli_scaled(sizes, keep, 1.0 / keep, &mut ctx.rng).to_dtype(x.dtype())
}

impl Forward for SpatialDropout {
    /// # Panics
    /// If `x` has fewer than 3 axes.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        assert!(x.rank() >= 3, "SpatialDropout: the input has shape {}, but the layer takes [N, C, ..]", x.shape());
        dropped(x, 2, self.rate, ctx)
    }
}

impl Layer for SpatialDropout {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        // A rate from a file has not passed `new`.
        if !(0.0..1.0).contains(&self.rate) {
            return Err(Error::Config(format!("SpatialDropout: rate {} is not within [0, 1)", self.rate)));
        }
        if input.rank() < 2 {
            return Err(Error::Config(format!(
                "SpatialDropout drops the channels of samples of shape [C, ..], but its input has shape {input}; use Dropout"
            )));
        }
        Ok(Plan { output_shape: *input, weights: 0 })
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("SpatialDropout ({})", self.rate)
    }

    fn keeps_values(&self) -> bool {
        true
    }
}

impl LayerKind for SpatialDropout {
    const NAME: &'static str = "spatial_dropout";
}
