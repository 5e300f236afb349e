//! Random transforms through the public face: what depends on what, and what is said when they cannot work.

use std::sync::Mutex;

use hadal::data::{Augment, AugmentStep};
use hadal::prelude::*;
use hadal::{available_levels, force_level, set_num_threads_exactly};
use proptest::prelude::{Just, Strategy, prop};
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};

/// Threads and vector instructions are the process's: tests that set them take turns.
static TURN: Mutex<()> = Mutex::new(());

fn everything() -> Augment {
    Augment::new()
        .fill(7.0)
        .shift(0.1)
        .rotate(15.0)
        .elastic(20.0, 2.0)
        .noise(0.1)
        .scale(0.8, 1.2)
        .shear(10.0)
        .flip_horizontal(0.5)
        .contrast(0.3)
        .mixup(0.4, 10)
        .flip_vertical(0.5)
        .crop(2)
        .crop_resized(0.5, 1.0)
        .brightness(0.3)
        .erase(0.5)
}

fn without_mixup() -> Augment {
    let text = serde_json::to_value(everything()).unwrap();
    let steps = text["steps"].as_array().unwrap().iter().filter(|step| step.get("mixup").is_none()).collect::<Vec<_>>();
    serde_json::from_value(serde_json::json!({ "steps": steps, "fill": 7.0 })).unwrap()
}

fn bytes(sizes: &[usize]) -> Tensor {
    (Tensor::rand(sizes.to_vec(), &mut Rng::new(3)) * 255.0).to_dtype(DType::U8)
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.to_vec::<f32>().into_iter().map(f32::to_bits).collect()
}

/// The outputs for samples `0..n`.
fn run(augment: &Augment, images: &Tensor) -> Tensor {
    let n = images.size(0);
    augment.apply(images, &Tensor::arange(n), 1, 2, &(0..n).collect::<Vec<_>>()).unwrap().0
}

fn message<T>(result: hadal::Result<T>) -> String {
    match result {
        Ok(_) => panic!("this should be an error"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_number_of_threads_and_the_vector_instructions_change_no_bit() {
    let _turn = TURN.lock().unwrap();
    let (images, labels) = (bytes(&[37, 3, 20, 33]), Tensor::arange(37) / 4);
    let labels = labels.to_dtype(DType::I64);
    let run = || {
        let (x, y) = everything().apply(&images, &labels, 1, 2, &(100..137).collect::<Vec<_>>()).unwrap();
        (bits(&x), bits(&y))
    };
    let best = *available_levels().last().unwrap();
    let expected = run();
    for threads in [1, 2, 3] {
        set_num_threads_exactly(threads);
        for level in available_levels() {
            force_level(level);
            assert!(run() == expected, "{threads} threads with {level:?} give other bits");
        }
        force_level(best);
    }
}

#[test]
fn a_sample_is_the_same_in_any_batch() {
    let augment = without_mixup();
    let images = bytes(&[12, 9, 14]);
    let all = run(&augment, &images);
    for size in [1, 5] {
        for start in (0..12).step_by(size) {
            // In the opposite order.
            let indices: Vec<usize> = (start..12.min(start + size)).rev().collect();
            let index = Tensor::from_vec(indices.iter().map(|i| *i as i64).collect(), [indices.len()]);
            let (part, _) = augment.apply(&images.index_select(0, &index), &index, 1, 2, &indices).unwrap();
            assert_eq!(bits(&part), bits(&all.index_select(0, &index)), "batches of {size}, from {start}");
        }
    }
}

#[test]
fn seed_epoch_and_sample_each_change_the_draws() {
    let augment = Augment::new().noise(1.0);
    let one = |seed, epoch, index| {
        let (x, _) = augment.apply(&Tensor::zeros([1, 8]), &Tensor::zeros([1]), seed, epoch, &[index]).unwrap();
        bits(&x)
    };
    let draws: Vec<_> = (0..27).map(|i| one(i / 9, i / 3 % 3, i as usize % 3)).collect();
    for (i, a) in draws.iter().enumerate() {
        assert!(draws[..i].iter().all(|b| a != b), "{i}");
    }
    assert_eq!(one(1, 2, 3), one(1, 2, 3));
}

#[test]
fn a_step_draws_the_same_whatever_stands_beside_it() {
    // Noise draws more numbers than contrast: the erased area stays where it is.
    let erased = |augment: Augment| {
        let x = run(&augment.erase(1.0), &Tensor::ones([20, 12, 12]));
        x.to_vec::<f32>().iter().map(|value| *value == 0.0).collect::<Vec<_>>()
    };
    assert_eq!(erased(Augment::new().noise(0.01)), erased(Augment::new().contrast(0.0)));
}

#[test]
fn settings_of_no_change_change_no_bit() {
    let augment = Augment::new()
        .shift(0.0)
        .rotate(0.0)
        .scale(1.0, 1.0)
        .shear(0.0)
        .elastic(0.0, 3.0)
        .flip_horizontal(0.0)
        .flip_vertical(0.0)
        .crop(0)
        .crop_resized(1.0, 1.0)
        .erase(0.0)
        .brightness(0.0)
        .contrast(0.0)
        .noise(0.0);
    let images = bytes(&[6, 3, 11, 8]);
    assert_eq!(run(&augment, &images).to_vec::<f32>(), images.to_dtype(DType::F32).to_vec::<f32>());
    let floats = Tensor::rand([6, 11, 8], &mut Rng::new(0));
    assert_eq!(run(&augment, &floats).to_vec::<f32>(), floats.to_vec::<f32>());
}

#[test]
fn nothing_is_done_without_steps() {
    let images = bytes(&[2, 3]);
    assert_eq!(run(&Augment::new(), &images).to_vec::<u8>(), images.to_vec::<u8>());
}

#[test]
fn mixed_labels_are_probabilities() {
    let labels = Tensor::from([[0], [1], [2], [2]]);
    let (x, y) = Augment::new().mixup(1.0, 3).apply(&Tensor::ones([4, 5]), &labels, 0, 0, &[0, 1, 2, 3]).unwrap();
    assert_eq!(y.shape().to_vec(), [4, 3]);
    for row in y.to_vec::<f32>().chunks(3) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6 && row.iter().all(|p| *p >= 0.0), "{row:?}");
    }
    assert!(x.to_vec::<f32>().iter().all(|value| (value - 1.0).abs() < 1e-6));
}

#[test]
fn settings_come_back_from_a_file() {
    let text = serde_json::to_string(&everything()).unwrap();
    assert_eq!(serde_json::from_str::<Augment>(&text).unwrap(), everything());
    assert!(matches!(everything().steps()[0], AugmentStep::Shift(fraction) if fraction == 0.1));
    let unknown = serde_json::from_str::<Augment>(r#"{ "steps": [{ "turn": 3.0 }] }"#).unwrap_err().to_string();
    assert!(unknown.contains("unknown variant `turn`") && unknown.contains("`rotate`"), "{unknown}");
    let unknown = serde_json::from_str::<Augment>(r#"{ "step": [] }"#).unwrap_err().to_string();
    assert!(unknown.contains("unknown field `step`"), "{unknown}");
}

#[test]
fn a_chain_is_shown_as_it_is_written() {
    let augment = Augment::new().shift(0.1).scale(0.9, 1.1).elastic(34.0, 4.0).crop(4);
    assert_eq!(augment.to_string(), "shift(0.1), scale(0.9, 1.1), elastic(34, 4), crop(4)");
}

#[test]
fn settings_out_of_range_are_named() {
    let new = Augment::new;
    for (augment, expected) in [
        (new().shift(1.5), "augment: shift: the fraction is from 0 to 1, not 1.5"),
        (new().rotate(-3.0), "augment: rotate: the angle is from 0 to 180, not -3"),
        (new().rotate(f64::NAN), "augment: rotate: the angle is from 0 to 180, not NaN"),
        (new().scale(1.2, 0.8), "augment: scale: factors from 1.2 to 0.8; the smaller comes first, above 0"),
        (new().scale(0.0, 1.0), "augment: scale: factors from 0 to 1;"),
        (new().shear(90.0), "augment: shear: the angle is from 0 to 89, not 90"),
        (new().elastic(-1.0, 4.0), "augment: elastic: the alpha is from 0 to 1000000, not -1"),
        (new().elastic(34.0, 29.0), "augment: elastic: a sigma of 29 pixels is larger than the image of 28x28"),
        (new().flip_horizontal(2.0), "augment: flip_horizontal: the probability is from 0 to 1, not 2"),
        (new().crop(28), "augment: crop: a padding of 28 pixels could leave nothing of an image of 28x28"),
        (new().crop_resized(0.5, 1.5), "augment: crop_resized: areas from 0.5 to 1.5;"),
        (new().erase(-0.1), "augment: erase: the probability is from 0 to 1, not -0.1"),
        (new().brightness(f64::INFINITY), "augment: brightness: the factor is from 0 to 1000000, not inf"),
        (new().noise(-1.0), "augment: noise: the standard deviation is from 0"),
        (new().mixup(0.0, 10), "augment: mixup: the alpha is from 0.001"),
        (new().mixup(0.2, 0), "augment: mixup: the number of classes is at least 1, not 0"),
        (new().mixup(0.2, 10).mixup(0.2, 10), "augment: there are two mixups"),
        (new().fill(f64::NAN), "augment: the fill is a finite number of f32, not NaN"),
    ] {
        let message = message(augment.check(&Shape::from([28, 28]), DType::U8));
        assert!(message.starts_with(expected), "{message}\ninstead of\n{expected}");
    }
}

#[test]
fn inputs_that_are_no_images_are_told_what_helps() {
    let rotate = Augment::new().rotate(15.0);
    for (shape, expected) in [
        (
            vec![784],
            "rotate needs images of shape [height, width] or [channels, height, width], not inputs of shape [784]; \
          Dataset::reshape([28, 28]) makes them images",
        ),
        (vec![3072], "; Dataset::reshape([3, 32, 32]) makes them images"),
        (vec![5], "; Dataset::reshape makes flattened inputs images"),
        (vec![2, 3, 4, 5], "not inputs of shape [2, 3, 4, 5]"),
        (
            vec![32, 32, 3],
            "inputs of shape [32, 32, 3] seem to have their channels last: Tensor::permute(&[0, 3, 1, 2])",
        ),
        (vec![40_000, 2], "images have at most 32768 pixels a side, not 40000x2"),
    ] {
        let message = message(rotate.check(&Shape::from(shape), DType::U8));
        assert!(message.contains(expected), "{message}\nlacks\n{expected}");
    }
    let message = message(rotate.check(&Shape::from([8, 8]), DType::I64));
    assert_eq!(message, "augment: inputs are bytes (u8) or f32, not i64; convert them with Tensor::to_dtype");
    assert!(Augment::new().noise(0.1).mixup(0.2, 3).check(&Shape::from([5]), DType::F32).is_ok());
}

#[test]
fn data_that_does_not_fit_is_named() {
    let (x, y) = (Tensor::ones([2, 4, 4]), Tensor::from([0, 3]));
    let bright = Augment::new().brightness(0.2);
    let outside = message(bright.apply(&(&x * 2.5), &y, 0, 0, &[0, 1]));
    assert!(
        outside.contains("brightness takes bytes, or floats from 0 to 1; input 0 of the batch holds 2.5"),
        "{outside}"
    );
    let count = message(bright.apply(&x, &y, 0, 0, &[0]));
    assert!(count.contains("1 indices for inputs of shape [2, 4, 4] and targets of shape [2]"), "{count}");
    let mixup = Augment::new().mixup(0.2, 3);
    let label = message(mixup.apply(&x, &y, 0, 0, &[0, 1]));
    assert!(label.contains("labels from 0 to 2; target 1 of the batch is 3"), "{label}");
    let labels = message(mixup.apply(&x, &Tensor::from([[0, 1], [1, 2]]), 0, 0, &[0, 1]));
    assert!(labels.contains("one integer label for each sample"), "{labels}");
}

type Step = fn(Augment, f64) -> Augment;

/// A step with settings that follow from a number from 0 to 1.
fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just((|a, x| a.shift(x)) as Step),
        Just((|a, x| a.rotate(180.0 * x)) as Step),
        Just((|a, x| a.scale(0.01 + x, 1.0 + 9.0 * x)) as Step),
        Just((|a, x| a.shear(89.0 * x)) as Step),
        Just((|a, x| a.elastic(1000.0 * x, x)) as Step),
        Just((|a, x| a.flip_horizontal(x)) as Step),
        Just((|a, x| a.flip_vertical(x)) as Step),
        Just((|a, x| a.crop_resized(0.01 + 0.5 * x, 0.6 + 0.4 * x)) as Step),
        Just((|a, x| a.erase(x)) as Step),
        Just((|a, x| a.brightness(3.0 * x)) as Step),
        Just((|a, x| a.contrast(3.0 * x)) as Step),
        Just((|a, x| a.noise(x)) as Step),
    ]
}

proptest! {
    /// Any chain on bytes of any size stays within 0 to 255.
    #[test]
    fn bytes_stay_in_their_range(
        steps in prop::collection::vec((any_step(), 0.0..1.0f64), 0..6),
        sizes in (1..4usize, 1..4usize, 1..12usize, 1..12usize), seed: u64,
    ) {
        let augment = steps.into_iter().fold(Augment::new(), |augment, (step, x)| step(augment, x));
        let images = bytes(&[sizes.0, sizes.1, sizes.2, sizes.3]);
        let indices: Vec<usize> = (0..sizes.0).collect();
        let (x, _) = augment.apply(&images, &Tensor::arange(sizes.0), seed, 0, &indices).unwrap();
        prop_assert_eq!(x.shape(), images.shape());
        for value in x.to_dtype(DType::F32).to_vec::<f32>() {
            prop_assert!((-1e-3..=255.001).contains(&value), "{}: {}", augment, value);
        }
    }
}
