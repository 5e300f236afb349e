//! Layer normalization.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Rng, Shape, Tensor};

/// Layer normalization (Ba, Kiros and Hinton, 2016, eq. 3): `(x - mean) / sqrt(variance + epsilon) * weight + bias`, mean and
/// variance taken over the last axis of each sample. Input `[batch, .., features]`. Epsilon is 1e-5, PyTorch's;
/// [`keras`](LayerNorm::keras) has Keras's.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([4]).add(Dense::new(8)).add(LayerNorm::new()).build()?;
/// let y = model.forward(&Tensor::ones([1, 4]), &mut Context::evaluation());
/// assert!(y.mean().item().abs() < 1e-5);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "LayerNormalization")]
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerNorm {
    epsilon: f64,
    // The default is not written to files.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    use_bias: bool,
    #[serde(skip)]
    weight: Option<Tensor>,
    #[serde(skip)]
    bias: Option<Tensor>,
}

fn yes() -> bool {
    true
}

impl LayerNorm {
    /// With PyTorch's default.
    pub fn new() -> LayerNorm {
        LayerNorm { epsilon: 1e-5, use_bias: true, weight: None, bias: None }
    }

    /// With Keras's epsilon, 0.001.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([8]).add(LayerNorm::keras()).build()?;
    /// assert_eq!(model.parameter_count(), 16);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keras() -> LayerNorm {
        LayerNorm::new().epsilon(1e-3)
    }

    /// For a module of your own: a layer of `features` features, ready to be used.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let y = LayerNorm::with(3).forward(&Tensor::from_slice(&[1.0f32, 2.0, 3.0], [1, 3]), &mut Context::evaluation());
    /// assert!(y.mean().item().abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If `features` is 0.
    #[track_caller]
    pub fn with(features: usize) -> LayerNorm {
        assert!(features > 0, "LayerNorm: the number of features must be at least 1, not 0");
        let mut layer = LayerNorm::new();
        layer.make_weights(features);
        layer
    }

    fn make_weights(&mut self, features: usize) {
        self.weight = Some(Tensor::ones([features]).requires_grad());
        self.bias = self.use_bias.then(|| Tensor::zeros([features]).requires_grad());
    }

    /// A small constant added to the variance for numerical stability.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let y = LayerNorm::with(2).epsilon(3.0).forward(&Tensor::from([[1.0, 3.0]]), &mut Context::evaluation());
    /// assert!((y.to_vec::<f32>()[1] - 0.5).abs() < 1e-6); // 1 / sqrt(1 + 3)
    /// ```
    pub fn epsilon(mut self, epsilon: f64) -> LayerNorm {
        self.epsilon = epsilon;
        self
    }

    /// Leaves the bias out, as PyTorch's `bias=False`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(LayerNorm::with(3).without_bias().parameter_count(), 3);
    /// ```
    pub fn without_bias(mut self) -> LayerNorm {
        self.use_bias = false;
        self.bias = None;
        self
    }
}

impl Default for LayerNorm {
    fn default() -> LayerNorm {
        LayerNorm::new()
    }
}

impl Forward for LayerNorm {
    /// # Panics
    /// If the layer has not been built, or the last axis of `x` is not its features.
    #[track_caller]
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        let Some(weight) = &self.weight else {
            panic!(
                "LayerNorm: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            );
        };
        let features = weight.elements();
        assert!(
            x.shape().last() == Some(&features),
            "LayerNorm: the input has shape {}, but the layer expects {features} features on the last axis",
            x.shape()
        );
        x.layer_norm(Some(weight), self.bias.as_ref(), self.epsilon)
    }
}

impl Layer for LayerNorm {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        crate::optim::check_positive_in_f32("LayerNorm: epsilon", self.epsilon, "1e-5")?;
        match input.last() {
            Some(&features) if features > 0 => {
                let tensors = if self.use_bias { 2 } else { 1 };
                Ok(Plan { output_shape: *input, weights: features.saturating_mul(tensors) })
            }
            _ => Err(Error::Config(format!(
                "LayerNorm takes samples of shape [.., features], but its input has shape {input}"
            ))),
        }
    }

    fn build(&mut self, input: &Shape, _rng: &mut Rng) -> Result<()> {
        self.make_weights(input[input.rank() - 1]);
        Ok(())
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for LayerNorm {
    const NAME: &'static str = "layer_norm";
}
