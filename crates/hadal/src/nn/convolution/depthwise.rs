//! Depthwise convolution.

use serde::{Deserialize, Serialize};

use super::settings::{Settings, Weights, check_unbuilt, is_one, one, settings_methods, unbuilt};
use crate::nn::stream::not_in_pieces;
use crate::nn::window::{PerAxis, channels, check_input, sample};
use crate::nn::{Activation, Context, Forward, Initializer, Layer, LayerConfig, LayerKind, Module, Plan, Regularizer};
use crate::{Error, Result, Rng, Shape, Tensor};

/// A convolution of each channel by itself, as Keras's `DepthwiseConv2D`; in PyTorch, a `Conv2d` with as many groups as channels
/// (Howard and others, MobileNets, 2017, eq. 3). Every channel has `multiplier` filters of its own.
///
/// Input `[N, C, H, W]`, output `[N, C * multiplier, ..]`, with the outputs of a channel next to each other. Parameters: `weight`
/// `[C * multiplier, 1, kernel..]` and `bias` `[C * multiplier]`.
///
/// ```
/// use hadal::nn::DepthwiseConv2d;
/// use hadal::prelude::*;
/// let model = Sequential::new([16, 32, 32]).add(DepthwiseConv2d::new(3).multiplier(2).same_padding()).build()?;
/// assert_eq!(model.output_shape(), Some([32, 32, 32].into()));
/// assert_eq!(model.parameter_count(), 32 * 3 * 3 + 32);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthwiseConv2d {
    #[serde(flatten)]
    settings: Settings<2>,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    multiplier: usize,
    #[serde(skip)]
    weights: Option<Weights>,
}

impl DepthwiseConv2d {
    /// A window of size `kernel`, with the defaults of PyTorch's `Conv2d`: weight and bias uniform within ±1/sqrt(fan-in), where fan-in
    /// counts the kernel's elements.
    ///
    /// ```
    /// use hadal::nn::DepthwiseConv2d;
    /// use hadal::prelude::*;
    /// let layer = DepthwiseConv2d::new([3, 5]).built([4, 9, 9], &mut Rng::new(0))?;
    /// assert_eq!(layer.state_dict()[0].1.shape(), &[4, 1, 3, 5]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(kernel: impl Into<PerAxis<2>>) -> DepthwiseConv2d {
        DepthwiseConv2d { settings: Settings::new(kernel.into()), multiplier: 1, weights: None }
    }

    /// With Keras's defaults: Glorot uniform weights, and biases of 0. Keras counts all channels in the fan-in.
    ///
    /// ```
    /// use hadal::nn::DepthwiseConv2d;
    /// use hadal::prelude::*;
    /// let layer = DepthwiseConv2d::keras(3).built([4, 9, 9], &mut Rng::new(0))?;
    /// assert_eq!(layer.state_dict()[1].1.abs().max().item(), 0.0);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keras(kernel: impl Into<PerAxis<2>>) -> DepthwiseConv2d {
        DepthwiseConv2d { settings: Settings::keras(kernel.into()), multiplier: 1, weights: None }
    }

    /// For a module of your own: the layer with weights for inputs of `channels` channels, ready to be used.
    ///
    /// ```
    /// use hadal::nn::DepthwiseConv2d;
    /// use hadal::prelude::*;
    /// let layer = DepthwiseConv2d::new(3).padding(1).with_channels(4, &mut Rng::new(0));
    /// assert_eq!(layer.forward(&Tensor::ones([1, 4, 9, 9]), &mut Context::evaluation()).shape(), &[1, 4, 9, 9]);
    /// ```
    ///
    /// # Panics
    /// If the settings cannot work.
    #[track_caller]
    pub fn with_channels(mut self, channels: usize, rng: &mut Rng) -> DepthwiseConv2d {
        if let Err(error) = self.make_weights(channels, rng) {
            panic!("{error}");
        }
        self
    }

    settings_methods!(2, NAME, "DepthwiseConv2d::new(3)", 4, 9, 5);

    /// As many zeros as give outputs of size `size / stride`, rounded up. See [`ConvNd::same_padding`](super::ConvNd::same_padding).
    ///
    /// ```
    /// use hadal::nn::DepthwiseConv2d;
    /// use hadal::prelude::*;
    /// let plan = DepthwiseConv2d::new(4).same_padding().stride([1, 2]).plan(&[3, 32, 31].into())?;
    /// assert_eq!(plan.output_shape, [3, 32, 16]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn same_padding(mut self) -> DepthwiseConv2d {
        self.settings.padding = PerAxis::zero();
        self.settings.same_padding = true;
        self
    }

    /// How many filters every channel has: Keras's `depth_multiplier`. Default: 1.
    ///
    /// ```
    /// use hadal::nn::DepthwiseConv2d;
    /// use hadal::prelude::*;
    /// let plan = DepthwiseConv2d::new(3).multiplier(4).plan(&[3, 9, 9].into())?;
    /// assert_eq!(plan.output_shape, [12, 7, 7]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the layer has its weights already.
    #[track_caller]
    pub fn multiplier(mut self, multiplier: usize) -> DepthwiseConv2d {
        check_unbuilt(NAME, "multiplier", self.is_built());
        self.multiplier = multiplier;
        self
    }

    fn is_built(&self) -> bool {
        self.weights.is_some()
    }

    fn make_weights(&mut self, channels: usize, rng: &mut Rng) -> Result<()> {
        let shape = weight_shape(NAME, &self.settings, channels, self.multiplier)?;
        self.weights = Some(make(&self.settings, &shape, channels, self.multiplier, rng));
        Ok(())
    }
}

const NAME: &str = "DepthwiseConv2d";

/// The shape of a depthwise weight.
///
/// # Errors
/// If a setting cannot work for so many channels.
pub(super) fn weight_shape(layer: &str, settings: &Settings<2>, channels: usize, multiplier: usize) -> Result<Shape> {
    settings.check(layer)?;
    if channels == 0 || multiplier == 0 {
        return Err(Error::Config(format!(
            "{layer}: {channels} input channels and a multiplier of {multiplier} must both be at least 1"
        )));
    }
    settings.weight_shape([channels.saturating_mul(multiplier), 1])
}

/// Depthwise parameters. Keras counts its fans over all channels, PyTorch over those that an output sees: one.
pub(super) fn make(
    settings: &Settings<2>,
    shape: &Shape,
    channels: usize,
    multiplier: usize,
    rng: &mut Rng,
) -> Weights {
    let kernel = settings.kernel_elements();
    let seen = if settings.weight_init == Initializer::TORCH_DEFAULT { 1 } else { channels };
    settings.make(shape, shape[0], [kernel.saturating_mul(seen), kernel.saturating_mul(multiplier)], rng)
}

impl Module for DepthwiseConv2d {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.weights.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.weights.visit_mut(path, visitor);
    }
}

impl Forward for DepthwiseConv2d {
    /// # Panics
    /// If the layer has no weights yet, `x` does not have its axes and channels, or the window is larger than the padded input.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        let Some(weights) = &self.weights else { panic!("{}", unbuilt(NAME)) };
        let channels = weights.weight.size(0) / self.multiplier;
        check_input(NAME, x, 2, channels);
        self.settings.forward(x, weights, channels, ctx)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces(NAME)
    }
}

impl Layer for DepthwiseConv2d {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let channels = channels::<2>(NAME, input)?;
        let weight = weight_shape(NAME, &self.settings, channels, self.multiplier)?;
        let sizes = self.settings.output_sizes(NAME, input)?;
        Ok(Plan { output_shape: sample(weight[0], &sizes)?, weights: self.settings.count(&weight, weight[0]) })
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        self.make_weights(input[0], rng)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        self.settings.label(NAME, None)
    }

    fn output_activation(&self) -> Option<Activation> {
        Some(self.settings.activation)
    }
}

impl LayerKind for DepthwiseConv2d {
    const NAME: &'static str = "depthwise_conv2d";
}
