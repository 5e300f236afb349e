//! A trained model of any type, as callbacks see it at the end.

use std::ops::Range;

use super::{Importance, Interval, Logs, Trainer};
use crate::Result;
use crate::data::{Dataset, Parts};
use crate::nn::{Model, Module};

/// A model that has been trained, with its final weights: what [`Callback::on_trained`](super::Callback::on_trained) is given. It is a
/// [`Trainer`] whose type of model is not known.
pub trait Trained {
    /// The model.
    fn module(&self) -> &dyn Module;

    /// The epochs that it has been trained for, in all calls of `fit`.
    fn epochs(&self) -> usize;

    /// The optimizer steps taken, in all calls of `fit`.
    fn steps(&self) -> usize;

    /// The seed of shuffling and dropout.
    fn seed(&self) -> u64;

    /// See [`Trainer::learning_rate_changes`].
    fn learning_rate_changes(&self) -> &[(usize, f64)];

    /// Above which number a single output means class 1; see [`Loss::decision_threshold`](crate::loss::Loss::decision_threshold).
    fn decision_threshold(&self) -> f64;

    /// Loss and metrics on `data`: [`Trainer::evaluate`].
    ///
    /// # Errors
    /// As [`Trainer::evaluate`].
    fn evaluate(&self, data: &Dataset) -> Result<Logs>;

    /// How far the scores on `data` can be trusted: [`Trainer::intervals`].
    ///
    /// # Errors
    /// As [`Trainer::intervals`].
    fn intervals(&self, data: &Dataset, scores: &Logs) -> Result<Vec<Interval>>;

    /// The model's outputs for `data`: [`Trainer::predict_parts`].
    ///
    /// # Errors
    /// As [`Trainer::predict_parts`].
    fn predict(&self, data: &Dataset) -> Result<Parts>;

    /// How much a score depends on each input: [`Trainer::permutation_importance`].
    ///
    /// # Errors
    /// As [`Trainer::permutation_importance`].
    fn permutation_importance(
        &self,
        data: &Dataset,
        inputs: &[(String, Range<usize>)],
        score: &str,
        repeats: usize,
        seed: u64,
    ) -> Result<Vec<Importance>>;
}

impl<M: Model> Trained for Trainer<M> {
    fn module(&self) -> &dyn Module {
        &self.model
    }

    fn epochs(&self) -> usize {
        self.progress.epochs
    }

    fn steps(&self) -> usize {
        self.progress.steps
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn learning_rate_changes(&self) -> &[(usize, f64)] {
        &self.progress.learning_rate_changes
    }

    fn decision_threshold(&self) -> f64 {
        self.losses.first().map_or(0.5, |own| own.loss.decision_threshold())
    }

    fn evaluate(&self, data: &Dataset) -> Result<Logs> {
        Trainer::evaluate(self, data)
    }

    fn intervals(&self, data: &Dataset, scores: &Logs) -> Result<Vec<Interval>> {
        Trainer::intervals(self, data, scores)
    }

    fn predict(&self, data: &Dataset) -> Result<Parts> {
        self.predict_parts(data)
    }

    fn permutation_importance(
        &self,
        data: &Dataset,
        inputs: &[(String, Range<usize>)],
        score: &str,
        repeats: usize,
        seed: u64,
    ) -> Result<Vec<Importance>> {
        Trainer::permutation_importance(self, data, inputs, score, repeats, seed)
    }
}
