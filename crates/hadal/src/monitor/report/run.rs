//! What the report remembers of the run.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::train::{Event, Exact, History, Logs};

/// A run so far. Numbers are kept to the last bit, also those that JSON has no words for.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Run {
    pub dataset: String,
    /// Training samples.
    pub samples: usize,
    /// How many epochs it was to have.
    pub planned: usize,
    pub epochs: Vec<Epoch>,
    /// The last step.
    pub step: usize,
    /// How often it was resumed.
    pub resumed: usize,
    /// Seconds before it was last resumed.
    before: Option<Exact>,
    #[serde(skip)]
    began: Option<Instant>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Epoch {
    pub number: usize,
    logs: Vec<(String, Exact)>,
    learning_rate: Exact,
    /// Of training, without validation.
    seconds: Exact,
}

impl Run {
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::TrainBegin { dataset, samples, epochs, step, .. } => {
                *self = Run {
                    dataset: (*dataset).to_owned(),
                    samples: *samples,
                    planned: *epochs,
                    step: *step,
                    began: Some(Instant::now()),
                    ..Run::default()
                };
            }
            Event::BatchEnd { step, .. } => self.step = *step,
            Event::EpochEnd { epoch, logs, learning_rate, elapsed, .. } => self.epochs.push(Epoch {
                number: *epoch,
                logs: logs.iter().map(|(name, value)| (name.to_owned(), Exact(value))).collect(),
                learning_rate: Exact(*learning_rate),
                seconds: Exact(elapsed.as_secs_f64()),
            }),
            _ => {}
        }
    }

    /// Whether there was training to see: a model can be reported on that was made otherwise.
    pub fn began(&self) -> bool {
        self.planned > 0
    }

    /// The run as a checkpoint keeps it.
    pub fn kept(&self) -> Run {
        Run { before: Some(Exact(self.seconds())), ..self.clone() }
    }

    /// Goes on with a run that was kept.
    pub fn go_on(&mut self, kept: Run) {
        *self = Run { began: self.began, planned: self.planned, resumed: kept.resumed + 1, ..kept };
    }

    /// Seconds from the beginning, without those between an interruption and its resumption.
    pub fn seconds(&self) -> f64 {
        let now = self.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        self.before.map_or(0.0, |before| before.0) + now
    }

    pub fn history(&self) -> History {
        let logs = |epoch: &Epoch| {
            let mut logs = Logs::default();
            epoch.logs.iter().for_each(|(name, value)| logs.push(name, value.0, value.0.to_string()));
            logs
        };
        History { epochs: self.epochs.iter().map(logs).collect() }
    }

    pub fn learning_rates(&self) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.learning_rate.0).collect()
    }

    /// The training seconds of each epoch.
    pub fn epoch_seconds(&self) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.seconds.0).collect()
    }
}
