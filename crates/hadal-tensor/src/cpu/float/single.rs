//! Functions of one `f32` that compilers vectorize.
//!
//! They are branch-free and use no fused multiply-add, so that the loops around them become vector instructions and every
//! level gives the same bits. `tests/accuracy.rs` holds their errors.

/// Adding and subtracting 1.5 * 2^23 rounds to the nearest whole number, which is then in the low bits.
const ROUND: f32 = 12_582_912.0;

/// ln 2 in two parts, the first with few bits so that a small whole number times it is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// e^x; beyond [-104, 89] the result is 0 or infinity.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (r, n) = reduce(x.clamp(-104.0, 89.0));
    // 0 from the start, as for what a mask hides: numbers that become too small for their exponent take a processor 100 cycles.
    let y = choose(x < -104.0, 0.0, expm1_near_0(r) + 1.0);
    choose(x.is_nan(), x, scale(y, n))
}

/// e^x - 1 as 2^n (e^r - 1) + (2^n - 1), both exact up to the rounding of e^r - 1.
#[inline(always)]
pub fn expm1(x: f32) -> f32 {
    // Below -30 the result is -1, beyond 89 infinity.
    let (r, n) = reduce(x.clamp(-30.0, 89.0));
    // 2^128, which only the last results before infinity need, is 2^127 doubled at the end.
    let last = n > 127;
    let power = power_of_2(n.min(127));
    let y = (expm1_near_0(r) * power + (power - 1.0)) * choose(last, 2.0, 1.0);
    choose(x.is_nan(), x, y.copysign(x))
}

/// ln x as the exponent times ln 2 plus a polynomial for the mantissa in [sqrt(1/2), sqrt(2)).
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // Subnormals are scaled into the normal range first.
    let small = x < f32::MIN_POSITIVE;
    let scaled = if small { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits();
    // Subtracting the bits of sqrt(1/2) makes the exponent change where the mantissa passes it.
    let offset = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (offset as i32) >> 23;
    let mantissa = f32::from_bits((offset & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let e = exponent as f32 - if small { 23.0 } else { 0.0 };
    let y = ln_near_1(mantissa - 1.0, e);
    let y = choose(x == f32::INFINITY, x, y);
    let y = choose(x == 0.0, f32::NEG_INFINITY, y);
    choose(x < 0.0 || x.is_nan(), f32::NAN, y)
}

/// tanh x: an odd polynomial below 0.625 (Cephes, tanhf), 1 - 2 / (e^2x + 1) above.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let mut p = -5.704_988_7e-3;
    p = p * z + 2.063_909e-2;
    p = p * z - 5.373_971_5e-2;
    p = p * z + 1.333_144_2e-1;
    p = p * z - 3.333_328e-1;
    let near = p * z * a + a;
    let far = 1.0 - 2.0 / (exp(a + a) + 1.0);
    choose(a < 0.625, near, choose(x.is_nan(), x, far)).copysign(x)
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let (one, sum) = scaled_logistic(at_least(x, -120.0));
    one / sum
}

/// x sigmoid(x); x is multiplied in before the quotient is rounded to the few bits of subnormal numbers.
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    // Of -120 the result is -0, and so no infinity meets 0.
    let x = at_least(x, -120.0);
    let (one, sum) = scaled_logistic(x);
    x * one / sum
}

/// 1 and 1 + e^-x for x from -120, both divided by the root of e^-x where that is large, or else it would be infinite while
/// the quotient is not 0.
#[inline(always)]
fn scaled_logistic(x: f32) -> (f32, f32) {
    let (r, n) = reduce(at_least(-x, -80.0));
    let half = (n >> 1).max(0);
    let one = power_of_2(half.wrapping_neg());
    (one, one + (expm1_near_0(r) + 1.0) * power_of_2(n.wrapping_sub(half)))
}

/// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|).
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    let (r, n) = reduce(at_least(-x.abs(), -104.0));
    let e = scale(expm1_near_0(r) + 1.0, n);
    // 1 + e is above sqrt(2) or not: ln(1 + e) = ln 2 + ln(1 + (e - 1) / 2), whose argument is exact, too.
    let upper = e > std::f32::consts::SQRT_2 - 1.0;
    let rest = ln_near_1(choose(upper, 0.5 * (e - 1.0), e), choose(upper, 1.0, 0.0));
    (if x > 0.0 { x } else { 0.0 }) + rest
}

/// x Phi(x) = max(x, 0) - |x| Phi(-|x|), where Phi(-a) is e^(-a^2 / 2) times a function that falls slowly.
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    let (a, mantissa, n) = half_square_exponential(x);
    let tail = scale(a * half_erfcx(a) * mantissa, n);
    ((if x > 0.0 { x } else { 0.0 }) - tail).copysign(x)
}

/// The derivative of gelu: Phi(-a) - a phi(a) below 0, and 1 less that above.
#[inline(always)]
pub fn gelu_gradient(x: f32) -> f32 {
    let (a, mantissa, n) = half_square_exponential(x);
    // The density without its exponential is 1 / sqrt(2 pi).
    let below = scale((half_erfcx(a) - a * 0.398_942_3) * mantissa, n);
    if x > 0.0 { 1.0 - below } else { below }
}

/// |x|, held below 15, as a, and e^(-a^2 / 2) as a mantissa and a power of 2.
#[inline(always)]
fn half_square_exponential(x: f32) -> (f32, f32, i32) {
    // Phi(-15) is below the smallest number.
    let a = -at_least(-x.abs(), -15.0);
    // -a^2 / 2 in two parts: e^x would magnify the rounding of one.
    let high = f32::from_bits(a.to_bits() & 0xffff_f000);
    let (r, n) = reduce(-0.5 * high * high);
    let r = r - 0.5 * ((a - high) * (a + high));
    (a, expm1_near_0(r) + 1.0, n)
}

/// erfcx(a / sqrt(2)) / 2, that is Phi(-a) e^(a^2 / 2): a polynomial for it times a + 2.5, within 1.6e-8 on [0, 15].
#[inline(always)]
fn half_erfcx(a: f32) -> f32 {
    let s = 1.0 / (a + 2.5);
    let w = (a - 2.5) * s;
    let mut p = -1.577_024_2e-4;
    p = p * w - 3.116_229e-4;
    p = p * w + 6.844_128_4e-4;
    p = p * w + 2.523_932_8e-3;
    p = p * w - 1.600_830_1e-3;
    p = p * w - 1.638_618_5e-2;
    p = p * w + 9.235_876e-3;
    p = p * w + 1.319_869_8e-1;
    p = p * w - 4.336_92e-1;
    p = p * w + 7.066_566_3e-1;
    p * s
}

/// x = n ln 2 + r with a whole n and |r| <= ln 2 / 2, for |x| below 2^15.
#[inline(always)]
fn reduce(x: f32) -> (f32, i32) {
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    (r, (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32))
}

/// e^r - 1 for |r| <= ln 2 / 2 (Cephes, expf).
#[inline(always)]
fn expm1_near_0(r: f32) -> f32 {
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    p * r * r + r
}

/// ln(1 + r) + e ln 2 for r from sqrt(1/2) - 1 to sqrt(2) - 1 (Cephes, logf).
#[inline(always)]
fn ln_near_1(r: f32, e: f32) -> f32 {
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
    let tail = p * r * z + e * LN_2_LOW - 0.5 * z;
    r + tail + e * LN_2_HIGH
}

/// x 2^n for n from -252 to 254, rounded once: each half of n goes into a factor.
#[inline(always)]
fn scale(x: f32, n: i32) -> f32 {
    let half = n >> 1;
    x * power_of_2(half) * power_of_2(n.wrapping_sub(half))
}

/// 2^n for n from -126 to 127.
#[inline(always)]
fn power_of_2(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// max(x, low); NaN stays.
#[inline(always)]
fn at_least(x: f32, low: f32) -> f32 {
    if x < low { low } else { x }
}

/// `a` where the condition holds, else `b`, by bit masks: a branch here would keep the loop scalar.
#[inline(always)]
fn choose(condition: bool, a: f32, b: f32) -> f32 {
    let mask = u32::from(condition).wrapping_neg();
    f32::from_bits(a.to_bits() & mask | b.to_bits() & !mask)
}
