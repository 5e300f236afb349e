//! All that a run needs to go on as if it had not been interrupted.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{History, Logs};
use crate::format::{Staged, safetensors};
use crate::{Error, Result, Rng, Tensor};

/// The state of a run between two steps: the model, the optimizer's state, the random streams, how far the epoch has come, the
/// schedule's place, the history, and what the callbacks remember. [`Checkpoint`](super::Checkpoint) saves it, and
/// [`Trainer::resume`](super::Trainer::resume) goes on from it, to the same bits as without the interruption.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::train::{Checkpoint, TrainingState};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("checkpoint.safetensors");
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// model.fit(&data, Fit::epochs(3).callback(Checkpoint::new(&path)).quiet())?;
/// let state = TrainingState::load(&path)?;
/// assert_eq!((state.epochs(), state.steps(), state.is_finished()), (3, 12, true));
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrainingState {
    pub(super) facts: Facts,
    /// Those of the model, the optimizer and the callbacks, each under its prefix.
    pub(super) tensors: BTreeMap<String, Tensor>,
    /// Whether the model has weights that a callback kept, and not those of the last step. Only the last state of a run tells.
    pub(super) has_restored_weights: bool,
}

/// All of the state but the tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    /// What must be the same for the run to go on, with what it is called.
    pub run: Vec<(String, String)>,
    /// What else must be the same for it to go on to the same bits.
    pub exactness: Vec<(String, String)>,
    /// Epochs and steps of all calls of `fit`.
    pub epochs: usize,
    pub steps: usize,
    /// Those of the calls before this one.
    pub first: (usize, usize),
    /// The stream of the order of samples, as it was before the epoch that has begun, if one has.
    pub order: RngState,
    pub dropout: RngState,
    pub optimizer_steps: u64,
    /// The learning rate of the last step, and that before the schedule.
    pub learning_rate: Exact,
    pub base: Exact,
    /// The learning rate that `reduce_lr_on_plateau` reduces.
    pub unreduced: Exact,
    /// After which step, and to what.
    pub learning_rate_changes: Vec<(usize, Exact)>,
    /// Reduction, best metric and epochs waited of `reduce_lr_on_plateau`.
    pub plateau: Option<(Exact, Exact, usize)>,
    pub epoch: Option<EpochState>,
    /// A callback has said that it is enough.
    pub stopping: bool,
    pub finished: bool,
    /// Name, value and text of each number, epoch by epoch.
    pub history: Vec<Vec<(String, Exact, String)>>,
    /// What the callbacks that have a state remember.
    pub callbacks: Vec<Remembered>,
    /// What the owner of the run adds.
    pub notes: BTreeMap<String, String>,
}

/// What a callback remembers, beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remembered {
    /// Its type.
    pub kind: String,
    pub only_watches: bool,
    pub text: String,
}

/// An epoch that has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EpochState {
    pub batches: usize,
    /// How long they took, in seconds; nothing depends on it but what is shown.
    pub seconds: Exact,
    /// Sum, divisor and whether they are averaged, of each loss.
    pub sums: Vec<(Exact, Exact, bool)>,
    pub penalties: Exact,
    pub samples: usize,
    pub metrics: Vec<Vec<Exact>>,
}

/// Seed, stream and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RngState(u64, u64, u64);

impl From<&Rng> for RngState {
    fn from(rng: &Rng) -> RngState {
        let (seed, stream, position) = rng.state();
        RngState(seed, stream, position)
    }
}

impl From<RngState> for Rng {
    fn from(RngState(seed, stream, position): RngState) -> Rng {
        Rng::from_state((seed, stream, position))
    }
}

/// A number kept to its last bit, NaN and infinity included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.to_bits())
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Exact, D::Error> {
        u64::deserialize(deserializer).map(|bits| Exact(f64::from_bits(bits)))
    }
}

/// The key of the facts in a checkpoint's metadata.
const FACTS: &str = "hadal.training_state";

/// What the version is called among what decides the last bits.
pub(super) const VERSION: &str = "version of Hadal";

/// The prefixes of tensors.
pub(super) const MODEL: &str = "model.";
pub(super) const OPTIMIZER: &str = "optimizer.";

pub(super) fn callback_prefix(index: usize) -> String {
    format!("callback.{index}.")
}

impl TrainingState {
    /// Writes the state to a file, atomically.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.stage(path.as_ref())?.commit()
    }

    pub(super) fn stage(&self, path: &Path) -> Result<Staged> {
        let json = serde_json::to_string(&self.facts)
            .map_err(|error| Error::Config(format!("the state of training cannot be written as JSON: {error}")))?;
        let tensors: Vec<(String, Tensor)> =
            self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
        safetensors::stage(path, &tensors, BTreeMap::from([(FACTS.to_owned(), json)]))
    }

    /// Reads a state that [`save`](TrainingState::save) wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged in any bit, or holds no state of training.
    pub fn load(path: impl AsRef<Path>) -> Result<TrainingState> {
        let path = path.as_ref();
        let (tensors, metadata) = safetensors::load(path)?;
        let json = metadata
            .get(FACTS)
            .ok_or_else(|| Error::file(path, "holds tensors, but no state of training; it is not a checkpoint"))?;
        let facts = serde_json::from_str(json).map_err(|error| {
            let own = env!("CARGO_PKG_VERSION");
            let by = version_of(json).filter(|version| version != own);
            let by = by.map_or(String::new(), |version| format!(" by Hadal {own}; it was written by Hadal {version}"));
            Error::file(path, format!("its state of training cannot be read{by}: {error}"))
        })?;
        Ok(TrainingState { facts, tensors, has_restored_weights: false })
    }

    /// The number of epochs that are complete, over all calls of `fit`.
    pub fn epochs(&self) -> usize {
        self.facts.epochs
    }

    /// The number of optimizer steps, over all calls of `fit`.
    pub fn steps(&self) -> usize {
        self.facts.steps
    }

    /// Whether training had come to its end.
    pub fn is_finished(&self) -> bool {
        self.facts.finished
    }

    /// Whether a callback gave the model other weights than those of the last step, at the end; see
    /// [`Callback::final_weights`](super::Callback::final_weights). The last state of a run that a callback is given tells; one from a
    /// file does not, and says no.
    pub fn has_restored_weights(&self) -> bool {
        self.has_restored_weights
    }

    /// The notes that [`Checkpoint::notes`](super::Checkpoint::notes) added.
    pub fn notes(&self) -> &BTreeMap<String, String> {
        &self.facts.notes
    }

    /// The history up to this state.
    pub fn history(&self) -> History {
        let epoch = |entries: &Vec<(String, Exact, String)>| {
            let mut logs = Logs::default();
            entries.iter().for_each(|(name, value, text)| logs.push(name, value.0, text.clone()));
            logs
        };
        History { epochs: self.facts.history.iter().map(epoch).collect() }
    }

    /// The tensors of the model.
    #[cfg(feature = "tensorboard")]
    pub(crate) fn model(&self) -> BTreeMap<String, Tensor> {
        self.under(MODEL).into_iter().collect()
    }

    /// The tensors under a prefix, without it.
    pub(super) fn under(&self, prefix: &str) -> Vec<(String, Tensor)> {
        let own = self.tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)));
        own.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect()
    }
}

/// The version that wrote facts which cannot be read.
fn version_of(json: &str) -> Option<String> {
    let facts: serde_json::Value = serde_json::from_str(json).ok()?;
    let mut pairs = facts.get("exactness")?.as_array()?.iter();
    pairs.find(|pair| pair[0] == VERSION).and_then(|pair| pair[1].as_str().map(str::to_owned))
}

/// What a callback remembers of a run: some text, in a form of its own, and tensors by name.
///
/// ```
/// use hadal::train::{Callback, CallbackState, Event, Flow};
/// /// Stops after some epochs without an improvement of the loss.
/// #[derive(Default)]
/// struct Patience {
///     best: f64,
///     waited: usize,
/// }
///
/// impl Callback for Patience {
///     fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
///         // ...
/// #       let _ = event;
///         Ok(Flow::Continue)
///     }
///     fn state(&self) -> Option<CallbackState> {
///         Some(CallbackState::text(format!("{} {}", self.best, self.waited)))
///     }
///     fn load_state(&mut self, state: CallbackState) -> hadal::Result<()> {
///         let mut parts = state.text.split(' ');
///         let mut next = || parts.next().unwrap_or_default();
///         let wrong = |_| hadal::Error::Data("not the state of Patience".into());
///         self.best = next().parse().map_err(wrong)?;
///         self.waited = next().parse().map_err(|_| hadal::Error::Data("not the state of Patience".into()))?;
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallbackState {
    /// Whatever is not a tensor.
    pub text: String,
    /// Tensors by name.
    pub tensors: Vec<(String, Tensor)>,
}

/// Checks that a callback has the settings that it had when its state was saved.
pub(super) fn check_settings(owner: &str, then: &str, now: &str) -> Result<()> {
    if then == now {
        return Ok(());
    }
    Err(Error::Config(format!("it is of another run: its {owner} was {then}, not {now}")))
}

impl CallbackState {
    /// Text alone.
    pub fn text(text: String) -> CallbackState {
        CallbackState { text, tensors: Vec::new() }
    }

    /// As JSON.
    pub(crate) fn json(facts: &impl Serialize, tensors: Vec<(String, Tensor)>) -> Option<CallbackState> {
        serde_json::to_string(facts).ok().map(|text| CallbackState { text, tensors })
    }

    /// What [`json`](CallbackState::json) wrote; `owner` is the callback, for messages.
    pub(crate) fn parse<'a, T: Deserialize<'a>>(&'a self, owner: &str) -> Result<T> {
        serde_json::from_str(&self.text)
            .map_err(|error| Error::Data(format!("the checkpoint's state of {owner} cannot be read: {error}")))
    }
}
