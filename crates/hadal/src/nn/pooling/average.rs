//! Average pooling.

use serde::{Deserialize, Serialize};

use super::settings::{plan, pool};
use crate::nn::stream::not_in_pieces;
use crate::nn::window::{PerAxis, Window};
use crate::nn::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Result, Shape, Tensor};

/// The mean of each window, as PyTorch's `AvgPool1d`, `AvgPool2d`, `AvgPool3d` and Keras's `AveragePooling2D`; [`AvgPool1d`],
/// [`AvgPool2d`] and [`AvgPool3d`] are its names.
///
/// Input `[N, C, ..]`, output `[N, C, ..]` with sizes `(size + 2 padding - kernel) / stride + 1`, rounded down without
/// [`ceil_mode`](AvgPoolNd::ceil_mode).
///
/// ```
/// use hadal::prelude::*;
/// let x = Tensor::from([[1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 7.0, 8.0]]).reshape([1, 1, 2, 4]);
/// let y = AvgPool2d::new(2).forward(&x, &mut Context::evaluation());
/// assert_eq!(y.to_vec::<f32>(), [2.5, 6.5]);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvgPoolNd<const D: usize> {
    kernel: PerAxis<D>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stride: Option<PerAxis<D>>,
    #[serde(default = "PerAxis::zero", skip_serializing_if = "PerAxis::is_zero")]
    padding: PerAxis<D>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    same_padding: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ceil_mode: bool,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    count_padding: bool,
}

fn yes() -> bool {
    true
}

/// Average pooling of sequences `[N, C, L]`: [`AvgPoolNd`].
pub type AvgPool1d = AvgPoolNd<1>;
/// Average pooling of pictures `[N, C, H, W]`: [`AvgPoolNd`].
#[doc(alias = "AveragePooling2D")]
pub type AvgPool2d = AvgPoolNd<2>;
/// Average pooling of volumes or films `[N, C, D, H, W]`: [`AvgPoolNd`].
pub type AvgPool3d = AvgPoolNd<3>;

impl<const D: usize> AvgPoolNd<D> {
    /// Windows of size `kernel` side by side: one number, or one for each dimension. PyTorch's and Keras's defaults.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(AvgPool2d::new([2, 3]).plan(&[8, 6, 7].into())?.output_shape, [8, 3, 2]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(kernel: impl Into<PerAxis<D>>) -> AvgPoolNd<D> {
        let padding = PerAxis::zero();
        AvgPoolNd {
            kernel: kernel.into(),
            stride: None,
            padding,
            same_padding: false,
            ceil_mode: false,
            count_padding: true,
        }
    }

    /// How far the window moves from one place to the next. Default: its size.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(AvgPool2d::new(3).stride(2).plan(&[8, 7, 7].into())?.output_shape, [8, 3, 3]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn stride(mut self, stride: impl Into<PerAxis<D>>) -> AvgPoolNd<D> {
        self.stride = Some(stride.into());
        self
    }

    /// How many zeros are put before and after the input, at most half of the window's size. Default: 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(AvgPool2d::new(3).padding(1).stride(1).plan(&[8, 7, 7].into())?.output_shape, [8, 7, 7]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn padding(mut self, padding: impl Into<PerAxis<D>>) -> AvgPoolNd<D> {
        self.padding = padding.into();
        self.same_padding = false;
        self
    }

    /// As much padding as gives outputs of size `size / stride`, rounded up: Keras's `padding="same"`. Where it is odd, one place more
    /// is after the input than before. As in Keras, it does not count in a mean, unless [`count_padding`](AvgPoolNd::count_padding) is
    /// called afterwards. In place of [`padding`](AvgPoolNd::padding).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let pool = AvgPool1d::new(2).same_padding();
    /// let y = pool.forward(&Tensor::from([[[1.0, 2.0, 3.0, 4.0, 5.0]]]), &mut Context::evaluation());
    /// assert_eq!(y.to_vec::<f32>(), [1.5, 3.5, 5.0]);
    /// ```
    pub fn same_padding(mut self) -> AvgPoolNd<D> {
        self.padding = PerAxis::zero();
        self.same_padding = true;
        self.count_padding = false;
        self
    }

    /// Whether the last window may reach beyond the padded input, so that sizes are rounded up: PyTorch's `ceil_mode`. It begins within
    /// the input or the padding before it; what lies beyond the padding does not count in a mean. Default: no.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let pool = AvgPool2d::new(3).stride(2);
    /// assert_eq!(pool.plan(&[64, 112, 112].into())?.output_shape, [64, 55, 55]);
    /// assert_eq!(pool.ceil_mode(true).plan(&[64, 112, 112].into())?.output_shape, [64, 56, 56]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn ceil_mode(mut self, ceil_mode: bool) -> AvgPoolNd<D> {
        self.ceil_mode = ceil_mode;
        self
    }

    /// Whether the zeros of the padding count in a mean's number of elements: PyTorch's `count_include_pad`. Default: yes, as there.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let pool = AvgPool1d::new(2).padding(1).count_padding(false);
    /// let y = pool.forward(&Tensor::ones([1, 1, 4]), &mut Context::evaluation());
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 1.0, 1.0]);
    /// ```
    pub fn count_padding(mut self, count_padding: bool) -> AvgPoolNd<D> {
        self.count_padding = count_padding;
        self
    }

    fn window(&self) -> Window<D> {
        let AvgPoolNd { kernel, padding, same_padding, ceil_mode, .. } = *self;
        let stride = self.stride.unwrap_or(kernel);
        Window { kernel, stride, padding, same_padding, dilation: PerAxis::one(), ceil_mode }
    }

    fn name() -> String {
        format!("AvgPool{D}d")
    }
}

impl<const D: usize> Module for AvgPoolNd<D> {
    fn visit(&self, _path: &str, _visitor: &mut dyn FnMut(&str, &Tensor)) {}
    fn visit_mut(&mut self, _path: &str, _visitor: &mut dyn FnMut(&str, &mut Tensor)) {}
}

impl<const D: usize> Forward for AvgPoolNd<D> {
    /// # Panics
    /// If `x` is not `[N, C, ..]`, or as [`Tensor::avg_pool`].
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        x.avg_pool(pool(self.window()).count_padding(self.count_padding))
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces(&Self::name())
    }
}

impl<const D: usize> Layer for AvgPoolNd<D> {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let output_shape = plan(&Self::name(), input, self.window())?;
        Ok(Plan { output_shape, weights: 0 })
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("{} ({})", Self::name(), self.kernel)
    }
}

impl<const D: usize> LayerKind for AvgPoolNd<D> {
    const NAME: &'static str = match D {
        1 => "avg_pool1d",
        2 => "avg_pool2d",
        _ => "avg_pool3d",
    };
}
