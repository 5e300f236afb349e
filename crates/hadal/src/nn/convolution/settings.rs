//! What all convolutions have in common: how their window moves, how parameters begin, and what follows.

use serde::{Deserialize, Serialize};

use crate::nn::window::{PerAxis, Window};
use crate::nn::{Activation, Context, Initializer, Module, Regularizer};
use crate::{Conv, Error, Padding, Result, Rng, Shape, Tensor};

/// The settings of a convolution but for its channels. Defaults are PyTorch's, and are not written to files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings<const D: usize> {
    pub kernel: PerAxis<D>,
    #[serde(default = "PerAxis::one", skip_serializing_if = "PerAxis::is_one")]
    pub stride: PerAxis<D>,
    #[serde(default = "PerAxis::zero", skip_serializing_if = "PerAxis::is_zero")]
    pub padding: PerAxis<D>,
    /// As much padding as keeps the sizes.
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
        }
    }

    pub fn keras(kernel: PerAxis<D>) -> Settings<D> {
        let (weight_init, bias_init) = (Initializer::KERAS_DEFAULT, Initializer::Zeros);
        Settings { weight_init, bias_init, ..Settings::new(kernel) }
    }

    /// # Errors
    /// If a setting cannot work, whatever the input.
    pub fn check(&self, layer: &str) -> Result<()> {
        self.kernel.check_positive(layer, "kernel")?;
        self.stride.check_positive(layer, "stride")?;
        self.dilation.check_positive(layer, "dilation")?;
        if self.same_padding && !(self.stride.is_one() && self.padding.is_zero()) {
            return Err(Error::Config(format!(
                "{layer}: same_padding keeps the sizes, so the stride must be 1, not {}, and there is no padding beside it; give the \
                 padding as a number",
                self.stride
            )));
        }
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

    /// The window over an input. Where the padding that keeps a size is odd, the larger half is behind, as in PyTorch and Keras.
    pub fn window(&self) -> Window<D> {
        let (kernel, dilation, padding) = (self.kernel.get(), self.dilation.get(), self.padding.get());
        let sides = |d: usize| {
            let all = dilation[d].saturating_mul(kernel[d].saturating_sub(1));
            if self.same_padding { (all / 2, all - all / 2) } else { (padding[d], padding[d]) }
        };
        Window {
            kernel: self.kernel,
            stride: self.stride,
            padding: std::array::from_fn(sides),
            dilation: self.dilation,
        }
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
        self.convolve_by(Tensor::conv, x, weights, groups)
    }

    /// The convolution and what follows it: the activation, and the penalties.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, weights: &Weights, groups: usize, ctx: &mut Context) -> Tensor {
        self.penalize(&[weights], ctx);
        match self.activation {
            // In one pass.
            Activation::Relu => self.convolve_by(Tensor::conv_relu, x, weights, groups),
            activation => activation.apply(&self.convolve(x, weights, groups)),
        }
    }

    #[track_caller]
    fn convolve_by(
        &self,
        convolve: fn(&Tensor, &Tensor, Option<&Tensor>, Conv) -> Tensor,
        x: &Tensor,
        weights: &Weights,
        groups: usize,
    ) -> Tensor {
        let conv = Conv::new().stride(self.stride).dilation(self.dilation).groups(groups);
        let sides = self.window().padding;
        let bias = weights.bias.as_ref();
        if sides.iter().all(|(before, after)| before == after) {
            return convolve(x, &weights.weight, bias, conv.padding(PerAxis::from(sides.map(|(before, _)| before))));
        }
        convolve(&x.pad(&sides, Padding::Constant(0.0)), &weights.weight, bias, conv)
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
