//! Layers one after another, as a layer.

use serde::{Deserialize, Serialize};

use super::layer::add_relu;
use super::{Activation, Connection, Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan, Structure};
use crate::autograd::Trace;
use crate::{Error, Result, Rng, Shape, Tensor};

/// A sequence of layers that is itself a layer, for [`Residual`](super::Residual) blocks and the branches of
/// [`Parallel`](super::Parallel).
///
/// ```
/// use hadal::nn::{Chain, Residual};
/// use hadal::prelude::*;
/// let block = Chain::new().add(Dense::new(64).activation(Relu)).add(Dense::new(64));
/// let model = Sequential::new([64]).add(Residual::from_chain(block)).build()?;
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    pub(super) layers: Vec<Box<dyn Layer>>,
}

impl Chain {
    /// No layers: the identity.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let x = Tensor::from([[1.0, 2.0]]);
    /// assert_eq!(Chain::new().forward(&x, &mut Context::evaluation()).to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    pub fn new() -> Chain {
        Chain::default()
    }

    /// Appends a layer.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let chain = Chain::new().add(Dense::new(8)).add(Relu).built([4], &mut Rng::new(0))?;
    /// assert_eq!(chain.parameter_count(), 4 * 8 + 8);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    #[expect(clippy::should_implement_trait, reason = "Keras's name")]
    pub fn add(mut self, layer: impl Layer + 'static) -> Chain {
        self.layers.push(Box::new(layer));
        self
    }

    /// The layers, first to last.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(Chain::new().add(Flatten).layers()[0].label(), "Flatten");
    /// ```
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }

    /// What the first `count` layers give.
    #[track_caller]
    fn forward_first(&self, count: usize, x: &Tensor, ctx: &mut Context) -> Tensor {
        let mut y = x.clone();
        let mut layers = self.layers[..count].iter().enumerate().peekable();
        while let Some((index, layer)) = layers.next() {
            let _scope = self.scope(index);
            let relu = layers.next_if(|(_, next)| next.as_activation() == Some(Activation::Relu));
            y = if relu.is_some() { layer.forward_relu(&y, None, ctx) } else { layer.forward(&y, ctx) };
        }
        y
    }

    /// [`forward_relu`](Layer::forward_relu), where what is to be added is computed before the last layer.
    #[track_caller]
    pub(super) fn forward_relu_with(
        &self,
        x: &Tensor,
        ctx: &mut Context,
        added: impl FnOnce(&mut Context) -> Option<Tensor>,
    ) -> Tensor {
        let Some((last, before)) = self.layers.split_last() else { return add_relu(x, added(ctx).as_ref()) };
        let y = self.forward_first(before.len(), x, ctx);
        let added = added(ctx);
        let _scope = self.scope(before.len());
        last.forward_relu(&y, added.as_ref(), ctx)
    }

    /// Names a layer in what is said about what it computes.
    fn scope(&self, index: usize) -> impl Drop {
        Trace::enter(|| format!("layer {} ({})", index + 1, self.layers[index].label()))
    }

    pub(super) fn configs(&self) -> Vec<LayerConfig> {
        self.layers.iter().map(|layer| layer.config()).collect()
    }

    /// The plan of every layer, first to last; errors name the layer and its number.
    pub(super) fn plans(&self, input: &Shape) -> Result<Vec<Plan>> {
        let mut shape = *input;
        let mut plans = Vec::with_capacity(self.layers.len());
        for (number, layer) in self.layers.iter().enumerate() {
            let plan = layer.plan(&shape).map_err(at(number, &**layer))?;
            shape = plan.output_shape;
            plans.push(plan);
        }
        Ok(plans)
    }
}

/// An error of a layer, with its number and name.
fn at(index: usize, layer: &dyn Layer) -> impl Fn(Error) -> Error {
    move |error| Error::Config(format!("layer {} ({}): {error}", index + 1, layer.label()))
}

impl Module for Chain {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.layers.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.layers.visit_mut(path, visitor);
    }

    fn constrain(&mut self) {
        self.layers.constrain();
    }

    fn min_batch_size(&self) -> usize {
        self.layers.min_batch_size()
    }
}

/// The shortest of the longest sequences that several layers take.
pub(super) fn shortest(lengths: impl Iterator<Item = Result<Option<usize>>>) -> Result<Option<usize>> {
    Ok(lengths.collect::<Result<Vec<_>>>()?.into_iter().flatten().min())
}

impl Forward for Chain {
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        self.forward_first(self.layers.len(), x, ctx)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        shortest(self.layers.iter().map(|layer| layer.stream_length()))
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        match self.layers.first() {
            Some(layer) => layer.check_inputs(x),
            None => Ok(()),
        }
    }
}

impl Layer for Chain {
    #[track_caller]
    fn forward_relu(&self, x: &Tensor, added: Option<&Tensor>, ctx: &mut Context) -> Tensor {
        self.forward_relu_with(x, ctx, |_| added.cloned())
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let plans = self.plans(input)?;
        let weights = plans.iter().fold(0usize, |sum, plan| sum.saturating_add(plan.weights));
        Ok(Plan { output_shape: plans.last().map_or(*input, |plan| plan.output_shape), weights })
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        let mut layers = self.layers.iter().enumerate();
        layers.try_fold(padded, |padded, (index, layer)| layer.keeps_lengths(padded).map_err(at(index, &**layer)))
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        let plans = self.plans(input)?;
        let mut shape = *input;
        for (layer, plan) in self.layers.iter_mut().zip(plans) {
            layer.build(&shape, rng)?;
            shape = plan.output_shape;
        }
        Ok(())
    }

    fn connect(&mut self, connection: Connection, rng: &mut Rng) {
        self.layers.iter_mut().for_each(|layer| layer.connect(connection, rng));
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("Chain of {}", self.layers.len())
    }

    fn output_activation(&self) -> Option<Activation> {
        self.layers.last()?.output_activation()
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Sequence(self)
    }
}

impl LayerKind for Chain {
    const NAME: &'static str = "chain";
}

/// Layers in a file: a list.
pub(super) mod list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Chain;

    pub fn serialize<S: Serializer>(chain: &Chain, serializer: S) -> Result<S::Ok, S::Error> {
        chain.layers.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Chain, D::Error> {
        Ok(Chain { layers: Vec::deserialize(deserializer)? })
    }
}
