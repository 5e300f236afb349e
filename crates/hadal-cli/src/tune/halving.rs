//! Synchronous successive halving: all trials train for a few epochs, the best of them for more.
//!
//! Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016; the
//! factor is `eta` of Li and others, "Hyperband", JMLR 18 (2018).

use std::cmp::Ordering;

/// How many trials train until which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    pub trials: usize,
    pub epochs: usize,
}

/// The rungs of a search over `trials` trials, of which the last ones train for `epochs` epochs.
///
/// From each rung the best `ceil(trials / factor)` go on, to about `factor` times the epochs. The first rung has at least
/// `min_epochs` epochs. There is one rung if the factor is 1 or there are too few epochs or trials for another.
pub fn rungs(trials: usize, epochs: usize, factor: usize, min_epochs: usize) -> Vec<Rung> {
    // From the last rung back to the first: it is the last one's epochs that are given.
    let mut until = vec![epochs];
    loop {
        let divisor = (factor as u128).saturating_pow(until.len() as u32);
        let earlier = (epochs as u128).div_ceil(divisor) as usize;
        if earlier < min_epochs.max(1) || until.last().is_some_and(|later| earlier >= *later) {
            break;
        }
        until.push(earlier);
    }
    // A rung that would take over a single trial decides nothing.
    let mut counts = vec![trials];
    while let Some(&count) = counts.last()
        && count > 1
        && counts.len() < until.len()
    {
        counts.push(count.div_ceil(factor));
    }
    until.truncate(counts.len());
    counts.into_iter().zip(until.into_iter().rev()).map(|(trials, epochs)| Rung { trials, epochs }).collect()
}

/// The least number of epochs after which trials are compared, where none is set: a tenth of all, as the first epochs
/// rank trials by their learning rate rather than by how well they end.
pub fn default_min_epochs(epochs: usize) -> usize {
    epochs.div_ceil(10)
}

/// Trials from best to worst: by score, of equal ones the first; without a score last.
pub fn rank(scores: &[(usize, Option<f64>)], higher_is_better: bool) -> Vec<usize> {
    let mut order = scores.to_vec();
    order.sort_by(|a, b| better(*a, *b, higher_is_better));
    order.into_iter().map(|(number, _)| number).collect()
}

/// Compares two trials, the better one first.
pub fn better(a: (usize, Option<f64>), b: (usize, Option<f64>), higher_is_better: bool) -> Ordering {
    let cost = |score: Option<f64>| match score {
        Some(score) if score.is_finite() => Some(if higher_is_better { -score } else { score }),
        _ => None,
    };
    let by_score = match (cost(a.1), cost(b.1)) {
        (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    by_score.then(a.0.cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(trials: usize, epochs: usize, factor: usize, min_epochs: usize) -> Vec<(usize, usize)> {
        rungs(trials, epochs, factor, min_epochs).into_iter().map(|rung| (rung.trials, rung.epochs)).collect()
    }

    #[test]
    fn a_third_of_the_trials_goes_on_to_three_times_the_epochs() {
        assert_eq!(plan(64, 30, 3, default_min_epochs(30)), [(64, 4), (22, 10), (8, 30)]);
        assert_eq!(plan(64, 30, 3, 1), [(64, 1), (22, 2), (8, 4), (3, 10), (1, 30)]);
        assert_eq!(plan(27, 27, 3, 1), [(27, 1), (9, 3), (3, 9), (1, 27)]);
        assert_eq!(plan(64, 100, 2, 25), [(64, 25), (32, 50), (16, 100)]);
    }

    #[test]
    fn few_trials_few_epochs_and_factor_1_have_fewer_rungs() {
        assert_eq!(plan(1, 1, 3, 1), [(1, 1)]);
        assert_eq!(plan(1, 30, 3, 1), [(1, 30)]);
        assert_eq!(plan(64, 1, 3, 1), [(64, 1)]);
        assert_eq!(plan(64, 2, 3, 1), [(64, 1), (22, 2)]);
        assert_eq!(plan(2, 30, 3, 1), [(2, 10), (1, 30)]);
        assert_eq!(plan(64, 30, 1, 1), [(64, 30)]);
        assert_eq!(plan(64, 30, 3, 31), [(64, 30)]);
        assert_eq!(plan(5, 30, usize::MAX, 1), [(5, 1), (1, 30)]);
    }

    proptest! {
        #[test]
        fn rungs_have_fewer_trials_and_more_epochs_and_end_with_all_epochs(
            trials in 1usize..500, epochs in 1usize..1000, factor in 1usize..6, min_epochs in 0usize..40,
        ) {
            let rungs = rungs(trials, epochs, factor, min_epochs);
            prop_assert_eq!(rungs[0].trials, trials);
            prop_assert_eq!(rungs.last().unwrap().epochs, epochs);
            prop_assert!(rungs[0].epochs >= min_epochs.clamp(1, epochs));
            for pair in rungs.windows(2) {
                prop_assert_eq!(pair[1].trials, pair[0].trials.div_ceil(factor));
                prop_assert!(pair[1].trials < pair[0].trials && pair[1].epochs > pair[0].epochs);
            }
        }

        #[test]
        fn the_ranking_does_not_depend_on_the_order_of_the_trials(
            scores in prop::collection::vec(prop::option::of(-3i32..3), 1..30).prop_shuffle(), higher: bool, seed: u64,
        ) {
            let trials: Vec<_> = scores.iter().map(|score| score.map(f64::from)).enumerate().collect();
            let ranked = rank(&trials, higher);
            let shuffled: Vec<_> = hadal::Rng::new(seed).permutation(trials.len()).into_iter().map(|at| trials[at]).collect();
            prop_assert_eq!(&rank(&shuffled, higher), &ranked);
            let cost = |number: &usize| scores[*number].map_or(10, |score| if higher { -score } else { score });
            for pair in ranked.windows(2) {
                prop_assert!((cost(&pair[0]), pair[0]) < (cost(&pair[1]), pair[1]));
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_last_in_either_direction() {
        let scores = [(0, Some(f64::NAN)), (1, Some(0.1)), (2, None), (3, Some(f64::INFINITY)), (4, Some(0.3))];
        assert_eq!(rank(&scores, true), [4, 1, 0, 2, 3]);
        assert_eq!(rank(&scores, false), [1, 4, 0, 2, 3]);
    }
}
