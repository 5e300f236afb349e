//! Attention with several heads.

use serde::{Deserialize, Serialize};

use super::cache::{Cache, Memory};
use super::dot_product::{attention_weights, scaled_dot_product_attention};
use super::positions::{check_sequence, plan_sequence};
use super::projections::{InputWeights, Projections};
use super::settings::{is_no_dropout, yes};
use super::{AttentionMask, rotary};
use crate::nn::{Context, Dropout, Forward, Initializer, Layer, LayerConfig, LayerKind, Linear, Module, Plan};
use crate::{Error, Result, Rng, Shape, Tensor};

/// Multi-head attention (Vaswani and others, NeurIPS 2017, section 3.2.2): `H` heads attend in parallel, each in `E / H` features of its own,
/// `concat(head_1, .., head_H) W_O` with `head_i = attention(Q W_Q_i, K W_K_i, V W_V_i)`. As a layer it attends to its own input: input and
/// output `[N, T, E]`, with `E` inferred. [`attend`](MultiHeadAttention::attend) takes queries, keys and values, and masks.
///
/// Parameters have PyTorch's names and shapes, and its initialization: `in_proj_weight` `[3E, E]`, Glorot uniform, `in_proj_bias` `[3E]`,
/// zeros, `out_proj.weight` `[E, E]`, uniform in ±1/sqrt(E), `out_proj.bias` `[E]`, zeros.
///
/// In a [`Stream`](crate::nn::Stream), a causal layer keeps the keys and values of what it has seen. Of sequences that were padded (see
/// [`Embedding::padding_index`](crate::nn::Embedding::padding_index)), the layer leaves out the padding.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([16, 32]).add(MultiHeadAttention::new(4).causal()).build()?;
/// assert_eq!(model.output_shape(), Some([16, 32].into()));
/// assert_eq!(model.parameter_count(), 4 * (32 * 32 + 32));
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "MultiheadAttention")]
#[doc(alias = "self-attention")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiHeadAttention {
    // Defaults are not written to files.
    heads: usize,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    causal: bool,
    #[serde(default, skip_serializing_if = "is_no_dropout")]
    dropout: f64,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    use_bias: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotary_base: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_value_sizes: Option<(usize, usize)>,
    /// Keras's initialization instead of PyTorch's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    keras: bool,
    #[serde(skip)]
    weights: Option<Projections>,
}

const NOT_CAUSAL: &str = "only attention that is causal(), without other masks, can take a sequence piece by piece: in any other, earlier \
                          places attend to later ones";

impl MultiHeadAttention {
    /// With PyTorch's defaults: a bias, no dropout, not causal.
    pub fn new(heads: usize) -> MultiHeadAttention {
        MultiHeadAttention {
            heads,
            causal: false,
            dropout: 0.0,
            use_bias: true,
            rotary_base: None,
            key_value_sizes: None,
            keras: false,
            weights: None,
        }
    }

    /// With Keras's initialization: Glorot uniform with the fans that Keras counts for its kernels, which are `[E, H, E / H]` for queries,
    /// keys and values and `[H, E / H, E]` for the output; zeros for biases.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = MultiHeadAttention::keras(2).built([5, 8], &mut Rng::new(0))?;
    /// let limit = (6.0 / (2.0 * 8.0 + 4.0 * 8.0f64)).sqrt();
    /// assert!(layer.state_dict()[0].1.abs().max().item() <= limit);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keras(heads: usize) -> MultiHeadAttention {
        MultiHeadAttention { keras: true, ..MultiHeadAttention::new(heads) }
    }

    /// For a module of your own: a layer of `embed_dim` features, ready to be used.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let attention = MultiHeadAttention::with(8, 2, &mut Rng::new(0));
    /// let x = Tensor::ones([1, 5, 8]);
    /// assert_eq!(attention.forward(&x, &mut Context::evaluation()).shape(), &[1, 5, 8]);
    /// ```
    ///
    /// # Panics
    /// If `embed_dim` is 0 or does not divide by the number of heads.
    #[track_caller]
    pub fn with(embed_dim: usize, heads: usize, rng: &mut Rng) -> MultiHeadAttention {
        match MultiHeadAttention::new(heads).built([1, embed_dim], rng) {
            Ok(layer) => layer,
            Err(error) => panic!("{error}"),
        }
    }

    /// No query attends to what comes after it. Default: every query attends to all keys.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let attention = MultiHeadAttention::with(4, 2, &mut Rng::new(0)).causal();
    /// let x = Tensor::randn([1, 3, 4], &mut Rng::new(1));
    /// let y = |x: &Tensor| attention.forward(x, &mut Context::evaluation()).slice(1, ..2).to_vec::<f32>();
    /// let other = hadal::concat(&[x.slice(1, ..2), Tensor::ones([1, 1, 4])], 1);
    /// assert_eq!(y(&x), y(&other)); // whatever comes third
    /// ```
    pub fn causal(mut self) -> MultiHeadAttention {
        self.causal = true;
        self
    }

    /// Dropout of the attention weights in training. Default: 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert!(MultiHeadAttention::new(2).dropout(1.5).plan(&[3, 8].into()).is_err());
    /// ```
    pub fn dropout(mut self, rate: f64) -> MultiHeadAttention {
        self.dropout = rate;
        self
    }

    /// Leaves the biases out.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = MultiHeadAttention::new(2).without_bias().built([5, 8], &mut Rng::new(0))?;
    /// assert_eq!(layer.parameter_count(), 4 * 8 * 8);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn without_bias(mut self) -> MultiHeadAttention {
        self.use_bias = false;
        if let Some(weights) = &mut self.weights {
            weights.in_proj_bias = None;
            weights.out_proj.bias = None;
        }
        self
    }

    /// Turns queries and keys by their positions, [`rotary`] with this base, usually 10000. Default: attention does not know positions.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = MultiHeadAttention::new(2).rotary(10000.0).built([5, 8], &mut Rng::new(0))?;
    /// let y = layer.forward(&Tensor::ones([1, 5, 8]), &mut Context::evaluation());
    /// assert_eq!(y.shape(), &[1, 5, 8]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn rotary(mut self, base: f64) -> MultiHeadAttention {
        self.rotary_base = Some(base);
        self
    }

    /// Features of keys and values, where they are not those of the queries: PyTorch's `kdim` and `vdim`. The weights are then
    /// `q_proj_weight`, `k_proj_weight` and `v_proj_weight`. Set it before the layer is built.
    ///
    /// ```
    /// use hadal::nn::AttentionMask;
    /// use hadal::prelude::*;
    /// let layer = MultiHeadAttention::new(2).key_value_sizes(6, 5).built([3, 8], &mut Rng::new(0))?;
    /// let (query, key, value) = (Tensor::ones([1, 3, 8]), Tensor::ones([1, 7, 6]), Tensor::ones([1, 7, 5]));
    /// let y = layer.attend(&query, &key, &value, &AttentionMask::new(), &mut Context::evaluation());
    /// assert_eq!(y.shape(), &[1, 3, 8]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    #[doc(alias = "kdim")]
    #[doc(alias = "vdim")]
    pub fn key_value_sizes(mut self, key: usize, value: usize) -> MultiHeadAttention {
        self.key_value_sizes = Some((key, value));
        self
    }

    /// The attention of `query` `[N, T, E]` to `key` and `value` `[N, S, ..]`, as far as `mask` and [`causal`](MultiHeadAttention::causal)
    /// let it: `[N, T, E]`.
    ///
    /// ```
    /// use hadal::nn::AttentionMask;
    /// use hadal::prelude::*;
    /// let attention = MultiHeadAttention::with(8, 2, &mut Rng::new(0));
    /// let (target, memory) = (Tensor::ones([1, 5, 8]), Tensor::ones([1, 9, 8]));
    /// let y = attention.attend(&target, &memory, &memory, &AttentionMask::new(), &mut Context::evaluation());
    /// assert_eq!(y.shape(), &[1, 5, 8]);
    /// ```
    ///
    /// # Panics
    /// If the layer has not been built, or shapes do not fit.
    #[track_caller]
    pub fn attend(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        mask: &AttentionMask,
        ctx: &mut Context,
    ) -> Tensor {
        let weights = self.weights();
        let [q, k, v] = weights.heads_of(self.heads, [query, key, value]);
        let (q, k) = self.placed(q, k, 0);
        self.finish(weights, (&q, &k, &v), mask, ctx)
    }

    /// [`attend`](MultiHeadAttention::attend), and the weights with which each query attends to each key, after dropout: `[N, H, T, S]`.
    /// PyTorch gives their mean over the heads.
    ///
    /// ```
    /// use hadal::nn::AttentionMask;
    /// use hadal::prelude::*;
    /// let attention = MultiHeadAttention::with(8, 2, &mut Rng::new(0));
    /// let (x, mask) = (Tensor::randn([1, 5, 8], &mut Rng::new(1)), AttentionMask::new());
    /// let (_, weights) = attention.attend_with_weights(&x, &x, &x, &mask, &mut Context::evaluation());
    /// assert_eq!(weights.shape(), &[1, 2, 5, 5]);
    /// assert!((weights.sum_axes(&[-1]) - 1.0).abs().max().item() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// As [`attend`](MultiHeadAttention::attend).
    #[doc(alias = "need_weights")]
    #[track_caller]
    pub fn attend_with_weights(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        mask: &AttentionMask,
        ctx: &mut Context,
    ) -> (Tensor, Tensor) {
        let weights = self.weights();
        let [q, k, v] = weights.heads_of(self.heads, [query, key, value]);
        let (q, k) = self.placed(q, k, 0);
        let shares = self.shares(&q, &k, mask, ctx);
        (weights.join(&shares.matmul(&v), ctx), shares)
    }

    /// The attention of `x` `[N, T, E]` to itself; in a stream, to what came before as well.
    #[track_caller]
    pub(super) fn attend_to_self(&self, x: &Tensor, mask: &AttentionMask, ctx: &mut Context) -> Tensor {
        let weights = self.weights();
        check_sequence("MultiHeadAttention", x);
        if ctx.carried.is_none() {
            return self.attend(x, x, x, mask, ctx);
        }
        assert!((self.causal || mask.is_causal()) && !mask.has_tensors(), "MultiHeadAttention: {NOT_CAUSAL}");
        ctx.carry(|ctx, before: Option<Cache>| {
            let first = before.as_ref().map_or(0, Cache::length);
            let [q, k, v] = weights.heads_of(self.heads, [x; 3]);
            let (q, k) = self.placed(q, k, first);
            let cache = match before {
                Some(mut cache) => {
                    cache.push(&k, &v);
                    cache
                }
                None => Cache::new(&k, &v),
            };
            let y = self.finish(weights, (&q, &cache.keys(), &cache.values()), mask, ctx);
            (y, cache)
        })
    }

    /// The attention of `x` `[N, T, E]` to `memory` `[N, S, E]`, whose keys and values are computed once in a stream.
    #[track_caller]
    pub(super) fn attend_to_memory(
        &self,
        x: &Tensor,
        memory: &Tensor,
        mask: &AttentionMask,
        ctx: &mut Context,
    ) -> Tensor {
        if ctx.carried.is_none() {
            return self.attend(x, memory, memory, mask, ctx);
        }
        let weights = self.weights();
        debug_assert!(self.rotary_base.is_none(), "positions of queries are not known here");
        let fits = x.rank() == 3 && memory.rank() == 3 && x.size(0) == memory.size(0);
        ctx.carry(|ctx, before: Option<Memory>| match before {
            Some(kept) if fits && kept.is_of(memory) => {
                let query = weights.queries_of(self.heads, x);
                (self.finish(weights, (&query, &kept.keys, &kept.values), mask, ctx), kept)
            }
            _ => {
                let [query, keys, values] = weights.heads_of(self.heads, [x, memory, memory]);
                let y = self.finish(weights, (&query, &keys, &values), mask, ctx);
                (y, Memory::new(memory, keys, values))
            }
        })
    }

    #[track_caller]
    fn weights(&self) -> &Projections {
        match &self.weights {
            Some(weights) => weights,
            None => panic!(
                "MultiHeadAttention: the layer has no weights yet; make it with built() or with(), or build or compile the Sequential that \
                 contains it"
            ),
        }
    }

    /// Queries and keys turned by their positions, of which the first is `first`, if they are to be.
    #[track_caller]
    fn placed(&self, query: Tensor, key: Tensor, first: usize) -> (Tensor, Tensor) {
        match self.rotary_base {
            Some(base) => (rotary(&query, first, base), rotary(&key, first, base)),
            None => (query, key),
        }
    }

    /// From queries, keys and values of the heads to the output.
    #[track_caller]
    fn finish(
        &self,
        weights: &Projections,
        (query, key, value): (&Tensor, &Tensor, &Tensor),
        mask: &AttentionMask,
        ctx: &mut Context,
    ) -> Tensor {
        let heads = if self.dropout > 0.0 {
            self.shares(query, key, mask, ctx).matmul(value)
        } else {
            scaled_dot_product_attention(query, key, value, &self.mask_with(mask))
        };
        weights.join(&heads, ctx)
    }

    fn mask_with(&self, mask: &AttentionMask) -> AttentionMask {
        let mask = mask.clone();
        if self.causal { mask.causal() } else { mask }
    }

    /// How much each query attends to each key, after dropout: `[N, H, T, S]`.
    #[track_caller]
    fn shares(&self, query: &Tensor, key: &Tensor, mask: &AttentionMask, ctx: &mut Context) -> Tensor {
        let shares = attention_weights(query, key, &self.mask_with(mask));
        if self.dropout > 0.0 { Dropout::new(self.dropout).forward(&shares, ctx) } else { shares }
    }

    /// Sizes of queries, keys and values for `features` features.
    fn sizes(&self, features: usize) -> [usize; 3] {
        let (key, value) = self.key_value_sizes.unwrap_or((features, features));
        [features, key, value]
    }

    /// Checks the settings and counts the weights.
    pub(super) fn plan_features(&self, features: usize) -> Result<usize> {
        let problem = |text: String| Err(Error::Config(format!("MultiHeadAttention: {text}")));
        if self.heads == 0 {
            return problem("at least 1 head is needed, not 0".into());
        }
        if features == 0 || !features.is_multiple_of(self.heads) {
            return problem(format!("{features} features cannot be divided among {} heads", self.heads));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return problem(format!("the dropout rate {} is not within [0, 1)", self.dropout));
        }
        if self.sizes(features).contains(&0) {
            return problem("keys and values must have at least 1 feature".into());
        }
        if let Some(base) = self.rotary_base {
            crate::optim::check_positive("MultiHeadAttention: the base of rotary positions", base, "10000")?;
            if !(features / self.heads).is_multiple_of(2) {
                return problem(format!(
                    "rotary positions need an even number of features for each head, not {}",
                    features / self.heads
                ));
            }
        }
        let biases = if self.use_bias { features.saturating_mul(4) } else { 0 };
        let sizes = self.sizes(features).into_iter().chain([features]);
        Ok(sizes.fold(biases, |sum, size| sum.saturating_add(size.saturating_mul(features))))
    }

    /// Makes the weights for `features` features.
    pub(super) fn build_features(&mut self, features: usize, rng: &mut Rng) -> Result<()> {
        let (heads, each) = (self.heads, features / self.heads);
        let glorot = Initializer::GlorotUniform;
        let make = |size: usize, rng: &mut Rng| {
            let shape = [features, size];
            let fans = if self.keras { (heads * size, each * size) } else { (size, features) };
            glorot.make_for(&shape, fans.0, fans.1, rng)
        };
        let input = if self.key_value_sizes.is_some() {
            let [query, key, value] = self.sizes(features);
            InputWeights::Apart([make(query, rng), make(key, rng), make(value, rng)].map(Tensor::requires_grad))
        } else {
            let shape = Shape::try_new(&[features.saturating_mul(3), features])?;
            let fans = if self.keras { (heads * features, each * features) } else { (features, 3 * features) };
            InputWeights::Joint(glorot.make_for(&shape, fans.0, fans.1, rng).requires_grad())
        };
        let out = if self.keras {
            glorot.make_for(&[features, features], each * heads, features * heads, rng)
        } else {
            Initializer::TORCH_DEFAULT.make(&[features, features], rng)
        };
        let zeros = |size: usize| self.use_bias.then(|| Tensor::zeros([size]).requires_grad());
        self.weights = Some(Projections {
            input,
            in_proj_bias: zeros(3 * features),
            out_proj: Linear::from_weights(out.requires_grad(), zeros(features)),
        });
        Ok(())
    }
}

impl Module for MultiHeadAttention {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.weights.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.weights.visit_mut(path, visitor);
    }
}

impl Forward for MultiHeadAttention {
    /// # Panics
    /// If the layer has not been built, `x` is not `[N, T, E]`, or it comes in pieces and the layer is not causal.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        self.attend_to_self(x, &AttentionMask::of_lengths("MultiHeadAttention", x, self.causal, ctx), ctx)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        if self.causal {
            return Ok(None);
        }
        Err(Error::Config(format!("MultiHeadAttention: {NOT_CAUSAL}")))
    }
}

impl Layer for MultiHeadAttention {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let (_, features) = plan_sequence("MultiHeadAttention", input)?;
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

    fn label(&self) -> String {
        format!("MultiHeadAttention ({} {})", self.heads, if self.heads == 1 { "head" } else { "heads" })
    }
}

impl LayerKind for MultiHeadAttention {
    const NAME: &'static str = "multi_head_attention";
}
