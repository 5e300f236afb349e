//! Convolutions in one, two and three dimensions.

use serde::{Deserialize, Serialize};

use super::settings::{Settings, Weights, check_unbuilt, is_one, one, settings_methods, unbuilt};
use crate::nn::stream::not_in_pieces;
use crate::nn::window::{PerAxis, channels, check_input, sample};
use crate::nn::{Activation, Context, Forward, Initializer, Layer, LayerConfig, LayerKind, Module, Plan, Regularizer};
use crate::{Error, Result, Rng, Shape, Tensor};

/// A convolution in `D` dimensions, as PyTorch's `Conv1d`, `Conv2d` and `Conv3d` and Keras's: [`Conv1d`], [`Conv2d`] and [`Conv3d`]
/// are its names. A window moves over the input; at each place, every filter is multiplied with what lies under it, channel by
/// channel, and the products are added up ([`Tensor::conv`] has the formula).
///
/// Input `[N, C, L]`, `[N, C, H, W]` or `[N, C, D, H, W]`, output the same with `filters` channels and sizes
/// `(size + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down. The channels of the input are inferred from the
/// layer before. Parameters: `weight` `[filters, C / groups, kernel..]` and `bias` `[filters]`.
///
/// [`new`](ConvNd::new) has PyTorch's defaults, [`keras`](ConvNd::keras) Keras's; they differ in how parameters begin. Keras's
/// axes are `[N, H, W, C]`, these are PyTorch's.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([1, 28, 28])
///     .add(Conv2d::new(32, 3).activation(Relu))
///     .add(MaxPool2d::new(2))
///     .add(Conv2d::new(64, [3, 5]).padding([1, 2]).stride(2).without_bias())
///     .add(BatchNorm::new())
///     .add(Relu)
///     .add(GlobalAveragePool)
///     .add(Dense::new(10).activation(Softmax))
///     .build()?;
/// assert_eq!(model.layers()[0].label(), "Conv2d (32, 3x3, relu)");
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvNd<const D: usize> {
    filters: usize,
    #[serde(flatten)]
    settings: Settings<D>,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    groups: usize,
    #[serde(skip)]
    weights: Option<Weights>,
}

/// A convolution over sequences `[N, C, L]`: [`ConvNd`].
pub type Conv1d = ConvNd<1>;
/// A convolution over pictures `[N, C, H, W]`: [`ConvNd`].
#[doc(alias = "Convolution2D")]
pub type Conv2d = ConvNd<2>;
/// A convolution over volumes or films `[N, C, D, H, W]`: [`ConvNd`].
pub type Conv3d = ConvNd<3>;

impl<const D: usize> ConvNd<D> {
    /// `filters` output channels, and a window of size `kernel`: one number, or one for each dimension. With PyTorch's defaults: stride
    /// 1, no padding, and weight and bias uniform within ±1/sqrt(fan-in), where fan-in is `C / groups` times the kernel's elements.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Conv2d::new(8, [3, 5]).built([3, 32, 32], &mut Rng::new(0))?;
    /// assert_eq!(layer.forward(&Tensor::ones([2, 3, 32, 32]), &mut Context::evaluation()).shape(), &[2, 8, 30, 28]);
    /// assert_eq!(layer.parameter_count(), 8 * 3 * 3 * 5 + 8);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(filters: usize, kernel: impl Into<PerAxis<D>>) -> ConvNd<D> {
        ConvNd { filters, settings: Settings::new(kernel.into()), groups: 1, weights: None }
    }

    /// With Keras's defaults: Glorot uniform weights, and biases of 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Conv2d::keras(8, 3).built([3, 32, 32], &mut Rng::new(0))?;
    /// assert_eq!(layer.state_dict()[1].1.abs().max().item(), 0.0);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keras(filters: usize, kernel: impl Into<PerAxis<D>>) -> ConvNd<D> {
        ConvNd { settings: Settings::keras(kernel.into()), ..ConvNd::new(filters, 1) }
    }

    /// For a module of your own: a layer of `input` and `output` channels with its weights, ready to be used. Stride, padding and
    /// dilation may still be set; for other settings there is [`with_channels`](ConvNd::with_channels).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Conv2d::with(3, 8, 5, &mut Rng::new(0)).padding(2);
    /// let y = layer.forward(&Tensor::ones([1, 3, 20, 30]), &mut Context::evaluation());
    /// assert_eq!(y.shape(), &[1, 8, 20, 30]);
    /// ```
    ///
    /// # Panics
    /// If a number is 0.
    #[track_caller]
    pub fn with(input: usize, output: usize, kernel: impl Into<PerAxis<D>>, rng: &mut Rng) -> ConvNd<D> {
        ConvNd::new(output, kernel).with_channels(input, rng)
    }

    /// For a module of your own: the layer with weights for inputs of `channels` channels, ready to be used.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Conv2d::new(8, 3).groups(2).without_bias().with_channels(4, &mut Rng::new(0));
    /// assert_eq!(layer.parameter_count(), 8 * 2 * 3 * 3);
    /// ```
    ///
    /// # Panics
    /// If the settings cannot work.
    #[track_caller]
    pub fn with_channels(mut self, channels: usize, rng: &mut Rng) -> ConvNd<D> {
        if let Err(error) = self.make_weights(channels, rng) {
            panic!("{error}");
        }
        self
    }

    settings_methods!(D, &Self::name(), "Conv2d::new(4, 3)", 4, 9, 5);

    /// As many zeros as give outputs of size `size / stride`, rounded up: Keras's `padding="same"`, and PyTorch's, where the stride must
    /// be 1. In each dimension there are `dilation (kernel - 1) - (size - 1) mod stride` of them, but at least 0; where their number is
    /// odd, one more is after the input than before. In place of [`padding`](ConvNd::padding).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Conv2d::new(8, [3, 4]).same_padding();
    /// assert_eq!(layer.plan(&[3, 32, 31].into())?.output_shape, [8, 32, 31]);
    /// assert_eq!(layer.stride(2).plan(&[3, 32, 31].into())?.output_shape, [8, 16, 16]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn same_padding(mut self) -> ConvNd<D> {
        self.settings.padding = PerAxis::zero();
        self.settings.same_padding = true;
        self
    }

    /// Into how many groups channels are parted; outputs of a group see the inputs of the same group alone. Both channels and
    /// filters must divide by it. Default: 1.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Conv2d::new(8, 3).groups(4).built([4, 9, 9], &mut Rng::new(0))?;
    /// assert_eq!(layer.state_dict()[0].1.shape(), &[8, 1, 3, 3]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the layer has its weights already.
    #[track_caller]
    pub fn groups(mut self, groups: usize) -> ConvNd<D> {
        check_unbuilt(&Self::name(), "groups", self.is_built());
        self.groups = groups;
        self
    }

    fn name() -> String {
        format!("Conv{D}d")
    }

    fn is_built(&self) -> bool {
        self.weights.is_some()
    }

    /// The shape of the weight.
    ///
    /// # Errors
    /// If a setting cannot work for so many channels.
    fn weight_shape(&self, channels: usize) -> Result<Shape> {
        let name = Self::name();
        self.settings.check(&name)?;
        check_channels(&name, self.filters, channels, self.groups)?;
        self.settings.weight_shape([self.filters, channels / self.groups])
    }

    fn make_weights(&mut self, channels: usize, rng: &mut Rng) -> Result<()> {
        let shape = self.weight_shape(channels)?;
        let kernel = self.settings.kernel_elements();
        let fans = [kernel.saturating_mul(channels / self.groups), kernel.saturating_mul(self.filters)];
        self.weights = Some(self.settings.make(&shape, self.filters, fans, rng));
        Ok(())
    }
}

/// # Errors
/// If there are no filters or channels, or groups do not part them.
pub(super) fn check_channels(layer: &str, filters: usize, channels: usize, groups: usize) -> Result<()> {
    if filters == 0 || channels == 0 || groups == 0 {
        return Err(Error::Config(format!(
            "{layer}: {filters} filters, {channels} input channels and {groups} groups must each be at least 1"
        )));
    }
    if channels.is_multiple_of(groups) && filters.is_multiple_of(groups) {
        return Ok(());
    }
    Err(Error::Config(format!(
        "{layer}: {channels} input channels and {filters} filters cannot be parted into {groups} groups; both must divide by their number"
    )))
}

impl<const D: usize> Module for ConvNd<D> {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.weights.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.weights.visit_mut(path, visitor);
    }
}

impl<const D: usize> Forward for ConvNd<D> {
    /// # Panics
    /// If the layer has no weights yet, `x` does not have its axes and channels, or the window is larger than the padded input.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        let Some(weights) = &self.weights else { panic!("{}", unbuilt(&Self::name())) };
        check_input(&Self::name(), x, D, weights.weight.size(1) * self.groups);
        self.settings.forward(x, weights, self.groups, ctx)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces(&Self::name())
    }
}

impl<const D: usize> Layer for ConvNd<D> {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let channels = channels::<D>(&Self::name(), input)?;
        let weight = self.weight_shape(channels)?;
        let sizes = self.settings.output_sizes(&Self::name(), input)?;
        let weights = self.settings.count(&weight, self.filters);
        Ok(Plan { output_shape: sample(self.filters, &sizes)?, weights })
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        self.make_weights(input[0], rng)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        self.settings.label(&Self::name(), Some(self.filters))
    }

    fn output_activation(&self) -> Option<Activation> {
        Some(self.settings.activation)
    }
}

impl<const D: usize> LayerKind for ConvNd<D> {
    const NAME: &'static str = match D {
        1 => "conv1d",
        2 => "conv2d",
        _ => "conv3d",
    };
}
