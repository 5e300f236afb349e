//! A run's numbers as a table.

use std::path::{Path, PathBuf};

use crate::train::{Event, Flow, Subscriber};
use crate::{Error, Result};

/// Keeps a CSV file with one line per epoch: the epoch, all logs, the learning rate, the seconds of training, the data
/// set. The file is replaced whole after every epoch, so it is never half a line.
pub struct CsvLog {
    path: PathBuf,
    dataset: String,
    rows: Vec<Vec<String>>,
}

impl CsvLog {
    /// Writes to `path`.
    pub fn new(path: impl AsRef<Path>) -> CsvLog {
        CsvLog { path: path.as_ref().to_owned(), dataset: String::new(), rows: Vec::new() }
    }
}

impl Subscriber for CsvLog {
    fn on(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::Begin { dataset, .. } => self.dataset = (*dataset).to_owned(),
            Event::EpochEnd { epoch, logs, learning_rate, elapsed, .. } => {
                if self.rows.is_empty() {
                    let names = logs.iter().map(|(name, _)| name.to_owned());
                    let rest = ["learning_rate", "seconds", "dataset"].map(str::to_owned);
                    self.rows.push(["epoch".to_owned()].into_iter().chain(names).chain(rest).collect());
                }
                let values = logs.iter().map(|(_, value)| value.to_string());
                let seconds = format!("{:.3}", elapsed.as_secs_f64());
                let rest = [learning_rate.to_string(), seconds, self.dataset.clone()];
                self.rows.push([epoch.to_string()].into_iter().chain(values).chain(rest).collect());
                let mut writer = csv::Writer::from_writer(Vec::new());
                let table = self
                    .rows
                    .iter()
                    .try_for_each(|row| writer.write_record(row))
                    .map_err(std::io::Error::from)
                    .and_then(|()| writer.into_inner().map_err(|error| error.into_error()))
                    .map_err(Error::io(&self.path, "write the history"))?;
                crate::format::write_atomically(&self.path, |out| out.write_all(&table))?;
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }
}
