//! Which value is the least and which the largest in any part of a long series, without looking at all of them.

/// How many entries of a level one entry of the next stands for.
const GROUP: usize = 16;

/// Where no value is finite.
const NONE: u32 = u32::MAX;

/// The places of the least and the largest finite value of each group of 16 values, of 256, and so on. It grows with
/// the series; only whole groups are in it.
#[derive(Clone, Default)]
pub(super) struct Pyramid {
    levels: Vec<Vec<[u32; 2]>>,
}

impl Pyramid {
    /// Takes in the values that are new since the last call.
    pub fn extend(&mut self, values: &[f64]) {
        let mut level = 0;
        loop {
            let below = if level == 0 { values.len() } else { self.levels[level - 1].len() };
            let whole = below / GROUP;
            if whole == 0 {
                return;
            }
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            for group in self.levels[level].len()..whole {
                let mut found = [NONE; 2];
                (group * GROUP..(group + 1) * GROUP).for_each(|at| merge(&mut found, self.entry(level, at), values));
                self.levels[level].push(found);
            }
            level += 1;
        }
    }

    /// The places of the least and the largest finite value from `from` up to, not including, `to`.
    pub fn extremes(&self, values: &[f64], from: usize, to: usize) -> Option<[usize; 2]> {
        let (mut from, mut to, mut level, mut found) = (from, to.min(values.len()), 0, [NONE; 2]);
        while from < to {
            let is_long = to - from >= 2 * GROUP && level < self.levels.len();
            while from < to && (!is_long || !from.is_multiple_of(GROUP)) {
                merge(&mut found, self.entry(level, from), values);
                from += 1;
            }
            while from < to && !to.is_multiple_of(GROUP) {
                to -= 1;
                merge(&mut found, self.entry(level, to), values);
            }
            (from, to, level) = (from / GROUP, to / GROUP, level + 1);
        }
        (found[0] != NONE).then(|| found.map(|place| place as usize))
    }

    /// An entry of a level; those of the lowest are the values themselves.
    fn entry(&self, level: usize, at: usize) -> [u32; 2] {
        if level == 0 { [at as u32; 2] } else { self.levels[level - 1][at] }
    }
}

fn merge(found: &mut [u32; 2], other: [u32; 2], values: &[f64]) {
    let value = |place: u32| values[place as usize];
    if other[0] == NONE || !value(other[0]).is_finite() {
        return;
    }
    if found[0] == NONE {
        *found = other;
        return;
    }
    // Of equal values the first one.
    if value(other[0]) < value(found[0]) || (value(other[0]) == value(found[0]) && other[0] < found[0]) {
        found[0] = other[0];
    }
    if value(other[1]) > value(found[1]) || (value(other[1]) == value(found[1]) && other[1] < found[1]) {
        found[1] = other[1];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(values: &[f64], from: usize, to: usize) -> Option<[f64; 2]> {
        let finite = values[from..to].iter().copied().filter(|value| value.is_finite());
        let least = finite.clone().reduce(f64::min)?;
        Some([least, finite.reduce(f64::max)?])
    }

    proptest! {
        #[test]
        fn extremes_are_those_of_a_plain_search_however_the_series_grew(
            values in prop::collection::vec(prop_oneof![9 => -5.0f64..5.0, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)], 1..1500),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            ends in any::<[prop::sample::Index; 2]>(),
        ) {
            let mut pyramid = Pyramid::default();
            let mut lengths: Vec<usize> = cuts.iter().map(|cut| cut.index(values.len())).collect();
            lengths.sort();
            lengths.push(values.len());
            lengths.iter().for_each(|length| pyramid.extend(&values[..*length]));
            let mut ends = ends.map(|end| end.index(values.len() + 1));
            ends.sort();
            let found = pyramid.extremes(&values, ends[0], ends[1]);
            prop_assert_eq!(found.map(|places| places.map(|place| values[place])), plain(&values, ends[0], ends[1]));
        }
    }
}
