//! Layers one after another.

use std::collections::BTreeMap;
use std::panic::Location;
use std::path::Path;
use std::sync::Once;

use serde::{Deserialize, Serialize};

use super::model::channels_last;
use super::window::seems_channels_last;
use super::{
    Chain, Connection, Context, Dense, Feedback, Forward, GlobalAveragePool, Layer, LayerConfig, LayerKind, Module,
    Summary, join,
};
use crate::data::Preprocessing;
use crate::finite::first_not_finite;
use crate::format::{Staged, safetensors};
use crate::loss::Loss;
use crate::metric::IntoMetrics;
use crate::monitor::note;
use crate::optim::Optimizer;
use crate::train::Trainer;
use crate::{Error, Result, Rng, Shape, Tensor, can_allocate, memory};

/// The random stream that initializes weights; training draws from others.
const INITIALISATION: u64 = 0x1217;

/// A linear stack of layers, as Keras's `Sequential`.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([784])
///     .add(Dense::new(512).activation(Relu))
///     .add(Dropout::new(0.2))
///     .add(Dense::new(10).activation(Softmax))
///     .build()?;
/// assert_eq!(model.parameter_count(), 784 * 512 + 512 + 512 * 10 + 10);
/// # Ok::<(), hadal::Error>(())
/// ```
pub struct Sequential {
    input: Shape,
    layers: Chain,
    /// The shape of a sample after each layer; empty until built.
    shapes: Vec<Shape>,
    seed: u64,
    preprocessing: Option<Preprocessing>,
}

/// The architecture of a [`Sequential`]: its input shape and layer settings, as saved in a model file.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([28, 28]).add(Flatten).add(Dense::new(10)).build()?;
/// let architecture = model.architecture();
/// assert_eq!((architecture.input_shape, architecture.layers.len()), (vec![28, 28], 2));
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The shape of one sample.
    pub input_shape: Vec<usize>,
    /// The layers, first to last.
    pub layers: Vec<LayerConfig>,
    /// The transforms of the data that the network was trained on; none if it was not trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
}

impl Sequential {
    /// An empty network for samples of shape `input` (without the batch axis).
    ///
    /// # Panics
    /// If memory cannot address samples of this shape.
    #[track_caller]
    pub fn new(input: impl Into<Shape>) -> Sequential {
        Sequential { input: input.into(), layers: Chain::new(), shapes: Vec::new(), seed: 0, preprocessing: None }
    }

    /// The random seed of weight initialization, shuffling and dropout. Default: 0.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let weights = |seed| -> hadal::Result<Vec<f32>> {
    ///     Ok(Sequential::new([2]).seed(seed).add(Dense::new(3)).build()?.state_dict()[0].1.to_vec())
    /// };
    /// assert_eq!(weights(1)?, weights(1)?);
    /// assert_ne!(weights(1)?, weights(2)?);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn seed(mut self, seed: u64) -> Sequential {
        self.seed = seed;
        self
    }

    /// Appends a layer.
    #[expect(clippy::should_implement_trait, reason = "Keras's name")]
    pub fn add(mut self, layer: impl Layer + 'static) -> Sequential {
        self.layers = self.layers.add(layer);
        self.shapes.clear();
        self
    }

    /// Builds the model: creates the weights of all layers.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([4]).add(Dense::new(3)).build()?;
    /// assert_eq!(model.forward(&Tensor::ones([2, 4]), &mut Context::evaluation()).shape(), &[2, 3]);
    /// assert!(Sequential::new([4]).add(Reshape::new([3])).build().is_err());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a layer does not fit its input; the message names the layer and both shapes. If there is not enough memory for the
    /// weights, or for a layer's output; the message names the layer with the most.
    pub fn build(mut self) -> Result<Sequential> {
        let mut rng = Rng::with_stream(self.seed, INITIALISATION);
        if self.layers.layers.is_empty() {
            return Err(Error::Config("a Sequential needs at least one layer; add one with add()".into()));
        }
        self.shapes = self.layers.plans(&self.input)?.into_iter().map(|plan| plan.output_shape).collect();
        self.layers.keeps_lengths(false)?;
        self.check_memory()?;
        self.note_channels_last();
        self.layers.build(&self.input, &mut rng)?;
        self.connect_feedback(&mut rng)?;
        Ok(self)
    }

    /// Notes, once in a process, samples that a first layer takes as `[C, H, W]` or the like, but that look as if their channels were
    /// last: the sizes fit, and what is learned is worse.
    fn note_channels_last(&self) {
        static ONCE: Once = Once::new();
        let Some(first) = self.layers.layers.first() else { return };
        let (kind, dimensions) = (first.config(), self.input.rank().saturating_sub(1));
        let takes_channels = kind.kind().ends_with(&format!("{dimensions}d")) || kind.kind() == GlobalAveragePool::NAME;
        if takes_channels && let Some((axes, order)) = seems_channels_last(&self.input) {
            ONCE.call_once(|| {
                note(&format!(
                    "samples of shape {} look like {axes}, but the first layer takes the first axis as the channels; if they are {axes}, \
                     put a Permute with the order {order} before it",
                    self.input
                ));
            });
        }
    }

    /// Gives layers with direct feedback their matrices, and tells the last dense layer that its error is wanted.
    fn connect_feedback(&mut self, rng: &mut Rng) -> Result<()> {
        let dense = self.dense_layers();
        let Some(((last, output), hidden)) = dense.split_last() else { return Ok(()) };
        let mut any = false;
        for (place, (index, settings)) in hidden.iter().enumerate() {
            if settings.feedback != Feedback::Direct {
                continue;
            }
            let taken = self.shapes[dense[place + 1].0 - 1];
            if taken[..] != [settings.units] {
                return Err(Error::Config(format!(
                    "layer {} (Dense) has direct feedback for its {} units, but the next dense layer takes shape {taken}",
                    index + 1,
                    settings.units
                )));
            }
            self.layers.layers[*index].connect(Connection::ReceiveError { outputs: output.units }, rng);
            any = true;
        }
        if any {
            self.layers.layers[*last].connect(Connection::SendError, rng);
        }
        Ok(())
    }

    /// The dense layers, with their places.
    fn dense_layers(&self) -> Vec<(usize, Dense)> {
        let configs = self.layers.configs().into_iter().enumerate();
        configs.filter_map(|(index, config)| Some((index, config.get()?))).collect()
    }

    /// Configures the model for training, as Keras's `compile`; builds it first if needed.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// let mut trainer = model.compile(Adam::default(), BinaryCrossentropy, [Accuracy])?;
    /// let xor = Dataset::new(
    ///     "xor",
    ///     Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]),
    ///     Tensor::from([0, 1, 1, 0]),
    /// )?;
    /// trainer.fit(&xor, Fit::epochs(2).quiet())?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`build`](Sequential::build), and if the loss or a metric does not fit the output.
    pub fn compile(
        self,
        optimizer: impl Optimizer + 'static,
        loss: impl Loss + 'static,
        metrics: impl IntoMetrics,
    ) -> Result<Trainer<Sequential>> {
        let seed = self.seed;
        let model = if self.is_built() { self } else { self.build()? };
        // What the last layer gives for a sample of zeros shows what kind of numbers the loss will see.
        let mut sizes = vec![1];
        sizes.extend_from_slice(&model.input);
        let zeros = Tensor::zeros(sizes);
        if model.check_inputs(&zeros).is_ok() {
            loss.check_prediction(&model.forward(&zeros, &mut Context::evaluation()))?;
        }
        Ok(Trainer::new(model, optimizer, loss, metrics).seed(seed))
    }

    /// Refuses a network whose weights, or whose output for one sample, do not fit into memory, before any are made.
    fn check_memory(&self) -> Result<()> {
        let bytes = |numbers: usize| numbers.saturating_mul(size_of::<f32>());
        let layer = |index: usize| format!("layer {} ({})", index + 1, self.layers.layers[index].label());
        let numbers = self.numbers()?;
        if !can_allocate(bytes(numbers)) {
            let plans = self.layers.plans(&self.input)?.into_iter().map(|plan| plan.weights);
            let (index, most) = plans.enumerate().max_by_key(|(_, numbers)| *numbers).unwrap_or_default();
            return Err(Error::Config(format!(
                "the network needs {} of memory for {numbers} parameters, more than is available; {} alone has {most}",
                memory::show(bytes(numbers)),
                layer(index)
            )));
        }
        let outputs = self.shapes.iter().map(Shape::elements).enumerate();
        let (index, widest) = outputs.max_by_key(|(_, elements)| *elements).unwrap_or_default();
        if !can_allocate(bytes(widest)) {
            return Err(Error::Config(format!(
                "the output of {} has {widest} values per sample, which need {} of memory, more than is available",
                layer(index),
                memory::show(bytes(widest))
            )));
        }
        Ok(())
    }

    /// The number of weights of the network, the matrices of direct feedback included.
    fn numbers(&self) -> Result<usize> {
        let mut numbers = self.layers.plan(&self.input)?.weights;
        if let Some(((_, output), hidden)) = self.dense_layers().split_last() {
            for (_, settings) in hidden.iter().filter(|(_, settings)| settings.feedback == Feedback::Direct) {
                numbers = numbers.saturating_add(settings.units.saturating_mul(output.units));
            }
        }
        Ok(numbers)
    }

    fn is_built(&self) -> bool {
        !self.layers.layers.is_empty() && self.shapes.len() == self.layers.layers.len()
    }

    /// A table of layers, output shapes and parameters.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([784]).add(Dense::new(10).activation(Softmax)).build()?;
    /// let summary = model.summary();
    /// assert_eq!(summary.parameters(), 7850);
    /// println!("{summary}");
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn summary(&self) -> Summary {
        Summary::new(self.layers.layers.iter().zip(&self.shapes).map(|(layer, shape)| {
            let mut count = 0;
            layer.visit("", &mut |_, tensor| count += tensor.elements());
            (layer.label(), *shape, count)
        }))
    }

    /// The layers, first to last.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(Sequential::new([2]).add(Dense::new(3).activation(Relu)).layers()[0].label(), "Dense (relu)");
    /// ```
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        self.layers.layers()
    }

    /// The layers and their settings, without weights.
    pub fn architecture(&self) -> Architecture {
        Architecture {
            input_shape: self.input.to_vec(),
            layers: self.layers.configs(),
            preprocessing: self.preprocessing.clone(),
        }
    }

    /// A network of this architecture, which is not built yet.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([4]).add(Dense::new(3)).build()?;
    /// let other = Sequential::from_architecture(&model.architecture())?.seed(1).build()?;
    /// assert_eq!(other.parameter_count(), 15);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a layer's settings are invalid, or its kind is not known to this program.
    pub fn from_architecture(architecture: &Architecture) -> Result<Sequential> {
        // One axis more is for the samples of a batch.
        if architecture.input_shape.len() >= crate::MAX_RANK {
            return Err(Error::Config("its architecture is invalid: the input shape has too many axes".into()));
        }
        let mut model = Sequential::new(Shape::try_new(&architecture.input_shape)?);
        let layers = architecture.layers.iter().map(LayerConfig::layer);
        model.layers = Chain { layers: layers.collect::<Result<_>>()? };
        model.preprocessing = architecture.preprocessing.clone();
        Ok(model)
    }

    /// Saves architecture and weights to a safetensors file, with `notes` and a SHA-256 checksum in its metadata
    /// ([`safetensors::save`]).
    ///
    /// The file is written atomically: after a crash the old file is still there.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use hadal::prelude::*;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("model.safetensors");
    /// let model = Sequential::new([4]).add(Dense::new(3)).build()?;
    /// model.save(&path, &BTreeMap::from([("data".into(), "irises".into())]))?;
    /// let (loaded, notes) = Sequential::load(&path)?;
    /// assert_eq!((loaded.parameter_count(), notes["data"].as_str()), (15, "irises"));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a weight is NaN or infinite, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, notes: &BTreeMap<String, String>) -> Result<()> {
        stage_parts(path.as_ref(), &self.architecture(), &self.state_dict(), notes.clone())?.commit()
    }

    /// Loads a model that [`save`](Sequential::save) wrote; returns the model and the notes.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged or is not a model, its tensors do not fit its architecture, or a weight is NaN or
    /// infinite.
    pub fn load(path: impl AsRef<Path>) -> Result<(Sequential, BTreeMap<String, String>)> {
        let path = path.as_ref();
        let at_path = |error: Error| Error::file(path, error.to_string());
        let file = safetensors::Reader::open(path)?;
        let json = file.metadata().get(ARCHITECTURE).ok_or_else(|| {
            Error::file(path, "holds tensors but no architecture; it was not written by Sequential::save")
        })?;
        let architecture: Architecture = serde_json::from_str(json).map_err(|error| {
            let error = error.to_string();
            // The line and column of JSON within the file's metadata help nobody.
            let reason = error.rsplit_once(" at line ").map_or(&*error, |(reason, _)| reason);
            Error::file(path, format!("its architecture is invalid: {reason}"))
        })?;
        let model = Sequential::from_architecture(&architecture).map_err(at_path)?;
        // Checked before anything is read or built, so that a forged file cannot ask for more memory than it brings.
        let (needed, stored) = (model.numbers().map_err(at_path)?, file.elements());
        if needed == usize::MAX {
            return Err(Error::file(path, "its architecture is larger than memory"));
        }
        if needed != stored {
            return Err(Error::file(path, format!("its architecture has {needed} weights, but {stored} are stored")));
        }
        let (tensors, mut metadata) = file.read()?;
        metadata.remove(ARCHITECTURE);
        tensors.iter().try_for_each(|(name, tensor)| check_finite(path, name, tensor))?;
        let mut model = model.build().map_err(at_path)?;
        model.load_state_dict(&tensors).map_err(at_path)?;
        Ok((model, metadata))
    }
}

/// The key of the architecture in a model file's metadata.
const ARCHITECTURE: &str = "hadal.architecture";

/// Makes a model file from its parts, ready to be put in place.
pub(crate) fn stage_parts(
    path: &Path,
    architecture: &Architecture,
    state: &[(String, Tensor)],
    mut metadata: BTreeMap<String, String>,
) -> Result<Staged> {
    // A model that cannot be used should not replace one that can.
    state.iter().try_for_each(|(name, tensor)| check_finite(path, name, tensor))?;
    let json = serde_json::to_string(architecture)
        .map_err(|error| Error::Config(format!("the architecture cannot be written as JSON: {error}")))?;
    metadata.insert(ARCHITECTURE.into(), json);
    safetensors::stage(path, state, metadata)
}

/// Checks that `model` has the tensors of this architecture: a file with both could not be loaded otherwise.
pub(crate) fn check_architecture(architecture: &Architecture, model: &dyn Module) -> Result<()> {
    let mut expected = Sequential::from_architecture(architecture)?.build()?;
    expected.load_state_dict(&model.state_dict().into_iter().collect()).map_err(|error| {
        Error::Config(format!(
            "the model does not match the architecture to be saved with it: {error}; pass the architecture of the model itself"
        ))
    })
}

/// Refuses weights that no network can compute with.
fn check_finite(path: &Path, name: &str, tensor: &Tensor) -> Result<()> {
    first_not_finite(tensor).map_or(Ok(()), |(element, value)| {
        Err(Error::file(path, format!("tensor `{name}` holds {value} (element {element}), not a finite number")))
    })
}

impl Module for Sequential {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.layers.visit(&join(path, "layers"), visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.layers.visit_mut(&join(path, "layers"), visitor);
    }

    fn constrain(&mut self) {
        self.layers.constrain();
    }

    fn min_batch_size(&self) -> usize {
        self.layers.min_batch_size()
    }

    fn as_sequential(&self) -> Option<&Sequential> {
        Some(self)
    }
}

impl Forward for Sequential {
    /// # Panics
    /// If the network has not been built, or the shape of the samples is not its own; pieces of sequences, in a
    /// [`Stream`](super::Stream), may be of any length.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        assert!(self.is_built(), "Sequential: the network has no weights yet; call build() or compile() first");
        // In a stream, a piece of a sequence has any number of steps.
        let free = if ctx.carried.is_some() { 1.min(self.input.rank()) } else { 0 };
        let fits = x.rank() == self.input.rank() + 1 && x.shape()[1 + free..] == self.input[free..];
        assert!(
            fits,
            "Sequential: the input has shape {}, but the network takes [N, ..] with samples of shape {}{}",
            x.shape(),
            self.input,
            if x.rank() > 0 { channels_last(&Shape::from(&x.shape()[1..]), &self.input) } else { String::new() }
        );
        // The outermost call is the user's.
        let outer = ctx.caller.replace(ctx.caller.unwrap_or(Location::caller()));
        let y = self.layers.forward(x, ctx);
        ctx.caller = outer;
        y
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        self.layers.stream_length()
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        if !self.is_built() {
            return Err(Error::Config("the network has no weights yet; call build() or compile() first".into()));
        }
        self.layers.check_inputs(x)
    }

    fn input_shape(&self) -> Option<Shape> {
        Some(self.input)
    }

    fn preprocessing(&self) -> Option<&Preprocessing> {
        self.preprocessing.as_ref()
    }

    fn set_preprocessing(&mut self, preprocessing: &Preprocessing) {
        self.preprocessing = Some(preprocessing.clone());
    }

    fn describe(&self) -> String {
        // Numbers and names are always written.
        let lines = self.layers.configs().into_iter().map(|layer| serde_json::to_string(&layer).unwrap_or_default());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn output_shape(&self) -> Option<Shape> {
        self.shapes.last().copied()
    }
}
