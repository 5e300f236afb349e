//! Rows in order, and sums so far.

use std::cmp::Ordering;

use super::buffer::{Buffer, Plain};
use super::copy::contiguous;
use super::float::Number;
use super::threads::for_each_part;
use crate::shape::Layout;

/// Pieces of rows that hold about this many elements are handed to one thread.
const PIECE: usize = 16 * 1024;

/// The places of each row's elements in order; equal ones stay in their order, NaN is the largest.
pub(super) fn argsort<T: Number>(x: &[T], layout: &Layout, descending: bool) -> Buffer<i64> {
    by_rows(x, layout, |row, places| {
        places.iter_mut().enumerate().for_each(|(place, out)| *out = place as i64);
        places.sort_by(|&a, &b| {
            let order = compare(row[a as usize], row[b as usize]);
            if descending { order.reverse() } else { order }
        });
    })
}

fn compare<T: Number>(a: T, b: T) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// The sum of each element and those before it in its row, added from the first on.
pub(super) fn cumulative_sum<T: Number>(x: &[T], layout: &Layout) -> Buffer<T> {
    by_rows(x, layout, |row, sums| {
        let mut sum = T::ZERO;
        for (out, &x) in sums.iter_mut().zip(row) {
            sum = sum.plus(x);
            *out = sum;
        }
    })
}

/// What `f` makes of each row, along the last axis.
fn by_rows<T: Number, U: Plain>(x: &[T], layout: &Layout, f: impl Fn(&[T], &mut [U]) + Sync) -> Buffer<U> {
    let length = layout.shape[layout.shape.rank() - 1];
    let x = contiguous(x, layout);
    let mut out = Buffer::scratch(x.len());
    if out.is_empty() {
        return out;
    }
    for_each_part(&mut out, (PIECE / length).max(1) * length, |start, out| {
        out.chunks_exact_mut(length).zip(x[start..].chunks_exact(length)).for_each(|(out, row)| f(row, out));
    });
    out
}
