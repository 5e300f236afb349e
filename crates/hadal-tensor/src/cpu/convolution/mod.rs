//! Convolutions, without windows being copied: elements are laid out in a [frame](frame), in which each element of a window lies at one
//! distance from the window's place, wherever that is. A convolution is then a product of matrices, the right one of which is read from
//! shifted places of the frame, a whole row of windows at a time.
//!
//! Work is cut by samples, groups and rows of weights, and sums follow a fixed order: the bits do not depend on threads.

mod correlation;
mod frame;
mod input;
mod runs;
mod samples;
#[cfg(test)]
mod tests;
mod weight;
mod winograd;

pub(super) use input::input;
pub(super) use samples::Samples;
pub(super) use weight::weight;

use super::buffer::Buffer;
use super::gemm::Epilogue;
use super::gemm::kernels::Gemm;
use crate::backend::Geometry;
use correlation::{Correlation, Plan, Tap};
use frame::{Axis, Frame};

/// Pieces that a call is cut into, at least, where it can be.
const PIECES: usize = 8;

impl Geometry {
    /// The elements of a window in one channel.
    fn window(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The elements of a window of one group.
    fn depth(&self) -> usize {
        self.channels / self.groups * self.window()
    }

    /// The places of the elements of a window in one channel.
    fn elements(&self) -> impl Iterator<Item = [usize; 3]> + use<> {
        let [_, rows, columns] = self.kernel;
        (0..self.window()).map(move |k| [k / (rows * columns), k / columns % rows, k % columns])
    }

    /// How many multiplications the convolution takes.
    fn multiplications(&self) -> usize {
        let places = self.output.iter().fold(self.batch, |product, &size| product.saturating_mul(size));
        places.saturating_mul(self.filters).saturating_mul(self.depth())
    }

    /// The input's frame.
    fn frame(&self) -> Frame {
        let axis = |d: usize| {
            let mut phases: Vec<usize> = (0..self.kernel[d]).map(|k| k * self.dilation[d] % self.stride[d]).collect();
            phases.sort_unstable();
            phases.dedup();
            Axis {
                size: self.input[d],
                stride: self.stride[d],
                phases,
                lead: self.padding[d],
                reach: self.output[d] + (self.kernel[d] - 1) * self.dilation[d] / self.stride[d],
            }
        };
        Frame::new([axis(0), axis(1), axis(2)], self.output)
    }

    /// The elements of a group's windows in the order of its weights.
    fn taps(&self, frame: &Frame) -> Vec<Tap> {
        let channels = 0..self.channels / self.groups;
        let dilation = self.dilation;
        let all = channels.flat_map(|channel| {
            self.elements().map(move |at| frame.distance(channel, std::array::from_fn(|d| at[d] * dilation[d])))
        });
        all.enumerate().map(|(weight, distance)| Tap { distance, weight }).collect()
    }
}

/// `[N, C, input]` and `[O, C / groups, kernel]` to `[N, O, output]`; the bias is `[O]`.
pub(super) fn forward<T: Gemm>(
    x: &Samples<T>,
    w: &[T],
    epilogue: Option<Epilogue<T>>,
    geometry: &Geometry,
) -> Buffer<T> {
    if geometry.is_minimal::<T>() {
        return winograd::forward(x, w, epilogue, geometry);
    }
    let frame = geometry.frame();
    let correlation = Correlation { taps: geometry.taps(&frame), counts: geometry.output, start: [0; 3], step: [1; 3] };
    let plan = Plan {
        frame,
        batch: geometry.batch,
        groups: geometry.groups,
        channels: geometry.channels / geometry.groups,
        rows: geometry.filters / geometry.groups,
        row_stride: geometry.depth(),
        weights: geometry.filters / geometry.groups * geometry.depth(),
        output: geometry.output,
        correlations: vec![correlation],
        multiplications: geometry.multiplications(),
    };
    plan.run(x, w, epilogue)
}
