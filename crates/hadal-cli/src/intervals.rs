//! How far the scores of a model can be trusted.

use hadal::Result;
use hadal::metric::{bootstrap_interval, wilson_interval};
use hadal::monitor::print_line;
use hadal::prelude::*;
use hadal::train::Logs;

const CONFIDENCE: f64 = 0.95;
const RESAMPLES: usize = 1000;
/// The loss of each of more samples than this would take long, and its interval would be narrow.
const MOST_LOSSES: usize = 20_000;
/// More samples than this are resampled less often, so that it takes no longer.
const MOST_DRAWS: usize = 20_000_000;

/// Prints the intervals of the scores.
pub fn print_intervals(model: &Trainer<Sequential>, data: &Dataset, score: &Logs) -> Result<()> {
    intervals(model, data, score)?.map_or(Ok(()), |line| print_line(&line))
}

/// The interval of each score in a line: Wilson's for a share, the bootstrap's for the others.
pub fn intervals(model: &Trainer<Sequential>, data: &Dataset, score: &Logs) -> Result<Option<String>> {
    let mut parts = Vec::new();
    let resamples = RESAMPLES.min(MOST_DRAWS / data.len().max(1)).max(100);
    let interval = |of: &dyn Fn(&[usize]) -> f64| bootstrap_interval(data.len(), of, resamples, 1, CONFIDENCE);
    if let Some(accuracy) = score.get("accuracy") {
        let total = data.len() as u64;
        let (low, high) = wilson_interval((accuracy * total as f64).round() as u64, total, CONFIDENCE);
        parts.push(format!("accuracy {:.2}% to {:.2}%", 100.0 * low, 100.0 * high));
    }
    if score.get("mean_absolute_error").is_some() {
        let predictions = model.predict(data)?.to_dtype(DType::F64).to_vec::<f64>();
        let targets = data.targets().to_dtype(DType::F64).to_vec::<f64>();
        let width = targets.len() / data.len().max(1);
        let places =
            |rows: &[usize]| -> Vec<usize> { rows.iter().flat_map(|row| row * width..(row + 1) * width).collect() };
        let error = |rows: &[usize]| {
            let places = places(rows);
            places.iter().map(|at| (predictions[*at] - targets[*at]).abs()).sum::<f64>() / places.len() as f64
        };
        if let Some((low, high)) = interval(&error) {
            parts.push(format!("mean_absolute_error {low:.4} to {high:.4}"));
        }
        let r2 = |rows: &[usize]| {
            let places = places(rows);
            let mean = places.iter().map(|at| targets[*at]).sum::<f64>() / places.len() as f64;
            let errors: f64 = places.iter().map(|at| (predictions[*at] - targets[*at]).powi(2)).sum();
            1.0 - errors / places.iter().map(|at| (targets[*at] - mean).powi(2)).sum::<f64>()
        };
        if score.get("r2_score").is_some()
            && width == 1
            && let Some((low, high)) = interval(&r2)
        {
            parts.push(format!("r2_score {low:.4} to {high:.4}"));
        }
    }
    if data.len() <= MOST_LOSSES {
        let losses = model.sample_losses(data)?;
        let mean = |rows: &[usize]| {
            let sum = rows.iter().fold((0.0, 0.0), |(a, b), row| (a + losses[*row].0, b + losses[*row].1));
            sum.0 / sum.1
        };
        if let Some((low, high)) = interval(&mean) {
            // Penalties are the same whatever the samples are.
            let all: Vec<usize> = (0..data.len()).collect();
            let penalty = score.get("loss").map_or(0.0, |loss| loss - mean(&all));
            let penalty = if penalty.abs() > 1e-6 { penalty } else { 0.0 };
            parts.push(format!("loss {:.4} to {:.4}", low + penalty, high + penalty));
        }
    }
    Ok((!parts.is_empty()).then(|| format!("95% confidence: {}", parts.join(", "))))
}
