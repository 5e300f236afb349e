//! Minimal filtering beside sums of products in `f64`.

use super::*;
use crate::cpu::convolution::{self, tests::dense};
use crate::cpu::threads::{lock_threads, num_threads, set_num_threads_exactly};
use proptest::prelude::*;

fn geometry(batch: usize, [channels, filters]: [usize; 2], input: [usize; 2], padding: [usize; 2]) -> Geometry {
    let output = std::array::from_fn::<_, 2, _>(|d| input[d] + 2 * padding[d] - 2);
    Geometry {
        batch,
        channels,
        filters,
        groups: 1,
        input: [1, input[0], input[1]],
        kernel: [1, 3, 3],
        output: [1, output[0], output[1]],
        stride: [1; 3],
        padding: [0, padding[0], padding[1]],
        dilation: [1; 3],
        dimensions: 2,
    }
}

/// Numbers between -1 and 1 that look random.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// `terms`: how many products an element is the sum of.
fn assert_close(got: &[f32], wanted: &[f64], terms: usize, what: &str) {
    assert_eq!(got.len(), wanted.len());
    let tolerance = 4e-6 * (terms as f64).sqrt() + 2e-6;
    for (i, (&got, &wanted)) in got.iter().zip(wanted).enumerate() {
        assert!((f64::from(got) - wanted).abs() <= tolerance, "{what} {i}: {got} instead of {wanted}");
    }
}

fn check(geometry: &Geometry) {
    let [rows, columns] = geometry.tiling().input;
    let [down, across] = geometry.tiling().output;
    let Geometry { batch, channels, filters, .. } = *geometry;
    let x = numbers(batch * channels * rows * columns, 1);
    let w = numbers(filters * channels * 9, 2);
    let y = numbers(batch * filters * down * across, 3);
    let bias = numbers(filters, 4);
    let (wide_x, wide_y) = (wide(&x), wide(&y));
    let (wide_x, wide_y) = (dense(&wide_x, batch), dense(&wide_y, batch));
    let (x, y) = (dense(&x, batch), dense(&y, batch));
    for relu in [false, true] {
        let wanted = Some(Epilogue { bias: &wide(&bias)[..], relu });
        let wanted = convolution::forward(&wide_x, &wide(&w), wanted, geometry);
        assert_close(&forward(&x, &w, Some(Epilogue { bias: &bias, relu }), geometry), &wanted, 9 * channels, "output");
    }
    let wanted = convolution::input(&wide_y, &wide(&w), geometry);
    assert_close(&input(&y, &w, geometry), &wanted, 9 * filters, "input");
    let wanted = convolution::weight(&wide_x, &wide_y, geometry);
    assert_close(&weight(&x, &y, geometry), &wanted, batch * down * across, "weight");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn gives_what_sums_of_products_give(
        batch in 1usize..7,
        channels in prop::array::uniform2(1usize..40),
        input in prop::array::uniform2(3usize..40),
        padding in prop::array::uniform2(0usize..3),
    ) {
        check(&geometry(batch, channels, input, padding));
    }
}

#[test]
fn lines_longer_than_a_block_and_more_filters_than_a_register() {
    check(&geometry(2, [16, 70], [7, 75], [1, 1]));
    check(&geometry(1, [130, 20], [40, 34], [0, 2]));
}

#[test]
fn the_bits_do_not_depend_on_threads() {
    let _guard = lock_threads();
    let before = num_threads();
    // Of the second, so few tiles that threads decide how many are taken together.
    for geometry in [geometry(9, [45, 70], [15, 14], [1, 1]), geometry(1, [45, 70], [26, 26], [0, 0])] {
        assert!(geometry.is_minimal::<f32>() && !geometry.is_minimal::<f64>());
        let Geometry { batch, channels, filters, input: from, output: to, .. } = geometry;
        let x = numbers(batch * channels * from[1] * from[2], 1);
        let w = numbers(filters * channels * 9, 2);
        let y = numbers(batch * filters * to[1] * to[2], 3);
        let (x, y) = (dense(&x, batch), dense(&y, batch));
        let all = |threads| {
            set_num_threads_exactly(threads);
            let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            [bits(&forward(&x, &w, None, &geometry)), bits(&input(&y, &w, &geometry)), bits(&weight(&x, &y, &geometry))]
        };
        let one = all(1);
        assert!(all(2) == one && all(3) == one && all(7) == one);
    }
    set_num_threads_exactly(before);
}

#[test]
fn is_taken_where_it_takes_less() {
    let minimal = |batch, channels, size| {
        let geometry = geometry(batch, channels, [size; 2], [1, 1]);
        [geometry.is_minimal::<f32>(), geometry.is_minimal_for_weight::<f32>()]
    };
    assert_eq!(minimal(64, [64, 64], 8), [true, true]);
    assert_eq!(minimal(64, [32, 32], 32), [true, true]);
    // Its transforms take longer than what is saved, unless only sums come out.
    assert_eq!(minimal(64, [16, 16], 32), [false, true]);
    assert_eq!(minimal(64, [3, 64], 32), [false, false]);
    // Most of a tile lies outside, and so few tiles do not pay for transformed weights.
    assert_eq!(minimal(64, [64, 64], 2), [false, false]);
    assert_eq!(minimal(1, [256, 256], 4), [false, false]);
    // Sizes whose product does not fit.
    assert_eq!(minimal(usize::MAX >> 8, [1 << 20, 1 << 20], 1 << 20), [true, true]);
}
