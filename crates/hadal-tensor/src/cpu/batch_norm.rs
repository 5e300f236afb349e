//! Batch normalization and what it sends back, channel by channel.

use super::buffer::Buffer;
use super::copy::Contiguous;
use super::float::Float;
use super::simd::{Task, dispatch};
use super::threads::{SharedMut, for_each_part, for_each_piece};
use crate::shape::Layout;

/// Sums that are added to by turns: those of a register, whatever its width.
const LANES: usize = 16;

/// The sizes of `[samples, channels, size]`.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub samples: usize,
    pub channels: usize,
    pub size: usize,
}

impl Sizes {
    pub fn of(layout: &Layout) -> Sizes {
        let shape = layout.shape;
        Sizes { samples: shape[0], channels: shape[1], size: shape[2..].iter().product() }
    }

    fn starts(self, channel: usize) -> impl Iterator<Item = usize> {
        (0..self.samples).map(move |sample| (sample * self.channels + channel) * self.size)
    }

    fn count<T: Float>(self) -> T {
        T::from_f64((self.samples * self.size) as f64)
    }
}

/// The sum of `term`.
#[inline(always)]
fn total<T: Float>(x: &[T], term: impl Fn(T) -> T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = term(x);
    }
    for x in whole {
        for (lane, &x) in lanes.iter_mut().zip(x) {
            *lane = *lane + term(x);
        }
    }
    across(lanes)
}

/// The sums of `term` over pairs, and of the second numbers.
#[inline(always)]
fn totals<T: Float>(x: &[T], g: &[T], term: impl Fn(T, T) -> T) -> [T; 2] {
    let (mut terms, mut sums) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    let ((x, x_rest), (g, g_rest)) = (x.as_chunks::<LANES>(), g.as_chunks::<LANES>());
    for ((lane, sum), (&x, &g)) in terms.iter_mut().zip(&mut sums).zip(x_rest.iter().zip(g_rest)) {
        *lane = term(x, g);
        *sum = g;
    }
    for (x, g) in x.iter().zip(g) {
        for ((lane, &x), &g) in terms.iter_mut().zip(x).zip(g) {
            *lane = *lane + term(x, g);
        }
        for (sum, &g) in sums.iter_mut().zip(g) {
            *sum = *sum + g;
        }
    }
    [across(terms), across(sums)]
}

/// The sum of all lanes.
#[inline(always)]
fn across<T: Float>(mut lanes: [T; LANES]) -> T {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] = lanes[i] + lanes[i + half];
        }
    }
    lanes[0]
}

struct Statistics<'a, T> {
    x: &'a [T],
    sizes: Sizes,
    channel: usize,
}

impl<T: Float> Task for Statistics<'_, T> {
    type Output = [T; 2];
    #[inline(always)]
    fn run(self) -> [T; 2] {
        let count = self.sizes.count::<T>();
        let size = self.sizes.size;
        let mut sum = T::ZERO;
        for start in self.sizes.starts(self.channel) {
            sum = sum + total(&self.x[start..start + size], |x| x);
        }
        let mean = sum / count;
        let mut squares = T::ZERO;
        for start in self.sizes.starts(self.channel) {
            squares = squares + total(&self.x[start..start + size], |x| (x - mean) * (x - mean));
        }
        [mean, squares / count]
    }
}

struct Scale<'a, T> {
    x: &'a [T],
    out: &'a mut [T],
    mean: T,
    factor: T,
    bias: T,
}

impl<T: Float> Task for Scale<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (out, &x) in self.out.iter_mut().zip(self.x) {
            *out = (x - self.mean) * self.factor + self.bias;
        }
    }
}

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias` for each channel of dense `x`, and all means, then all variances.
pub(super) fn forward<T: Float>(
    x: &[T],
    weight: &[T],
    bias: &[T],
    sizes: Sizes,
    epsilon: f64,
) -> (Buffer<T>, Buffer<T>) {
    let mut out = Buffer::scratch(x.len());
    let mut statistics = Buffer::filled(2 * sizes.channels, T::ZERO);
    let (out_base, base) = (SharedMut::new(out.as_mut_ptr()), SharedMut::new(statistics.as_mut_ptr()));
    for_each_piece(sizes.channels, |channel| {
        let [mean, variance] = dispatch(Statistics { x, sizes, channel });
        // SAFETY: each channel has two places of its own.
        unsafe {
            base.part(channel, 1)[0] = mean;
            base.part(sizes.channels + channel, 1)[0] = variance;
        }
        let factor = weight[channel] / (variance + T::from_f64(epsilon)).sqrt();
        for start in sizes.starts(channel) {
            // SAFETY: each channel of a sample has a part of its own, as long as in `x`.
            let out = unsafe { out_base.part(start, sizes.size) };
            dispatch(Scale { x: &x[start..start + sizes.size], out, mean, factor, bias: bias[channel] });
        }
    });
    (out, statistics)
}

/// The same by means, variances, weights and biases that are given in this order.
pub(super) fn forward_by<T: Float>(
    x: &[T],
    [means, variances, weight, bias]: [Contiguous<T>; 4],
    sizes: Sizes,
    epsilon: f64,
) -> Buffer<T> {
    let mut out = Buffer::scratch(x.len());
    if out.is_empty() {
        return out;
    }
    let factor = |channel: usize| weight[channel] / (variances[channel] + T::from_f64(epsilon)).sqrt();
    let factors: Vec<T> = (0..sizes.channels).map(factor).collect();
    let length = sizes.size * PART.div_ceil(sizes.size);
    for_each_part(&mut out, length, |start, out| {
        let x = &x[start..start + out.len()];
        dispatch(ScaleAll {
            x,
            out,
            first: start / sizes.size,
            size: sizes.size,
            means: &means,
            factors: &factors,
            bias: &bias,
        });
    });
    out
}

/// Elements that a thread takes at a time, at least.
const PART: usize = 4096;

/// Channel by channel, of one sample after another.
struct ScaleAll<'a, T> {
    x: &'a [T],
    out: &'a mut [T],
    /// The first channel, counted over all samples.
    first: usize,
    size: usize,
    means: &'a [T],
    factors: &'a [T],
    bias: &'a [T],
}

impl<T: Float> Task for ScaleAll<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let channels = self.means.len();
        let all = self.out.chunks_exact_mut(self.size).zip(self.x.chunks_exact(self.size));
        for (index, (out, x)) in all.enumerate() {
            let channel = (self.first + index) % channels;
            let (mean, factor, bias) = (self.means[channel], self.factors[channel], self.bias[channel]);
            Scale { x, out, mean, factor, bias }.run();
        }
    }
}

struct Sums<'a, T> {
    x: &'a [T],
    g: &'a [T],
    sizes: Sizes,
    channel: usize,
    mean: T,
}

impl<T: Float> Task for Sums<'_, T> {
    type Output = [T; 2];
    #[inline(always)]
    fn run(self) -> [T; 2] {
        let mut sums = [T::ZERO; 2];
        for start in self.sizes.starts(self.channel) {
            let (x, g) = (&self.x[start..start + self.sizes.size], &self.g[start..start + self.sizes.size]);
            let own = totals(x, g, |x, g| g * (x - self.mean));
            sums = [sums[0] + own[0], sums[1] + own[1]];
        }
        sums
    }
}

struct SendBack<'a, T> {
    x: &'a [T],
    g: &'a [T],
    out: &'a mut [T],
    mean: T,
    factor: T,
    along: T,
    mean_gradient: T,
}

impl<T: Float> Task for SendBack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for ((out, &x), &g) in self.out.iter_mut().zip(self.x).zip(self.g) {
            *out = (g - self.mean_gradient - (x - self.mean) * self.along) * self.factor;
        }
    }
}

/// What goes to the input when the result of [`forward`] receives `g`, and the gradients of all weights, then of all biases.
pub(super) fn backward<T: Float>(
    x: &[T],
    g: &[T],
    weight: &[T],
    statistics: &[T],
    sizes: Sizes,
    epsilon: f64,
) -> (Buffer<T>, Buffer<T>) {
    let mut out = Buffer::scratch(x.len());
    let mut sums = Buffer::filled(2 * sizes.channels, T::ZERO);
    let (out_base, base) = (SharedMut::new(out.as_mut_ptr()), SharedMut::new(sums.as_mut_ptr()));
    for_each_piece(sizes.channels, |channel| {
        let (mean, variance) = (statistics[channel], statistics[sizes.channels + channel]);
        let deviation = (variance + T::from_f64(epsilon)).sqrt();
        let [along, sum] = dispatch(Sums { x, g, sizes, channel, mean });
        // SAFETY: each channel has two places of its own.
        unsafe {
            base.part(channel, 1)[0] = along / deviation;
            base.part(sizes.channels + channel, 1)[0] = sum;
        }
        let count = sizes.count::<T>();
        let along = along / (count * deviation * deviation);
        let (factor, mean_gradient) = (weight[channel] / deviation, sum / count);
        for start in sizes.starts(channel) {
            let (x, g) = (&x[start..start + sizes.size], &g[start..start + sizes.size]);
            // SAFETY: each channel of a sample has a part of its own, as long as in `x`.
            let out = unsafe { out_base.part(start, sizes.size) };
            dispatch(SendBack { x, g, out, mean, factor, along, mean_gradient });
        }
    });
    (out, sums)
}
