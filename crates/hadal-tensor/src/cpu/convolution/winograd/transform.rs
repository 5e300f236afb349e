//! The transforms of [minimal filtering](super): additions of what lies side by side, a register of channels at a time.
//!
//! In each dimension, a window and the elements that it is applied to are polynomials, whose product is found from its values at
//! the points 0, a, -a, b, -b and infinity. With `a = 1/√2` and `b = √2`, results are about twice as far from exact ones as sums
//! of products are; with the usual 1 and 2, four times.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use super::{PLACES, SIDE, TILE};
use crate::cpu::float::Float;

/// What becomes of the numbers of one dimension of a tile or window.
pub(super) trait Transform {
    /// Numbers that are read.
    const FROM: usize;
    /// Numbers that are made.
    const TO: usize;
    /// What the first `FROM` become: the first `TO`.
    fn of<T: Float>(x: [T; SIDE]) -> [T; SIDE];
}

/// `Bt d` of elements, for `Bt = [[1, 0, -5/2, 0, 1, 0], [0, -2a, -2, a, 1, 0], [0, 2a, -2, -a, 1, 0], [0, -b/2, -1/2, b, 1, 0],
/// [0, b/2, -1/2, -b, 1, 0], [0, 1, 0, -5/2, 0, 1]]`.
pub(super) struct Elements;

impl Transform for Elements {
    const FROM: usize = SIDE;
    const TO: usize = SIDE;
    #[inline(always)]
    fn of<T: Float>(x: [T; SIDE]) -> [T; SIDE] {
        let [a, b, half, more] = [FRAC_1_SQRT_2, SQRT_2, 0.5, 2.5].map(T::from_f64);
        let (even_a, odd_a) = (x[4] - (x[2] + x[2]), a * (x[3] - (x[1] + x[1])));
        let (even_b, odd_b) = (x[4] - half * x[2], b * (x[3] - half * x[1]));
        [
            x[0] + x[4] - more * x[2],
            even_a + odd_a,
            even_a - odd_a,
            even_b + odd_b,
            even_b - odd_b,
            x[1] + x[5] - more * x[3],
        ]
    }
}

/// `G g` of a window, for `G = [[1, 0, 0], -2/3 [1, a, 1/2], -2/3 [1, -a, 1/2], 1/6 [1, b, 2], 1/6 [1, -b, 2], [0, 0, 1]]`.
pub(super) struct Window;

impl Transform for Window {
    const FROM: usize = 3;
    const TO: usize = SIDE;
    #[inline(always)]
    fn of<T: Float>(g: [T; SIDE]) -> [T; SIDE] {
        let [a, b, half, of_a, of_b] = [FRAC_1_SQRT_2, SQRT_2, 0.5, -2.0 / 3.0, 1.0 / 6.0].map(T::from_f64);
        let (even_a, odd_a) = (of_a * (g[0] + half * g[2]), of_a * (a * g[1]));
        let (even_b, odd_b) = (of_b * (g[0] + (g[2] + g[2])), of_b * (b * g[1]));
        [g[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g[2]]
    }
}

/// `At m` of sums, for `At = [[1, 1, 1, 1, 1, 0], [0, a, -a, b, -b, 0], [0, 1/2, 1/2, 2, 2, 0], [0, a/2, -a/2, 2b, -2b, 1]]`.
pub(super) struct Output;

impl Transform for Output {
    const FROM: usize = SIDE;
    const TO: usize = TILE;
    #[inline(always)]
    fn of<T: Float>(m: [T; SIDE]) -> [T; SIDE] {
        let [a, half, two, four] = [FRAC_1_SQRT_2, 0.5, 2.0, 4.0].map(T::from_f64);
        let (even_a, odd_a) = (m[1] + m[2], m[1] - m[2]);
        let (even_b, odd_b) = (m[3] + m[4], m[3] - m[4]);
        [
            m[0] + even_a + even_b,
            a * (odd_a + (odd_b + odd_b)),
            half * even_a + two * even_b,
            a * (half * odd_a + four * odd_b) + m[5],
            T::ZERO,
            T::ZERO,
        ]
    }
}

/// `A y` of the gradient of an output: [`Output`] the other way.
pub(super) struct OutputGradient;

impl Transform for OutputGradient {
    const FROM: usize = TILE;
    const TO: usize = SIDE;
    #[inline(always)]
    fn of<T: Float>(y: [T; SIDE]) -> [T; SIDE] {
        let [a, b, half] = [FRAC_1_SQRT_2, SQRT_2, 0.5].map(T::from_f64);
        let (even_a, odd_a) = (y[0] + half * y[2], a * (y[1] + half * y[3]));
        let (even_b, odd_b) = (y[0] + (y[2] + y[2]), b * (y[1] + (y[3] + y[3])));
        [y[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y[3]]
    }
}

/// `Gt s` of the sums for a window's gradient: [`Window`] the other way.
pub(super) struct WindowGradient;

impl Transform for WindowGradient {
    const FROM: usize = SIDE;
    const TO: usize = 3;
    #[inline(always)]
    fn of<T: Float>(s: [T; SIDE]) -> [T; SIDE] {
        let [a, b, half, of_a, of_b] = [FRAC_1_SQRT_2, SQRT_2, 0.5, -2.0 / 3.0, 1.0 / 6.0].map(T::from_f64);
        let (even_a, odd_a) = (of_a * (s[1] + s[2]), of_a * (s[1] - s[2]));
        let (even_b, odd_b) = (of_b * (s[3] + s[4]), of_b * (s[3] - s[4]));
        let sums = [s[0] + even_a + even_b, a * odd_a + b * odd_b, half * even_a + (even_b + even_b) + s[5]];
        [sums[0], sums[1], sums[2], T::ZERO, T::ZERO, T::ZERO]
    }
}

/// What lies at `[row][column]`, of `N` channels each.
pub(super) type Block<T, const N: usize> = [[T; N]; PLACES];

/// Transforms the columns of what lies at `[row][column]`.
#[inline(always)]
pub(super) fn columns<K: Transform, T: Float, const N: usize>(x: &[&[T; N]; PLACES], out: &mut Block<T, N>) {
    for column in 0..K::FROM {
        for lane in 0..N {
            let mut numbers = [T::ZERO; SIDE];
            for row in 0..K::FROM {
                numbers[row] = x[row * K::FROM + column][lane];
            }
            let numbers = K::of(numbers);
            for row in 0..K::TO {
                out[row * K::FROM + column][lane] = numbers[row];
            }
        }
    }
}

/// Transforms a row of what [`columns`] made.
#[inline(always)]
pub(super) fn row<K: Transform, T: Float, const N: usize>(x: &Block<T, N>, row: usize) -> [[T; N]; SIDE] {
    let mut out = [[T::ZERO; N]; SIDE];
    for lane in 0..N {
        let mut numbers = [T::ZERO; SIDE];
        for column in 0..K::FROM {
            numbers[column] = x[row * K::FROM + column][lane];
        }
        let numbers = K::of(numbers);
        for column in 0..K::TO {
            out[column][lane] = numbers[column];
        }
    }
    out
}
