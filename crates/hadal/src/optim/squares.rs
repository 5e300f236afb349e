//! The squares of gradients that are too small to count. To compute with subnormal numbers takes a processor ten times as long, and gradients
//! of what a network is sure of are small.

use crate::Real;

/// Whether squares below 1.2e-38 count where a step divides by `sqrt(sum) + epsilon`, or `sqrt(sum + epsilon)`: beside the usual epsilons
/// they do not change a bit of it.
#[inline(always)]
pub(super) fn subnormal_counts(epsilon: f64) -> bool {
    epsilon < 1e-11
}

/// The square of a gradient for such a sum; 0 where it would be subnormal and does not count.
#[inline(always)]
pub(super) fn square<T: Real>(g: T, epsilon: f64) -> T {
    let least = if subnormal_counts(epsilon) { T::ZERO } else { T::MIN_POSITIVE.sqrt() };
    let g = if g.abs() < least { T::ZERO } else { g };
    g * g
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::adam::power;
    use crate::optim::{Adam, Optimizer, RmsProp};
    use crate::{Tensor, WeightDecay};

    #[test]
    fn squares_are_left_out_where_they_do_not_count() {
        assert_eq!([square(1e-20_f32, 1e-8), square(-1e-20_f32, 1e-8), square(-2.0_f32, 1e-8)], [0.0, 0.0, 4.0]);
        assert_eq!(square(1e-20_f32, 1e-12), 1e-20 * 1e-20);
        assert_eq!(square(1e-20_f64, 1e-8), 1e-20 * 1e-20);
        assert!(square(f32::NAN, 1e-8).is_nan());
    }

    /// What an output receives that is soon certain: for long nothing, and now and then very little.
    fn gradient(step: u64) -> f32 {
        match step {
            1..=20 => 0.1 / step as f32,
            900..=910 => 1e-20,
            _ => 0.0,
        }
    }

    /// The weight, and the states, after each of 1,500 steps.
    fn steps(optimizer: impl Optimizer, gradient: fn(u64) -> f32) -> Vec<(f32, Vec<f32>)> {
        let (mut w, mut states) = (Tensor::from([1.0]), vec![]);
        let step = |step| {
            optimizer.update_rule(0.01, step, &mut |rule| {
                states.resize_with(rule.states(), || w.zeros_like());
                w.update(rule, WeightDecay::NONE, &mut states, &Tensor::from([gradient(step)]));
            });
            (w.to_vec::<f32>()[0], states.iter().map(|state| state.to_vec::<f32>()[0]).collect())
        };
        (1..=1500).map(step).collect()
    }

    /// Adam as it is written, in f32.
    fn adam_as_written(epsilon: f32, gradient: fn(u64) -> f32) -> Vec<f32> {
        let ([mut w, mut m, mut v], [beta1, beta2]) = ([1.0_f32, 0.0, 0.0], [0.9_f64, 0.999]);
        let step = |step| {
            let g = gradient(step);
            let learning_rate = 0.01 * (1.0 - power(beta2, step)).sqrt() / (1.0 - power(beta1, step));
            m = beta1 as f32 * m + (1.0 - beta1) as f32 * g;
            v = beta2 as f32 * v + (1.0 - beta2) as f32 * (g * g);
            w -= learning_rate as f32 * m / (v.sqrt() + epsilon);
            w
        };
        (1..=1500).map(step).collect()
    }

    #[test]
    fn steps_without_subnormal_numbers_are_the_same_to_the_bit() {
        let ours = steps(Adam::new(0.01).epsilon(1e-8), gradient);
        assert_eq!(ours.iter().map(|step| step.0).collect::<Vec<_>>(), adam_as_written(1e-8, gradient));
        let mut s = 0.0_f32;
        let mut w = 1.0_f32;
        for (step, ours) in (1..).zip(steps(RmsProp::new(0.01), gradient)) {
            let g = gradient(step);
            s = 0.9 * s + (1.0 - 0.9_f64) as f32 * (g * g);
            w -= 0.01 * g / (s + 1e-7).sqrt();
            assert_eq!(ours.0, w, "step {step}");
            assert!(ours.1.iter().all(|state| !state.is_subnormal()), "step {step}: {:?}", ours.1);
        }
        assert!(s.is_subnormal(), "{s:e}: the formula as it is written does not get there");
        assert!(ours.iter().all(|step| step.1.iter().all(|state| !state.is_subnormal())));
    }

    #[test]
    fn subnormal_sums_are_kept_where_little_is_added_to_them() {
        let tiny = |_| 1e-20;
        let ours = steps(Adam::new(0.01).epsilon(1e-30), tiny);
        assert_eq!(ours.iter().map(|step| step.0).collect::<Vec<_>>(), adam_as_written(1e-30, tiny));
        assert!(ours[0].1[1].is_subnormal());
    }
}
