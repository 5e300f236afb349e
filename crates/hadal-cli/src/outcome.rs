//! What a terminal shows when training has ended: the curves, and what is confused most.

use hadal::Result;
use hadal::data::Task;
use hadal::metric::{ConfusionMatrix, Metric};
use hadal::monitor::{print_line, text_chart};
use hadal::prelude::*;
use hadal::train::History;

use crate::counted::counted;
use crate::parts::Parts;

/// How many pairs of classes are named.
const PAIRS: usize = 5;
/// The rows of a chart.
const ROWS: usize = 8;

/// Prints both, at most as wide as so many columns.
pub fn print(history: &History, model: &Trainer<Sequential>, parts: &Parts, columns: usize) -> Result<()> {
    for name in ["loss", "accuracy"] {
        let (train, test) = (history.get(name), history.get(&format!("val_{name}")));
        // One epoch is a point, which its line has shown.
        let (Ok(train), Ok(test)) = (train, test) else { continue };
        if train.len() < 2 {
            continue;
        }
        let labels = [format!("training {name}"), format!("test {name}")];
        let chart = text_chart(&[(&labels[0], &train), (&labels[1], &test)], columns.saturating_sub(12).min(60), ROWS);
        if !chart.is_empty() {
            print_line(&format!("\n{chart}"))?;
        }
    }
    worst_pairs(model, parts)?;
    print_line("")
}

/// The pairs of classes that are taken for each other most often, in the test part.
fn worst_pairs(model: &Trainer<Sequential>, parts: &Parts) -> Result<()> {
    // Characters that are taken for others say little: what follows is seldom certain.
    if parts.task != Task::Classification || parts.vocabulary.is_some() {
        return Ok(());
    }
    let mut matrix = ConfusionMatrix::new();
    matrix.update(&model.predict(&parts.test)?, parts.test.targets());
    let classes = matrix.classes();
    let pairs = (0..classes).flat_map(|class| (0..classes).map(move |predicted| (class, predicted)));
    let mut wrong: Vec<(u64, usize, usize)> = pairs
        .filter(|(class, predicted)| class != predicted)
        .map(|(class, predicted)| (matrix.count(class, predicted), class, predicted))
        .filter(|(count, ..)| *count > 0)
        .collect();
    wrong.sort_by_key(|(count, class, predicted)| (std::cmp::Reverse(*count), *class, *predicted));
    if wrong.is_empty() {
        return Ok(());
    }
    let all: u64 = wrong.iter().map(|(count, ..)| count).sum();
    print_line(&format!("\n{} of the test part; most often", counted(all as usize, "mistake")))?;
    for (count, class, predicted) in wrong.into_iter().take(PAIRS) {
        let (class, predicted) = (parts.class_name(class), parts.class_name(predicted));
        print_line(&format!("  {count:>5} times {class} was taken for {predicted}"))?;
    }
    Ok(())
}
