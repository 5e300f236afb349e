//! Number types as kernels see them, and their elementary functions.
//!
//! What the training path needs in `f32` is vectorized ([`single`]); the rest is the standard library's, `libm`'s, or goes
//! through `f64` ([`double`]). Errors over the whole range stand in `ops/accuracy.md`.

mod double;
mod single;

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
    /// Integers wrap.
    fn negative(self) -> Self;
    fn absolute(self) -> Self;
    /// For integers, n is not negative.
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
    fn ln_1p(self) -> Self;
    fn sqrt(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn atan(self) -> Self;
    fn tanh(self) -> Self;
    fn sigmoid(self) -> Self;
    /// ln(1 + e^x).
    fn softplus(self) -> Self;
    fn erf(self) -> Self;
    /// 1 - erf x.
    fn erfc(self) -> Self;
    /// x Phi(x), Phi being the distribution function of the normal distribution.
    fn gelu(self) -> Self;
    /// The derivative of gelu, Phi(x) + x phi(x).
    fn gelu_gradient(self) -> Self;
    /// Both.
    fn gelu_with_gradient(self) -> (Self, Self);
    /// x sigmoid(x).
    fn silu(self) -> Self;
    /// ln(cosh x).
    fn log_cosh(self) -> Self;
    fn floor(self) -> Self;
    fn powf(self, p: Self) -> Self;
    /// The power with an exponent that is not rounded to the type.
    fn powf64(self, p: f64) -> Self;
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
            fn negative(self) -> $type {
                -self
            }
            #[inline(always)]
            fn absolute(self) -> $type {
                self.abs()
            }
            #[inline(always)]
            fn powi(self, n: i32) -> $type {
                whole_power(self.into(), n) as $type
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
            fn negative(self) -> $type {
                self.wrapping_neg()
            }
            #[inline(always)]
            fn absolute(self) -> $type {
                if self < Self::ZERO { self.wrapping_neg() } else { self }
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

/// x^n in `f64`. Repeated multiplication would add up roundings, and pass infinity or 0 on the way to what is neither.
#[inline]
fn whole_power(x: f64, n: i32) -> f64 {
    match n {
        0 => 1.0,
        1 => x,
        2 => x * x,
        3 => x * x * x,
        -1 => 1.0 / x,
        _ => x.powf(n.into()),
    }
}

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
    fn ln_1p(self) -> f64 {
        self.ln_1p()
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
    fn sigmoid(self) -> f64 {
        double::sigmoid(self)
    }
    #[inline(always)]
    fn softplus(self) -> f64 {
        double::softplus(self)
    }
    #[inline(always)]
    fn erf(self) -> f64 {
        libm::erf(self)
    }
    #[inline(always)]
    fn erfc(self) -> f64 {
        libm::erfc(self)
    }
    #[inline(always)]
    fn gelu(self) -> f64 {
        double::gelu(self)
    }
    #[inline(always)]
    fn gelu_gradient(self) -> f64 {
        double::gelu_gradient(self)
    }
    #[inline(always)]
    fn gelu_with_gradient(self) -> (f64, f64) {
        (double::gelu(self), double::gelu_gradient(self))
    }
    #[inline(always)]
    fn silu(self) -> f64 {
        double::silu(self)
    }
    #[inline(always)]
    fn log_cosh(self) -> f64 {
        double::log_cosh(self)
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
    fn powf64(self, p: f64) -> f64 {
        self.powf(p)
    }
}

impl Float for f32 {
    #[inline(always)]
    fn exp(self) -> f32 {
        single::exp(self)
    }
    #[inline(always)]
    fn expm1(self) -> f32 {
        single::expm1(self)
    }
    #[inline(always)]
    fn ln(self) -> f32 {
        single::ln(self)
    }
    #[inline(always)]
    fn ln_1p(self) -> f32 {
        self.ln_1p()
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
        single::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> f32 {
        single::sigmoid(self)
    }
    #[inline(always)]
    fn softplus(self) -> f32 {
        single::softplus(self)
    }
    #[inline(always)]
    fn erf(self) -> f32 {
        libm::erff(self)
    }
    #[inline(always)]
    fn erfc(self) -> f32 {
        libm::erfc(self.into()) as f32
    }
    #[inline(always)]
    fn gelu(self) -> f32 {
        single::gelu(self)
    }
    #[inline(always)]
    fn gelu_gradient(self) -> f32 {
        single::gelu_gradient(self)
    }
    #[inline(always)]
    fn gelu_with_gradient(self) -> (f32, f32) {
        // Inlined, they share what they have in common.
        (single::gelu(self), single::gelu_gradient(self))
    }
    #[inline(always)]
    fn silu(self) -> f32 {
        single::silu(self)
    }
    #[inline(always)]
    fn log_cosh(self) -> f32 {
        double::log_cosh(self.into()) as f32
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
    fn powf64(self, p: f64) -> f32 {
        f64::from(self).powf(p) as f32
    }
}
