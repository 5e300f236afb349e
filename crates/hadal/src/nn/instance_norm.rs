//! Instance normalization.

use serde::{Deserialize, Serialize};

use super::group_norm::{affine, normalized};
use super::stream::not_in_pieces;
use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Rng, Shape, Tensor};

/// Instance normalization (Ulyanov, Vedaldi and Lempitsky, 2016): `(x - mean) / sqrt(variance + epsilon)`, mean and variance taken over
/// each channel of each sample by itself, in training and in evaluation.
///
/// Input `[N, C, L]`, `[N, C, H, W]` or `[N, C, D, H, W]`, output the same. PyTorch's defaults: epsilon 1e-5, no parameters;
/// [`affine`](InstanceNorm::affine) adds `weight` and `bias` `[C]`.
///
/// ```
/// use hadal::nn::InstanceNorm;
/// use hadal::prelude::*;
/// let x = Tensor::from([1.0, 3.0, 10.0, 30.0]).reshape([1, 2, 2]);
/// let y = InstanceNorm::new().forward(&x, &mut Context::evaluation());
/// assert!((y - Tensor::from([-1.0, 1.0, -1.0, 1.0]).reshape([1, 2, 2])).abs().max().item() < 1e-4);
/// ```
#[doc(alias = "InstanceNorm1d")]
#[doc(alias = "InstanceNorm2d")]
#[doc(alias = "InstanceNorm3d")]
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstanceNorm {
    epsilon: f64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    affine: bool,
    #[serde(skip)]
    weight: Option<Tensor>,
    #[serde(skip)]
    bias: Option<Tensor>,
}

impl InstanceNorm {
    /// Without parameters.
    pub fn new() -> InstanceNorm {
        InstanceNorm { epsilon: 1e-5, affine: false, weight: None, bias: None }
    }

    /// Multiplies each channel by a weight and adds a bias, which begin as 1 and 0.
    ///
    /// ```
    /// use hadal::nn::InstanceNorm;
    /// use hadal::prelude::*;
    /// let norm = InstanceNorm::new().affine().built([4, 9, 9], &mut Rng::new(0))?;
    /// assert_eq!(norm.parameter_count(), 8);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn affine(mut self) -> InstanceNorm {
        self.affine = true;
        self
    }

    /// A small constant added to the variance for numerical stability.
    ///
    /// ```
    /// use hadal::nn::InstanceNorm;
    /// use hadal::prelude::*;
    /// let x = Tensor::from([1.0, 3.0]).reshape([1, 1, 2]);
    /// let y = InstanceNorm::new().epsilon(3.0).forward(&x, &mut Context::evaluation());
    /// assert!((y.to_vec::<f32>()[1] - 0.5).abs() < 1e-6); // 1 / sqrt(1 + 3)
    /// ```
    pub fn epsilon(mut self, epsilon: f64) -> InstanceNorm {
        self.epsilon = epsilon;
        self
    }
}

impl Default for InstanceNorm {
    fn default() -> InstanceNorm {
        InstanceNorm::new()
    }
}

impl Forward for InstanceNorm {
    /// # Panics
    /// If the layer has parameters and has not been built, `x` does not have its channels on axis 1, or has fewer than 2 elements to a
    /// channel.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        let elements: usize = x.shape().iter().skip(2).product();
        assert!(
            x.rank() >= 3 && elements > 1 && x.size(1) > 0,
            "InstanceNorm: the input has shape {}, but the layer takes [N, C, ..] with more than 1 element to a channel",
            x.shape()
        );
        let y = normalized(x, x.size(1), self.epsilon);
        match (self.affine, &self.weight, &self.bias) {
            (false, ..) => y,
            (true, Some(weight), Some(bias)) => {
                assert!(
                    x.size(1) == weight.elements(),
                    "InstanceNorm: the input has shape {}, but the layer expects {} channels on axis 1",
                    x.shape(),
                    weight.elements()
                );
                affine(&y, weight, bias)
            }
            _ => panic!(
                "InstanceNorm: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            ),
        }
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces("InstanceNorm")
    }
}

impl Layer for InstanceNorm {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        crate::optim::check_positive_in_f32("InstanceNorm: epsilon", self.epsilon, "1e-5")?;
        if input.rank() < 2 || input.contains(&0) || input[1..].iter().product::<usize>() < 2 {
            return Err(Error::Config(format!(
                "InstanceNorm takes samples of shape [C, L], [C, H, W] or [C, D, H, W] with more than 1 element to a channel, but its \
                 input has shape {input}"
            )));
        }
        Ok(Plan { output_shape: *input, weights: if self.affine { input[0].saturating_mul(2) } else { 0 } })
    }

    fn build(&mut self, input: &Shape, _rng: &mut Rng) -> Result<()> {
        if self.affine {
            self.weight = Some(Tensor::ones([input[0]]).requires_grad());
            self.bias = Some(Tensor::zeros([input[0]]).requires_grad());
        }
        Ok(())
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for InstanceNorm {
    const NAME: &'static str = "instance_norm";
}
