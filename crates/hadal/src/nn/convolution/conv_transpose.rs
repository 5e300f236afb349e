//! Transposed convolutions in one, two and three dimensions.

use serde::{Deserialize, Serialize};

use super::conv::check_channels;
use super::settings::{Settings, Weights, check_unbuilt, is_one, one, settings_methods, unbuilt};
use crate::nn::stream::not_in_pieces;
use crate::nn::window::{PerAxis, channels, check_input, sample};
use crate::nn::{Activation, Context, Forward, Initializer, Layer, LayerConfig, LayerKind, Module, Plan, Regularizer};
use crate::{Conv, Error, Result, Rng, Shape, Tensor};

/// The transpose of a convolution in `D` dimensions, which makes pictures larger: PyTorch's `ConvTranspose2d`, Keras's
/// `Conv2DTranspose`. [`ConvTranspose1d`], [`ConvTranspose2d`] and [`ConvTranspose3d`] are its names. Each element of the input, times
/// the filter, is added to the output where the window of the convolution would lie ([`Tensor::conv_transpose`]).
///
/// Input `[N, C, ..]`, output `[N, filters, ..]` with sizes
/// `(size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1`. Parameters: `weight`
/// `[C, filters / groups, kernel..]` and `bias` `[filters]`.
///
/// ```
/// use hadal::prelude::*;
/// // A generator, from 7 x 7 to 28 x 28.
/// let model = Sequential::new([16])
///     .add(Dense::new(32 * 7 * 7).activation(Relu))
///     .add(Reshape::new([32, 7, 7]))
///     .add(ConvTranspose2d::new(16, 4).stride(2).padding(1).activation(Relu))
///     .add(ConvTranspose2d::new(1, 4).stride(2).padding(1).activation(Sigmoid))
///     .build()?;
/// assert_eq!(model.output_shape(), Some([1, 28, 28].into()));
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvTransposeNd<const D: usize> {
    filters: usize,
    #[serde(flatten)]
    settings: Settings<D>,
    #[serde(default = "PerAxis::zero", skip_serializing_if = "PerAxis::is_zero")]
    output_padding: PerAxis<D>,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    groups: usize,
    #[serde(skip)]
    weights: Option<Weights>,
}

/// The transpose of a convolution over sequences `[N, C, L]`: [`ConvTransposeNd`].
pub type ConvTranspose1d = ConvTransposeNd<1>;
/// The transpose of a convolution over pictures `[N, C, H, W]`: [`ConvTransposeNd`].
#[doc(alias = "deconvolution")]
#[doc(alias = "Conv2DTranspose")]
pub type ConvTranspose2d = ConvTransposeNd<2>;
/// The transpose of a convolution over volumes `[N, C, D, H, W]`: [`ConvTransposeNd`].
pub type ConvTranspose3d = ConvTransposeNd<3>;

impl<const D: usize> ConvTransposeNd<D> {
    /// `filters` output channels, and a window of size `kernel`: one number, or one for each dimension. With PyTorch's defaults: stride
    /// 1, no padding, and weight and bias uniform within ±1/sqrt(fan-in), where PyTorch counts as fan-in `filters / groups` times the
    /// kernel's elements.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = ConvTranspose2d::new(8, 3).stride(2).built([4, 5, 5], &mut Rng::new(0))?;
    /// assert_eq!(layer.forward(&Tensor::ones([2, 4, 5, 5]), &mut Context::evaluation()).shape(), &[2, 8, 11, 11]);
    /// assert_eq!(layer.state_dict()[0].1.shape(), &[4, 8, 3, 3]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(filters: usize, kernel: impl Into<PerAxis<D>>) -> ConvTransposeNd<D> {
        let settings = Settings::new(kernel.into());
        ConvTransposeNd { filters, settings, output_padding: PerAxis::zero(), groups: 1, weights: None }
    }

    /// With Keras's defaults: Glorot uniform weights, and biases of 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = ConvTranspose2d::keras(8, 3).built([4, 5, 5], &mut Rng::new(0))?;
    /// assert_eq!(layer.state_dict()[1].1.abs().max().item(), 0.0);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keras(filters: usize, kernel: impl Into<PerAxis<D>>) -> ConvTransposeNd<D> {
        ConvTransposeNd { settings: Settings::keras(kernel.into()), ..ConvTransposeNd::new(filters, 1) }
    }

    /// For a module of your own: a layer of `input` and `output` channels with its weights, ready to be used.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = ConvTranspose2d::with(3, 8, 2, &mut Rng::new(0)).stride(2);
    /// let y = layer.forward(&Tensor::ones([1, 3, 20, 30]), &mut Context::evaluation());
    /// assert_eq!(y.shape(), &[1, 8, 40, 60]);
    /// ```
    ///
    /// # Panics
    /// If a number is 0.
    #[track_caller]
    pub fn with(input: usize, output: usize, kernel: impl Into<PerAxis<D>>, rng: &mut Rng) -> ConvTransposeNd<D> {
        ConvTransposeNd::new(output, kernel).with_channels(input, rng)
    }

    /// For a module of your own: the layer with weights for inputs of `channels` channels, ready to be used.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = ConvTranspose2d::new(8, 3).groups(2).without_bias().with_channels(4, &mut Rng::new(0));
    /// assert_eq!(layer.parameter_count(), 4 * 4 * 3 * 3);
    /// ```
    ///
    /// # Panics
    /// If the settings cannot work.
    #[track_caller]
    pub fn with_channels(mut self, channels: usize, rng: &mut Rng) -> ConvTransposeNd<D> {
        if let Err(error) = self.make_weights(channels, rng) {
            panic!("{error}");
        }
        self
    }

    settings_methods!(D, &Self::name(), "ConvTranspose2d::new(4, 3)", 19, 9, 13);

    /// How many places are added at the end of the output: with a stride, several sizes of a convolution's input lead to the same output.
    /// Below the stride or the dilation. Default: 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = ConvTranspose2d::new(4, 3).stride(2).padding(1).output_padding(1);
    /// assert_eq!(layer.plan(&[8, 7, 7].into())?.output_shape, [4, 14, 14]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn output_padding(mut self, output_padding: impl Into<PerAxis<D>>) -> ConvTransposeNd<D> {
        self.output_padding = output_padding.into();
        self
    }

    /// Into how many groups channels are parted. Both channels and filters must divide by it. Default: 1.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = ConvTranspose2d::new(8, 3).groups(4).built([4, 9, 9], &mut Rng::new(0))?;
    /// assert_eq!(layer.state_dict()[0].1.shape(), &[4, 2, 3, 3]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the layer has its weights already.
    #[track_caller]
    pub fn groups(mut self, groups: usize) -> ConvTransposeNd<D> {
        check_unbuilt(&Self::name(), "groups", self.is_built());
        self.groups = groups;
        self
    }

    fn name() -> String {
        format!("ConvTranspose{D}d")
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
        if self.settings.same_padding {
            return Err(Error::Config(format!("{name}: there is no same_padding; give the padding as a number")));
        }
        check_channels(&name, self.filters, channels, self.groups)?;
        self.settings.weight_shape([channels, self.filters / self.groups])
    }

    fn make_weights(&mut self, channels: usize, rng: &mut Rng) -> Result<()> {
        let shape = self.weight_shape(channels)?;
        let kernel = self.settings.kernel_elements();
        let fans = [kernel.saturating_mul(self.filters / self.groups), kernel.saturating_mul(channels)];
        self.weights = Some(self.settings.make(&shape, self.filters, fans, rng));
        Ok(())
    }

    fn output_sizes(&self, input: &Shape) -> Result<[usize; D]> {
        let Settings { kernel, stride, padding, dilation, .. } = self.settings;
        let [kernel, stride, padding, dilation] = [kernel, stride, padding, dilation].map(PerAxis::get);
        let extra = self.output_padding.get();
        let mut sizes = [0; D];
        for (d, output) in sizes.iter_mut().enumerate() {
            if extra[d] >= stride[d].max(dilation[d]) {
                return Err(Error::Config(format!(
                    "{}: output_padding {} must be below the stride {} or the dilation {}",
                    Self::name(),
                    extra[d],
                    stride[d],
                    dilation[d]
                )));
            }
            let whole = (input[1 + d] - 1)
                .checked_mul(stride[d])
                .and_then(|last| last.checked_add(dilation[d].checked_mul(kernel[d] - 1)?))
                .and_then(|last| last.checked_add(extra[d])?.checked_add(1));
            *output = match (whole, padding[d].checked_mul(2)) {
                (Some(whole), Some(cut)) if cut < whole => whole - cut,
                (Some(whole), _) => {
                    return Err(Error::Config(format!(
                        "{}: a padding of {} on both sides leaves nothing of an output of size {whole}",
                        Self::name(),
                        padding[d]
                    )));
                }
                (None, _) => {
                    return Err(Error::Config(format!("{}: the output of input {input} is too large", Self::name())));
                }
            };
        }
        Ok(sizes)
    }
}

impl<const D: usize> Module for ConvTransposeNd<D> {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.weights.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.weights.visit_mut(path, visitor);
    }
}

impl<const D: usize> Forward for ConvTransposeNd<D> {
    /// # Panics
    /// If the layer has no weights yet, `x` does not have its axes and channels, or the output would be empty.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        let Some(weights) = &self.weights else { panic!("{}", unbuilt(&Self::name())) };
        check_input(&Self::name(), x, D, weights.weight.size(0));
        let Settings { stride, padding, dilation, .. } = self.settings;
        let conv = Conv::new().stride(stride).padding(padding).dilation(dilation).groups(self.groups);
        let conv = conv.output_padding(self.output_padding);
        let y = x.conv_transpose(&weights.weight, weights.bias.as_ref(), conv);
        self.settings.penalize(&[weights], ctx);
        self.settings.activation.apply(&y)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces(&Self::name())
    }
}

impl<const D: usize> Layer for ConvTransposeNd<D> {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let channels = channels::<D>(&Self::name(), input)?;
        let weight = self.weight_shape(channels)?;
        let weights = self.settings.count(&weight, self.filters);
        let sizes = self.output_sizes(input)?;
        self.settings.check_axes(&Self::name(), input)?;
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

impl<const D: usize> LayerKind for ConvTransposeNd<D> {
    const NAME: &'static str = match D {
        1 => "conv_transpose1d",
        2 => "conv_transpose2d",
        _ => "conv_transpose3d",
    };
}
