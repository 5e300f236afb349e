//! Functions of one `f64` that the standard library does not have. `tests/accuracy.rs` holds their errors.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2, SQRT_2};

/// 1 / (1 + e^-x), of e^-|x| on both sides: what is small is computed as such.
#[inline]
pub fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// x sigmoid(x).
#[inline]
pub fn silu(x: f64) -> f64 {
    if x < -700.0 {
        // e^x is about to lose bits: its root is multiplied in twice. The bound keeps -infinity from meeting 0.
        let root = (0.5 * x).exp();
        x.max(-1000.0) * root * root
    } else {
        let e = (-x.abs()).exp();
        (if x < 0.0 { x * e } else { x }) / (1.0 + e)
    }
}

/// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|).
#[inline]
pub fn softplus(x: f64) -> f64 {
    (if x > 0.0 { x } else { 0.0 }) + (-x.abs()).exp().ln_1p()
}

/// ln(cosh x) = ln(1 + u^2 / (2 + 2u)) with u = e^|x| - 1, which keeps what is small; far out |x| - ln 2.
#[inline]
pub fn log_cosh(x: f64) -> f64 {
    let a = x.abs();
    if a > 20.0 {
        return a - LN_2;
    }
    let u = a.exp_m1();
    (u * (u / (2.0 + 2.0 * u))).ln_1p()
}

/// x Phi(x) with Phi(x) = erfc(-x / sqrt(2)) / 2.
#[inline]
pub fn gelu(x: f64) -> f64 {
    if x < -37.0 {
        return gelu_far_below(x);
    }
    let t = -x * FRAC_1_SQRT_2;
    let mut twice_phi = libm::erfc(t);
    if t > 0.5 {
        // erfc magnifies the rounding of t: its gradient times what rounding took.
        const LOW: f64 = -4.833_646_656_726_457e-17;
        let rest = (-x).mul_add(FRAC_1_SQRT_2, -t) - x * LOW;
        twice_phi -= rest * FRAC_2_SQRT_PI * (-t * t).exp();
    }
    x * (0.5 * twice_phi)
}

/// [`gelu`] where Phi(x) is near the smallest numbers, by its asymptotic series.
fn gelu_far_below(x: f64) -> f64 {
    // At -40 the result is -0.
    let x = x.max(-40.0);
    let square = x * x;
    let rest = x.mul_add(x, -square);
    let z = 1.0 / square;
    let series = [13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0].iter().fold(1.0, |sum, k| 1.0 - k * z * sum);
    // e^(-x^2 / 2) would be subnormal: its root is multiplied in twice.
    let root = (-0.25 * square).exp();
    let factor = -series * (1.0 - 0.5 * rest) * (0.25 * FRAC_2_SQRT_PI * SQRT_2);
    factor * root * root
}

/// The derivative of gelu, Phi(x) + x phi(x). Beyond 40 it is 0 or 1, and held there, so that no infinity meets a 0.
#[inline]
pub fn gelu_gradient(x: f64) -> f64 {
    let x = x.clamp(-40.0, 40.0);
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2) + x * (-0.5 * x * x).exp() * (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2)
}
