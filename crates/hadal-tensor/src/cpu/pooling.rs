//! Reductions of windows.

use std::iter::StepBy;
use std::ops::Range;

use super::buffer::Buffer;
use super::elementwise::PIECE;
use super::float::Float;
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
}

/// The place of the largest element of each window in its channel, counted over all dimensions: the first of equals, the first NaN if
/// there is one; -1 for a window outside. `[N, C, input]` to `[N, C, output]`; padding is never the largest.
pub(super) fn largest<T: Float>(x: &[T], geometry: &Geometry) -> Buffer<i64> {
    let places = geometry.places();
    let mut out = Buffer::scratch(geometry.batch * geometry.channels * places);
    if places == 0 {
        return out;
    }
    // Of each column once, for all lines.
    let columns: Vec<_> = (0..geometry.output[2]).map(|column| geometry.inside(2, column)).collect();
    let together = (PIECE / places).max(1) * places;
    // Places in registers have 32 bits, and rows with what is around them are not much longer than without.
    let small = i32::try_from(geometry.input.iter().product::<usize>()).is_ok()
        && (geometry.kernel[2] - 1).saturating_mul(geometry.dilation[2]) / 4 <= geometry.input[2];
    for_each_part(&mut out, together, |first, out| {
        let lines = Lines { x, geometry, columns: &columns, first: first / places };
        match geometry.stride[2] {
            1 if small => dispatch(Blocks::<T, 1, { LANES }> { lines, out }),
            2 if small => dispatch(Blocks::<T, 2, { 2 * LANES }> { lines, out }),
            3 if small => dispatch(Blocks::<T, 3, { 3 * LANES }> { lines, out }),
            _ => lines.one_by_one(out),
        }
    });
    out
}

/// Lines of windows, from a channel on.
struct Lines<'a, T> {
    x: &'a [T],
    geometry: &'a Geometry,
    /// Of each window of a line, which columns of the input it has.
    columns: &'a [StepBy<Range<usize>>],
    first: usize,
}

impl<'a, T: Float> Lines<'a, T> {
    fn one_by_one(&self, out: &mut [i64]) {
        let mut starts = Vec::new();
        for (line, out) in out.chunks_exact_mut(self.geometry.output[2]).enumerate() {
            let x = self.line(line, &mut starts);
            for (out, columns) in out.iter_mut().zip(self.columns) {
                *out = largest_of(x, &starts, columns);
            }
        }
    }

    /// The input from the channel of a line of the output on, and where in it the rows of the line's windows begin.
    fn line(&self, line: usize, starts: &mut Vec<usize>) -> &'a [T] {
        let geometry = self.geometry;
        let ([_, rows, width], [planes, lines, _]) = (geometry.input, geometry.output);
        let channel = self.first + line / (planes * lines);
        starts.clear();
        for plane in geometry.inside(0, line / lines % planes) {
            starts.extend(geometry.inside(1, line % lines).map(|row| (plane * rows + row) * width));
        }
        &self.x[channel * geometry.input.iter().product::<usize>()..]
    }
}

/// Windows of a block.
const LANES: usize = 16;

/// Computes a block of windows at a time, which are `STEP` apart, `WIDE = LANES * STEP` in all.
struct Blocks<'a, T, const STEP: usize, const WIDE: usize> {
    lines: Lines<'a, T>,
    out: &'a mut [i64],
}

impl<T: Float, const STEP: usize, const WIDE: usize> Task for Blocks<'_, T, STEP, WIDE> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Blocks { lines: all, out } = self;
        let geometry = all.geometry;
        let (kernel, dilation, padding) = (geometry.kernel[2], geometry.dilation[2], geometry.padding[2]);
        let (width, last) = (geometry.input[2], (kernel - 1) * dilation);
        let reaches_out = padding > 0 || (geometry.output[2] - 1) * STEP + last >= width;
        // The least of all, so that what lies outside is never larger.
        let outside = T::from_f64(f64::NEG_INFINITY);
        // The first place of each window in its row, if it has one.
        let firsts: Vec<i32> =
            all.columns.iter().map(|columns| columns.clone().next().map_or(-1, |column| column as i32)).collect();
        // Rows with what is around them, where that cannot be read where it lies.
        let row = firsts.len().next_multiple_of(LANES) * STEP + last;
        let mut padded: Vec<T> = Vec::new();
        let mut lines = Vec::new();
        for (i, out) in out.chunks_exact_mut(geometry.output[2]).enumerate() {
            let x = all.line(i, &mut lines);
            let reads = lines.last().map_or(0, |line| line + row);
            let direct = !reaches_out && reads <= x.len();
            if !direct {
                padded.clear();
                padded.resize(lines.len() * row, outside);
                for (padded, &line) in padded.chunks_exact_mut(row).zip(&lines) {
                    let count = width.min(row.saturating_sub(padding));
                    padded[padding.min(row)..][..count].copy_from_slice(&x[line..line + count]);
                }
            }
            for (block, out) in out.chunks_mut(LANES).enumerate() {
                let mut best = [outside; LANES];
                let mut place = [-1i32; LANES];
                let here = &firsts[block * LANES..][..out.len()];
                for (place, &first) in place.iter_mut().zip(here).filter(|(_, first)| **first >= 0) {
                    *place = lines.first().map_or(-1, |&line| line as i32 + first);
                }
                for (i, &line) in lines.iter().enumerate() {
                    for column in (0..kernel).map(|column| column * dilation) {
                        let from = if direct { &x[line..] } else { &padded[i * row..] };
                        let values: &[T; WIDE] = from[block * WIDE + column..][..WIDE].try_into().expect("a block");
                        let first = (line + block * WIDE + column) as i32 - padding as i32;
                        for lane in 0..LANES {
                            let (value, old) = (values[lane * STEP], best[lane]);
                            // What is neither smaller nor equal is larger or NaN.
                            #[allow(clippy::neg_cmp_op_on_partial_ord)]
                            let is_better = !(value <= old) & !old.is_nan();
                            best[lane] = if is_better { value } else { old };
                            place[lane] = if is_better { first + (lane * STEP) as i32 } else { place[lane] };
                        }
                    }
                }
                for (out, place) in out.iter_mut().zip(place) {
                    *out = i64::from(place);
                }
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
        fn blocks_find_what_is_found_one_by_one(
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
            let columns: Vec<_> = (0..geometry.output[2]).map(|column| geometry.inside(2, column)).collect();
            if !wanted.is_empty() {
                Lines { x: &x, geometry: &geometry, columns: &columns, first: 0 }.one_by_one(&mut wanted);
            }
            prop_assert_eq!(&found[..], &wanted[..]);
        }
    }
}
