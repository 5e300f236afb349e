//! What a run's folder remembers when the run is resumed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RunFolder;
use crate::Result;
use crate::monitor::Record;
use crate::train::CallbackState;
use crate::train::best::BestState;
use crate::train::training_state::check_settings;

/// What a run folder remembers of its run.
#[derive(Serialize, Deserialize)]
struct Memory {
    settings: String,
    record: Record,
    best: BestState,
    /// The notes of the best model.
    best_notes: Option<BTreeMap<String, String>>,
    /// Those of an epoch that could not be written.
    unwritten_notes: Option<BTreeMap<String, String>>,
    begun: bool,
}

/// What stands before the names of the tensors of an epoch that could not be written; no parameter's name has spaces.
const UNWRITTEN: &str = "not written: ";

impl RunFolder {
    /// The state of the callback.
    pub(super) fn remembered(&self) -> Option<CallbackState> {
        let keep = self.keep_best.as_ref();
        let (tensors, best_notes) = keep.and_then(|keep| keep.snapshot.clone()).unzip();
        let best = keep.and_then(|keep| keep.best.state());
        let (unwritten, unwritten_notes) = self.unwritten.clone().unzip();
        let named = |(name, tensor)| (format!("{UNWRITTEN}{name}"), tensor);
        let tensors = tensors.into_iter().flatten().chain(unwritten.into_iter().flatten().map(named)).collect();
        let (settings, record, begun) = (self.settings(), self.record.clone(), self.begun);
        CallbackState::json(&Memory { settings, record, best, best_notes, unwritten_notes, begun }, tensors)
    }

    /// Takes back its state.
    pub(super) fn remember(&mut self, state: CallbackState) -> Result<()> {
        let Memory { settings, record, best, best_notes, unwritten_notes, begun } = state.parse("RunFolder")?;
        check_settings("RunFolder", &settings, &self.settings())?;
        let mut unwritten = Vec::new();
        let mut tensors = Vec::new();
        for (name, tensor) in state.tensors {
            match name.strip_prefix(UNWRITTEN) {
                Some(name) => unwritten.push((name.to_owned(), tensor)),
                None => tensors.push((name, tensor)),
            }
        }
        self.unwritten = unwritten_notes.map(|notes| (unwritten, notes));
        (self.record, self.begun, self.claimed, self.resumed) = (record, begun, true, true);
        if let Some(keep) = &mut self.keep_best {
            keep.best.load_state(best);
            keep.snapshot = best_notes.map(|notes| (tensors, notes));
        }
        Ok(())
    }

    /// What must be the same for a run to be resumed.
    fn settings(&self) -> String {
        self.keep_best.as_ref().map_or("no best model".to_owned(), |keep| format!("keep_best {}", keep.best.settings()))
    }
}
