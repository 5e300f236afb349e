//! A run under way, and what is logged of it: steps, epochs and its end.

use std::cell::RefCell;
use std::time::Instant;

use super::evaluation::{CLASSES, Shown, evaluate, log_evaluation, log_mistake_images, of_end};
use super::live::Live;
use super::messages::{Data, HParamsData, STATUS_SUCCESS, SessionEndInfo};
use super::process::Process;
use super::samples::Samples;
use super::{Log, file, summary};
use crate::monitor::evaluation::Evaluation;
use crate::monitor::note;
use crate::nn::{Architecture, Module, Sequential};
use crate::train::{Event, Logs, TrainingState};
use crate::{Gradients, Result};

pub(super) struct Run {
    /// `state` has it write, too.
    pub log: RefCell<Log>,
    pub samples: Option<Samples>,
    pub architecture: Option<Architecture>,
    pub steps_per_epoch: usize,
    pub step: usize,
    /// Whether the end of an epoch has been logged since the last step.
    pub epoch_ended: bool,
    /// Whether its evaluation has, too.
    pub is_evaluated: bool,
    pub live: Live,
    pub process: Process,
    pub has_noted_classes: bool,
}

impl Run {
    /// Logs a step; what belongs to it is held back until the next one, so that a checkpoint can keep it.
    pub fn log_step(&mut self, event: &Event, every_steps: usize, histograms: bool) -> Result<()> {
        let Event::BatchEnd { batch, step, learning_rate, loss, gradients, model, decision_threshold, .. } = event
        else {
            return Ok(());
        };
        let log = self.log.get_mut();
        log.release();
        (self.step, self.epoch_ended, self.is_evaluated) = (*step, false, false);
        self.live.decided_at(*decision_threshold);
        log.step(*step);
        if every_steps > 0 && step.is_multiple_of(every_steps) {
            log.hold();
            let numbers =
                [("loss/batch", *loss), ("learning_rate", *learning_rate), ("gradient_norm", gradients.norm())];
            let numbers = numbers.into_iter().chain(self.process.numbers());
            log.values(numbers.map(|(tag, value)| summary::plain(tag, Data::SimpleValue(value as f32))).collect())?;
        }
        if histograms && *batch == self.steps_per_epoch {
            log.hold();
            log_gradients(log, *model, gradients)?;
        }
        log.write_if_due();
        Ok(())
    }

    pub fn log_epoch(&mut self, event: &Event, histograms: bool, shown: Option<&Shown>) -> Result<()> {
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
            samples.log_activations(log, network, histograms)?;
            samples.log_first_weights(log, network)?;
        }
        if let Some(shown) = shown {
            self.evaluate_epoch(*model, shown)?;
        }
        self.log.get_mut().write_now();
        Ok(())
    }

    pub fn log_end(&mut self) -> Result<()> {
        let log = self.log.get_mut();
        log.step(self.step);
        let end = SessionEndInfo { status: STATUS_SUCCESS, end_time_secs: file::seconds() };
        log.values(vec![summary::hparams_value("_hparams_/session_end_info", HParamsData::SessionEnd(end))])?;
        log.write_now();
        Ok(())
    }

    /// Logs what the model gets right and wrong at the end of an epoch, if there is time for it.
    fn evaluate_epoch(&mut self, model: &dyn Module, shown: &Shown) -> Result<()> {
        if self.live.is_due() {
            let start = Instant::now();
            let samples = self.samples.as_ref();
            self.live.check(shown.data, || Some(samples?.outputs(model.as_sequential()?)));
            if let Some(evaluation) = self.live.evaluation() {
                self.log_evaluation(&evaluation, shown)?;
            }
            self.live.took(start.elapsed());
        }
        Ok(())
    }

    fn log_evaluation(&mut self, evaluation: &Evaluation, shown: &Shown) -> Result<()> {
        let classes = evaluation.truth.size(1);
        if classes > CLASSES && !std::mem::replace(&mut self.has_noted_classes, true) {
            note(&format!(
                "TensorBoard: of {classes} classes, precision-recall curves of the first {CLASSES} are written, and no confusion \
                 matrix"
            ));
        }
        self.is_evaluated = true;
        log_evaluation(self.log.get_mut(), evaluation, shown)
    }

    /// Logs what the trained model gets right and wrong. The outputs of the last epoch are those of the model, unless it was given
    /// other weights since.
    pub fn evaluate_end(&mut self, state: &TrainingState, shown: &Shown) -> Result<()> {
        let is_restored = state.has_restored_weights();
        let last = self.live.outputs();
        let evaluation = match last.filter(|_| !is_restored || self.architecture.is_none()) {
            Some(outputs) => {
                if is_restored {
                    note(
                        "TensorBoard: predictions, mistakes and curves are those of the last epoch; those of the best weights can be \
                         written for a Sequential alone",
                    );
                }
                of_end(outputs, shown.data)
            }
            None => self.pass(state, shown)?,
        };
        let Some(evaluation) = evaluation else { return Ok(()) };
        let is_known =
            self.is_evaluated && (!is_restored || self.live.evaluation().is_some_and(|last| last.is_same(&evaluation)));
        self.log.get_mut().step(state.steps());
        if !is_known {
            self.log_evaluation(&evaluation, shown)?;
        }
        log_mistake_images(self.log.get_mut(), &evaluation, shown)?;
        self.log.get_mut().write_now();
        Ok(())
    }

    /// Evaluates the trained model in a pass of its own.
    fn pass(&self, state: &TrainingState, shown: &Shown) -> Result<Option<Evaluation>> {
        let unwritten = "TensorBoard: predictions, mistakes, curves and confusion matrix are not written";
        let Some(architecture) = &self.architecture else {
            let reason = if self.live.is_too_large() {
                "the outputs for the validation data take more than 64 MiB"
            } else {
                "a model that is no Sequential needs one output, and the same validation data in fit"
            };
            note(&format!("{unwritten}: {reason}"));
            return Ok(None);
        };
        // The layers are made anew: training has let go of the model.
        let mut model = match Sequential::from_architecture(architecture).and_then(Sequential::build) {
            Ok(model) => model,
            Err(error) => {
                note(&format!("{unwritten}: {error}"));
                return Ok(None);
            }
        };
        model.load_state_dict(&state.model())?;
        evaluate(&model, shown.data, self.live.scale())
    }
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
