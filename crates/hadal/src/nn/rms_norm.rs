//! Normalization by the root mean square.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{DType, Error, Result, Rng, Shape, Tensor};

/// Root mean square normalization (Zhang and Sennrich, NeurIPS 2019, eq. 4): `x / sqrt(mean(x^2) + epsilon) * weight`, the mean taken
/// over the last axis. Input `[batch, .., features]`, output the same. Parameter: `weight` `[features]`.
///
/// Epsilon is PyTorch's by default: the distance from 1 to the next number of the input's type, 1.2e-7 for `f32` and 2.2e-16 for `f64`;
/// [`keras`](RmsNorm::keras) has Keras's.
///
/// ```
/// use hadal::nn::RmsNorm;
/// use hadal::prelude::*;
/// let norm = RmsNorm::new().built([2], &mut Rng::new(0))?;
/// let y = norm.forward(&Tensor::from([[3.0, 4.0]]), &mut Context::evaluation());
/// assert!((y.powi(2).mean().item() - 1.0).abs() < 1e-6);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "RMSNorm")]
#[doc(alias = "RMSNormalization")]
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RmsNorm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epsilon: Option<f64>,
    #[serde(skip)]
    weight: Option<Tensor>,
}

impl RmsNorm {
    /// With PyTorch's default.
    pub fn new() -> RmsNorm {
        RmsNorm { epsilon: None, weight: None }
    }

    /// With Keras's epsilon, 1e-6.
    ///
    /// ```
    /// use hadal::nn::RmsNorm;
    /// use hadal::prelude::*;
    /// let model = Sequential::new([8]).add(RmsNorm::keras()).build()?;
    /// assert_eq!(model.parameter_count(), 8);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keras() -> RmsNorm {
        RmsNorm::new().epsilon(1e-6)
    }

    /// For a module of your own: a layer of `features` features, ready to be used.
    ///
    /// ```
    /// use hadal::nn::RmsNorm;
    /// use hadal::prelude::*;
    /// let y = RmsNorm::with(2).forward(&Tensor::from([[1.0, -1.0]]), &mut Context::evaluation());
    /// assert!((y.to_vec::<f32>()[0] - 1.0).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If `features` is 0.
    #[track_caller]
    pub fn with(features: usize) -> RmsNorm {
        assert!(features > 0, "RmsNorm: the number of features must be at least 1, not 0");
        RmsNorm { weight: Some(Tensor::ones([features]).requires_grad()), ..RmsNorm::new() }
    }

    /// A small constant added to the mean square for numerical stability.
    ///
    /// ```
    /// use hadal::nn::RmsNorm;
    /// use hadal::prelude::*;
    /// let y = RmsNorm::with(2).epsilon(3.0).forward(&Tensor::from([[1.0, -1.0]]), &mut Context::evaluation());
    /// assert!((y.to_vec::<f32>()[0] - 0.5).abs() < 1e-6); // 1 / sqrt(1 + 3)
    /// ```
    pub fn epsilon(mut self, epsilon: f64) -> RmsNorm {
        self.epsilon = Some(epsilon);
        self
    }
}

impl Default for RmsNorm {
    fn default() -> RmsNorm {
        RmsNorm::new()
    }
}

impl Forward for RmsNorm {
    /// # Panics
    /// If the layer has not been built, or the last axis of `x` is not its features.
    #[track_caller]
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        let Some(weight) = &self.weight else {
            panic!(
                "RmsNorm: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            );
        };
        let features = weight.elements();
        assert!(
            x.shape().last() == Some(&features),
            "RmsNorm: the input has shape {}, but the layer expects {features} features on the last axis",
            x.shape()
        );
        let smallest = if x.dtype() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
        x / (x.powi(2).mean_keepdim(&[-1]) + self.epsilon.unwrap_or(smallest)).sqrt() * weight
    }
}

impl Layer for RmsNorm {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        if let Some(epsilon) = self.epsilon {
            crate::optim::check_positive_in_f32("RmsNorm: epsilon", epsilon, "1e-6")?;
        }
        match input.last() {
            Some(&features) if features > 0 => Ok(Plan { output_shape: *input, weights: features }),
            _ => Err(Error::Config(format!(
                "RmsNorm takes samples of shape [.., features], but its input has shape {input}"
            ))),
        }
    }

    fn build(&mut self, input: &Shape, _rng: &mut Rng) -> Result<()> {
        self.weight = Some(Tensor::ones([input[input.rank() - 1]]).requires_grad());
        Ok(())
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for RmsNorm {
    const NAME: &'static str = "rms_norm";
}
