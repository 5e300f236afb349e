//! Reductions of windows.

use std::iter::StepBy;
use std::ops::Range;

use super::buffer::Buffer;
use super::elementwise::PIECE;
use super::float::Float;
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
        let end = (first + (self.kernel[d] - left_out) * step).min(self.input[d]);
        (first..end).step_by(step)
    }
}

/// The place of the largest element of each window in its channel, counted over all dimensions: the first of equals, the first NaN if
/// there is one; -1 for a window outside. `[N, C, input]` to `[N, C, output]`; padding is never the largest.
pub(super) fn largest<T: Float>(x: &[T], geometry: &Geometry) -> Buffer<i64> {
    let (size, places): (usize, usize) = (geometry.input.iter().product(), geometry.places());
    let mut out = Buffer::scratch(geometry.batch * geometry.channels * places);
    if places == 0 {
        return out;
    }
    // Of each column once, for all lines.
    let columns: Vec<_> = (0..geometry.output[2]).map(|column| geometry.inside(2, column)).collect();
    let [_, rows, width] = geometry.input;
    let together = (PIECE / places).max(1) * places;
    for_each_part(&mut out, together, |first, out| {
        let mut lines = Vec::new();
        for (channel, out) in out.chunks_exact_mut(places).enumerate() {
            let x = &x[(first / places + channel) * size..][..size];
            for (line, out) in out.chunks_exact_mut(geometry.output[2]).enumerate() {
                lines.clear();
                for plane in geometry.inside(0, line / geometry.output[1]) {
                    lines.extend(geometry.inside(1, line % geometry.output[1]).map(|row| (plane * rows + row) * width));
                }
                for (out, columns) in out.iter_mut().zip(&columns) {
                    *out = largest_of(x, &lines, columns);
                }
            }
        }
    });
    out
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
