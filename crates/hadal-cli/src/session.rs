//! One run of training: a network, its data, and the folder that keeps it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hadal::prelude::*;
use hadal::train::{
    Callback, Every, ExponentialMovingAverage, HeldFolder, History, Logs, RunFolder, TimeLimit, duration,
};
use hadal::{Error, Machine, Result, simd_level};

use crate::config::{self, Config};
use crate::interrupt::Interrupt;
use crate::model;
use crate::network::{measures, schedule, trainer};
use crate::parts::Parts;
use crate::report::report;
use crate::several::check_is_one;
use crate::source::Source;
use crate::summary::{Summary, scores};
use crate::texts;
use crate::watchers::tensorboard;

/// The file with the complete settings of a run.
pub const SETTINGS: &str = "config.toml";
/// The file with the SHA-256 of the data, for a run that is killed before a checkpoint has it.
pub const DIGEST: &str = "data.sha256";

/// What a run is made of.
pub struct Session<'a> {
    pub config: &'a Config,
    pub source: &'a Source,
    pub parts: &'a Parts,
    pub folder: Option<Folder<'a>>,
    /// That folder, if it was taken before.
    pub held: Option<HeldFolder>,
    /// What shows progress.
    pub progress: Vec<Box<dyn Callback + 'a>>,
    pub interrupt: Interrupt,
}

/// Where a run is kept.
#[derive(Clone, Copy)]
pub struct Folder<'a> {
    pub path: &'a Path,
    pub checkpoint_every: Every,
    /// Whether to go on from the checkpoint that is there.
    pub resume: bool,
    /// Even if the result differs by rounding.
    pub inexact: bool,
    /// Whether to write what watches the run beside it.
    pub is_watched: bool,
    /// Whether to write a page about it when it has ended.
    pub is_reported: bool,
}

/// What came of it.
pub struct Ended {
    pub model: Trainer<Sequential>,
    pub history: History,
    pub seconds: f64,
    /// The step at which the time was up.
    pub timed_out: Option<usize>,
    /// Whether it was interrupted, and is to be resumed.
    pub is_suspended: bool,
}

impl Session<'_> {
    /// The network, before training.
    pub fn trainer(&self) -> Result<Trainer<Sequential>> {
        trainer(self.config, self.parts)
    }

    /// Takes the folder of the run.
    fn open(&mut self, folder: Folder, model: &Sequential) -> Result<RunFolder> {
        let own = &self.config.training;
        let notes = model::notes(self.config, &self.source.name(), self.parts)?;
        let settings = config::to_toml(self.config)?;
        let data = self.parts.digest.iter().map(|digest| (model::DATA.to_owned(), digest.clone()));
        let checkpoint: BTreeMap<String, String> = data.chain([(SETTINGS.to_owned(), settings)]).collect();
        let held = self.held.take().map_or_else(|| HeldFolder::take(folder.path), Ok)?;
        let mut run = RunFolder::open_held(held, model.architecture(), notes)?
            .file(SETTINGS, config::commented(self.config, None)?)
            .checkpoint(folder.checkpoint_every, checkpoint)
            .min_delta(own.min_delta.unwrap_or(0.0));
        if let Some(digest) = &self.parts.digest {
            run = run.file(DIGEST, digest);
        }
        if own.keep_best == Some(true) {
            run = run.keep_best(monitor(self.config));
        }
        Ok(run)
    }

    /// Trains `model`, the session's network.
    pub fn run(mut self, mut model: Trainer<Sequential>) -> Result<Ended> {
        let parts = self.parts;
        let limit = self.config.training.time_limit.as_deref().map(duration).transpose()?;
        let mut limit = limit.map(TimeLimit::new);
        let mut fit = options(self.config, parts).callback(self.interrupt.clone());
        for progress in std::mem::take(&mut self.progress) {
            fit = fit.callback(progress);
        }
        let checkpoint =
            self.folder.filter(|folder| folder.resume).map(|folder| folder.path.join(RunFolder::CHECKPOINT));
        if let Some(folder) = self.folder {
            if folder.inexact {
                fit = fit.allow_inexact_resume();
            }
            fit = fit.callback(self.open(folder, &model.model)?);
            if folder.is_watched {
                fit = fit.callback(tensorboard(folder, self.config, parts)?);
            }
            if folder.is_reported {
                fit = fit.callback(report(folder.path, self.config, self.source, parts)?);
            }
        }
        if let Some(limit) = &mut limit {
            fit = fit.callback(limit);
        }
        // That of the run so far, which goes on without one.
        let old_report =
            self.folder.filter(|folder| !folder.is_reported).map(|folder| folder.path.join(RunFolder::REPORT));
        // Between its beginning and its end. A run that had ended before has neither.
        let is_suspended = Cell::new(false);
        let fit = fit.on_event(|event| {
            match event {
                Event::TrainBegin { .. } => {
                    is_suspended.set(true);
                    old_report.iter().for_each(|path| drop(std::fs::remove_file(path)));
                }
                Event::TrainEnd => is_suspended.set(false),
                _ => {}
            }
            Ok(Flow::Continue)
        });
        let began = Instant::now();
        let history = match checkpoint {
            Some(checkpoint) => model.resume(checkpoint, &parts.train, fit)?,
            None => model.fit(&parts.train, fit)?,
        };
        let seconds = began.elapsed().as_secs_f64();
        let is_suspended = is_suspended.get();
        Ok(Ended { model, history, seconds, timed_out: limit.and_then(|limit| limit.stopped_step()), is_suspended })
    }
}

/// The options of training that the settings describe.
pub fn options<'a>(config: &Config, parts: &'a Parts) -> Fit<'a> {
    let own = &config.training;
    let min_delta = own.min_delta.unwrap_or(0.0);
    let keeps_best = own.keep_best == Some(true);
    let mut fit = Fit::epochs(epochs(config, parts))
        .batch_size(own.batch_size.unwrap_or(32))
        .validation_data(&parts.test)
        .validation_batch_size(own.test_batch_size.unwrap_or(1000))
        .schedule(schedule(config))
        .quiet();
    let mut max_steps = own.max_steps;
    if parts.vocabulary.is_some() {
        let steps = texts::length(config, parts).steps;
        max_steps = Some(max_steps.map_or(steps, |most| most.min(steps)));
        fit = fit.schedule(texts::schedule(config, parts)).clip_norm(1.0);
    }
    if let Some(steps) = max_steps {
        fit = fit.max_steps(steps);
    }
    if let Some(changes) = &own.learning_rate_changes {
        fit = fit.learning_rate_changes(changes.iter().copied());
    }
    // Before what keeps the best epoch, which is then that of the best average.
    if let Some(decay) = own.ema_decay {
        fit = fit.callback(ExponentialMovingAverage::new(decay).warm_up(true).validate(true));
    }
    match own.patience.filter(|patience| *patience > 0) {
        Some(patience) => {
            let stopping = EarlyStopping::new(monitor(config)).patience(patience).min_delta(min_delta);
            fit.callback(stopping.restore_best_weights(keeps_best))
        }
        None if keeps_best => fit.callback(KeepBest::new(monitor(config)).min_delta(min_delta)),
        None => fit,
    }
}

/// The number of epochs, where the training is not stopped before.
pub fn epochs(config: &Config, parts: &Parts) -> usize {
    match parts.vocabulary {
        Some(_) => texts::length(config, parts).epochs,
        None => config.training.epochs.unwrap_or(20),
    }
}

/// Whether larger values of the monitored metric are better.
pub fn higher_is_better(config: &Config, parts: &Parts) -> Result<bool> {
    let (_, metrics) = measures(config, parts, None)?;
    let monitor = monitor(config);
    let name = monitor.strip_prefix("val_").unwrap_or(&monitor);
    Ok(metrics
        .iter()
        .find(|metric| metric.name() == name)
        .and_then(|metric| metric.higher_is_better())
        .unwrap_or(false))
}

/// The value that decides which epoch is best.
pub fn monitor(config: &Config) -> String {
    config.training.monitor.clone().unwrap_or_else(|| "val_loss".to_owned())
}

impl Ended {
    /// Writes what the run came to beside it.
    pub fn summarize(&self, folder: &Path, config: &Config, source: &Source, parts: &Parts, test: &Logs) -> Result<()> {
        let summary = Summary {
            name: source.name(),
            data: parts.digest.clone(),
            samples: [parts.train.len(), parts.test.len(), parts.holdout.as_ref().map_or(0, Dataset::len)],
            seed: config.training.seed.unwrap_or(1),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            processor: Machine::this().processor(),
            instructions: simd_level().name().to_owned(),
            threads: hadal::num_threads(),
            ended: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            seconds: self.seconds,
            epochs: self.model.epochs(),
            steps: self.model.steps(),
            test: scores(test),
            settings: config.clone(),
        };
        summary.write(folder)
    }
}

/// The settings by which a run that has ended can be repeated, on a machine of any speed: the step at which the time was up, and
/// the learning rates that it was given meanwhile.
pub fn repeatable(config: &Config, ended: &Ended) -> Config {
    let mut config = config.clone();
    config.training.time_limit = None;
    config.training.max_steps = ended.timed_out.or(config.training.max_steps);
    let changes = ended.model.learning_rate_changes();
    config.training.learning_rate_changes = Some(changes.to_vec()).filter(|changes| !changes.is_empty());
    config
}

/// Says where to look if the data of the run in `folder` is not where its settings say.
pub fn check_source(config: &Config, folder: &Path) -> Result<()> {
    match config.data.source.as_deref() {
        None | Some("mnist" | "digits" | "-") => Ok(()),
        Some(source) if Path::new(source).exists() => Ok(()),
        Some(source) => Err(Error::File {
            path: folder.to_owned(),
            reason: format!(
                "its data, {source}, is not there; call the command from the folder in which the run was started"
            ),
        }),
    }
}

/// The settings in a run's folder.
pub fn settings_in(folder: &Path) -> Result<Config> {
    let path = folder.join(SETTINGS);
    check_is_one(folder)?;
    if !path.exists() {
        return Err(Error::File {
            path: folder.to_owned(),
            reason: format!("is not the folder of a run: it holds no {SETTINGS} (hadal train --out FOLDER writes one)"),
        });
    }
    config::read(&path)
}
