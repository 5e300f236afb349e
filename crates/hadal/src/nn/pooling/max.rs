//! Max pooling.

use serde::{Deserialize, Serialize};

use super::settings::{plan, pool};
use crate::nn::stream::not_in_pieces;
use crate::nn::window::{PerAxis, Window};
use crate::nn::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Result, Shape, Tensor};

/// The largest element of each window, as PyTorch's `MaxPool1d`, `MaxPool2d`, `MaxPool3d` and Keras's `MaxPooling2D`; [`MaxPool1d`],
/// [`MaxPool2d`] and [`MaxPool3d`] are its names.
///
/// Input `[N, C, ..]`, output `[N, C, ..]` with sizes `(size + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down
/// without [`ceil_mode`](MaxPoolNd::ceil_mode).
///
/// ```
/// use hadal::prelude::*;
/// let x = Tensor::from([[1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 7.0, 8.0]]).reshape([1, 1, 2, 4]);
/// let y = MaxPool2d::new(2).forward(&x, &mut Context::evaluation());
/// assert_eq!(y.to_vec::<f32>(), [4.0, 8.0]);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPoolNd<const D: usize> {
    kernel: PerAxis<D>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stride: Option<PerAxis<D>>,
    #[serde(default = "PerAxis::zero", skip_serializing_if = "PerAxis::is_zero")]
    padding: PerAxis<D>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    same_padding: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ceil_mode: bool,
    #[serde(default = "PerAxis::one", skip_serializing_if = "PerAxis::is_one")]
    dilation: PerAxis<D>,
}

/// Max pooling of sequences `[N, C, L]`: [`MaxPoolNd`].
pub type MaxPool1d = MaxPoolNd<1>;
/// Max pooling of pictures `[N, C, H, W]`: [`MaxPoolNd`].
#[doc(alias = "MaxPooling2D")]
pub type MaxPool2d = MaxPoolNd<2>;
/// Max pooling of volumes or films `[N, C, D, H, W]`: [`MaxPoolNd`].
pub type MaxPool3d = MaxPoolNd<3>;

impl<const D: usize> MaxPoolNd<D> {
    /// Windows of size `kernel` side by side: one number, or one for each dimension. PyTorch's and Keras's defaults.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(MaxPool2d::new([2, 3]).plan(&[8, 6, 7].into())?.output_shape, [8, 3, 2]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(kernel: impl Into<PerAxis<D>>) -> MaxPoolNd<D> {
        let (padding, dilation) = (PerAxis::zero(), PerAxis::one());
        MaxPoolNd { kernel: kernel.into(), stride: None, padding, same_padding: false, ceil_mode: false, dilation }
    }

    /// How far the window moves from one place to the next. Default: its size.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(MaxPool2d::new(3).stride(2).plan(&[8, 7, 7].into())?.output_shape, [8, 3, 3]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn stride(mut self, stride: impl Into<PerAxis<D>>) -> MaxPoolNd<D> {
        self.stride = Some(stride.into());
        self
    }

    /// How many places before and after the input windows reach, at most half of their size. They are never the largest. Default: 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let pool = MaxPool2d::new(3).stride(2).padding(1);
    /// assert_eq!(pool.plan(&[64, 112, 112].into())?.output_shape, [64, 56, 56]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn padding(mut self, padding: impl Into<PerAxis<D>>) -> MaxPoolNd<D> {
        self.padding = padding.into();
        self.same_padding = false;
        self
    }

    /// As much padding as gives outputs of size `size / stride`, rounded up: Keras's `padding="same"`. Where it is odd, one place more
    /// is after the input than before. In place of [`padding`](MaxPoolNd::padding).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let pool = MaxPool1d::new(2).same_padding();
    /// let y = pool.forward(&Tensor::from([[[1.0, 2.0, 3.0, 4.0, 5.0]]]), &mut Context::evaluation());
    /// assert_eq!(y.to_vec::<f32>(), [2.0, 4.0, 5.0]);
    /// ```
    pub fn same_padding(mut self) -> MaxPoolNd<D> {
        self.padding = PerAxis::zero();
        self.same_padding = true;
        self
    }

    /// Whether the last window may reach beyond the padded input, so that sizes are rounded up: PyTorch's `ceil_mode`. It begins within
    /// the input or the padding before it. Default: no.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let pool = MaxPool2d::new(3).stride(2);
    /// assert_eq!(pool.plan(&[64, 112, 112].into())?.output_shape, [64, 55, 55]);
    /// assert_eq!(pool.ceil_mode(true).plan(&[64, 112, 112].into())?.output_shape, [64, 56, 56]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn ceil_mode(mut self, ceil_mode: bool) -> MaxPoolNd<D> {
        self.ceil_mode = ceil_mode;
        self
    }

    /// The distance of the window's elements in the input. Default: 1.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(MaxPool2d::new(2).dilation(3).stride(1).plan(&[8, 7, 7].into())?.output_shape, [8, 4, 4]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn dilation(mut self, dilation: impl Into<PerAxis<D>>) -> MaxPoolNd<D> {
        self.dilation = dilation.into();
        self
    }

    fn window(&self) -> Window<D> {
        let MaxPoolNd { kernel, padding, same_padding, ceil_mode, .. } = *self;
        let stride = self.stride.unwrap_or(kernel);
        Window { kernel, stride, padding, same_padding, dilation: self.dilation, ceil_mode }
    }

    fn name() -> String {
        format!("MaxPool{D}d")
    }
}

impl<const D: usize> Module for MaxPoolNd<D> {
    fn visit(&self, _path: &str, _visitor: &mut dyn FnMut(&str, &Tensor)) {}
    fn visit_mut(&mut self, _path: &str, _visitor: &mut dyn FnMut(&str, &mut Tensor)) {}
}

impl<const D: usize> Forward for MaxPoolNd<D> {
    /// # Panics
    /// If `x` is not `[N, C, ..]`, or as [`Tensor::max_pool`].
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        x.max_pool(pool(self.window()))
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces(&Self::name())
    }
}

impl<const D: usize> Layer for MaxPoolNd<D> {
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

impl<const D: usize> LayerKind for MaxPoolNd<D> {
    const NAME: &'static str = match D {
        1 => "max_pool1d",
        2 => "max_pool2d",
        _ => "max_pool3d",
    };
}
