//! Reductions of windows.

use std::iter::StepBy;
use std::ops::Range;

use super::buffer::Buffer;
use super::elementwise::PIECE;
use super::float::Float;
use super::gemm::copy_row;
use super::simd::{Task, dispatch};
use super::threads::for_each_part;
use crate::backend::Geometry;

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

    /// Of each window of a line, which columns of the input it has.
    fn columns(&self) -> Vec<StepBy<Range<usize>>> {
        (0..self.output[2]).map(|column| self.inside(2, column)).collect()
    }
}

/// The place of the largest element of each window in its channel, counted over all dimensions: the first of equals, the first NaN if
/// there is one; -1 for a window outside. `[N, C, input]` to `[N, C, output]`; padding is never the largest.
pub(super) fn largest<T: Float>(x: &[T], geometry: &Geometry) -> Buffer<i64> {
    let places = geometry.places();
    let mut out = Buffer::scratch(geometry.batch * geometry.channels * places);
    if places == 0 {
        return out;
    }
    let rows = geometry.rows();
    let columns = geometry.columns();
    let together = (PIECE / places).max(1) * places;
    // Places in registers have 32 bits, and rows with what is around them are not much longer than without.
    let small = i32::try_from(geometry.input.iter().product::<usize>()).is_ok()
        && (geometry.kernel[2] - 1).saturating_mul(geometry.dilation[2]) / 4 <= geometry.input[2];
    for_each_part(&mut out, together, |first, out| {
        let lines = Lines { x, geometry, rows: &rows, columns: &columns, first: first / places };
        match geometry.stride[2] {
            1..=3 if small => dispatch(WholeLines { lines, out }),
            _ => lines.one_by_one(out),
        }
    });
    out
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
    fn one_by_one(&self, out: &mut [i64]) {
        for (line, out) in out.chunks_exact_mut(self.geometry.output[2]).enumerate() {
            let (x, rows) = self.line(line);
            for (out, columns) in out.iter_mut().zip(self.columns) {
                *out = largest_of(x, rows, columns);
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

/// Computes all windows of a line at once: first the largest element of each column, then that of as many columns as a window has, from
/// each column on. That is more than is asked for where windows are some columns apart, but all of it lies side by side.
struct WholeLines<'a, T> {
    lines: Lines<'a, T>,
    out: &'a mut [i64],
}

impl<T: Float> Task for WholeLines<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let WholeLines { lines: all, out } = self;
        let geometry = all.geometry;
        let (kernel, dilation, stride) = (geometry.kernel[2], geometry.dilation[2], geometry.stride[2]);
        let (width, padding, windows) = (geometry.input[2], geometry.padding[2], geometry.output[2]);
        // Columns in which windows begin, and those that they reach, outside of the input at both ends too.
        let starts = (windows - 1) * stride + 1;
        let reach = (starts + (kernel - 1) * dilation).max(padding + width);
        // The least of all, so that what lies outside is never larger.
        let mut values = vec![T::from_f64(f64::NEG_INFINITY); reach];
        let mut places = vec![OUTSIDE; reach];
        let (mut best, mut best_places) = (vec![T::ZERO; starts], vec![0; starts]);
        for (line, out) in out.chunks_exact_mut(windows).enumerate() {
            let (x, rows) = all.line(line);
            let Some((&first, others)) = rows.split_first() else {
                out.fill(-1);
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
                    let is_better = (value > *old) | (value.is_nan() & !old.is_nan());
                    *old = if is_better { value } else { *old };
                    *place = if is_better { at } else { *place };
                }
            }
            copy_row(&values[..starts], &mut best);
            best_places.copy_from_slice(&places[..starts]);
            for column in (1..kernel).map(|column| column * dilation) {
                let columns = values[column..][..starts].iter().zip(&places[column..][..starts]);
                for ((old, old_place), (&value, &place)) in best.iter_mut().zip(&mut best_places).zip(columns) {
                    let is_larger = (value > *old) | (value.is_nan() & !old.is_nan());
                    let is_tie = (value == *old) | (value.is_nan() & old.is_nan());
                    let is_better = is_larger | (is_tie & (place < *old_place));
                    *old = if is_better { value } else { *old };
                    *old_place = if is_better { place } else { *old_place };
                }
            }
            for (out, &place) in out.iter_mut().zip(best_places.iter().step_by(stride)) {
                *out = if place == OUTSIDE { -1 } else { i64::from(place) };
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::WindowAxis;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whole_lines_find_what_is_found_one_by_one(
            sizes in prop::array::uniform3(1usize..40),
            kernel in prop::array::uniform2(1usize..5),
            stride in prop::array::uniform2(1usize..5),
            dilation in prop::array::uniform2(1usize..4),
            padding in prop::array::uniform2(0usize..3),
            ceil_mode in any::<bool>(),
            same_padding in any::<bool>(),
            // Few different numbers, so that there are equal ones.
            numbers in prop::collection::vec(prop_oneof![
                4 => (-3i32..3).prop_map(|x| x as f32),
                1 => Just(f32::NEG_INFINITY),
                1 => Just(f32::NAN),
            ], 40 * 40),
        ) {
            let [channels, rows, columns] = [1 + sizes[0] % 3, sizes[1], sizes[2]];
            let along = |d: usize, size: usize| {
                let axis = WindowAxis { size, kernel: kernel[d], stride: stride[d], dilation: dilation[d] };
                let given = padding[d].min(kernel[d] / 2);
                let sides = if same_padding { axis.same_padding() } else { (given, given) };
                (sides.0, axis.places(sides, ceil_mode).unwrap_or(0))
            };
            let [(above, tall), (left, wide)] = [along(0, rows), along(1, columns)];
            let geometry = Geometry {
                batch: 1,
                channels,
                filters: channels,
                groups: 1,
                input: [1, rows, columns],
                kernel: [1, kernel[0], kernel[1]],
                output: [1, tall, wide],
                stride: [1, stride[0], stride[1]],
                padding: [0, above, left],
                dilation: [1, dilation[0], dilation[1]],
                dimensions: 2,
            };
            let x: Vec<f32> = numbers.iter().copied().cycle().take(channels * rows * columns).collect();
            let found = largest(&x, &geometry);
            let mut wanted = vec![0; found.len()];
            if !wanted.is_empty() {
                Lines { x: &x, geometry: &geometry, rows: &geometry.rows(), columns: &geometry.columns(), first: 0 }.one_by_one(&mut wanted);
            }
            prop_assert_eq!(&found[..], &wanted[..]);
        }
    }
}
