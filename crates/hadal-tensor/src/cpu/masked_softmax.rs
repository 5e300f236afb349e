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

/// The `visible` elements of a row of `length`, and so many more that they are whole vectors: what is left over would be computed one by one.
#[inline(always)]
pub(super) fn in_vectors(visible: usize, length: usize) -> usize {
    visible.next_multiple_of(LANES).min(length)
}

/// Rows that are taken together, one step after another, at most: a step of a row does not wait for the same of the row before, as the next
/// step of that would.
const TOGETHER: usize = 8;
/// Elements of rows that are taken together, so that they stay in the nearest cache.
const NEAR: usize = 4096;

/// How many rows of `length` are taken together.
#[inline(always)]
fn together(length: usize) -> usize {
    (NEAR / length).clamp(1, TOGETHER)
}

impl<T: Float> Rows<'_, T> {
    /// How many elements of a row of a matrix count, if all do that `causal` leaves.
    #[inline(always)]
    fn visible(&self, query: usize) -> usize {
        self.causal.map_or(self.length, |first| (first + query as isize).clamp(0, self.length as isize) as usize)
    }

    /// Copies what counts of a row, of which so many elements do by `causal`; the lowest number stands for the rest up to whole vectors, zeros
    /// beyond. The largest.
    #[inline(always)]
    fn copy(&self, row: usize, visible: usize, x: &[T], out: &mut [T]) -> T {
        let (out, beyond) = out.split_at_mut(in_vectors(visible, self.length));
        beyond.fill(T::ZERO);
        for (i, (out, &x)) in out.iter_mut().zip(x).enumerate() {
            *out = if i < visible { x } else { T::LOWEST };
        }
        if let Some(hidden) = self.hidden {
            let (start, step) = (hidden.start(row), hidden.layout.strides[hidden.layout.shape.rank() - 1]);
            for (i, out) in out[..visible].iter_mut().enumerate() {
                *out = if at(hidden.bytes, start, step, i) != 0 { T::LOWEST } else { *out };
            }
        }
        fold_slice(out, Largest)
    }
}

/// Softmax of a row whose largest number is no finite one, if it is so: true if it was.
#[inline(always)]
fn without_end<T: Float>(out: &mut [T], largest: T) -> bool {
    if largest == T::LOWEST && !out.iter().any(|x| x.is_nan()) {
        // Nothing counts.
        out.fill(T::ZERO);
        return true;
    }
    if largest == T::HIGHEST {
        // What is infinite shares everything, as in the limit; infinity less infinity would be NaN.
        let ways = out.iter().fold(T::ZERO, |ways, &x| if x == largest { ways + T::ONE } else { ways });
        for out in out.iter_mut().filter(|x| !x.is_nan()) {
            *out = if *out == largest { T::ONE / ways } else { T::ZERO };
        }
        return true;
    }
    false
}

impl<T: Float> Task for Rows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(mut self) {
        let (length, together) = (self.length, together(self.length));
        // Written while the settings are read.
        let all = std::mem::take(&mut self.out);
        let (x, all) = (self.x.chunks(together * length), all.chunks_mut(together * length));
        let (mut row, mut query) = (self.first, self.first % self.queries);
        for (x, out) in x.zip(all) {
            let mut largest = [T::ZERO; TOGETHER];
            let mut computed = [0; TOGETHER];
            let rows = out.chunks_exact_mut(length).zip(x.chunks_exact(length)).zip(&mut largest).zip(&mut computed);
            for (((out, x), largest), computed) in rows {
                let visible = self.visible(query);
                *largest = self.copy(row, visible, x, out);
                *computed = in_vectors(visible, length);
                row += 1;
                query = if query + 1 < self.queries { query + 1 } else { 0 };
            }
            for ((out, &largest), computed) in out.chunks_exact_mut(length).zip(&largest).zip(&mut computed) {
                if without_end(&mut out[..*computed], largest) {
                    *computed = 0;
                }
            }
            let mut shares = [T::ZERO; TOGETHER];
            for ((out, &largest), &computed) in out.chunks_exact_mut(length).zip(&largest).zip(&computed) {
                for out in out[..computed].iter_mut() {
                    *out = ((*out - largest) * self.scale).exp();
                }
            }
            for ((out, share), &computed) in out.chunks_exact(length).zip(&mut shares).zip(&computed) {
                *share = T::ONE / fold_slice(&out[..computed], Sum);
            }
            for ((out, &share), &computed) in out.chunks_exact_mut(length).zip(&shares).zip(&computed) {
                for out in out[..computed].iter_mut() {
                    *out = *out * share;
                }
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
    /// From here on all elements of each row are zero.
    pub computed: usize,
    pub scale: T,
}

impl<T: Float> Task for GradientRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let GradientRows { length, computed, scale, .. } = self;
        let size = together(length) * length;
        for ((y, g), out) in self.y.chunks(size).zip(self.g.chunks(size)).zip(self.out.chunks_mut(size)) {
            let (y, g) = (y.chunks_exact(length), g.chunks_exact(length));
            let mut means = [T::ZERO; TOGETHER];
            for ((out, (y, g)), mean) in out.chunks_exact_mut(length).zip(y.clone().zip(g.clone())).zip(&mut means) {
                let (out, beyond) = out.split_at_mut(computed);
                beyond.fill(T::ZERO);
                for ((out, &y), &g) in out.iter_mut().zip(y).zip(g) {
                    *out = g * y;
                }
                *mean = fold_slice(out, Sum);
            }
            for ((out, (y, g)), &mean) in out.chunks_exact_mut(length).zip(y.zip(g)).zip(&means) {
                for ((out, &y), &g) in out[..computed].iter_mut().zip(y).zip(g) {
                    *out = y * (g - mean) * scale;
                }
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
        dispatch(GradientRows { out, y: &y[part.clone()], g: &g[part], length, computed: length, scale });
    });
    out
}
