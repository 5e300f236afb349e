//! The events files of a run, read as they grow.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use prost::Message;
use serde::{Deserialize, Serialize};

use super::confusion::CONFUSION;
use super::series::Series;
use crate::monitor::tensorboard::RecordReader;
use crate::monitor::tensorboard::messages::{
    Data, Event, HParamsData, HParamsPluginData, HistogramProto, Kind, SESSION_START, Summary, TensorProto, Value, What,
};
use crate::{Error, Result};

/// What the names of events files hold.
pub(super) const MARK: &str = "tfevents";

/// By tag, where the records of each kind stand, in the order of their steps.
pub(super) type Places = BTreeMap<String, Vec<Place>>;

/// What the events files of a folder hold. Numbers are kept; of all that is larger, where it stands.
#[derive(Default)]
pub(super) struct Events {
    pub(super) folder: PathBuf,
    /// By name, which is the order in which TensorBoard reads them.
    pub(super) files: BTreeMap<String, Position>,
    pub scalars: BTreeMap<String, Series>,
    pub histograms: Places,
    pub images: Places,
    pub confusions: Places,
    pub pr_curves: Places,
    pub texts: BTreeMap<String, String>,
    pub hparams: BTreeMap<String, String>,
    /// Whether the last file says that the run has ended.
    pub has_ended: bool,
    /// Seconds since 1970.
    pub began: Option<f64>,
    /// New points of the file that is being read.
    fresh: BTreeMap<String, [Vec<f64>; 3]>,
    /// Bytes that had been read when it was kept last.
    pub(super) kept: u64,
}

/// How far a file has been read.
#[derive(Clone, Default)]
pub(super) struct Position {
    pub read: u64,
    length: u64,
    /// Why it was not read to its end.
    fault: Option<String>,
}

impl Position {
    pub fn after(read: u64) -> Position {
        Position { read, ..Position::default() }
    }
}

/// Where a record stands.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Place {
    pub step: i64,
    file: String,
    at: u64,
}

impl Events {
    pub fn new(folder: &Path) -> Events {
        Events { folder: folder.to_owned(), ..Events::default() }
    }

    /// Reads what is new in the files of these names; tells whether there was any.
    pub fn follow(&mut self, names: &[String]) -> bool {
        let lengths: Vec<Option<u64>> =
            names.iter().map(|name| self.folder.join(name).metadata().ok().map(|file| file.len())).collect();
        let is_gone = |(name, position): (&String, &Position)| {
            let length = names.iter().position(|other| other == name).and_then(|at| lengths[at]);
            length.is_none_or(|length| length < position.read)
        };
        let mut changed = self.files.iter().any(is_gone);
        if changed {
            // Another run has taken the folder.
            *self = Events::new(&self.folder);
        }
        for (name, length) in names.iter().zip(lengths) {
            let known = self.files.get(name).cloned().unwrap_or_default();
            if let Some(length) = length.filter(|length| *length != known.length) {
                let position = self.read(name, known.read, length);
                changed |= position.read > known.read || position.fault != known.fault;
                self.files.insert(name.clone(), position);
            }
        }
        changed
    }

    /// How many bytes of the files have been read.
    pub fn read_so_far(&self) -> u64 {
        self.files.values().map(|position| position.read).sum()
    }

    /// Why a file was not read to its end.
    pub fn faults(&self) -> impl Iterator<Item = &String> {
        self.files.values().filter_map(|position| position.fault.as_ref())
    }

    fn read(&mut self, name: &str, from: u64, length: u64) -> Position {
        let path = self.folder.join(name);
        let mut position = Position { read: from, length, fault: None };
        let opened =
            open_at(&path, from).map(|file| RecordReader::new(&path, BufReader::new(file.take(length - from))));
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(error) => {
                position.fault = Some(error.to_string());
                return position;
            }
        };
        while let Some(record) = reader.next() {
            let taken = record.and_then(|record| self.take(name, position.read, &record));
            if let Err(error) = taken {
                let message = error.to_string();
                // Positions in the message are those since the last visit.
                let reason = message.rsplit(": ").next().unwrap_or(&message);
                position.fault = Some(format!("{name}, at byte {}: {reason}", position.read));
                break;
            }
            position.read = from + reader.position();
        }
        self.settle();
        position
    }

    /// Takes in one record.
    fn take(&mut self, name: &str, at: u64, record: &[u8]) -> Result<()> {
        let event = Event::decode(record).map_err(|error| Error::Data(format!("not an event ({error})")))?;
        if event.wall_time > 0.0 && event.wall_time.is_finite() {
            self.began = Some(self.began.map_or(event.wall_time, |began| began.min(event.wall_time)));
        }
        let summary = match event.what {
            Some(What::SessionLog(session)) if session.status == SESSION_START => {
                self.purge_from(event.step);
                return Ok(());
            }
            Some(What::Summary(summary)) => summary,
            _ => return Ok(()),
        };
        for Value { tag, metadata, data } in summary.value {
            let place = || Place { step: event.step, file: name.to_owned(), at };
            let plugin = metadata.and_then(|metadata| metadata.plugin_data);
            match (plugin.as_ref().map(|plugin| plugin.plugin_name.as_str()), data) {
                (Some("text"), Some(Data::Tensor(tensor))) => {
                    let text = tensor.string_val.first().map(|text| String::from_utf8_lossy(text).into_owned());
                    self.texts.extend(text.map(|text| (tag, text)));
                }
                (Some(CONFUSION), Some(Data::Tensor(_))) => self.confusions.entry(tag).or_default().push(place()),
                (Some("pr_curves"), Some(Data::Tensor(_))) => self.pr_curves.entry(tag).or_default().push(place()),
                (Some("hparams"), _) => self.take_hparams(&plugin.unwrap_or_default().content),
                (_, Some(Data::Image(_))) => self.images.entry(tag).or_default().push(place()),
                (_, Some(Data::Histogram(_))) => self.histograms.entry(tag).or_default().push(place()),
                (None | Some("scalars"), Some(data)) => {
                    self.take_point(tag, [event.step as f64, event.wall_time], data)
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A new point of a curve, if `data` is one number.
    fn take_point(&mut self, tag: String, [step, time]: [f64; 2], data: Data) {
        let number = match data {
            Data::SimpleValue(number) => number,
            Data::Tensor(tensor) if tensor.float_val.len() == 1 => tensor.float_val[0],
            _ => return,
        };
        let columns = match self.fresh.get_mut(&tag) {
            Some(columns) => columns,
            None => self.fresh.entry(tag).or_default(),
        };
        columns.iter_mut().zip([step, time, f64::from(number)]).for_each(|(column, number)| column.push(number));
    }

    fn take_hparams(&mut self, content: &[u8]) {
        // A file of another version is shown without them.
        let Ok(hparams) = HParamsPluginData::decode(content) else { return };
        let start = match hparams.data {
            Some(HParamsData::SessionStart(start)) => start,
            end => return self.has_ended |= end.is_some(),
        };
        for (name, value) in start.hparams {
            let shown = match value.kind {
                Some(Kind::Number(number)) => number.to_string(),
                Some(Kind::Text(text)) => text,
                Some(Kind::Bool(is)) => is.to_string(),
                None => continue,
            };
            self.hparams.insert(name, shown);
        }
    }

    /// Forgets what older records hold from a step on: the run went on from a checkpoint.
    fn purge_from(&mut self, step: i64) {
        self.has_ended = false;
        self.settle();
        self.scalars.values_mut().for_each(|series| series.purge_from(step as f64));
        for (_, kind) in self.places_mut() {
            kind.values_mut().for_each(|places| places.retain(|place| place.step < step));
            kind.retain(|_, places| !places.is_empty());
        }
    }

    /// The places of each kind, with its name.
    pub(super) fn places(&self) -> [(&'static str, &Places); 4] {
        [
            ("histograms", &self.histograms),
            ("images", &self.images),
            ("confusions", &self.confusions),
            ("pr_curves", &self.pr_curves),
        ]
    }

    pub(super) fn places_mut(&mut self) -> [(&'static str, &mut Places); 4] {
        [
            ("histograms", &mut self.histograms),
            ("images", &mut self.images),
            ("confusions", &mut self.confusions),
            ("pr_curves", &mut self.pr_curves),
        ]
    }

    /// Whether a curve was kept in a file that cannot be read any more.
    pub fn is_damaged(&self) -> bool {
        self.scalars.values().any(Series::is_damaged)
    }

    fn settle(&mut self) {
        for (tag, [at, time, value]) in std::mem::take(&mut self.fresh) {
            self.scalars.entry(tag).or_default().extend(&at, &time, &value);
        }
    }

    /// The histogram at a place: the upper ends of the buckets, the counts, and the least value.
    pub fn histogram(&self, tag: &str, place: &Place) -> Result<HistogramProto> {
        match self.value(tag, place)?.data {
            Some(Data::Histogram(histogram)) => Ok(histogram),
            _ => Err(Error::Data(format!("{tag}: no histogram is there any more"))),
        }
    }

    /// The PNG at a place.
    pub fn image(&self, tag: &str, place: &Place) -> Result<Vec<u8>> {
        match self.value(tag, place)?.data {
            Some(Data::Image(image)) if image.encoded_image_string.starts_with(b"\x89PNG\r\n\x1a\n") => {
                Ok(image.encoded_image_string)
            }
            _ => Err(Error::Data(format!("{tag}: the image is no PNG"))),
        }
    }

    /// The tensor at a place, and what its plugin is told of it.
    pub fn tensor(&self, tag: &str, place: &Place) -> Result<(TensorProto, Vec<u8>)> {
        let value = self.value(tag, place)?;
        let plugin = value.metadata.and_then(|metadata| metadata.plugin_data);
        match value.data {
            Some(Data::Tensor(tensor)) => Ok((tensor, plugin.unwrap_or_default().content)),
            _ => Err(Error::Data(format!("{tag}: no tensor is there any more"))),
        }
    }

    fn value(&self, tag: &str, place: &Place) -> Result<Value> {
        let path = self.folder.join(&place.file);
        let gone = || Error::file(&path, format!("byte {}: the record is gone", place.at));
        let record = RecordReader::new(&path, BufReader::new(open_at(&path, place.at)?)).next().ok_or_else(gone)??;
        let event = Event::decode(&record[..]).map_err(|_| gone())?;
        let Some(What::Summary(Summary { value })) = event.what else { return Err(gone()) };
        value.into_iter().find(|value| value.tag == tag).ok_or_else(gone)
    }
}

pub(super) fn open_at(path: &Path, at: u64) -> Result<File> {
    let mut file = File::open(path).map_err(Error::io(path, "open the events file"))?;
    file.seek(SeekFrom::Start(at)).map_err(Error::io(path, "read the events file"))?;
    Ok(file)
}
