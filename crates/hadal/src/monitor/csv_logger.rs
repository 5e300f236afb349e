//! A run's numbers as a table.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::train::{Callback, CallbackState, Event, Flow};
use crate::{Error, Result};

/// A callback that writes a CSV file with one line per epoch, as Keras's `CSVLogger`: the epoch, loss and metrics, the learning
/// rate, the dataset. The file is replaced atomically after every epoch. The same run writes the same bytes; what depends on
/// the clock is in a file of its own, see [`timing`](CsvLogger::timing).
///
/// ```
/// use hadal::monitor::CsvLogger;
/// use hadal::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("history.csv");
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// model.fit(&data, Fit::epochs(2).quiet().callback(CsvLogger::new(&path)))?;
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert_eq!(text.lines().count(), 3); // the names, and a line for each epoch
/// # Ok::<(), hadal::Error>(())
/// ```
pub struct CsvLogger {
    path: PathBuf,
    timing: Option<PathBuf>,
    record: Record,
}

impl CsvLogger {
    /// Writes to `path`.
    pub fn new(path: impl AsRef<Path>) -> CsvLogger {
        CsvLogger { path: path.as_ref().to_owned(), timing: None, record: Record::default() }
    }

    /// Writes the seconds of each epoch's training, without validation, to another CSV file. Default: nowhere.
    pub fn timing(mut self, path: impl AsRef<Path>) -> CsvLogger {
        self.timing = Some(path.as_ref().to_owned());
        self
    }
}

impl Callback for CsvLogger {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if self.record.take(event)? {
            crate::format::write_atomically(&self.path, |out| out.write_all(self.record.history.as_bytes()))?;
            if let Some(path) = &self.timing {
                crate::format::write_atomically(path, |out| out.write_all(self.record.timing.as_bytes()))?;
            }
        }
        Ok(Flow::Continue)
    }

    fn state(&self) -> Option<CallbackState> {
        CallbackState::json(&self.record, Vec::new())
    }

    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        self.record = state.parse("CsvLogger")?;
        Ok(())
    }
}

/// A run's numbers so far, as CSV.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    dataset: String,
    /// The names of the logs, once a run has begun.
    names: Vec<String>,
    /// All that depends on the run alone.
    pub history: String,
    /// What depends on the clock, too.
    pub timing: String,
}

impl Record {
    /// Notes what the event says; tells whether there is a new line.
    pub fn take(&mut self, event: &Event) -> Result<bool> {
        match event {
            Event::TrainBegin { dataset, metric_names, .. } => {
                if self.history.is_empty() {
                    self.names = metric_names.to_vec();
                    let rest = ["learning_rate", "dataset"].map(str::to_owned);
                    self.history = line(["epoch".to_owned()].into_iter().chain(self.names.clone()).chain(rest));
                    self.timing = line(["epoch", "seconds"].map(str::to_owned));
                }
                if self.names != *metric_names {
                    return Err(Error::Config(format!(
                        "the history has columns for {}, but this run reports {}; write it to another file",
                        self.names.join(", "),
                        metric_names.join(", ")
                    )));
                }
                self.dataset = (*dataset).to_owned();
            }
            Event::EpochEnd { epoch, logs, learning_rate, elapsed, .. } => {
                let values = logs.iter().map(|(_, value)| value.to_string());
                let rest = [learning_rate.to_string(), self.dataset.clone()];
                self.history += &line([epoch.to_string()].into_iter().chain(values).chain(rest));
                self.timing += &line([epoch.to_string(), format!("{:.3}", elapsed.as_secs_f64())]);
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }
}

/// Fields as a line of CSV (RFC 4180) without its end, with quotes where a reader needs them.
#[doc(hidden)]
pub fn csv_line(fields: impl IntoIterator<Item = String>) -> String {
    let quote = |field: String| {
        let special = field.is_empty() || field.contains(['"', ',', '\n', '\r']);
        if special { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    };
    fields.into_iter().map(quote).collect::<Vec<_>>().join(",")
}

fn line(fields: impl IntoIterator<Item = String>) -> String {
    csv_line(fields) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_the_csv_crate_reads() {
        let fields = ["plain", "", "a,b", "say \"hi\"", "two\nlines", "\u{1F40B}", " spaces "].map(str::to_owned);
        let text = line(fields.clone());
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records, [csv::StringRecord::from(fields.to_vec())]);
    }
}
