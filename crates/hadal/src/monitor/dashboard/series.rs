//! A curve: its points, what smoothing makes of them, and those of them that a chart of limited width needs.

use super::clock::X;
use super::pyramid::Pyramid;

/// Points in the order of their steps.
#[derive(Clone, Default)]
pub(super) struct Series {
    /// Steps of the optimizer, or epochs.
    pub at: Vec<f64>,
    /// Seconds since 1970; empty where they are not known.
    pub time: Vec<f64>,
    pub value: Vec<f64>,
    pyramid: Pyramid,
    /// Of the weight that was asked for last.
    smoothed: Option<Smoothed>,
}

impl Series {
    pub fn len(&self) -> usize {
        self.value.len()
    }

    /// Adds points, in any order; `time` may be empty if it always is.
    pub fn extend(&mut self, at: &[f64], time: &[f64], value: &[f64]) {
        let is_sorted = at.is_sorted() && self.at.last().zip(at.first()).is_none_or(|(last, first)| last <= first);
        let from = self.time.len();
        self.at.extend(at);
        self.time.extend(time);
        self.value.extend(value);
        if !is_sorted {
            self.sort();
        }
        self.never_back(if is_sorted { from } else { 0 });
    }

    /// A clock that was set back stands still on the axis of time.
    fn never_back(&mut self, from: usize) {
        for place in from.max(1)..self.time.len() {
            self.time[place] = self.time[place].max(self.time[place - 1]);
        }
    }

    /// Where a point lies on the horizontal axis.
    pub fn x(&self, x: &X, place: usize) -> f64 {
        x_of(&self.at, &self.time, x, place)
    }

    /// Puts the points in order; of the same step, those that came first are first.
    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.at.len()).collect();
        order.sort_by(|a, b| self.at[*a].total_cmp(&self.at[*b]));
        for column in [&mut self.at, &mut self.time, &mut self.value] {
            if !column.is_empty() {
                *column = order.iter().map(|place| column[*place]).collect();
            }
        }
        self.forget();
    }

    /// Removes the points from a step on.
    pub fn purge_from(&mut self, step: f64) {
        let kept = self.at.partition_point(|at| *at < step);
        if kept < self.at.len() {
            [&mut self.at, &mut self.time, &mut self.value].into_iter().for_each(|column| column.truncate(kept));
            self.forget();
        }
    }

    fn forget(&mut self) {
        (self.pyramid, self.smoothed) = (Pyramid::default(), None);
    }

    /// The smoothed values of all points; the values themselves for weight 0.
    pub fn smooth(&mut self, weight: f64) -> &[f64] {
        if weight <= 0.0 {
            return &self.value;
        }
        let known = self.smoothed.take().filter(|smoothed| smoothed.weight == weight);
        let smoothed = self.smoothed.insert(known.unwrap_or_else(|| Smoothed::new(weight)));
        smoothed.extend(&self.value);
        &smoothed.values
    }

    /// The places of the points that show the part from `from` up to, not including, `to` as all of its points would,
    /// in about `buckets` columns: the least and the largest value of each column, the first and the last point, and
    /// one more on either side, to which the line leads. The values are smoothed before.
    pub fn thin(&mut self, weight: f64, x: &X, from: f64, to: f64, buckets: usize) -> Vec<usize> {
        self.smooth(weight);
        let Series { at, time, value, pyramid, smoothed } = self;
        let (values, pyramid) = match smoothed.as_mut().filter(|_| weight > 0.0) {
            Some(smoothed) => (&smoothed.values, &mut smoothed.pyramid),
            None => (&*value, pyramid),
        };
        pyramid.extend(values);
        thin(values, pyramid, |place| x_of(at, time, x, place), from, to, buckets)
    }

    /// The places of the values in a part that are NaN or infinite, at most `most`, and how many there are.
    pub fn not_finite(&self, from: usize, to: usize, most: usize) -> (Vec<usize>, usize) {
        let found = (from..to.min(self.len())).filter(|place| !self.value[*place].is_finite());
        (found.clone().take(most).collect(), found.count())
    }
}

fn x_of(at: &[f64], time: &[f64], x: &X, place: usize) -> f64 {
    match x {
        X::At(scale) => scale.of(at[place]),
        X::Since(began) => time.get(place).map_or(f64::NAN, |time| time - began),
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
        assert!(series.smooth(0.5).iter().zip(expected).all(|(a, b)| *a == b || (a - b).abs() < 1e-14));
        assert_eq!(series.smooth(0.0), [4.0, 8.0, f64::INFINITY, 1.0]);
    }

    #[test]
    fn a_constant_stays_as_it_is() {
        assert_eq!(series(&[0.001; 500]).smooth(0.9), [0.001; 500]);
    }

    #[test]
    fn points_are_put_in_order_and_purged() {
        let mut series = Series::default();
        series.extend(&[3.0, 1.0, 2.0], &[30.0, 10.0, 20.0], &[0.3, 0.1, 0.2]);
        series.extend(&[2.0], &[21.0], &[0.25]);
        assert_eq!((&series.at[..], &series.value[..]), (&[1.0, 2.0, 2.0, 3.0][..], &[0.1, 0.2, 0.25, 0.3][..]));
        assert_eq!(series.time, [10.0, 20.0, 21.0, 30.0]);
        series.purge_from(2.0);
        assert_eq!(series.value, [0.1]);
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
            let all = whole.smooth(weight).to_vec();
            let mut grown = series(&values[..cut.index(values.len())]);
            grown.smooth(weight);
            let steps: Vec<f64> = (grown.len()..values.len()).map(|step| step as f64).collect();
            let rest = values[grown.len()..].to_vec();
            grown.extend(&steps, &[], &rest);
            let mut ends = ends.map(|end| end.index(values.len()) as f64);
            ends.sort_by(f64::total_cmp);
            let places = grown.thin(weight, &X::At(Scale::Factor(1.0)), ends[0], ends[1], buckets);
            let drawn: Vec<f64> = places.iter().map(|place| grown.smooth(weight)[*place]).collect();
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
