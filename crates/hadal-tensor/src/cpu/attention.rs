//! Attention and what it sends back, head by head: scores, their softmax and the sums of values stay near the processor, and what no
//! query attends to is not computed.

use super::buffer::{Buffer, Plain};
use super::gemm::kernels::Gemm;
use super::gemm::share::{share, tiled};
use super::gemm::{Matrix, Sizes, near, row_room, transposed};
use super::masked_softmax::{GradientRows, Rows};
use super::simd::dispatch;
use super::threads::SharedMut;
use crate::shape::Layout;

/// Bytes that stay in the second cache beside all else. Not a share of the machine's: how sums of more keys than a pass of a product has
/// are added depends on it.
const NEAR: usize = 256 * 1024;

/// Queries `[N, H, T, D]`, keys `[N, H, S, D]` and values `[N, H, S, V]`.
pub(super) struct Heads<'a, T> {
    data: [&'a [T]; 3],
    layouts: [&'a Layout; 3],
    scale: T,
    /// One more than the last key that the first query attends to; all, if attention is not causal.
    causal: Option<isize>,
}

impl<'a, T: Gemm> Heads<'a, T> {
    /// `None` where there is nothing to compute, or the scores of a head are more than [`NEAR`]: their products are faster by themselves.
    pub fn new(data: [&'a [T]; 3], layouts: [&'a Layout; 3], scale: f64, causal: bool) -> Option<Heads<'a, T>> {
        let [samples, heads, queries, size] = layouts[0].shape[..] else { return None };
        let [keys, width] = [layouts[2].shape[2], layouts[2].shape[3]];
        // What is expanded may have more elements than there is memory: the steps say so.
        let fits = |rows: usize, columns: usize| {
            let elements = samples.checked_mul(heads)?.checked_mul(rows)?.checked_mul(columns)?;
            Some(elements > 0 && elements <= isize::MAX as usize / size_of::<T>())
        };
        let places = queries.max(row_room::<T>(keys));
        if !(fits(places, size)? && fits(places, width)? && fits(queries, keys)?)
            || queries * keys * size_of::<T>() > NEAR
        {
            return None;
        }
        let causal = causal.then_some(keys as isize - queries as isize + 1);
        Some(Heads { data, layouts, scale: T::from_f64(scale), causal })
    }

    fn batch(&self) -> usize {
        self.layouts[0].shape[0]
    }

    fn heads(&self) -> usize {
        self.layouts[0].shape[1]
    }

    fn queries(&self) -> usize {
        self.layouts[0].shape[2]
    }

    fn keys(&self) -> usize {
        self.layouts[1].shape[2]
    }

    /// The features of queries and keys, and those of values.
    fn features(&self) -> [usize; 2] {
        [self.layouts[1].shape[3], self.layouts[2].shape[3]]
    }

    /// Of a head: its queries, keys and values.
    fn matrices(&self, head: usize) -> [Matrix<'a, T>; 3] {
        [0, 1, 2].map(|which| self.matrix((self.data[which], self.layouts[which]), head))
    }

    fn matrix<'b>(&self, (data, layout): (&'b [T], &Layout), head: usize) -> Matrix<'b, T> {
        let strides = layout.strides();
        let (sample, head) = ((head / self.heads()) as isize, (head % self.heads()) as isize);
        let offset = (layout.offset as isize + sample * strides[0] + head * strides[1]) as usize;
        Matrix { data, offset, row_stride: strides[2], column_stride: strides[3] }
    }

    /// Rows of tiles: queries, or keys, that are worked on together.
    fn height(&self) -> usize {
        T::kernels().tiles.best_for(self.keys()).height
    }

    /// How many keys the queries before `end` attend to.
    fn visible(&self, end: usize) -> usize {
        let keys = self.keys();
        self.causal.map_or(keys, |first| (first + end as isize - 1).clamp(0, keys as isize) as usize)
    }

    /// The first query that attends to the keys from `key` on.
    fn first_query(&self, key: usize) -> usize {
        self.causal.map_or(0, |first| (key as isize - first + 1).clamp(0, self.queries() as isize) as usize)
    }

    fn for_each_head(&self, products: usize, piece: impl Fn(usize) + Sync) {
        let heads = self.batch() * self.heads();
        let [size, width] = self.features();
        let work = (size + width).saturating_mul(self.queries() * self.keys() * products * heads);
        share(work, tiled::<T>(), heads, piece);
    }

    /// Where the rows of a head begin in `[N, rows, H, width]`, and how far they are apart.
    fn place(&self, head: usize, rows: usize, width: usize) -> (usize, usize) {
        let (sample, index) = (head / self.heads(), head % self.heads());
        ((sample * rows * self.heads() + index) * width, self.heads() * width)
    }

    /// The result `[N, T, H, V]`, and, if they are to be kept, the shares `[N, H, T, S]`.
    pub fn forward(&self, keeps_shares: bool) -> (Buffer<T>, Option<Buffer<T>>) {
        let ([size, width], queries, keys) = (self.features(), self.queries(), self.keys());
        let count = self.batch() * self.heads();
        let mut out = Buffer::scratch(count * queries * width);
        let mut kept = keeps_shares.then(|| Buffer::scratch(count * queries * keys));
        let base = SharedMut::new(out.as_mut_ptr());
        let kept_base = kept.as_mut().map(|shares| SharedMut::new(shares.as_mut_ptr()));
        let height = self.height();
        self.for_each_head(1, |head| {
            let [q, k, v] = self.matrices(head);
            let columns = self.columns(k, size);
            let mut scores = Buffer::scratch(height * keys);
            let mut passing = Buffer::scratch(if keeps_shares { 0 } else { queries * keys });
            let shares = match kept_base {
                // SAFETY: each head has shares of its own, within the buffer.
                Some(base) => unsafe { base.part(head * queries * keys, queries * keys) },
                None => &mut passing[..],
            };
            let (start, stride) = self.place(head, queries, width);
            for first in (0..queries).step_by(height) {
                let rows = height.min(queries - first);
                let visible = self.visible(first + rows);
                let sizes = Sizes { rows, depth: size, columns: visible };
                // SAFETY: `scores` holds so many rows of `keys`, and is this thread's.
                unsafe { near(q.from(first, 0), columns.matrix(), sizes, SharedMut::new(scores.as_mut_ptr()), keys) };
                dispatch(Rows {
                    out: &mut shares[first * keys..][..rows * keys],
                    x: &scores[..rows * keys],
                    first: head * queries + first,
                    length: keys,
                    queries,
                    causal: self.causal,
                    scale: self.scale,
                    hidden: None,
                });
                let shares = Matrix { data: shares, offset: first * keys, row_stride: keys as isize, column_stride: 1 };
                let sizes = Sizes { rows, depth: visible, columns: width };
                // SAFETY: these rows of `out` are this head's, and no other thread's.
                unsafe { send(shares, v, sizes, base, start + first * stride, stride) };
            }
        });
        (out, kept)
    }

    /// What goes to queries, keys and values: `[N, T, H, D]`, `[N, S, H, D]` and `[N, S, H, V]`.
    pub fn backward(&self, all_shares: &[T], g: (&[T], &Layout)) -> [Buffer<T>; 3] {
        let ([size, width], queries, keys) = (self.features(), self.queries(), self.keys());
        let count = self.batch() * self.heads();
        assert!(all_shares.len() == count * queries * keys, "attention: the shares are of another size");
        let mut outs = [queries * size, keys * size, keys * width].map(|each| Buffer::scratch(count * each));
        let [for_q, for_k, for_v] = outs.each_mut().map(|out| SharedMut::new(out.as_mut_ptr()));
        let height = self.height();
        self.for_each_head(2, |head| {
            let [q, k, v] = self.matrices(head);
            let g = self.matrix(g, head);
            let shares = &all_shares[head * queries * keys..][..queries * keys];
            let columns = self.columns(v, width);
            // Zeros stay where no query attends.
            let mut for_shares = Buffer::filled(height * keys, T::ZERO);
            let mut for_scores = Buffer::scratch(queries * keys);
            let (start, stride) = self.place(head, queries, size);
            for first in (0..queries).step_by(height) {
                let rows = height.min(queries - first);
                let visible = self.visible(first + rows);
                let sizes = Sizes { rows, depth: width, columns: visible };
                let to = SharedMut::new(for_shares.as_mut_ptr());
                // SAFETY: `for_shares` holds so many rows of `keys`, and is this thread's.
                unsafe { near(g.from(first, 0), columns.matrix(), sizes, to, keys) };
                let part = first * keys..(first + rows) * keys;
                let (y, g) = (&shares[part.clone()], &for_shares[..rows * keys]);
                dispatch(GradientRows { out: &mut for_scores[part], y, g, length: keys, scale: self.scale });
                let scores =
                    Matrix { data: &for_scores, offset: first * keys, row_stride: keys as isize, column_stride: 1 };
                let sizes = Sizes { rows, depth: visible, columns: size };
                // SAFETY: these rows of the gradient are this head's, and no other thread's.
                unsafe { send(scores, k, sizes, for_q, start + first * stride, stride) };
            }
            for first in (0..keys).step_by(height) {
                let rows = height.min(keys - first);
                let query = self.first_query(first);
                let depth = queries - query;
                // The columns of these keys, over the queries that attend to them.
                let turned =
                    |data| Matrix { data, offset: query * keys + first, row_stride: 1, column_stride: keys as isize };
                let to_keys = (turned(&for_scores[..]), q, size, for_k);
                for (turned, over, columns, to) in [to_keys, (turned(shares), g, width, for_v)] {
                    let (start, stride) = self.place(head, keys, columns);
                    let sizes = Sizes { rows, depth, columns };
                    // SAFETY: as above.
                    unsafe { send(turned, over.from(query, 0), sizes, to, start + first * stride, stride) };
                }
            }
        });
        outs
    }

    /// Keys or values as the right matrix of a product whose columns they are.
    fn columns(&self, rows: Matrix<T>, width: usize) -> Columns<T> {
        let pitch = row_room::<T>(self.keys());
        let mut numbers = Buffer::scratch(width * pitch);
        transposed(rows.flipped(), width, self.keys(), pitch, &mut numbers);
        Columns { numbers, pitch }
    }
}

/// A product to rows `stride` apart, from `start` on; zeros where there is nothing to sum.
///
/// # Safety
/// The rows must lie within the buffer of `to`, and nobody else may use them.
#[inline(always)]
unsafe fn send<T: Gemm>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, to: SharedMut<T>, start: usize, stride: usize) {
    if sizes.depth == 0 {
        for row in 0..sizes.rows {
            // SAFETY: the caller's contract.
            unsafe { to.part(start + row * stride, sizes.columns) }.fill(T::ZERO);
        }
        return;
    }
    let to = SharedMut::new(to.pointer().wrapping_add(start));
    // SAFETY: the caller's contract.
    unsafe { near(a, b, sizes, to, stride) };
}

/// A transposed copy.
struct Columns<T: Plain> {
    numbers: Buffer<T>,
    pitch: usize,
}

impl<T: Plain> Columns<T> {
    fn matrix(&self) -> Matrix<'_, T> {
        Matrix { data: &self.numbers, offset: 0, row_stride: self.pitch as isize, column_stride: 1 }
    }
}
