//! Attention and what it sends back, head by head: scores, their softmax and the sums of values stay near the processor, and what no
//! query attends to is not computed.

use std::ops::Range;

use super::buffer::Buffer;
use super::gemm::kernels::Gemm;
use super::gemm::kernels::vector::{NEAREST, SECOND, prefetch_all};
use super::gemm::share::{share, tiled};
use super::gemm::{Matrix, Near};
use super::masked_softmax::{GradientRows, Rows, in_vectors};
use super::simd::dispatch;
use super::threads::SharedMut;
use crate::shape::{Layout, Shape};

/// Bytes that stay in the second cache beside all else. Not a share of the machine's: how sums of more keys than a pass of a product has
/// are added depends on it.
const NEAR: usize = 256 * 1024;
/// Queries, or keys, that are worked on together, at most, unless a tile is higher: so many that what each row takes overlaps with the next
/// ones', and so few that little is computed that no query attends to.
const TOGETHER: usize = 16;
/// Bytes of a head's queries, keys and values from which on it pays to ask for the next head's, and for where sums go: in a training step
/// they lie far away. For smaller heads asking takes longer than it saves.
const ASKED_FOR: usize = 8 * 1024;
/// No less than what packing adds to a matrix's columns.
const ROOM: usize = 64;

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
            let (most_rows, most_columns) = (rows.checked_add(ROOM)?, columns.checked_add(ROOM)?);
            let elements = samples.checked_mul(heads)?.checked_mul(most_rows)?.checked_mul(most_columns)?;
            Some(elements > 0 && rows * columns > 0 && elements <= isize::MAX as usize / size_of::<T>())
        };
        let rows = queries.max(keys);
        if !(fits(rows, size)? && fits(rows, width)? && fits(queries, keys)?) || queries * keys * size_of::<T>() > NEAR
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

    /// Queries, or keys, that are worked on together: whole tiles of the product that gives scores.
    fn together(&self) -> usize {
        let height = T::kernels().tiles.best_for(self.keys()).height;
        (TOGETHER / height).max(1) * height
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

    /// Whether the next head, and where sums go, are asked for.
    fn asks(&self) -> bool {
        let [size, width] = self.features();
        (self.queries() * size + self.keys() * (size + width)) * size_of::<T>() >= ASKED_FOR
    }

    /// Asks for these rows of a head's queries, and of its keys and values as far as there are such: rows that lie apart would be waited for one
    /// by one.
    #[inline(always)]
    fn ask_for(&self, [q, k, v]: [Matrix<T>; 3], rows: Range<usize>) {
        let [size, width] = self.features();
        let keys = rows.start.min(self.keys())..rows.end.min(self.keys());
        ask_for(q, rows, size);
        ask_for(k, keys.clone(), size);
        ask_for(v, keys, width);
    }

    fn for_each_head(&self, products: usize, piece: impl Fn(usize) + Sync) {
        let heads = self.batch() * self.heads();
        let [size, width] = self.features();
        let work = (size + width).saturating_mul(self.queries() * self.keys() * products * heads);
        share(work, tiled::<T>(), heads, piece);
    }

    /// `[N, rows, H, width]`.
    fn heads_of(&self, rows: usize, width: usize) -> Layout {
        Layout::contiguous(Shape::from([self.batch(), rows, self.heads(), width]))
    }

    /// Where the rows of a head begin in such a layout, and how far they are apart.
    fn place(&self, head: usize, layout: &Layout) -> (usize, usize) {
        let (sample, index) = (head / self.heads(), head % self.heads());
        let start = layout.offset as isize + sample as isize * layout.strides[0] + index as isize * layout.strides[2];
        (start as usize, layout.strides[1] as usize)
    }

    /// Queries, keys and values that are heads `[N, T, 3 H, D]` of one tensor, if they are: what goes back to them is one tensor, too.
    fn as_one(&self) -> Option<Layout> {
        let ([q, k, v], [a, b, c]) = (self.data, self.layouts);
        let (heads, size) = (self.heads(), self.features()[0]);
        let one = Layout::contiguous(Shape::try_new(&[self.batch(), self.queries(), 3 * heads, size]).ok()?);
        let is_part = |layout: &Layout, which: usize| {
            let part = one.narrow(2, which * heads, heads).transpose(1, 2);
            *layout == Layout { offset: a.offset + part.offset, ..part }
        };
        let same = std::ptr::eq(q, k) && std::ptr::eq(k, v);
        (same && is_part(a, 0) && is_part(b, 1) && is_part(c, 2)).then_some(one)
    }

    /// The result `[N, T, H, V]`, and, if they are to be kept, the shares `[N, H, T, S]`.
    pub fn forward(&self, keeps_shares: bool) -> (Buffer<T>, Option<Buffer<T>>) {
        let ([size, width], queries, keys) = (self.features(), self.queries(), self.keys());
        let count = self.batch() * self.heads();
        let mut out = Buffer::scratch(count * queries * width);
        let mut kept = keeps_shares.then(|| Buffer::scratch(count * queries * keys));
        let base = SharedMut::new(out.as_mut_ptr());
        let kept_base = kept.as_mut().map(|shares| SharedMut::new(shares.as_mut_ptr()));
        let (together, asks, layout) = (self.together(), self.asks(), self.heads_of(queries, width));
        self.for_each_head(1, |head| {
            let [q, k, v] = self.matrices(head);
            let (to_scores, to_values) =
                (Near::new(k.flipped(), size, keys, queries), Near::new(v, keys, width, queries));
            let mut scores = Buffer::scratch(together * keys);
            let mut passing = Buffer::scratch(if keeps_shares { 0 } else { queries * keys });
            let shares = match kept_base {
                // SAFETY: each head has shares of its own, within the buffer.
                Some(base) => unsafe { base.part(head * queries * keys, queries * keys) },
                None => &mut passing[..],
            };
            let next = (asks && head + 1 < count).then(|| self.matrices(head + 1));
            let (start, stride) = self.place(head, &layout);
            for first in (0..queries).step_by(together) {
                let rows = together.min(queries - first);
                let visible = self.visible(first + rows);
                let out = part(base, start + first * stride);
                if let Some(next) = next {
                    self.ask_for(next, first..first + rows);
                }
                if asks {
                    ask_for_sums(out, rows, stride, width);
                }
                let to = SharedMut::new(scores.as_mut_ptr());
                // SAFETY: `scores` holds so many rows of `keys`, and is this thread's.
                unsafe { to_scores.multiply(q.from(first, 0), rows, 0..size, in_vectors(visible, keys), to, keys) };
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
                // SAFETY: these rows of `out` are this head's, and no other thread's.
                unsafe { to_values.multiply(shares, rows, 0..visible, width, out, stride) };
            }
        });
        (out, kept)
    }

    /// What goes to queries, keys and values: `[N, T, H, D]`, `[N, S, H, D]` and `[N, S, H, V]`.
    pub fn backward<S: Clone>(
        &self,
        all_shares: &[T],
        g: (&[T], &Layout),
        storage: impl Fn(Buffer<T>) -> S,
    ) -> [(S, Layout); 3] {
        let ([size, width], queries, keys) = (self.features(), self.queries(), self.keys());
        let count = self.batch() * self.heads();
        assert!(all_shares.len() == count * queries * keys, "attention: the shares are of another size");
        let one = self.as_one();
        let layouts = match one {
            Some(one) => [0, 1, 2].map(|which| one.narrow(2, which * self.heads(), self.heads())),
            None => [self.heads_of(queries, size), self.heads_of(keys, size), self.heads_of(keys, width)],
        };
        let mut outs: Vec<Buffer<T>> = match one {
            Some(one) => vec![Buffer::scratch(one.shape.elements())],
            None => layouts.map(|layout| Buffer::scratch(layout.shape.elements())).into(),
        };
        let bases: Vec<_> = outs.iter_mut().map(|out| SharedMut::new(out.as_mut_ptr())).collect();
        let [for_q, for_k, for_v] = [0, 1, 2].map(|which| (bases[which.min(bases.len() - 1)], layouts[which]));
        let (together, asks) = (self.together(), self.asks());
        self.for_each_head(2, |head| {
            let [q, k, v] = self.matrices(head);
            let next = (asks && head + 1 < count).then(|| (self.matrices(head + 1), self.matrix(g, head + 1)));
            let g = self.matrix(g, head);
            let shares = &all_shares[head * queries * keys..][..queries * keys];
            let (to_shares, to_queries) =
                (Near::new(v.flipped(), width, keys, queries), Near::new(k, keys, size, queries));
            let mut for_shares = Buffer::scratch(together * keys);
            let mut for_scores = Buffer::scratch(queries * keys);
            let (start, stride) = self.place(head, &for_q.1);
            for first in (0..queries).step_by(together) {
                let rows = together.min(queries - first);
                let visible = self.visible(first + rows);
                let for_these = part(for_q.0, start + first * stride);
                if let Some((qkv, g)) = next {
                    self.ask_for(qkv, first..first + rows);
                    ask_for(g, first..first + rows, width);
                    let shares = all_shares[((head + 1) * queries + first) * keys..].as_ptr();
                    prefetch_all::<T, SECOND>(shares, rows * keys);
                }
                if asks {
                    ask_for_sums(for_these, rows, stride, size);
                }
                let (computed, to) = (in_vectors(visible, keys), SharedMut::new(for_shares.as_mut_ptr()));
                // SAFETY: `for_shares` holds so many rows of `keys`, and is this thread's.
                unsafe { to_shares.multiply(g.from(first, 0), rows, 0..width, visible, to, keys) };
                if visible < computed {
                    // Where no query of these attends, whatever the values are.
                    for_shares.chunks_exact_mut(keys).for_each(|row| row[visible..computed].fill(T::ZERO));
                }
                let these = first * keys..(first + rows) * keys;
                let (y, g) = (&shares[these.clone()], &for_shares[..rows * keys]);
                dispatch(GradientRows { out: &mut for_scores[these], y, g, length: keys, computed, scale: self.scale });
                let scores =
                    Matrix { data: &for_scores, offset: first * keys, row_stride: keys as isize, column_stride: 1 };
                // SAFETY: these rows of the gradient are this head's, and no other thread's.
                unsafe { to_queries.multiply(scores, rows, 0..visible, size, for_these, stride) };
            }
            let to_keys = (&for_scores[..], Near::new(q, queries, size, keys), size, for_k);
            let to_values = (shares, Near::new(g, queries, width, keys), width, for_v);
            for (data, over, columns, (to, layout)) in [to_keys, to_values] {
                let (start, stride) = self.place(head, &layout);
                for first in (0..keys).step_by(together) {
                    let rows = together.min(keys - first);
                    let query = self.first_query(first);
                    // The columns of these keys, over the queries that attend to them.
                    let turned =
                        Matrix { data, offset: query * keys + first, row_stride: 1, column_stride: keys as isize };
                    let to = part(to, start + first * stride);
                    if asks {
                        ask_for_sums(to, rows, stride, columns);
                    }
                    // SAFETY: as above.
                    unsafe { over.multiply(turned, rows, query..queries, columns, to, stride) };
                }
            }
        });
        let storages: Vec<S> = outs.into_iter().map(storage).collect();
        [0, 1, 2].map(|which| (storages[which.min(storages.len() - 1)].clone(), layouts[which]))
    }
}

/// Asks for rows of a matrix.
#[inline(always)]
fn ask_for<T>(matrix: Matrix<T>, rows: Range<usize>, columns: usize) {
    if matrix.column_stride == 1 {
        rows.for_each(|row| prefetch_all::<T, SECOND>(matrix.pointer(row, 0), columns));
    }
}

/// Asks for where rows of sums go.
#[inline(always)]
fn ask_for_sums<T>(to: SharedMut<T>, rows: usize, stride: usize, columns: usize) {
    (0..rows).for_each(|row| prefetch_all::<T, NEAREST>(to.pointer().wrapping_add(row * stride), columns));
}

/// What begins `start` elements on.
fn part<T>(of: SharedMut<T>, start: usize) -> SharedMut<T> {
    SharedMut::new(of.pointer().wrapping_add(start))
}
