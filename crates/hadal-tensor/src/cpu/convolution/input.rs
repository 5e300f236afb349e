//! What a convolution sends back to its input: the places of the input that have the same remainder when divided by the stride get
//! their sums from the same elements of windows, so that each of these sets is a correlation of the output with a part of the weights.

use super::correlation::{Correlation, Plan, Tap};
use super::frame::{Axis, Frame};
use super::{Samples, winograd};
use crate::backend::Geometry;
use crate::cpu::buffer::Buffer;
use crate::cpu::gemm::kernels::Gemm;

/// The places of one dimension of the input that have one remainder: how many there are, and for each element of the window that
/// reaches them, how far from them its place in the output lies.
struct Phase {
    count: usize,
    elements: Vec<(usize, isize)>,
}

impl Geometry {
    fn phases(&self, d: usize) -> Vec<Phase> {
        let stride = self.stride[d];
        let phase = |first: usize| {
            // In the order in which they lie in the output.
            let elements = (0..self.kernel[d]).rev().filter_map(|element| {
                // Neither fits an isize where padding or strides are near the largest numbers; the quotient does.
                let distance = (first + self.padding[d]) as i128 - (element * self.dilation[d]) as i128;
                (distance % stride as i128 == 0).then_some((element, (distance / stride as i128) as isize))
            });
            Phase { count: (self.input[d] - first).div_ceil(stride), elements: elements.collect() }
        };
        (0..stride.min(self.input[d])).map(phase).collect()
    }
}

/// The axis of the output's frame.
fn axis(size: usize, phases: &[Phase]) -> Axis {
    let distances =
        || phases.iter().flat_map(|phase| phase.elements.iter().map(|&(_, distance)| (phase.count, distance)));
    let lead = distances().map(|(_, distance)| distance.min(0).unsigned_abs()).max().unwrap_or(0);
    let reach = distances().map(|(count, distance)| (count as isize + distance + lead as isize).max(1) as usize);
    let reach = reach.max().unwrap_or(1);
    Axis { size, stride: 1, phases: vec![0], lead, reach }
}

/// `[N, O, output]` and `[O, C / groups, kernel]` to `[N, C, input]`.
pub(in super::super) fn input<T: Gemm>(y: &Samples<T>, w: &[T], geometry: &Geometry) -> Buffer<T> {
    if geometry.is_minimal::<T>() {
        return winograd::input(y, w, geometry);
    }
    let phases: [Vec<Phase>; 3] = std::array::from_fn(|d| geometry.phases(d));
    let axes: [Axis; 3] = std::array::from_fn(|d| axis(geometry.output[d], &phases[d]));
    let most = phases.each_ref().map(|phases| phases.iter().map(|phase| phase.count).max().unwrap_or(0));
    let lead = axes.each_ref().map(|axis| axis.lead as isize);
    let frame = Frame::new(axes, most);
    let (filters, depth) = (geometry.filters / geometry.groups, geometry.depth());
    let [_, height, width] = geometry.kernel;
    let mut correlations = Vec::new();
    for (a, planes) in phases[0].iter().enumerate() {
        for (b, rows) in phases[1].iter().enumerate() {
            for (c, columns) in phases[2].iter().enumerate() {
                let mut taps = Vec::new();
                for filter in 0..filters {
                    for &(i, plane) in &planes.elements {
                        for &(j, row) in &rows.elements {
                            taps.extend(columns.elements.iter().map(|&(k, column)| {
                                let at = [plane, row, column];
                                let at = std::array::from_fn(|d| (at[d] + lead[d]) as usize);
                                let weight = filter * depth + (i * height + j) * width + k;
                                Tap { distance: frame.distance(filter, at), weight }
                            }));
                        }
                    }
                }
                let counts = [planes.count, rows.count, columns.count];
                correlations.push(Correlation { taps, counts, start: [a, b, c], step: geometry.stride });
            }
        }
    }
    let plan = Plan {
        frame,
        batch: geometry.batch,
        groups: geometry.groups,
        channels: filters,
        rows: geometry.channels / geometry.groups,
        row_stride: geometry.window(),
        weights: filters * depth,
        output: geometry.input,
        correlations,
        multiplications: geometry.multiplications(),
    };
    plan.run(y, w, None)
}
