//! A shortcut around layers.

use serde::{Deserialize, Serialize};

use super::chain::shortest;
use super::layer::add_relu;
use super::{Chain, Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan, Structure, join};
use crate::autograd::Trace;
use crate::{Error, Result, Rng, Shape, Tensor};

/// A residual block, `f(x) + x`, for layers `f` that keep the shape (He and others, CVPR 2016, eq. 1), or `f(x) + s(x)`, where layers
/// [`s`](Residual::shortcut) bring the input to the shape of what is added (eq. 2).
///
/// Parameters have the names of their layers, `0.weight`, and those of the shortcut begin with `shortcut`: `shortcut.0.weight`.
///
/// ```
/// use hadal::nn::Residual;
/// use hadal::prelude::*;
/// let model = Sequential::new([8])
///     .add(Residual::new().add(Dense::new(32).activation(Relu)).add(Dense::new(8)))
///     .build()?;
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    #[serde(rename = "layers", with = "super::chain::list")]
    chain: Chain,
    #[serde(default, rename = "shortcut", with = "optional_list", skip_serializing_if = "Option::is_none")]
    shortcut: Option<Chain>,
}

impl Residual {
    /// Around no layers yet.
    pub fn new() -> Residual {
        Residual::default()
    }

    /// Around these layers.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let block = Residual::from_chain(Chain::new().add(Relu));
    /// let y = block.forward(&Tensor::from([[-1.0, 2.0]]), &mut Context::evaluation());
    /// assert_eq!(y.to_vec::<f32>(), [-1.0, 4.0]);
    /// ```
    pub fn from_chain(chain: Chain) -> Residual {
        Residual { chain, shortcut: None }
    }

    /// Appends a layer to those beside the shortcut.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let y = Residual::new().add(Relu).forward(&Tensor::from([[3.0]]), &mut Context::evaluation());
    /// assert_eq!(y.item(), 6.0);
    /// ```
    #[expect(clippy::should_implement_trait, reason = "Keras's name")]
    pub fn add(self, layer: impl Layer + 'static) -> Residual {
        Residual { chain: self.chain.add(layer), ..self }
    }

    /// Appends a layer to the shortcut, for layers that change the shape: a projection. Without any, the shortcut is the identity.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// // The first block of a stage of a ResNet: twice the channels, half the height and width.
    /// let block = Residual::new()
    ///     .add(Conv2d::new(32, 3).stride(2).padding(1).without_bias())
    ///     .add(BatchNorm::new())
    ///     .add(Relu)
    ///     .add(Conv2d::new(32, 3).padding(1).without_bias())
    ///     .add(BatchNorm::new())
    ///     .shortcut(Conv2d::new(32, 1).stride(2).without_bias())
    ///     .shortcut(BatchNorm::new());
    /// let model = Sequential::new([16, 8, 8]).add(block).add(Relu).build()?;
    /// assert_eq!(model.output_shape(), Some([32, 4, 4].into()));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn shortcut(self, layer: impl Layer + 'static) -> Residual {
        Residual { shortcut: Some(self.shortcut.unwrap_or_default().add(layer)), ..self }
    }

    /// What is added to the layers' output.
    #[track_caller]
    fn beside(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let Some(shortcut) = &self.shortcut else { return x.clone() };
        let _scope = Trace::enter(|| "shortcut".to_owned());
        shortcut.forward(x, ctx)
    }
}

impl Module for Residual {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.chain.visit(path, visitor);
        self.shortcut.visit(&join(path, "shortcut"), visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.chain.visit_mut(path, visitor);
        self.shortcut.visit_mut(&join(path, "shortcut"), visitor);
    }

    fn constrain(&mut self) {
        self.chain.constrain();
        self.shortcut.constrain();
    }

    fn min_batch_size(&self) -> usize {
        self.chain.min_batch_size().max(self.shortcut.min_batch_size())
    }
}

impl Forward for Residual {
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        self.chain.forward(x, ctx) + self.beside(x, ctx)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        shortest([Some(&self.chain), self.shortcut.as_ref()].into_iter().flatten().map(Forward::stream_length))
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        self.chain.check_inputs(x)?;
        self.shortcut.as_ref().map_or(Ok(()), |shortcut| shortcut.check_inputs(x))
    }
}

impl Layer for Residual {
    #[track_caller]
    fn forward_relu(&self, x: &Tensor, added: Option<&Tensor>, ctx: &mut Context) -> Tensor {
        match added {
            Some(_) => add_relu(&self.forward(x, ctx), added),
            None => self.chain.forward_relu_with(x, ctx, |ctx| Some(self.beside(x, ctx))),
        }
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let plan = self.chain.plan(input)?;
        let Some(shortcut) = &self.shortcut else {
            if plan.output_shape == *input {
                return Ok(plan);
            }
            return Err(Error::Config(format!(
                "Residual: the input has shape {input}, but the output of the layers has shape {}; the shapes must be equal, or a \
                 shortcut must change that of the input",
                plan.output_shape
            )));
        };
        let beside = shortcut.plan(input).map_err(|error| Error::Config(format!("shortcut: {error}")))?;
        if plan.output_shape == beside.output_shape {
            return Ok(Plan { weights: plan.weights.saturating_add(beside.weights), ..plan });
        }
        Err(Error::Config(format!(
            "Residual: the output of the layers has shape {}, but that of the shortcut {}; the shapes must be equal",
            plan.output_shape, beside.output_shape
        )))
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        let beside = self.shortcut.as_ref().map_or(Ok(padded), |shortcut| shortcut.keeps_lengths(padded))?;
        match self.chain.keeps_lengths(padded)? {
            own if own == padded && beside == padded => Ok(padded),
            _ => Err(Error::Config(
                "Residual: padded sequences must come out as they come in; use return_sequences() within, and an Embedding before the block"
                    .into(),
            )),
        }
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        self.chain.build(input, rng)?;
        self.shortcut.as_mut().map_or(Ok(()), |shortcut| shortcut.build(input, rng))
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("Residual of {}", self.chain.layers.len())
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Residual(&self.chain, self.shortcut.as_ref())
    }
}

impl LayerKind for Residual {
    const NAME: &'static str = "residual";
}

/// A chain in a file, where there may be none.
mod optional_list {
    use serde::{Deserializer, Serializer};

    use super::Chain;
    use crate::nn::chain::list;

    pub fn serialize<S: Serializer>(chain: &Option<Chain>, serializer: S) -> Result<S::Ok, S::Error> {
        match chain {
            Some(chain) => list::serialize(chain, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Chain>, D::Error> {
        list::deserialize(deserializer).map(Some)
    }
}
