//! The settings that encoder and decoder layers share.

use serde::{Deserialize, Serialize};

use super::MultiHeadAttention;
use crate::nn::Activation;

/// PyTorch's defaults, but for the number of heads, which has none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub heads: usize,
    #[serde(default = "feedforward")]
    pub feedforward: usize,
    #[serde(default = "tenth")]
    pub dropout: f64,
    /// That after the activation, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedforward_dropout: Option<f64>,
    #[serde(default = "relu")]
    pub activation: Activation,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub norm_first: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub causal: bool,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub use_bias: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotary_base: Option<f64>,
    #[serde(default = "epsilon")]
    pub epsilon: f64,
}

pub(super) fn yes() -> bool {
    true
}

pub(super) fn is_no_dropout(rate: &f64) -> bool {
    *rate == 0.0
}

fn feedforward() -> usize {
    2048
}

fn tenth() -> f64 {
    0.1
}

fn relu() -> Activation {
    Activation::Relu
}

fn epsilon() -> f64 {
    1e-5
}

impl Settings {
    pub fn new(heads: usize) -> Settings {
        Settings {
            heads,
            feedforward: feedforward(),
            dropout: tenth(),
            feedforward_dropout: None,
            activation: relu(),
            norm_first: false,
            causal: false,
            use_bias: true,
            rotary_base: None,
            epsilon: epsilon(),
        }
    }

    /// The attention of a layer to its own input.
    pub fn self_attention(&self) -> MultiHeadAttention {
        let attention = self.cross_attention();
        let attention = if self.causal { attention.causal() } else { attention };
        match self.rotary_base {
            Some(base) => attention.rotary(base),
            None => attention,
        }
    }

    /// Attention to another sequence.
    pub fn cross_attention(&self) -> MultiHeadAttention {
        let attention = MultiHeadAttention::new(self.heads).dropout(self.dropout);
        if self.use_bias { attention } else { attention.without_bias() }
    }
}

/// An example of a setting that builds the layer with it.
macro_rules! example {
    ($layer:ident, $size:literal, $call:literal) => {
        concat!(
            "\n```\nuse hadal::nn::",
            stringify!($layer),
            ";\nuse hadal::prelude::*;\nlet layer = ",
            stringify!($layer),
            "::new(2)",
            $call,
            ";\nassert!(layer.built(",
            $size,
            ", &mut Rng::new(0)).is_ok());\n```"
        )
    };
}
pub(super) use example;

/// The methods that set them, for a layer that holds them as `settings`.
macro_rules! settings {
    ($layer:ident, $size:literal) => {
        impl $layer {
            /// The units of the feedforward network. Default: 2048, PyTorch's; 4 times the features are usual.
            #[doc = example!($layer, $size, ".feedforward(64)")]
            #[doc(alias = "dim_feedforward")]
            pub fn feedforward(mut self, units: usize) -> $layer {
                self.settings.feedforward = units;
                self
            }

            /// Dropout of attention weights, of what each part adds, and within the feedforward network. Default: 0.1, PyTorch's.
            #[doc = example!($layer, $size, ".dropout(0.0)")]
            pub fn dropout(mut self, rate: f64) -> $layer {
                self.settings.dropout = rate;
                self
            }

            /// Dropout after the activation of the feedforward network. Default: that of [`dropout`](Self::dropout), PyTorch's; GPT-2
            /// has none.
            #[doc = example!($layer, $size, ".feedforward_dropout(0.0)")]
            pub fn feedforward_dropout(mut self, rate: f64) -> $layer {
                self.settings.feedforward_dropout = Some(rate);
                self
            }

            /// The activation of the feedforward network. Default: relu, PyTorch's.
            #[doc = example!($layer, $size, ".activation(Gelu)")]
            pub fn activation(mut self, activation: Activation) -> $layer {
                self.settings.activation = activation;
                self
            }

            /// Normalizes before each part instead of after it (Xiong and others, ICML 2020). Default: after it, PyTorch's and the
            /// original.
            #[doc = example!($layer, $size, ".norm_first()")]
            #[doc(alias = "pre-norm")]
            pub fn norm_first(mut self) -> $layer {
                self.settings.norm_first = true;
                self
            }

            /// Attention to itself is causal: no place attends to what comes after it. Default: it is not, PyTorch's.
            #[doc = example!($layer, $size, ".causal()")]
            pub fn causal(mut self) -> $layer {
                self.settings.causal = true;
                self
            }

            /// Leaves all biases out.
            #[doc = example!($layer, $size, ".without_bias()")]
            pub fn without_bias(mut self) -> $layer {
                self.settings.use_bias = false;
                self
            }

            /// Rotary positions in attention to itself; see [`rotary`](crate::nn::rotary). Default: none.
            #[doc = example!($layer, $size, ".rotary(10000.0)")]
            pub fn rotary(mut self, base: f64) -> $layer {
                self.settings.rotary_base = Some(base);
                self
            }

            /// A small constant added to the variances of the normalizations. Default: 1e-5, PyTorch's.
            #[doc = example!($layer, $size, ".epsilon(1e-6)")]
            #[doc(alias = "layer_norm_eps")]
            pub fn epsilon(mut self, epsilon: f64) -> $layer {
                self.settings.epsilon = epsilon;
                self
            }
        }
    };
}
pub(super) use settings;
