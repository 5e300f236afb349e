//! Non-linear functions as layers, and as settings of layers.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, Module};
use crate::{Result, Rng, Shape, Tensor};

/// A function applied to every output of a layer; of itself a layer too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activation {
    /// x.
    #[default]
    Identity,
    /// max(x, 0).
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// e^x / sum(e^x) over the last axis.
    Softmax,
    /// The logarithm of softmax over the last axis.
    LogSoftmax,
}

impl Activation {
    /// The function of `x`.
    pub fn apply(self, x: &Tensor) -> Tensor {
        match self {
            Activation::Identity => x.clone(),
            Activation::Relu => x.relu(),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Softmax => x.softmax(-1),
            Activation::LogSoftmax => x.log_softmax(-1),
        }
    }
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

impl Layer for Activation {
    fn build(&mut self, input: &Shape, _rng: &mut Rng) -> Result<Shape> {
        Ok(*input)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::Activation { function: *self }
    }
}

impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::Tanh => "tanh",
            Activation::Sigmoid => "sigmoid",
            Activation::Softmax => "softmax",
            Activation::LogSoftmax => "log_softmax",
        })
    }
}
