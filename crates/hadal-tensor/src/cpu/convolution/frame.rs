//! How the elements of a sample are laid out for convolutions.

use crate::cpu::float::Float;
use crate::cpu::gemm::copy_row;

/// The elements of a cache line, of the smallest numbers.
const LINE: usize = 16;

/// One dimension of a frame. Element `i` of the input has the coordinate `i + lead`; coordinates are parted by their remainder
/// when divided by the stride, the phase, and those of a phase lie side by side.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub size: usize,
    pub stride: usize,
    /// The phases that windows reach, in order.
    pub phases: Vec<usize>,
    /// Zeros before the first element.
    pub lead: usize,
    /// The elements of a phase that windows reach.
    pub reach: usize,
}

impl Axis {
    /// Where in a phase the first element of the input lies, which that is, and how many there are.
    fn inside(&self, phase: usize) -> (usize, usize, usize) {
        let first = self.lead.saturating_sub(phase).div_ceil(self.stride).min(self.reach);
        let element = first * self.stride + phase - self.lead.min(first * self.stride + phase);
        let count = self.size.saturating_sub(element).div_ceil(self.stride).min(self.reach - first);
        (first, element, count)
    }
}

/// The layout of channels in which each element of a window lies at one distance from the window's place. Rows follow each other with
/// a pitch such that the zeros before a row serve as those behind the one above.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    axes: [Axis; 3],
    /// From a row to the next.
    pub pitch: usize,
    /// Rows of a plane.
    pub rows: usize,
    phase_size: usize,
    channel: usize,
    slack: usize,
}

impl Frame {
    /// For windows at `places` in each dimension.
    pub fn new(axes: [Axis; 3], places: [usize; 3]) -> Frame {
        let columns = &axes[2];
        let (mut widest, mut least) = (places[2].max(1), columns.reach);
        for &phase in &columns.phases {
            let (first, _, count) = columns.inside(phase);
            widest = widest.max(first + count);
            least = least.min(first);
        }
        let pitch = widest.max(columns.reach - least);
        let rows = axes[1].reach;
        let phase_size = axes[0].reach.saturating_mul(rows).saturating_mul(pitch);
        let phases: usize = axes.iter().map(|axis| axis.phases.len()).product();
        // An odd number of cache lines: channels at powers of two would fall into the same few places of the nearest cache.
        let channel = (phases.saturating_mul(phase_size).div_ceil(LINE) | 1).saturating_mul(LINE);
        let slack = columns.reach.saturating_sub(pitch) + LINE;
        Frame { axes, pitch, rows, phase_size, channel, slack }
    }

    /// The elements of so many channels.
    pub fn length(&self, channels: usize) -> usize {
        self.channel.saturating_mul(channels).saturating_add(self.slack)
    }

    /// From the first to the last place of windows, `places` in each dimension, as they follow each other in the frame.
    pub fn span(&self, places: [usize; 3]) -> usize {
        if places.contains(&0) {
            return 0;
        }
        ((places[0] - 1) * self.rows + places[1] - 1) * self.pitch + places[2]
    }

    /// The distance from a window's place of the element at the coordinates `at` of the first window.
    pub fn distance(&self, channel: usize, at: [usize; 3]) -> usize {
        let mut phase = 0;
        for (axis, at) in self.axes.iter().zip(at) {
            let mine = axis.phases.partition_point(|&phase| phase < at % axis.stride);
            phase = phase * axis.phases.len() + mine;
        }
        let [plane, row, column] = std::array::from_fn(|d| at[d] / self.axes[d].stride);
        channel * self.channel + phase * self.phase_size + (plane * self.rows + row) * self.pitch + column
    }

    /// Lays out channels that follow each other in `x`.
    pub fn fill<T: Float>(&self, x: &[T], channels: usize, out: &mut [T]) {
        let [planes, rows, columns] = &self.axes;
        let counts = [planes, rows, columns].map(|axis| axis.phases.len());
        let size = planes.size * rows.size * columns.size;
        for channel in 0..channels {
            let x = &x[channel * size..][..size];
            let out = &mut out[channel * self.channel..][..self.channel];
            out.fill(T::ZERO);
            if self.phase_size == 0 {
                continue;
            }
            let phases = out.chunks_exact_mut(self.phase_size).take(counts.iter().product());
            for (phase, out) in phases.enumerate() {
                let in_columns = columns.inside(columns.phases[phase % counts[2]]);
                let in_rows = rows.inside(rows.phases[phase / counts[2] % counts[1]]);
                let in_planes = planes.inside(planes.phases[phase / counts[2] / counts[1]]);
                for (plane, out) in out.chunks_exact_mut(self.rows * self.pitch).enumerate() {
                    let Some(plane) = element(in_planes, plane, planes.stride) else { continue };
                    for (row, out) in out.chunks_exact_mut(self.pitch).enumerate() {
                        let Some(row) = element(in_rows, row, rows.stride) else { continue };
                        let x = &x[(plane * rows.size + row) * columns.size..][..columns.size];
                        fill_row(in_columns, columns.stride, x, out);
                    }
                }
            }
        }
        out[channels * self.channel..].fill(T::ZERO);
    }
}

/// Which element of the input lies at a place of a phase; `None` for a zero.
fn element((first, element, count): (usize, usize, usize), place: usize, stride: usize) -> Option<usize> {
    (first..first + count).contains(&place).then(|| element + (place - first) * stride)
}

/// Lays out the elements of a row; all around them stays.
fn fill_row<T: Float>((first, element, count): (usize, usize, usize), stride: usize, x: &[T], out: &mut [T]) {
    if count == 0 {
        return;
    }
    let (x, inside) = (&x[element..], &mut out[first..first + count]);
    match stride {
        1 => copy_row(&x[..count], inside),
        2 => {
            // Pairs, of which a register takes several at once; the last may lack its second.
            let pairs = x.as_chunks::<2>().0;
            inside.iter_mut().zip(pairs).for_each(|(out, pair)| *out = pair[0]);
            inside[count - 1] = x[2 * (count - 1)];
        }
        _ => inside.iter_mut().zip(x.iter().step_by(stride)).for_each(|(out, &x)| *out = x),
    }
}
