//! A shortcut around layers.

use serde::{Deserialize, Serialize};

use super::{Chain, Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan, Structure};
use crate::{Error, Result, Rng, Shape, Tensor};

/// A residual block with an identity shortcut, `x + f(x)`, for layers `f` that keep the shape (He and others, CVPR 2016, eq. 1).
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
#[serde(transparent)]
pub struct Residual {
    chain: Chain,
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
        Residual { chain }
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
        Residual { chain: self.chain.add(layer) }
    }
}

impl Module for Residual {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.chain.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.chain.visit_mut(path, visitor);
    }

    fn constrain(&mut self) {
        self.chain.constrain();
    }

    fn min_batch_size(&self) -> usize {
        self.chain.min_batch_size()
    }
}

impl Forward for Residual {
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        self.chain.forward(x, ctx) + x
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        self.chain.check_inputs(x)
    }
}

impl Layer for Residual {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let plan = self.chain.plan(input)?;
        if plan.output_shape == *input {
            return Ok(plan);
        }
        Err(Error::Config(format!(
            "Residual: the input has shape {input}, but the output of the layers has shape {}; the shapes must be equal",
            plan.output_shape
        )))
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        self.chain.build(input, rng)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("Residual of {}", self.chain.layers.len())
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Residual(&self.chain)
    }
}

impl LayerKind for Residual {
    const NAME: &'static str = "residual";
}
