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
        self.progress.learning_rate_changes =
            facts.learning_rate_changes.iter().map(|(step, rate)| (*step, rate.0)).collect();
        (self.progress.order, self.progress.dropout) = (facts.order.into(), facts.dropout.into());
        Ok(())
    }
}

/// What a run comes to may be among its settings since.
const LIMIT_OF_STEPS: &str = "limit of steps";
const CHANGES: &str = "planned changes of the learning rate";

/// What makes a run the run that it is, with what it is called.
pub(super) fn identity<M: Model>(fit: &Fit, trainer: &Trainer<M>, data: &Dataset) -> Vec<(String, String)> {
    let of_data = |data: &Dataset| format!("{} ({} samples of shape {})", data.name(), data.len(), data.input_shape());
    let mut model = Vec::new();
    trainer.model.visit("", &mut |name, tensor| model.push(format!("{name} {} {}", tensor.dtype(), tensor.shape())));
    let losses = trainer.losses.iter().map(|own| {
        let of = own.output.as_ref().map_or(String::new(), |output| format!(" of output `{output}`"));
        let weight = if own.weight == 1.0 { String::new() } else { format!(" times {}", own.weight) };
        format!("{}{of}{weight}", own.loss.describe())
    });
    let metrics = trainer.metrics().iter().map(|metric| metric.describe()).collect::<Vec<_>>();
    let optimizer = &trainer.optimizer;
    let core = optimizer.core();
    let pairs = [
        ("training data", of_data(data)),
        ("validation data", fit.validation_data.map_or("none".to_owned(), of_data)),
        ("model", model.join(", ")),
        ("optimizer", optimizer.describe()),
        ("settings of the optimizer", core.describe()),
        ("loss", losses.collect::<Vec<_>>().join(", ")),
        ("metrics", metrics.join(", ")),
        ("seed", trainer.seed.to_string()),
        ("number of epochs", fit.epochs.to_string()),
        (LIMIT_OF_STEPS, format!("{:?}", fit.max_steps)),
        ("batch size", fit.batch_size.to_string()),
        ("number of batches that a step accumulates", fit.accumulate.to_string()),
        ("validation batch size", fit.validation_batch_size.to_string()),
        ("shuffling", fit.shuffle.to_string()),
        ("schedule", format!("{:?}{}", fit.schedule, if fit.by_epoch { " by epoch" } else { "" })),
        (CHANGES, format!("{:?}", fit.learning_rate_changes)),
        ("reduce_lr_on_plateau", fit.plateau.as_ref().map_or("none".to_owned(), |plateau| plateau.describe())),
        ("clip_norm", format!("{:?}", fit.clip_norm)),
        ("clip_value", format!("{:?}", fit.clip_value)),
    ];
    let settings = trainer.model.description();
    let settings = settings.lines().enumerate().map(|(at, line)| (format!("layer {}", at + 1), line.to_owned()));
    pairs.into_iter().map(|(what, value)| (what.to_owned(), value)).chain(settings).collect()
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
        // There is nothing left that these could change in a run that has ended.
        let changed = differences(&self.facts.run, run)
            .find(|(what, ..)| !(self.is_finished() && [LIMIT_OF_STEPS, CHANGES].contains(what)));
        if let Some((what, then, now)) = changed {
            return Err(Error::Config(format!("it is of another run: its {what} was {then}, not {now}")));
        }
        match differences(&self.facts.exactness, &exactness()).next() {
            Some((what, then, now)) if !is_inexact_allowed => Err(Error::Config(format!(
                "the {what} was {then}, and is {now} here, where the run would not go on to the same bits; resume it where it was, or \
                 allow it (Fit::allow_inexact_resume)"
            ))),
            _ => Ok(()),
        }
    }
}

/// What is not the same: its name, and both values.
fn differences<'a>(
    then: &'a [(String, String)],
    now: &'a [(String, String)],
) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    let value_in = |pairs: &'a [(String, String)], what: &str| {
        pairs.iter().find(|(name, _)| name == what).map_or("not there", |(_, value)| value.as_str())
    };
    let gone = then.iter().filter(|(what, _)| now.iter().all(|(name, _)| name != what));
    now.iter()
        .chain(gone)
        .map(move |(what, _)| (what.as_str(), value_in(then, what), value_in(now, what)))
        .filter(|(_, then, now)| then != now)
}
