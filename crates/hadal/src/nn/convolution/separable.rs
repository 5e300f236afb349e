//! Separable convolution.

use serde::{Deserialize, Serialize};

use super::depthwise;
use super::settings::{Settings, Weights, check_unbuilt, is_one, one, settings_methods, unbuilt};
use crate::nn::stream::not_in_pieces;
use crate::nn::window::{PerAxis, channels, check_input, sample};
use crate::nn::{
    Activation, Context, Forward, Initializer, Layer, LayerConfig, LayerKind, Module, Plan, Regularizer, join,
};
use crate::{Conv, Error, Result, Rng, Shape, Tensor};

/// A convolution of each channel by itself, then one of size 1 that mixes the channels: Keras's `SeparableConv2D` (Chollet, CVPR 2017;
/// Sifre, 2014). It has some `kernel`² times fewer multiplications than a convolution.
///
/// Input `[N, C, H, W]`, output `[N, filters, ..]`. Parameters: `depthwise.weight` `[C * multiplier, 1, kernel..]`, `pointwise.weight`
/// `[filters, C * multiplier, 1, 1]` and `pointwise.bias` `[filters]`; there is no bias between the two, as in Keras. Initializers and
/// penalties are for both weights.
///
/// ```
/// use hadal::nn::SeparableConv2d;
/// use hadal::prelude::*;
/// let model = Sequential::new([16, 32, 32]).add(SeparableConv2d::new(64, 3).same_padding().activation(Relu)).build()?;
/// assert_eq!(model.output_shape(), Some([64, 32, 32].into()));
/// assert_eq!(model.parameter_count(), 16 * 3 * 3 + 64 * 16 + 64);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeparableConv2d {
    filters: usize,
    #[serde(flatten)]
    settings: Settings<2>,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    multiplier: usize,
    #[serde(skip)]
    parts: Option<Parts>,
}

#[derive(Clone, Debug)]
struct Parts {
    depthwise: Weights,
    pointwise: Weights,
}

impl SeparableConv2d {
    /// `filters` output channels, and a window of size `kernel`, with the defaults of PyTorch's `Conv2d` for both convolutions.
    ///
    /// ```
    /// use hadal::nn::SeparableConv2d;
    /// use hadal::prelude::*;
    /// let layer = SeparableConv2d::new(8, 3).built([4, 9, 9], &mut Rng::new(0))?;
    /// let names: Vec<String> = layer.state_dict().into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["depthwise.weight", "pointwise.weight", "pointwise.bias"]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(filters: usize, kernel: impl Into<PerAxis<2>>) -> SeparableConv2d {
        SeparableConv2d { filters, settings: Settings::new(kernel.into()), multiplier: 1, parts: None }
    }

    /// With Keras's defaults: Glorot uniform weights, and biases of 0.
    ///
    /// ```
    /// use hadal::nn::SeparableConv2d;
    /// use hadal::prelude::*;
    /// let layer = SeparableConv2d::keras(8, 3).built([4, 9, 9], &mut Rng::new(0))?;
    /// assert_eq!(layer.state_dict()[2].1.abs().max().item(), 0.0);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keras(filters: usize, kernel: impl Into<PerAxis<2>>) -> SeparableConv2d {
        SeparableConv2d { settings: Settings::keras(kernel.into()), ..SeparableConv2d::new(filters, 1) }
    }

    /// For a module of your own: the layer with weights for inputs of `channels` channels, ready to be used.
    ///
    /// ```
    /// use hadal::nn::SeparableConv2d;
    /// use hadal::prelude::*;
    /// let layer = SeparableConv2d::new(8, 3).padding(1).with_channels(4, &mut Rng::new(0));
    /// assert_eq!(layer.forward(&Tensor::ones([1, 4, 9, 9]), &mut Context::evaluation()).shape(), &[1, 8, 9, 9]);
    /// ```
    ///
    /// # Panics
    /// If the settings cannot work.
    #[track_caller]
    pub fn with_channels(mut self, channels: usize, rng: &mut Rng) -> SeparableConv2d {
        if let Err(error) = self.make_weights(channels, rng) {
            panic!("{error}");
        }
        self
    }

    settings_methods!(2, NAME, "SeparableConv2d::new(4, 3)", 4, 9, 5);

    /// As many zeros as give outputs of size `size / stride`, rounded up. See [`ConvNd::same_padding`](super::ConvNd::same_padding).
    ///
    /// ```
    /// use hadal::nn::SeparableConv2d;
    /// use hadal::prelude::*;
    /// let plan = SeparableConv2d::new(8, 4).same_padding().stride([1, 2]).plan(&[3, 32, 31].into())?;
    /// assert_eq!(plan.output_shape, [8, 32, 16]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn same_padding(mut self) -> SeparableConv2d {
        self.settings.padding = PerAxis::zero();
        self.settings.same_padding = true;
        self
    }

    /// How many filters every channel has before they are mixed: Keras's `depth_multiplier`. Default: 1.
    ///
    /// ```
    /// use hadal::nn::SeparableConv2d;
    /// use hadal::prelude::*;
    /// let layer = SeparableConv2d::new(8, 3).multiplier(2).built([4, 9, 9], &mut Rng::new(0))?;
    /// assert_eq!(layer.state_dict()[1].1.shape(), &[8, 8, 1, 1]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the layer has its weights already.
    #[track_caller]
    pub fn multiplier(mut self, multiplier: usize) -> SeparableConv2d {
        check_unbuilt(NAME, "multiplier", self.is_built());
        self.multiplier = multiplier;
        self
    }

    fn is_built(&self) -> bool {
        self.parts.is_some()
    }

    /// The settings of the first convolution, which has no bias.
    fn depthwise(&self) -> Settings<2> {
        Settings { use_bias: false, ..self.settings.clone() }
    }

    /// The settings of the second.
    fn pointwise(&self) -> Settings<2> {
        Settings { kernel: PerAxis::one(), ..self.settings.clone() }
    }

    /// The shapes of both weights.
    fn weight_shapes(&self, channels: usize) -> Result<[Shape; 2]> {
        let depthwise = depthwise::weight_shape(NAME, &self.settings, channels, self.multiplier)?;
        if self.filters == 0 {
            return Err(Error::Config(format!("{NAME} needs at least 1 filter, not 0")));
        }
        Ok([depthwise, self.pointwise().weight_shape([self.filters, depthwise[0]])?])
    }

    fn make_weights(&mut self, channels: usize, rng: &mut Rng) -> Result<()> {
        let [depthwise, pointwise] = self.weight_shapes(channels)?;
        let fans = [pointwise[1], self.filters];
        self.parts = Some(Parts {
            depthwise: depthwise::make(&self.depthwise(), &depthwise, channels, self.multiplier, rng),
            pointwise: self.pointwise().make(&pointwise, self.filters, fans, rng),
        });
        Ok(())
    }
}

const NAME: &str = "SeparableConv2d";

impl Module for SeparableConv2d {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        let Some(parts) = &self.parts else { return };
        parts.depthwise.visit(&join(path, "depthwise"), visitor);
        parts.pointwise.visit(&join(path, "pointwise"), visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        let Some(parts) = &mut self.parts else { return };
        parts.depthwise.visit_mut(&join(path, "depthwise"), visitor);
        parts.pointwise.visit_mut(&join(path, "pointwise"), visitor);
    }
}

impl Forward for SeparableConv2d {
    /// # Panics
    /// If the layer has no weights yet, `x` does not have its axes and channels, or the window is larger than the padded input.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        let Some(Parts { depthwise, pointwise }) = &self.parts else { panic!("{}", unbuilt(NAME)) };
        let channels = depthwise.weight.size(0) / self.multiplier;
        check_input(NAME, x, 2, channels);
        let y = self.settings.convolve(x, depthwise, channels);
        let y = y.conv(&pointwise.weight, pointwise.bias.as_ref(), Conv::new());
        self.settings.penalize(&[depthwise, pointwise], ctx);
        self.settings.activation.apply(&y)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces(NAME)
    }
}

impl Layer for SeparableConv2d {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let channels = channels::<2>(NAME, input)?;
        let [depthwise, pointwise] = self.weight_shapes(channels)?;
        let sizes = self.settings.output_sizes(NAME, input)?;
        let weights = self.settings.count(&pointwise, self.filters).saturating_add(depthwise.elements());
        // What lies between must be a shape, too.
        sample(depthwise[0], &sizes)?;
        Ok(Plan { output_shape: sample(self.filters, &sizes)?, weights })
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        self.make_weights(input[0], rng)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        self.settings.label(NAME, Some(self.filters))
    }

    fn output_activation(&self) -> Option<Activation> {
        Some(self.settings.activation)
    }
}

impl LayerKind for SeparableConv2d {
    const NAME: &'static str = "separable_conv2d";
}
