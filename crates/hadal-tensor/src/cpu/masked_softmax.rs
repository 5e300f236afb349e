//! Softmax of scores of which some do not count, and what it sends back: one pass over rows that stay near the processor.

use super::buffer::Buffer;
use super::copy;
use super::float::Float;
use super::reduce::{Fold, LANES, Sum, fold_slice};
use super::simd::{Task, dispatch};
use super::strided::at;
use super::threads::for_each_part;
use crate::shape::Layout;

/// Elements per piece of parallel work: exponentials weigh more than additions.
const PIECE: usize = 16 * 1024;

/// Which elements of a row do not count: all those whose byte is not 0.
#[derive(Clone, Copy)]
pub(super) struct Hidden<'a> {
    pub bytes: &'a [u8],
    /// With the shape of the scores.
    pub layout: &'a Layout,
}

impl Hidden<'_> {
    /// Where a row begins: `row` counts over all axes but the last.
    #[inline(always)]
    fn start(&self, mut row: usize) -> usize {
        let last = self.layout.shape.rank() - 1;
        let mut place = self.layout.offset as isize;
        for axis in (0..last).rev() {
            let size = self.layout.shape[axis];
            place += (row % size) as isize * self.layout.strides[axis];
            row /= size;
        }
        place as usize
    }
}

/// The largest, which may pass over NaN: a single instruction.
#[derive(Clone, Copy)]
struct Largest;

impl<T: Float> Fold<T> for Largest {
    #[inline(always)]
    fn start(self) -> T {
        T::LOWEST
    }
    #[inline(always)]
    fn join(self, a: T, b: T) -> T {
        if a > b { a } else { b }
    }
}

/// Softmax of rows.
pub(super) struct Rows<'a, T> {
    pub out: &'a mut [T],
    pub x: &'a [T],
    /// The number of the first row.
    pub first: usize,
    pub length: usize,
    /// Rows of a matrix, and how many elements its first row has before those that are hidden; all, if it is not causal.
    pub queries: usize,
    pub causal: Option<isize>,
    pub scale: T,
    pub hidden: Option<Hidden<'a>>,
}

impl<T: Float> Task for Rows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let rows = self.x.chunks_exact(self.length).zip(self.out.chunks_exact_mut(self.length));
        for (index, (x, out)) in rows.enumerate() {
            let row = self.first + index;
            let visible = self.causal.map_or(self.length, |first| {
                (first + (row % self.queries) as isize).clamp(0, self.length as isize) as usize
            });
            // Up to whole vectors: what is left over would be computed one by one.
            let computed = visible.next_multiple_of(LANES).min(self.length);
            let (out, beyond) = out.split_at_mut(computed);
            beyond.fill(T::ZERO);
            let x = &x[..computed];
            for (i, (out, &x)) in out.iter_mut().zip(x).enumerate() {
                *out = if i < visible { x } else { T::LOWEST };
            }
            if let Some(hidden) = self.hidden {
                let (start, step) = (hidden.start(row), hidden.layout.strides[hidden.layout.shape.rank() - 1]);
                for (i, out) in out[..visible].iter_mut().enumerate() {
                    *out = if at(hidden.bytes, start, step, i) != 0 { T::LOWEST } else { *out };
                }
            }
            let largest = fold_slice(out, Largest);
            if largest == T::LOWEST && !out.iter().any(|x| x.is_nan()) {
                // Nothing counts.
                out.fill(T::ZERO);
                continue;
            }
            if largest == T::HIGHEST {
                // What is infinite shares everything, as in the limit; infinity less infinity would be NaN.
                let ways = out.iter().fold(T::ZERO, |ways, &x| if x == largest { ways + T::ONE } else { ways });
                for out in out.iter_mut().filter(|x| !x.is_nan()) {
                    *out = if *out == largest { T::ONE / ways } else { T::ZERO };
                }
                continue;
            }
            for out in out.iter_mut() {
                *out = ((*out - largest) * self.scale).exp();
            }
            let share = T::ONE / fold_slice(out, Sum);
            for out in out.iter_mut() {
                *out = *out * share;
            }
        }
    }
}

/// Softmax of `scale * x` along the last axis over what counts; zeros where nothing does. If `causal`, row `i` of `T` has the
/// elements up to `i + S - T`.
pub(super) fn softmax<T: Float>(
    x: &[T],
    layout: &Layout,
    scale: f64,
    causal: bool,
    hidden: Option<Hidden>,
) -> Buffer<T> {
    let rank = layout.shape.rank();
    let (queries, length) = (if rank > 1 { layout.shape[rank - 2] } else { 1 }, layout.shape[rank - 1]);
    let x = copy::contiguous(x, layout);
    let mut out = Buffer::scratch(x.len());
    if out.is_empty() {
        return out;
    }
    let rows = (PIECE / length).max(1);
    let (scale, causal) = (T::from_f64(scale), causal.then_some(length as isize - queries as isize + 1));
    for_each_part(&mut out, rows * length, |start, out| {
        let x = &x[start..start + out.len()];
        dispatch(Rows { out, x, first: start / length, length, queries, causal, scale, hidden });
    });
    out
}

/// What it sends back.
pub(super) struct GradientRows<'a, T> {
    pub out: &'a mut [T],
    pub y: &'a [T],
    pub g: &'a [T],
    pub length: usize,
    pub scale: T,
}

impl<T: Float> Task for GradientRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let rows = self.y.chunks_exact(self.length).zip(self.g.chunks_exact(self.length));
        for ((y, g), out) in rows.zip(self.out.chunks_exact_mut(self.length)) {
            for ((out, &y), &g) in out.iter_mut().zip(y).zip(g) {
                *out = g * y;
            }
            let mean = fold_slice(out, Sum);
            for ((out, &y), &g) in out.iter_mut().zip(y).zip(g) {
                *out = y * (g - mean) * self.scale;
            }
        }
    }
}

/// `scale * y (g - sum(g y))` along the last axis: what a softmax of `scale * x` whose result is `y` sends back.
pub(super) fn gradient<T: Float>((y, left): (&[T], &Layout), (g, right): (&[T], &Layout), scale: f64) -> Buffer<T> {
    let length = left.shape[left.shape.rank() - 1];
    let (y, g) = (copy::contiguous(y, left), copy::contiguous(g, right));
    let mut out = Buffer::scratch(y.len());
    if out.is_empty() {
        return out;
    }
    let (rows, scale) = ((PIECE / length).max(1), T::from_f64(scale));
    for_each_part(&mut out, rows * length, |start, out| {
        let part = start..start + out.len();
        dispatch(GradientRows { out, y: &y[part.clone()], g: &g[part], length, scale });
    });
    out
}
