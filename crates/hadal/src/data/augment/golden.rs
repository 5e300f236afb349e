//! Transforms against golden values that `tests/golden/augment.py` made with torchvision. Both compute in `f32`,
//! torchvision the places of pixels as fractions of the image: the tolerance is 2e-5 of white.

use serde_json::Value;

use super::check::Frame;
use super::erase::{Rectangle, cover};
use super::geometry::Map;
use super::resample::resample;
use super::{Augment, color};
use crate::{Shape, Tensor};

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/golden/augment.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn image(value: &Value) -> (Frame, Vec<f32>) {
    let shape: Vec<usize> = value["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    (Frame::of(&shape).unwrap(), numbers(&value["data"]))
}

#[track_caller]
fn close(what: &str, got: &[f32], expected: &Value) {
    let expected = numbers(&expected["data"]);
    assert_eq!(got.len(), expected.len(), "{what}");
    for (place, (got, expected)) in got.iter().zip(&expected).enumerate() {
        assert!((got - expected).abs() <= 2e-5, "{what}: {got} instead of {expected} at {place}");
    }
}

fn for_each_image(check: impl Fn(&str, Frame, &[f32], &Value)) {
    let golden = golden();
    for name in ["grey", "colour"] {
        let (frame, pixels) = image(&golden[name]["image"]);
        check(name, frame, &pixels, &golden[name]);
    }
}

#[test]
fn shear_rotation_scale_and_shift_in_this_order_are_torchvisions_affine() {
    for_each_image(|name, frame, pixels, golden| {
        for case in golden["affine"].as_array().unwrap() {
            let mut map = Map::IDENTITY;
            map.shear(number(&case["shear"]));
            map.rotate(number(&case["angle"]));
            map.scale(number(&case["scale"]), number(&case["scale"]));
            map.shift(number(&case["shift"][0]), number(&case["shift"][1]));
            let mut got = pixels.to_vec();
            resample(&mut got, frame, &map, number(&case["fill"]) as f32);
            let what = format!("{name}, angle {}, scale {}", case["angle"], case["scale"]);
            close(&what, &got, &case["output"]);
        }
    });
}

#[test]
fn a_displacement_field_moves_pixels_as_in_torchvision() {
    for_each_image(|name, frame, pixels, golden| {
        let case = &golden["elastic"];
        let mut map = Map::IDENTITY;
        map.displace([numbers(&case["x"]), numbers(&case["y"])]);
        let mut got = pixels.to_vec();
        resample(&mut got, frame, &map, number(&case["fill"]) as f32);
        close(name, &got, &case["output"]);
    });
}

#[test]
fn flips_and_crops_are_torchvisions() {
    for_each_image(|name, frame, pixels, golden| {
        for (what, fill, change) in [
            ("flip_horizontal", 0.0, &Map::flip_horizontal as &dyn Fn(&mut Map)),
            ("flip_vertical", 0.0, &Map::flip_vertical),
            // 2 pixels of padding, less 1 to the right and 4 down.
            ("crop", 0.5, &|map| map.shift(1.0, -2.0)),
        ] {
            let mut map = Map::IDENTITY;
            change(&mut map);
            let mut got = pixels.to_vec();
            resample(&mut got, frame, &map, fill);
            close(&format!("{name}, {what}"), &got, &golden[what]);
        }
        let shape = [1, frame.channels, frame.height, frame.width];
        let flipped = Augment::new()
            .flip_horizontal(1.0)
            .apply(&Tensor::from_slice(pixels, Shape::from(shape)), &Tensor::zeros([1]), 0, 0, &[0])
            .unwrap();
        close(name, &flipped.0.to_vec::<f32>(), &golden["flip_horizontal"]);
    });
}

#[test]
fn erasing_is_torchvisions() {
    for_each_image(|name, frame, pixels, golden| {
        let mut got = pixels.to_vec();
        cover(&mut got, frame, Rectangle { top: 2, left: 3, height: 4, width: 2 }, 0.5);
        close(name, &got, &golden["erase"]);
    });
}

#[test]
fn brightness_and_contrast_are_torchvisions() {
    for_each_image(|name, frame, pixels, golden| {
        for kind in ["brightness", "contrast"] {
            for case in golden[kind].as_array().unwrap() {
                let (factor, mut got) = (number(&case["factor"]) as f32, pixels.to_vec());
                match kind {
                    "brightness" => color::brightness(&mut got, factor, 1.0),
                    _ => color::contrast(&mut got, frame, factor, 1.0),
                }
                close(&format!("{name}, {kind} {factor}"), &got, &case["output"]);
            }
        }
    });
}
