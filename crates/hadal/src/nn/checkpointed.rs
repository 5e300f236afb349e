//! A part of a network whose activations are computed again in the backward pass.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Activation, Chain, Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::autograd::{set_recording, with_recomputation};
use crate::{Result, Rng, Shape, Tensor};

/// A [`Chain`] of layers, or a module of your own, that keeps nothing of what it computes but its input, and computes it again when gradients are
/// needed: gradient checkpointing, less memory for more time (Chen and others, "Training deep nets with sublinear memory cost",
/// 2016; PyTorch's `torch.utils.checkpoint`). Outputs and gradients have the same bits; dropout drops the same; running statistics
/// and penalties count once. Parts may lie in each other.
///
/// A network of `n` layers in `sqrt(n)` such parts has the activations of about `2 sqrt(n)` layers in memory, at the cost of one more
/// forward pass. Nothing is gained around a single layer, whose output is the input of the next. A part with
/// [regularizers](super::Regularizer) is computed a third time. End a network's last part before its softmax or sigmoid: a loss on
/// probabilities finds such a function, to send its gradient straight to the logits, only outside of a part.
///
/// ```
/// use hadal::prelude::*;
/// let block = || Chain::new().add(Dense::new(64)).add(BatchNorm::new()).add(Relu).add(Dropout::new(0.2));
/// let model = Sequential::new([8])
///     .add(Checkpointed::new(block().add(Dense::new(64).activation(Relu))))
///     .add(Checkpointed::new(block().add(Dense::new(64).activation(Relu))))
///     .add(Dense::new(3).activation(Softmax))
///     .build()?;
/// // The names are those of the layer itself.
/// assert_eq!(model.state_dict()[0].0, "layers.0.0.weight");
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// In a module of your own, wrap a part of it; a function of tensors can be passed to
/// [`autograd::checkpoint`](crate::autograd::checkpoint):
///
/// ```
/// use hadal::prelude::*;
/// #[derive(Module)]
/// struct Net {
///     hidden: Checkpointed<Linear>,
///     output: Linear,
/// }
///
/// impl Forward for Net {
///     fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
///         self.output.forward(&self.hidden.forward(x, ctx).relu(), ctx)
///     }
/// }
///
/// let mut rng = Rng::new(1);
/// let net = Net { hidden: Checkpointed::new(Linear::new(2, 8, &mut rng)), output: Linear::new(8, 1, &mut rng) };
/// assert_eq!(net.state_dict()[0].0, "hidden.weight");
/// ```
#[doc(alias = "gradient_checkpointing")]
#[doc(alias = "remat")]
pub struct Checkpointed<L = Chain> {
    layer: Arc<RwLock<L>>,
}

/// As the chain.
impl Serialize for Checkpointed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        read(&self.layer).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Checkpointed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Checkpointed, D::Error> {
        Chain::deserialize(deserializer).map(Checkpointed::new)
    }
}

fn read<L>(layer: &RwLock<L>) -> RwLockReadGuard<'_, L> {
    layer.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<L>(layer: &RwLock<L>) -> RwLockWriteGuard<'_, L> {
    layer.write().unwrap_or_else(PoisonError::into_inner)
}

impl<L> Checkpointed<L> {
    /// Around a chain of layers, as a layer of a [`Sequential`](super::Sequential), or around a module.
    pub fn new(layer: L) -> Checkpointed<L> {
        Checkpointed { layer: Arc::new(RwLock::new(layer)) }
    }
}

/// A module that has the tensors of another time, until this is dropped.
struct AsBefore<'a, L: Module> {
    module: RwLockWriteGuard<'a, L>,
    /// The others meanwhile, last first.
    own: Vec<Tensor>,
}

impl<'a, L: Module> AsBefore<'a, L> {
    fn with(module: &'a RwLock<L>, tensors: &[Tensor]) -> AsBefore<'a, L> {
        let (mut module, mut own, mut given) = (write(module), Vec::new(), tensors.iter());
        module.visit_mut("", &mut |_, tensor| {
            if let Some(given) = given.next() {
                own.push(std::mem::replace(tensor, given.clone()));
            }
        });
        own.reverse();
        AsBefore { module, own }
    }
}

impl<L: Module> Drop for AsBefore<'_, L> {
    fn drop(&mut self) {
        let own = &mut self.own;
        self.module.visit_mut("", &mut |_, tensor| own.pop().into_iter().for_each(|before| *tensor = before));
    }
}

impl<L: Module> Module for Checkpointed<L> {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        read(&self.layer).visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        write(&self.layer).visit_mut(path, visitor);
    }

    fn constrain(&mut self) {
        write(&self.layer).constrain();
    }

    fn min_batch_size(&self) -> usize {
        read(&self.layer).min_batch_size()
    }
}

/// The output and the penalties of a module for an input and its tensors, the first and the others of `tensors`.
fn repeat<L: Forward>(module: &RwLock<L>, tensors: &[Tensor], beginning: &Context) -> (Tensor, Option<Tensor>) {
    let (mut ctx, before) = (beginning.repetition(), AsBefore::with(module, &tensors[1..]));
    let y = before.module.forward(&tensors[0], &mut ctx);
    (y, ctx.take_penalty())
}

impl<L: Forward + Send + Sync + 'static> Forward for Checkpointed<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let layer = read(&self.layer);
        // What the layer computes with, and begins with, as it is now: an optimizer's step may come before the backward pass.
        let mut inputs = vec![x.clone()];
        layer.visit("", &mut |_, tensor| inputs.push(tensor.clone()));
        let (beginning, penalties) = (ctx.repetition(), ctx.set_aside());
        let y = {
            let _restore = set_recording(false);
            layer.forward(x, ctx)
        };
        let penalty = ctx.put_back(penalties);
        drop(layer);
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        if let Some(penalty) = penalty {
            let (layer, beginning, first) = (self.layer.clone(), beginning.clone(), penalty.clone());
            let again =
                move |tensors: &[Tensor]| repeat(&layer, tensors, &beginning).1.unwrap_or_else(|| first.clone());
            ctx.penalize(with_recomputation(&penalty, &inputs, again));
        }
        let layer = self.layer.clone();
        with_recomputation(&y, &inputs, move |tensors| repeat(&layer, tensors, &beginning).0)
    }

    fn input_shape(&self) -> Option<Shape> {
        read(&self.layer).input_shape()
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        read(&self.layer).stream_length()
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        read(&self.layer).check_inputs(x)
    }

    fn output_shape(&self) -> Option<Shape> {
        read(&self.layer).output_shape()
    }

    fn describe(&self) -> String {
        read(&self.layer).describe()
    }
}

impl Layer for Checkpointed {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        read(&self.layer).plan(input)
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        read(&self.layer).keeps_lengths(padded)
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        write(&self.layer).build(input, rng)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("Checkpointed {}", read(&self.layer).label().to_lowercase())
    }

    fn output_activation(&self) -> Option<Activation> {
        read(&self.layer).output_activation()
    }
}

impl LayerKind for Checkpointed {
    const NAME: &'static str = "checkpointed";
}
