//! Convolutions of every geometry beside the naive loop, in `f64`.

use super::*;
use crate::cpu::buffer::Plain;
use crate::shape::{Layout, Shape};
use proptest::prelude::*;

/// Calls `visit` with the places in input, weight and output of every product.
fn products(geometry: &Geometry, mut visit: impl FnMut(usize, usize, usize)) {
    let Geometry { batch, channels, filters, groups, input, kernel, output, stride, padding, dilation, .. } = *geometry;
    let place = |at: [usize; 3], sizes: [usize; 3]| (at[0] * sizes[1] + at[1]) * sizes[2] + at[2];
    let all = |sizes: [usize; 3]| {
        let count = sizes.iter().product::<usize>();
        (0..count).map(move |i| [i / (sizes[1] * sizes[2]), i / sizes[2] % sizes[1], i % sizes[2]])
    };
    let size = |sizes: [usize; 3]| sizes.iter().product::<usize>();
    for sample in 0..batch {
        for filter in 0..filters {
            let group = filter / (filters / groups);
            for channel in 0..channels / groups {
                for out in all(output) {
                    for element in all(kernel) {
                        let at: [usize; 3] = std::array::from_fn(|d| out[d] * stride[d] + element[d] * dilation[d]);
                        if (0..3).any(|d| at[d] < padding[d] || at[d] - padding[d] >= input[d]) {
                            continue;
                        }
                        let at = std::array::from_fn(|d| at[d] - padding[d]);
                        let from = sample * channels + group * (channels / groups) + channel;
                        visit(
                            from * size(input) + place(at, input),
                            (filter * (channels / groups) + channel) * size(kernel) + place(element, kernel),
                            (sample * filters + filter) * size(output) + place(out, output),
                        );
                    }
                }
            }
        }
    }
}

fn numbers(count: usize, seed: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f64 / 504.5 - 1.0).collect()
}

fn assert_close(got: &[f64], wanted: &[f64], what: &str, geometry: &Geometry) {
    assert_eq!(got.len(), wanted.len());
    for (i, (&got, &wanted)) in got.iter().zip(wanted).enumerate() {
        let close = (got - wanted).abs() <= 1e-12 * (1.0 + geometry.multiplications() as f64).sqrt();
        assert!(close, "{what} {i}: {got} instead of {wanted}, {geometry:?}");
    }
}

fn check(geometry: &Geometry) {
    let Geometry { batch, channels, filters, input, output, .. } = *geometry;
    let x = numbers(batch * channels * input.iter().product::<usize>(), 1);
    let w = numbers(filters * geometry.depth(), 2);
    let y = numbers(batch * filters * output.iter().product::<usize>(), 3);
    let bias = numbers(filters, 4);
    let place = output.iter().product::<usize>();
    let mut wanted: Vec<f64> = (0..y.len()).map(|i| bias[i / place % filters]).collect();
    let mut to_input = vec![0.0; x.len()];
    let mut to_weight = vec![0.0; w.len()];
    products(geometry, |i, j, k| {
        wanted[k] += x[i] * w[j];
        to_input[i] += y[k] * w[j];
        to_weight[j] += x[i] * y[k];
    });
    let (x, y) = (dense(&x, batch), dense(&y, batch));
    assert_close(&forward(&x, &w, Some(Epilogue { bias: &bias, relu: false }), geometry), &wanted, "output", geometry);
    assert_close(&super::input(&y, &w, geometry), &to_input, "input", geometry);
    assert_close(&weight(&x, &y, geometry), &to_weight, "weight", geometry);
}

/// So many samples, side by side.
pub(super) fn dense<T: Plain>(x: &[T], samples: usize) -> Samples<'_, T> {
    Samples::new(x, &Layout::contiguous(Shape::from([samples, x.len() / samples])))
}

/// Samples with gaps between them, samples of which one is repeated, and samples from the last to the first give the same bits as do copies.
fn check_layouts<T: Gemm + PartialEq + std::fmt::Debug>(geometry: &Geometry) {
    let Geometry { batch, channels, filters, input, output, .. } = *geometry;
    let numbers = |count, seed| numbers(count, seed).into_iter().map(T::from_f64).collect::<Vec<T>>();
    let w = numbers(filters * geometry.depth(), 2);
    let [of_x, of_y] = [channels * input.iter().product::<usize>(), filters * output.iter().product::<usize>()];
    for gap in [Some(3), None] {
        for backwards in [false, true] {
            let view = |length: usize, seed: usize| {
                let step = gap.map_or(0, |gap| length + gap);
                let all = numbers((batch - 1) * step + length, seed);
                let mut layout = Layout::contiguous(Shape::from([batch, length]));
                layout.strides[0] = step as isize;
                if backwards {
                    (layout.strides[0], layout.offset) = (-(step as isize), (batch - 1) * step);
                }
                let copy = crate::cpu::copy::copy(&all, &layout);
                (all, layout, copy)
            };
            let ((x, x_layout, x_copy), (y, y_layout, y_copy)) = (view(of_x, 1), view(of_y, 3));
            let (x, y) = (Samples::new(&x, &x_layout), Samples::new(&y, &y_layout));
            let (x_copy, y_copy) = (dense(&x_copy, batch), dense(&y_copy, batch));
            assert_eq!(*forward(&x, &w, None, geometry), *forward(&x_copy, &w, None, geometry), "{geometry:?}");
            assert_eq!(*super::input(&y, &w, geometry), *super::input(&y_copy, &w, geometry), "{geometry:?}");
            assert_eq!(*weight(&x, &y, geometry), *weight(&x_copy, &y_copy, geometry), "{geometry:?}");
        }
    }
}

#[test]
fn samples_are_read_where_they_lie() {
    let row = [3, 1, 1, 1, 9];
    // Registers of places and of rows, lines, tiles of minimal filtering, and a stride.
    for (counts, column) in [
        ([3, 1, 3, 5], [3, 1, 1, 1, 10]),
        ([2, 1, 4, 32], [5, 1, 2, 1, 5]),
        ([3, 4, 1, 1], [3, 1, 1, 1, 24]),
        ([4, 1, 40, 40], [3, 1, 1, 1, 12]),
        ([3, 2, 2, 3], [3, 2, 1, 1, 9]),
    ] {
        check_layouts::<f32>(&geometry(counts, [[1, 1, 0, 1, 1], row, column]));
        check_layouts::<f64>(&geometry(counts, [[1, 1, 0, 1, 1], row, column]));
    }
}

/// A geometry whose kernel fits; each of `each` has the kernel, stride, padding, dilation and the places of one dimension.
fn geometry([batch, groups, channels, filters]: [usize; 4], each: [[usize; 5]; 3]) -> Geometry {
    let [kernel, stride, padding, dilation, places] = std::array::from_fn(|what| each.map(|axis| axis[what]));
    // So many elements as the places need, some of them padding.
    let padding = std::array::from_fn(|d| padding[d].min((kernel[d] - 1) * dilation[d] / 2));
    let input = std::array::from_fn(|d| {
        ((places[d] - 1) * stride[d] + (kernel[d] - 1) * dilation[d] + 1).saturating_sub(2 * padding[d]).max(1)
    });
    let output =
        std::array::from_fn(|d| (input[d] + 2 * padding[d] - (kernel[d] - 1) * dilation[d] - 1) / stride[d] + 1);
    Geometry {
        batch,
        channels: groups * channels,
        filters: groups * filters,
        groups,
        input,
        kernel,
        output,
        stride,
        padding,
        dilation,
        dimensions: 3,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_are_the_naive_loop(
        counts in [1usize..4, 1usize..4, 1usize..4, 1usize..8],
        plane in [1usize..3, 1usize..3, 0usize..2, 1usize..3, 1usize..3],
        row in [1usize..6, 1usize..4, 0usize..3, 1usize..3, 1usize..14],
        column in [1usize..6, 1usize..4, 0usize..3, 1usize..3, 1usize..30],
    ) {
        check(&geometry(counts, [plane, row, column]));
    }

    /// Those of single channels have kernels of their own.
    #[test]
    fn depthwise_convolutions_are_the_naive_loop(
        batch in 1usize..7,
        groups in 1usize..9,
        filters in 1usize..3,
        row in [1usize..8, 1usize..3, 0usize..4, 1usize..3, 1usize..14],
        column in [1usize..8, 1usize..3, 0usize..4, 1usize..3, 1usize..40],
    ) {
        check(&geometry([batch, groups, 1, filters], [[1, 1, 0, 1, 1], row, column]));
    }
}
