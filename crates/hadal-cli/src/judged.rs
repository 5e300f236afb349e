//! A trained model and what it gives for one dataset, so that scores, intervals and a report take one pass over the samples.

use std::ops::Range;

use hadal::Result;
use hadal::data::Parts;
use hadal::nn::Module;
use hadal::prelude::*;
use hadal::train::{Importance, Interval, Logs, Trained};

/// A model that is asked about one dataset only.
pub struct Judged<'a> {
    trainer: &'a Trainer<Sequential>,
    outputs: Tensor,
    /// The outputs with their targets, and what judges them as it would judge the model.
    data: Dataset,
    judge: Trainer<Sequential>,
}

impl<'a> Judged<'a> {
    /// `judge`: how the outputs for the samples of `data` are judged, by the loss and the metrics of `trainer`.
    ///
    /// # Errors
    /// If the data does not fit the model.
    pub fn of(trainer: &'a Trainer<Sequential>, judge: Trainer<Sequential>, data: &Dataset) -> Result<Judged<'a>> {
        let outputs = trainer.predict(data)?;
        let data = Dataset::new(data.name(), outputs.clone(), data.targets().clone())?;
        Ok(Judged { trainer, outputs, data, judge })
    }
}

/// Whichever dataset is given for scores and outputs is taken for the one that was judged.
impl Trained for Judged<'_> {
    fn module(&self) -> &dyn Module {
        &self.trainer.model
    }

    fn epochs(&self) -> usize {
        Trained::epochs(self.trainer)
    }

    fn steps(&self) -> usize {
        Trained::steps(self.trainer)
    }

    fn seed(&self) -> u64 {
        Trained::seed(self.trainer)
    }

    fn learning_rate_changes(&self) -> &[(usize, f64)] {
        Trained::learning_rate_changes(self.trainer)
    }

    fn decision_threshold(&self) -> f64 {
        Trained::decision_threshold(self.trainer)
    }

    fn evaluate(&self, _: &Dataset) -> Result<Logs> {
        self.judge.evaluate(&self.data)
    }

    fn intervals(&self, _: &Dataset, scores: &Logs) -> Result<Vec<Interval>> {
        self.judge.intervals(&self.data, scores)
    }

    fn predict(&self, _: &Dataset) -> Result<Parts> {
        Ok(self.outputs.clone().into())
    }

    fn permutation_importance(
        &self,
        data: &Dataset,
        inputs: &[(String, Range<usize>)],
        score: &str,
        repeats: usize,
        seed: u64,
    ) -> Result<Vec<Importance>> {
        Trained::permutation_importance(self.trainer, data, inputs, score, repeats, seed)
    }
}
