//! The mean of a whole picture.

use serde::{Deserialize, Serialize};

use crate::nn::stream::not_in_pieces;
use crate::nn::window::spatial_axes;
use crate::nn::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Result, Shape, Tensor};

/// The mean of each channel (Lin, Chen and Yan, Network in Network, ICLR 2014, section 3.2): Keras's `GlobalAveragePooling2D` and
/// `3D`. Input `[N, C, L]`, `[N, C, H, W]` or `[N, C, D, H, W]`, output `[N, C]`. For sequences `[N, T, C]`, whose steps come first, see
/// [`MeanOverTime`](crate::nn::MeanOverTime).
///
/// ```
/// use hadal::prelude::*;
/// let x = Tensor::from([[1.0, 2.0], [3.0, 6.0]]).reshape([1, 1, 2, 2]);
/// let y = GlobalAveragePool.forward(&x, &mut Context::evaluation());
/// assert_eq!((y.shape(), y.item()), (&[1, 1].into(), 3.0));
/// ```
#[doc(alias = "GlobalAveragePooling2D")]
#[derive(Clone, Debug, Default, Module, Serialize, Deserialize)]
pub struct GlobalAveragePool;

impl Forward for GlobalAveragePool {
    /// # Panics
    /// If `x` has fewer than 3 axes, or nothing on those after the channels.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        assert!(x.rank() >= 3, "GlobalAveragePool: the input has shape {}, but the layer takes [N, C, ..]", x.shape());
        assert!(
            !x.shape()[2..].contains(&0),
            "GlobalAveragePool: the input of shape {} has nothing to average",
            x.shape()
        );
        x.mean_axes(&(2..x.rank() as isize).collect::<Vec<_>>())
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces("GlobalAveragePool")
    }
}

impl Layer for GlobalAveragePool {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        spatial_axes("GlobalAveragePool", input)?;
        Ok(Plan { output_shape: Shape::from([input[0]]), weights: 0 })
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for GlobalAveragePool {
    const NAME: &'static str = "global_average_pool";
}
