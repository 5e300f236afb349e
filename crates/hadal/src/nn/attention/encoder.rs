//! Encoders of transformers; causal ones are those of GPT.

use serde::{Deserialize, Serialize};

use super::feedforward::{after_part, before_part, feedforward, make_linear, make_norm, plan};
use super::positions::plan_sequence;
use super::settings::{Settings, example, settings};
use super::{AttentionMask, MultiHeadAttention};
use crate::autograd::Trace;
use crate::nn::{Activation, Context, Forward, Layer, LayerConfig, LayerKind, LayerNorm, Linear, Module, Plan};
use crate::{Error, Result, Rng, Shape, Tensor};

/// A layer of a transformer's encoder (Vaswani and others, NeurIPS 2017, section 3.1): attention of a sequence to itself, then a feedforward
/// network for each place, both beside a shortcut and with layer normalization. Input and output `[N, T, E]`. Defaults, names and
/// initialization are those of PyTorch's `TransformerEncoderLayer`, with the batch first.
///
/// Settings take effect when the layer is built. With [`causal`](TransformerEncoderLayer::causal) and
/// [`norm_first`](TransformerEncoderLayer::norm_first) it is a block of GPT-2, and can be used in a [`Stream`](crate::nn::Stream). Of
/// sequences that were padded (see [`Embedding::padding_index`](crate::nn::Embedding::padding_index)), the layer leaves out the padding.
///
/// ```
/// use hadal::prelude::*;
/// let block = TransformerEncoderLayer::new(2).feedforward(64).activation(Gelu).norm_first().causal();
/// let model = Sequential::new([10, 16]).add(block).build()?;
/// let names: Vec<String> = model.state_dict().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names[..2], ["layers.0.self_attn.in_proj_weight", "layers.0.self_attn.in_proj_bias"]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransformerEncoderLayer {
    settings: Settings,
    #[serde(skip)]
    parts: Option<Parts>,
}

#[derive(Clone, Debug, Module)]
struct Parts {
    self_attn: MultiHeadAttention,
    linear1: Linear,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
}

settings!(TransformerEncoderLayer, "[5, 8]");

impl TransformerEncoderLayer {
    /// With PyTorch's defaults and this many heads.
    pub fn new(heads: usize) -> TransformerEncoderLayer {
        TransformerEncoderLayer { settings: Settings::new(heads), parts: None }
    }

    /// The output for `x` `[N, T, E]`, as far as `mask` lets places attend to others.
    ///
    /// ```
    /// use hadal::nn::AttentionMask;
    /// use hadal::prelude::*;
    /// let layer = TransformerEncoderLayer::new(2).feedforward(16).built([3, 4], &mut Rng::new(0))?;
    /// let x = Tensor::ones([1, 3, 4]);
    /// let padding = AttentionMask::new().padding(&Tensor::from([[false, false, true]]));
    /// assert_eq!(layer.encode(&x, &padding, &mut Context::evaluation()).shape(), &[1, 3, 4]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the layer has not been built, or shapes do not fit.
    #[track_caller]
    pub fn encode(&self, x: &Tensor, mask: &AttentionMask, ctx: &mut Context) -> Tensor {
        let Some(parts) = &self.parts else {
            panic!(
                "TransformerEncoderLayer: the layer has no weights yet; make it with built(), or build or compile the Sequential that \
                 contains it"
            );
        };
        let settings = &self.settings;
        let y = parts.self_attn.attend_to_self(&before_part(settings, &parts.norm1, x, ctx), mask, ctx);
        let x = after_part(settings, &parts.norm1, x, y, ctx);
        let y = before_part(settings, &parts.norm2, &x, ctx);
        let y = feedforward(settings, (&parts.linear1, &parts.linear2), &y, ctx);
        after_part(settings, &parts.norm2, &x, y, ctx)
    }

    pub(in crate::nn) fn plan_features(&self, features: usize) -> Result<usize> {
        let attention = self.settings.self_attention().plan_features(features)?;
        Ok(attention.saturating_add(plan("TransformerEncoderLayer", &self.settings, features, 2)?))
    }

    pub(in crate::nn) fn build_features(&mut self, features: usize, rng: &mut Rng) -> Result<()> {
        let settings = &self.settings;
        let mut self_attn = settings.self_attention();
        self_attn.build_features(features, rng)?;
        let (linear1, linear2) = make_linear(settings, features, rng);
        let (norm1, norm2) = (make_norm(settings, features), make_norm(settings, features));
        self.parts = Some(Parts { self_attn, linear1, linear2, norm1, norm2 });
        Ok(())
    }
}

impl Module for TransformerEncoderLayer {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.parts.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.parts.visit_mut(path, visitor);
    }
}

impl Forward for TransformerEncoderLayer {
    /// # Panics
    /// As [`encode`](TransformerEncoderLayer::encode).
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let mask = AttentionMask::of_lengths("TransformerEncoderLayer", x, self.settings.causal, ctx);
        self.encode(x, &mask, ctx)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        self.settings.self_attention().stream_length()
    }
}

impl Layer for TransformerEncoderLayer {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let (_, features) = plan_sequence("TransformerEncoderLayer", input)?;
        Ok(Plan { output_shape: *input, weights: self.plan_features(features)? })
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        self.build_features(input[1], rng)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for TransformerEncoderLayer {
    const NAME: &'static str = "transformer_encoder_layer";
}

/// A stack of encoder layers, `layers.0`, `layers.1`, ..., and perhaps a last normalization, `norm`: PyTorch's `TransformerEncoder`. Each
/// layer draws weights of its own; PyTorch copies those of the first. Input and output `[N, T, E]`.
///
/// ```
/// use hadal::nn::TransformerEncoder;
/// use hadal::prelude::*;
/// let layer = TransformerEncoderLayer::new(2).feedforward(32).norm_first();
/// let model = Sequential::new([10, 16]).add(TransformerEncoder::new(layer, 3).final_norm()).build()?;
/// assert_eq!(model.state_dict().last().unwrap().0, "layers.0.norm.bias");
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerEncoder {
    block: TransformerEncoderLayer,
    layers: usize,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    final_norm: bool,
    #[serde(skip)]
    stack: Option<Stack>,
}

#[derive(Clone, Debug, Module)]
struct Stack {
    layers: Vec<TransformerEncoderLayer>,
    norm: Option<LayerNorm>,
}

impl TransformerEncoder {
    /// `layers` layers with the settings of `layer`.
    pub fn new(layer: TransformerEncoderLayer, layers: usize) -> TransformerEncoder {
        TransformerEncoder { block: layer, layers, final_norm: false, stack: None }
    }

    /// Normalizes the output, as is usual where layers normalize first. Default: not, PyTorch's.
    pub fn final_norm(mut self) -> TransformerEncoder {
        self.final_norm = true;
        self
    }

    /// The output for `x` `[N, T, E]`, as far as `mask` lets places attend to others.
    ///
    /// ```
    /// use hadal::nn::{AttentionMask, TransformerEncoder};
    /// use hadal::prelude::*;
    /// let layer = TransformerEncoderLayer::new(2).feedforward(16);
    /// let encoder = TransformerEncoder::new(layer, 2).built([3, 4], &mut Rng::new(0))?;
    /// let mask = AttentionMask::new().causal();
    /// let y = encoder.encode(&Tensor::ones([1, 3, 4]), &mask, &mut Context::evaluation());
    /// assert_eq!(y.shape(), &[1, 3, 4]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If it has not been built, or shapes do not fit.
    #[track_caller]
    pub fn encode(&self, x: &Tensor, mask: &AttentionMask, ctx: &mut Context) -> Tensor {
        let Some(stack) = &self.stack else {
            panic!(
                "TransformerEncoder: the layers have no weights yet; make it with built(), or build or compile the Sequential that contains \
                 it"
            );
        };
        let mut y = x.clone();
        for (index, layer) in stack.layers.iter().enumerate() {
            let _scope = Trace::enter(|| format!("layer {} of TransformerEncoder", index + 1));
            y = layer.encode(&y, mask, ctx);
        }
        match &stack.norm {
            Some(norm) => norm.forward(&y, ctx),
            None => y,
        }
    }
}

impl Module for TransformerEncoder {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.stack.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.stack.visit_mut(path, visitor);
    }
}

impl Forward for TransformerEncoder {
    /// # Panics
    /// As [`encode`](TransformerEncoder::encode).
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let mask = AttentionMask::of_lengths("TransformerEncoder", x, self.block.settings.causal, ctx);
        self.encode(x, &mask, ctx)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        self.block.stream_length()
    }
}

impl Layer for TransformerEncoder {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        if self.layers == 0 {
            return Err(Error::Config("TransformerEncoder: at least 1 layer is needed, not 0".into()));
        }
        let plan = self.block.plan(input)?;
        let norm = match (self.final_norm, self.block.settings.use_bias) {
            (false, _) => 0,
            (true, bias) => input[1].saturating_mul(if bias { 2 } else { 1 }),
        };
        Ok(Plan { weights: plan.weights.saturating_mul(self.layers).saturating_add(norm), ..plan })
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        let mut layers = Vec::new();
        for _ in 0..self.layers {
            let mut layer = self.block.clone();
            layer.build(input, rng)?;
            layers.push(layer);
        }
        let norm = self.final_norm.then(|| make_norm(&self.block.settings, input[1]));
        self.stack = Some(Stack { layers, norm });
        Ok(())
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("TransformerEncoder of {}", self.layers)
    }
}

impl LayerKind for TransformerEncoder {
    const NAME: &'static str = "transformer_encoder";
}
