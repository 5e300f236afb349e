//! The callback that writes for TensorBoard.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::evaluation::Shown;
use super::layout::log_layout;
use super::live::Live;
use super::process::Process;
use super::run::Run;
use super::samples::Samples;
use super::{HParam, Log, summary};
use crate::data::Dataset;
use crate::monitor::note;
use crate::monitor::sample_columns::SampleColumns;
use crate::nn::{Module, Sequential};
use crate::train::{Callback, CallbackState, Event, Flow, TrainingState};
use crate::{Error, Result, Shape};

/// The share of the time of training that evaluations at the end of epochs may take.
const EVALUATION_SHARE: f64 = 0.005;

/// A callback that writes an events file for TensorBoard: Keras's `TensorBoard`.
///
/// ```
/// use hadal::monitor::tensorboard::TensorBoard;
/// use hadal::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let runs = folder.path().join("runs/first");
/// # let (train, test) = (hadal::data::synthetic::moons(200, 0.1, 1)?, hadal::data::synthetic::moons(100, 0.1, 2)?);
/// # let model = Sequential::new([2]).add(Dense::new(16).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
/// let mut model = model.compile(Adam::new(0.01), BinaryCrossentropy, [Accuracy])?;
/// let board = TensorBoard::new(&runs)
///     .validation_data(&test)
///     .class_names(["upper", "lower"])
///     .hparams([("learning_rate", 0.01.into()), ("optimizer", "adam".into())]);
/// model.fit(&train, Fit::epochs(5).validation_data(&test).callback(board).quiet())?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// ```text
/// $ tensorboard --logdir runs
/// ```
///
/// | page | tags | when |
/// | --- | --- | --- |
/// | Scalars | `loss/train`, `loss/validation`, and so for each metric; `epoch`, `epoch_seconds` | each epoch |
/// | | `loss/batch`, `learning_rate`, `gradient_norm` (after clipping) | every 50 steps |
/// | | `system/memory`, in bytes; `system/processor`, the cores in use since the last such point; on Linux | every 50 steps |
/// | | `dead_units/<number> <layer>`, the share of units that no one of 128 samples activates | each epoch |
/// | Custom Scalars | training and validation in one chart, for each metric | |
/// | Histograms, Distributions | `weights/<name>` | at the beginning and each epoch |
/// | | `gradients/<name>`, those of the epoch's last step | each epoch |
/// | | `activations/<number> <layer>`, of the first 128 samples of the validation data | each epoch |
/// | Images | `samples`, the first 25; `first layer`, the weights of the first 64 units, grey is 0 | once; each epoch |
/// | | `mistakes/all`, the 16 samples of the validation data to whose class the model gives the least probability | evaluation |
/// | | `mistakes/01: ...` to `16`, those of the trained model one by one, with what they are and were taken for | at the end |
/// | PR Curves | `precision_recall/<class>`, on the validation data | evaluation |
/// | Text | `predictions`, of the first 25 samples; `mistakes`; `confusion_matrix/table`, of at most 30 classes | evaluation |
/// | | `summary`, the layers, and what [`text`](TensorBoard::text) was given | once |
/// | HParams | what [`hparams`](TensorBoard::hparams) was given, with the scalars as metrics | |
/// | Graphs | the layers | |
///
/// All are drawn by the number of the optimizer's step, so that curves of batches and epochs lie on one axis. Keras writes training
/// and validation as two runs, `train` and `validation`; here a run is one folder and one row, and training and validation are two
/// tags of a group.
///
/// An **evaluation** is logged at the end of the first epoch and of training, and at the end of each other epoch before which all
/// evaluations have taken at most 0.5% of the time ([`evaluation_share`](TensorBoard::evaluation_share)). At the end of epochs it costs
/// no pass of its own: its outputs are those of `fit`'s validation, if that is of the same data, and they take at most 64 MiB. The
/// model's evaluation at the end is that of the weights that it is left with. Beside what the pages show, the file holds a tensor
/// `confusion_matrix` of at most 100 classes for Hadal's dashboard.
///
/// Activations, dead units, first layer and graph are written for a [`Sequential`]; activations of all its layers but those
/// that keep the numbers as they are, such as dropout, and dead units of those whose activation can be 0 for all samples: `Relu`,
/// `HardSigmoid`, `Gelu`, `Silu`, and `LeakyRelu` and `Elu` of slope 0. Other models with one output are evaluated by `fit`'s validation
/// alone. Dead units are those that give 0 for all of the first 128 samples of the validation data. The processor's time is counted in
/// hundredths of a second, so its points are at least 0.2 s apart. Images need samples that are images, of at most 4,194,304 pixels: of shape
/// `[height, width]` or `[1 or 3, height, width]`, square images of bytes that were flattened, as MNIST's, or what
/// [`image_shape`](TensorBoard::image_shape) says. Of large ones fewer are shown.
///
/// A run that is [resumed](crate::train::Trainer::resume) writes a file of its own, and TensorBoard forgets what the one before had
/// written after the checkpoint. A run that begins in a folder with older files replaces what they show. For errors on the disk, see
/// [`Log`].
pub struct TensorBoard {
    folder: PathBuf,
    every_steps: usize,
    histograms: bool,
    validation_data: Option<Dataset>,
    class_names: Vec<String>,
    image_shape: Option<Shape>,
    columns: Option<SampleColumns>,
    evaluation_share: f64,
    hparams: Vec<(String, HParam)>,
    texts: Vec<(String, String)>,
    run: Option<Run>,
}

/// What a resumed run needs.
#[derive(Serialize, Deserialize)]
struct Memory {
    /// The records of the last step.
    held: Vec<u8>,
    epoch_ended: bool,
    #[serde(default)]
    is_evaluated: bool,
}

impl TensorBoard {
    /// Writes to `folder`, which is made when training begins.
    pub fn new(folder: impl AsRef<Path>) -> TensorBoard {
        TensorBoard {
            folder: folder.as_ref().to_owned(),
            every_steps: 50,
            histograms: true,
            validation_data: None,
            class_names: Vec::new(),
            image_shape: None,
            columns: None,
            evaluation_share: EVALUATION_SHARE,
            hparams: Vec::new(),
            texts: Vec::new(),
            run: None,
        }
    }

    /// Logs loss, learning rate, the norm of the gradients, memory and processor every `steps` steps; 0 is never. Default: 50.
    pub fn every_steps(mut self, steps: usize) -> TensorBoard {
        self.every_steps = steps;
        self
    }

    /// Whether weights, gradients and activations are logged as histograms. Default: yes.
    pub fn histograms(mut self, histograms: bool) -> TensorBoard {
        self.histograms = histograms;
        self
    }

    /// The data on which the model is watched: samples as images, activations, predictions, mistakes, confusion matrix and
    /// precision-recall curves. Default: none.
    ///
    /// Labels may be given as classes, as rows of 0 and 1, or, for a single output, as 0 and 1 or -1 and 1. Outputs that are no
    /// probabilities are taken as logits.
    pub fn validation_data(mut self, data: &Dataset) -> TensorBoard {
        self.validation_data = Some(data.clone());
        self
    }

    /// What the classes are called, first to last. Default: their numbers.
    pub fn class_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> TensorBoard {
        self.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The shape of a sample's image, `[height, width]` or `[1 or 3, height, width]`, where its own shape does not say it. `fit`
    /// refuses one that does not have as many elements as a sample.
    pub fn image_shape(mut self, shape: impl Into<Shape>) -> TensorBoard {
        self.image_shape = Some(shape.into());
        self
    }

    /// What the samples of the validation data are, for tables of predictions and mistakes: `row` gives the cells of a sample by its
    /// index, such as those of a row of a table. At most 12 columns are shown, and 40 characters of a cell. Default: none.
    ///
    /// ```
    /// use hadal::monitor::tensorboard::TensorBoard;
    /// let (names, ages) = (["Anna", "Bert"], [31, 7]);
    /// let row = move |sample: usize| vec![names[sample].to_owned(), ages[sample].to_string()];
    /// let board = TensorBoard::new("runs/first").sample_columns(["name", "age"], row);
    /// ```
    pub fn sample_columns<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
        row: impl Fn(usize) -> Vec<String> + 'static,
    ) -> TensorBoard {
        self.columns = Some(SampleColumns::new(names, row));
        self
    }

    /// The share of the time since training began that evaluations at the end of epochs may take: one is left out while those before
    /// have taken more. With 0, that of the first epoch and that of the trained model are logged; with infinity, those of all epochs.
    /// Default: 0.005. `fit` refuses one that is negative or NaN.
    pub fn evaluation_share(mut self, share: f64) -> TensorBoard {
        self.evaluation_share = share;
        self
    }

    /// Adds hyperparameters, by which the page "HParams" compares runs. Default: the dataset, the number of its samples, of epochs
    /// and of parameters.
    pub fn hparams<N: Into<String>>(mut self, hparams: impl IntoIterator<Item = (N, HParam)>) -> TensorBoard {
        self.hparams.extend(hparams.into_iter().map(|(name, hparam)| (name.into(), hparam)));
        self
    }

    /// Adds a text, in Markdown.
    pub fn text(mut self, tag: impl Into<String>, text: impl Into<String>) -> TensorBoard {
        self.texts.push((tag.into(), text.into()));
        self
    }

    /// Adds a text that is shown as it is, such as the settings of the run.
    ///
    /// ```
    /// use hadal::monitor::tensorboard::TensorBoard;
    /// let board = TensorBoard::new("runs/first").verbatim("configuration", "[training]\nepochs = 5\n");
    /// ```
    pub fn verbatim(self, tag: impl Into<String>, text: &str) -> TensorBoard {
        self.text(tag, summary::verbatim(text))
    }

    /// Begins a run, or goes on with one that has taken `step` steps.
    fn begin(&mut self, event: &Event) -> Result<()> {
        let Event::TrainBegin { step, steps_per_epoch, model, metric_names, .. } = event else { return Ok(()) };
        // The file of an earlier call of fit is closed first.
        self.run = None;
        let network = model.as_sequential();
        let share = self.evaluation_share;
        if share.is_nan() || share < 0.0 {
            return Err(Error::Config(format!(
                "TensorBoard: evaluation_share is 0 or more, such as 0.005, not {share}"
            )));
        }
        if self.validation_data.is_some() && network.is_none() {
            note("TensorBoard: activations, dead units and the first layer are written for a Sequential alone");
        }
        let samples = self.validation_data.as_ref();
        let samples = samples.map(|data| Samples::new(data, self.image_shape.as_ref(), network)).transpose()?;
        let mut log = Log::open(&self.folder)?;
        if *step > 0 {
            log.purge_from(step + 1);
        } else {
            if log.continues() {
                log.purge_from(0);
            }
            self.log_beginning(&mut log, event, *model)?;
            log_layout(&mut log, metric_names)?;
            if let Some(samples) = &samples {
                samples.log_images(&mut log)?;
                network.map_or(Ok(()), |network| samples.log_first_weights(&mut log, network))?;
            }
        }
        log.write_now();
        self.run = Some(Run {
            log: log.into(),
            samples,
            architecture: network.map(Sequential::architecture),
            steps_per_epoch: *steps_per_epoch,
            step: *step,
            epoch_ended: true,
            is_evaluated: false,
            live: Live::new(self.evaluation_share),
            process: Process::new(),
            has_noted_classes: false,
        });
        Ok(())
    }

    /// Logs what is known before the first step.
    fn log_beginning(&self, log: &mut Log, event: &Event, model: &dyn Module) -> Result<()> {
        let Event::TrainBegin { dataset, samples, epochs, .. } = event else { return Ok(()) };
        let known = [
            ("dataset", HParam::from(*dataset)),
            ("samples", (*samples).into()),
            ("epochs", (*epochs).into()),
            ("parameters", model.parameter_count().into()),
        ];
        let known = known.into_iter().filter(|(name, _)| self.hparams.iter().all(|(own, _)| own != name));
        log.hparams(known.map(|(name, hparam)| (name.to_owned(), hparam)).chain(self.hparams.iter().cloned()))?;
        self.texts.iter().try_for_each(|(tag, text)| log.text(tag, text))?;
        if let Some(network) = model.as_sequential() {
            log.text("summary", &summary::verbatim(&network.summary().to_string()))?;
            log.graph(network);
        }
        if self.histograms {
            Samples::log_weights(log, model)?;
        }
        Ok(())
    }
}

impl Callback for TensorBoard {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if let Event::TrainBegin { .. } = event {
            self.begin(event)?;
        }
        let shown = shown(&self.validation_data, &self.class_names, &self.image_shape, &self.columns);
        let Some(run) = &mut self.run else { return Ok(Flow::Continue) };
        match event {
            Event::BatchEnd { .. } => run.log_step(event, self.every_steps, self.histograms)?,
            Event::ValidationBatch { epoch, predictions, targets } if shown.is_some() => {
                run.live.add(*epoch, predictions, targets);
            }
            Event::EpochEnd { .. } => run.log_epoch(event, self.histograms, shown.as_ref())?,
            Event::TrainEnd => run.log_end()?,
            Event::TrainBegin { .. } | Event::ValidationBatch { .. } => {}
        }
        Ok(Flow::Continue)
    }

    /// What was logged before is on the disk when the checkpoint is: a run that goes on from it does not log it again.
    fn only_watches(&self) -> bool {
        true
    }

    fn state(&self) -> Option<CallbackState> {
        let memory = match &self.run {
            None => Memory { held: Vec::new(), epoch_ended: true, is_evaluated: false },
            Some(run) => {
                let mut log = run.log.borrow_mut();
                log.write_now();
                Memory { held: log.held().to_vec(), epoch_ended: run.epoch_ended, is_evaluated: run.is_evaluated }
            }
        };
        CallbackState::json(&memory, Vec::new())
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let memory: Memory = state.parse("TensorBoard")?;
        if let Some(run) = &mut self.run {
            (run.epoch_ended, run.is_evaluated) = (memory.epoch_ended, memory.is_evaluated);
            if !memory.epoch_ended {
                // The interrupted run may have gone on to the end of the epoch, which is logged by the same step.
                let log = run.log.get_mut();
                log.purge_from(run.step);
                log.hold();
                log.append(&memory.held);
            }
        }
        Ok(())
    }

    fn takes_states(&self) -> bool {
        self.validation_data.is_some()
    }

    /// The last state has the weights that the model is left with.
    fn take_state(&mut self, state: &TrainingState, is_last: bool) -> Result<()> {
        let shown = shown(&self.validation_data, &self.class_names, &self.image_shape, &self.columns);
        match (&mut self.run, shown) {
            (Some(run), Some(shown)) if is_last && state.is_finished() => run.evaluate_end(state, &shown),
            _ => Ok(()),
        }
    }
}

/// How the validation data is shown, if there is any.
fn shown<'a>(
    data: &'a Option<Dataset>,
    names: &'a [String],
    image_shape: &'a Option<Shape>,
    columns: &'a Option<SampleColumns>,
) -> Option<Shown<'a>> {
    let data = data.as_ref()?;
    Some(Shown { data, names, image_shape: image_shape.as_ref(), columns: columns.as_ref() })
}
