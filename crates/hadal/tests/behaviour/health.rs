//! Networks made ill on purpose are found ill, with the right layer, once; those that do well are left in peace.

mod healthy;
mod not_finite;
mod own_models;

use std::path::Path;

use hadal::Result;
use hadal::data::synthetic::moons;
use hadal::nn::Initializer;
use hadal::prelude::*;
use hadal::train::{Checkpoint, Every, Finding, FindingKind, Health};

use super::{contains, points, says};

/// Trains; returns what was found.
fn findings(model: &mut Trainer<Sequential>, data: &Dataset, fit: Fit) -> Vec<Finding> {
    let mut health = Health::new();
    model.fit(data, fit.callback(&mut health).quiet()).unwrap();
    health.findings().to_vec()
}

/// The guide's chapter on what is found.
const CHAPTER: &str = include_str!("../../../../book/src/reading_curves.md");

/// A text without its numbers and line breaks.
fn shape(text: &str) -> String {
    let word = |word: &str| {
        let number = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_number = !number.is_empty() && number.parse::<f64>().is_ok();
        if is_number { word.replace(number, "#") } else { word.replace(|c: char| c.is_ascii_digit(), "") }
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// The only finding of a kind, which the guide shows.
#[track_caller]
fn only(findings: &[Finding], kind: FindingKind) -> &Finding {
    let own = single(findings, kind);
    assert!(shape(CHAPTER).contains(&shape(&own.to_string())), "reading_curves.md does not show `{own}`");
    own
}

/// The only finding of a kind.
#[track_caller]
fn single(findings: &[Finding], kind: FindingKind) -> &Finding {
    let own: Vec<&Finding> = findings.iter().filter(|finding| finding.kind == kind).collect();
    assert!(own.len() == 1, "{kind:?} should be found once: {findings:#?}");
    let text = own[0].to_string();
    assert!(text.starts_with("health, epoch ") && text.contains("; try ") && !text.contains('\n'), "{text}");
    own[0]
}

fn kinds(findings: &[Finding]) -> Vec<FindingKind> {
    findings.iter().map(|finding| finding.kind).collect()
}

/// A network of hidden layers, for two classes of points of the plane.
fn deep(layers: usize, hidden: impl Fn() -> Dense, optimizer: impl Optimizer + 'static) -> Trainer<Sequential> {
    let network = (0..layers).fold(Sequential::new([2]), |network, _| network.add(hidden()));
    network.add(Dense::new(2).activation(Softmax)).compile(optimizer, CategoricalCrossentropy, ()).unwrap()
}

/// 400 points in two moons.
fn data() -> Dataset {
    moons(400, 0.1, 1).unwrap()
}

#[test]
fn gradients_that_explode_are_found_with_the_layer() {
    let wide = || Dense::new(16).weight_initializer(Initializer::Normal(4.0));
    let network = (0..8).fold(Sequential::new([2]), |network, _| network.add(wide()));
    let mut model = network.add(Dense::new(1)).compile(Sgd::new(1e-30), MeanSquaredError, ()).unwrap();
    let targets = data().targets().to_dtype(DType::F32).reshape([400, 1]);
    let found = findings(&mut model, &data().with_targets(targets).unwrap(), Fit::epochs(3));
    let finding = only(&found, FindingKind::ExplodingGradients);
    assert!(finding.layer.as_deref().is_some_and(|layer| layer.ends_with(".weight")) && finding.epoch == 1);
    contains(&finding.text, &["explodes: its norm is", "while the weights' norm is"]);
}

/// A loss that is a million times as large from some call on.
struct Sudden(std::sync::atomic::AtomicUsize);

impl Loss for Sudden {
    fn name(&self) -> &'static str {
        "sudden"
    }

    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let call = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let factor = if call > 600 { 1e6 } else { 1.0 };
        (prediction - target).powi(2).mean_axes(&[1]) * factor
    }

    fn check(&self, _: &hadal::Shape, _: &Tensor) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_gradient_far_above_what_it_was_is_an_explosion() {
    let data =
        Dataset::new("noise", Tensor::randn([64, 3], &mut Rng::new(1)), Tensor::randn([64, 1], &mut Rng::new(2)));
    let model = Sequential::new([3]).add(Dense::new(8).activation(Tanh)).add(Dense::new(1));
    let mut model = model.compile(Sgd::new(1e-9), Sudden(0.into()), ()).unwrap();
    let found = findings(&mut model, &data.unwrap(), Fit::epochs(400));
    let finding = only(&found, FindingKind::ExplodingGradients);
    assert!(finding.step > 590, "{finding}");
    contains(&finding.text, &["times its usual norm"]);
}

#[test]
fn gradients_that_vanish_in_sigmoids_are_found_with_the_first_layer() {
    let found =
        findings(&mut deep(9, || Dense::new(16).activation(Sigmoid), Adam::default()), &data(), Fit::epochs(20));
    let finding = only(&found, FindingKind::VanishingGradients);
    assert_eq!(finding.layer.as_deref(), Some("layers.0.weight"));
    contains(&finding.text, &["layers.9.weight"]);
    contains(&finding.advice, &["Relu"]);
}

/// Sets the bias of some units of a layer so low that no sample activates them.
fn kill(model: &mut Trainer<Sequential>, layer: &str, units: usize) {
    model.model.visit_mut("", &mut |name, tensor| {
        if name == layer {
            let mut bias = tensor.to_vec::<f32>();
            bias[..units].fill(-1000.0);
            tensor.assign(&Tensor::from_vec(bias, [tensor.elements()]));
        }
    });
}

#[test]
fn dead_units_are_counted_in_their_layer() {
    let mut model = deep(3, || Dense::new(20).activation(Relu), Adam::default());
    kill(&mut model, "layers.1.bias", 16);
    let found = findings(&mut model, &data(), Fit::epochs(40));
    let finding = only(&found, FindingKind::DeadUnits);
    assert_eq!(finding.layer.as_deref(), Some("layers.1.bias"));
    contains(&finding.text, &["16 of the 20 units of layers.1.bias are dead"]);
}

#[test]
fn updates_too_large_for_the_weights_are_found() {
    let found = findings(&mut deep(2, || Dense::new(16).activation(Tanh), Adam::new(3.0)), &data(), Fit::epochs(30));
    let finding = only(&found, FindingKind::LargeUpdates);
    contains(&finding.text, &["a step changes layers.", "times its norm, and the loss does not fall"]);
    assert!(finding.layer.is_some());
}

#[test]
fn updates_too_small_for_the_weights_of_a_layer_are_found() {
    // Normalization makes the output the same for weights of any size, and their gradient small.
    let model = Sequential::new([2])
        .add(Dense::new(16).weight_initializer(Initializer::Normal(1e4)))
        .add(BatchNorm::new())
        .add(Dense::new(16).activation(Tanh))
        .add(Dense::new(3).activation(Softmax));
    let mut model = model.compile(Sgd::new(0.05), CategoricalCrossentropy, ()).unwrap();
    let random = points(640, 3);
    let found = findings(&mut model, &random, Fit::epochs(30));
    let finding = only(&found, FindingKind::SmallUpdates);
    assert_eq!(finding.layer.as_deref(), Some("layers.0.weight"));
}

#[test]
fn a_loss_that_does_not_fall_is_found() {
    let zeros = || Dense::new(16).activation(Relu).weight_initializer(Initializer::Zeros);
    let network = Sequential::new([2]).add(zeros()).add(zeros());
    let network = network.add(Dense::new(3).activation(Softmax).weight_initializer(Initializer::Zeros));
    let mut model = network.compile(Adam::new(0.001), CategoricalCrossentropy, ()).unwrap();
    let found = findings(&mut model, &points(1200, 3), Fit::epochs(20));
    let finding = only(&found, FindingKind::LossNotFalling);
    assert_eq!((finding.layer.as_deref(), finding.epoch), (None, 14));
    contains(&finding.text, &["has not fallen in 14 epochs: it was 1.0", "at first"]);
}

#[test]
fn a_learning_rate_that_is_too_high_is_found() {
    let found = findings(&mut deep(2, || Dense::new(16).activation(Relu), Sgd::new(100.0)), &data(), Fit::epochs(20));
    only(&found, FindingKind::LearningRateTooHigh);
}

#[test]
fn a_learning_rate_that_is_too_low_is_found() {
    for rate in [1e-7, 1e-4] {
        let found =
            findings(&mut deep(2, || Dense::new(16).activation(Relu), Sgd::new(rate)), &data(), Fit::epochs(40));
        let finding = only(&found, FindingKind::LearningRateTooLow);
        contains(&finding.advice, &["10 times as high"]);
        assert_eq!(found.len(), 1, "one line for one cause: {found:#?}");
    }
}

#[test]
fn overfitting_is_found_unless_the_best_weights_come_back() {
    let (train, test) = (moons(40, 0.4, 1).unwrap(), moons(400, 0.4, 2).unwrap());
    let model = || deep(2, || Dense::new(64).activation(Relu), Adam::new(0.01));
    let fit = || Fit::epochs(120).validation_data(&test);
    let found = findings(&mut model(), &train, fit());
    let finding = only(&found, FindingKind::Overfitting);
    contains(&finding.text, &["the validation loss was best in epoch", "while the training loss fell from"]);
    contains(&finding.advice, &["EarlyStopping"]);
    let mut health = Health::new().restores_best_weights(true);
    model().fit(&train, fit().callback(&mut health).quiet()).unwrap();
    assert!(!kinds(health.findings()).contains(&FindingKind::Overfitting));
}

#[test]
fn a_class_that_is_never_predicted_is_found() {
    let x = Tensor::randn([1000, 2], &mut Rng::new(1));
    let labels: Vec<i64> = (0..1000).map(|i| if i % 20 == 0 { 1 } else { 0 }).collect();
    let rare = Dataset::new("rare", x, Tensor::from_vec(labels, [1000])).unwrap();
    let several = Sequential::new([2]).add(Dense::new(2).activation(Softmax));
    let mut several = several.compile(Adam::new(0.05), CategoricalCrossentropy, ()).unwrap();
    let one = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    let mut one = one.compile(Adam::new(0.05), BinaryCrossentropy, ()).unwrap();
    let logits = Sequential::new([2]).add(Dense::new(1));
    let mut logits = logits.compile(Adam::new(0.05), BinaryCrossentropy.from_logits(), ()).unwrap();
    for model in [&mut several, &mut one, &mut logits] {
        let found = findings(model, &rare, Fit::epochs(60).batch_size(50));
        let finding = only(&found, FindingKind::ClassNeverPredicted);
        contains(&finding.text, &["class 1 is never predicted: not once for"]);
        contains(&finding.advice, &["class_weights"]);
    }
    let mut health = Health::new().class_names(["common", "rare <b>"]);
    let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    let mut model = model.compile(Adam::new(0.05), BinaryCrossentropy, ()).unwrap();
    model.fit(&rare, Fit::epochs(60).batch_size(50).callback(&mut health).quiet()).unwrap();
    let finding = single(health.findings(), FindingKind::ClassNeverPredicted);
    contains(&finding.text, &["class `rare <b>` is never predicted: not once for"]);
}

#[test]
fn strict_ends_the_run_at_the_first_finding() {
    let mut model = deep(2, || Dense::new(16).activation(Relu), Sgd::new(1e-7));
    let mut health = Health::new().strict();
    let result = model.fit(&data(), Fit::epochs(40).callback(&mut health).quiet());
    says(result, &["health, epoch ", "learning rate", "; try ", "strict health checks end the run"]);
    assert_eq!(health.findings().len(), 1);
}

/// Trains an ill network with checkpoints, up to step `until`.
fn resumed(folder: &Path, until: usize, health: &mut Health) -> Result<()> {
    let checkpoint = folder.join("checkpoint.safetensors");
    let leave = move |event: &Event| match event {
        Event::BatchEnd { step, .. } if *step == until => Ok(Flow::Suspend),
        _ => Ok(Flow::Continue),
    };
    let fit = Fit::epochs(30).on_event(leave).callback(health).quiet();
    let fit = fit.callback(Checkpoint::new(&checkpoint).every(Every::Steps(7)));
    let mut model = deep(9, || Dense::new(16).activation(Sigmoid), Sgd::new(1e-4));
    let run = if checkpoint.exists() { model.resume(&checkpoint, &data(), fit) } else { model.fit(&data(), fit) };
    run.map(drop)
}

#[test]
fn a_resumed_run_finds_what_the_whole_would_and_says_nothing_twice() {
    let (whole, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = |folder: &tempfile::TempDir| folder.path().join("health.json");
    let mut health = Health::new().record(file(&whole));
    resumed(whole.path(), usize::MAX, &mut health).unwrap();
    assert!(health.findings().len() >= 2, "{:#?}", health.findings());
    let last = health.findings().iter().map(|finding| finding.step).max().unwrap();
    for until in [last / 2, last + 30] {
        resumed(left.path(), until, &mut Health::new().record(file(&left))).unwrap();
    }
    // What a run that was killed had found after its last checkpoint is not its own yet.
    std::fs::write(file(&left), "[{}]").unwrap();
    // It has said all, so that strict finds nothing new.
    let mut after = Health::new().strict().record(file(&left));
    resumed(left.path(), usize::MAX, &mut after).unwrap();
    assert_eq!(after.findings(), health.findings());
    let [one, other] = [&whole, &left].map(|folder| std::fs::read_to_string(file(folder)).unwrap());
    assert_eq!(one, other);
    assert_eq!(serde_json::from_str::<Vec<Finding>>(&one).unwrap(), health.findings());
}

#[test]
fn findings_are_kept_in_a_file_from_the_beginning_and_where_it_cannot_be_written_training_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/health.json");
    let seen = std::cell::RefCell::new(Vec::new());
    let read = |event: &Event| {
        if let Event::EpochEnd { epoch, .. } = event {
            seen.borrow_mut().push(std::fs::read_to_string(&path).unwrap_or_default());
            if *epoch == 2 {
                std::fs::remove_dir_all(folder.path().join("run")).unwrap();
            }
        }
        Ok(Flow::Continue)
    };
    let mut model = deep(2, || Dense::new(16).activation(Relu), Sgd::new(1e-7));
    let mut health = Health::new().record(&path);
    model.fit(&data(), Fit::epochs(40).callback(&mut health).on_event(read).quiet()).unwrap();
    let seen = seen.into_inner();
    // In the third epoch the file is there again.
    assert!(seen[..5].iter().all(|text| text == "[]\n"), "{seen:?}");
    assert_eq!(serde_json::from_str::<Vec<Finding>>(&seen[39]).unwrap(), health.findings());
    assert_eq!(health.findings().len(), 1);
    let json: serde_json::Value = serde_json::from_str(&seen[39]).unwrap();
    assert_eq!((&json[0]["kind"], &json[0]["layer"]), (&"learning_rate_too_low".into(), &serde_json::Value::Null));
    // Below a file there can be none.
    std::fs::write(folder.path().join("file"), "").unwrap();
    let mut health = Health::new().record(folder.path().join("file/health.json"));
    let mut model = deep(2, || Dense::new(16).activation(Relu), Sgd::new(1e-7));
    model.fit(&data(), Fit::epochs(40).callback(&mut health).quiet()).unwrap();
    assert_eq!(health.findings().len(), 1);
}

#[test]
fn a_network_that_a_high_learning_rate_has_killed_is_not_told_to_take_a_higher_one() {
    let layer = || Dense::new(16).activation(Relu);
    let found = [5.0, 10.0, 100.0].map(|rate| {
        let mut model = deep(2, layer, Sgd::new(rate));
        findings(&mut model, &data(), Fit::epochs(60))
    });
    assert!(found.iter().flatten().all(|finding| finding.kind != FindingKind::LearningRateTooLow), "{found:#?}");
    assert!(found.iter().flatten().any(|finding| finding.text.contains("their gradients are 0")), "{found:#?}");
    assert!(found.iter().flatten().all(|finding| !finding.text.contains(" 0 times")), "{found:#?}");
}
