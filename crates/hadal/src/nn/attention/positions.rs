//! Where in a sequence a place is, added to what stands there.

use serde::{Deserialize, Serialize};

use super::rotary::angles;
use crate::nn::{Context, Forward, Initializer, Layer, LayerConfig, LayerKind, Module, Plan, join};
use crate::{Error, Result, Rng, Shape, Tensor, stack};

/// Adds sines and cosines of the position (Vaswani and others, NeurIPS 2017, section 3.5): feature `2i` of place `p` gets
/// `sin(p / 10000^(2i / E))`, feature `2i + 1` the cosine of that. Input and output `[N, T, E]`. In a [`Stream`](crate::nn::Stream),
/// places go on from piece to piece.
///
/// ```
/// use hadal::nn::SinusoidalPositions;
/// use hadal::prelude::*;
/// let y = SinusoidalPositions.forward(&Tensor::zeros([1, 2, 2]), &mut Context::evaluation());
/// assert_eq!(y.to_vec::<f32>(), [0.0, 1.0, 1f32.sin(), 1f32.cos()]);
/// ```
#[doc(alias = "SinePositionEncoding")]
#[derive(Clone, Copy, Debug, Default, Module, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinusoidalPositions;

impl Forward for SinusoidalPositions {
    /// # Panics
    /// If `x` is not `[N, T, E]`.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let (places, features) = check_sequence("SinusoidalPositions", x);
        let first = first_place("SinusoidalPositions", x, ctx);
        // The last of an odd number of features has no cosine.
        let pairs = features.div_ceil(2);
        let angles = angles(first, places, pairs, 2.0 * 10000.0_f64.ln() / features.max(1) as f64);
        let table = stack(&[angles.sin(), angles.cos()], -1).reshape([places, 2 * pairs]);
        x + table.narrow(1, 0, features).to_dtype(x.dtype())
    }
}

impl Layer for SinusoidalPositions {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        plan_sequence("SinusoidalPositions", input)?;
        Ok(Plan { output_shape: *input, weights: 0 })
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for SinusoidalPositions {
    const NAME: &'static str = "sinusoidal_positions";
}

/// Adds a trainable vector for each of `context` positions, as GPT-2 does. Input and output `[N, T, E]`, with `T` at most the
/// context. The vectors are drawn from a normal distribution with deviation 0.02 (Radford and others, 2018). In a
/// [`Stream`](crate::nn::Stream), places go on from piece to piece; where they reach the context, begin another stream with a window of
/// the last places.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([16]).add(Embedding::new(100, 8)).add(LearnedPositions::new(16)).build()?;
/// assert_eq!(model.state_dict()[1].0, "layers.1.weight");
/// assert_eq!(model.parameter_count(), 100 * 8 + 16 * 8);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "PositionEmbedding")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedPositions {
    context: usize,
    #[serde(default = "gpt2", skip_serializing_if = "is_gpt2")]
    init: Initializer,
    #[serde(skip)]
    weight: Option<Tensor>,
}

/// The initializer of GPT-2.
fn gpt2() -> Initializer {
    Initializer::Normal(0.02)
}

fn is_gpt2(init: &Initializer) -> bool {
    *init == gpt2()
}

impl LearnedPositions {
    /// Vectors for `context` places.
    pub fn new(context: usize) -> LearnedPositions {
        LearnedPositions { context, init: gpt2(), weight: None }
    }

    /// The initializer of the vectors. Default: normal with deviation 0.02.
    ///
    /// ```
    /// use hadal::nn::{Initializer, LearnedPositions};
    /// use hadal::prelude::*;
    /// let layer = LearnedPositions::new(4).initializer(Initializer::Constant(0.5)).built([2, 3], &mut Rng::new(0))?;
    /// assert_eq!(layer.forward(&Tensor::zeros([1, 2, 3]), &mut Context::evaluation()).sum().item(), 3.0);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn initializer(mut self, init: Initializer) -> LearnedPositions {
        self.init = init;
        self
    }
}

impl Module for LearnedPositions {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.weight.visit(&join(path, "weight"), visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.weight.visit_mut(&join(path, "weight"), visitor);
    }
}

impl Forward for LearnedPositions {
    /// # Panics
    /// If the layer has not been built, `x` is not `[N, T, E]`, or the sequence reaches beyond the context.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let Some(weight) = &self.weight else {
            panic!(
                "LearnedPositions: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            );
        };
        let (places, features) = check_sequence("LearnedPositions", x);
        assert!(
            features == weight.size(1),
            "LearnedPositions: the input has shape {}, but the layer expects {} features on the last axis",
            x.shape(),
            weight.size(1)
        );
        let first = first_place("LearnedPositions", x, ctx);
        assert!(
            first.saturating_add(places) <= self.context,
            "LearnedPositions: the sequence reaches {} places, but there are vectors for {} (the context); feed a window of the last \
             places to a new Stream, or build the network with a larger context",
            first.saturating_add(places),
            self.context
        );
        if places == self.context { x + weight } else { x + weight.narrow(0, first, places) }
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        Ok(Some(self.context))
    }
}

impl Layer for LearnedPositions {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let (places, features) = plan_sequence("LearnedPositions", input)?;
        if places > self.context || features == 0 {
            return Err(Error::Config(format!(
                "LearnedPositions has vectors for {} places (the context), but its input has shape {input}",
                self.context
            )));
        }
        self.init.check()?;
        Ok(Plan { output_shape: *input, weights: self.context.saturating_mul(features) })
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        let shape = Shape::try_new(&[self.context, input[1]])?;
        self.weight = Some(self.init.make(&shape, rng).requires_grad());
        Ok(())
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("LearnedPositions ({})", self.context)
    }
}

impl LayerKind for LearnedPositions {
    const NAME: &'static str = "learned_positions";
}

/// The place of the first element of a piece `x` `[N, T, E]`, 0 where sequences come whole.
#[track_caller]
fn first_place(layer: &str, x: &Tensor, ctx: &mut Context) -> usize {
    if ctx.carried.is_none() {
        return 0;
    }
    ctx.lengths_within(layer, x);
    ctx.carry(|_, before: Option<usize>| {
        let first = before.unwrap_or(0);
        (first, first.saturating_add(x.size(1)))
    })
}

/// Places and features of a batch of sequences.
#[track_caller]
pub(super) fn check_sequence(layer: &str, x: &Tensor) -> (usize, usize) {
    assert!(x.rank() == 3, "{layer}: the input has shape {}, but must be [N, T, E]", x.shape());
    (x.size(1), x.size(2))
}

/// Places and features of one sequence.
pub(super) fn plan_sequence(layer: &str, input: &Shape) -> Result<(usize, usize)> {
    match **input {
        [places, features] if places > 0 => Ok((places, features)),
        _ => Err(Error::Config(format!(
            "{layer} takes samples of shape [T, E], sequences of at least 1 place, but its input has shape {input}"
        ))),
    }
}
