//! Convolutions: windows laid out as the columns of a matrix, and products of matrices.
//!
//! Work is cut by samples and groups, and sums over samples follow a fixed order: the bits do not depend on threads.

use super::buffer::Buffer;
use super::float::Float;
use super::gemm::{Formats, Matrix, Sizes, gemm};
use super::threads::{SharedMut, for_each_piece};
use crate::backend::Geometry;
use crate::precision::MatmulPrecision;

/// Parts of the samples whose gradients of the weight are added up by themselves first, at most.
const PARTS: usize = 16;

impl Geometry {
    /// The positions of the output.
    fn places(&self) -> usize {
        self.output.iter().product()
    }

    /// The elements of a window of one group.
    fn depth(&self) -> usize {
        self.channels / self.groups * self.kernel.iter().product::<usize>()
    }

    /// The elements of one group of a sample.
    fn group_of_input(&self) -> usize {
        self.channels / self.groups * self.input.iter().product::<usize>()
    }

    fn group_of_output(&self) -> usize {
        self.filters / self.groups * self.places()
    }

    /// Whether windows are single elements, one after another: then the input is the matrix of columns.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1; 3] && self.stride == [1; 3] && self.padding == [0; 3]
    }

    /// For each row of the matrix of columns (a channel and an element of the window), its channel, where it begins along the output's
    /// dimensions, in the input.
    fn rows(&self) -> impl Iterator<Item = (usize, [isize; 3])> + use<> {
        let Geometry { kernel, dilation, padding, .. } = *self;
        let window = kernel.iter().product::<usize>();
        (0..self.channels / self.groups * window).map(move |row| {
            let (channel, place) = (row / window, row % window);
            let at = [place / (kernel[1] * kernel[2]), place / kernel[2] % kernel[1], place % kernel[2]];
            (channel, std::array::from_fn(|d| (at[d] * dilation[d]) as isize - padding[d] as isize))
        })
    }

    /// The rows of the output's last dimension for one row of the matrix of columns: where each begins there, and where in the
    /// input's channel its line begins; `None` outside.
    fn lines(&self, start: [isize; 3]) -> impl Iterator<Item = (usize, Option<usize>)> + use<> {
        let Geometry { output, stride, input, .. } = *self;
        (0..output[0] * output[1]).map(move |line| {
            let at = [line / output[1], line % output[1]];
            let place = |d: usize| {
                let place = start[d] + (at[d] * stride[d]) as isize;
                (place >= 0 && (place as usize) < input[d]).then_some(place as usize)
            };
            let inside = place(0).zip(place(1)).map(|(plane, row)| (plane * input[1] + row) * input[2]);
            (line * output[2], inside)
        })
    }

    /// The places of the last dimension of the output that lie within the input, for windows that begin at `start`.
    fn within(&self, start: isize) -> std::ops::Range<usize> {
        let (stride, size, count) = (self.stride[2], self.input[2] as isize, self.output[2]);
        let first = if start < 0 { start.unsigned_abs().div_ceil(stride) } else { 0 };
        let end = if start >= size { 0 } else { ((size - start) as usize).div_ceil(stride) };
        first.min(count)..end.clamp(first.min(count), count)
    }
}

/// Lays out the windows of one group of a sample as columns.
fn unfold<T: Float>(geometry: &Geometry, x: &[T], columns: &mut [T]) {
    let places = geometry.places();
    let channel_size: usize = geometry.input.iter().product();
    let stride = geometry.stride[2];
    for ((channel, start), row) in geometry.rows().zip(columns.chunks_exact_mut(places)) {
        let x = &x[channel * channel_size..][..channel_size];
        let within = geometry.within(start[2]);
        for (to, from) in geometry.lines(start) {
            let line = &mut row[to..to + geometry.output[2]];
            let Some(from) = from.filter(|_| !within.is_empty()) else {
                line.fill(T::ZERO);
                continue;
            };
            line[..within.start].fill(T::ZERO);
            line[within.end..].fill(T::ZERO);
            let first = (from as isize + start[2] + (within.start * stride) as isize) as usize;
            let line = &mut line[within.clone()];
            if stride == 1 {
                line.copy_from_slice(&x[first..first + line.len()]);
            } else {
                line.iter_mut().zip(x[first..].iter().step_by(stride)).for_each(|(out, &x)| *out = x);
            }
        }
    }
}

/// Adds columns to where their windows lie in one group of a sample.
fn fold<T: Float>(geometry: &Geometry, columns: &[T], x: &mut [T]) {
    let places = geometry.places();
    let channel_size: usize = geometry.input.iter().product();
    let stride = geometry.stride[2];
    for ((channel, start), row) in geometry.rows().zip(columns.chunks_exact(places)) {
        let x = &mut x[channel * channel_size..][..channel_size];
        let within = geometry.within(start[2]);
        for (to, from) in geometry.lines(start) {
            let Some(from) = from.filter(|_| !within.is_empty()) else { continue };
            let first = (from as isize + start[2] + (within.start * stride) as isize) as usize;
            let line = &row[to..to + geometry.output[2]][within.clone()];
            if stride == 1 {
                x[first..first + line.len()].iter_mut().zip(line).for_each(|(x, &y)| *x = *x + y);
            } else {
                x[first..].iter_mut().step_by(stride).zip(line).for_each(|(x, &y)| *x = *x + y);
            }
        }
    }
}

fn row_major<T>(data: &[T], columns: usize) -> Matrix<'_, T> {
    Matrix { data, offset: 0, row_stride: columns as isize, column_stride: 1 }
}

/// `[N, C, input]` and `[O, C / groups, kernel]` to `[N, O, output]`.
pub(super) fn forward<T: Formats>(x: &[T], w: &[T], geometry: &Geometry, precision: MatmulPrecision) -> Buffer<T> {
    let (depth, places, filters) = (geometry.depth(), geometry.places(), geometry.filters / geometry.groups);
    let (of_input, of_output) = (geometry.group_of_input(), geometry.group_of_output());
    let count = geometry.batch * geometry.groups;
    let mut out = Buffer::scratch(count * of_output);
    if out.is_empty() {
        return out;
    }
    let base = SharedMut::new(out.as_mut_ptr());
    for_each_piece(count, |piece| {
        // SAFETY: each piece has a part of its own, within the buffer.
        let out = unsafe { base.part(piece * of_output, of_output) };
        let x = &x[piece * of_input..][..of_input];
        let w = &w[piece % geometry.groups * filters * depth..][..filters * depth];
        let mut columns = Buffer::scratch(if geometry.is_pointwise() { 0 } else { depth.saturating_mul(places) });
        let columns = if geometry.is_pointwise() {
            x
        } else {
            unfold(geometry, x, &mut columns);
            &columns
        };
        let sizes = Sizes { rows: filters, depth, columns: places };
        gemm(&[(row_major(w, depth), row_major(columns, places))], sizes, precision, None, out);
    });
    out
}

/// `[N, O, output]` and `[O, C / groups, kernel]` to `[N, C, input]`.
pub(super) fn input<T: Formats>(y: &[T], w: &[T], geometry: &Geometry, precision: MatmulPrecision) -> Buffer<T> {
    let (depth, places, filters) = (geometry.depth(), geometry.places(), geometry.filters / geometry.groups);
    let (of_input, of_output) = (geometry.group_of_input(), geometry.group_of_output());
    let count = geometry.batch * geometry.groups;
    let mut out = Buffer::scratch(count * of_input);
    if out.is_empty() {
        return out;
    }
    let base = SharedMut::new(out.as_mut_ptr());
    for_each_piece(count, |piece| {
        // SAFETY: each piece has a part of its own, within the buffer.
        let out = unsafe { base.part(piece * of_input, of_input) };
        let y = &y[piece * of_output..][..of_output];
        let w = &w[piece % geometry.groups * filters * depth..][..filters * depth];
        let sizes = Sizes { rows: depth, depth: filters, columns: places };
        let product = |out: &mut [T]| {
            gemm(&[(row_major(w, depth).flipped(), row_major(y, places))], sizes, precision, None, out);
        };
        if geometry.is_pointwise() {
            return product(out);
        }
        let mut columns = Buffer::scratch(depth.saturating_mul(places));
        product(&mut columns);
        out.fill(T::ZERO);
        fold(geometry, &columns, out);
    });
    out
}

/// `[N, C, input]` and `[N, O, output]` to `[O, C / groups, kernel]`.
pub(super) fn weight<T: Formats>(x: &[T], y: &[T], geometry: &Geometry, precision: MatmulPrecision) -> Buffer<T> {
    let (depth, places, filters) = (geometry.depth(), geometry.places(), geometry.filters / geometry.groups);
    let (of_input, of_output) = (geometry.group_of_input(), geometry.group_of_output());
    let (groups, of_weight) = (geometry.groups, filters * depth);
    let parts = geometry.batch.clamp(1, PARTS);
    let mut sums = Buffer::scratch(parts * groups * of_weight);
    let base = SharedMut::new(sums.as_mut_ptr());
    for_each_piece(parts * groups, |piece| {
        let (part, group) = (piece / groups, piece % groups);
        // SAFETY: each piece has a part of its own, within the buffer.
        let sum = unsafe { base.part(piece * of_weight, of_weight) };
        let mut columns = Buffer::scratch(if geometry.is_pointwise() { 0 } else { depth.saturating_mul(places) });
        let mut product = Buffer::scratch(of_weight);
        sum.fill(T::ZERO);
        for sample in part * geometry.batch / parts..(part + 1) * geometry.batch / parts {
            let place = sample * groups + group;
            let x = &x[place * of_input..][..of_input];
            let y = &y[place * of_output..][..of_output];
            let columns = if geometry.is_pointwise() {
                x
            } else {
                unfold(geometry, x, &mut columns);
                &columns
            };
            let sizes = Sizes { rows: filters, depth: places, columns: depth };
            gemm(&[(row_major(y, places), row_major(columns, places).flipped())], sizes, precision, None, &mut product);
            sum.iter_mut().zip(product.iter()).for_each(|(sum, &x)| *sum = *sum + x);
        }
    });
    let length = groups * of_weight;
    let mut out = Buffer::from_slice(&sums[..length]);
    for part in sums.chunks_exact(length.max(1)).skip(1) {
        out.iter_mut().zip(part).for_each(|(sum, &x)| *sum = *sum + x);
    }
    out
}

/// The place of the largest element of each window in its channel, counted over all dimensions: the first of equals, the first NaN if
/// there is one. `[N, C, input]` to `[N, C, output]`; padding is never the largest.
pub(super) fn largest<T: Float>(x: &[T], geometry: &Geometry) -> Buffer<i64> {
    let (size, places): (usize, usize) = (geometry.input.iter().product(), geometry.places());
    // Each channel by itself.
    let single = Geometry { channels: 1, filters: 1, groups: 1, ..*geometry };
    let starts: Vec<[isize; 3]> = single.rows().map(|(_, start)| start).collect();
    let mut out = Buffer::scratch(geometry.batch * geometry.channels * places);
    if places == 0 {
        return out;
    }
    super::threads::for_each_part(&mut out, places, |first, out| {
        let x = &x[first / places * size..][..size];
        let mut best: Buffer<T> = Buffer::filled(places, T::LOWEST);
        out.fill(-1);
        for &start in &starts {
            let within = single.within(start[2]);
            for (to, from) in single.lines(start) {
                let Some(from) = from else { continue };
                for column in within.clone() {
                    let place = (from as isize + start[2] + (column * single.stride[2]) as isize) as usize;
                    let (value, at) = (x[place], to + column);
                    let better = value > best[at] || value.is_nan() && !best[at].is_nan();
                    if better || out[at] < 0 {
                        best[at] = value;
                        out[at] = place as i64;
                    }
                }
            }
        }
    });
    out
}
