//! How much each setting of a search matters for the score.

use std::collections::BTreeMap;

use toml::Value;

use crate::config::space::Range;

/// The most groups that numbers are divided into.
const BINS: usize = 4;

/// With fewer scores the share says nothing.
const FEWEST: usize = 8;

/// The share of the variance of the scores that a setting explains on its own, from 0 to 1.
///
/// The trials are grouped by the setting's value, and the share is omega squared of a one-way analysis of variance (Hays,
/// "Statistics for Psychologists", 1963):
///
/// ```text
/// (SS_between - (groups - 1) * MS_within) / (SS_total + MS_within),   MS_within = SS_within / (trials - groups)
/// ```
///
/// It estimates the share among all values that could be drawn: unlike eta squared, `SS_between / SS_total`, it does not grow
/// with the number of groups, and is 0 on average for a setting that does not matter. What settings explain together
/// only, such as a learning rate that suits one optimizer, is in none of the shares.
///
/// Choices are groups of their own. Numbers in a range are divided at their quartiles; these are the same in the logarithm.
///
/// `trials` are the values and scores of the trials, all after the same number of epochs. The share is 0 for fewer than 8
/// finite scores, fewer than two trials a group, and scores that are all the same.
pub fn importance(range: &Range, trials: &[(&Value, f64)]) -> f64 {
    let trials: Vec<_> = trials.iter().copied().filter(|(_, score)| score.is_finite()).collect();
    if trials.len() < FEWEST {
        return 0.0;
    }
    let labels = match range {
        Range::Choices(_) => trials.iter().map(|(value, _)| value.to_string()).collect(),
        Range::Real { .. } | Range::Whole { .. } => bins(&trials),
    };
    let mut groups: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for (label, (_, score)) in labels.iter().zip(&trials) {
        groups.entry(label).or_default().push(*score);
    }
    omega_squared(&groups.into_values().collect::<Vec<_>>())
}

/// The quartile of each number; equal numbers are in the same.
fn bins(trials: &[(&Value, f64)]) -> Vec<String> {
    let number = |value: &Value| value.as_float().or(value.as_integer().map(|whole| whole as f64)).unwrap_or(f64::NAN);
    let numbers: Vec<f64> = trials.iter().map(|(value, _)| number(value)).collect();
    let mut sorted = numbers.clone();
    sorted.sort_by(f64::total_cmp);
    let edges: Vec<f64> = (1..BINS).map(|bin| sorted[bin * sorted.len() / BINS]).collect();
    numbers.iter().map(|number| edges.iter().filter(|edge| *edge <= number).count().to_string()).collect()
}

fn omega_squared(groups: &[Vec<f64>]) -> f64 {
    let scores = || groups.iter().flatten();
    let count = scores().count();
    if groups.len() < 2 || count < 2 * groups.len() {
        return 0.0;
    }
    // In units of the largest score, whose square might overflow.
    let unit = scores().fold(0.0, |largest: f64, score| largest.max(score.abs()));
    if unit == 0.0 {
        return 0.0;
    }
    let mean = |group: &[f64]| group.iter().map(|score| score / unit).sum::<f64>() / group.len() as f64;
    let all = scores().map(|score| score / unit).sum::<f64>() / count as f64;
    let between: f64 = groups.iter().map(|group| group.len() as f64 * (mean(group) - all).powi(2)).sum();
    let within: f64 = groups
        .iter()
        .map(|group| {
            let mean = mean(group);
            group.iter().map(|score| (score / unit - mean).powi(2)).sum::<f64>()
        })
        .sum();
    let mean_within = within / (count - groups.len()) as f64;
    let total = between + within + mean_within;
    if total == 0.0 {
        return 0.0;
    }
    ((between - (groups.len() - 1) as f64 * mean_within) / total).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::draw;
    use crate::tune::testing::space;
    use proptest::prelude::*;

    fn shares(text: &str, trials: usize, seed: u64, score: impl Fn(&[Value]) -> f64) -> Vec<f64> {
        let space = space(text);
        let drawn = draw::values(&space, seed, trials);
        let of = |at: usize| -> Vec<_> { drawn.iter().map(|values| (&values[at], score(values))).collect() };
        space.dimensions.iter().enumerate().map(|(at, dimension)| importance(&dimension.range, &of(at))).collect()
    }

    const SPACE: &str = "model.activation = [\"relu\", \"tanh\", \"silu\"]\nmodel.dropout = { min = 0.0, max = 0.5 }\n\
        optimizer.learning_rate = { min = 1e-4, max = 1e-1, log = true }\ntraining.batch_size = { min = 8, max = 256, log = true }\n";

    #[test]
    fn the_setting_that_matters_has_the_largest_share() {
        for seed in 0..20 {
            let by_rate = shares(SPACE, 64, seed, |values| -(values[2].as_float().unwrap().log10() + 2.0).powi(2));
            assert!(by_rate[2] > 0.6, "{by_rate:?}");
            let by_name = shares(SPACE, 64, seed, |values| {
                values[0].as_str().unwrap().len() as f64 + 0.1 * values[1].as_float().unwrap()
            });
            // "relu", "tanh" and "silu" have the same length: what is left is dropout.
            assert!(by_name[1] > 0.8 && by_name[0] < 0.2, "{by_name:?}");
            let by_choice = shares(SPACE, 64, seed, |values| f64::from(u8::from(values[0].as_str() == Some("tanh"))));
            assert!(by_choice[0] > 0.999, "{by_choice:?}");
            for (share, other) in [(by_rate, 0), (by_choice, 2)] {
                assert!(share[other] < 0.25 && share[3] < 0.25, "{share:?}");
            }
        }
    }

    #[test]
    fn a_setting_that_does_not_matter_has_a_share_of_nearly_0_on_average() {
        // Before it is clipped at 0, omega squared has the mean 0; half of it is cut off.
        let noise =
            |values: &[Value]| (values[3].to_string().len() as f64 * 977.0 + values[1].as_float().unwrap() * 1e6).sin();
        let mean = (0..200).map(|seed| shares(SPACE, 64, seed, noise)[2]).sum::<f64>() / 200.0;
        assert!(mean < 0.03, "{mean}");
    }

    #[test]
    fn omega_squared_is_that_of_the_formula() {
        // SS_between = 24, SS_within = 2, MS_within = 2 / 4.
        assert!((omega_squared(&[vec![1.0, 3.0, 2.0], vec![6.0, 6.0, 6.0]]) - 23.5 / 26.5).abs() < 1e-12);
    }

    #[test]
    fn a_range_in_the_logarithm_and_one_that_is_not_have_the_same_share() {
        let values: Vec<Value> = (0..16).map(|at| Value::Float(10f64.powi(at % 7 - 6))).collect();
        let trials: Vec<_> = values.iter().enumerate().map(|(at, value)| (value, (at as f64).sin())).collect();
        let share = |log| importance(&Range::Real { min: 1e-6, max: 1.0, log }, &trials);
        assert_eq!(share(true), share(false));
    }

    #[test]
    fn too_few_trials_and_equal_scores_have_a_share_of_0() {
        assert_eq!(shares(SPACE, 7, 0, |values| values[1].as_float().unwrap()), [0.0; 4]);
        assert_eq!(shares(SPACE, 64, 0, |_| 0.1), [0.0; 4]);
        assert_eq!(shares(SPACE, 64, 0, |_| 0.0), [0.0; 4]);
        assert_eq!(shares(SPACE, 64, 0, |_| f64::NAN), [0.0; 4]);
        let lone = "model.hidden = [[1], [2], [3], [4], [5], [6], [7], [8], [9]]\n";
        assert_eq!(shares(lone, 9, 0, |values| values[0].to_string().len() as f64), [0.0]);
    }

    proptest! {
        #[test]
        fn the_share_lies_between_0_and_1_and_does_not_depend_on_the_unit_of_the_scores(
            scores in prop::collection::vec(-1e3f64..1e3, 0..40), groups in 1usize..9, power in -200i32..200,
        ) {
            let values: Vec<Value> = (0..scores.len()).map(|at| Value::Integer((at % groups) as i64)).collect();
            for range in [Range::Choices(Vec::new()), Range::Whole { min: 0, max: 9, log: false }] {
                let share = |unit: f64| {
                    let trials: Vec<_> = values.iter().zip(scores.iter().map(|score| score * unit)).collect();
                    importance(&range, &trials)
                };
                prop_assert!((0.0..=1.0).contains(&share(1.0)));
                prop_assert!((share(1.0) - share(2f64.powi(power))).abs() < 1e-9);
            }
        }
    }
}
