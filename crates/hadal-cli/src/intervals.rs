//! How far the scores of a model can be trusted, as a line.

use hadal::Result;
use hadal::monitor::print_line;
use hadal::prelude::*;
use hadal::train::{Interval, Logs, Trained};

/// Prints the intervals of the scores.
pub fn print_intervals(model: &dyn Trained, data: &Dataset, score: &Logs) -> Result<()> {
    intervals(model, data, score)?.map_or(Ok(()), |line| print_line(&line))
}

/// The interval of each score in a line.
pub fn intervals(model: &dyn Trained, data: &Dataset, score: &Logs) -> Result<Option<String>> {
    let part = |Interval { name, low, high, .. }| match &*name {
        "accuracy" => format!("{name} {:.2}% to {:.2}%", 100.0 * low, 100.0 * high),
        _ => format!("{name} {low:.4} to {high:.4}"),
    };
    let mut all = model.intervals(data, score)?;
    // A text's accuracy is a share of characters, which do not come one by one.
    all.retain(|own| own.name != "accuracy" || data.targets().rank() == 1);
    let parts: Vec<String> = all.into_iter().map(part).collect();
    Ok((!parts.is_empty()).then(|| format!("95% confidence: {}", parts.join(", "))))
}
