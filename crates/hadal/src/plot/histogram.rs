//! How often numbers occur.

use super::axis::{grouped, number};
use super::color::Color;
use super::plot::{Mark, Series};
use super::scores::numbers;
use super::{Picture, Plot};
use crate::{Error, Result, Tensor};

/// Counts in bins of equal width.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    pub from: f64,
    pub to: f64,
    pub counts: Vec<usize>,
}

impl Histogram {
    /// In `bins` from `from` to `to`, which belongs to the last one. Numbers beyond are not counted.
    pub fn new(values: &[f64], (from, to): (f64, f64), bins: usize) -> Histogram {
        let mut counts = vec![0; bins];
        let edge = |bin: usize| from + (to - from) * (bin as f64 / bins as f64);
        for value in values.iter().filter(|value| (from..=to).contains(*value)) {
            let mut bin = (((value - from) / (to - from) * bins as f64) as usize).min(bins - 1);
            // Rounding may have missed an edge by one.
            if *value < edge(bin) {
                bin = bin.saturating_sub(1);
            } else if bin + 1 < bins && *value >= edge(bin + 1) {
                bin += 1;
            }
            counts[bin] += 1;
        }
        Histogram { from, to, counts }
    }

    /// From the least to the largest number, in bins by NumPy's rule `auto` (that of version 2): the narrower of Sturges's and
    /// of Freedman and Diaconis's (1981), at most 200. `sorted` is not empty; equal numbers have one bin around them.
    pub fn auto(sorted: &[f64]) -> Histogram {
        let (from, to) = (sorted[0], sorted[sorted.len() - 1]);
        // One value, or too near to each other for an axis.
        if to - from < (1e-9 * from.abs().max(to.abs())).max(1e-290) {
            let room = (0.5 * from.abs()).max(1e-12);
            return Histogram::new(sorted, (from - room, to + room), 1);
        }
        let count = sorted.len() as f64;
        let sturges = (to - from) / (count.log2() + 1.0);
        let freedman_diaconis = 2.0 * (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / count.cbrt();
        // Not so narrow that most bins are empty.
        let width = freedman_diaconis.max((to - from) / count.sqrt() / 2.0).min(sturges);
        let bins = ((to - from) / width).ceil().clamp(1.0, 200.0) as usize;
        Histogram::new(sorted, (from, to), bins)
    }

    /// The left edge of each bin with its count, and the right edge of the last one.
    pub fn steps(&self) -> Vec<(f64, f64)> {
        let bins = self.counts.len();
        let edge = |bin: usize| self.from + (self.to - self.from) * (bin as f64 / bins as f64);
        (0..=bins).map(|bin| (edge(bin), self.counts.get(bin).map_or(0.0, |count| *count as f64))).collect()
    }
}

/// The value below which this share of the numbers lies, between two of them where need be (NumPy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// The finite numbers of a tensor, sorted, and how many are not finite, or beyond ±1e300.
pub(super) fn finite(tensor: &Tensor) -> (Vec<f64>, usize) {
    let all = numbers(tensor);
    let count = all.len();
    let mut values: Vec<f64> = all.into_iter().filter(|value| value.abs() <= 1e300).collect();
    values.sort_by(f64::total_cmp);
    let left_out = count - values.len();
    (values, left_out)
}

/// Mean and standard deviation (divided by the number of values).
pub(super) fn mean_and_std(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    // In units of the largest one, whose square would overflow.
    let unit = values.iter().fold(0.0f64, |most, value| most.max(value.abs())).max(f64::MIN_POSITIVE);
    let mean = values.iter().map(|value| value / unit).sum::<f64>() / count;
    let variance = values.iter().map(|value| (value / unit - mean).powi(2)).sum::<f64>() / count;
    (mean * unit, variance.sqrt() * unit)
}

/// How often the numbers of a tensor occur, in bins by NumPy's rule `auto`, with their mean and standard deviation. Numbers
/// that are not finite are left out, and counted below.
///
/// ```
/// use hadal::{plot, prelude::*};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("weights.svg");
/// let layer = Linear::new(100, 100, &mut Rng::new(0));
/// plot::histogram(&layer.weight)?.title("Weights before training").save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there is no finite number.
pub fn histogram(values: &Tensor) -> Result<Picture> {
    let (sorted, left_out) = finite(values);
    if sorted.is_empty() {
        return Err(Error::Data(format!("histogram: the tensor of shape {} has no finite number", values.shape())));
    }
    let histogram = Histogram::auto(&sorted);
    let (mean, std) = mean_and_std(&sorted);
    let most = histogram.counts.iter().copied().max().unwrap_or(1) as f64;
    let x = match left_out {
        0 => "value".to_owned(),
        some => format!("value ({} not finite, left out)", grouped(&some.to_string())),
    };
    let mean_line = Series::new(
        &format!("mean {}, standard deviation {}", number(mean), number(std)),
        &[(mean, 0.0), (mean, most + 1.0)],
        Mark::Line,
    );
    let plural = if sorted.len() == 1 { "" } else { "s" };
    let title = format!("Histogram of {} value{plural}", grouped(&sorted.len().to_string()));
    Plot::new(&title)
        .labels(&x, "count")
        .limits(histogram.from..histogram.to, 0.0..1.05 * most)
        .series(Series::new("", &histogram.steps(), Mark::Bars))
        .series(mean_line.color(Color(213, 94, 0)).dash("6 4"))
        .picture()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_an_edge_belong_to_the_bin_on_its_right_but_the_last_one_has_both() {
        let values: Vec<f64> = (0..=10).map(|i| f64::from(i) / 10.0).collect();
        assert_eq!(Histogram::new(&values, (0.0, 1.0), 10).counts, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn bins_are_those_of_numpy() {
        let golden: serde_json::Value = serde_json::from_str(include_str!("../../tests/golden/curves.json")).unwrap();
        for case in golden["histograms"].as_array().unwrap() {
            let read = |name: &str| -> Vec<f64> {
                case[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
            };
            let mut values = read("values");
            values.sort_by(f64::total_cmp);
            let steps = Histogram::auto(&values).steps();
            let (mut edges, mut counts): (Vec<f64>, Vec<f64>) = steps.into_iter().unzip();
            counts.pop();
            assert_eq!(counts, read("counts"));
            let (mean, std) = mean_and_std(&values);
            edges.extend([mean, std]);
            let expected =
                [read("edges"), vec![case["mean"].as_f64().unwrap(), case["std"].as_f64().unwrap()]].concat();
            for (got, expected) in edges.iter().zip(&expected) {
                assert!((got - expected).abs() < 1e-12, "{got} instead of {expected}");
            }
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_counted_and_nothing_else_is_an_error() {
        let svg = histogram(&Tensor::from([1.0, f32::NAN, 2.0, f32::INFINITY])).unwrap().svg();
        assert!(svg.contains("(2 not finite, left out)") && svg.contains("Histogram of 2 values"));
        for empty in [Tensor::from([f32::NAN]), Tensor::zeros([0])] {
            assert!(histogram(&empty).unwrap_err().to_string().contains("no finite number"));
        }
    }

    #[test]
    fn one_value_and_extreme_values_are_drawn() {
        for values in [
            vec![3.0],
            vec![0.0, 0.0],
            vec![1e300, -1e300],
            vec![1e-300, 2e-300],
            vec![0.0, 1e-320],
            vec![1.0, 1.0 + 1e-16],
        ] {
            let svg = histogram(&Tensor::from_vec(values.clone(), [values.len()])).unwrap().svg();
            assert!(svg.contains("<rect") && !svg.contains("NaN") && !svg.contains("inf"), "{values:?}");
        }
    }
}
