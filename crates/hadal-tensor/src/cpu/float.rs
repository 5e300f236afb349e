//! Number types as kernels see them, and vectorisable elementary functions for `f32`.
//!
//! The functions are branch-free so that the compiler vectorises loops over them. Error against the exact value, over
//! the whole range: exp below 2 units in the last place, ln below 2, tanh below 3 (tests hold these).

use super::buffer::Plain;

/// A number that kernels compute with.
pub(crate) trait Number:
    Plain
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::fmt::Debug
{
    const ZERO: Self;
    const ONE: Self;
    const LOWEST: Self;
    const HIGHEST: Self;
    fn from_f64(value: f64) -> Self;
    /// Integers wrap.
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn powi(self, n: i32) -> Self;
    fn is_nan(self) -> bool;
    /// The larger; NaN if either is.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if self > other || self.is_nan() { self } else { other }
    }
    /// The smaller; NaN if either is.
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        if self < other || self.is_nan() { self } else { other }
    }
    /// max(x, 0); NaN stays.
    #[inline(always)]
    fn relu(self) -> Self {
        if self > Self::ZERO || self.is_nan() { self } else { Self::ZERO }
    }
}

/// A floating-point number.
pub(crate) trait Float: Number + std::ops::Div<Output = Self> + std::ops::Neg<Output = Self> {
    fn exp(self) -> Self;
    fn expm1(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn atan(self) -> Self;
    fn tanh(self) -> Self;
    fn floor(self) -> Self;
    fn powf(self, p: Self) -> Self;
    fn erf(self) -> Self;
    /// ln(1 + e^x), without overflow.
    fn softplus(self) -> Self;
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self::ONE / (Self::ONE + (-self).exp())
    }
}

macro_rules! float_number {
    ($type:ident) => {
        impl Number for $type {
            const ZERO: $type = 0.0;
            const ONE: $type = 1.0;
            const LOWEST: $type = $type::NEG_INFINITY;
            const HIGHEST: $type = $type::INFINITY;
            #[inline(always)]
            fn from_f64(value: f64) -> $type {
                value as $type
            }
            #[inline(always)]
            fn plus(self, other: $type) -> $type {
                self + other
            }
            #[inline(always)]
            fn minus(self, other: $type) -> $type {
                self - other
            }
            #[inline(always)]
            fn times(self, other: $type) -> $type {
                self * other
            }
            #[inline(always)]
            fn powi(self, n: i32) -> $type {
                self.powi(n)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                self.is_nan()
            }
        }
    };
}
float_number!(f32);
float_number!(f64);

macro_rules! integer_number {
    ($type:ident) => {
        impl Number for $type {
            const ZERO: $type = 0;
            const ONE: $type = 1;
            const LOWEST: $type = $type::MIN;
            const HIGHEST: $type = $type::MAX;
            #[inline(always)]
            fn from_f64(value: f64) -> $type {
                value as $type
            }
            #[inline(always)]
            fn plus(self, other: $type) -> $type {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn minus(self, other: $type) -> $type {
                self.wrapping_sub(other)
            }
            #[inline(always)]
            fn times(self, other: $type) -> $type {
                self.wrapping_mul(other)
            }
            #[inline(always)]
            fn powi(self, n: i32) -> $type {
                self.wrapping_pow(n.unsigned_abs())
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                false
            }
        }
    };
}
integer_number!(i64);
integer_number!(u8);

impl Float for f64 {
    #[inline(always)]
    fn exp(self) -> f64 {
        self.exp()
    }
    #[inline(always)]
    fn expm1(self) -> f64 {
        self.exp_m1()
    }
    #[inline(always)]
    fn ln(self) -> f64 {
        self.ln()
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        self.sqrt()
    }
    #[inline(always)]
    fn sin(self) -> f64 {
        self.sin()
    }
    #[inline(always)]
    fn cos(self) -> f64 {
        self.cos()
    }
    #[inline(always)]
    fn atan(self) -> f64 {
        self.atan()
    }
    #[inline(always)]
    fn tanh(self) -> f64 {
        self.tanh()
    }
    #[inline(always)]
    fn floor(self) -> f64 {
        self.floor()
    }
    #[inline(always)]
    fn powf(self, p: f64) -> f64 {
        self.powf(p)
    }
    #[inline(always)]
    fn erf(self) -> f64 {
        libm::erf(self)
    }
    #[inline(always)]
    fn softplus(self) -> f64 {
        self.larger(0.0) + (-self.abs()).exp().ln_1p()
    }
}

impl Float for f32 {
    #[inline(always)]
    fn exp(self) -> f32 {
        exp(self)
    }
    #[inline(always)]
    fn expm1(self) -> f32 {
        self.exp_m1()
    }
    #[inline(always)]
    fn ln(self) -> f32 {
        ln(self)
    }
    #[inline(always)]
    fn sqrt(self) -> f32 {
        self.sqrt()
    }
    #[inline(always)]
    fn sin(self) -> f32 {
        self.sin()
    }
    #[inline(always)]
    fn cos(self) -> f32 {
        self.cos()
    }
    #[inline(always)]
    fn atan(self) -> f32 {
        self.atan()
    }
    #[inline(always)]
    fn tanh(self) -> f32 {
        tanh(self)
    }
    #[inline(always)]
    fn floor(self) -> f32 {
        self.floor()
    }
    #[inline(always)]
    fn powf(self, p: f32) -> f32 {
        self.powf(p)
    }
    #[inline(always)]
    fn erf(self) -> f32 {
        libm::erff(self)
    }
    #[inline(always)]
    fn softplus(self) -> f32 {
        self.larger(0.0) + ln(1.0 + exp(-self.abs()))
    }
}

/// Adding and subtracting 1.5 * 2^23 rounds to the nearest whole number, which is then in the low bits.
const ROUND: f32 = 12_582_912.0;

/// e^x as 2^n e^r with n = round(x / ln 2) and a polynomial for |r| <= ln 2 / 2 (Cephes, expf).
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Beyond these the result is 0 or infinity; the last steps before them need 2^n in two factors.
    let bounded = x.clamp(-104.0, 89.0);
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first with few bits so that n times it is exact.
    let r = bounded - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let e = p * r * r + r + 1.0;
    // n is in the low bits of the shifted number; half of it goes into each factor.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    let y = e * power(half) * power(n.wrapping_sub(half));
    choose(x.is_nan(), x, y)
}

/// ln x as the exponent times ln 2 plus a polynomial for the mantissa in [sqrt(1/2), sqrt(2)) (Cephes, logf).
#[inline(always)]
fn ln(x: f32) -> f32 {
    // Subnormals are scaled into the normal range first.
    let small = x < f32::MIN_POSITIVE;
    let scaled = if small { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits();
    // Subtracting the bits of sqrt(1/2) makes the exponent change where the mantissa passes it.
    let offset = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (offset as i32) >> 23;
    let mantissa = f32::from_bits((offset & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let e = exponent as f32 - if small { 23.0 } else { 0.0 };
    let r = mantissa - 1.0;
    let z = r * r;
    let mut p = 7.037_683_6e-2;
    p = p * r - 1.151_461e-1;
    p = p * r + 1.167_699_9e-1;
    p = p * r - 1.242_014_1e-1;
    p = p * r + 1.424_932_3e-1;
    p = p * r - 1.666_805_7e-1;
    p = p * r + 2.000_071_5e-1;
    p = p * r - 2.499_999_4e-1;
    p = p * r + 3.333_333e-1;
    let tail = p * r * z + e * -2.121_944_4e-4 - 0.5 * z;
    let y = r + tail + e * 0.693_359_4;
    let y = choose(x == f32::INFINITY, x, y);
    let y = choose(x == 0.0, f32::NEG_INFINITY, y);
    choose(x < 0.0 || x.is_nan(), f32::NAN, y)
}

/// tanh x: an odd polynomial below 0.625 (Cephes, tanhf), 1 - 2 / (e^2x + 1) above.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let mut p = -5.704_988_7e-3;
    p = p * z + 2.063_909e-2;
    p = p * z - 5.373_971_5e-2;
    p = p * z + 1.333_144_2e-1;
    p = p * z - 3.333_328e-1;
    let near = p * z * x + x;
    let far = (1.0 - 2.0 / (exp(a + a) + 1.0)).copysign(x);
    choose(a < 0.625, near, choose(x.is_nan(), x, far))
}

/// `a` where the condition holds, else `b`, by bit masks: a branch here would keep the loop scalar.
#[inline(always)]
fn choose(condition: bool, a: f32, b: f32) -> f32 {
    let mask = u32::from(condition).wrapping_neg();
    f32::from_bits(a.to_bits() & mask | b.to_bits() & !mask)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// The distance between `got` and `exact` in units in the last place of `exact` as f32.
    fn ulps(got: f32, exact: f64) -> f64 {
        let rounded = exact as f32;
        if got == rounded || (got.is_nan() && rounded.is_nan()) {
            return 0.0;
        }
        let above = f32::from_bits(rounded.abs().to_bits() + 1);
        let unit = f64::from(above) - f64::from(rounded.abs());
        (f64::from(got) - exact).abs() / unit
    }

    #[test]
    fn special_values() {
        assert_eq!(super::exp(0.0), 1.0);
        assert_eq!(super::exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(super::exp(f32::INFINITY), f32::INFINITY);
        assert!(super::exp(f32::NAN).is_nan());
        assert_eq!(super::ln(1.0), 0.0);
        assert_eq!(super::ln(0.0), f32::NEG_INFINITY);
        assert_eq!(super::ln(f32::INFINITY), f32::INFINITY);
        assert!(super::ln(-1.0).is_nan() && super::ln(f32::NAN).is_nan());
        assert_eq!(super::tanh(0.0), 0.0);
        assert_eq!(super::tanh(f32::INFINITY), 1.0);
        assert_eq!(super::tanh(f32::NEG_INFINITY), -1.0);
        assert!(super::tanh(f32::NAN).is_nan());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn exp_is_within_2_ulps(x in -103.0f32..88.72) {
            prop_assert!(ulps(super::exp(x), f64::from(x).exp()) < 2.0);
        }

        #[test]
        fn ln_is_within_2_ulps(bits in 1u32..0x7f80_0000) {
            let x = f32::from_bits(bits);
            prop_assert!(ulps(super::ln(x), f64::from(x).ln()) < 2.0);
        }

        #[test]
        fn tanh_is_within_3_ulps(x in -12.0f32..12.0, scale in -30i32..0) {
            for x in [x, x * 2f32.powi(scale)] {
                prop_assert!(ulps(super::tanh(x), f64::from(x).tanh()) < 3.0);
            }
        }
    }
}
