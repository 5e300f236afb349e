//! How far the scores of a model can be trusted.

use super::{Logs, Trainer};
use crate::data::Dataset;
use crate::metric::{bootstrap_interval, wilson_interval};
use crate::nn::Model;
use crate::{DType, Result};

const CONFIDENCE: f64 = 0.95;
const RESAMPLES: usize = 1000;
/// The loss of each of more samples than this would take long, and its interval would be narrow.
const MOST_LOSSES: usize = 20_000;
/// More samples than this are resampled less often, so that it takes no longer.
const MOST_DRAWS: usize = 20_000_000;

/// Where a score lies with a confidence of 95%; see [`Trainer::intervals`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Interval {
    /// The name of the score: `loss`, `accuracy`, ...
    pub name: String,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl<M: Model> Trainer<M> {
    /// The 95% confidence intervals of `scores`, which [`evaluate`](Trainer::evaluate) gave for `data`: Wilson's for an `accuracy`
    /// ([`wilson_interval`]), the bootstrap's of 1,000 resamples, fewer of more than 20,000 samples, for `mean_absolute_error`,
    /// `r2_score` and, of at most 20,000 samples, `loss` ([`bootstrap_interval`]). Other scores have none, nor have models with several
    /// outputs. They say what other samples of the same kind would give, not what another training would.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
    /// let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// let model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
    /// let scores = model.evaluate(&data)?;
    /// for interval in model.intervals(&data, &scores)? {
    ///     assert!(interval.low <= scores[&interval.name] && scores[&interval.name] <= interval.high);
    /// }
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`evaluate`](Trainer::evaluate).
    pub fn intervals(&self, data: &Dataset, scores: &Logs) -> Result<Vec<Interval>> {
        let mut all = Vec::new();
        if self.losses.len() != 1 || data.len() == 0 {
            return Ok(all);
        }
        let mut add = |name: &str, ends: Option<(f64, f64)>| {
            all.extend(ends.map(|(low, high)| Interval { name: name.to_owned(), low, high }));
        };
        let whole: Vec<usize> = (0..data.len()).collect();
        let resamples = RESAMPLES.min(MOST_DRAWS / data.len()).max(100);
        let interval = |of: &dyn Fn(&[usize]) -> f64| bootstrap_interval(data.len(), of, resamples, 1, CONFIDENCE);
        if let Some(accuracy) = scores.get("accuracy") {
            let total = data.len() as u64;
            let right = accuracy * total as f64;
            // A share of something else than the samples is none of theirs.
            if (right - right.round()).abs() < 1e-3 {
                add("accuracy", Some(wilson_interval((right.round() as u64).min(total), total, CONFIDENCE)));
            }
        }
        if scores.get("mean_absolute_error").is_some() {
            let predictions = self.predict(data)?.to_dtype(DType::F64).to_vec::<f64>();
            let targets = data.targets().to_dtype(DType::F64).to_vec::<f64>();
            let width = targets.len() / data.len();
            let places =
                |rows: &[usize]| -> Vec<usize> { rows.iter().flat_map(|row| row * width..(row + 1) * width).collect() };
            let error = |rows: &[usize]| {
                let places = places(rows);
                places.iter().map(|at| (predictions[*at] - targets[*at]).abs()).sum::<f64>() / places.len() as f64
            };
            let r2 = |rows: &[usize]| {
                let places = places(rows);
                let mean = places.iter().map(|at| targets[*at]).sum::<f64>() / places.len() as f64;
                let errors: f64 = places.iter().map(|at| (predictions[*at] - targets[*at]).powi(2)).sum();
                1.0 - errors / places.iter().map(|at| (targets[*at] - mean).powi(2)).sum::<f64>()
            };
            // Of padded sequences, not all numbers count.
            let is_of_all = |score: f64| (error(&whole) - score).abs() <= 1e-4 * score.abs().max(1e-30);
            if predictions.len() == targets.len() && scores.get("mean_absolute_error").is_some_and(is_of_all) {
                add("mean_absolute_error", interval(&error));
                if scores.get("r2_score").is_some() && width == 1 {
                    add("r2_score", interval(&r2));
                }
            }
        }
        if data.len() <= MOST_LOSSES {
            let losses = self.sample_losses(data)?;
            let mean = |rows: &[usize]| {
                let sum = rows.iter().fold((0.0, 0.0), |(a, b), row| (a + losses[*row].0, b + losses[*row].1));
                sum.0 / sum.1
            };
            // Penalties are the same whatever the samples are.
            let penalty = scores.get("loss").map_or(0.0, |loss| loss - mean(&whole));
            let penalty = if penalty.abs() > 1e-6 { penalty } else { 0.0 };
            add("loss", interval(&mean).map(|(low, high)| (low + penalty, high + penalty)));
        }
        Ok(all)
    }
}
