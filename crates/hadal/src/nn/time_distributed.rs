//! The same layers for each step.

use serde::{Deserialize, Serialize};

use super::{Chain, Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan, Structure};
use crate::{Error, MAX_RANK, Result, Rng, Shape, Tensor};

/// Applies layers to each step of a sequence by itself, with the same parameters: Keras's `TimeDistributed`. Input `[N, T, ..]`, output
/// `[N, T, ..]` with what the layers make of each step. To the layers, a batch has `N * T` samples.
///
/// ```
/// use hadal::nn::TimeDistributed;
/// use hadal::prelude::*;
/// // A film of 10 pictures.
/// let film = TimeDistributed::new(Conv2d::new(8, 3).activation(Relu)).add(GlobalAveragePool);
/// let model = Sequential::new([10, 3, 32, 32]).add(film).build()?;
/// assert_eq!(model.output_shape(), Some([10, 8].into()));
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeDistributed {
    chain: Chain,
    /// The number of steps that it was built for.
    #[serde(skip)]
    steps: usize,
}

impl TimeDistributed {
    /// This layer for each step.
    ///
    /// ```
    /// use hadal::nn::TimeDistributed;
    /// use hadal::prelude::*;
    /// let layer = TimeDistributed::new(Dense::new(5)).built([7, 3], &mut Rng::new(0))?;
    /// assert_eq!(layer.forward(&Tensor::ones([2, 7, 3]), &mut Context::evaluation()).shape(), &[2, 7, 5]);
    /// assert_eq!(layer.parameter_count(), 3 * 5 + 5);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(layer: impl Layer + 'static) -> TimeDistributed {
        TimeDistributed { chain: Chain::new().add(layer), steps: 1 }
    }

    /// Appends a layer.
    ///
    /// ```
    /// use hadal::nn::TimeDistributed;
    /// use hadal::prelude::*;
    /// let layers = TimeDistributed::new(Dense::new(5)).add(Relu).add(Dense::new(3));
    /// assert_eq!(layers.label(), "TimeDistributed of 3");
    /// ```
    #[expect(clippy::should_implement_trait, reason = "Keras's name")]
    pub fn add(self, layer: impl Layer + 'static) -> TimeDistributed {
        TimeDistributed { chain: self.chain.add(layer), ..self }
    }
}

impl Module for TimeDistributed {
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
        self.chain.min_batch_size().div_ceil(self.steps.max(1))
    }
}

/// `[N, T, ..]` as `[N * T, ..]`.
#[track_caller]
fn steps(x: &Tensor) -> Tensor {
    assert!(x.rank() >= 2, "TimeDistributed: the input has shape {}, but the layer takes [N, T, ..]", x.shape());
    let mut sizes = vec![x.size(0) * x.size(1)];
    sizes.extend_from_slice(&x.shape()[2..]);
    x.reshape(sizes)
}

impl Forward for TimeDistributed {
    /// # Panics
    /// If `x` has fewer than 2 axes, or as the layers.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        // Those of the steps' sequences; within a step there are others, if any, and they are whole.
        let (lengths, carried) = (ctx.take_lengths(), ctx.carried.take());
        let y = self.chain.forward(&steps(x), ctx);
        (ctx.lengths, ctx.carried) = (lengths, carried);
        let mut sizes = vec![x.size(0), x.size(1)];
        sizes.extend_from_slice(&y.shape()[1..]);
        y.reshape(sizes)
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        if x.rank() < 2 {
            return Err(Error::Data(format!("TimeDistributed takes inputs [N, T, ..], not of shape {}", x.shape())));
        }
        self.chain.check_inputs(&steps(x))
    }
}

impl Layer for TimeDistributed {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let Some((&count, step)) = input.split_first() else {
            return Err(Error::Config(
                "TimeDistributed takes samples of shape [T, ..], but its input is a scalar".into(),
            ));
        };
        let plan = self.chain.plan(&Shape::try_new(step)?)?;
        let mut sizes = vec![count];
        sizes.extend_from_slice(&plan.output_shape);
        // One axis more is for the samples of a batch.
        if sizes.len() >= MAX_RANK {
            return Err(Error::Config(format!(
                "TimeDistributed: the output of the layers, of shape {}, has too many axes for an axis of steps",
                plan.output_shape
            )));
        }
        Ok(Plan { output_shape: Shape::try_new(&sizes)?, ..plan })
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        if self.chain.keeps_lengths(false)? {
            return Err(Error::Config(
                "TimeDistributed: the output for each step is itself padded sequences; end its layers with a recurrent layer without \
                 return_sequences()"
                    .into(),
            ));
        }
        Ok(padded)
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        self.steps = input[0];
        self.chain.build(&Shape::try_new(&input[1..])?, rng)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("TimeDistributed of {}", self.chain.layers.len())
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Sequence(&self.chain)
    }
}

impl LayerKind for TimeDistributed {
    const NAME: &'static str = "time_distributed";
}
