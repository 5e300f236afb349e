//! The callback that writes for TensorBoard.

use std::path::{Path, PathBuf};

use prost::Message;
use serde::{Deserialize, Serialize};

use super::evaluation::{log_mistakes, log_pr_curves};
use super::messages::{
    Category, Chart, Data, HParamsData, Layout, MultilineChartContent, STATUS_SUCCESS, SessionEndInfo,
};
use super::samples::Samples;
use super::{HParam, Log, file, summary};
use crate::data::Dataset;
use crate::monitor::evaluation::Evaluation;
use crate::monitor::note;
use crate::nn::{Architecture, Module, Sequential};
use crate::train::{Callback, CallbackState, Event, Flow, Logs, TrainingState};
use crate::{Gradients, Result, Shape};

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
/// | Custom Scalars | training and validation in one chart, for each metric | |
/// | Histograms, Distributions | `weights/<name>` | at the beginning and each epoch |
/// | | `gradients/<name>`, those of the epoch's last step | each epoch |
/// | | `activations/<number> <layer>`, of the first 128 samples of the validation data | each epoch |
/// | Images | `samples`, the first 25; `first layer`, the weights of the first 64 units, grey is 0 | once; each epoch |
/// | | `mistakes/...`, the 16 samples to whose class the trained model gives the least probability | at the end |
/// | PR Curves | `precision_recall/<class>`, of the trained model on the validation data | at the end |
/// | Text | `summary`, the layers; `mistakes`; and what [`text`](TensorBoard::text) was given | |
/// | HParams | what [`hparams`](TensorBoard::hparams) was given, with the scalars as metrics | |
/// | Graphs | the layers | |
///
/// All are drawn by the number of the optimizer's step, so that curves of batches and epochs lie on one axis. Keras writes training
/// and validation as two runs, `train` and `validation`; here a run is one folder and one row, and training and validation are two
/// tags of a group.
///
/// Activations, first layer, mistakes, curves and graph are written for a [`Sequential`]; activations of all its layers but those
/// that keep the numbers as they are, such as dropout. Images need samples that are images, of at most 4,194,304 pixels: of shape
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
    hparams: Vec<(String, HParam)>,
    texts: Vec<(String, String)>,
    run: Option<Run>,
}

/// A run under way.
struct Run {
    /// `state` has it write, too.
    log: std::cell::RefCell<Log>,
    samples: Option<Samples>,
    architecture: Option<Architecture>,
    steps_per_epoch: usize,
    step: usize,
    /// Whether the end of an epoch has been logged since the last step.
    epoch_ended: bool,
}

/// What a resumed run needs.
#[derive(Serialize, Deserialize)]
struct Memory {
    /// The records of the last step.
    held: Vec<u8>,
    epoch_ended: bool,
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
            hparams: Vec::new(),
            texts: Vec::new(),
            run: None,
        }
    }

    /// Logs loss, learning rate and the norm of the gradients every `steps` steps; 0 is never. Default: 50.
    pub fn every_steps(mut self, steps: usize) -> TensorBoard {
        self.every_steps = steps;
        self
    }

    /// Whether weights, gradients and activations are logged as histograms. Default: yes.
    pub fn histograms(mut self, histograms: bool) -> TensorBoard {
        self.histograms = histograms;
        self
    }

    /// The data on which the model is watched: samples as images, activations, mistakes and precision-recall curves. Default: none.
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
        let samples = match (&self.validation_data, network) {
            (Some(data), Some(network)) => Some(Samples::new(data, self.image_shape.as_ref(), network)?),
            (Some(_), None) => {
                note(
                    "TensorBoard: activations, mistakes and precision-recall curves are written for a Sequential alone",
                );
                None
            }
            (None, _) => None,
        };
        let mut log = Log::open(&self.folder)?;
        if *step > 0 {
            log.purge_from(step + 1);
        } else {
            if log.continues() {
                log.purge_from(0);
            }
            self.log_beginning(&mut log, event, *model)?;
            log_layout(&mut log, metric_names)?;
            if let (Some(samples), Some(network)) = (&samples, network) {
                samples.log_images(&mut log)?;
                samples.log_first_weights(&mut log, network)?;
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

/// Has the page "Custom Scalars" draw training and validation in one chart.
fn log_layout(log: &mut Log, names: &[String]) -> Result<()> {
    let validated = names.iter().filter(|name| names.contains(&format!("val_{name}")));
    let chart = |name: &String| Chart {
        title: name.clone(),
        multiline: Some(MultilineChartContent {
            tag: ["train", "validation"].map(|part| format!("^{}/{part}$", escaped(name))).to_vec(),
        }),
    };
    let charts: Vec<Chart> = validated.map(chart).collect();
    if charts.is_empty() {
        return Ok(());
    }
    let category = vec![Category { title: "training and validation".into(), chart: charts }];
    log.values(vec![summary::layout(Layout { category }.encode_to_vec())])
}

/// The text as a regular expression that matches it.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() && c != '_' {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

impl Run {
    /// Logs a step; what belongs to it is held back until the next one, so that a checkpoint can keep it.
    fn log_step(&mut self, event: &Event, every_steps: usize, histograms: bool) -> Result<()> {
        let Event::BatchEnd { batch, step, learning_rate, loss, gradients, model, .. } = event else { return Ok(()) };
        let log = self.log.get_mut();
        log.release();
        (self.step, self.epoch_ended) = (*step, false);
        log.step(*step);
        if every_steps > 0 && step.is_multiple_of(every_steps) {
            log.hold();
            let numbers =
                [("loss/batch", *loss), ("learning_rate", *learning_rate), ("gradient_norm", gradients.norm())];
            log.values(numbers.map(|(tag, value)| summary::plain(tag, Data::SimpleValue(value as f32))).into())?;
        }
        if histograms && *batch == self.steps_per_epoch {
            log.hold();
            log_gradients(log, *model, gradients)?;
        }
        log.write_if_due();
        Ok(())
    }

    fn log_epoch(&mut self, event: &Event, histograms: bool) -> Result<()> {
        let Event::EpochEnd { epoch, logs, elapsed, model, .. } = event else { return Ok(()) };
        let log = self.log.get_mut();
        log.release();
        log.step(self.step);
        self.epoch_ended = true;
        let mut numbers =
            vec![("epoch".to_owned(), *epoch as f64), ("epoch_seconds".to_owned(), elapsed.as_secs_f64())];
        numbers.extend(logs.iter().map(|(name, value)| (tag_of(name, logs), value)));
        let value = |(tag, number): (String, f64)| summary::plain(&tag, Data::SimpleValue(number as f32));
        log.values(numbers.into_iter().map(value).collect())?;
        if histograms {
            Samples::log_weights(log, *model)?;
        }
        if let (Some(samples), Some(network)) = (&self.samples, model.as_sequential()) {
            if histograms {
                samples.log_activations(log, network)?;
            }
            samples.log_first_weights(log, network)?;
        }
        log.write_now();
        Ok(())
    }

    fn log_end(&mut self) -> Result<()> {
        let log = self.log.get_mut();
        log.step(self.step);
        let end = SessionEndInfo { status: STATUS_SUCCESS, end_time_secs: file::seconds() };
        log.values(vec![summary::hparams_value("_hparams_/session_end_info", HParamsData::SessionEnd(end))])?;
        log.write_now();
        Ok(())
    }

    /// Logs what the trained model gets right and wrong.
    fn log_evaluation(&mut self, state: &TrainingState, data: &Dataset, board: &Shown) -> Result<()> {
        let Some(architecture) = &self.architecture else { return Ok(()) };
        // The layers are made anew: training has let go of the model.
        let mut model = match Sequential::from_architecture(architecture).and_then(Sequential::build) {
            Ok(model) => model,
            Err(error) => {
                note(&format!("TensorBoard: mistakes and precision-recall curves are not written: {error}"));
                return Ok(());
            }
        };
        model.load_state_dict(&state.model())?;
        let log = self.log.get_mut();
        log.step(state.steps());
        if let Some(evaluation) = Evaluation::of_model(&model, data)? {
            log_pr_curves(log, &evaluation, board.names)?;
            log_mistakes(log, &evaluation, data, board.names, board.image_shape)?;
        }
        log.write_now();
        Ok(())
    }
}

/// How samples are shown.
struct Shown<'a> {
    names: &'a [String],
    image_shape: Option<&'a Shape>,
}

/// `val_loss` as `loss/validation`, `loss` as `loss/train`.
fn tag_of(name: &str, logs: &Logs) -> String {
    match name.strip_prefix("val_").filter(|own| logs.get(own).is_some()) {
        Some(own) => format!("{own}/validation"),
        None => format!("{name}/train"),
    }
}

fn log_gradients(log: &mut Log, model: &dyn Module, gradients: &Gradients) -> Result<()> {
    let mut outcome = Ok(());
    model.visit("", &mut |name, parameter| {
        if let Some(gradient) = gradients.get(parameter)
            && outcome.is_ok()
        {
            outcome = log.histogram(&format!("gradients/{name}"), gradient);
        }
    });
    outcome
}

impl Callback for TensorBoard {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if let Event::TrainBegin { .. } = event {
            self.begin(event)?;
        }
        let Some(run) = &mut self.run else { return Ok(Flow::Continue) };
        match event {
            Event::BatchEnd { .. } => run.log_step(event, self.every_steps, self.histograms)?,
            Event::EpochEnd { .. } => run.log_epoch(event, self.histograms)?,
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
            None => Memory { held: Vec::new(), epoch_ended: true },
            Some(run) => {
                let mut log = run.log.borrow_mut();
                log.write_now();
                Memory { held: log.held().to_vec(), epoch_ended: run.epoch_ended }
            }
        };
        CallbackState::json(&memory, Vec::new())
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        let memory: Memory = state.parse("TensorBoard")?;
        if let Some(run) = &mut self.run {
            run.epoch_ended = memory.epoch_ended;
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
        let shown = Shown { names: &self.class_names, image_shape: self.image_shape.as_ref() };
        match (&mut self.run, &self.validation_data) {
            (Some(run), Some(data)) if is_last && state.is_finished() => run.log_evaluation(state, data, &shown),
            _ => Ok(()),
        }
    }
}
