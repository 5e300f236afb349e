//! A step along a direction that satisfies the strong Wolfe conditions.

use crate::Result;

/// The loss may rise above the tangent by this share of its slope.
const DECREASE: f64 = 1e-4;
/// The slope must flatten to this share.
const CURVATURE: f64 = 0.9;
const MOST_TRIALS: usize = 40;

/// Loss, slope along the direction, and whatever the caller wants back, at one step length.
pub(super) struct Trial<G> {
    pub step: f64,
    pub value: f64,
    pub slope: f64,
    pub rest: G,
}

/// Nocedal and Wright, Numerical Optimization (2nd edition), algorithms 3.5 and 3.6. `None` if no step lowers the loss.
pub(super) fn strong_wolfe<G>(
    value: f64,
    slope: f64,
    first: f64,
    mut at: impl FnMut(f64) -> Result<Trial<G>>,
) -> Result<Option<Trial<G>>> {
    let falls_enough = |trial: &Trial<G>| trial.value <= value + DECREASE * trial.step * slope;
    let flat_enough = |trial: &Trial<G>| trial.slope.abs() <= -CURVATURE * slope;
    // What is known of the bracket's ends: step, value, slope.
    let mut low = (0.0, value, slope);
    let mut high: Option<(f64, f64, f64)> = None;
    let mut best: Option<Trial<G>> = None;
    let mut step = first;
    for _ in 0..MOST_TRIALS {
        let trial = at(step)?;
        if !trial.value.is_finite() || !trial.slope.is_finite() {
            // Outside the loss's domain: well back.
            high = Some((step, f64::INFINITY, f64::INFINITY));
        } else if !falls_enough(&trial) || trial.value >= low.1 && low.0 > 0.0 {
            high = Some((step, trial.value, trial.slope));
        } else if flat_enough(&trial) {
            return Ok(Some(trial));
        } else {
            let forward = high.is_none_or(|end| end.0 > step);
            if (trial.slope > 0.0) == forward {
                high = Some(low);
            }
            low = (step, trial.value, trial.slope);
            if best.as_ref().is_none_or(|best| trial.value < best.value) {
                best = Some(trial);
            }
        }
        step = match high {
            None => 2.0 * step,
            Some(high) => between(low, high),
        };
        if high.is_some_and(|high| (high.0 - low.0).abs() <= 1e-16 * high.0.abs().max(low.0.abs())) {
            break;
        }
    }
    Ok(best)
}

/// The minimum of the cubic through both ends, kept away from them; the middle where there is none.
fn between((a, fa, da): (f64, f64, f64), (b, fb, db): (f64, f64, f64)) -> f64 {
    let (left, right) = (a.min(b), a.max(b));
    let margin = 0.1 * (right - left);
    let d1 = da + db - 3.0 * (fa - fb) / (a - b);
    let root = (d1 * d1 - da * db).sqrt() * (b - a).signum();
    let cubic = b - (b - a) * (db + root - d1) / (db - da + 2.0 * root);
    if cubic.is_finite() { cubic.clamp(left + margin, right - margin) } else { (left + right) / 2.0 }
}
