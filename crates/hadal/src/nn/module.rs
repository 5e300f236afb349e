//! The `Module` and `Forward` traits of layers and networks.

use std::collections::BTreeMap;

use super::{Context, LoadOptions, LoadReport};
use crate::data::Preprocessing;
use crate::{DType, Error, Result, Shape, Tensor};

/// A module: a layer or network with named parameters such as `fc1.weight`. Usually derived with `#[derive(Module)]`.
///
/// Tensors that require a gradient are the parameters; others (running statistics, say) are state that is saved with
/// them but not trained.
///
/// ```
/// use hadal::prelude::*;
/// #[derive(Module)]
/// struct Net {
///     fc1: Linear,
///     scale: Tensor,
/// }
///
/// let net = Net { fc1: Linear::new(2, 3, &mut Rng::new(0)), scale: Tensor::ones([1]) };
/// let names: Vec<String> = net.state_dict().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["fc1.weight", "fc1.bias", "scale"]);
/// assert_eq!(net.parameter_count(), 2 * 3 + 3); // `scale` requires no gradient
/// ```
pub trait Module {
    /// Calls `visitor` for every tensor below this one, with its dotted name under `path`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Linear::new(2, 3, &mut Rng::new(0));
    /// let mut shapes = Vec::new();
    /// layer.visit("fc1", &mut |name, tensor| shapes.push(format!("{name} {}", tensor.shape())));
    /// assert_eq!(shapes, ["fc1.weight [3, 2]", "fc1.bias [3]"]);
    /// ```
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor));

    /// As [`visit`](Module::visit), in the same order, to change the tensors.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut layer = Linear::new(2, 3, &mut Rng::new(0));
    /// layer.visit_mut("", &mut |_, tensor| tensor.assign(&tensor.zeros_like()));
    /// assert_eq!(layer.weight.abs().max().item(), 0.0);
    /// ```
    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor));

    /// Applies the weight constraints of all layers, for example a maximum norm. `fit` calls it after every
    /// step; a loop of your own does so too if there are such limits. Default: there are none.
    fn constrain(&mut self) {}

    /// The smallest batch that the module can be trained on, in samples: 2 for a [`BatchNorm`](super::BatchNorm) that sees one
    /// value per feature and sample. `fit` checks it. Default: 1.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(Linear::new(2, 3, &mut Rng::new(0)).min_batch_size(), 1);
    /// assert_eq!(BatchNorm::with(3).min_batch_size(), 2);
    /// ```
    fn min_batch_size(&self) -> usize {
        1
    }

    /// The module itself, where it is a [`Sequential`](super::Sequential), for callbacks that walk its layers. Default: it is none.
    fn as_sequential(&self) -> Option<&super::Sequential> {
        None
    }

    /// Freezes the parameters whose names begin with `prefix`; the empty prefix freezes all. Frozen tensors are no longer
    /// leaves: they get no gradients, and neither weight decay nor constraints change them.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut model = Sequential::new([4]).add(Dense::new(3)).add(Dense::new(2)).build()?;
    /// model.freeze("layers.0.")?;
    /// assert_eq!(model.parameter_count(), 3 * 2 + 2);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If no tensor has such a name.
    fn freeze(&mut self, prefix: &str) -> Result<()> {
        each_named(self, prefix, |tensor| *tensor = tensor.detach())
    }

    /// Unfreezes the tensors whose names begin with `prefix`. Non-trainable state such as running means stays non-trainable.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut model = Sequential::new([4]).add(Dense::new(3)).add(Dense::new(2)).build()?;
    /// model.freeze("")?;
    /// model.unfreeze("layers.1.")?;
    /// assert_eq!(model.parameter_count(), 3 * 2 + 2);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If no tensor has such a name.
    fn unfreeze(&mut self, prefix: &str) -> Result<()> {
        each_named(self, prefix, |tensor| {
            if !tensor.is_leaf() && tensor.dtype().is_float() {
                *tensor = tensor.detach().requires_grad();
            }
        })
    }

    /// All parameters and state tensors with their names, in order: PyTorch's `state_dict`. The tensors share storage with the
    /// module.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Linear::new(2, 3, &mut Rng::new(0));
    /// let names: Vec<String> = layer.state_dict().into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["weight", "bias"]);
    /// ```
    fn state_dict(&self) -> Vec<(String, Tensor)> {
        let mut state = Vec::new();
        self.visit("", &mut |name, tensor| state.push((name.to_owned(), tensor.clone())));
        state
    }

    /// The number of trainable parameters.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(Linear::new(784, 10, &mut Rng::new(0)).parameter_count(), 7850);
    /// ```
    fn parameter_count(&self) -> usize {
        let mut count = 0;
        self.visit("", &mut |_, tensor| count += if tensor.is_leaf() { tensor.elements() } else { 0 });
        count
    }

    /// Loads parameters and state by name: PyTorch's `load_state_dict`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let trained = Linear::new(2, 3, &mut Rng::new(1));
    /// let mut layer = Linear::new(2, 3, &mut Rng::new(2));
    /// layer.load_state_dict(&trained.state_dict().into_iter().collect())?;
    /// assert_eq!(layer.weight.to_vec::<f32>(), trained.weight.to_vec::<f32>());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a name is missing or unknown, or a shape or dtype differs; then nothing has been changed.
    fn load_state_dict(&mut self, state_dict: &BTreeMap<String, Tensor>) -> Result<()> {
        super::load::load(self, state_dict, &LoadOptions::new()).map(drop)
    }

    /// As [`load_state_dict`](Module::load_state_dict), for a part of the tensors, under a prefix, or with their names mapped;
    /// returns what did not match. A part of a model is loaded by calling it on that part.
    ///
    /// ```
    /// use hadal::nn::LoadOptions;
    /// use hadal::prelude::*;
    /// let mut model = Sequential::new([2]).add(Dense::new(3)).add(Dense::new(1)).build()?;
    /// let first = [("layers.0.bias".to_string(), Tensor::ones([3]))].into();
    /// let report = model.load_state_dict_with(&first, &LoadOptions::new().strict(false))?;
    /// assert_eq!(report.missing, ["layers.0.weight", "layers.1.weight", "layers.1.bias"]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a shape or dtype differs, or, unless the options say otherwise, a name is missing or unexpected; then nothing has been
    /// changed.
    fn load_state_dict_with(
        &mut self,
        state_dict: &BTreeMap<String, Tensor>,
        options: &LoadOptions,
    ) -> Result<LoadReport> {
        super::load::load(self, state_dict, options)
    }
}

/// The name of a type that is not this library's.
fn own_name<T: ?Sized>() -> Option<&'static str> {
    let name = std::any::type_name::<T>();
    let is_own = !name.starts_with(concat!(env!("CARGO_CRATE_NAME"), "::"));
    is_own.then(|| name.split('<').next().and_then(|path| path.rsplit("::").next())).flatten()
}

fn each_named<M: Module + ?Sized>(module: &mut M, prefix: &str, change: impl Fn(&mut Tensor)) -> Result<()> {
    let mut found = false;
    module.visit_mut("", &mut |name, tensor| {
        if name.starts_with(prefix) {
            found = true;
            change(tensor);
        }
    });
    if found {
        return Ok(());
    }
    let mut names = Vec::new();
    module.visit("", &mut |name, _| names.push(name.to_owned()));
    Err(Error::Config(format!("no tensor's name begins with `{prefix}`; the names are {}", names.join(", "))))
}

/// A module that maps a tensor to a tensor.
///
/// ```
/// use hadal::prelude::*;
/// #[derive(Module)]
/// struct Autoencoder {
///     encoder: Linear,
///     decoder: Linear,
/// }
///
/// impl Forward for Autoencoder {
///     fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
///         self.decoder.forward(&self.encoder.forward(x, ctx).tanh(), ctx)
///     }
/// }
///
/// let mut rng = Rng::new(0);
/// let model = Autoencoder { encoder: Linear::new(8, 2, &mut rng), decoder: Linear::new(2, 8, &mut rng) };
/// assert_eq!(model.forward(&Tensor::ones([4, 8]), &mut Context::evaluation()).shape(), &[4, 8]);
/// ```
pub trait Forward: Module {
    /// The output for `x`, whose first axis counts the samples of a batch. `ctx` says whether this is training.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let y = Relu.forward(&Tensor::from([[-1.0, 2.0]]), &mut Context::evaluation());
    /// assert_eq!(y.to_vec::<f32>(), [0.0, 2.0]);
    /// ```
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor;

    /// The shape of one sample that the module expects, where it knows; data is checked against it before a run.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([784]).add(Dense::new(10)).build()?;
    /// assert_eq!(model.input_shape(), Some([784].into()));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    fn input_shape(&self) -> Option<Shape> {
        None
    }

    /// Checks the numbers of a batch of inputs: their dtype, and the range of indices. Default: any floating-point numbers
    /// will do, and nothing else; a module that takes indices says so here.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// #[derive(Module)]
    /// struct Words {
    ///     embedding: Embedding,
    /// }
    ///
    /// impl Forward for Words {
    ///     fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
    ///         self.embedding.forward(x, ctx).mean_axes(&[1])
    ///     }
    ///
    ///     fn check_inputs(&self, x: &Tensor) -> hadal::Result<()> {
    ///         self.embedding.check_inputs(x)
    ///     }
    /// }
    ///
    /// let model = Words { embedding: Embedding::with(100, 8, &mut Rng::new(0)) };
    /// assert!(model.check_inputs(&Tensor::from([[1, 99]])).is_ok());
    /// assert!(model.check_inputs(&Tensor::from([[1, 100]])).is_err());
    /// assert!(model.check_inputs(&Tensor::from([[1.0, 2.0]])).is_err()); // no indices
    /// ```
    ///
    /// # Errors
    /// A message that says what does not fit.
    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        if x.dtype().is_float() {
            return Ok(());
        }
        let refused = format!("the model takes floating-point inputs, not {}; convert them with to_dtype", x.dtype());
        Err(Error::Data(match own_name::<Self>() {
            Some(name) if x.dtype() == DType::I64 => format!(
                "{refused}; if {name} takes indices, as one that begins with an Embedding does, write its `check_inputs` (Forward), for \
                 example: self.embedding.check_inputs(x)"
            ),
            _ => refused,
        }))
    }

    /// The length of the longest sequence that the module takes piece by piece, in a [`Stream`](super::Stream), if it is limited; a
    /// [`Generator`](super::Generator) asks. Default: it is not.
    ///
    /// ```
    /// use hadal::nn::LearnedPositions;
    /// use hadal::prelude::*;
    /// assert_eq!(Lstm::new(8).stream_length()?, None);
    /// assert_eq!(LearnedPositions::new(64).stream_length()?, Some(64));
    /// assert!(Lstm::new(8).bidirectional().stream_length().is_err());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it does not take pieces, because the output at one place depends on others; then `forward` panics in a stream.
    fn stream_length(&self) -> Result<Option<usize>> {
        Ok(None)
    }

    /// The transforms of the data that the module was trained on, where it keeps them.
    fn preprocessing(&self) -> Option<&Preprocessing> {
        None
    }

    /// Tells the module the transforms of the data that it is trained on; [`fit`](crate::train::Trainer::fit) does so. Default:
    /// it does not keep them.
    fn set_preprocessing(&mut self, preprocessing: &Preprocessing) {
        let _ = preprocessing;
    }

    /// The shape of one sample's output, where it is known.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([784]).add(Dense::new(10)).build()?;
    /// assert_eq!(model.output_shape(), Some([10].into()));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    fn output_shape(&self) -> Option<Shape> {
        None
    }

    /// The settings beside the parameters, such as rates of dropout, one to a line: what must be the same for a run to be
    /// [resumed](crate::train::Trainer::resume). Default: none; a module of your own that has some says them here.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([784]).add(Dropout::new(0.2)).build()?;
    /// assert_eq!(model.describe(), r#"{"layer":"dropout","rate":0.2}"#);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    fn describe(&self) -> String {
        String::new()
    }
}

/// `path.name`, or `name` alone at the root.
///
/// ```
/// use hadal::nn::join;
/// assert_eq!(join("layers.0", "weight"), "layers.0.weight");
/// assert_eq!(join("", "weight"), "weight");
/// ```
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        return name.to_owned();
    }
    // An optimizer asks for all names at every step.
    let mut joined = String::with_capacity(path.len() + 1 + name.len());
    joined.push_str(path);
    joined.push('.');
    joined.push_str(name);
    joined
}

impl Module for Tensor {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        visitor(path, self);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        visitor(path, self);
    }
}

/// Modules in sequence are named by their index.
macro_rules! sequence {
    ($($generics:tt)*) => {
        impl $($generics)* {
            fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
                for (index, module) in self.iter().enumerate() {
                    module.visit(&join(path, &index.to_string()), visitor);
                }
            }

            fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
                for (index, module) in self.iter_mut().enumerate() {
                    module.visit_mut(&join(path, &index.to_string()), visitor);
                }
            }

            fn constrain(&mut self) {
                self.iter_mut().for_each(|module| module.constrain());
            }

            fn min_batch_size(&self) -> usize {
                self.iter().map(Module::min_batch_size).max().unwrap_or(1)
            }
        }
    };
}
sequence!(<M: Module> Module for Vec<M>);
sequence!(<M: Module> Module for [M]);
sequence!(<M: Module, const N: usize> Module for [M; N]);

impl<M: Module> Module for Option<M> {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        if let Some(module) = self {
            module.visit(path, visitor);
        }
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        if let Some(module) = self {
            module.visit_mut(path, visitor);
        }
    }

    fn constrain(&mut self) {
        if let Some(module) = self {
            module.constrain();
        }
    }

    fn min_batch_size(&self) -> usize {
        self.as_ref().map_or(1, Module::min_batch_size)
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        (**self).visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        (**self).visit_mut(path, visitor);
    }

    fn constrain(&mut self) {
        (**self).constrain();
    }

    fn min_batch_size(&self) -> usize {
        (**self).min_batch_size()
    }

    fn as_sequential(&self) -> Option<&super::Sequential> {
        (**self).as_sequential()
    }
}

impl<M: Module + ?Sized> Module for &mut M {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        (**self).visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        (**self).visit_mut(path, visitor);
    }

    fn constrain(&mut self) {
        (**self).constrain();
    }

    fn min_batch_size(&self) -> usize {
        (**self).min_batch_size()
    }

    fn as_sequential(&self) -> Option<&super::Sequential> {
        (**self).as_sequential()
    }
}

/// Settings hold no tensors.
macro_rules! settings {
    ($($type:ty),*) => {$(
        impl Module for $type {
            fn visit(&self, _path: &str, _visitor: &mut dyn FnMut(&str, &Tensor)) {}
            fn visit_mut(&mut self, _path: &str, _visitor: &mut dyn FnMut(&str, &mut Tensor)) {}
        }
    )*};
}
settings!((), bool, usize, u32, u64, i32, i64, f32, f64, String, &'static str, Shape);
