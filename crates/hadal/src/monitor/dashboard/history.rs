//! `history.csv` and `timing.csv` of a run folder, read as they grow.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::kept::{self, WORTH};
use super::series::Series;
use crate::{Error, Result};

/// How many bytes before a position say whether a file is still the one that was read.
const TAIL: u64 = 256;

/// For how long a file may be away: a run moves its history aside while it replaces the model.
const AWAY: Duration = Duration::from_secs(5);

/// A CSV file with a line of names and a line per epoch.
#[derive(Default)]
pub(super) struct Table {
    /// What was seen of the file when it was last looked at.
    length: u64,
    modified: Option<SystemTime>,
    /// Since when it has been away.
    away: Option<Instant>,
    /// How far it was read, and the bytes before that.
    pub read: u64,
    tail: Vec<u8>,
    pub names: Vec<String>,
    /// A series for each column of numbers; none for a column of text.
    pub columns: Vec<Option<Series>>,
    /// What is wrong with the file.
    pub fault: Option<String>,
    /// Bytes that had been read when it was kept last.
    kept: u64,
}

/// What is known of a long file besides its curves.
#[derive(Serialize, Deserialize)]
struct Known {
    read: u64,
    tail: Vec<u8>,
    names: Vec<String>,
    /// Which columns are curves.
    are_numbers: Vec<bool>,
}

impl Table {
    /// Whether nothing has been read yet.
    pub fn is_new(&self) -> bool {
        self.read == 0 && self.modified.is_none()
    }

    /// Reads what is new; tells whether anything has changed.
    pub fn follow(&mut self, path: &Path) -> bool {
        let Ok(found) = path.metadata() else {
            let is_gone = self.length > 0 && self.away.get_or_insert_with(Instant::now).elapsed() >= AWAY;
            if is_gone {
                *self = Table::default();
            }
            return is_gone;
        };
        self.away = None;
        if (found.len(), found.modified().ok()) == (self.length, self.modified) {
            return false;
        }
        (self.length, self.modified) = (found.len(), found.modified().ok());
        match self.read_new(path) {
            Ok(changed) => changed,
            Err(error) => {
                let fault = Some(error.to_string());
                std::mem::replace(&mut self.fault, fault) != self.fault
            }
        }
    }

    fn read_new(&mut self, path: &Path) -> Result<bool> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let failed = |source| Error::Io { path: name.clone().into_owned().into(), action: "read the file", source };
        let mut file = File::open(path).map_err(failed)?;
        let from = self.read - self.tail.len() as u64;
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.by_ref().take(1 << 30).read_to_end(&mut bytes).map_err(failed)?;
        if !bytes.starts_with(&self.tail) {
            // Another run's: from the beginning.
            *self = Table { length: self.length, modified: self.modified, ..Table::default() };
            file.rewind().map_err(failed)?;
            bytes.clear();
            file.take(1 << 30).read_to_end(&mut bytes).map_err(failed)?;
        }
        self.fault = None;
        let new = &bytes[self.tail.len()..];
        let before = self.read;
        let outcome = self.take(new);
        self.fault = outcome.err().map(|reason| format!("{name}: {reason}"));
        let end = (self.read - before) as usize + self.tail.len();
        self.tail = bytes[end.saturating_sub(TAIL as usize)..end].to_vec();
        Ok(self.read > before || self.fault.is_some())
    }

    /// Takes in whole lines.
    fn take(&mut self, new: &[u8]) -> Result<(), String> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(new);
        let mut record = csv::ByteRecord::new();
        let (mut done, mut rows): (usize, Vec<Vec<Option<f64>>>) = (0, Vec::new());
        let mut outcome = Ok(());
        while reader.read_byte_record(&mut record).map_err(|error| error.to_string())? {
            let end = (reader.position().byte() as usize).min(new.len());
            let line = &new[done..end];
            let is_whole = line.ends_with(b"\n") && line.iter().filter(|byte| **byte == b'"').count() % 2 == 0;
            if !is_whole {
                outcome = Err(format!("the last line is cut short, after byte {}", self.read + done as u64));
                break;
            }
            if self.names.is_empty() {
                self.names = record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
                self.columns = self.names.iter().map(|_| Some(Series::default())).collect();
            } else if record.len() != self.names.len() {
                let (found, expected) = (record.len(), self.names.len());
                outcome =
                    Err(format!("a line after byte {} has {found} fields, not {expected}", self.read + done as u64));
                break;
            } else {
                rows.push(record.iter().map(|field| std::str::from_utf8(field).ok()?.trim().parse().ok()).collect());
            }
            done = end;
        }
        self.read += done as u64;
        self.add(&rows);
        outcome
    }

    fn add(&mut self, rows: &[Vec<Option<f64>>]) {
        let place = self.names.iter().position(|name| name == "epoch");
        let before = self.columns.iter().flatten().map(Series::len).max().unwrap_or(0);
        let epoch = |(number, row): (usize, &Vec<Option<f64>>)| {
            place.and_then(|place| row[place]).filter(|epoch| epoch.is_finite()).unwrap_or((before + number + 1) as f64)
        };
        let epochs: Vec<f64> = rows.iter().enumerate().map(epoch).collect();
        for (place, column) in self.columns.iter_mut().enumerate() {
            let values: Option<Vec<f64>> = rows.iter().map(|row| row[place]).collect();
            match (values, &mut *column) {
                (Some(values), Some(series)) => series.extend(&epochs, &[], &values),
                // A column of text.
                _ => *column = None,
            }
        }
    }

    /// All that is known as bytes, if much is new since this was last asked.
    pub fn take_to_keep(&mut self) -> Option<Vec<u8>> {
        if self.read < self.kept.saturating_add(WORTH.max(self.kept / 2)) {
            return None;
        }
        self.kept = self.read;
        let are_numbers = self.columns.iter().map(Option::is_some).collect();
        let known = Known { read: self.read, tail: self.tail.clone(), names: self.names.clone(), are_numbers };
        kept::bytes(known, self.columns.iter_mut().flatten())
    }

    /// What a file keeps. Whether it is of the table that is there is seen when that is followed.
    pub fn from_kept(path: &Path) -> Option<Table> {
        let (known, curves) = kept::open::<Known>(path)?;
        let count = known.are_numbers.iter().filter(|is| **is).count();
        let is_whole = known.names.len() == known.are_numbers.len() && count == curves.len();
        if !is_whole || (known.tail.len() as u64) > known.read {
            return None;
        }
        let mut curves = curves.into_iter();
        let columns = known.are_numbers.iter().map(|is| is.then(|| curves.next()).flatten()).collect();
        let (read, tail, names) = (known.read, known.tail, known.names);
        Some(Table { read, kept: read, tail, names, columns, ..Table::default() })
    }

    /// Whether a curve was kept in a file that cannot be read any more.
    pub fn is_damaged(&self) -> bool {
        self.columns.iter().flatten().any(Series::is_damaged)
    }

    /// The column of this name.
    pub fn column_mut(&mut self, name: &str) -> Option<&mut Series> {
        let place = self.names.iter().position(|other| other == name)?;
        self.columns[place].as_mut()
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Series> {
        self.columns.get(self.names.iter().position(|other| other == name)?)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_grows_and_from_the_beginning_where_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let mut table = Table::default();
        assert!(!table.follow(&path));
        std::fs::write(&path, "epoch,loss,dataset\n1,0.5,\"a,\n\"\"b\"\n2,0.2").unwrap();
        assert!(table.follow(&path));
        assert_eq!(table.column_mut("loss").unwrap().load().unwrap().value, [0.5]);
        let fault = table.fault.clone().unwrap();
        assert_eq!(fault, "history.csv: the last line is cut short, after byte 34");
        std::fs::write(&path, "epoch,loss,dataset\n1,0.5,\"a,\n\"\"b\"\n2,0.25,x\n3,NaN,x\n").unwrap();
        assert!(table.follow(&path) && table.fault.is_none());
        let loss = table.column_mut("loss").unwrap().load().unwrap();
        assert!(loss.value[..2] == [0.5, 0.25] && loss.value[2].is_nan() && loss.at == [1.0, 2.0, 3.0]);
        assert!(table.column("dataset").is_none());
        std::fs::write(&path, "epoch,loss\n1,9\n2,8\n3\n").unwrap();
        assert!(table.follow(&path));
        assert_eq!(table.column_mut("loss").unwrap().load().unwrap().value, [9.0, 8.0]);
        assert!(table.fault.as_ref().unwrap().contains("has 1 fields, not 2"), "{:?}", table.fault);
        std::fs::remove_file(&path).unwrap();
        assert!(!table.follow(&path) && !table.names.is_empty(), "it may come back");
        table.away = Instant::now().checked_sub(AWAY);
        assert!(table.follow(&path) && table.names.is_empty());
    }
}
