//! GPT, a language model.

use serde::{Deserialize, Serialize};

use crate::autograd::Trace;
use crate::nn::{
    Activation, Context, Dropout, Embedding, Forward, Initializer, Layer, LayerConfig, LayerKind, LayerNorm,
    LearnedPositions, Linear, Module, Plan, Sequential, TransformerEncoderLayer, join,
};
use crate::{Error, Result, Rng, Shape, Tensor};

/// The sizes of a [`gpt`]. Defaults: those of GPT-2, 124 million parameters, as in nanoGPT.
///
/// ```
/// use hadal::nn::networks::GptConfig;
/// let config = GptConfig { vocabulary: 65, context: 64, layers: 4, heads: 4, width: 128, ..GptConfig::default() };
/// assert_eq!((config.dropout, config.bias, config.tied), (0.0, true, true));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GptConfig {
    /// How many tokens there are. Default: 50,304.
    pub vocabulary: usize,
    /// The length of the longest sequence. Default: 1,024.
    pub context: usize,
    /// The number of blocks. Default: 12.
    pub layers: usize,
    /// The heads of attention in each block. Default: 12.
    pub heads: usize,
    /// The features of each place. Default: 768.
    pub width: usize,
    /// Dropout of embeddings, of attention weights and of what each part of a block adds. Default: 0.
    #[serde(default)]
    pub dropout: f64,
    /// Whether linear layers and normalizations have biases. Default: yes.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Whether the vectors of the tokens are also the weights of the output (Press and Wolf, EACL 2017). Default: yes.
    #[serde(default = "yes")]
    pub tied: bool,
}

fn yes() -> bool {
    true
}

impl Default for GptConfig {
    fn default() -> GptConfig {
        GptConfig {
            vocabulary: 50_304,
            context: 1024,
            layers: 12,
            heads: 12,
            width: 768,
            dropout: 0.0,
            bias: true,
            tied: true,
        }
    }
}

/// A generative pretrained transformer (Radford and others, "Language Models are Unsupervised Multitask Learners", 2019) in the form of
/// Karpathy's nanoGPT: a network of one [`Gpt`] layer. Inputs are tokens, `i64` `[N, context]`; outputs are logits of the next token at each
/// place, `[N, context, vocabulary]`. Train it with [`CategoricalCrossentropy`](struct@crate::loss::CategoricalCrossentropy)`.from_logits()` on the
/// tokens that follow, `[N, context]`; generate with a [`Stream`](crate::nn::Stream), which takes pieces of any length up to the context.
///
/// ```
/// use hadal::nn::Stream;
/// use hadal::nn::networks::{GptConfig, gpt};
/// use hadal::prelude::*;
/// let config = GptConfig { vocabulary: 27, context: 16, layers: 2, heads: 2, width: 8, ..GptConfig::default() };
/// let model = gpt(config)?.build()?;
/// let mut stream = Stream::new(&model);
/// let mut token = Tensor::from([[3, 1, 4]]); // a prompt
/// for _ in 0..5 {
///     let logits = stream.feed(&token);
///     token = logits.slice(1, logits.size(1) - 1..).argmax(-1); // the likeliest next token
///     assert_eq!(token.shape(), &[1, 1]);
/// }
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If a size is 0, the width does not divide by the heads, or the dropout rate is not within `[0, 1)`.
#[doc(alias = "transformer")]
pub fn gpt(config: GptConfig) -> Result<Sequential> {
    let input = Shape::try_new(&[config.context])?;
    let layer = Gpt::new(config);
    layer.plan(&input)?;
    Ok(Sequential::new(input).add(layer))
}

/// The layer that [`gpt`] is made of, for networks that have more around it: blocks that normalize first, with gelu, between embeddings of
/// tokens and positions and an output for each token. Input `i64` `[N, T]` with `T` at most the context, output `[N, T, vocabulary]`.
///
/// Parameters have nanoGPT's names, `transformer.wte.weight`, `transformer.h.0.attn.c_attn.weight`, so its `state_dict` can be loaded; where
/// the output is tied to the embedding it has no weights of its own, and `lm_head.weight` is to be left out. Weights begin with a normal
/// distribution of deviation 0.02, those that add to the residual stream (`c_proj`) with `0.02 / sqrt(2 layers)`, biases with zeros.
///
/// ```
/// use hadal::nn::networks::{Gpt, GptConfig};
/// use hadal::prelude::*;
/// let config = GptConfig { vocabulary: 27, context: 16, layers: 2, heads: 2, width: 8, ..GptConfig::default() };
/// let layer = Gpt::new(config).built([16], &mut Rng::new(0))?;
/// assert_eq!(layer.state_dict()[2].0, "transformer.h.0.attn.c_attn.weight");
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gpt {
    config: GptConfig,
    #[serde(skip)]
    parts: Option<Parts>,
}

#[derive(Clone, Debug)]
struct Parts {
    tokens: Embedding,
    positions: LearnedPositions,
    blocks: Vec<TransformerEncoderLayer>,
    norm: LayerNorm,
    /// The output, where it is not tied.
    head: Option<Linear>,
}

/// What nanoGPT calls the parts of a block.
const NAMES: [(&str, &str); 6] = [
    ("norm1.", "ln_1."),
    ("self_attn.in_proj_", "attn.c_attn."),
    ("self_attn.out_proj.", "attn.c_proj."),
    ("norm2.", "ln_2."),
    ("linear1.", "mlp.c_fc."),
    ("linear2.", "mlp.c_proj."),
];

/// A tensor's name in nanoGPT.
fn name_in_block(name: &str) -> String {
    let renamed = NAMES.iter().find_map(|(ours, theirs)| Some(format!("{theirs}{}", name.strip_prefix(ours)?)));
    renamed.unwrap_or_else(|| name.to_owned())
}

impl Gpt {
    /// With these sizes.
    pub fn new(config: GptConfig) -> Gpt {
        Gpt { config, parts: None }
    }

    /// The sizes.
    ///
    /// ```
    /// use hadal::nn::networks::{Gpt, GptConfig};
    /// assert_eq!(Gpt::new(GptConfig::default()).sizes().width, 768);
    /// ```
    pub fn sizes(&self) -> &GptConfig {
        &self.config
    }

    fn block(&self) -> TransformerEncoderLayer {
        let GptConfig { heads, width, dropout, bias, .. } = self.config;
        let block = TransformerEncoderLayer::new(heads)
            .feedforward(width.saturating_mul(4))
            .dropout(dropout)
            .feedforward_dropout(0.0)
            .activation(Activation::Gelu)
            .norm_first()
            .causal();
        if bias { block } else { block.without_bias() }
    }
}

impl Module for Gpt {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        let Some(parts) = &self.parts else { return };
        let path_of = |name: &str| join(path, name);
        parts.tokens.visit(&path_of("transformer.wte"), visitor);
        parts.positions.visit(&path_of("transformer.wpe"), visitor);
        for (index, block) in parts.blocks.iter().enumerate() {
            let block_path = path_of(&format!("transformer.h.{index}"));
            block.visit("", &mut |name, tensor| visitor(&join(&block_path, &name_in_block(name)), tensor));
        }
        parts.norm.visit(&path_of("transformer.ln_f"), visitor);
        parts.head.visit(&path_of("lm_head"), visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        let Some(parts) = &mut self.parts else { return };
        let path_of = |name: &str| join(path, name);
        parts.tokens.visit_mut(&path_of("transformer.wte"), visitor);
        parts.positions.visit_mut(&path_of("transformer.wpe"), visitor);
        for (index, block) in parts.blocks.iter_mut().enumerate() {
            let block_path = path_of(&format!("transformer.h.{index}"));
            block.visit_mut("", &mut |name, tensor| visitor(&join(&block_path, &name_in_block(name)), tensor));
        }
        parts.norm.visit_mut(&path_of("transformer.ln_f"), visitor);
        parts.head.visit_mut(&path_of("lm_head"), visitor);
    }
}

impl Forward for Gpt {
    /// # Panics
    /// If the layer has not been built, `x` is not `i64` `[N, T]`, a token is not below the vocabulary, or the sequence is longer than the
    /// context.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let Some(parts) = &self.parts else {
            panic!(
                "Gpt: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            );
        };
        assert!(x.rank() == 2, "Gpt: the input has shape {}, but must be tokens [N, T]", x.shape());
        let mut y = parts.positions.forward(&parts.tokens.forward(x, ctx), ctx);
        if self.config.dropout > 0.0 {
            y = Dropout::new(self.config.dropout).forward(&y, ctx);
        }
        for (index, block) in parts.blocks.iter().enumerate() {
            let _scope = Trace::enter(|| format!("block {} of Gpt", index + 1));
            y = block.forward(&y, ctx);
        }
        let y = parts.norm.forward(&y, ctx);
        match (&parts.head, &parts.tokens.weight) {
            (Some(head), _) => head.forward(&y, ctx),
            (None, Some(vectors)) => y.linear(vectors, None),
            (None, None) => unreachable!("an embedding that has been built has its vectors"),
        }
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        Ok(Some(self.config.context))
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        match &self.parts {
            Some(parts) => parts.tokens.check_inputs(x),
            None => Embedding::new(self.config.vocabulary, self.config.width).check_inputs(x),
        }
    }
}

impl Layer for Gpt {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let GptConfig { vocabulary, context, layers, width, dropout, bias, tied, .. } = self.config;
        let named = |error: Error| Error::Config(format!("Gpt: {error}"));
        for (name, size) in [("vocabulary", vocabulary), ("context", context), ("layers", layers), ("width", width)] {
            if size == 0 {
                return Err(Error::Config(format!("Gpt: `{name}` must be at least 1, not 0")));
            }
        }
        let &[places] = &**input else {
            return Err(Error::Config(format!(
                "Gpt takes samples of shape [T], tokens, but its input has shape {input}"
            )));
        };
        if places == 0 || places > context {
            return Err(Error::Config(format!(
                "Gpt takes sequences of 1 to {context} tokens (the context), not {places}"
            )));
        }
        if !(0.0..1.0).contains(&dropout) {
            return Err(Error::Config(format!("Gpt: the dropout rate {dropout} is not within [0, 1)")));
        }
        let block = self.block().plan_features(width).map_err(named)?;
        let vectors = vocabulary.saturating_mul(if tied { 1 } else { 2 }).saturating_add(context).saturating_mul(width);
        let norm = width.saturating_mul(if bias { 2 } else { 1 });
        let weights = block.saturating_mul(layers).saturating_add(vectors).saturating_add(norm);
        Ok(Plan { output_shape: Shape::try_new(&[places, vocabulary])?, weights })
    }

    fn build(&mut self, _input: &Shape, rng: &mut Rng) -> Result<()> {
        let GptConfig { vocabulary, context, layers, width, bias, tied, .. } = self.config;
        let init = Initializer::Normal(0.02);
        let mut tokens = Embedding::new(vocabulary, width).initializer(init);
        tokens.build(&Shape::try_new(&[context])?, rng)?;
        let mut positions = LearnedPositions::new(context);
        positions.build(&Shape::try_new(&[context, width])?, rng)?;
        let mut blocks = Vec::new();
        for _ in 0..layers {
            let mut block = self.block();
            block.build_features(width, rng)?;
            initialize(&mut block, layers, rng);
            blocks.push(block);
        }
        let norm = if bias { LayerNorm::with(width) } else { LayerNorm::with(width).without_bias() };
        let head = (!tied).then(|| Linear::from_weights(init.make(&[vocabulary, width], rng).requires_grad(), None));
        self.parts = Some(Parts { tokens, positions, blocks, norm, head });
        Ok(())
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        let GptConfig { layers, heads, width, .. } = self.config;
        format!("Gpt ({layers} layers, {heads} heads, width {width})")
    }
}

/// Gives a block the weights with which GPT-2 begins.
fn initialize(block: &mut TransformerEncoderLayer, layers: usize, rng: &mut Rng) {
    block.visit_mut("", &mut |name, tensor| {
        let init = match tensor.rank() {
            // What adds to the residual stream, which grows with the number of layers.
            2 if name_in_block(name).contains("c_proj") => Initializer::Normal(0.02 / (2.0 * layers as f64).sqrt()),
            2 => Initializer::Normal(0.02),
            _ if name.starts_with("norm") => return,
            _ => Initializer::Zeros,
        };
        *tensor = init.make(tensor.shape(), rng).requires_grad();
    });
}

impl LayerKind for Gpt {
    const NAME: &'static str = "gpt";
}
