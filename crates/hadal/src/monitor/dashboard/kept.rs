//! What was read of long events files, as bytes: so that they open at once next time.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::events::{Events, Place, Position, open_at};
use super::series::Series;
use crate::format::Hash;

/// What the bytes begin with. Another version's are not used.
const MAGIC: &[u8] = b"hadal dashboard 1\n";

/// How many new bytes of events are worth keeping.
const WORTH: u64 = 4 << 20;

/// How many bytes before a position say that a file is still the same.
const TAIL: u64 = 4096;

/// What stands before the points.
#[derive(Serialize, Deserialize)]
struct Head {
    /// How far each file was read, and the SHA-256 of the bytes before that.
    files: BTreeMap<String, (u64, String)>,
    /// The number of points of each curve.
    scalars: Vec<(String, usize)>,
    histograms: BTreeMap<String, Vec<Place>>,
    images: BTreeMap<String, Vec<Place>>,
    texts: BTreeMap<String, String>,
    hparams: BTreeMap<String, String>,
    has_ended: bool,
    began: Option<f64>,
}

impl Events {
    /// The folder, and all that is known of its events files as bytes, if much is new since this was last asked.
    pub fn take_to_keep(&mut self) -> Option<(PathBuf, Vec<u8>)> {
        let read: u64 = self.files.values().map(|position| position.read).sum();
        if read < self.kept.saturating_add(WORTH.max(self.kept / 2)) {
            return None;
        }
        self.kept = read;
        let file = |(name, position): (&String, &Position)| {
            Some((name.clone(), (position.read, tail(&self.folder.join(name), position.read)?)))
        };
        let head = Head {
            files: self.files.iter().map(file).collect::<Option<_>>()?,
            scalars: self.scalars.iter().map(|(tag, series)| (tag.clone(), series.len())).collect(),
            histograms: self.histograms.clone(),
            images: self.images.clone(),
            texts: self.texts.clone(),
            hparams: self.hparams.clone(),
            has_ended: self.has_ended,
            began: self.began,
        };
        let head = serde_json::to_vec(&head).ok()?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend((head.len() as u64).to_le_bytes());
        bytes.extend(head);
        for column in self.scalars.values().flat_map(|series| [&series.at, &series.time, &series.value]) {
            bytes.extend(column.iter().flat_map(|number| number.to_le_bytes()));
        }
        Some((self.folder.clone(), bytes))
    }

    /// What the bytes hold, if the files of the folder are still those that were read.
    pub fn from_kept(folder: &Path, bytes: &[u8]) -> Option<Events> {
        let (length, rest) = bytes.strip_prefix(MAGIC)?.split_at_checked(8)?;
        let (head, mut points) = rest.split_at_checked(u64::from_le_bytes(length.try_into().ok()?).try_into().ok()?)?;
        let head: Head = serde_json::from_slice(head).ok()?;
        let is_same = |(name, (read, hash)): (&String, &(u64, String))| {
            tail(&folder.join(name), *read).is_some_and(|found| found == *hash)
        };
        if !head.files.iter().all(is_same) {
            return None;
        }
        let mut events = Events::new(folder);
        for (tag, count) in head.scalars {
            let mut column = || -> Option<Vec<f64>> {
                let (own, rest) = points.split_at_checked(count.checked_mul(8)?)?;
                points = rest;
                Some(own.as_chunks().0.iter().map(|number| f64::from_le_bytes(*number)).collect())
            };
            let (at, time, value) = (column()?, column()?, column()?);
            let mut series = Series::default();
            series.extend(&at, &time, &value);
            events.scalars.insert(tag, series);
        }
        if !points.is_empty() {
            return None;
        }
        events.kept = head.files.values().map(|(read, _)| read).sum();
        events.files = head.files.into_iter().map(|(name, (read, _))| (name, Position::after(read))).collect();
        (events.histograms, events.images) = (head.histograms, head.images);
        (events.texts, events.hparams) = (head.texts, head.hparams);
        (events.has_ended, events.began) = (head.has_ended, head.began);
        Some(events)
    }
}

/// The SHA-256 of the bytes before a position.
fn tail(path: &Path, position: u64) -> Option<String> {
    let from = position.saturating_sub(TAIL);
    let mut bytes = Vec::new();
    open_at(path, from).ok()?.take(position - from).read_to_end(&mut bytes).ok()?;
    let mut hash = Hash::default();
    hash.update(&bytes);
    (bytes.len() as u64 == position - from).then(|| hash.hexadecimal())
}
