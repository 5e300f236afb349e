//! What a run came to: `summary.json` in its folder.

use std::collections::BTreeMap;
use std::path::Path;

use hadal::format::write_atomically;
use hadal::train::{Logs, RunFolder};
use hadal::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// What stands in `summary.json`. Nothing of it is needed to use the model, or to go on with the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What the training data is called.
    pub name: String,
    /// The SHA-256 of the training data; none of standard input.
    pub data: Option<String>,
    /// Training, test and holdout samples.
    pub samples: [usize; 3],
    pub seed: u64,
    pub version: String,
    pub processor: String,
    /// The vector instructions that decided the last bits.
    pub instructions: String,
    pub threads: usize,
    /// Seconds since 1970 at which the run ended.
    pub ended: u64,
    /// The seconds that training took, without what it took before an interruption.
    pub seconds: f64,
    pub epochs: usize,
    pub steps: usize,
    /// Loss and metrics on the test part.
    pub test: BTreeMap<String, f64>,
    pub settings: Config,
}

impl Summary {
    pub fn write(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self).map_err(|error| Error::Config(error.to_string()))?;
        write_atomically(&folder.join(RunFolder::SUMMARY), |out| out.write_all(json.as_bytes()))
    }

    /// That of a run's folder.
    pub fn read(folder: &Path) -> Result<Summary> {
        let path = folder.join(RunFolder::SUMMARY);
        let fault = |reason: String| Error::File { path: path.clone(), reason };
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Io {
            path: path.clone(),
            action: "read the summary",
            source,
        })?;
        serde_json::from_str(&text).map_err(|error| fault(format!("is not the summary of a run ({error})")))
    }
}

/// Loss and metrics by name.
pub fn scores(logs: &Logs) -> BTreeMap<String, f64> {
    logs.iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
