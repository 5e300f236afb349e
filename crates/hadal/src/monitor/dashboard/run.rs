//! One run: what its folder says about it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::cache::Cache;
use super::clock::{Axis, Clock, End};
use super::events::{Events, MARK};
use super::finding::{Found, findings};
use super::history::Table;
use super::kept::WORTH;
use super::series::Series;
use crate::train::RunFolder;

/// The findings about a run.
const HEALTH: &str = "health.json";

/// A file that is read as a whole when it has changed.
#[derive(Default)]
struct Watched(Option<(u64, Option<SystemTime>)>);

impl Watched {
    /// The file's text, if it has changed; empty where there is none any more.
    fn changed(&mut self, path: &Path) -> Option<String> {
        const LONGEST: u64 = 16 << 20;
        let found = path.metadata().ok().map(|found| (found.len(), found.modified().ok()));
        if found == self.0 {
            return None;
        }
        self.0 = found;
        let is_long = found.is_some_and(|(length, _)| length > LONGEST);
        Some(if is_long { String::new() } else { std::fs::read_to_string(path).unwrap_or_default() })
    }
}

/// What is known of a run.
pub(super) struct Run {
    pub id: usize,
    /// The folder's name below the folder of runs.
    pub name: String,
    pub path: PathBuf,
    /// The number of the last change, counted over all runs.
    pub changed: u64,
    /// Whether it has been removed.
    pub is_gone: bool,
    pub settings: BTreeMap<String, String>,
    /// What `summary.json` says, if the run has ended.
    pub summary: Option<serde_json::Value>,
    pub history: Table,
    timing: Table,
    watched: [Watched; 3],
    /// What was found to be wrong with training.
    pub findings: Vec<Found>,
    /// The names in the folder.
    files: Vec<String>,
    /// Whether events files are to be read: since they were asked for the first time.
    pub wants_events: bool,
    pub events: Option<Events>,
    pub clock: Clock,
    /// Samples trained in a second, by epoch.
    rate: Series,
    last_change: Option<SystemTime>,
    notes: BTreeSet<String>,
}

impl Run {
    pub fn new(id: usize, name: String, path: PathBuf) -> Run {
        Run {
            id,
            name,
            path,
            changed: 0,
            is_gone: false,
            settings: BTreeMap::new(),
            summary: None,
            history: Table::default(),
            timing: Table::default(),
            watched: Default::default(),
            findings: Vec::new(),
            files: Vec::new(),
            wants_events: false,
            events: None,
            clock: Clock::default(),
            rate: Series::default(),
            last_change: None,
            notes: BTreeSet::new(),
        }
    }

    /// Reads what is new; tells whether anything has changed. `files` are the names in the folder.
    pub fn follow(&mut self, files: &[String], cache: Option<&Cache>) -> bool {
        self.files = files.to_vec();
        let mut changed = false;
        if let Some(text) = self.watched[0].changed(&self.path.join(RunFolder::SUMMARY)) {
            changed = true;
            self.take_summary(&text);
        }
        if let Some(text) = self.watched[1].changed(&self.path.join("config.toml")) {
            changed = true;
            self.take_settings(&text);
        }
        if let Some(text) = self.watched[2].changed(&self.path.join(HEALTH)) {
            changed = true;
            self.take_findings(&text);
        }
        let history = self.path.join(RunFolder::HISTORY);
        let is_long = |path: &Path| path.metadata().is_ok_and(|file| file.len() >= WORTH);
        if let Some(cache) = cache.filter(|_| self.history.is_new() && is_long(&history)) {
            self.history = cache.path(&history).and_then(|path| Table::from_kept(&path)).unwrap_or_default();
        }
        changed |= self.history.follow(&history);
        changed |= self.timing.follow(&self.path.join(RunFolder::TIMING));
        let mut names: Vec<String> = files.iter().filter(|name| name.contains(MARK)).cloned().collect();
        names.sort();
        if self.wants_events {
            let kept = || cache.and_then(|cache| Events::from_kept(&self.path, &cache.path(&self.path)?));
            changed |= self.events.is_none();
            let events = self.events.get_or_insert_with(|| kept().unwrap_or_else(|| Events::new(&self.path)));
            changed |= events.follow(&names);
        }
        if self.is_damaged() {
            changed = true;
            self.read_anew();
        }
        if changed {
            self.last_change = Some(self.newest(&names));
            self.set_clock();
        }
        changed
    }

    /// The bytes of long files that have been read.
    pub fn read(&self) -> u64 {
        self.history.read + self.events.as_ref().map_or(0, Events::read_so_far)
    }

    /// Paths, and what is to be kept of them as bytes, if much is new since this was last asked.
    pub fn take_to_keep(&mut self) -> Vec<(PathBuf, Vec<u8>)> {
        let events = self.events.as_mut().and_then(Events::take_to_keep).map(|bytes| (self.path.clone(), bytes));
        let history = self.history.take_to_keep().map(|bytes| (self.path.join(RunFolder::HISTORY), bytes));
        events.into_iter().chain(history).collect()
    }

    fn is_damaged(&self) -> bool {
        self.history.is_damaged() || self.events.as_ref().is_some_and(Events::is_damaged)
    }

    /// Reads the files themselves: what was kept of them is damaged.
    pub fn read_anew(&mut self) {
        (self.events, self.history) = (None, Table::default());
        let files = std::mem::take(&mut self.files);
        self.follow(&files, None);
    }

    fn newest(&self, events: &[String]) -> SystemTime {
        let names = [RunFolder::HISTORY, RunFolder::SUMMARY, "config.toml"]
            .into_iter()
            .chain(events.iter().map(String::as_str));
        let times = names.filter_map(|name| self.path.join(name).metadata().ok()?.modified().ok());
        times.max().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    fn take_summary(&mut self, text: &str) {
        self.notes.retain(|note| !note.starts_with(RunFolder::SUMMARY));
        self.summary = None;
        if text.is_empty() {
            return;
        }
        match serde_json::from_str(text) {
            Ok(serde_json::Value::Object(summary)) => self.summary = Some(summary.into()),
            Ok(_) => drop(self.notes.insert("summary.json: is not the summary of a run".into())),
            Err(error) => drop(self.notes.insert(format!("summary.json: {error}"))),
        }
    }

    fn take_findings(&mut self, text: &str) {
        self.notes.retain(|note| !note.starts_with(HEALTH));
        self.findings = findings(text).unwrap_or_else(|error| {
            self.notes.insert(format!("{HEALTH}: {error}"));
            Vec::new()
        });
    }

    fn take_settings(&mut self, text: &str) {
        self.notes.retain(|note| !note.starts_with("config.toml"));
        self.settings.clear();
        match text.parse::<toml::Table>() {
            Ok(all) => all.into_iter().for_each(|(name, value)| flatten(name, value, &mut self.settings)),
            Err(error) => drop(self.notes.insert(format!("config.toml: {}", error.message()))),
        }
    }

    /// The training samples of an epoch, where they are known.
    fn samples(&self) -> Option<f64> {
        let said = self.summary.as_ref().and_then(|summary| summary.get("samples")?.get(0)?.as_f64());
        let logged = || self.events.as_ref()?.hparams.get("samples")?.parse().ok();
        said.or_else(logged)
    }

    fn set_clock(&mut self) {
        let mut clock = Clock { began: self.events.as_ref().and_then(|events| events.began), ..Clock::default() };
        // What is damaged is read anew.
        let epochs = self.events.as_mut().and_then(|events| events.scalars.get_mut("epoch")?.load().ok());
        let seconds = self.timing.column_mut("seconds").and_then(|seconds| seconds.load().ok());
        if let Some(epochs) = epochs {
            let began = clock.began.unwrap_or(0.0);
            let end = |place: usize| End {
                epoch: epochs.value[place],
                step: Some(epochs.at[place]),
                seconds: Some(epochs.time[place] - began),
            };
            clock.ends = (0..epochs.value.len()).map(end).filter(|end| end.epoch.is_finite()).collect();
            // The same epoch may be written twice around an interruption.
            clock.ends.dedup_by_key(|end| end.epoch);
        } else if let Some(seconds) = seconds {
            let mut sum = 0.0;
            let ends = seconds.at.iter().zip(&seconds.value).map(|(epoch, seconds)| {
                sum += seconds;
                End { epoch: *epoch, step: None, seconds: Some(sum) }
            });
            clock.ends = ends.collect();
        }
        let number = |name: &str| self.summary.as_ref()?.get(name)?.as_f64().filter(|number| *number > 0.0);
        clock.steps_per_epoch = number("steps").zip(number("epochs")).map(|(steps, epochs)| (steps / epochs).round());
        let batch_size = self.settings.get("training.batch_size").and_then(|size| size.parse::<f64>().ok());
        if let (Some(samples), Some(size)) = (self.samples(), batch_size.filter(|size| *size > 0.0)) {
            clock.steps_per_epoch = Some((samples / size).ceil());
        }
        self.clock = clock;
        self.rate = Series::default();
        let samples = self.samples();
        let seconds = self.timing.column_mut("seconds").and_then(|seconds| seconds.load().ok());
        if let (Some(samples), Some(seconds)) = (samples, seconds) {
            // Times are kept in milliseconds: epochs of less have none.
            let timed = seconds.at.iter().zip(&seconds.value).filter(|(_, seconds)| **seconds > 0.0);
            let (at, rates): (Vec<f64>, Vec<f64>) = timed.map(|(at, seconds)| (*at, samples / seconds)).unzip();
            self.rate.extend(&at, &[], &rates);
        }
    }

    /// Whether it has ended, is going on, or was interrupted.
    pub fn status(&self) -> &'static str {
        if self.summary.is_some() || self.events.as_ref().is_some_and(|events| events.has_ended) {
            return "ended";
        }
        let pid = std::fs::read_to_string(self.path.join(".hadal.lock")).ok();
        let pid = pid.and_then(|text| text.trim().parse::<u32>().ok());
        let is_recent = || {
            let age = self.last_change.and_then(|time| time.elapsed().ok());
            age.is_some_and(|age| age < Duration::from_secs(120))
        };
        match pid {
            Some(pid) if cfg!(target_os = "linux") && !Path::new(&format!("/proc/{pid}")).exists() => "interrupted",
            _ if is_recent() => "running",
            Some(_) if cfg!(target_os = "linux") => "running",
            Some(_) => "interrupted",
            None => "",
        }
    }

    /// What could not be read.
    pub fn notes(&self) -> Vec<String> {
        // The end of a file that is being written is no fault of it.
        let is_old = |fault: &String| !fault.contains("cut short") || self.status() != "running";
        let faults = [&self.history.fault, &self.timing.fault].into_iter().flatten();
        let events = self.events.iter().flat_map(Events::faults);
        self.notes.iter().chain(faults.chain(events).filter(|fault| is_old(fault))).cloned().collect()
    }

    /// The names of its curves.
    pub fn tags(&self) -> BTreeSet<String> {
        let columns = self.history.names.iter().zip(&self.history.columns);
        let columns = columns.filter(|(name, column)| *name != "epoch" && column.as_ref().is_some_and(|c| c.len() > 0));
        let mut tags: BTreeSet<String> = columns.map(|(name, _)| name.clone()).collect();
        let events = self.events.iter().flat_map(|events| events.scalars.keys());
        tags.extend(events.filter(|tag| *tag != "epoch").map(|tag| common_name(tag)));
        if self.timing.column("seconds").is_some_and(|seconds| seconds.len() > 0) {
            tags.insert("epoch_seconds".into());
        }
        if self.rate.len() > 0 {
            tags.insert("samples_per_second".into());
        }
        tags
    }

    /// The curve of this name, and what its points are counted by. The learning rate of each step is preferred to
    /// that of each epoch, scores with all their digits to those of an events file.
    pub fn curve(&mut self, tag: &str) -> Option<(&mut Series, Axis)> {
        let place = self.history.names.iter().position(|name| name == tag && name != "epoch");
        let column = place.and_then(|place| self.history.columns[place].as_mut()).filter(|column| column.len() > 0);
        let events = self.events.as_mut().and_then(|events| {
            let name = events
                .scalars
                .keys()
                .find(|name| *name == tag)
                .or_else(|| events.scalars.keys().find(|name| common_name(name) == tag))?;
            events.scalars.get_mut(&name.clone())
        });
        match (tag, column, events) {
            ("learning_rate", _, Some(events)) => Some((events, Axis::Step)),
            (_, Some(column), _) => Some((column, Axis::Epoch)),
            ("epoch_seconds", ..) if self.timing.column("seconds").is_some() => {
                let place = self.timing.names.iter().position(|name| name == "seconds")?;
                self.timing.columns[place].as_mut().map(|column| (column, Axis::Epoch))
            }
            (_, _, Some(events)) => Some((events, Axis::Step)),
            ("samples_per_second", ..) => Some((&mut self.rate, Axis::Epoch)).filter(|(rate, _)| rate.len() > 0),
            _ => None,
        }
    }
}

/// `loss/train` as `loss`, `loss/validation` as `val_loss`: the names of the history.
fn common_name(tag: &str) -> String {
    match (tag.strip_suffix("/train"), tag.strip_suffix("/validation")) {
        (Some(name), _) if !name.contains('/') => name.to_owned(),
        (_, Some(name)) if !name.contains('/') => format!("val_{name}"),
        _ => tag.to_owned(),
    }
}

fn flatten(name: String, value: toml::Value, flat: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(keys) if !name.contains('.') => {
            keys.into_iter().for_each(|(key, value)| flatten(format!("{name}.{key}"), value, flat));
        }
        toml::Value::String(text) => drop(flat.insert(name, text)),
        other => drop(flat.insert(name, other.to_string())),
    }
}
