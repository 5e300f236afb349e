//! Datasets: the digits of normalized inputs, and what is asked of them in vain.

use std::sync::atomic::{AtomicUsize, Ordering};

use hadal::classic::{LinearClassifier, Perceptron};
use hadal::data::synthetic;
use hadal::prelude::*;

use super::{labels, panics, points, says};

#[test]
fn normalized_inputs_have_pytorchs_bits() {
    let bytes = Tensor::from_vec((0..=255u8).collect(), [256, 1]);
    let data = Dataset::new("bytes", bytes, Tensor::zeros([256]).to_dtype(DType::I64)).unwrap();
    let read = |data: Dataset| data.batch(&(0..256).collect::<Vec<_>>()).0.to_vec::<f32>();
    let scaled: Vec<f32> = (0..=255u8).map(|x| f32::from(x) / 255.0).collect();
    assert_eq!(read(data.clone().divide(255.0)), scaled);
    let expected: Vec<f32> = scaled.iter().map(|x| (x - 0.1307) / 0.3081).collect();
    assert_eq!(read(data.clone().divide(255.0).normalize(0.1307, 0.3081)), expected);
    // Subtracting first keeps the digits of inputs far from 0.
    let far = Tensor::from_slice(&[16_777_215.0f32, 16_777_214.0], [2, 1]);
    let far = Dataset::new("far", far, Tensor::zeros([2]).to_dtype(DType::I64)).unwrap();
    assert_eq!(far.normalize(16_777_214.0, 3.0).batch(&[0, 1]).0.to_vec::<f32>(), [1.0 / 3.0, 0.0]);
    // Integers stay integers until they are scaled.
    let words = Dataset::new("words", Tensor::arange(4).reshape([4, 1]), Tensor::arange(4)).unwrap();
    assert_eq!(words.batch(&[3]).0.dtype(), DType::I64);
    assert_eq!(words.scale(0.5).batch(&[3]).0.to_vec::<f32>(), [1.5]);
    panics(|| data.clone().normalize(0.5, 0.0), &["std 0"]);
    panics(|| data.clone().scale(f64::NAN), &["factor NaN"]);
    panics(|| data.clone().divide(0.0), &["divisor 0"]);
}

#[test]
fn what_is_not_there_is_named_as_it_was_asked_for() {
    let data = points(9, 3);
    panics(|| data.clone().take(0), &["take", "at least 1 sample, not 0"]);
    panics(|| data.batch(&[0, usize::MAX]), &["index 18446744073709551615", "9 samples of points"]);
    panics(|| data.batch(&[9]), &["index 9", "9 samples"]);
    panics(|| data.batches(0), &["at least 1 sample, not 0"]);
    assert_eq!((data.clone().take(usize::MAX).len(), data.batch(&[]).0.shape()), (9, &[0, 2].into()));
    says(data.clone().sample_weights(&[1e300; 9]), &["sample 0", "weight", "f32"]);
}

#[test]
fn a_shuffled_walk_meets_every_sample_once() {
    let data = points(9, 9);
    let mut batches = data.batches(4);
    batches.next();
    let mut seen: Vec<f32> = batches.shuffle(&mut Rng::new(1)).flat_map(|(x, _)| x.to_vec::<f32>()).collect();
    let mut all = data.inputs().to_vec::<f32>();
    seen.sort_by(f32::total_cmp);
    all.sort_by(f32::total_cmp);
    assert_eq!(seen, all);
}

#[test]
fn generators_name_what_they_were_given() {
    says(synthetic::cats_and_dogs(10, -0.5, 0), &["overlap -0.5"]);
    says(synthetic::spirals(10, 1, 0.0, 0), &["2 arms", "not 1"]);
    says(synthetic::spirals(3, 5, 0.0, 0), &["5 samples", "not 3"]);
    says(synthetic::blobs(10, 0, 0.1, 0), &["2 centers", "not 0"]);
    says(synthetic::blobs(10, 2, -0.1, 0), &["cluster_std -0.1"]);
}

#[test]
fn a_line_that_is_not_finite_separates_nothing() {
    let x = Tensor::from_slice(&[3e38f32, 1.0, -3e38, 2.0], [2, 2]);
    let data = Dataset::new("far", x, Tensor::from_slice(&[0i64, 1], [2])).unwrap();
    says(Perceptron::new().learning_rate(1e300).fit(&data), &["no longer finite", "smaller learning rate"]);
    let line = LinearClassifier { weight: vec![1.0, -1.0], bias: 0.0 };
    let infinite = Tensor::from_slice(&[1.0f32, 0.0, f32::INFINITY, f32::INFINITY], [2, 2]);
    says(line.predict(&infinite), &["sample 1", "NaN"]);
    assert_eq!(
        LinearClassifier { weight: vec![], bias: 1.0 }.predict(&Tensor::zeros([2, 0])).unwrap().to_vec::<i64>(),
        [1, 1]
    );
}

#[test]
fn settings_that_are_0_or_infinite_in_f32_and_sizes_beyond_memory_are_refused() {
    use hadal::data::synthetic::{blobs, cats_and_dogs, circles, moons, spirals, xor};
    for samples in [1 << 50, usize::MAX] {
        let all = [
            moons(samples, 0.1, 1),
            circles(samples, 0.1, 1),
            xor(samples, 0.1, 1),
            spirals(samples, 2, 0.1, 1),
            blobs(samples, 2, 0.1, 1),
            blobs(samples, samples, 0.1, 1),
            cats_and_dogs(samples, 0.1, 1),
        ];
        for data in all {
            let message = data.unwrap_err().to_string();
            assert!(message.contains("memory"), "{message}");
        }
    }
    let data = || moons(20, 0.1, 1).unwrap();
    type Setting = fn(hadal::data::Dataset) -> hadal::data::Dataset;
    let settings: [Setting; 4] =
        [|d| d.divide(1e-50), |d| d.scale(1e300), |d| d.normalize(1.0, 1e-320), |d| d.normalize(1e300, 1.0)];
    for setting in settings {
        assert!(std::panic::catch_unwind(|| setting(data())).is_err());
    }
    assert!(std::panic::catch_unwind(|| MeanSquaredError.class_weights(&[1e37, 1e37])).is_err());
    let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    let mut model = model.compile(Sgd::new(1e-50), BinaryCrossentropy, [Accuracy]).unwrap();
    assert!(model.fit(&data(), Fit::epochs(1).quiet()).unwrap_err().to_string().contains("learning rate"));
}

#[test]
fn predict_applies_the_transforms_of_training_also_after_loading() {
    let pixels = Tensor::from_slice(&[0u8, 255, 255, 0, 30, 200], [3, 2]);
    let data = || Dataset::new("pixels", pixels.clone(), labels([0, 1, 0])).unwrap();
    let model = Sequential::new([2]).add(Dense::new(2).activation(Softmax));
    let mut model = model.compile(Adam::new(0.1), CategoricalCrossentropy, ()).unwrap();
    let scaled = data().divide(255.0).normalize(0.5, 0.25);
    model.fit(&scaled, Fit::epochs(3).quiet()).unwrap();
    let expected = model.model.forward(&scaled.batch(&[0, 1, 2]).0, &mut Context::evaluation()).to_vec::<f32>();
    assert_eq!(model.predict(&pixels).unwrap().to_vec::<f32>(), expected);
    assert_eq!(model.predict(scaled.inputs()).unwrap().to_vec::<f32>(), expected);
    assert_eq!(model.predict(&scaled).unwrap().to_vec::<f32>(), expected);
    // Floats are what the model takes.
    assert_eq!(model.predict(&scaled.batch(&[0, 1, 2]).0).unwrap().to_vec::<f32>(), expected);
    let words = ["pixels", "trained on u8 inputs, divided by 255, minus 0.5, divided by 0.25", "these are u8 inputs;"];
    says(model.predict(&data()), &words);
    says(model.evaluate(&data()), &words);
    says(model.fit(&scaled, Fit::epochs(1).validation_data(&data()).quiet()), &words);
    model.evaluate(&scaled).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    model.model.save(&path, &Default::default()).unwrap();
    let load = |path: &std::path::Path| Sequential::load(path).unwrap().0;
    let loaded = load(&path).compile(Adam::new(0.1), CategoricalCrossentropy, ()).unwrap();
    assert_eq!(loaded.predict(&pixels).unwrap().to_vec::<f32>(), expected);
    // What callbacks write holds them, too, though they were made before the run.
    let run = hadal::train::RunFolder::open(folder.path(), model.model.architecture(), Default::default()).unwrap();
    model.fit(&scaled, Fit::epochs(1).quiet().callback(run)).unwrap();
    let path = folder.path().join(hadal::train::RunFolder::MODEL);
    let loaded = load(&path).compile(Adam::new(0.1), CategoricalCrossentropy, ()).unwrap();
    assert_eq!(loaded.predict(&pixels).unwrap().to_vec::<f32>(), model.predict(&scaled).unwrap().to_vec::<f32>());
}

#[test]
fn transforms_come_back_from_a_file_to_the_last_bit() {
    let mut rng = Rng::new(5);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let pixels = Tensor::from_slice(&[0u8, 255, 255, 0], [2, 2]);
    for _ in 0..50 {
        let (mean, std) = (f64::from(rng.uniform()) / 3.0 + 0.1, f64::from(rng.uniform()) / 7.0 + 0.2);
        let data = Dataset::new("pixels", pixels.clone(), labels([0, 1])).unwrap().divide(255.0).normalize(mean, std);
        let model = Sequential::new([2]).add(Dense::new(2).activation(Softmax));
        let mut model = model.compile(Adam::new(0.1), CategoricalCrossentropy, ()).unwrap();
        model.fit(&data, Fit::epochs(1).quiet()).unwrap();
        model.model.save(&path, &Default::default()).unwrap();
        let loaded = Sequential::load(&path).unwrap().0;
        let mut other = Sequential::new([2]).add(Dense::new(2).activation(Softmax));
        other = other.seed(9);
        let mut other = other.compile(Adam::new(0.1), CategoricalCrossentropy, ()).unwrap();
        // A network that is put into another trainer brings its transforms along.
        other.model = loaded;
        other.evaluate(&data).unwrap();
        assert_eq!(other.predict(&pixels).unwrap().to_vec::<f32>(), model.predict(&pixels).unwrap().to_vec::<f32>());
    }
}

#[test]
fn f64_data_is_an_error_that_says_what_to_do_or_is_converted() {
    let x = Tensor::from_slice(&[1.0f64, 2.0], [2, 1]);
    let data = |x: &Tensor, y: &Tensor| Dataset::new("doubles", x.clone(), y.clone()).unwrap();
    let narrow = x.to_dtype(DType::F32);
    let losses: [fn() -> Box<dyn Loss>; 4] = [
        || Box::new(MeanSquaredError),
        || Box::new(MeanAbsoluteError),
        || Box::new(Huber::default()),
        || Box::new(Hinge),
    ];
    for loss in losses {
        let model = Sequential::new([1]).add(Dense::new(1));
        let mut model = model.compile(Sgd::new(0.01), loss(), ()).unwrap();
        says(model.fit(&data(&x, &narrow), Fit::epochs(1).quiet()), &["f64", "f32", "to_dtype"]);
        says(model.predict(&x), &["f64", "f32", "to_dtype"]);
        // Targets follow the predictions.
        model.fit(&data(&narrow, &(&x * 0.0 + 1.0)), Fit::epochs(1).quiet()).unwrap();
        model.evaluate(&data(&narrow, &(&x * 0.0 + 1.0))).unwrap();
    }
    let targets = Tensor::from_slice(&[0.0f64, 1.0], [2, 1]);
    let model = Sequential::new([1]).add(Dense::new(1).activation(Sigmoid));
    let mut model = model.compile(Sgd::new(0.01), BinaryCrossentropy, (Accuracy, RocAuc::new())).unwrap();
    model.fit(&data(&narrow, &targets), Fit::epochs(1).quiet()).unwrap();
    let targets = Tensor::from_slice(&[0.0f64, 1.0, 1.0, 0.0], [2, 2]);
    for loss in [Box::new(CategoricalCrossentropy) as Box<dyn Loss>, Box::new(KlDivergence)] {
        let model = Sequential::new([1]).add(Dense::new(2).activation(Softmax));
        let mut model = model.compile(Sgd::new(0.01), loss, Accuracy).unwrap();
        model.fit(&data(&narrow, &targets), Fit::epochs(1).quiet()).unwrap();
    }
}

/// The most samples that a model of [`Noted`] was given at once.
static MOST: AtomicUsize = AtomicUsize::new(0);

#[derive(Module)]
struct Noted {
    mean: bool,
}

impl Forward for Noted {
    fn forward(&self, x: &Tensor, _: &mut Context) -> Tensor {
        MOST.fetch_max(x.size(0), Ordering::Relaxed);
        if self.mean { x.mean() } else { x * 2.0 }
    }
}

#[test]
fn predictions_of_many_samples_are_made_some_at_a_time() {
    let of = |mean| Trainer::new(Noted { mean }, Sgd::default(), MeanSquaredError, ());
    let x = Tensor::arange(2 * 3501).to_dtype(DType::F32).reshape([3501, 2]);
    assert_eq!(of(false).predict(&x).unwrap().to_vec::<f32>(), (&x * 2.0).to_vec::<f32>());
    assert!((1..=1000).contains(&MOST.load(Ordering::Relaxed)));
    assert_eq!(of(false).predict(&x.narrow(0, 0, 0)).unwrap().shape(), &[0, 2]);
    // Samples are counted from the first of all.
    let mut spoilt = x.to_vec::<f32>();
    spoilt[2 * 2345 + 1] = f32::NAN;
    let spoilt = Tensor::from_vec(spoilt, [3501, 2]);
    says(of(false).predict(&spoilt), &["sample 2345", "NaN"]);
    // One output for all samples of a batch says nothing about those of several.
    assert_eq!(of(true).predict(&x.narrow(0, 0, 3)).unwrap().item(), 2.5);
    says(of(true).predict(&x), &["shape []", "4 batches of 3501 samples", "first axis"]);
}
