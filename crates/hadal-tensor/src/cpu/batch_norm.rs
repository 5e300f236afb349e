//! Batch normalization and what it sends back, channel by channel.

use super::buffer::Buffer;
use super::copy::Contiguous;
use super::float::Float;
use super::simd::{Task, dispatch};
use super::threads::{SharedMut, for_each_part, for_each_piece};
use crate::backend::Then;
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

/// The sums of `term` over what comes back, and of what comes back itself.
#[inline(always)]
fn totals<T: Float, const RELU: bool>(received: Received<T, RELU>, term: impl Fn(T, T) -> T) -> [T; 2] {
    let (mut terms, mut sums) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    let ((x, x_rest), (g, g_rest)) = (received.x.as_chunks::<LANES>(), received.g.as_chunks::<LANES>());
    for ((lane, sum), (&x, &g)) in terms.iter_mut().zip(&mut sums).zip(x_rest.iter().zip(g_rest)) {
        *sum = received.gradient(x, g);
        *lane = term(x, *sum);
    }
    for (x, g) in x.iter().zip(g) {
        let mut own = *g;
        for (own, &x) in own.iter_mut().zip(x) {
            *own = received.gradient(x, *own);
        }
        for ((lane, &x), &own) in terms.iter_mut().zip(x).zip(&own) {
            *lane = *lane + term(x, own);
        }
        for (sum, &own) in sums.iter_mut().zip(&own) {
            *sum = *sum + own;
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

/// What a channel's numbers become.
#[derive(Clone, Copy)]
struct Line<T> {
    mean: T,
    factor: T,
    bias: T,
}

impl<T: Float> Line<T> {
    #[inline(always)]
    fn at(self, x: T) -> T {
        (x - self.mean) * self.factor + self.bias
    }
}

struct Scale<'a, T> {
    x: &'a [T],
    out: &'a mut [T],
    line: Line<T>,
    then: Then<&'a [T]>,
}

impl<T: Float> Task for Scale<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Scale { x, out, line, then } = self;
        match then {
            Then::Nothing => {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = line.at(x);
                }
            }
            Then::Relu => {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = line.at(x).relu();
                }
            }
            Then::AddRelu(added) => {
                for ((out, &x), &added) in out.iter_mut().zip(x).zip(added) {
                    *out = (line.at(x) + added).relu();
                }
            }
        }
    }
}

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias` for each channel of dense `x`, and what follows; and all means, then all
/// variances.
pub(super) fn forward<T: Float>(
    x: &[T],
    weight: &[T],
    bias: &[T],
    sizes: Sizes,
    epsilon: f64,
    then: Then<&[T]>,
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
        let line = Line { mean, factor, bias: bias[channel] };
        for start in sizes.starts(channel) {
            // SAFETY: each channel of a sample has a part of its own, as long as in `x`.
            let out = unsafe { out_base.part(start, sizes.size) };
            let part = start..start + sizes.size;
            dispatch(Scale { x: &x[part.clone()], out, line, then: then.map(|added| &added[part]) });
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
            let line = Line { mean: self.means[channel], factor: self.factors[channel], bias: self.bias[channel] };
            Scale { x, out, line, then: Then::Nothing }.run();
        }
    }
}

/// What comes back to one channel: `g` for the result of `line`, which is zero where `RELU` is set and the result was not above 0.
#[derive(Clone, Copy)]
struct Received<'a, T, const RELU: bool> {
    x: &'a [T],
    g: &'a [T],
    line: Line<T>,
}

impl<T: Float, const RELU: bool> Received<'_, T, RELU> {
    #[inline(always)]
    fn gradient(self, x: T, g: T) -> T {
        if RELU && self.line.at(x) <= T::ZERO { T::ZERO } else { g }
    }

    /// The numbers of one sample.
    #[inline(always)]
    fn sample(self, start: usize, size: usize) -> Self {
        Received { x: &self.x[start..start + size], g: &self.g[start..start + size], ..self }
    }
}

struct Sums<'a, T, const RELU: bool> {
    received: Received<'a, T, RELU>,
    sizes: Sizes,
    channel: usize,
}

impl<T: Float, const RELU: bool> Task for Sums<'_, T, RELU> {
    type Output = [T; 2];
    #[inline(always)]
    fn run(self) -> [T; 2] {
        let mean = self.received.line.mean;
        let mut sums = [T::ZERO; 2];
        for start in self.sizes.starts(self.channel) {
            let own = totals(self.received.sample(start, self.sizes.size), |x, g| g * (x - mean));
            sums = [sums[0] + own[0], sums[1] + own[1]];
        }
        sums
    }
}

struct SendBack<'a, T, const RELU: bool> {
    received: Received<'a, T, RELU>,
    out: &'a mut [T],
    along: T,
    mean_gradient: T,
}

impl<T: Float, const RELU: bool> Task for SendBack<'_, T, RELU> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let SendBack { received, out, along, mean_gradient } = self;
        let Line { mean, factor, .. } = received.line;
        for ((out, &x), &g) in out.iter_mut().zip(received.x).zip(received.g) {
            *out = (received.gradient(x, g) - mean_gradient - (x - mean) * along) * factor;
        }
    }
}

/// What goes to the input when the result of [`forward`], with [`Then::Relu`] if `relu`, receives `g`, and the gradients of all weights,
/// then of all biases. Given are the weights, the biases and what `forward` gave of statistics.
pub(super) fn backward<T: Float>(
    x: &[T],
    g: &[T],
    channels: [&[T]; 3],
    sizes: Sizes,
    epsilon: f64,
    relu: bool,
) -> (Buffer<T>, Buffer<T>) {
    let send = if relu { send_back::<T, true> } else { send_back::<T, false> };
    send(x, g, channels, sizes, epsilon)
}

fn send_back<T: Float, const RELU: bool>(
    x: &[T],
    g: &[T],
    [weight, bias, statistics]: [&[T]; 3],
    sizes: Sizes,
    epsilon: f64,
) -> (Buffer<T>, Buffer<T>) {
    let mut out = Buffer::scratch(x.len());
    let mut sums = Buffer::filled(2 * sizes.channels, T::ZERO);
    let (out_base, base) = (SharedMut::new(out.as_mut_ptr()), SharedMut::new(sums.as_mut_ptr()));
    for_each_piece(sizes.channels, |channel| {
        let (mean, variance) = (statistics[channel], statistics[sizes.channels + channel]);
        let deviation = (variance + T::from_f64(epsilon)).sqrt();
        let line = Line { mean, factor: weight[channel] / deviation, bias: bias[channel] };
        let received = Received::<T, RELU> { x, g, line };
        let [along, sum] = dispatch(Sums { received, sizes, channel });
        // SAFETY: each channel has two places of its own.
        unsafe {
            base.part(channel, 1)[0] = along / deviation;
            base.part(sizes.channels + channel, 1)[0] = sum;
        }
        let count = sizes.count::<T>();
        let (along, mean_gradient) = (along / (count * deviation * deviation), sum / count);
        for start in sizes.starts(channel) {
            // SAFETY: each channel of a sample has a part of its own, as long as in `x`.
            let out = unsafe { out_base.part(start, sizes.size) };
            dispatch(SendBack { received: received.sample(start, sizes.size), out, along, mean_gradient });
        }
    });
    (out, sums)
}
