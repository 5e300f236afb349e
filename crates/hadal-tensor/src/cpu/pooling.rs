//! Reductions of windows.

#[cfg(test)]
mod tests;

use std::iter::StepBy;
use std::ops::Range;

use super::buffer::Buffer;
use super::dtypes::{F32, F64, I64, floats32, floats64};
use super::elementwise::PIECE;
use super::float::Float;
use super::rows::copy_row;
use super::simd::{Task, dispatch};
use super::threads::{SharedMut, for_each_part};
use crate::backend::{Geometry, Storage, View};

impl Geometry {
    /// The positions of the output.
    fn places(&self) -> usize {
        self.output.iter().product()
    }

    /// Where in one dimension of the input the elements of the window at a place of the output lie, those outside left out.
    fn inside(&self, d: usize, place: usize) -> StepBy<Range<usize>> {
        let (step, start, padding) = (self.dilation[d], place * self.stride[d], self.padding[d]);
        let left_out = padding.saturating_sub(start).div_ceil(step).min(self.kernel[d]);
        let first = start + left_out * step - padding.min(start + left_out * step);
        let reach = (self.kernel[d] - left_out).saturating_mul(step);
        let end = first.saturating_add(reach).min(self.input[d]);
        (first..end).step_by(step)
    }

    /// Of each line of the output, where in a channel of the input the rows of its windows begin.
    fn rows(&self) -> Vec<Vec<usize>> {
        let ([_, height, width], [planes, lines, _]) = (self.input, self.output);
        let all = (0..planes).flat_map(|plane| (0..lines).map(move |line| (plane, line)));
        all.map(|(plane, line)| {
            let planes = self.inside(0, plane);
            planes.flat_map(|plane| self.inside(1, line).map(move |row| (plane * height + row) * width)).collect()
        })
        .collect()
    }

    /// The columns, outside of the input too, in which windows of a line may begin, in whole blocks, and those that they reach, or that
    /// there are.
    fn starts_and_reach(&self) -> (usize, usize) {
        let starts = ((self.output[2] - 1) * self.stride[2] + 1).next_multiple_of(BLOCK);
        (starts, (starts + (self.kernel[2] - 1) * self.dilation[2]).max(self.padding[2] + self.input[2]))
    }

    /// Whether windows are pairs of columns side by side, all of them inside, and a line has several.
    fn are_pairs(&self) -> bool {
        let sizes = (self.kernel[2], self.stride[2], self.dilation[2], self.padding[2]);
        let is_empty = self.input.contains(&0);
        sizes == (2, 2, 1, 0) && self.output[2] >= BLOCK && 2 * self.output[2] <= self.input[2] && !is_empty
    }

    /// Of each window of a line, which columns of the input it has.
    fn columns(&self) -> Vec<StepBy<Range<usize>>> {
        (0..self.output[2]).map(|column| self.inside(2, column)).collect()
    }
}

/// The largest element of each window, and, where that is asked for, its place in its channel, counted over all dimensions: the first of
/// equals, the first NaN if there is one; negative infinity and -1 for a window outside. `[N, C, input]` to `[N, C, output]`; padding is
/// never the largest. Without the places, a zero may have the other sign.
pub(super) fn largest(x: View, geometry: &Geometry, with_places: bool) -> (Storage, Option<Storage>) {
    let (values, places) = match x.storage {
        Storage::F32(_) => {
            let (values, places) = largest_and_places(&floats32(x), geometry, with_places);
            (F32(values), places)
        }
        _ => {
            let (values, places) = largest_and_places(&floats64(x), geometry, with_places);
            (F64(values), places)
        }
    };
    (values, places.map(I64))
}

fn largest_and_places<T: Float>(x: &[T], geometry: &Geometry, with_places: bool) -> (Buffer<T>, Option<Buffer<i64>>) {
    let places = geometry.places();
    let count = geometry.batch * geometry.channels * places;
    let (mut values, mut of_values) = (Buffer::scratch(count), with_places.then(|| Buffer::scratch(count)));
    if count == 0 {
        return (values, of_values);
    }
    let rows = geometry.rows();
    let columns = geometry.columns();
    // An element takes twice as long as in a pass over all.
    let size: usize = geometry.input.iter().product();
    let together = (PIECE / 2 / size.max(places)).max(1) * places;
    // Places in registers have 32 bits, and rows with what is around them are not much longer than without.
    let small = i32::try_from(size).is_ok()
        && (geometry.kernel[2] - 1).saturating_mul(geometry.dilation[2]) / 4 <= geometry.input[2];
    let base = of_values.as_mut().map(|places| SharedMut::new(places.as_mut_ptr()));
    for_each_part(&mut values, together, |first, values| {
        // SAFETY: there are as many places as values, and parts of the values do not overlap.
        let of_values = base.map(|base| unsafe { base.part(first, values.len()) });
        let lines = Lines { x, geometry, rows: &rows, columns: &columns, first: first / places };
        match (geometry.stride[2], of_values) {
            (1..=3, Some(places)) if small => dispatch(WholeLines { lines, values, places }),
            (1..=3, None) if small => dispatch(WholeLinesOfValues { lines, values }),
            (_, places) => lines.one_by_one(values, places),
        }
    });
    (values, of_values)
}

/// Lines of windows, from a channel on.
struct Lines<'a, T> {
    x: &'a [T],
    geometry: &'a Geometry,
    /// Of each line of a channel, where the rows of the input that its windows have begin.
    rows: &'a [Vec<usize>],
    /// Of each window of a line, which columns of the input it has.
    columns: &'a [StepBy<Range<usize>>],
    first: usize,
}

impl<'a, T: Float> Lines<'a, T> {
    fn one_by_one(&self, values: &mut [T], mut places: Option<&mut [i64]>) {
        let windows = self.geometry.output[2];
        for (line, values) in values.chunks_exact_mut(windows).enumerate() {
            let (x, rows) = self.line(line);
            for (window, (value, columns)) in values.iter_mut().zip(self.columns).enumerate() {
                let place = largest_of(x, rows, columns);
                *value = usize::try_from(place).map_or(least(), |place| x[place]);
                if let Some(places) = &mut places {
                    places[line * windows + window] = place;
                }
            }
        }
    }

    /// The input from the channel of a line of the output on, and where in it the rows of the line's windows begin.
    fn line(&self, line: usize) -> (&'a [T], &'a [usize]) {
        let channel = self.first + line / self.rows.len();
        (&self.x[channel * self.geometry.input.iter().product::<usize>()..], &self.rows[line % self.rows.len()])
    }
}

/// The place of what has none: later than all others.
const OUTSIDE: i32 = i32::MAX;

/// Less than all others, or as little, so that what lies outside is never larger.
fn least<T: Float>() -> T {
    T::from_f64(f64::NEG_INFINITY)
}

/// Computes all windows of a line at once: first the largest element of each column, then that of as many columns as a window has, from
/// each column on. That is more than is asked for where windows are some columns apart, but all of it lies side by side.
struct WholeLines<'a, T> {
    lines: Lines<'a, T>,
    values: &'a mut [T],
    places: &'a mut [i64],
}

impl<T: Float> Task for WholeLines<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let WholeLines { lines: all, values: out, places: out_places } = self;
        let geometry = all.geometry;
        if geometry.are_pairs() {
            return pairs::<T, true>(&all, out, out_places);
        }
        let (width, padding, windows) = (geometry.input[2], geometry.padding[2], geometry.output[2]);
        let (starts, reach) = geometry.starts_and_reach();
        let (mut values, mut places) = (vec![least::<T>(); reach], vec![OUTSIDE; reach]);
        let (mut best, mut best_places) = (vec![T::ZERO; starts], vec![0; starts]);
        let lines = out.chunks_exact_mut(windows).zip(out_places.chunks_exact_mut(windows));
        for (line, (out, out_places)) in lines.enumerate() {
            let (x, rows) = all.line(line);
            let Some((&first, others)) = rows.split_first() else {
                out.fill(least());
                out_places.fill(-1);
                continue;
            };
            let (own, own_places) = (&mut values[padding..][..width], &mut places[padding..][..width]);
            copy_row(&x[first..][..width], own);
            for (place, at) in own_places.iter_mut().zip(first as i32..) {
                *place = at;
            }
            for &row in others {
                let columns = own.iter_mut().zip(own_places.iter_mut()).zip(&x[row..][..width]);
                for (((old, place), &value), at) in columns.zip(row as i32..) {
                    let is_larger = is_larger(value, *old);
                    *old = if is_larger { value } else { *old };
                    *place = if is_larger { at } else { *place };
                }
            }
            copy_row(&values[..starts], &mut best);
            copy_row(&places[..starts], &mut best_places);
            for column in (1..geometry.kernel[2]).map(|column| column * geometry.dilation[2]) {
                let columns = values[column..][..starts].iter().zip(&places[column..][..starts]);
                for ((old, old_place), (&value, &place)) in best.iter_mut().zip(&mut best_places).zip(columns) {
                    let is_tie = (value == *old) | (value.is_nan() & old.is_nan());
                    let is_better = is_larger(value, *old) | (is_tie & (place < *old_place));
                    *old = if is_better { value } else { *old };
                    *old_place = if is_better { place } else { *old_place };
                }
            }
            let best = best.iter().zip(&best_places).step_by(geometry.stride[2]);
            for ((out, out_place), (&value, &place)) in out.iter_mut().zip(out_places).zip(best) {
                *out = value;
                *out_place = if place == OUTSIDE { -1 } else { i64::from(place) };
            }
        }
    }
}

/// Elements of [`WholeLinesOfValues`]'s passes, about: those of both stay in the nearest cache.
const TOGETHER: usize = 3072;

/// As [`WholeLines`], without the places, and with several lines in each pass, so that what is read has long been written.
struct WholeLinesOfValues<'a, T> {
    lines: Lines<'a, T>,
    values: &'a mut [T],
}

impl<T: Float> Task for WholeLinesOfValues<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let WholeLinesOfValues { lines: all, values: out } = self;
        let geometry = all.geometry;
        let (kernel, dilation, stride) = (geometry.kernel[2], geometry.dilation[2], geometry.stride[2]);
        let (width, padding, windows) = (geometry.input[2], geometry.padding[2], geometry.output[2]);
        if geometry.are_pairs() {
            return pairs::<T, false>(&all, out, &mut []);
        }
        let (starts, pitch) = geometry.starts_and_reach();
        let together = (TOGETHER / pitch).clamp(1, out.len() / windows);
        let (mut columns, mut best) = (vec![least::<T>(); together * pitch], vec![T::ZERO; together * starts]);
        for (part, out) in out.chunks_mut(together * windows).enumerate() {
            let lines = out.len() / windows;
            for (line, columns) in columns.chunks_exact_mut(pitch).take(lines).enumerate() {
                let (x, rows) = all.line(part * together + line);
                let own = &mut columns[padding..][..width];
                match *rows {
                    [] => own.fill(least()),
                    [row] => copy_row(&x[row..][..width], own),
                    [first, second, ref others @ ..] => {
                        larger_of(own, &x[first..][..width], &x[second..][..width]);
                        for &row in others {
                            raise(own, &x[row..][..width]);
                        }
                    }
                }
            }
            for (columns, best) in columns.chunks_exact(pitch).zip(best.chunks_exact_mut(starts)).take(lines) {
                match kernel {
                    1 => copy_row(&columns[..starts], best),
                    _ => larger_of(best, &columns[..starts], &columns[dilation..][..starts]),
                }
                for column in 2..kernel {
                    raise(best, &columns[column * dilation..][..starts]);
                }
            }
            for (out, best) in out.chunks_exact_mut(windows).zip(best.chunks_exact(starts)) {
                match stride {
                    1 => copy_row(&best[..windows], out),
                    2 => {
                        // Pairs, of which a register takes several at once.
                        for (out, pair) in out.iter_mut().zip(best.as_chunks::<2>().0) {
                            *out = pair[0];
                        }
                    }
                    _ => {
                        for (out, &value) in out.iter_mut().zip(best.iter().step_by(stride)) {
                            *out = value;
                        }
                    }
                }
            }
        }
    }
}

/// Windows of pairs of columns side by side, which all lie inside: element by element of several windows, without passes over whole
/// lines. Without `PLACES` there are none to be written.
#[inline(always)]
fn pairs<T: Float, const PLACES: bool>(all: &Lines<T>, out: &mut [T], places: &mut [i64]) {
    let (windows, size) = (all.geometry.output[2], all.geometry.input.iter().product());
    let channel = all.rows.len() * windows;
    for (index, (x, out)) in all.x[all.first * size..].chunks_exact(size).zip(out.chunks_exact_mut(channel)).enumerate()
    {
        for (line, (rows, out)) in all.rows.iter().zip(out.chunks_exact_mut(windows)).enumerate() {
            for start in block_starts(windows) {
                let (mut best, mut best_places) = ([least(); BLOCK], [OUTSIDE; BLOCK]);
                for (number, &row) in rows.iter().enumerate() {
                    let Some(pairs) = x[row + 2 * start..].first_chunk::<{ 2 * BLOCK }>() else {
                        unreachable!("windows lie inside")
                    };
                    for right in [0, 1] {
                        let first = number == 0 && right == 0;
                        let mut values = [T::ZERO; BLOCK];
                        for i in 0..BLOCK {
                            values[i] = pairs[2 * i + right];
                        }
                        if PLACES {
                            let mut places = [0; BLOCK];
                            for (i, place) in places.iter_mut().enumerate() {
                                *place = (row + 2 * (start + i) + right) as i32;
                            }
                            best_places =
                                if first { places } else { of_larger_block(best, values, best_places, places) };
                        }
                        best = if first { values } else { larger_block(best, values) };
                    }
                }
                let Some(out) = out[start..].first_chunk_mut() else { unreachable!("blocks lie within") };
                *out = best;
                if PLACES {
                    let places = &mut places[index * channel + line * windows + start..][..BLOCK];
                    for (place, best) in places.iter_mut().zip(best_places) {
                        *place = if best == OUTSIDE { -1 } else { i64::from(best) };
                    }
                }
            }
        }
    }
}

/// Elements that are compared at once.
const BLOCK: usize = 8;

/// Where blocks begin that cover so many elements, which are at least a block's. The last may begin within the one before it, where what
/// is done a second time changes nothing.
#[inline(always)]
fn block_starts(count: usize) -> impl Iterator<Item = usize> {
    (0..count.div_ceil(BLOCK)).map(move |block| (block * BLOCK).min(count - BLOCK))
}

/// `out` becomes the larger of each two. All are as many.
#[inline(always)]
fn larger_of<T: Float>(out: &mut [T], a: &[T], b: &[T]) {
    if out.len() < BLOCK {
        for (out, (&a, &b)) in out.iter_mut().zip(a.iter().zip(b)) {
            *out = of_larger(a, b, a, b);
        }
        return;
    }
    for start in block_starts(out.len()) {
        let blocks = (a[start..].first_chunk::<BLOCK>(), b[start..].first_chunk::<BLOCK>());
        let (Some(out), (Some(a), Some(b))) = (out[start..].first_chunk_mut::<BLOCK>(), blocks) else {
            unreachable!("blocks lie within")
        };
        *out = larger_block(*a, *b);
    }
}

/// Makes each element the larger of itself and another's. They are as many.
#[inline(always)]
fn raise<T: Float>(all: &mut [T], others: &[T]) {
    if all.len() < BLOCK {
        for (old, &value) in all.iter_mut().zip(others) {
            *old = of_larger(*old, value, *old, value);
        }
        return;
    }
    for start in block_starts(all.len()) {
        let blocks = (all[start..].first_chunk_mut::<BLOCK>(), others[start..].first_chunk::<BLOCK>());
        let (Some(all), Some(others)) = blocks else { unreachable!("blocks lie within") };
        *all = larger_block(*all, *others);
    }
}

/// The larger of each two. An array of its own: what is written one by one where it is read is not computed several at a time.
#[inline(always)]
fn larger_block<T: Float>(old: [T; BLOCK], values: [T; BLOCK]) -> [T; BLOCK] {
    of_larger_block(old, values, old, values)
}

/// What belongs to the larger of each two.
#[inline(always)]
fn of_larger_block<T: Float, U: Copy>(
    old: [T; BLOCK],
    values: [T; BLOCK],
    of_old: [U; BLOCK],
    of_values: [U; BLOCK],
) -> [U; BLOCK] {
    let mut of_larger_ones = of_old;
    for i in 0..BLOCK {
        of_larger_ones[i] = of_larger(old[i], values[i], of_old[i], of_values[i]);
    }
    of_larger_ones
}

/// What belongs to the larger of two, the first of equals, the first NaN if there is one: where [`is_larger`] would do, but by one
/// choice after another, which the compiler makes for a whole block at once.
#[inline(always)]
fn of_larger<T: Float, U: Copy>(old: T, value: T, of_old: U, of_value: U) -> U {
    let of_larger = if value <= old { of_old } else { of_value };
    if old.is_nan() { of_old } else { of_larger }
}

/// Whether a value takes the place of one before it: NaN is the largest.
#[inline(always)]
fn is_larger<T: Float>(value: T, old: T) -> bool {
    // What is neither smaller nor equal is larger, or one of them is NaN.
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    let is_larger = !(value <= old);
    is_larger & !old.is_nan()
}

/// The place of the largest of the elements at lines and columns.
#[inline(always)]
fn largest_of<T: Float>(x: &[T], lines: &[usize], columns: &StepBy<Range<usize>>) -> i64 {
    let mut best: Option<(T, usize)> = None;
    for &line in lines {
        for column in columns.clone() {
            let value = x[line + column];
            // What is neither smaller nor equal is larger or NaN.
            #[allow(clippy::neg_cmp_op_on_partial_ord)]
            let is_better = best.is_none_or(|(best, _)| !(value <= best) && !best.is_nan());
            if is_better {
                best = Some((value, line + column));
            }
        }
    }
    best.map_or(-1, |(_, place)| place as i64)
}
