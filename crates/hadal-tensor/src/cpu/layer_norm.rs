//! Layer normalization and what it sends back, row by row.

use super::buffer::Buffer;
use super::copy;
use super::float::Float;
use super::reduce::{Sum, fold_slice};
use super::simd::{Task, dispatch};
use super::threads::{SharedMut, for_each_part};
use crate::shape::Layout;

/// Elements per piece of parallel work.
const PIECE: usize = 16 * 1024;

/// The mean of a row and 1 over its deviation; `scratch` is as long as the row, and holds the row less its mean then.
#[inline(always)]
fn normalize<T: Float>(x: &[T], scratch: &mut [T], squares: &mut [T], epsilon: T) -> T {
    let count = T::from_f64(x.len() as f64);
    let mean = fold_slice(x, Sum) / count;
    for ((scratch, square), &x) in scratch.iter_mut().zip(squares.iter_mut()).zip(x) {
        *scratch = x - mean;
        *square = *scratch * *scratch;
    }
    T::ONE / (fold_slice(squares, Sum) / count + epsilon).sqrt()
}

struct Forward<'a, T> {
    out: &'a mut [T],
    x: &'a [T],
    weight: Option<&'a [T]>,
    bias: Option<&'a [T]>,
    length: usize,
    epsilon: T,
}

impl<T: Float> Task for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let mut squares = vec![T::ZERO; self.length];
        for (x, out) in self.x.chunks_exact(self.length).zip(self.out.chunks_exact_mut(self.length)) {
            let factor = normalize(x, out, &mut squares, self.epsilon);
            match (self.weight, self.bias) {
                (Some(weight), Some(bias)) => {
                    for ((out, &weight), &bias) in out.iter_mut().zip(weight).zip(bias) {
                        *out = *out * factor * weight + bias;
                    }
                }
                (weight, bias) => {
                    for out in out.iter_mut() {
                        *out = *out * factor;
                    }
                    for (out, &weight) in out.iter_mut().zip(weight.unwrap_or_default()) {
                        *out = *out * weight;
                    }
                    for (out, &bias) in out.iter_mut().zip(bias.unwrap_or_default()) {
                        *out = *out + bias;
                    }
                }
            }
        }
    }
}

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias` along the last axis.
pub(super) fn forward<T: Float>(
    x: &[T],
    layout: &Layout,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    epsilon: f64,
) -> Buffer<T> {
    let length = layout.shape[layout.shape.rank() - 1];
    let x = copy::contiguous(x, layout);
    let mut out = Buffer::scratch(x.len());
    if out.is_empty() {
        return out;
    }
    let (rows, epsilon) = ((PIECE / length).max(1), T::from_f64(epsilon));
    for_each_part(&mut out, rows * length, |start, out| {
        let x = &x[start..start + out.len()];
        dispatch(Forward { out, x, weight, bias, length, epsilon });
    });
    out
}

struct Backward<'a, T> {
    /// What goes to the input, and the sums for weight and bias.
    out: &'a mut [T],
    sums: &'a mut [T],
    x: &'a [T],
    g: &'a [T],
    weight: Option<&'a [T]>,
    length: usize,
    epsilon: T,
}

impl<T: Float> Task for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let count = T::from_f64(self.length as f64);
        let (mut scratch, mut weighed) = (vec![T::ZERO; self.length], vec![T::ZERO; self.length]);
        let (for_weight, for_bias) = self.sums.split_at_mut(self.length);
        for_weight.fill(T::ZERO);
        for_bias.fill(T::ZERO);
        let rows = self.x.chunks_exact(self.length).zip(self.g.chunks_exact(self.length));
        for ((x, g), out) in rows.zip(self.out.chunks_exact_mut(self.length)) {
            let factor = normalize(x, out, &mut scratch, self.epsilon);
            for (((out, &g), sum), bias) in out.iter_mut().zip(g).zip(for_weight.iter_mut()).zip(for_bias.iter_mut()) {
                *out = *out * factor;
                *sum = *sum + g * *out;
                *bias = *bias + g;
            }
            match self.weight {
                Some(weight) => {
                    for ((weighed, &g), &weight) in weighed.iter_mut().zip(g).zip(weight) {
                        *weighed = g * weight;
                    }
                }
                None => weighed.copy_from_slice(g),
            }
            let mean = fold_slice(&weighed, Sum) / count;
            for ((scratch, &weighed), &normal) in scratch.iter_mut().zip(&weighed).zip(out.iter()) {
                *scratch = weighed * normal;
            }
            let along = fold_slice(&scratch, Sum) / count;
            for (out, &weighed) in out.iter_mut().zip(&weighed) {
                *out = (weighed - mean - *out * along) * factor;
            }
        }
    }
}

/// What goes to the input when the result receives `g`, and for each group of rows the sums for weight and bias:
/// `[groups, 2, length]`. Groups are cut by size, so the sums do not depend on threads.
pub(super) fn backward<T: Float>(
    (x, layout): (&[T], &Layout),
    (g, other): (&[T], &Layout),
    weight: Option<&[T]>,
    epsilon: f64,
) -> (Buffer<T>, Buffer<T>) {
    let length = layout.shape[layout.shape.rank() - 1];
    let (x, g) = (copy::contiguous(x, layout), copy::contiguous(g, other));
    let mut out = Buffer::scratch(x.len());
    if out.is_empty() {
        return (out, Buffer::filled(0, T::ZERO));
    }
    let part = (PIECE / length).max(1) * length;
    let mut sums = Buffer::scratch(x.len().div_ceil(part) * 2 * length);
    let (total, epsilon, base) = (x.len(), T::from_f64(epsilon), SharedMut::new(out.as_mut_ptr()));
    for_each_part(&mut sums, 2 * length, |start, sums| {
        let first = start / (2 * length) * part;
        let size = part.min(total - first);
        // SAFETY: first < total, as there is a piece of `sums` for every part that begins before the end of `out`; parts of
        // different pieces do not overlap, and `out` is not touched until all are done.
        let out = unsafe { base.part(first, size) };
        let (x, g) = (&x[first..first + size], &g[first..first + size]);
        dispatch(Backward { out, sums, x, g, weight, length, epsilon });
    });
    (out, sums)
}
