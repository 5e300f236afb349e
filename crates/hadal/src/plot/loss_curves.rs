//! Loss and metrics by epoch.

use std::collections::BTreeMap;

use super::plot::{Mark, Series, by_index};
use super::{Picture, Plot};
use crate::train::{History, Logs};
use crate::{Error, Result};

/// The loss and the metrics by epoch, those of the validation data dashed. Losses stand in one chart, metrics between 0 and 1
/// in a second one, and every other metric in one of its own, because their units differ.
///
/// ```
/// use hadal::{plot, prelude::*};
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// let history = model.fit(&data, Fit::epochs(3).validation_data(&data).quiet())?;
/// let svg = plot::loss_curves(&history)?.svg();
/// assert!(svg.contains("val_accuracy"));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are no epochs, or no finite loss.
pub fn loss_curves(history: &History) -> Result<Picture> {
    // A metric that a later epoch reports first is drawn, too.
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in history.epochs.iter().flat_map(Logs::iter) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut charts: Vec<(String, Vec<&str>)> = Vec::new();
    for name in names.into_iter().filter(|name| values(history, name).any(f64::is_finite)) {
        let chart = chart_of(history, name);
        match charts.iter_mut().find(|(title, _)| *title == chart) {
            Some((_, names)) => names.push(name),
            None => charts.push((chart, vec![name])),
        }
    }
    if charts.is_empty() {
        let epochs = history.epochs.len();
        return Err(Error::Data(format!("the history has {epochs} epochs; there is no finite point to draw")));
    }
    let columns = if charts.len() > 3 { 2 } else { 1 };
    let pictures = charts.iter().map(|(title, names)| chart(history, title, names)).collect::<Result<Vec<_>>>()?;
    Picture::grid(pictures, columns)
}

fn values<'a>(history: &'a History, name: &'a str) -> impl Iterator<Item = f64> + 'a {
    history.epochs.iter().map(move |logs| logs.get(name).unwrap_or(f64::NAN))
}

/// The name without that of the data: `loss` and `val_loss` are one thing.
fn base(name: &str) -> &str {
    name.strip_prefix("val_").unwrap_or(name)
}

/// The title of the chart in which a metric stands.
fn chart_of(history: &History, name: &str) -> String {
    let base = base(name);
    let both = ["", "val_"].map(|prefix| format!("{prefix}{base}"));
    let is_share =
        |name: &String| values(history, name).all(|value| !value.is_finite() || (0.0..=1.0).contains(&value));
    if base == "loss" || base.ends_with("_loss") {
        "Loss".into()
    } else if both.iter().all(is_share) {
        "Metrics".into()
    } else {
        base.into()
    }
}

fn chart(history: &History, title: &str, names: &[&str]) -> Result<Picture> {
    let mut colors: BTreeMap<&str, usize> = BTreeMap::new();
    let mut plot = Plot::new(title).labels("epoch", if names.len() == 2 { base(names[0]) } else { "" });
    plot.size = (800, 420);
    for name in names {
        // The two of a pair differ in colour, too, where there is but one pair.
        let of = if names.len() == 2 { name } else { base(name) };
        let next = colors.len();
        let color = super::color::of_index(*colors.entry(of).or_insert(next));
        let series = Series::new(name, &by_index(values(history, name)), Mark::Line).color(color);
        plot = plot.series(if name.starts_with("val_") { series.dash("9 4") } else { series });
    }
    plot.picture()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(epochs: &[&[(&str, f64)]]) -> History {
        let logs = |values: &&[(&str, f64)]| {
            let mut logs = Logs::default();
            values.iter().for_each(|(name, value)| logs.push(*name, *value, value.to_string()));
            logs
        };
        History { epochs: epochs.iter().map(logs).collect() }
    }

    #[test]
    fn metrics_of_different_units_stand_in_charts_of_their_own() {
        let epoch: &[(&str, f64)] =
            &[("loss", 2.0), ("accuracy", 0.5), ("mae", 31.0), ("val_loss", 3.0), ("val_mae", 0.2)];
        let history = history(&[epoch, epoch]);
        assert_eq!(chart_of(&history, "val_loss"), "Loss");
        assert_eq!(chart_of(&history, "accuracy"), "Metrics");
        assert_eq!(chart_of(&history, "val_mae"), "mae");
        let svg = loss_curves(&history).unwrap().svg();
        for text in [">Loss<", ">Metrics<", ">mae<", ">val_mae<", ">epoch<"] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn a_history_without_a_finite_loss_is_an_error_and_one_epoch_is_a_dot() {
        for bad in [history(&[]), history(&[&[("loss", f64::NAN)]])] {
            let message = loss_curves(&bad).unwrap_err().to_string();
            assert!(message.contains("no finite point"), "{message}");
        }
        let svg = loss_curves(&history(&[&[("loss", 0.5)]])).unwrap().svg();
        assert!(svg.contains("<circle") && !svg.contains("<polyline"));
    }
}
