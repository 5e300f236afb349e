//! Which values each trial of a search has.

use std::collections::HashSet;

use hadal::Rng;
use toml::Value;

use crate::config::space::{Dimension, Range, Space};

/// How many blocks of random numbers belong to one trial in the stream of a setting.
const BLOCKS_PER_TRIAL: u64 = 1 << 20;

/// How often a trial draws again if all its values are those of an earlier trial.
const REDRAWS: usize = 100;

/// The values of the first `trials` trials, in the order of the space's settings; fewer if the space has no more.
///
/// The values of trial `k` do not depend on how many trials there are. In a space without real ranges no two trials are the
/// same: a trial whose values have been drawn before draws again, and takes the next free ones if that does not help.
pub fn values(space: &Space, seed: u64, trials: usize) -> Vec<Vec<Value>> {
    let sources: Vec<Source> = space.dimensions.iter().map(|dimension| Source::new(dimension, seed)).collect();
    let size = size(&sources);
    let trials = size.map_or(trials, |size| size.min(trials as u128) as usize);
    let mut taken = HashSet::new();
    (0..trials)
        .map(|trial| {
            let mut streams: Vec<Rng> = sources.iter().map(|source| source.stream(trial)).collect();
            let mut draw = || sources.iter().zip(&mut streams).map(|(source, rng)| source.draw(rng)).collect();
            let mut places: Vec<Place> = draw();
            if size.is_some() {
                for _ in 0..REDRAWS {
                    if !taken.contains(&places) {
                        break;
                    }
                    places = draw();
                }
                while !taken.insert(places.clone()) {
                    advance(&mut places, &sources);
                }
            }
            places.iter().zip(&sources).map(|(place, source)| source.value(*place)).collect()
        })
        .collect()
}

/// A place in a range: that of the value among the choices, its distance from the least whole number, or the bits of a real.
type Place = u64;

/// Where the values of one setting come from.
struct Source {
    range: Range,
    seed: u64,
    stream: u64,
}

impl Source {
    fn new(dimension: &Dimension, seed: u64) -> Source {
        let range = match &dimension.range {
            // The same choice twice is one choice.
            Range::Choices(all) => {
                let mut choices: Vec<Value> = Vec::new();
                for value in all {
                    if !choices.contains(value) {
                        choices.push(value.clone());
                    }
                }
                Range::Choices(choices)
            }
            range => range.clone(),
        };
        Source { range, seed, stream: stream_of(&dimension.name()) }
    }

    fn stream(&self, trial: usize) -> Rng {
        Rng::from_state((self.seed, self.stream, (trial as u64).wrapping_mul(BLOCKS_PER_TRIAL)))
    }

    fn draw(&self, rng: &mut Rng) -> Place {
        match &self.range {
            Range::Choices(choices) => rng.below(choices.len() as u64),
            Range::Real { min, max, log } => real(rng, *min, *max, *log).to_bits(),
            Range::Whole { min, max, log: false } => match max.abs_diff(*min).checked_add(1) {
                Some(numbers) => rng.below(numbers),
                None => rng.below(1 << 32) << 32 | rng.below(1 << 32),
            },
            // Half a number more on each side: the ends have their full share.
            Range::Whole { min, max, log: true } => {
                let number = real(rng, *min as f64 - 0.5, *max as f64 + 0.5, true).round() as i64;
                number.clamp(*min, *max).abs_diff(*min)
            }
        }
    }

    fn value(&self, place: Place) -> Value {
        match &self.range {
            Range::Choices(choices) => choices[place as usize].clone(),
            Range::Real { .. } => Value::Float(f64::from_bits(place)),
            Range::Whole { min, .. } => Value::Integer(min.wrapping_add_unsigned(place)),
        }
    }

    /// How many values there are; `None` for a real range, which never runs out.
    fn size(&self) -> Option<u128> {
        match &self.range {
            Range::Choices(choices) => Some(choices.len() as u128),
            Range::Whole { min, max, .. } => Some(u128::from(max.abs_diff(*min)) + 1),
            Range::Real { .. } => None,
        }
    }
}

/// How many combinations there are; `None` if a setting has a real range.
fn size(sources: &[Source]) -> Option<u128> {
    sources.iter().try_fold(1u128, |product, source| source.size().map(|size| product.saturating_mul(size)))
}

/// The next combination, as an odometer counts; after the last one comes the first.
fn advance(places: &mut [Place], sources: &[Source]) {
    for (place, source) in places.iter_mut().zip(sources) {
        if source.size().is_some_and(|size| u128::from(*place) + 1 < size) {
            *place += 1;
            return;
        }
        *place = 0;
    }
}

/// A number from `min` to `max`, uniform or uniform in the logarithm, with 53 random bits.
fn real(rng: &mut Rng, min: f64, max: f64, log: bool) -> f64 {
    let share = rng.below(1 << 53) as f64 / (1u64 << 53) as f64;
    // `min + share * (max - min)` would overflow if the ends are far apart.
    let between = |min: f64, max: f64| min * (1.0 - share) + max * share;
    let number = if log { between(min.ln(), max.ln()).exp() } else { between(min, max) };
    number.clamp(min, max)
}

/// The stream of a setting's name (FNV-1a): values stay the same if other settings are added, and share nothing with the
/// streams of training, which have small numbers.
fn stream_of(name: &str) -> u64 {
    fnv1a(name)
}

/// Fowler, Noll and Vo's hash of 64 bits.
pub fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::testing::space;
    use hadal::Rng;
    use proptest::prelude::*;

    const MIXED: &str = "optimizer.learning_rate = { min = 1e-5, max = 1e-1, log = true }\n\
        optimizer.weight_decay = { min = 0.0, max = 0.5 }\n\
        training.batch_size = { min = 1, max = 256, log = true }\n\
        training.patience = { min = 1, max = 10 }\n\
        model.hidden = [[8], [16, 8], [32]]\n";

    fn numbers(text: &str, trials: usize) -> Vec<f64> {
        let drawn = values(&space(text), 5, trials);
        drawn
            .iter()
            .map(|values| values[0].as_float().unwrap_or_else(|| values[0].as_integer().unwrap() as f64))
            .collect()
    }

    /// The largest distance of the distribution of `shares` from the uniform one (Kolmogorov and Smirnov).
    fn distance_from_uniform(mut shares: Vec<f64>) -> f64 {
        shares.sort_by(f64::total_cmp);
        let n = shares.len() as f64;
        let distances = shares.iter().enumerate().map(|(at, share)| (share - (at as f64 + 0.5) / n).abs() + 0.5 / n);
        distances.fold(0.0, f64::max)
    }

    proptest! {
        #[test]
        fn values_lie_in_their_ranges_and_do_not_depend_on_the_number_of_trials(seed: u64, trials in 1usize..40) {
            let drawn = values(&space(MIXED), seed, 40);
            prop_assert_eq!(&values(&space(MIXED), seed, trials)[..], &drawn[..trials]);
            let choices = ["[8]", "[16, 8]", "[32]"];
            // In the order of the names: model.hidden, learning_rate, weight_decay, batch_size, patience.
            for values in &drawn {
                prop_assert!(choices.contains(&values[0].to_string().as_str()));
                prop_assert!((1e-5..=1e-1).contains(&values[1].as_float().unwrap()));
                prop_assert!((0.0..=0.5).contains(&values[2].as_float().unwrap()));
                prop_assert!((1..=256).contains(&values[3].as_integer().unwrap()));
                prop_assert!((1..=10).contains(&values[4].as_integer().unwrap()));
            }
        }

        #[test]
        fn a_setting_has_the_same_values_in_a_larger_space(seed: u64) {
            let alone = values(&space("optimizer.weight_decay = { min = 0.0, max = 0.5 }\n"), seed, 20);
            let among: Vec<_> = values(&space(MIXED), seed, 20).into_iter().map(|values| vec![values[2].clone()]).collect();
            prop_assert_eq!(alone, among);
        }

        #[test]
        fn no_two_trials_of_a_finite_space_are_the_same(seed: u64, most in 2i64..9, trials in 1usize..80) {
            let text = format!(
                "model.hidden = [[8], [16], [8]]\nmodel.dropout = [0.1, 0.2]\ntraining.patience = {{ min = 1, max = {most}, log = true }}\n"
            );
            let drawn = values(&space(&text), seed, trials);
            prop_assert_eq!(drawn.len(), trials.min(4 * most as usize));
            let different: HashSet<String> = drawn.iter().map(|values| format!("{values:?}")).collect();
            prop_assert_eq!(different.len(), drawn.len());
        }
    }

    #[test]
    fn seeds_and_settings_of_the_same_range_have_different_values() {
        let text = "model.dropout = { min = 0.0, max = 0.5 }\noptimizer.weight_decay = { min = 0.0, max = 0.5 }\n";
        let drawn = values(&space(text), 0, 10);
        assert_ne!(drawn, values(&space(text), 1, 10));
        assert!(drawn.iter().all(|values| values[0] != values[1]));
    }

    #[test]
    fn reals_are_uniform_or_uniform_in_the_logarithm() {
        // The distance stays below 1.95 / sqrt(n) in 999 of 1000 samples.
        let bound = 1.95 / 100.0;
        let shares = |log: bool| -> Vec<f64> {
            let text = format!("optimizer.learning_rate = {{ min = 0.001, max = 0.1, log = {log} }}\n");
            numbers(&text, 10_000)
        };
        let even = shares(false).into_iter().map(|number| (number - 0.001) / 0.099).collect();
        assert!(distance_from_uniform(even) < bound);
        let log: Vec<f64> = shares(true).into_iter().map(|number| (number / 0.001).ln() / 100f64.ln()).collect();
        assert!(distance_from_uniform(log) < bound);
        let not_log = shares(false).into_iter().map(|number| (number / 0.001).ln() / 100f64.ln()).collect();
        assert!(distance_from_uniform(not_log) > 0.3);
    }

    #[test]
    fn whole_numbers_have_their_shares() {
        let rng = |trial| Rng::with_stream(3, trial);
        let source = |log| Source { range: Range::Whole { min: 1, max: 4, log }, seed: 0, stream: 0 };
        for log in [false, true] {
            let mut counts = [0.0; 4];
            for trial in 0..20_000 {
                counts[source(log).draw(&mut rng(trial)) as usize] += 1.0 / 20_000.0;
            }
            let all = (4.5f64 / 0.5).ln();
            for (place, count) in counts.into_iter().enumerate() {
                let number = place as f64 + 1.0;
                let share = if log { ((number + 0.5) / (number - 0.5)).ln() / all } else { 0.25 };
                // Four standard errors.
                assert!((count - share).abs() < 0.0125, "{number}: {count}, not {share} (log: {log})");
            }
        }
    }

    #[test]
    fn the_widest_ranges_do_not_overflow() {
        let mut rng = Rng::new(0);
        let whole = Source { range: Range::Whole { min: i64::MIN, max: i64::MAX, log: false }, seed: 0, stream: 0 };
        let numbers: Vec<i64> = (0..20).map(|_| whole.value(whole.draw(&mut rng)).as_integer().unwrap()).collect();
        assert!(numbers.iter().any(|number| *number < 0) && numbers.iter().any(|number| *number > 0));
        let log = Source { range: Range::Whole { min: 1, max: i64::MAX, log: true }, seed: 0, stream: 0 };
        assert!((0..20).all(|_| log.value(log.draw(&mut rng)).as_integer().unwrap() >= 1));
        assert!((0..20).all(|_| real(&mut rng, f64::MIN, f64::MAX, false).is_finite()));
    }
}
