//! Whether training goes well: what is wrong is said in one line, once, with what to try.

mod classes;
mod dead_units;
mod finding;
mod gradients;
mod look;
mod loss_curve;
mod not_finite;
mod overfitting;
mod record;
mod updates;

use std::path::Path;

use serde::{Deserialize, Serialize};

use self::classes::Classes;
use self::dead_units::DeadUnits;
pub use self::finding::{Finding, FindingKind};
use self::gradients::GradientNorms;
use self::look::{Look, Snapshot};
use self::loss_curve::LossCurve;
pub(super) use self::not_finite::{Cause, Rows};
use self::overfitting::Overfitting;
use self::record::RecordFile;
use self::updates::Updates;
use super::{Callback, CallbackState, Event, Flow};
use crate::monitor::note;
use crate::{Error, Result};

/// Every so many steps are looked at: on the lecture's network, 10 of the 468 of an epoch, at about 0.5% of its time.
const EVERY: usize = 50;

/// The last step of an epoch is looked at as well, unless there was a look so short a time before. In small runs it is often the
/// only one.
const APART: usize = 10;

/// A callback that looks for what makes training fail: exploding and vanishing gradients, dead units, updates that are too large
/// or too small for their weights, a loss that does not fall, a learning rate that is too high or too low, overfitting, and
/// classes that are never predicted. Each [`Finding`] is noted in one line on standard error, once, with what to try; see
/// [`FindingKind`] for what each means.
///
/// It looks at every 50th step and at the last of an epoch, at 64 units of each layer, which costs about 0.5% of the time of
/// the lecture's network. Its thresholds are such that a run that goes well has no findings. A loss or gradient that is NaN or
/// infinite ends every run with an error that names the operation; this callback has no part in that.
///
/// Models of every kind are looked at; layers are named as their parameters are. In a model with several outputs, gradients
/// are not looked at for vanishing: what lies between its first and its last layer need not be one path.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::train::{FindingKind, Health};
/// # let data = hadal::data::synthetic::moons(400, 0.1, 1)?;
/// # let network = |activation| {
/// #     let layer = || Dense::new(16).activation(activation);
/// #     let hidden = (0..10).fold(Sequential::new([2]), |network, _| network.add(layer()));
/// #     hidden.add(Dense::new(1).activation(Sigmoid)).compile(Adam::new(0.001), BinaryCrossentropy, Accuracy)
/// # };
/// let mut health = Health::new();
/// network(Sigmoid)?.fit(&data, Fit::epochs(10).callback(&mut health).quiet())?; // 10 hidden layers
/// assert_eq!(health.findings()[0].kind, FindingKind::VanishingGradients);
/// println!("{}", health.findings()[0]);
///
/// let mut health = Health::new();
/// network(Relu)?.fit(&data, Fit::epochs(10).callback(&mut health).quiet())?;
/// assert!(health.findings().is_empty());
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Health {
    strict: bool,
    restores_best_weights: bool,
    /// Of the run, where several train at a time.
    name: Option<String>,
    class_names: Vec<String>,
    record: Option<RecordFile>,
    findings: Vec<Finding>,
    /// What the steps so far have shown.
    seen: Seen,
    /// Weights before a step that is looked at.
    before: Option<Snapshot>,
    steps_per_epoch: usize,
    batch_size: usize,
}

/// All that is remembered of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seen {
    /// The last step that was looked at.
    looked: usize,
    gradients: GradientNorms,
    dead_units: DeadUnits,
    updates: Updates,
    loss_curve: LossCurve,
    overfitting: Overfitting,
    classes: Classes,
}

impl Health {
    /// Notes what it finds, and lets training go on.
    pub fn new() -> Health {
        Health::default()
    }

    /// Ends training with an error at the first finding.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// use hadal::train::Health;
    /// # let data = hadal::data::synthetic::moons(400, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(8).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
    /// let mut model = model.compile(Sgd::new(1e-7), BinaryCrossentropy, Accuracy)?;
    /// let result = model.fit(&data, Fit::epochs(40).callback(Health::new().strict()).quiet());
    /// assert!(result.unwrap_err().to_string().contains("learning rate"));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn strict(mut self) -> Health {
        self.strict = true;
        self
    }

    /// Whether the model gets its best weights back in the end, by [`EarlyStopping`](super::EarlyStopping) or
    /// [`KeepBest`](super::KeepBest): then overfitting is no finding. Default: false.
    pub fn restores_best_weights(mut self, restores: bool) -> Health {
        self.restores_best_weights = restores;
        self
    }

    /// The name of the run, which stands before each of its notes: for programs that train several runs at a time. An error of
    /// [`strict`](Health::strict) does not have it, as no other error of `fit` has. Default: none.
    ///
    /// ```
    /// # use hadal::train::Health;
    /// let health = Health::new().run_name("seed 2"); // note: seed 2: health, epoch 3, ...
    /// # drop(health);
    /// ```
    pub fn run_name(mut self, name: impl Into<String>) -> Health {
        self.name = Some(name.into());
        self
    }

    /// The names of the classes, in the order of the labels: a class that is never predicted is said by its name. Default: its number.
    pub fn class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Health {
        self.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Keeps the findings in this file as well: a JSON array with an object for each [`Finding`], by the names of its fields; `[]` when
    /// training begins. It is replaced atomically, and a run that is resumed goes on with it. If it cannot be written, as on a full
    /// disk, one note says so, and training goes on. In the folder of a run its name is
    /// [`RunFolder::HEALTH`](super::RunFolder::HEALTH). Default: no file.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// use hadal::train::{Finding, Health};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("health.json");
    /// # let data = hadal::data::synthetic::moons(400, 0.1, 1)?;
    /// # let model = Sequential::new([2]).add(Dense::new(8).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
    /// # let mut model = model.compile(Sgd::new(1e-7), BinaryCrossentropy, Accuracy)?;
    /// let mut health = Health::new().record(&path);
    /// model.fit(&data, Fit::epochs(40).callback(&mut health).quiet())?;
    /// let kept: Vec<Finding> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    /// assert_eq!(kept, health.findings());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn record(mut self, path: impl AsRef<Path>) -> Health {
        self.record = Some(RecordFile::new(path.as_ref()));
        self
    }

    /// What was found in the last call of `fit`, in order.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Says what is new.
    fn say(&mut self, found: Vec<Finding>) -> Result<Flow> {
        for finding in found {
            if self.findings.iter().any(|said| said.is_same(&finding)) {
                continue;
            }
            let text = finding.to_string();
            self.findings.push(finding);
            self.keep();
            if self.strict {
                return Err(Error::Data(format!("{text} (strict health checks end the run here)")));
            }
            note(&self.name.iter().fold(text, |text, name| format!("{name}: {text}")));
        }
        Ok(Flow::Continue)
    }

    /// Writes all findings of the run into its file.
    fn keep(&mut self) {
        if let Some(record) = &mut self.record {
            record.write(&self.findings);
        }
    }

    /// Whether to look at a step.
    fn looks_at(&self, step: usize, batch: usize) -> bool {
        let last = batch == self.steps_per_epoch && step >= self.seen.looked + APART;
        step.is_multiple_of(EVERY) || last
    }
}

impl Callback for Health {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { samples, steps_per_epoch, step, .. } => {
                (self.findings, self.seen, self.before) = (Vec::new(), Seen::default(), None);
                (self.steps_per_epoch, self.batch_size) =
                    (*steps_per_epoch, samples.div_ceil((*steps_per_epoch).max(1)));
                self.seen.loss_curve.begin(*step);
                self.seen.looked = *step;
                self.keep();
            }
            Event::BatchEnd { epoch, batch, step, loss, gradients, model, learning_rate, predictions, .. } => {
                self.seen.loss_curve.batch(*loss, self.batch_size);
                let mut found = Vec::new();
                if self.looks_at(*step, *batch) {
                    self.seen.looked = *step;
                    let before = self.before.take().filter(|before| before.step + 1 == *step);
                    let look = Look::new(*model, gradients, before.as_ref(), (*epoch, *step), *learning_rate);
                    self.seen.dead_units.look(&look, self.batch_size, predictions);
                    self.seen.updates.look(&look);
                    found.extend(self.seen.gradients.look(&look, predictions.len()));
                    self.seen.classes.look(event);
                }
                let next = if *batch == self.steps_per_epoch { 1 } else { batch + 1 };
                if self.looks_at(step + 1, next) {
                    self.before = Some(Snapshot::new(*model, gradients, *step));
                }
                return self.say(found);
            }
            Event::EpochEnd { epoch, logs, learning_rate, .. } => {
                let seen = &mut self.seen;
                let at = (*epoch, seen.loss_curve.steps());
                let mut found: Vec<Finding> = seen.gradients.epoch(at).into_iter().collect();
                found.extend(seen.dead_units.epoch(at));
                seen.loss_curve.end(logs["loss"]);
                if let Some(finding) = seen.updates.epoch(at, &seen.loss_curve, *learning_rate) {
                    // One line for one cause.
                    if matches!(finding.kind, FindingKind::LearningRateTooLow | FindingKind::LossNotFalling) {
                        seen.loss_curve.say_no_more();
                    }
                    found.push(finding);
                }
                found.extend(seen.loss_curve.epoch(at));
                found.extend(seen.classes.epoch(at, &self.class_names));
                if !self.restores_best_weights {
                    found.extend(seen.overfitting.epoch(at, logs));
                }
                if self.record.as_ref().is_some_and(RecordFile::is_missing) {
                    self.keep();
                }
                return self.say(found);
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn only_watches(&self) -> bool {
        true
    }

    fn state(&self) -> Option<CallbackState> {
        CallbackState::json(&(&self.findings, &self.seen), Vec::new())
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        (self.findings, self.seen) = state.parse("Health")?;
        self.keep();
        Ok(())
    }
}

/// The median of some numbers; `None` of none.
fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
