//! A curve: its points, what smoothing makes of them, and those of them that a chart of limited width needs.

use super::clock::X;
use super::kept_curve::{BLOCK, KeptCurve, Points, Shape};
use super::pyramid::Pyramid;
use crate::{Error, Result};

/// How many points may follow those in a file before all are read into memory.
const MOST_AFTER_KEPT: usize = 16 * BLOCK;

/// Points in the order of their steps.
#[derive(Clone, Default)]
pub(super) struct Series {
    /// The first of the points, if they are in a file and only parts of them were needed. All others are in `points`.
    kept: Option<KeptCurve>,
    /// At steps of the optimizer, or epochs; seconds since 1970, if they are known.
    points: Points,
    /// What was in a file cannot be read any more.
    is_damaged: bool,
    pyramid: Pyramid,
    /// Of the weight that was asked for last.
    smoothed: Option<Smoothed>,
}

impl Series {
    /// A curve that stands in a file: short ones are read.
    pub fn kept(curve: KeptCurve) -> Result<Series> {
        let is_long = curve.is_long();
        let mut series = Series { kept: Some(curve), ..Series::default() };
        if !is_long {
            series.load()?;
        }
        Ok(series)
    }

    /// Appends the blocks that a file has of this curve.
    pub fn push_blocks(&mut self, out: &mut Vec<u8>) -> Result<Shape> {
        self.load()?;
        self.pyramid.extend(&self.points.value);
        Ok(self.points.push_blocks(&self.pyramid, out))
    }

    /// Has all points in memory.
    pub fn load(&mut self) -> Result<&Points> {
        if let Some(kept) = self.kept.take() {
            match kept.points(0, kept.len()) {
                Ok(mut all) => {
                    all.extend(&self.points, 0, self.points.value.len());
                    self.points = all;
                }
                Err(_) => self.is_damaged = true,
            }
            self.forget();
        }
        self.check()?;
        Ok(&self.points)
    }

    #[cfg(test)]
    pub fn kept_curve(&self) -> Option<&KeptCurve> {
        self.kept.as_ref()
    }

    /// # Errors
    /// If points were in a file that cannot be read any more.
    fn check(&self) -> Result<()> {
        if self.is_damaged {
            return Err(Error::Data("what was kept of a long file is damaged".into()));
        }
        Ok(())
    }

    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    pub fn len(&self) -> usize {
        self.points.value.len() + self.kept.as_ref().map_or(0, KeptCurve::len)
    }

    pub fn has_times(&self) -> bool {
        !self.points.time.is_empty() || self.kept.as_ref().is_some_and(|kept| !kept.last[1].is_nan())
    }

    /// The step, time and value of the last point.
    fn last(&self) -> Option<[f64; 3]> {
        let Points { at, time, value } = &self.points;
        let own = || Some([*at.last()?, time.last().copied().unwrap_or(f64::NAN), *value.last()?]);
        own().or(self.kept.as_ref().map(|kept| kept.last))
    }

    pub fn last_value(&self) -> Option<f64> {
        self.last().map(|last| last[2])
    }

    /// The last point, on the horizontal axis and on the vertical one.
    pub fn end(&self, x: &X) -> Option<[f64; 2]> {
        let [at, time, value] = self.last()?;
        let end = Points { at: vec![at], time: vec![time], value: vec![value] };
        Some([end.x(x, 0), value])
    }

    /// Adds points, in any order; `time` may be empty if it always is.
    pub fn extend(&mut self, at: &[f64], time: &[f64], value: &[f64]) {
        let is_sorted = at.is_sorted() && self.last().zip(at.first()).is_none_or(|(last, first)| last[0] <= *first);
        if !is_sorted || self.points.value.len() + value.len() > MOST_AFTER_KEPT {
            // What is damaged is read again from the beginning.
            let _ = self.load();
        }
        let mut from = self.points.time.len();
        self.points.at.extend(at);
        self.points.time.extend(time);
        self.points.value.extend(value);
        if !is_sorted {
            self.sort();
            from = 0;
        }
        self.never_back(from);
    }

    /// A clock that was set back stands still on the axis of time.
    fn never_back(&mut self, from: usize) {
        let before = from.checked_sub(1).map(|place| self.points.time[place]);
        let mut latest = before.or(self.kept.as_ref().map(|kept| kept.last[1])).unwrap_or(f64::NAN);
        for time in &mut self.points.time[from..] {
            *time = time.max(latest);
            latest = *time;
        }
    }

    /// Puts the points in order; of the same step, those that came first are first.
    fn sort(&mut self) {
        let points = &mut self.points;
        let mut order: Vec<usize> = (0..points.at.len()).collect();
        order.sort_by(|a, b| points.at[*a].total_cmp(&points.at[*b]));
        for column in [&mut points.at, &mut points.time, &mut points.value] {
            if !column.is_empty() {
                *column = order.iter().map(|place| column[*place]).collect();
            }
        }
        self.forget();
    }

    /// Removes the points from a step on.
    pub fn purge_from(&mut self, step: f64) {
        if self.kept.as_ref().is_some_and(|kept| kept.last[0] >= step) {
            // What is damaged is read again from the beginning.
            let _ = self.load();
        }
        let points = &mut self.points;
        let kept = points.at.partition_point(|at| *at < step);
        if kept < points.at.len() {
            [&mut points.at, &mut points.time, &mut points.value].into_iter().for_each(|column| column.truncate(kept));
            self.forget();
        }
    }

    fn forget(&mut self) {
        (self.pyramid, self.smoothed) = (Pyramid::default(), None);
    }

    /// The smoothed values of all points; the values themselves for weight 0.
    pub fn smooth(&mut self, weight: f64) -> Result<&[f64]> {
        self.load()?;
        if weight <= 0.0 {
            return Ok(&self.points.value);
        }
        let known = self.smoothed.take().filter(|smoothed| smoothed.weight == weight);
        let smoothed = self.smoothed.insert(known.unwrap_or_else(|| Smoothed::new(weight)));
        smoothed.extend(&self.points.value);
        Ok(&smoothed.values)
    }

    /// All points, smoothed.
    pub fn all(&mut self, weight: f64, x: &X) -> Result<Vec<(f64, f64)>> {
        let values = self.smooth(weight)?.to_vec();
        Ok(values.into_iter().enumerate().map(|(place, value)| (self.points.x(x, place), value)).collect())
    }

    /// The points that show the part from `from` up to, not including, `to` as all of its points would, in about
    /// `buckets` columns: those of the least and the largest value of each column, the first and the last point, and
    /// one more on either side, to which the line leads. The values are smoothed before.
    pub fn seen(&mut self, weight: f64, x: &X, from: f64, to: f64, buckets: usize) -> Result<Vec<(f64, f64)>> {
        self.check()?;
        if let Some(kept) = self.kept.as_mut().filter(|_| weight <= 0.0) {
            let mut points = kept.seen(x, from, to, buckets)?;
            points.extend(&self.points, 0, self.points.value.len());
            let mut pyramid = Pyramid::default();
            pyramid.extend(&points.value);
            let places = thin(&points.value, &pyramid, |place| points.x(x, place), from, to, buckets);
            return Ok(places.into_iter().map(|place| (points.x(x, place), points.value[place])).collect());
        }
        let places = self.thin(weight, x, from, to, buckets)?;
        let points = &self.points;
        let values = self.smoothed.as_ref().filter(|_| weight > 0.0).map_or(&points.value, |smoothed| &smoothed.values);
        Ok(places.into_iter().map(|place| (points.x(x, place), values[place])).collect())
    }

    /// The places of [`seen`](Series::seen), of all points.
    fn thin(&mut self, weight: f64, x: &X, from: f64, to: f64, buckets: usize) -> Result<Vec<usize>> {
        self.smooth(weight)?;
        let Series { points, pyramid, smoothed, .. } = self;
        let (values, pyramid) = match smoothed.as_mut().filter(|_| weight > 0.0) {
            Some(smoothed) => (&smoothed.values, &mut smoothed.pyramid),
            None => (&points.value, pyramid),
        };
        pyramid.extend(values);
        Ok(thin(values, pyramid, |place| points.x(x, place), from, to, buckets))
    }

    /// Where the values from `from` to `to` lie that are NaN or infinite, at most `most`, and how many there are.
    pub fn not_finite(&mut self, x: &X, from: f64, to: f64, most: usize) -> Result<(Vec<f64>, usize)> {
        self.check()?;
        let kept = self.kept.as_mut().map(KeptCurve::not_finite).transpose()?;
        let (mut marks, mut count) = (Vec::new(), 0);
        for points in kept.as_deref().into_iter().chain([&self.points]) {
            let length = points.value.len();
            let first = partition(0, length, |place| points.x(x, place) < from);
            let end = partition(first, length, |place| points.x(x, place) <= to);
            let found = (first..end).filter(|place| !points.value[*place].is_finite());
            marks.extend(found.clone().take(most - marks.len()).map(|place| points.x(x, place)));
            count += found.count();
        }
        Ok((marks, count))
    }
}

/// See [`Series::thin`].
fn thin(values: &[f64], pyramid: &Pyramid, x: impl Fn(usize) -> f64, from: f64, to: f64, buckets: usize) -> Vec<usize> {
    let first = partition(0, values.len(), |place| x(place) < from);
    let end = partition(first, values.len(), |place| x(place) <= to);
    let around = first.saturating_sub(1)..(end + 1).min(values.len());
    if around.len() <= 2 * buckets {
        return around.collect();
    }
    let mut places = vec![around.start, first];
    let (low, high) = (x(first), x(end - 1));
    let mut start = first;
    for bucket in 1..=buckets {
        let edge = low + (high - low) * bucket as f64 / buckets as f64;
        let stop = if bucket == buckets { end } else { partition(start, end, |place| x(place) < edge) };
        places.extend(pyramid.extremes(values, start, stop).into_iter().flatten());
        start = stop;
    }
    places.extend([end - 1, around.end - 1]);
    places.sort();
    places.dedup();
    places
}

/// The first place from `from` to `to` of which `is_before` is false, if it is true of all before that.
pub(super) fn partition(from: usize, to: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut from, mut to) = (from, to);
    while from < to {
        let middle = from + (to - from) / 2;
        if is_before(middle) { from = middle + 1 } else { to = middle }
    }
    from
}

/// The exponential moving average that TensorBoard draws: `m = w m + (1 - w) value`, divided by `1 - w^n` after `n`
/// values, so that the first ones do not lean towards 0. It is computed as `s = s + (value - s) (1 - w) / (1 - w^n)`,
/// which is the same, and leaves a constant as it is to the last bit. Values that are not finite stay as they are.
///
/// Source: TensorBoard, `components/vz_line_chart2/line-chart.ts`.
#[derive(Clone)]
struct Smoothed {
    weight: f64,
    mean: f64,
    /// `w^n`.
    power: f64,
    values: Vec<f64>,
    pyramid: Pyramid,
}

impl Smoothed {
    fn new(weight: f64) -> Smoothed {
        Smoothed { weight, mean: 0.0, power: 1.0, values: Vec::new(), pyramid: Pyramid::default() }
    }

    /// Takes in the values that are new since the last call.
    fn extend(&mut self, values: &[f64]) {
        for value in &values[self.values.len()..] {
            if !value.is_finite() {
                self.values.push(*value);
                continue;
            }
            self.power *= self.weight;
            self.mean += (value - self.mean) * (1.0 - self.weight) / (1.0 - self.power);
            self.values.push(self.mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::clock::Scale;
    use super::*;

    fn series(values: &[f64]) -> Series {
        let mut series = Series::default();
        let steps: Vec<f64> = (0..values.len()).map(|step| step as f64).collect();
        series.extend(&steps, &[], values);
        series
    }

    #[test]
    fn smoothing_is_tensorboards() {
        // By hand: 0.5 * 0 + 0.5 * 4 = 2, / 0.5; 0.5 * 2 + 0.5 * 8 = 5, / 0.75; infinity; 0.5 * 5 + 0.5 * 1 = 3, /
        // 0.875.
        let mut series = series(&[4.0, 8.0, f64::INFINITY, 1.0]);
        let expected = [4.0, 5.0 / 0.75, f64::INFINITY, 3.0 / 0.875];
        assert!(series.smooth(0.5).unwrap().iter().zip(expected).all(|(a, b)| *a == b || (a - b).abs() < 1e-14));
        assert_eq!(series.smooth(0.0).unwrap(), [4.0, 8.0, f64::INFINITY, 1.0]);
    }

    #[test]
    fn a_constant_stays_as_it_is() {
        assert_eq!(series(&[0.001; 500]).smooth(0.9).unwrap(), [0.001; 500]);
    }

    #[test]
    fn points_are_put_in_order_and_purged() {
        let mut series = Series::default();
        series.extend(&[3.0, 1.0, 2.0], &[30.0, 10.0, 20.0], &[0.3, 0.1, 0.2]);
        series.extend(&[2.0], &[21.0], &[0.25]);
        assert_eq!(
            (&series.points.at[..], &series.points.value[..]),
            (&[1.0, 2.0, 2.0, 3.0][..], &[0.1, 0.2, 0.25, 0.3][..])
        );
        assert_eq!(series.points.time, [10.0, 20.0, 21.0, 30.0]);
        series.purge_from(2.0);
        assert_eq!(series.points.value, [0.1]);
    }

    proptest! {
        #[test]
        fn smoothed_values_do_not_depend_on_zoom_or_growth(
            values in prop::collection::vec(-5.0f64..5.0, 2..3000),
            weight in 0.0f64..0.99,
            cut in any::<prop::sample::Index>(),
            ends in any::<[prop::sample::Index; 2]>(),
            buckets in 1usize..50,
        ) {
            let mut whole = series(&values);
            let all = whole.smooth(weight).unwrap().to_vec();
            let mut grown = series(&values[..cut.index(values.len())]);
            grown.smooth(weight).unwrap();
            let steps: Vec<f64> = (grown.len()..values.len()).map(|step| step as f64).collect();
            let rest = values[grown.len()..].to_vec();
            grown.extend(&steps, &[], &rest);
            let mut ends = ends.map(|end| end.index(values.len()) as f64);
            ends.sort_by(f64::total_cmp);
            let places = grown.thin(weight, &X::At(Scale::Factor(1.0)), ends[0], ends[1], buckets).unwrap();
            let drawn: Vec<f64> = places.iter().map(|place| grown.smooth(weight).unwrap()[*place]).collect();
            prop_assert_eq!(&drawn, &places.iter().map(|place| all[*place]).collect::<Vec<_>>());
            prop_assert!(places.len() <= 2 * buckets + 4 && places.is_sorted());
            // The least and the largest value that can be seen are drawn.
            let seen = &all[ends[0] as usize..=ends[1] as usize];
            for extreme in [seen.iter().copied().reduce(f64::min), seen.iter().copied().reduce(f64::max)] {
                prop_assert!(drawn.contains(&extreme.unwrap()));
            }
        }
    }
}
