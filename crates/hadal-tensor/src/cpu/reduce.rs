//! Reductions over the trailing axes of a view.
//!
//! Every result is added in an order fixed by the sizes: sixteen lanes over runs of 1,024 elements, whose results are
//! added pairwise. So the error grows with the logarithm of the length, and threads do not matter.

use super::buffer::Buffer;
use super::copy;
use super::float::{Float, Number};
use super::simd::{Task, dispatch};
use super::threads::for_each_part;
use crate::backend::ReduceOp;
use crate::shape::Layout;

pub(super) const LANES: usize = 16;
const RUN: usize = 1024;
/// Rows that are added to one partial result when the summed axis is the outer one.
const ROWS: usize = 128;

/// An associative function and its neutral element.
pub(super) trait Fold<T>: Copy + Sync {
    fn start(self) -> T;
    fn join(self, a: T, b: T) -> T;
}

#[derive(Clone, Copy)]
pub(super) struct Sum;
impl<T: Number> Fold<T> for Sum {
    #[inline(always)]
    fn start(self) -> T {
        T::ZERO
    }
    #[inline(always)]
    fn join(self, a: T, b: T) -> T {
        a.plus(b)
    }
}

#[derive(Clone, Copy)]
struct Max;
impl<T: Number> Fold<T> for Max {
    #[inline(always)]
    fn start(self) -> T {
        T::LOWEST
    }
    #[inline(always)]
    fn join(self, a: T, b: T) -> T {
        a.larger(b)
    }
}

#[derive(Clone, Copy)]
struct Min;
impl<T: Number> Fold<T> for Min {
    #[inline(always)]
    fn start(self) -> T {
        T::HIGHEST
    }
    #[inline(always)]
    fn join(self, a: T, b: T) -> T {
        a.smaller(b)
    }
}

/// One run of at most [`RUN`] elements.
#[inline(always)]
fn fold_run<T: Number, F: Fold<T>>(x: &[T], fold: F) -> T {
    let mut lanes = [fold.start(); LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = fold.join(lanes[lane], chunk[lane]);
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        lanes[lane] = fold.join(lanes[lane], x);
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] = fold.join(lanes[lane], lanes[lane + width]);
        }
    }
    lanes[0]
}

/// A whole slice: runs, joined pairwise.
#[inline(always)]
pub(super) fn fold_slice<T: Number, F: Fold<T>>(x: &[T], fold: F) -> T {
    if x.len() <= RUN {
        return fold_run(x, fold);
    }
    // partial[k] joins 2^k runs; like a binary counter, two of a kind make one of the next.
    let mut partial = [fold.start(); 64];
    let mut count = 0usize;
    for run in x.chunks(RUN) {
        let mut value = fold_run(run, fold);
        let mut level = 0;
        while count >> level & 1 == 1 {
            value = fold.join(partial[level], value);
            level += 1;
        }
        partial[level] = value;
        count += 1;
    }
    let mut result = None;
    for (level, &value) in partial.iter().enumerate() {
        if count >> level & 1 == 1 {
            result = Some(match result {
                None => value,
                Some(later) => fold.join(value, later),
            });
        }
    }
    result.unwrap_or(fold.start())
}

struct FoldRows<'a, T, F> {
    out: &'a mut [T],
    start: usize,
    x: &'a [T],
    length: usize,
    fold: F,
}

impl<T: Number, F: Fold<T>> Task for FoldRows<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (i, out) in self.out.iter_mut().enumerate() {
            let row = (self.start + i) * self.length;
            *out = fold_slice(&self.x[row..row + self.length], self.fold);
        }
    }
}

/// Pieces of rows that hold about this many elements are handed to one thread.
const PIECE: usize = 64 * 1024;

/// Each of the rows of `length` adjacent elements.
fn fold_rows<T: Number, F: Fold<T>>(x: &[T], rows: usize, length: usize, fold: F) -> Buffer<T> {
    if rows == 1 && length > PIECE {
        // One long row: the same tree, its lowest levels in parallel.
        let pieces = length.div_ceil(PIECE);
        let mut partial = Buffer::filled(pieces, T::ZERO);
        for_each_part(&mut partial, 1, |piece, out| {
            let part = &x[piece * PIECE..((piece + 1) * PIECE).min(length)];
            dispatch(FoldRows { out, start: 0, x: part, length: part.len(), fold });
        });
        return fold_rows(&partial, 1, pieces, fold);
    }
    let mut out = Buffer::scratch(rows);
    for_each_part(&mut out, (PIECE / length.max(1)).max(1), |start, out| {
        dispatch(FoldRows { out, start, x, length, fold });
    });
    out
}

struct FoldColumns<'a, T, F> {
    out: &'a mut [T],
    x: &'a [T],
    offset: usize,
    stride: usize,
    rows: usize,
    fold: F,
}

impl<T: Number, F: Fold<T>> Task for FoldColumns<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let width = self.out.len();
        self.out.fill(self.fold.start());
        for row in 0..self.rows {
            let start = self.offset + row * self.stride;
            for (out, &x) in self.out.iter_mut().zip(&self.x[start..start + width]) {
                *out = self.fold.join(*out, x);
            }
        }
    }
}

/// Each of `columns` adjacent columns over `rows` rows that lie `stride` apart.
fn fold_columns<T: Number, F: Fold<T>>(
    x: &[T],
    offset: usize,
    stride: usize,
    rows: usize,
    columns: usize,
    fold: F,
) -> Buffer<T> {
    let mut out = Buffer::scratch(columns);
    let groups = rows.div_ceil(ROWS).max(1);
    if groups == 1 {
        let width = (PIECE / rows.max(1)).max(64);
        for_each_part(&mut out, width, |start, out| {
            dispatch(FoldColumns { out, x, offset: offset + start, stride, rows, fold });
        });
        return out;
    }
    let mut partial = Buffer::scratch(groups * columns);
    for_each_part(&mut partial, columns, |start, out| {
        let first = start / columns * ROWS;
        let rows = ROWS.min(rows - first);
        dispatch(FoldColumns { out, x, offset: offset + first * stride, stride, rows, fold });
    });
    fold_columns(&partial, 0, columns, groups, columns, fold)
}

fn fold<T: Number, F: Fold<T>>(x: &[T], layout: &Layout, axes: usize, fold: F) -> Buffer<T> {
    let kept = layout.shape.rank() - axes;
    let rows: usize = layout.shape[..kept].iter().product();
    let length: usize = layout.shape[kept..].iter().product();
    if rows * length == 0 {
        return Buffer::filled(rows, fold.start());
    }
    if layout.is_contiguous() {
        return fold_rows(&x[layout.offset..layout.offset + rows * length], rows, length, fold);
    }
    // Adjacent columns summed over rows: the gradient of a bias.
    let columns = Layout { shape: crate::Shape::new(&layout.shape[..kept]), ..*layout };
    if axes == 1 && columns.is_contiguous() && layout.strides[kept] >= 0 {
        let stride = layout.strides[kept] as usize;
        return fold_columns(x, layout.offset, stride, length, rows, fold);
    }
    // The same of channels: for each sample, what lies side by side, then over samples.
    let by_sample = (0..kept).rev().fold(*layout, |layout, axis| layout.transpose(axis, axis + 1));
    if axes > 1 && by_sample.is_contiguous() {
        let samples = layout.shape[kept];
        let sums = fold_rows(&x[layout.offset..][..rows * length], samples * rows, length / samples, fold);
        return fold_columns(&sums, 0, rows, samples, rows, fold);
    }
    fold_rows(&copy::contiguous(x, layout), rows, length, fold)
}

pub(super) fn reduce<T: Number>(op: ReduceOp, x: &[T], layout: &Layout, axes: usize) -> Buffer<T> {
    match op {
        ReduceOp::Sum => fold(x, layout, axes, Sum),
        ReduceOp::Max => fold(x, layout, axes, Max),
        ReduceOp::Min => fold(x, layout, axes, Min),
    }
}

/// Bytes, added as `i64`, in which their number is limited by memory alone.
pub(super) fn sum_bytes(x: &[u8], layout: &Layout, axes: usize) -> Buffer<i64> {
    let kept = layout.shape.rank() - axes;
    let rows: usize = layout.shape[..kept].iter().product();
    let length: usize = layout.shape[kept..].iter().product();
    let x = copy::contiguous(x, layout);
    let mut out = Buffer::scratch(rows);
    for_each_part(&mut out, (PIECE / length.max(1)).max(1), |start, out| {
        for (i, out) in out.iter_mut().enumerate() {
            *out = x[(start + i) * length..][..length].iter().map(|&byte| i64::from(byte)).sum();
        }
    });
    out
}

/// The index of the largest or smallest element of each row.
pub(super) fn arg_extreme<T: Number>(op: ReduceOp, x: &[T], layout: &Layout) -> Buffer<i64> {
    match op {
        ReduceOp::Min => index_of(x, layout, |value, best| value < best),
        _ => index_of(x, layout, |value, best| value > best),
    }
}

/// The index of the first element of each row that none is `better` than; of the first NaN if there is one.
fn index_of<T: Number>(x: &[T], layout: &Layout, better: impl Fn(T, T) -> bool + Sync) -> Buffer<i64> {
    let length = layout.shape[layout.shape.rank() - 1];
    let x = copy::contiguous(x, layout);
    let mut out = Buffer::scratch(x.len() / length);
    for_each_part(&mut out, (PIECE / length).max(1), |start, out| {
        for (i, out) in out.iter_mut().enumerate() {
            let row = &x[(start + i) * length..(start + i + 1) * length];
            let mut best = 0;
            for (index, &value) in row.iter().enumerate() {
                if !row[best].is_nan() && (better(value, row[best]) || value.is_nan()) {
                    best = index;
                }
            }
            *out = best as i64;
        }
    });
    out
}

struct SoftmaxRows<'a, T> {
    out: &'a mut [T],
    x: &'a [T],
    length: usize,
    logarithm: bool,
}

impl<T: Float> Task for SoftmaxRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let rows = self.x.chunks_exact(self.length).zip(self.out.chunks_exact_mut(self.length));
        for (x, out) in rows {
            let largest = fold_slice(x, Max);
            if largest == T::HIGHEST {
                // What is infinite shares everything, as in the limit; infinity less infinity would be NaN.
                let ways = x.iter().fold(T::ZERO, |ways, &x| if x == largest { ways + T::ONE } else { ways });
                for (out, &x) in out.iter_mut().zip(x) {
                    let share = if x == largest { T::ONE / ways } else { T::ZERO };
                    *out = if self.logarithm { share.ln() } else { share };
                }
                continue;
            }
            for (out, &x) in out.iter_mut().zip(x) {
                *out = (x - largest).exp();
            }
            let sum = fold_slice(out, Sum);
            if self.logarithm {
                let log = sum.ln();
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = x - largest - log;
                }
            } else {
                for out in out.iter_mut() {
                    *out = *out / sum;
                }
            }
        }
    }
}

/// Softmax along the last axis, or its logarithm.
pub(super) fn softmax<T: Float>(x: &[T], layout: &Layout, logarithm: bool) -> Buffer<T> {
    let length = layout.shape[layout.shape.rank() - 1];
    let x = copy::contiguous(x, layout);
    let mut out = Buffer::scratch(x.len());
    if !out.is_empty() {
        // A quarter of the usual piece: exponentials weigh more than additions.
        let rows = (PIECE / 4 / length).max(1);
        for_each_part(&mut out, rows * length, |start, out| {
            let x = &x[start..start + out.len()];
            dispatch(SoftmaxRows { out, x, length, logarithm });
        });
    }
    out
}
