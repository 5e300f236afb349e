//! `hadal tune`.

use std::path::Path;
use std::process::ExitCode;

use hadal::monitor::{note, print_line};
use hadal::prelude::*;
use hadal::train::{Callback, Checkpoint, Every, History, RunFolder, TrainingState};
use hadal::{Error, Result};
use toml::Value;

use super::{Outcome, Search, Settings, Store, TrialRun, report, tune};
use crate::args::Tune;
use crate::config::space::{Dimension, Space};
use crate::config::{self, Config};
use crate::defaults::complete;
use crate::holdout;
use crate::interrupt::Interrupt;
use crate::intervals::print_intervals;
use crate::network::trainer;
use crate::parts::{self, Parts};
use crate::session::{Folder, SETTINGS, Session, epochs, higher_is_better, monitor, options};
use crate::source::Source;
use crate::train::{data, quoted, set_precision, vacant};
use crate::watchers::health;

pub fn run(args: &Tune) -> Result<ExitCode> {
    let mut config = args.settings.config()?;
    let (source, parts) = data(&mut config, args.data_dir.as_deref())?;
    let given = Config { tune: toml::Table::new(), ..config.clone() };
    complete(&mut config, &source, parts.train.len(), parts.task);
    set_precision(&config);
    if config.training.time_limit.is_some() {
        return Err(Error::Config(
            "with a time limit, the trials would depend on the machine's speed; limit them with --epochs or max_steps"
                .into(),
        ));
    }
    let space = Space::of(&config).map_err(Error::Config)?;
    let reads_again = space.dimensions.iter().any(is_of_data);
    if reads_again && source == Source::Table("-".into()) {
        return Err(Error::Config("[tune]: settings of [preprocess] need a file: standard input is read once".into()));
    }
    let base = Config { tune: toml::Table::new(), ..config.clone() };
    let cores = hadal::num_threads();
    let workers = args.workers.unwrap_or(cores);
    let settings = Settings {
        seed: config.training.seed.unwrap_or(1),
        trials: args.trials,
        epochs: epochs(&config, &parts),
        factor: args.factor,
        min_epochs: args.min_epochs,
        score: monitor(&config),
        higher_is_better: higher_is_better(&config, &parts)?,
        workers,
        about: about(&base, &parts)?,
    };
    settings.check(&space)?;
    let folder = args.out.clone().map_or_else(|| vacant(&format!("{}-tune", source.name())), Ok)?;
    let store = Store::open(&folder, &space, &settings)?;
    let text = config::commented(&config, None)?;
    hadal::format::write_atomically(&folder.join(SETTINGS), |out| out.write_all(text.as_bytes()))?;
    // Each trial computes on one thread if there are as many at a time as processors.
    hadal::set_num_threads((cores / workers).max(1));
    let interrupt = Interrupt::watch();
    let trials = Trials { given: &given, space: &space, source: &source, parts: &parts, args, interrupt: &interrupt };
    let mut say = |line: &str| {
        // What cannot be printed must not end the search.
        let _ = if args.quiet { Ok(()) } else { print_line(line) };
    };
    let search = tune(&space, &settings, &|trial| trials.run(trial), &store, &mut say)?;
    hadal::set_num_threads(cores);
    let Some(search) = search else {
        print_line(&format!("Interrupted; the same command with --out {} goes on", quoted(&folder)))?;
        return Ok(ExitCode::from(interrupt.status().unwrap_or(130)));
    };
    print_tables(&search)?;
    let winner = folder.join("winner");
    match trials.winner(&search, &winner)? {
        Some(code) => Ok(code),
        None => {
            print_line(&format!("The search is kept in {}, its winner in {}", folder.display(), winner.display()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whether the data has to be prepared for each of its values.
fn is_of_data(dimension: &Dimension) -> bool {
    dimension.section == "preprocess" || dimension.name() == "text.context"
}

fn print_tables(search: &Search) -> Result<()> {
    const BEST: usize = 10;
    print_line("\nThe best trials")?;
    report::best(search, BEST).iter().try_for_each(|line| print_line(line))?;
    print_line(&format!("\nHow much of the variance of {} each setting explains on its own", search.score))?;
    report::importance(search).iter().try_for_each(|line| print_line(line))?;
    print_line("")
}

/// What must be the same for a search to go on, beside its own settings.
fn about(base: &Config, parts: &Parts) -> Result<serde_json::Map<String, serde_json::Value>> {
    let settings = serde_json::to_value(base).map_err(|error| Error::Config(error.to_string()))?;
    let data = parts.digest.clone().map_or(serde_json::Value::Null, serde_json::Value::from);
    let version = serde_json::Value::from(format!("{} {:?}", env!("CARGO_PKG_VERSION"), hadal::simd_level()));
    Ok([("data", data), ("settings", settings), ("version", version)]
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect())
}

/// What the trials of a search have in common.
struct Trials<'a> {
    /// What was set, before defaults were taken: those of a trial are chosen by its own values.
    given: &'a Config,
    space: &'a Space,
    source: &'a Source,
    parts: &'a Parts,
    args: &'a Tune,
    interrupt: &'a Interrupt,
}

impl Trials<'_> {
    /// The complete settings of a trial, and its data, if the search tries ways to prepare it.
    fn prepare(&self, values: &[(String, Value)]) -> Result<(Config, Option<Parts>)> {
        let mut config = self.given.clone();
        for (dimension, (_, value)) in self.space.dimensions.iter().zip(values) {
            config = dimension.set(&config, value).map_err(Error::Config)?;
        }
        let prepares = self.space.dimensions.iter().any(is_of_data);
        let load = || parts::load(self.source, &mut config, self.args.data_dir.as_deref(), None);
        let own = prepares.then(load).transpose()?;
        let parts = own.as_ref().unwrap_or(self.parts);
        complete(&mut config, self.source, parts.train.len(), parts.task);
        Ok((config, own))
    }

    /// Trains a trial until an epoch, from where an earlier rung or an interruption left it.
    fn run(&self, trial: &TrialRun) -> Result<Option<Outcome>> {
        let (config, own) = self.prepare(&trial.values)?;
        let parts = own.as_ref().unwrap_or(self.parts);
        let path = trial.folder.join(RunFolder::CHECKPOINT);
        // A damaged one is made again, to the same bits.
        let state = path.exists().then(|| TrainingState::load(&path)).and_then(|state| match state {
            Ok(state) => Some(state),
            Err(error) => {
                note(&format!("{error}; the trial begins again"));
                None
            }
        });
        let is_there = |state: &TrainingState| state.is_finished() || state.epochs() >= trial.until_epoch;
        let history = match state {
            Some(state) if is_there(&state) => state.history(),
            state => {
                let until = trial.until_epoch;
                let pause = move |event: &Event| {
                    let is_due = matches!(event, Event::EpochEnd { epoch, .. } if *epoch >= until);
                    Ok(if is_due { Flow::Suspend } else { Flow::Continue })
                };
                let mut fit = options(&config, parts).callback(self.interrupt.clone());
                if until < epochs(&config, parts) {
                    fit = fit.on_event(pause);
                }
                let fit = fit.callback(Checkpoint::new(&path).every(Every::Steps(usize::MAX)));
                let mut model = trainer(&config, parts)?;
                match state {
                    Some(_) => model.resume(&path, &parts.train, fit)?,
                    None => model.fit(&parts.train, fit)?,
                }
            }
        };
        if self.interrupt.status().is_some() {
            return Ok(None);
        }
        outcome(&history, &config, trial.until_epoch, higher_is_better(&config, parts)?).map(Some)
    }

    /// Trains the winner once more, into a folder of its own, and judges it on the holdout part, once. `Some`, if interrupted.
    fn winner(&self, search: &Search, folder: &Path) -> Result<Option<ExitCode>> {
        let (config, own) = self.prepare(&search.winner().values)?;
        let parts = own.as_ref().unwrap_or(self.parts);
        let is_kept = folder.join(RunFolder::SUMMARY).exists();
        let place = Folder {
            path: folder,
            checkpoint_every: Every::default(),
            resume: folder.join(RunFolder::CHECKPOINT).exists(),
            inexact: false,
            is_watched: true,
            is_reported: true,
        };
        let (source, interrupt) = (self.source, self.interrupt.clone());
        let health = health(self.args.health, &config, parts, Some(folder));
        let progress = health.map(|health| Box::new(health.run_name("winner")) as Box<dyn Callback>);
        let session = Session {
            config: &config,
            source,
            parts,
            folder: Some(place),
            held: None,
            progress: progress.into_iter().collect(),
            interrupt,
        };
        let model = session.trainer()?;
        let ended = session.run(model).map_err(|error| Error::Data(format!("winner: {error}")))?;
        if let Some(status) = self.interrupt.status().filter(|_| ended.is_suspended) {
            print_line("Interrupted while the winner was trained; the same command with the same --out goes on")?;
            return Ok(Some(ExitCode::from(status)));
        }
        let test = ended.model.evaluate(&parts.test)?;
        if !is_kept {
            ended.summarize(folder, &config, source, parts, &test)?;
        }
        print_line(&format!("Winner: trial {} ({})", search.winner, report::settings(search.winner())))?;
        print_line(&format!("{} test: {test} (it was chosen by this part)", source.name()))?;
        let Some(part) = &parts.holdout else {
            note("there is no holdout part to judge the winner by (--split 70/15/15 makes one)");
            return Ok(None);
        };
        if folder.join(RunFolder::HOLDOUT).exists() {
            print_line(&match holdout::first_look(folder) {
                Some(score) => format!("{} holdout: {score} (at the first look, when the search ended)", source.name()),
                None => format!(
                    "The holdout part has judged the winner already, but what it said cannot be read in {}",
                    folder.join(RunFolder::HOLDOUT).display()
                ),
            })?;
            return Ok(None);
        }
        let score = ended.model.evaluate(part)?;
        print_line(&format!("{} holdout: {score}", source.name()))?;
        print_intervals(&ended.model, part, &score)?;
        holdout::look(folder, &score);
        Ok(None)
    }
}

/// The best value of the monitored metric until an epoch, or the last one if the best model is not kept.
fn outcome(history: &History, config: &Config, until: usize, higher_is_better: bool) -> Result<Outcome> {
    let mut values = history.get(&monitor(config))?;
    let stopped = values.len() < until;
    values.truncate(until);
    let epochs = values.len();
    let score = if config.training.keep_best == Some(true) {
        let better = |a: f64, b: f64| {
            if b.is_nan() || (higher_is_better && a >= b) || (!higher_is_better && a <= b) { a } else { b }
        };
        values.into_iter().fold(f64::NAN, |best, value| if best.is_nan() { value } else { better(best, value) })
    } else {
        values.last().copied().unwrap_or(f64::NAN)
    };
    Ok(Outcome { score, epochs, stopped })
}
