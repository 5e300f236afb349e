//! Average pooling to given sizes.

use serde::{Deserialize, Serialize};

use crate::nn::stream::not_in_pieces;
use crate::nn::window::{PerAxis, channels, sample};
use crate::nn::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Result, Shape, Tensor};

/// Means of windows so chosen that the output has given sizes, whatever those of the input, as PyTorch's `AdaptiveAvgPool2d`;
/// [`AdaptiveAvgPool1d`], [`AdaptiveAvgPool2d`] and [`AdaptiveAvgPool3d`] are its names. [`Tensor::adaptive_avg_pool`] says which windows.
///
/// Input `[N, C, ..]`, output `[N, C, sizes..]`.
///
/// ```
/// use hadal::prelude::*;
/// let y = AdaptiveAvgPool2d::new(2).forward(&Tensor::ones([1, 3, 7, 5]), &mut Context::evaluation());
/// assert_eq!(y.shape(), &[1, 3, 2, 2]);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveAvgPoolNd<const D: usize> {
    size: PerAxis<D>,
}

/// Average pooling of sequences `[N, C, L]` to a given length: [`AdaptiveAvgPoolNd`].
pub type AdaptiveAvgPool1d = AdaptiveAvgPoolNd<1>;
/// Average pooling of pictures `[N, C, H, W]` to given sizes: [`AdaptiveAvgPoolNd`].
pub type AdaptiveAvgPool2d = AdaptiveAvgPoolNd<2>;
/// Average pooling of volumes or films `[N, C, D, H, W]` to given sizes: [`AdaptiveAvgPoolNd`].
pub type AdaptiveAvgPool3d = AdaptiveAvgPoolNd<3>;

impl<const D: usize> AdaptiveAvgPoolNd<D> {
    /// To this size: one number, or one for each dimension.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(AdaptiveAvgPool2d::new([1, 4]).plan(&[8, 6, 7].into())?.output_shape, [8, 1, 4]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(size: impl Into<PerAxis<D>>) -> AdaptiveAvgPoolNd<D> {
        AdaptiveAvgPoolNd { size: size.into() }
    }

    fn name() -> String {
        format!("AdaptiveAvgPool{D}d")
    }
}

impl<const D: usize> Module for AdaptiveAvgPoolNd<D> {
    fn visit(&self, _path: &str, _visitor: &mut dyn FnMut(&str, &Tensor)) {}
    fn visit_mut(&mut self, _path: &str, _visitor: &mut dyn FnMut(&str, &mut Tensor)) {}
}

impl<const D: usize> Forward for AdaptiveAvgPoolNd<D> {
    /// # Panics
    /// If `x` is not `[N, C, ..]`, or a size is 0.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        x.adaptive_avg_pool(self.size)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces(&Self::name())
    }
}

impl<const D: usize> Layer for AdaptiveAvgPoolNd<D> {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let channels = channels::<D>(&Self::name(), input)?;
        self.size.check_positive(&Self::name(), "size")?;
        Ok(Plan { output_shape: sample(channels, &self.size.get())?, weights: 0 })
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("{} ({})", Self::name(), self.size)
    }
}

impl<const D: usize> LayerKind for AdaptiveAvgPoolNd<D> {
    const NAME: &'static str = match D {
        1 => "adaptive_avg_pool1d",
        2 => "adaptive_avg_pool2d",
        _ => "adaptive_avg_pool3d",
    };
}
