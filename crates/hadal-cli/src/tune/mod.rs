//! A search for good settings: random trials, of which the best train for longer.
//!
//! Each trial's values are a function of the seed and its number ([`draw`]). Rungs are decided when all their trials have ended
//! ([`halving`]), so that the winner depends neither on the number of workers ([`workers`]) nor on which trial ends first. What has
//! ended is kept ([`store`]); a search that was killed goes on from there, to the same winner.

pub mod command;
mod draw;
mod halving;
mod importance;
pub mod report;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod workers;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use hadal::{Error, Result};
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::config::space::Space;
use halving::Rung;
pub use store::Store;

/// Settings that are the same in all trials, or that no trial has alone.
const NOT_TRIED: [(&str, &str); 8] = [
    ("training.seed", "its luck is no setting (train --seeds shows the spread)"),
    ("training.monitor", "trials are compared by one number"),
    ("training.keep_best", "trials are compared by one number"),
    ("training.time_limit", "the result would depend on the machine's speed"),
    ("training.max_steps", "the search itself decides how long trials train"),
    ("training.learning_rate_changes", "they belong to one run; try optimizer.learning_rate"),
    ("training.precision", "it is the same for all that a process computes"),
    ("model.layers", "it stands in place of hidden and the like; try model.hidden"),
];

/// The largest search.
const MOST_TRIALS: usize = 100_000;

/// How to search. All but `workers` decide the result.
#[derive(Clone, Debug)]
pub struct Settings {
    pub seed: u64,
    pub trials: usize,
    /// The epochs of the trials that reach the last rung.
    pub epochs: usize,
    /// From each rung, one of so many trials goes on, to so many times the epochs: 3 is usual. With 1 all trials train for all
    /// epochs: random search.
    pub factor: usize,
    /// The least epochs of the first rung; a tenth of `epochs` by default.
    pub min_epochs: Option<usize>,
    /// What the score is called.
    pub score: String,
    pub higher_is_better: bool,
    /// How many trials run at a time.
    pub workers: usize,
    /// What else must be the same when a search goes on, such as the hash of the data and the settings that are not tried.
    pub about: serde_json::Map<String, serde_json::Value>,
}

/// What an objective is to run: a trial until an epoch. It may go on from what it left in the folder for an earlier rung.
#[derive(Clone, Debug)]
pub struct TrialRun {
    /// From 1.
    #[cfg_attr(not(test), allow(dead_code, reason = "training does not depend on it"))]
    pub number: usize,
    /// The names of the settings, `section.key`, and their values.
    pub values: Vec<(String, Value)>,
    /// How many epochs the trial has in all when it ends.
    pub until_epoch: usize,
    /// From 1.
    #[cfg_attr(not(test), allow(dead_code, reason = "training does not depend on it"))]
    pub rung: usize,
    /// The folder of the trial, which is the same in each rung. It may not exist yet.
    pub folder: PathBuf,
}

/// How a trial ended in a rung.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    pub score: f64,
    /// How many epochs the trial has had in all.
    pub epochs: usize,
    /// Whether it ended early, so that more epochs change nothing: its score stands in later rungs.
    pub stopped: bool,
}

/// An [`Outcome`] with a finite score, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ended {
    Scored { score: f64, epochs: usize, stopped: bool },
    Failed { reason: String },
}

/// A trial and how it ended in each of its rungs.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// From 1.
    pub number: usize,
    pub values: Vec<(String, Value)>,
    /// One for each rung from the first; at least one when the search is over.
    pub ends: Vec<Ended>,
}

/// A search that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// All trials, in the order of their numbers.
    pub trials: Vec<Trial>,
    /// The number of the best trial of the last rung.
    pub winner: usize,
    /// The name of each setting, and the share of the variance of the scores that it explains on its own, in the first rung.
    pub importance: Vec<(String, f64)>,
    /// What the score is called.
    pub score: String,
    pub higher_is_better: bool,
    /// How many rungs there were.
    pub rungs: usize,
}

/// Runs a search, or what is left of it. Returns `None` if an objective was interrupted; what has ended until then is kept.
///
/// `objective` runs a trial until an epoch; it returns `None` if it was interrupted. Its error or panic is how the trial
/// ends, unless the system refused a file operation ([`Error::Io`]): that ends the search, so that it can be repeated. `say`
/// gets lines for the user: one per trial and rung, in their order.
///
/// `trials.csv` is written at the end.
///
/// # Errors
/// If there is nothing to search, a file cannot be read or written, or no trial of the last rung has a score.
pub fn tune(
    space: &Space,
    settings: &Settings,
    objective: &(dyn Fn(&TrialRun) -> Result<Option<Outcome>> + Sync),
    store: &Store,
    say: &mut dyn FnMut(&str),
) -> Result<Option<Search>> {
    settings.check(space)?;
    let mut trials = trials(space, settings);
    if trials.len() < settings.trials {
        let asked = settings.trials;
        say(&format!("{} instead of {asked}: [tune] has no more combinations", report::count(trials.len())));
    }
    let rungs = halving::rungs(trials.len(), settings.epochs, settings.factor, settings.min_epochs());
    let mut going: Vec<usize> = (0..trials.len()).collect();
    for (at, rung) in rungs.iter().enumerate() {
        let count = report::count(going.len());
        say(&format!("rung {} of {}: {count} until epoch {}", at + 1, rungs.len(), rung.epochs));
        let running = going.iter().map(|index| &trials[*index]).collect::<Vec<_>>();
        let run = RungRun { number: at + 1, rung: *rung, settings, objective, store };
        let Some(ends) = run.all(&running, say)? else { return Ok(None) };
        for (index, ended) in going.iter().zip(ends) {
            trials[*index].ends.push(ended);
        }
        let next = rungs.get(at + 1).map_or(1, |rung| rung.trials);
        going = best(&trials, &going, next, settings.higher_is_better);
        if going.is_empty() {
            break;
        }
    }
    let search = Search {
        winner: going.first().map_or(0, |index| trials[*index].number),
        importance: importance_of(space, &trials),
        trials,
        score: settings.score.clone(),
        higher_is_better: settings.higher_is_better,
        rungs: rungs.len(),
    };
    report::write_csv(&search, store)?;
    if going.is_empty() { Err(search.without_winner()) } else { Ok(Some(search)) }
}

fn trials(space: &Space, settings: &Settings) -> Vec<Trial> {
    let names: Vec<String> = space.dimensions.iter().map(|dimension| dimension.name()).collect();
    let drawn = draw::values(space, settings.seed, settings.trials).into_iter();
    let named = drawn.map(|values| names.iter().cloned().zip(values).collect());
    named.enumerate().map(|(at, values)| Trial { number: at + 1, values, ends: Vec::new() }).collect()
}

/// The best `most` of the trials that have a score, in the order of their numbers (so that the first is the best if `most` is
/// 1).
fn best(trials: &[Trial], going: &[usize], most: usize, higher_is_better: bool) -> Vec<usize> {
    let scores: Vec<_> = going.iter().map(|index| (*index, trials[*index].score())).collect();
    let mut best = halving::rank(&scores, higher_is_better);
    best.retain(|index| trials[*index].score().is_some());
    best.truncate(most);
    best.sort_unstable();
    best
}

fn importance_of(space: &Space, trials: &[Trial]) -> Vec<(String, f64)> {
    let share = |at: usize| {
        let scored = trials.iter().filter_map(|trial| match trial.ends.first() {
            Some(Ended::Scored { score, .. }) => Some((&trial.values[at].1, *score)),
            _ => None,
        });
        importance::importance(&space.dimensions[at].range, &scored.collect::<Vec<_>>())
    };
    space.dimensions.iter().enumerate().map(|(at, dimension)| (dimension.name(), share(at))).collect()
}

/// One rung of a search.
struct RungRun<'a> {
    number: usize,
    rung: Rung,
    settings: &'a Settings,
    objective: &'a (dyn Fn(&TrialRun) -> Result<Option<Outcome>> + Sync),
    store: &'a Store,
}

impl RungRun<'_> {
    /// Runs what has not ended yet of the trials; `None` if it was interrupted.
    fn all(&self, trials: &[&Trial], say: &mut dyn FnMut(&str)) -> Result<Option<Vec<Ended>>> {
        let halt = AtomicBool::new(false);
        let one = |trial: &&Trial| -> Result<Option<Ended>> {
            if halt.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let ended = self.one(trial);
            if !matches!(ended, Ok(Some(_))) {
                halt.store(true, Ordering::Relaxed);
            }
            ended
        };
        let results = workers::run_in_order(trials, self.settings.workers, one, |trial, result| {
            if let Ok(Ok(Some(ended))) = result {
                say(&self.line(trial, ended));
            }
        });
        // An error first: an interrupted trial says nothing that a later error does not.
        let results = results.into_iter().map(|result| result.unwrap_or_else(|panic| Err(Error::Data(panic))));
        Ok(results.collect::<Result<Vec<_>>>()?.into_iter().collect())
    }

    fn one(&self, trial: &Trial) -> Result<Option<Ended>> {
        if let Some(ended @ Ended::Scored { stopped: true, .. }) = trial.ends.last() {
            return Ok(Some(ended.clone()));
        }
        if let Some(ended) = self.store.load(trial, self.number)? {
            return Ok(Some(ended));
        }
        let run = TrialRun {
            number: trial.number,
            values: trial.values.clone(),
            until_epoch: self.rung.epochs,
            rung: self.number,
            folder: self.store.trial_folder(trial.number),
        };
        let ended = match crate::failure::contain(|| (self.objective)(&run)) {
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(outcome))) => Ended::of(outcome),
            Ok(Err(error @ Error::Io { .. })) => return Err(error),
            Ok(Err(error)) => Ended::Failed { reason: error.to_string() },
            Err(panic) => Ended::Failed { reason: panic },
        };
        self.store.save(trial, self.number, &ended)?;
        Ok(Some(ended))
    }

    fn line(&self, trial: &Trial, ended: &Ended) -> String {
        let result = match ended {
            Ended::Scored { score, epochs, stopped } => {
                let early = if *stopped { ", stopped early" } else { "" };
                format!("{} {} at epoch {epochs}{early}", self.settings.score, report::number(*score))
            }
            Ended::Failed { reason } => format!("failed: {}", reason.lines().next().unwrap_or_default()),
        };
        format!("trial {}: {result} ({})", trial.number, report::settings(trial))
    }
}

impl Settings {
    /// # Errors
    /// If a setting is invalid, or the space has nothing to try.
    pub fn check(&self, space: &Space) -> Result<()> {
        let fault = |reason: String| Err(Error::Config(reason));
        if space.dimensions.is_empty() {
            return fault(
                "[tune] is empty: there is nothing to try; name settings and their ranges in the configuration, for example\n\
                 [tune]\noptimizer.learning_rate = { min = 0.0001, max = 0.01, log = true }\nmodel.hidden = [[32], [64, 32]]"
                    .into(),
            );
        }
        if space.dimensions.iter().any(|dimension| dimension.name() == "training.epochs") {
            return fault(
                "[tune]: training.epochs cannot be tried: the search itself decides how long trials train".into(),
            );
        }
        for (name, reason) in NOT_TRIED {
            if space.dimensions.iter().any(|dimension| dimension.name() == name) {
                return fault(format!("[tune]: {name} cannot be tried: {reason}"));
            }
        }
        // Scores that hold another loss, or a penalty, cannot be compared.
        let changes_loss = |name: &String| name.starts_with("loss.") || name == "model.l2";
        if let Some(name) = space.dimensions.iter().map(|dimension| dimension.name()).find(changes_loss)
            && self.score.ends_with("loss")
        {
            return fault(format!(
                "[tune]: {name} changes what {} means, so its values cannot be compared; let another number decide, for example \
                 --monitor val_accuracy or val_mean_absolute_error",
                self.score
            ));
        }
        if self.min_epochs.is_some_and(|least| least > self.epochs) {
            return fault(format!("the first rung's {} epochs are more than all {}", self.min_epochs(), self.epochs));
        }
        if self.trials == 0 || self.trials > MOST_TRIALS {
            return fault(format!("{} trials: there must be at least 1 and at most {MOST_TRIALS}", self.trials));
        }
        if self.workers == 0 || self.workers > hadal::MAX_THREADS {
            let most = hadal::MAX_THREADS;
            return fault(format!("{} workers: there must be at least 1 and at most {most}", self.workers));
        }
        if self.epochs == 0 || self.factor == 0 || self.min_epochs == Some(0) {
            return fault("a search needs at least 1 epoch, and a factor of at least 1".into());
        }
        Ok(())
    }

    /// The least epochs of the first rung.
    pub fn min_epochs(&self) -> usize {
        self.min_epochs.unwrap_or_else(|| halving::default_min_epochs(self.epochs))
    }
}

impl Ended {
    fn of(Outcome { score, epochs, stopped }: Outcome) -> Ended {
        if score.is_finite() {
            Ended::Scored { score, epochs, stopped }
        } else {
            Ended::Failed { reason: format!("the score is {score} at epoch {epochs}") }
        }
    }
}

impl Trial {
    /// How it ended in its last rung.
    pub fn last(&self) -> Ended {
        self.ends.last().cloned().unwrap_or_else(|| Ended::Failed { reason: "it did not run".into() })
    }

    /// The score of its last rung.
    pub fn score(&self) -> Option<f64> {
        match self.last() {
            Ended::Scored { score, .. } => Some(score),
            Ended::Failed { .. } => None,
        }
    }
}

impl Search {
    /// The best trial.
    pub fn winner(&self) -> &Trial {
        &self.trials[self.winner - 1]
    }

    /// `completed`, `stopped early`, `pruned` (did not go on to the next rung) or `failed: ` and the reason.
    pub fn status(&self, trial: &Trial) -> String {
        match trial.last() {
            Ended::Failed { reason } => format!("failed: {reason}"),
            Ended::Scored { .. } if trial.ends.len() < self.rungs => "pruned".into(),
            Ended::Scored { stopped: true, .. } => "stopped early".into(),
            Ended::Scored { .. } => "completed".into(),
        }
    }

    fn without_winner(&self) -> Error {
        let reached = self.trials.iter().map(|trial| trial.ends.len()).max().unwrap_or(0);
        let failed = self.trials.iter().filter(|trial| trial.ends.len() == reached);
        let first = failed.map(|trial| format!("trial {} {}", trial.number, self.status(trial))).next();
        Error::Data(format!("no trial of rung {reached} has a score; {}", first.unwrap_or_default()))
    }
}
