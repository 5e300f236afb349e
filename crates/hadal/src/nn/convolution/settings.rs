//! What all convolutions have in common: how their window moves, how parameters begin, and what follows.

use serde::{Deserialize, Serialize};

use crate::nn::window::{PerAxis, Window, check_axes};
use crate::nn::{Activation, Context, Initializer, Module, Regularizer};
use crate::{Conv, Error, Result, Rng, Shape, Tensor};

/// The settings of a convolution but for its channels. Defaults are PyTorch's, and are not written to files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings<const D: usize> {
    pub kernel: PerAxis<D>,
    #[serde(default = "PerAxis::one", skip_serializing_if = "PerAxis::is_one")]
    pub stride: PerAxis<D>,
    #[serde(default = "PerAxis::zero", skip_serializing_if = "PerAxis::is_zero")]
    pub padding: PerAxis<D>,
    /// In place of a padding, as much as gives outputs of size `size / stride`, rounded up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same_padding: bool,
    #[serde(default = "PerAxis::one", skip_serializing_if = "PerAxis::is_one")]
    pub dilation: PerAxis<D>,
    #[serde(default, skip_serializing_if = "is_identity")]
    pub activation: Activation,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub use_bias: bool,
    #[serde(default = "torch", skip_serializing_if = "is_torch")]
    pub weight_init: Initializer,
    #[serde(default = "torch", skip_serializing_if = "is_torch")]
    pub bias_init: Initializer,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_regularizer: Option<Regularizer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias_regularizer: Option<Regularizer>,
    /// Whether inputs are taken as they are that look as if their channels were last. What was built once and comes from a file is.
    #[serde(skip, default = "yes")]
    pub channels_first: bool,
}

fn is_identity(activation: &Activation) -> bool {
    *activation == Activation::Identity
}

fn yes() -> bool {
    true
}

fn torch() -> Initializer {
    Initializer::TORCH_DEFAULT
}

fn is_torch(init: &Initializer) -> bool {
    *init == torch()
}

/// 1, the default of groups and of a multiplier.
pub(super) fn one() -> usize {
    1
}

pub(super) fn is_one(number: &usize) -> bool {
    *number == 1
}

impl<const D: usize> Settings<D> {
    pub fn new(kernel: PerAxis<D>) -> Settings<D> {
        Settings {
            kernel,
            stride: PerAxis::one(),
            padding: PerAxis::zero(),
            same_padding: false,
            dilation: PerAxis::one(),
            activation: Activation::Identity,
            use_bias: true,
            weight_init: torch(),
            bias_init: torch(),
            weight_regularizer: None,
            bias_regularizer: None,
            channels_first: false,
        }
    }

    pub fn keras(kernel: PerAxis<D>) -> Settings<D> {
        let (weight_init, bias_init) = (Initializer::KERAS_DEFAULT, Initializer::Zeros);
        Settings { weight_init, bias_init, ..Settings::new(kernel) }
    }

    /// # Errors
    /// If a setting cannot work, whatever the input.
    pub fn check(&self, layer: &str) -> Result<()> {
        self.window().check(layer)?;
        if matches!(self.activation, Activation::Softmax | Activation::LogSoftmax) {
            return Err(Error::Config(format!(
                "{layer}: {} is taken over the last axis, which is not the channels'; use it after a Flatten or GlobalAveragePool",
                self.activation
            )));
        }
        for regularizer in [self.weight_regularizer, self.bias_regularizer] {
            regularizer.map_or(Ok(()), |regularizer| regularizer.check())?;
        }
        self.weight_init.check()?;
        self.bias_init.check()
    }

    fn window(&self) -> Window<D> {
        let Settings { kernel, stride, padding, same_padding, dilation, .. } = *self;
        Window { kernel, stride, padding, same_padding, dilation, ceil_mode: false }
    }

    /// The sizes of a convolution's output for samples of shape `input`.
    ///
    /// # Errors
    /// If a setting cannot work, the window is larger than the padded input, or as [`check_axes`](Settings::check_axes).
    pub fn output_sizes(&self, layer: &str, input: &Shape) -> Result<[usize; D]> {
        let sizes = self.window().output_sizes(layer, input)?;
        self.check_axes(layer, input)?;
        Ok(sizes)
    }

    /// # Errors
    /// If the channels of the input seem to be its last axis, and nothing else was said.
    pub fn check_axes(&self, layer: &str, input: &Shape) -> Result<()> {
        if self.channels_first {
            return Ok(());
        }
        check_axes(layer, input, self.kernel, "call channels_first() on the layer")
    }

    /// `[channels.., kernel..]`.
    ///
    /// # Errors
    /// If it has too many elements.
    pub fn weight_shape(&self, channels: [usize; 2]) -> Result<Shape> {
        let mut sizes = channels.to_vec();
        sizes.extend_from_slice(&self.kernel.get());
        Ok(Shape::try_new(&sizes)?)
    }

    /// The product of the kernel's sizes.
    pub fn kernel_elements(&self) -> usize {
        self.kernel.get().into_iter().fold(1, usize::saturating_mul)
    }

    /// The number of elements of a weight, and of the bias of these channels.
    pub fn count(&self, weight: &Shape, channels: usize) -> usize {
        weight.elements().saturating_add(if self.use_bias { channels } else { 0 })
    }

    /// A weight of this shape, and a bias where there is one.
    pub fn make(&self, weight: &Shape, channels: usize, [fan_in, fan_out]: [usize; 2], rng: &mut Rng) -> Weights {
        let mut make = |init: Initializer, shape: &[usize]| init.make_for(shape, fan_in, fan_out, rng).requires_grad();
        let weight = make(self.weight_init, weight);
        Weights { weight, bias: self.use_bias.then(|| make(self.bias_init, &[channels])) }
    }

    /// The convolution alone.
    #[track_caller]
    pub fn convolve(&self, x: &Tensor, weights: &Weights, groups: usize) -> Tensor {
        x.conv(&weights.weight, weights.bias.as_ref(), self.conv(groups))
    }

    /// The convolution and what follows it: the activation, and the penalties.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, weights: &Weights, groups: usize, ctx: &mut Context) -> Tensor {
        self.penalize(&[weights], ctx);
        match self.activation {
            // In one pass.
            Activation::Relu => x.conv_relu(&weights.weight, weights.bias.as_ref(), self.conv(groups)),
            activation => activation.apply(&self.convolve(x, weights, groups)),
        }
    }

    fn conv(&self, groups: usize) -> Conv {
        let conv = Conv::new().stride(self.stride).dilation(self.dilation).groups(groups);
        if self.same_padding { conv.same_padding() } else { conv.padding(self.padding) }
    }

    /// Adds the penalties.
    pub fn penalize(&self, weights: &[&Weights], ctx: &mut Context) {
        for weights in weights {
            if let Some(regularizer) = &self.weight_regularizer {
                ctx.penalize(regularizer.penalty(&weights.weight));
            }
            if let (Some(regularizer), Some(bias)) = (&self.bias_regularizer, &weights.bias) {
                ctx.penalize(regularizer.penalty(bias));
            }
        }
    }

    /// `Conv2d (32, 3x3, relu)`; without channels if they depend on the input.
    pub fn label(&self, layer: &str, channels: Option<usize>) -> String {
        let mut parts: Vec<String> = channels.iter().map(usize::to_string).collect();
        parts.push(self.kernel.to_string());
        if self.activation != Activation::Identity {
            parts.push(self.activation.to_string());
        }
        format!("{layer} ({})", parts.join(", "))
    }
}

/// The parameters of a convolution.
#[derive(Clone, Debug, Module)]
pub(super) struct Weights {
    pub weight: Tensor,
    pub bias: Option<Tensor>,
}

/// What a layer says that is used before its weights are made.
pub(super) fn unbuilt(layer: &str) -> String {
    format!(
        "{layer}: the layer has no weights yet; make it with built() or with_channels(), or build or compile the Sequential that \
         contains it"
    )
}

/// # Panics
/// If a layer has its weights already, which a setting would change.
#[track_caller]
pub(super) fn check_unbuilt(layer: &str, setting: &str, is_built: bool) {
    assert!(
        !is_built,
        "{layer}: {setting} has no effect on a layer that has its weights; call it before with_channels() or built()"
    );
}

/// The methods of settings that all convolutions have. `$layer` is the type's name and `$new` makes one for the examples, in which
/// `$stride`, `$padding` and `$dilation` are the sizes of the output for an input of 9 x 9: at a stride of 2, a padding of 1, a
/// dilation of 2.
macro_rules! settings_methods {
    ($dimensions:tt, $layer:expr, $new:literal, $stride:literal, $padding:literal, $dilation:literal) => {
        /// How far the window moves from one place to the next. Default: 1.
        ///
        /// ```
        /// use hadal::nn::*;
        /// use hadal::prelude::*;
        #[doc = concat!("let layer = ", $new, ".stride(2);")]
        #[doc = concat!("assert_eq!(layer.plan(&[4, 9, 9].into())?.output_shape[1..], [", $stride, ", ", $stride, "]);")]
        /// # Ok::<(), hadal::Error>(())
        /// ```
        pub fn stride(mut self, stride: impl Into<PerAxis<$dimensions>>) -> Self {
            self.settings.stride = stride.into();
            self
        }

        /// How many zeros are put before and after the input: one number, or one for each dimension. Default: 0.
        ///
        /// ```
        /// use hadal::nn::*;
        /// use hadal::prelude::*;
        #[doc = concat!("let layer = ", $new, ".padding(1);")]
        #[doc = concat!("assert_eq!(layer.plan(&[4, 9, 9].into())?.output_shape[1..], [", $padding, ", ", $padding, "]);")]
        /// # Ok::<(), hadal::Error>(())
        /// ```
        pub fn padding(mut self, padding: impl Into<PerAxis<$dimensions>>) -> Self {
            self.settings.padding = padding.into();
            self.settings.same_padding = false;
            self
        }

        /// Takes inputs as `[C, ..]` also where their sizes look as if the channels were the last axis, as in `[32, 32, 3]`: Keras's
        /// `data_format="channels_first"`. Without it, such inputs are refused, in two and three dimensions.
        ///
        /// ```
        /// use hadal::nn::*;
        /// use hadal::prelude::*;
        #[doc = concat!("let layer = ", $new, ".padding(1);")]
        /// assert!(layer.plan(&[32, 32, 3].into()).is_err());
        /// assert_eq!(layer.channels_first().plan(&[32, 32, 3].into())?.output_shape.rank(), 3);
        /// # Ok::<(), hadal::Error>(())
        /// ```
        pub fn channels_first(mut self) -> Self {
            self.settings.channels_first = true;
            self
        }

        /// The distance of the window's elements in the input. Default: 1.
        ///
        /// ```
        /// use hadal::nn::*;
        /// use hadal::prelude::*;
        #[doc = concat!("let layer = ", $new, ".dilation(2);")]
        #[doc = concat!("assert_eq!(layer.plan(&[4, 9, 9].into())?.output_shape[1..], [", $dilation, ", ", $dilation, "]);")]
        /// # Ok::<(), hadal::Error>(())
        /// ```
        pub fn dilation(mut self, dilation: impl Into<PerAxis<$dimensions>>) -> Self {
            self.settings.dilation = dilation.into();
            self
        }

        /// The function applied to the outputs. Default: none.
        ///
        /// ```
        /// use hadal::nn::*;
        /// use hadal::prelude::*;
        #[doc = concat!("let layer = ", $new, ".activation(Relu).built([4, 9, 9], &mut Rng::new(0))?;")]
        /// let y = layer.forward(&Tensor::randn([2, 4, 9, 9], &mut Rng::new(1)), &mut Context::evaluation());
        /// assert_eq!(y.min().item(), 0.0);
        /// # Ok::<(), hadal::Error>(())
        /// ```
        pub fn activation(mut self, activation: Activation) -> Self {
            self.settings.activation = activation;
            self
        }

        /// Leaves the bias out, as before a [`BatchNorm`](crate::nn::BatchNorm), which has its own.
        ///
        /// ```
        /// use hadal::nn::*;
        /// use hadal::prelude::*;
        #[doc = concat!("let layer = ", $new, ".without_bias().built([4, 9, 9], &mut Rng::new(0))?;")]
        /// assert!(layer.state_dict().iter().all(|(name, _)| !name.ends_with("bias")));
        /// # Ok::<(), hadal::Error>(())
        /// ```
        ///
        /// # Panics
        /// If the layer has its weights already.
        #[track_caller]
        pub fn without_bias(mut self) -> Self {
            check_unbuilt($layer, "without_bias", self.is_built());
            self.settings.use_bias = false;
            self
        }

        /// The weight initializer. Default: uniform within ±1/sqrt(fan-in), as in PyTorch.
        ///
        /// ```
        /// use hadal::nn::*;
        /// use hadal::prelude::*;
        #[doc = concat!("let layer = ", $new, ".weight_initializer(Initializer::Constant(0.5));")]
        /// let layer = layer.built([4, 9, 9], &mut Rng::new(0))?;
        /// assert_eq!(layer.state_dict()[0].1.mean().item(), 0.5);
        /// # Ok::<(), hadal::Error>(())
        /// ```
        ///
        /// # Panics
        /// If the layer has its weights already.
        #[track_caller]
        pub fn weight_initializer(mut self, init: Initializer) -> Self {
            check_unbuilt($layer, "weight_initializer", self.is_built());
            self.settings.weight_init = init;
            self
        }

        /// The bias initializer. Default: uniform within ±1/sqrt(fan-in) of the weight, as in PyTorch.
        ///
        /// ```
        /// use hadal::nn::*;
        /// use hadal::prelude::*;
        #[doc = concat!("let layer = ", $new, ".bias_initializer(Initializer::Constant(0.5));")]
        /// let layer = layer.built([4, 9, 9], &mut Rng::new(0))?;
        /// let y = layer.forward(&Tensor::zeros([1, 4, 9, 9]), &mut Context::evaluation());
        /// assert_eq!((y.min().item(), y.max().item()), (0.5, 0.5));
        /// # Ok::<(), hadal::Error>(())
        /// ```
        ///
        /// # Panics
        /// If the layer has its weights already.
        #[track_caller]
        pub fn bias_initializer(mut self, init: Initializer) -> Self {
            check_unbuilt($layer, "bias_initializer", self.is_built());
            self.settings.bias_init = init;
            self
        }

        /// A penalty on the weights, added to the loss. Default: none.
        ///
        /// ```
        /// use hadal::nn::*;
        /// use hadal::prelude::*;
        #[doc = concat!("let layer = ", $new, ".weight_regularizer(Regularizer::l2(1e-4));")]
        /// let layer = layer.built([4, 9, 9], &mut Rng::new(0))?;
        /// let mut ctx = Context::training(Rng::new(0));
        /// layer.forward(&Tensor::ones([1, 4, 9, 9]), &mut ctx);
        /// assert!(ctx.take_penalty().unwrap().item() > 0.0);
        /// # Ok::<(), hadal::Error>(())
        /// ```
        pub fn weight_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.settings.weight_regularizer = Some(regularizer);
            self
        }

        /// A penalty on the biases, added to the loss. Default: none.
        ///
        /// ```
        /// use hadal::nn::*;
        /// use hadal::prelude::*;
        #[doc = concat!("let layer = ", $new, ".bias_regularizer(Regularizer::l2(1e-4));")]
        /// let layer = layer.built([4, 9, 9], &mut Rng::new(0))?;
        /// let mut ctx = Context::training(Rng::new(0));
        /// layer.forward(&Tensor::ones([1, 4, 9, 9]), &mut ctx);
        /// assert!(ctx.take_penalty().unwrap().item() > 0.0);
        /// # Ok::<(), hadal::Error>(())
        /// ```
        pub fn bias_regularizer(mut self, regularizer: Regularizer) -> Self {
            self.settings.bias_regularizer = Some(regularizer);
            self
        }
    };
}
pub(super) use settings_methods;
