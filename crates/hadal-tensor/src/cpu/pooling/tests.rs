//! Windows of whole lines are those that are searched one by one.

use super::*;
use crate::window::WindowAxis;
use proptest::prelude::*;

proptest! {
    #[test]
    fn whole_lines_find_what_is_found_one_by_one(
        sizes in prop::array::uniform3(1usize..40),
        kernel in prop::array::uniform2(1usize..5),
        stride in prop::array::uniform2(1usize..5),
        dilation in prop::array::uniform2(1usize..4),
        padding in prop::array::uniform2(0usize..3),
        ceil_mode in any::<bool>(),
        same_padding in any::<bool>(),
        pairs in any::<bool>(),
        // Few different numbers, so that there are equal ones.
        numbers in prop::collection::vec(prop_oneof![
            4 => (-3i32..3).prop_map(|x| x as f32),
            1 => Just(f32::NEG_INFINITY),
            1 => Just(f32::NAN),
        ], 40 * 40),
    ) {
        let [channels, rows, columns] = [1 + sizes[0] % 3, sizes[1], sizes[2]];
        let (mut kernel, mut stride, mut dilation, mut padding) = (kernel, stride, dilation, padding);
        if pairs {
            (kernel[1], stride[1], dilation[1], padding[1]) = (2, 2, 1, 0);
        }
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
        let (values, places) = largest_and_places(&x, &geometry, true);
        let places = places.expect("the places were asked for");
        let (mut wanted, mut wanted_places) = (vec![0.0; values.len()], vec![0; values.len()]);
        if !wanted.is_empty() {
            let (rows, columns) = (&geometry.rows(), &geometry.columns());
            Lines { x: &x, geometry: &geometry, rows, columns, first: 0 }.one_by_one(&mut wanted, Some(&mut wanted_places));
        }
        prop_assert_eq!(&places[..], &wanted_places[..]);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&values), bits(&wanted));
        prop_assert_eq!(bits(&largest_and_places(&x, &geometry, false).0), bits(&wanted));
    }
}

#[test]
fn windows_of_nothing_have_no_largest_element() {
    let geometry = Geometry {
        batch: 1,
        channels: 1,
        filters: 1,
        groups: 1,
        input: [1, 0, 16],
        kernel: [1, 2, 2],
        output: [1, 1, 8],
        stride: [1, 2, 2],
        padding: [0, 1, 0],
        dilation: [1; 3],
        dimensions: 2,
    };
    let (values, places) = largest_and_places::<f32>(&[], &geometry, true);
    assert_eq!((&values[..], &places.unwrap()[..]), (&[f32::NEG_INFINITY; 8][..], &[-1; 8][..]));
    assert_eq!(largest_and_places::<f32>(&[], &geometry, false).0[..], [f32::NEG_INFINITY; 8]);
}
