//! How the elements of a sample are laid out for convolutions.

use crate::cpu::float::Float;
use crate::cpu::pool::out_of_memory;
use crate::cpu::rows::copy_rows;
use crate::cpu::simd::{Task, dispatch};

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
    /// Where in a phase the first element of the input lies, which that is, and how many there are. Without any, it is the axis's end.
    fn inside(&self, phase: usize) -> (usize, usize, usize) {
        let first = self.lead.saturating_sub(phase).div_ceil(self.stride).min(self.reach);
        let element = first.saturating_mul(self.stride).saturating_add(phase).saturating_sub(self.lead);
        let count = self.size.saturating_sub(element).div_ceil(self.stride).min(self.reach - first);
        (first, element.min(self.size), count)
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
    blocks: Vec<Block>,
}

/// What of a channel lies in one phase of each axis.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Planes, rows and columns.
    sizes: [usize; 3],
    /// The first element in the channel, and in its frame.
    from: usize,
    to: usize,
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
        if channel > isize::MAX as usize {
            // Elements; their bytes are no number.
            out_of_memory(usize::MAX);
        }
        let slack = columns.reach.saturating_sub(pitch) + LINE;
        let mut frame = Frame { axes, pitch, rows, phase_size, channel, slack, blocks: Vec::new() };
        frame.blocks = (0..phases).map(|phase| frame.block(phase)).collect();
        frame
    }

    fn block(&self, phase: usize) -> Block {
        let [planes, rows, columns] = &self.axes;
        let counts = [rows.phases.len(), columns.phases.len()];
        let (column, first_column, width) = columns.inside(columns.phases[phase % counts[1]]);
        let (row, first_row, height) = rows.inside(rows.phases[phase / counts[1] % counts[0]]);
        let (plane, first_plane, depth) = planes.inside(planes.phases[phase / counts[1] / counts[0]]);
        Block {
            sizes: [depth, height, width],
            from: (first_plane * rows.size + first_row) * columns.size + first_column,
            to: phase * self.phase_size + (plane * self.rows + row) * self.pitch + column,
        }
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
        let within = phase * self.phase_size + (plane * self.rows + row) * self.pitch + column;
        channel.saturating_mul(self.channel).saturating_add(within)
    }

    /// Lays out channels that follow each other in `x`. What is zero in the frame stays as it is: `out` begins as zeros, and may be laid
    /// out again and again.
    pub fn fill<T: Float>(&self, x: &[T], channels: usize, out: &mut [T]) {
        dispatch(Fill { frame: self, x, channels, out });
    }
}

struct Fill<'a, T> {
    frame: &'a Frame,
    x: &'a [T],
    channels: usize,
    out: &'a mut [T],
}

impl<T: Float> Task for Fill<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Fill { frame, x, channels, out } = self;
        let [planes, rows, columns] = &frame.axes;
        let size = planes.size.saturating_mul(rows.size).saturating_mul(columns.size);
        // A stride beyond the axis has one row, and no next.
        let from_pitch = rows.stride.saturating_mul(columns.size);
        for channel in 0..channels {
            let x = &x[channel * size..][..size];
            let out = &mut out[channel * frame.channel..][..frame.channel];
            for &Block { sizes: [depth, height, width], from, to } in &frame.blocks {
                if height == 0 || width == 0 {
                    continue;
                }
                for plane in 0..depth {
                    let from = &x[from + plane * planes.stride * rows.size * columns.size..];
                    let to = &mut out[to + plane * frame.rows * frame.pitch..];
                    if columns.stride == 1 {
                        copy_rows(height, width, (from, from_pitch), (to, frame.pitch));
                    } else {
                        for row in 0..height {
                            pick(columns.stride, &from[row * from_pitch..], &mut to[row * frame.pitch..][..width]);
                        }
                    }
                }
            }
        }
    }
}

/// Every so many elements.
#[inline(always)]
fn pick<T: Float>(stride: usize, from: &[T], to: &mut [T]) {
    const BLOCK: usize = 8;
    let mut done = 0;
    if stride == 2 {
        for (to, from) in to.as_chunks_mut::<BLOCK>().0.iter_mut().zip(from.as_chunks::<{ 2 * BLOCK }>().0) {
            // Not into `to` at once, which would be done element by element.
            let mut block = [T::ZERO; BLOCK];
            for i in 0..BLOCK {
                block[i] = from[2 * i];
            }
            *to = block;
            done += BLOCK;
        }
    }
    for i in done..to.len() {
        to[i] = from[i * stride];
    }
}
