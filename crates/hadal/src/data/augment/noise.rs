//! Normal noise.

use std::f32::consts::{FRAC_PI_2, LN_2, SQRT_2};

use crate::{Rng, Task, Tensor, dispatch};

/// Adds normal noise; what leaves 0 to `white`, if there is one, is cut off.
pub(super) fn noise(values: &mut [f32], std: f32, white: Option<f32>, rng: &mut Rng) {
    let normal = normals(values.len(), rng);
    values.iter_mut().zip(normal).for_each(|(value, normal)| *value += std * normal);
    if let Some(white) = white {
        values.iter_mut().for_each(|value| *value = value.clamp(0.0, white));
    }
}

/// At least `count` normal numbers.
fn normals(count: usize, rng: &mut Rng) -> Vec<f32> {
    let mut numbers = Tensor::rand([count.next_multiple_of(2)], rng).to_vec::<f32>();
    dispatch(BoxMuller(&mut numbers));
    numbers
}

/// Makes pairs of uniform numbers pairs of normal ones (Box and Muller, 1958): one half holds the first of each pair,
/// the other half the second. Several times as fast as [`Tensor::randn`], since logarithm, sine and cosine are
/// polynomials that run in vector registers, exact to 1e-6.
struct BoxMuller<'a>(&'a mut [f32]);

impl Task for BoxMuller<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (first, second) = self.0.split_at_mut(self.0.len() / 2);
        for (a, b) in first.iter_mut().zip(second) {
            // 1 - a lies in (0, 1], whose logarithm is finite.
            let radius = (-2.0 * ln(1.0 - *a)).sqrt();
            let (sin, cos) = sin_cos_of_turn(*b);
            (*a, *b) = (radius * cos, radius * sin);
        }
    }
}

/// The natural logarithm of a normal number: that of its mantissa `m`, `2 artanh((m - 1) / (m + 1))`, by five terms
/// of the series.
#[inline(always)]
fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    let (exponent, mantissa) = ((bits >> 23) as i32 - 127, f32::from_bits(bits & 0x7f_ffff | 0x3f80_0000));
    let large = mantissa > SQRT_2;
    let (exponent, mantissa) = if large { (exponent + 1, 0.5 * mantissa) } else { (exponent, mantissa) };
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let q = s * s;
    let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0))));
    exponent as f32 * LN_2 + 2.0 * s * series
}

/// Sine and cosine of `turn` times 2 pi, for a turn from 0 to 1: those of the angle from the nearest quarter, by the
/// series.
#[inline(always)]
fn sin_cos_of_turn(turn: f32) -> (f32, f32) {
    let quarter = (4.0 * turn + 0.5) as i32;
    let r = (4.0 * turn - quarter as f32) * FRAC_PI_2;
    let q = r * r;
    let sin = r * (1.0 - q / 6.0 * (1.0 - q / 20.0 * (1.0 - q / 42.0 * (1.0 - q / 72.0))));
    let cos = 1.0 - q / 2.0 * (1.0 - q / 12.0 * (1.0 - q / 30.0 * (1.0 - q / 56.0 * (1.0 - q / 90.0))));
    let (sin, cos) = if quarter & 1 == 1 { (cos, -sin) } else { (sin, cos) };
    if quarter & 2 == 2 { (-sin, -cos) } else { (sin, cos) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_sine_and_cosine_are_exact_to_one_in_a_million() {
        for i in 1..=100_000 {
            let x = i as f32 / 100_000.0;
            let (sin, cos) = (std::f64::consts::TAU * f64::from(x)).sin_cos();
            let own = sin_cos_of_turn(x);
            assert!((f64::from(own.0) - sin).abs() < 1e-6 && (f64::from(own.1) - cos).abs() < 1e-6, "{x}: {own:?}");
            let expected = f64::from(x).ln();
            assert!((f64::from(ln(x)) - expected).abs() < 1e-6 * expected.abs().max(0.1), "{x}: {}", ln(x));
        }
        assert_eq!(ln(1.0), 0.0);
        assert!((ln(1.0 / (1 << 24) as f32) + 24.0 * LN_2).abs() < 1e-5);
    }

    /// Moments of a million numbers, within five standard errors, and how many lie beyond 1, 2 and 3.
    #[test]
    fn the_noise_is_normal() {
        let normal = normals(1_000_000, &mut Rng::new(0));
        let n = normal.len() as f64;
        let moment = |k| normal.iter().map(|x| f64::from(*x).powi(k)).sum::<f64>() / n;
        for (k, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0f64)] {
            assert!((moment(k) - expected).abs() < 5.0 * (variance / n).sqrt(), "moment {k}: {}", moment(k));
        }
        for (limit, expected) in [(1.0, 0.317_31), (2.0, 0.045_50), (3.0, 0.002_70f64)] {
            let beyond = normal.iter().filter(|x| x.abs() > limit).count() as f64 / n;
            assert!((beyond - expected).abs() < 5.0 * (expected / n).sqrt(), "beyond {limit}: {beyond}");
        }
        let both: f64 = normal.chunks_exact(2).map(|pair| f64::from(pair[0]) * f64::from(pair[1])).sum::<f64>();
        let halves: f64 = (0..500_000).map(|i| f64::from(normal[i]) * f64::from(normal[500_000 + i])).sum::<f64>();
        assert!(both.abs() < 5.0 * 500_000f64.sqrt() && halves.abs() < 5.0 * 500_000f64.sqrt());
    }

    #[test]
    fn bytes_are_cut_off_and_floats_are_not() {
        let run = |white| {
            let mut values = vec![0.0; 1001];
            noise(&mut values, 300.0, white, &mut Rng::new(1));
            values
        };
        assert!(run(Some(255.0)).iter().all(|value| (0.0..=255.0).contains(value)));
        assert!(run(None).iter().any(|value| *value < 0.0) && run(None).iter().any(|value| *value > 255.0));
    }
}
