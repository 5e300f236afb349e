//! Reading and adding by index. Operations have checked the indices.

use super::buffer::Buffer;
use super::copy::contiguous;
use super::elementwise::PIECE;
use super::float::Number;
use super::threads::for_each_part;
use crate::shape::{Layout, Shape};

/// The first index that is negative or not below `size`.
pub(super) fn out_of_range(index: &[i64], layout: &Layout, size: usize) -> Option<i64> {
    contiguous(index, layout).iter().copied().find(|&i| i < 0 || i as usize >= size)
}

/// For each element of `shape` in row-major order, the offset in `layout` when `axis` is replaced by the index.
fn places<'a>(shape: &'a Shape, layout: &'a Layout, axis: usize, index: &'a [i64]) -> impl Fn(usize) -> usize + 'a {
    move |position| {
        let mut rest = position;
        let mut place = layout.offset as isize;
        for a in (0..shape.rank()).rev() {
            let i = rest % shape[a];
            rest /= shape[a];
            place += layout.strides[a] * if a == axis { index[position] as isize } else { i as isize };
        }
        place as usize
    }
}

/// The sizes of the rows of two shapes that differ in the last axis alone, which is the one that is indexed.
fn rows(shape: Shape, index: Shape, axis: usize) -> Option<[usize; 2]> {
    let (size, count) = (*shape.last()?, *index.last()?);
    let is_last = axis + 1 == shape.rank() && shape[..axis] == index[..axis];
    (is_last && size > 0 && count > 0).then_some([size, count])
}

pub(super) fn gather<T: Number>(
    x: &[T],
    layout: &Layout,
    axis: usize,
    index: &[i64],
    index_layout: &Layout,
) -> Buffer<T> {
    let index = contiguous(index, index_layout);
    let mut out = Buffer::scratch(index.len());
    if let Some([size, count]) = rows(layout.shape, index_layout.shape, axis).filter(|_| layout.is_contiguous()) {
        let x = &x[layout.offset..];
        for_each_part(&mut out, (PIECE / count).max(1) * count, |start, out| {
            let index = index[start..].chunks_exact(count);
            for (row, (out, index)) in out.chunks_exact_mut(count).zip(index).enumerate() {
                let x = &x[(start / count + row) * size..][..size];
                out.iter_mut().zip(index).for_each(|(out, &i)| *out = x[i as usize]);
            }
        });
        return out;
    }
    let place = places(&index_layout.shape, layout, axis, &index);
    for (position, out) in out.iter_mut().enumerate() {
        *out = x[place(position)];
    }
    out
}

pub(super) fn scatter_add<T: Number>(
    shape: Shape,
    axis: usize,
    (index, index_layout): (&[i64], &Layout),
    (x, layout): (&[T], &Layout),
) -> Buffer<T> {
    let index = contiguous(index, index_layout);
    let x = contiguous(x, layout);
    let whole = Layout::contiguous(shape);
    let place = places(&index_layout.shape, &whole, axis, &index);
    let mut out = Buffer::filled(shape.elements(), T::ZERO);
    if let Some([size, count]) = rows(shape, index_layout.shape, axis) {
        for_each_part(&mut out, (PIECE / size).max(1) * size, |start, out| {
            let pairs =
                index[start / size * count..].chunks_exact(count).zip(x[start / size * count..].chunks_exact(count));
            for (out, (index, x)) in out.chunks_exact_mut(size).zip(pairs) {
                index.iter().zip(x).for_each(|(&i, &x)| out[i as usize] = out[i as usize].plus(x));
            }
        });
        return out;
    }
    for (position, &x) in x.iter().enumerate() {
        let place = place(position);
        out[place] = out[place].plus(x);
    }
    out
}

pub(super) fn index_select<T: Number>(x: &[T], layout: &Layout, index: &[i64], index_layout: &Layout) -> Buffer<T> {
    let index = contiguous(index, index_layout);
    let slice = layout.narrow(0, 0, layout.shape[0].min(1));
    let size: usize = layout.shape[1..].iter().product();
    let mut out = Buffer::scratch(index.len() * size);
    if out.is_empty() {
        return out;
    }
    let rows = (PIECE / size).max(1);
    let (first, step) = (layout.offset as isize, layout.strides[0]);
    for_each_part(&mut out, rows * size, |start, out| {
        for (row, out) in out.chunks_exact_mut(size).enumerate() {
            let offset = (first + index[start / size + row] as isize * step) as usize;
            out.copy_from_slice(&contiguous(x, &slice.moved_to(offset)));
        }
    });
    out
}

pub(super) fn index_add<T: Number>(
    shape: Shape,
    (index, index_layout): (&[i64], &Layout),
    (x, layout): (&[T], &Layout),
) -> Buffer<T> {
    let index = contiguous(index, index_layout);
    let x = contiguous(x, layout);
    let size: usize = shape[1..].iter().product();
    let mut out = Buffer::filled(shape.elements(), T::ZERO);
    if size > 0 {
        for (&i, x) in index.iter().zip(x.chunks_exact(size)) {
            for (out, &x) in out[i as usize * size..][..size].iter_mut().zip(x) {
                *out = out.plus(x);
            }
        }
    }
    out
}
