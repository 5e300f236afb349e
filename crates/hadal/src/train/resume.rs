//! Going on where a run was interrupted.

use std::path::Path;

use super::training_state::{MODEL, OPTIMIZER, VERSION};
use super::{Fit, History, Trainer, TrainingState};
use crate::data::Dataset;
use crate::nn::Model;
use crate::{Error, Result, matmul_precision, simd_level};

impl<M: Model> Trainer<M> {
    /// Goes on with a run that was interrupted: as [`fit`](Trainer::fit) with the same data and the same options, from the state in a
    /// file that a [`Checkpoint`](super::Checkpoint) wrote, to the same bits as without the interruption, on any number of
    /// threads. The trainer is made as for the run: the same network, optimizer, loss, metrics and seed. Returns the history of
    /// the whole run; if it had ended, nothing more is trained.
    ///
    /// Data is compared by its name, number and shape of samples: whoever keeps its [`digest`](Dataset::digest) in the
    /// [notes](super::Checkpoint::notes) can compare its values, too.
    ///
    /// The example of [`Checkpoint`](super::Checkpoint) shows it.
    ///
    /// # Errors
    /// If the file cannot be read, or a setting, the data or the model is another one than the run's: the message names the first
    /// difference. If the run was made by another version of this library or with other vector instructions, from where
    /// it would not go on to the same bits; see [`Fit::allow_inexact_resume`].
    pub fn resume(&mut self, checkpoint: impl AsRef<Path>, data: &Dataset, fit: Fit) -> Result<History> {
        let path = checkpoint.as_ref();
        let state = TrainingState::load(path)?;
        fit.run(self, data, Some(state)).map_err(|error| match error {
            Error::Config(reason) | Error::Data(reason) => Error::file(path, format!("cannot be resumed: {reason}")),
            other => other,
        })
    }

    /// Model, optimizer and streams as they were.
    pub(super) fn load_training_state(&mut self, state: &TrainingState) -> Result<()> {
        let facts = &state.facts;
        self.model.load_state_dict(&state.under(MODEL).into_iter().collect())?;
        self.optimizer.core_mut().load_state_dict(facts.optimizer_steps, &state.under(OPTIMIZER))?;
        self.optimizer.core().check_parameters(&self.model)?;
        (self.progress.epochs, self.progress.steps) = (facts.epochs, facts.steps);
        (self.progress.order, self.progress.dropout) = (facts.order.into(), facts.dropout.into());
        Ok(())
    }
}

const LIMIT_OF_STEPS: &str = "limit of steps";

/// What makes a run the run that it is, with what it is called.
pub(super) fn identity<M: Model>(fit: &Fit, trainer: &Trainer<M>, data: &Dataset) -> Vec<(String, String)> {
    let of_data = |data: &Dataset| format!("{} ({} samples of shape {})", data.name(), data.len(), data.input_shape());
    let mut model = Vec::new();
    trainer.model.visit("", &mut |name, tensor| model.push(format!("{name} {} {}", tensor.dtype(), tensor.shape())));
    let losses: Vec<String> = trainer.reported(false).into_iter().map(|(name, _)| name).collect();
    let optimizer = &trainer.optimizer;
    let core = optimizer.core();
    let pairs = [
        ("training data", of_data(data)),
        ("validation data", fit.validation_data.map_or("none".to_owned(), of_data)),
        ("model", model.join(", ")),
        ("optimizer", format!("{} {:?}", optimizer.name(), optimizer.update_rule(optimizer.learning_rate(), 1))),
        ("settings of the optimizer", core.describe()),
        ("loss and metrics", losses.join(", ")),
        ("seed", trainer.seed.to_string()),
        ("number of epochs", fit.epochs.to_string()),
        (LIMIT_OF_STEPS, format!("{:?}", fit.max_steps)),
        ("batch size", fit.batch_size.to_string()),
        ("shuffling", fit.shuffle.to_string()),
        ("schedule", format!("{:?}{}", fit.schedule, if fit.by_epoch { " by epoch" } else { "" })),
        ("reduce_lr_on_plateau", fit.plateau.as_ref().map_or("none".to_owned(), |plateau| plateau.describe())),
        ("clip_norm", format!("{:?}", fit.clip_norm)),
        ("clip_value", format!("{:?}", fit.clip_value)),
    ];
    pairs.into_iter().map(|(what, value)| (what.to_owned(), value)).collect()
}

/// What decides the last bits of sums of products.
pub(super) fn exactness() -> Vec<(String, String)> {
    let pairs = [
        (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        ("vector instructions", format!("{:?} on {}", simd_level(), std::env::consts::ARCH)),
        ("precision of products", matmul_precision().to_string()),
    ];
    pairs.into_iter().map(|(what, value)| (what.to_owned(), value)).collect()
}

impl TrainingState {
    /// Checks that a run with this identity goes on from here.
    pub(super) fn check(&self, run: &[(String, String)], is_inexact_allowed: bool) -> Result<()> {
        // A run that has ended at a limit may have it as a setting since; there is nothing left that it could change.
        let is_known = |(what, _): &&(String, String)| !(self.is_finished() && what == LIMIT_OF_STEPS);
        let run: Vec<_> = run.iter().filter(is_known).cloned().collect();
        if let Some((what, then, now)) = difference(&self.facts.run, &run) {
            return Err(Error::Config(format!("it is of another run: its {what} was {then}, not {now}")));
        }
        match difference(&self.facts.exactness, &exactness()) {
            Some((what, then, now)) if !is_inexact_allowed => Err(Error::Config(format!(
                "the {what} was {then}, and is {now} here, where the run would not go on to the same bits; resume it where it was, or \
                 allow it (Fit::allow_inexact_resume)"
            ))),
            _ => Ok(()),
        }
    }
}

/// The first that is not the same: its name, and both values.
fn difference<'a>(then: &'a [(String, String)], now: &'a [(String, String)]) -> Option<(&'a str, &'a str, &'a str)> {
    now.iter().find_map(|(what, now)| {
        let then = then.iter().find(|(name, _)| name == what).map_or("not known", |(_, value)| value);
        (then != now).then_some((what.as_str(), then, now.as_str()))
    })
}
