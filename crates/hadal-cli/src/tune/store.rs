//! The folder of a search: what it searches, and how each trial of each rung ended.
//!
//! ```text
//! search.json               the search; another one is refused
//! trials/001/rung-1.json    how trial 1 ended in rung 1, written when it ended
//! trials.csv                all trials
//! ```
//!
//! A search that was killed finds there what is done, and does the rest.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use hadal::format::write_atomically;
use hadal::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::draw::fnv1a;
use super::{Ended, Settings, Trial};
use crate::config::space::{Range, Space};

/// How the names of half written files begin (see [`write_atomically`]).
const UNFINISHED: &str = ".hadal-";

/// The folder of a search; no other process uses it while this lives.
pub struct Store {
    folder: PathBuf,
    lock: File,
}

/// The contents of `rung-R.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    values: Map<String, Value>,
    ended: Ended,
    /// Of both: a digit that changed on the disk would be another score.
    checksum: String,
}

impl Record {
    fn new(values: Map<String, Value>, ended: Ended) -> Record {
        let checksum = format!("{:016x}", fnv1a(&json!([values, ended]).to_string()));
        Record { values, ended, checksum }
    }
}

/// The file with the settings of a search.
const SEARCH: &str = "search.json";

impl Store {
    /// Whether a folder is that of a search.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(SEARCH).exists()
    }

    /// Opens the folder of a search, which is made if need be.
    ///
    /// # Errors
    /// If it belongs to another search (the message names the first difference), holds something else, is in use by another
    /// process, or cannot be written to; and if the search has no trials, or nothing to try.
    pub fn open(folder: &Path, space: &Space, settings: &Settings) -> Result<Store> {
        settings.check(space)?;
        hadal::format::check_writable(folder)?;
        let store = Store { folder: folder.to_owned(), lock: lock(folder)? };
        store.remove_unfinished();
        let path = folder.join(SEARCH);
        let own = description(space, settings);
        match read_json(&path)? {
            Some(other) => {
                if let Some(difference) = difference("", &own, &other) {
                    let reason =
                        format!("is another search: {}; choose another folder, or remove this one", said(difference));
                    return Err(fault(&path, reason));
                }
            }
            None => {
                if let Some(other) = first_visible(folder)? {
                    let reason = format!("holds no search, but `{other}`; choose an empty or new folder");
                    return Err(fault(folder, reason));
                }
                write_json(&path, &own)?;
            }
        }
        Ok(store)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a trial, for all its rungs. It may not exist yet.
    pub fn trial_folder(&self, number: usize) -> PathBuf {
        self.folder.join("trials").join(format!("{number:03}"))
    }

    /// How a trial ended in a rung; `None` if it did not.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or is that of other values.
    pub fn load(&self, trial: &Trial, rung: usize) -> Result<Option<Ended>> {
        let path = self.record(trial.number, rung);
        let Some(found) = read_json(&path)? else { return Ok(None) };
        let again = "remove it, and the trial runs again";
        let record: Record =
            serde_json::from_value(found).map_err(|error| fault(&path, format!("is damaged: {error}; {again}")))?;
        let own = Value::Object(values_of(trial));
        if let Some(difference) = difference("", &own, &Value::Object(record.values)) {
            let (name, then, now) = difference;
            return Err(fault(&path, format!("is that of other settings: {name} was {then}, and is {now}; {again}")));
        }
        let expected = Record::new(values_of(trial), record.ended);
        if expected.checksum != record.checksum {
            return Err(fault(&path, format!("is damaged: the checksum is not that of its contents; {again}")));
        }
        Ok(Some(expected.ended))
    }

    /// Keeps how a trial ended in a rung: all of it, or nothing if the process is killed.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, trial: &Trial, rung: usize, ended: &Ended) -> Result<()> {
        write_json(&self.record(trial.number, rung), &Record::new(values_of(trial), ended.clone()))
    }

    /// Removes what killed processes left half written. What cannot be removed does no harm.
    fn remove_unfinished(&self) {
        let entries =
            |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for file in entries(&self.folder).chain(entries(&self.folder.join("trials")).flat_map(|trial| entries(&trial)))
        {
            if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED)) {
                let _ = std::fs::remove_file(file);
            }
        }
    }

    fn record(&self, number: usize, rung: usize) -> PathBuf {
        self.trial_folder(number).join(format!("rung-{rung}.json"))
    }
}

fn fault(path: &Path, reason: String) -> Error {
    Error::File { path: path.to_owned(), reason }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Closing the file is not enough while a process that another thread has just started still has a copy of it.
        let _ = self.lock.unlock();
    }
}

/// Takes the folder for this process. The lock ends with it, however that ends.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(".search.lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|source| Error::Io {
        path,
        action: "open the lock",
        source,
    })?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(fault(folder, "is in use by another search; wait for it to end, or choose another folder".to_owned()))
        }
        // A file system without locks cannot protect the folder, and need not stop the search.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// The first entry by name, hidden ones aside: they are locks, and what killed processes leave.
fn first_visible(folder: &Path) -> Result<Option<String>> {
    let io = |source| Error::Io { path: folder.to_owned(), action: "list the folder", source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        names.push(entry.map_err(io)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names.into_iter().filter(|name| !name.starts_with('.')).min())
}

/// The file's contents; `None` if there is no file.
fn read_json(path: &Path) -> Result<Option<Value>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { path: path.to_owned(), action: "read the file", source }),
    };
    let advice = "remove it to do what it records again";
    let value =
        serde_json::from_slice(&bytes).map_err(|error| fault(path, format!("is damaged: {error}; {advice}")))?;
    Ok(Some(value))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|error| fault(path, error.to_string()))?;
    write_atomically(path, |out| writeln!(out, "{text}"))
}

fn values_of(trial: &Trial) -> Map<String, Value> {
    trial.values.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
}

/// What must be the same for results to belong to the same search.
fn description(space: &Space, settings: &Settings) -> Value {
    let ranges: Map<String, Value> = space
        .dimensions
        .iter()
        .map(|dimension| {
            let range = match &dimension.range {
                Range::Choices(choices) => json!(choices),
                Range::Real { min, max, log } => json!({ "min": min, "max": max, "log": log }),
                Range::Whole { min, max, log } => json!({ "min": min, "max": max, "log": log }),
            };
            (dimension.name(), range)
        })
        .collect();
    json!({
        "tune": ranges,
        "seed": settings.seed,
        "trials": settings.trials,
        "epochs": settings.epochs,
        "factor": settings.factor,
        "min_epochs": settings.min_epochs(),
        "score": settings.score,
        "higher_is_better": settings.higher_is_better,
        "about": settings.about,
    })
}

/// The name of a place, and what was and is there.
type Difference = (String, String, String);

/// The first place in which two values differ.
fn difference(place: &str, own: &Value, other: &Value) -> Option<Difference> {
    if let (Value::Object(own), Value::Object(other)) = (own, other) {
        let inner = |key: &String| if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        let absent = Value::Null;
        let mut keys: Vec<&String> = own.keys().chain(other.keys()).collect();
        keys.sort();
        return keys.into_iter().find_map(|key| {
            difference(&inner(key), own.get(key).unwrap_or(&absent), other.get(key).unwrap_or(&absent))
        });
    }
    let shown = |value: &Value| if value.is_null() { "not set".to_owned() } else { value.to_string() };
    (own != other).then(|| (place.to_owned(), shown(other), shown(own)))
}

/// What has changed in a search since its folder was made, in the user's words.
fn said((place, then, now): Difference) -> String {
    let changed = |what: &str| format!("{what} was {then}, and is {now}");
    match &*place {
        "about.data" => changed("the data has changed: its SHA-256"),
        "about.version" => changed("the version of Hadal or the processor's vector instructions"),
        "seed" | "epochs" | "trials" | "factor" | "min_epochs" => changed(&format!("--{}", place.replace('_', "-"))),
        "score" => changed("the score that decides (--monitor)"),
        "higher_is_better" => changed("whether a higher score is better"),
        place => match (place.strip_prefix("about.settings."), place.strip_prefix("tune.")) {
            (Some(setting), _) => changed(&format!("the setting {setting}")),
            (None, Some(range)) => changed(&format!("[tune] {range}")),
            (None, None) => changed(place),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::testing::{learning_rates, settings};

    #[test]
    fn no_changed_byte_of_a_record_makes_another_result() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &learning_rates(), &settings(1, 1, 1)).unwrap();
        let values = vec![("optimizer.learning_rate".to_owned(), 0.0123.into()), ("model.hidden".to_owned(), 8.into())];
        let trial = Trial { number: 1, values, ends: Vec::new() };
        for ended in [
            Ended::Scored { score: 0.8125625, epochs: 12, stopped: false },
            Ended::Failed { reason: "the loss is NaN".into() },
        ] {
            store.save(&trial, 1, &ended).unwrap();
            let path = folder.path().join("trials/001/rung-1.json");
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(store.load(&trial, 1).unwrap(), Some(ended.clone()));
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut changed = bytes.clone();
                    changed[at] ^= 1 << bit;
                    std::fs::write(&path, &changed).unwrap();
                    match store.load(&trial, 1) {
                        Ok(loaded) => assert_eq!(loaded, Some(ended.clone()), "byte {at}, bit {bit}"),
                        Err(error) => assert!(error.to_string().contains("remove it"), "{error}"),
                    }
                }
            }
        }
    }
}
