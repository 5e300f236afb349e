//! Non-linear functions as layers, and as settings of layers.

use std::any::TypeId;

use serde::{Deserialize, Serialize};

use super::registry::Kind;
use super::{Context, Forward, Layer, LayerConfig, Module};
use crate::{Result, Tensor};

/// An activation function. It can be passed to a layer or used as a layer of its own.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([2])
///     .add(Dense::new(8).activation(Relu)) // in a layer
///     .add(Dense::new(8))
///     .add(LeakyRelu(0.01)) // as a layer of its own
///     .build()?;
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activation {
    /// x.
    #[default]
    Identity,
    /// max(x, 0) (Nair and Hinton, ICML 2010).
    Relu,
    /// x above 0, `slope * x` below (Maas and others, ICML 2013). PyTorch's slope is 0.01, Keras's 0.3.
    LeakyRelu(f64),
    /// x above 0, `alpha (e^x - 1)` below (Clevert, Unterthiner and Hochreiter, ICLR 2016, eq. 16); alpha is usually 1.
    Elu(f64),
    /// 1.0507 times elu with alpha 1.6733, which keeps mean 0 and variance 1 from layer to layer (Klambauer and others,
    /// NeurIPS 2017).
    Selu,
    /// `x Phi(x)` with the normal distribution's Phi (Hendrycks and Gimpel, 2016): exact, by the error function.
    Gelu,
    /// `x sigmoid(x)`, also called swish (Elfwing, Uchibe and Doya, 2018).
    Silu,
    /// `ln(1 + e^x)`.
    Softplus,
    /// The hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// `x / 6 + 1 / 2`, cut to `[0, 1]`: PyTorch's and Keras's.
    HardSigmoid,
    /// e^x / sum(e^x) over the last axis.
    Softmax,
    /// The logarithm of softmax over the last axis.
    LogSoftmax,
}

/// The constants of selu, which make mean 0 and variance 1 a fixed point.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

impl Activation {
    /// The function of `x`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let x = Tensor::from_slice(&[-1.0f32, 2.0], [2]);
    /// assert_eq!(LeakyRelu(0.5).apply(&x).to_vec::<f32>(), [-0.5, 2.0]);
    /// ```
    pub fn apply(self, x: &Tensor) -> Tensor {
        match self {
            Activation::Identity => x.clone(),
            Activation::Relu => x.relu(),
            Activation::LeakyRelu(slope) => x.detach().gt(0.0).where_(x, &(x * slope)),
            Activation::Elu(alpha) => x.detach().gt(0.0).where_(x, &exponential(x, alpha)),
            Activation::Selu => x.detach().gt(0.0).where_(&(x * SELU_SCALE), &exponential(x, SELU_SCALE * SELU_ALPHA)),
            Activation::Gelu => x.gelu(),
            Activation::Silu => x.silu(),
            Activation::Softplus => x.softplus(),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => x.sigmoid(),
            // Not x / 6 + 1 / 2, which near -3 is the rounding of its terms.
            Activation::HardSigmoid => (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Activation::Softmax => x.softmax(-1),
            Activation::LogSoftmax => x.log_softmax(-1),
        }
    }
}

/// `alpha (e^x - 1)` below 0, and 0 above, so that no infinity meets the other branch's gradient.
fn exponential(x: &Tensor, alpha: f64) -> Tensor {
    x.clamp(f64::NEG_INFINITY, 0.0).expm1() * alpha
}

impl Module for Activation {
    fn visit(&self, _path: &str, _visitor: &mut dyn FnMut(&str, &Tensor)) {}
    fn visit_mut(&mut self, _path: &str, _visitor: &mut dyn FnMut(&str, &mut Tensor)) {}
}

impl Forward for Activation {
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        self.apply(x)
    }
}

/// An activation's settings as a layer: as a setting of other layers, it is its name alone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    function: Activation,
}

impl Activation {
    pub(super) const KIND: Kind = Kind {
        name: "activation",
        of: TypeId::of::<Activation>,
        make: |settings| Ok(Box::new(serde_json::from_value::<Settings>(settings)?.function)),
    };
}

impl Layer for Activation {
    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::new(Activation::KIND.name, &Settings { function: *self })
    }

    fn label(&self) -> String {
        format!("Activation ({self})")
    }

    fn output_activation(&self) -> Option<Activation> {
        Some(*self)
    }

    fn as_activation(&self) -> Option<Activation> {
        Some(*self)
    }
}

impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::LeakyRelu(slope) => return write!(f, "leaky_relu {slope}"),
            Activation::Elu(alpha) => return write!(f, "elu {alpha}"),
            Activation::Selu => "selu",
            Activation::Gelu => "gelu",
            Activation::Silu => "silu",
            Activation::Softplus => "softplus",
            Activation::Tanh => "tanh",
            Activation::Sigmoid => "sigmoid",
            Activation::HardSigmoid => "hard_sigmoid",
            Activation::Softmax => "softmax",
            Activation::LogSoftmax => "log_softmax",
        })
    }
}
