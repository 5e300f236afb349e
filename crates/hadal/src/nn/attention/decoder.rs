//! Decoders of transformers, which attend to what an encoder gives.

use super::feedforward::{after_part, before_part, feedforward, make_linear, make_norm, plan};
use super::settings::{Settings, example, settings};
use super::{AttentionMask, MultiHeadAttention};
use crate::autograd::Trace;
use crate::nn::{Activation, Context, Forward, LayerNorm, Linear, Module};
use crate::{Error, Result, Rng, Tensor};

/// A layer of a transformer's decoder (Vaswani and others, NeurIPS 2017, section 3.1): attention of a sequence to itself, then to the output of
/// an encoder, then a feedforward network for each place, all beside a shortcut and with layer normalization. Defaults, names and
/// initialization are those of PyTorch's `TransformerDecoderLayer`, with the batch first. It takes two inputs, so it is a part of a module
/// of your own, not of a [`Sequential`](crate::nn::Sequential).
///
/// ```
/// use hadal::nn::{AttentionMask, TransformerDecoderLayer};
/// use hadal::prelude::*;
/// let layer = TransformerDecoderLayer::new(2).feedforward(32).causal().built(8, &mut Rng::new(0))?;
/// let (target, memory) = (Tensor::ones([1, 5, 8]), Tensor::ones([1, 7, 8]));
/// let all = AttentionMask::new();
/// let y = layer.decode(&target, &memory, &all, &all, &mut Context::evaluation());
/// assert_eq!(y.shape(), &[1, 5, 8]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TransformerDecoderLayer {
    settings: Settings,
    parts: Option<Parts>,
}

#[derive(Clone, Debug, Module)]
struct Parts {
    self_attn: MultiHeadAttention,
    multihead_attn: MultiHeadAttention,
    linear1: Linear,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    norm3: LayerNorm,
}

settings!(TransformerDecoderLayer, "8");

impl TransformerDecoderLayer {
    /// With PyTorch's defaults and this many heads.
    pub fn new(heads: usize) -> TransformerDecoderLayer {
        TransformerDecoderLayer { settings: Settings::new(heads), parts: None }
    }

    /// Creates the parameters for `embed_dim` features.
    ///
    /// # Errors
    /// If a setting cannot work, or the features do not divide by the heads.
    pub fn built(mut self, embed_dim: usize, rng: &mut Rng) -> Result<TransformerDecoderLayer> {
        let settings = &self.settings;
        let (mut self_attn, mut multihead_attn) = (settings.self_attention(), settings.cross_attention());
        self_attn.plan_features(embed_dim)?;
        plan("TransformerDecoderLayer", settings, embed_dim, 3)?;
        self_attn.build_features(embed_dim, rng)?;
        multihead_attn.build_features(embed_dim, rng)?;
        let (linear1, linear2) = make_linear(settings, embed_dim, rng);
        let [norm1, norm2, norm3] = [(); 3].map(|()| make_norm(settings, embed_dim));
        self.parts = Some(Parts { self_attn, multihead_attn, linear1, linear2, norm1, norm2, norm3 });
        Ok(self)
    }

    /// The output for `target` `[N, T, E]` beside `memory` `[N, S, E]`, the output of an encoder: `[N, T, E]`. Masks say which places of the
    /// target attend to which of the target, and of the memory. In a [`Stream`](crate::nn::Stream), keys and values of the target's
    /// earlier pieces are kept, and those of the memory are computed once.
    ///
    /// # Panics
    /// If the layer has not been built, or shapes do not fit.
    #[track_caller]
    pub fn decode(
        &self,
        target: &Tensor,
        memory: &Tensor,
        target_mask: &AttentionMask,
        memory_mask: &AttentionMask,
        ctx: &mut Context,
    ) -> Tensor {
        let Some(parts) = &self.parts else {
            panic!("TransformerDecoderLayer: the layer has no weights yet; make it with built()");
        };
        let settings = &self.settings;
        let y = parts.self_attn.attend_to_self(&before_part(settings, &parts.norm1, target, ctx), target_mask, ctx);
        let x = after_part(settings, &parts.norm1, target, y, ctx);
        let y = before_part(settings, &parts.norm2, &x, ctx);
        let y = parts.multihead_attn.attend_to_memory(&y, memory, memory_mask, ctx);
        let x = after_part(settings, &parts.norm2, &x, y, ctx);
        let y = before_part(settings, &parts.norm3, &x, ctx);
        let y = feedforward(settings, (&parts.linear1, &parts.linear2), &y, ctx);
        after_part(settings, &parts.norm3, &x, y, ctx)
    }
}

impl Module for TransformerDecoderLayer {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.parts.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.parts.visit_mut(path, visitor);
    }
}

/// A stack of decoder layers, `layers.0`, `layers.1`, ..., and perhaps a last normalization, `norm`: PyTorch's `TransformerDecoder`. Each
/// layer draws weights of its own; PyTorch copies those of the first.
///
/// ```
/// use hadal::nn::{AttentionMask, TransformerDecoder, TransformerDecoderLayer};
/// use hadal::prelude::*;
/// let layer = TransformerDecoderLayer::new(2).feedforward(32).causal();
/// let decoder = TransformerDecoder::new(layer, 2, 8, &mut Rng::new(0))?;
/// let (target, memory) = (Tensor::ones([1, 5, 8]), Tensor::ones([1, 7, 8]));
/// let all = AttentionMask::new();
/// let y = decoder.decode(&target, &memory, &all, &all, &mut Context::evaluation());
/// assert_eq!(y.shape(), &[1, 5, 8]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerDecoder {
    layers: Vec<TransformerDecoderLayer>,
    norm: Option<LayerNorm>,
}

impl TransformerDecoder {
    /// `layers` layers with the settings of `layer`, for `embed_dim` features.
    ///
    /// # Errors
    /// If there are no layers, a setting cannot work, or the features do not divide by the heads.
    pub fn new(
        layer: TransformerDecoderLayer,
        layers: usize,
        embed_dim: usize,
        rng: &mut Rng,
    ) -> Result<TransformerDecoder> {
        if layers == 0 {
            return Err(Error::Config("TransformerDecoder: at least 1 layer is needed, not 0".into()));
        }
        let layers = (0..layers).map(|_| layer.clone().built(embed_dim, rng)).collect::<Result<_>>()?;
        Ok(TransformerDecoder { layers, norm: None })
    }

    /// Normalizes the output, as is usual where layers normalize first. Default: not, PyTorch's.
    ///
    /// ```
    /// use hadal::nn::{TransformerDecoder, TransformerDecoderLayer};
    /// use hadal::prelude::*;
    /// let layer = TransformerDecoderLayer::new(2).feedforward(32).norm_first();
    /// let decoder = TransformerDecoder::new(layer, 2, 8, &mut Rng::new(0))?.final_norm();
    /// assert_eq!(decoder.state_dict().last().unwrap().0, "norm.bias");
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn final_norm(mut self) -> TransformerDecoder {
        let layer = self.layers.first().and_then(|layer| Some((&layer.settings, layer.parts.as_ref()?)));
        self.norm = layer.map(|(settings, parts)| make_norm(settings, parts.linear1.weight.size(1)));
        self
    }

    /// The output for `target` `[N, T, E]` beside `memory` `[N, S, E]`; see [`TransformerDecoderLayer::decode`].
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn decode(
        &self,
        target: &Tensor,
        memory: &Tensor,
        target_mask: &AttentionMask,
        memory_mask: &AttentionMask,
        ctx: &mut Context,
    ) -> Tensor {
        let mut y = target.clone();
        for (index, layer) in self.layers.iter().enumerate() {
            let _scope = Trace::enter(|| format!("layer {} of TransformerDecoder", index + 1));
            y = layer.decode(&y, memory, target_mask, memory_mask, ctx);
        }
        match &self.norm {
            Some(norm) => norm.forward(&y, ctx),
            None => y,
        }
    }
}
