//! What was read of long events files, kept for the next time.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::events::{Events, Place, Position, open_at};
use super::kept::{self, WORTH};
use crate::format::Hash;

/// How many bytes before a position say that a file is still the same.
const TAIL: u64 = 4096;

/// What is known besides the curves.
#[derive(Serialize, Deserialize)]
struct Known {
    /// How far each file was read, and the SHA-256 of the bytes before that.
    files: BTreeMap<String, (u64, String)>,
    scalars: Vec<String>,
    places: BTreeMap<String, BTreeMap<String, Vec<Place>>>,
    texts: BTreeMap<String, String>,
    hparams: BTreeMap<String, String>,
    has_ended: bool,
    began: Option<f64>,
}

impl Events {
    /// All that is known of the events files as bytes, if much is new since this was last asked.
    pub fn take_to_keep(&mut self) -> Option<Vec<u8>> {
        let read = self.read_so_far();
        if read < self.kept.saturating_add(WORTH.max(self.kept / 2)) {
            return None;
        }
        self.kept = read;
        let file = |(name, position): (&String, &Position)| {
            Some((name.clone(), (position.read, tail(&self.folder.join(name), position.read)?)))
        };
        let known = Known {
            files: self.files.iter().map(file).collect::<Option<_>>()?,
            scalars: self.scalars.keys().cloned().collect(),
            places: self.places().into_iter().map(|(kind, places)| (kind.to_owned(), places.clone())).collect(),
            texts: self.texts.clone(),
            hparams: self.hparams.clone(),
            has_ended: self.has_ended,
            began: self.began,
        };
        kept::bytes(known, self.scalars.values_mut())
    }

    /// What a file keeps, if the events files of the folder are still those that were read.
    pub fn from_kept(folder: &Path, path: &Path) -> Option<Events> {
        let (mut known, curves) = kept::open::<Known>(path)?;
        let is_same = |(name, (read, hash)): (&String, &(u64, String))| {
            tail(&folder.join(name), *read).is_some_and(|found| found == *hash)
        };
        if curves.len() != known.scalars.len() || !known.files.iter().all(is_same) {
            return None;
        }
        let mut events = Events::new(folder);
        for (kind, places) in events.places_mut() {
            *places = known.places.remove(kind)?;
        }
        events.kept = known.files.values().map(|(read, _)| read).sum();
        events.files = known.files.into_iter().map(|(name, (read, _))| (name, Position::after(read))).collect();
        events.scalars = known.scalars.into_iter().zip(curves).collect();
        (events.texts, events.hparams) = (known.texts, known.hparams);
        (events.has_ended, events.began) = (known.has_ended, known.began);
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
