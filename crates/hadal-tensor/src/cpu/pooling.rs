//! Reductions of windows.

use super::buffer::Buffer;
use super::float::Float;
use crate::backend::Geometry;

impl Geometry {
    /// The positions of the output.
    fn places(&self) -> usize {
        self.output.iter().product()
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
