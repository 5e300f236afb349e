//! How far a score can be trusted.

use crate::Rng;

/// Wilson's score interval for a share: where the true share lies with the given confidence, if `successes` of `total` were
/// observed. It holds for few samples and for shares near 0 and 1, too, where the plain one, share ± z · standard error, does not.
///
/// Formula: `(p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)` with `p = successes / total`, `n = total` and the normal quantile
/// `z`. Source: Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
///
/// ```
/// let (low, high) = hadal::metric::wilson_interval(85, 100, 0.95);
/// assert!((low - 0.7672).abs() < 1e-4 && (high - 0.9069).abs() < 1e-4);
/// ```
///
/// # Panics
/// If there are more successes than samples, or the confidence is not between 0 and 1.
#[track_caller]
pub fn wilson_interval(successes: u64, total: u64, confidence: f64) -> (f64, f64) {
    assert!(successes <= total, "wilson_interval: {successes} successes of {total} samples");
    assert!(confidence > 0.0 && confidence < 1.0, "wilson_interval: confidence {confidence} must be between 0 and 1");
    if total == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (total as f64, normal_quantile(0.5 + confidence / 2.0));
    let p = successes as f64 / n;
    let z2 = z * z;
    let half = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let middle = p + z2 / (2.0 * n);
    let bound = |x: f64| (x / (1.0 + z2 / n)).clamp(0.0, 1.0);
    // At the ends the bound is the end itself, which rounding may miss.
    let low = if successes == 0 { 0.0 } else { bound(middle - half) };
    let high = if successes == total { 1.0 } else { bound(middle + half) };
    (low, high)
}

/// The percentile bootstrap interval of any score of `samples` samples: the score is computed of `resamples` sets of as many samples,
/// drawn with replacement, given by their numbers; the interval holds the middle `confidence` of the results. `None` if fewer
/// than half of them are finite numbers, or there are no samples. The same seed gives the same interval.
///
/// Source: Efron, "Bootstrap methods: another look at the jackknife" (1979).
///
/// ```
/// let errors = [0.1, 0.4, 0.2, 0.9, 0.3, 0.5];
/// let mean = |rows: &[usize]| rows.iter().map(|row| errors[*row]).sum::<f64>() / rows.len() as f64;
/// let (low, high) = hadal::metric::bootstrap_interval(errors.len(), mean, 1000, 1, 0.95).unwrap();
/// assert!(low < 0.4 && 0.4 < high);
/// ```
///
/// # Panics
/// If the confidence is not between 0 and 1.
#[track_caller]
pub fn bootstrap_interval(
    samples: usize,
    score: impl Fn(&[usize]) -> f64,
    resamples: usize,
    seed: u64,
    confidence: f64,
) -> Option<(f64, f64)> {
    assert!(
        confidence > 0.0 && confidence < 1.0,
        "bootstrap_interval: confidence {confidence} must be between 0 and 1"
    );
    if samples == 0 {
        return None;
    }
    let mut rng = Rng::new(seed);
    let mut rows = vec![0; samples];
    let mut scores: Vec<f64> = (0..resamples)
        .map(|_| {
            rows.iter_mut().for_each(|row| *row = rng.below(samples as u64) as usize);
            score(&rows)
        })
        .filter(|score| score.is_finite())
        .collect();
    if 2 * scores.len() < resamples || scores.is_empty() {
        return None;
    }
    scores.sort_by(f64::total_cmp);
    Some((quantile(&scores, 0.5 - confidence / 2.0), quantile(&scores, 0.5 + confidence / 2.0)))
}

/// A quantile of sorted numbers, between the two nearest: NumPy's default.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + part * (sorted[above] - sorted[below])
}

/// The quantile of the standard normal distribution, to 1e-9: Acklam's rational approximation (2003), which is exact to 1.2e-9,
/// relatively.
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.383_577_518_672_69e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 5] =
        [-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 4] = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416];
    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        horner(&C, q) / (horner(&D, q) * q + 1.0)
    };
    const LOW: f64 = 0.02425;
    if p < LOW {
        tail(p)
    } else if p > 1.0 - LOW {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        horner(&A, r) * q / (horner(&B, r) * r + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_share_is_that_of_statsmodels() {
        // statsmodels 0.15, proportion_confint(k, n, 1 - confidence, method="wilson").
        for (k, n, confidence, low, high) in [
            (85, 100, 0.95, 0.767_164_4, 0.906_940_1),
            (0, 10, 0.95, 0.0, 0.277_532_8),
            (10, 10, 0.95, 0.722_467_2, 1.0),
            (1, 3, 0.99, 0.040_426_6, 0.855_784_0),
            (9824, 10000, 0.90, 0.980_103_0, 0.984_436_0),
        ] {
            let (a, b) = wilson_interval(k, n, confidence);
            assert!((a - low).abs() < 2e-7 && (b - high).abs() < 2e-7, "{k} of {n}: {a} to {b}");
        }
        assert_eq!(wilson_interval(0, 0, 0.95), (0.0, 1.0));
    }

    #[test]
    fn quantiles_of_the_normal_distribution_are_right() {
        for (p, z) in [(0.5, 0.0), (0.975, 1.959_963_985), (0.995, 2.575_829_304), (0.001, -3.090_232_306)] {
            assert!((normal_quantile(p) - z).abs() < 1e-8, "{p}");
        }
    }

    #[test]
    fn the_interval_of_a_mean_has_the_width_that_theory_says() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i * 37 % 400) / 400.0).collect();
        let mean = |rows: &[usize]| rows.iter().map(|row| values[*row]).sum::<f64>() / rows.len() as f64;
        let (low, high) = bootstrap_interval(400, mean, 4000, 1, 0.95).unwrap();
        // 2 z times the standard deviation 1 / sqrt(12) over the root of 400.
        assert!((high - low - 2.0 * 1.96 / 12f64.sqrt() / 20.0).abs() < 0.004, "{low} to {high}");
        assert_eq!(bootstrap_interval(0, |_| 0.0, 100, 1, 0.95), None);
        assert_eq!(bootstrap_interval(5, |_| f64::NAN, 100, 1, 0.95), None);
    }
}
