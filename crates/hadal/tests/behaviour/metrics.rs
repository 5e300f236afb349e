//! Metrics of NaN scores, thresholds, targets that are no classes, averages, and the names they are reached by.

use hadal::metric::{Average, CohenKappa, MeanAbsoluteError as AbsoluteError};
use hadal::prelude::*;

use super::{floats, labels, panics, points, says};

const NAN: f32 = f32::NAN;

fn value(mut metric: impl Metric, prediction: &Tensor, target: &Tensor) -> f64 {
    metric.update(prediction, target);
    metric.compute()
}

#[test]
fn a_sample_with_a_nan_score_is_wrong() {
    let scores = floats([NAN, 0.1, 0.2, 0.9, NAN, 0.1, 0.1, 0.2, 0.9], [3, 3]);
    let y = labels([0, 0, 2]);
    assert_eq!(value(Accuracy, &scores, &y), 1.0 / 3.0);
    let mut matrix = ConfusionMatrix::new();
    matrix.update(&scores, &y);
    assert_eq!((matrix.count(0, 0), matrix.count(0, 1), matrix.unpredicted(0), matrix.count(2, 2)), (0, 0, 2, 1));
    assert_eq!(matrix.compute(), 1.0 / 3.0);
    assert!(matrix.to_string().lines().next().unwrap().ends_with("none"), "{matrix}");
    assert_eq!(value(Recall::new(Average::Class(0)), &scores, &y), 0.0);
    assert_eq!(value(Precision::new(Average::Class(2)), &scores, &y), 1.0);
    assert!(value(CohenKappa::new(), &scores, &y) < 1.0);
    // One output: NaN > 0.5 is false, but no class 0.
    for target in [labels([0, 0, 1]), floats([0.0, 0.0, 1.0], [3, 1])] {
        assert_eq!(value(Accuracy, &floats([NAN, 0.2, 0.9], [3, 1]), &target), 2.0 / 3.0);
    }
    // As torch.topk([nan, 0.1, 0.2]) ranks them: NaN first; but an own score that is NaN is no success.
    let top = |k, label| value(TopKAccuracy::new(k), &floats([NAN, 0.1, 0.2], [1, 3]), &labels([label]));
    assert_eq!([top(1, 0), top(3, 0), top(1, 2), top(2, 2), top(2, 1), top(3, 1)], [0.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
    for scores in [[NAN, 0.2, 0.9], [0.2, NAN, 0.9], [0.2, 0.9, NAN]] {
        assert!(value(RocAuc::new(), &floats(scores, [3, 1]), &labels([0, 1, 1])).is_nan());
    }
}

#[test]
fn metrics_take_the_losss_threshold_unless_told() {
    let y = labels([0, 1, 1]);
    let logits = floats([-1.0, 0.2, 3.0], [3, 1]);
    assert_eq!(value(Accuracy, &logits, &y), 2.0 / 3.0);
    assert_eq!(value(Accuracy.threshold(0.0), &logits, &y), 1.0);
    assert_eq!(value(ConfusionMatrix::new().threshold(0.0), &logits, &y), 1.0);
    assert_eq!(value(CohenKappa::new().threshold(0.0), &logits, &y), 1.0);
    assert_eq!(value(Recall::default().threshold(0.0), &logits, &y), 1.0);
    let score = |loss: Box<dyn Loss>, metric: Box<dyn Metric>, targets: Tensor| {
        let name = metric.name();
        let model = Sequential::new([1])
            .add(Dense::new(1).without_bias().weight_initializer(hadal::nn::Initializer::Constant(1.0)));
        let trainer = model.compile(Sgd::default(), loss, [metric]).unwrap();
        let data = Dataset::new("logits", logits.clone(), targets).unwrap();
        trainer.evaluate(&data).unwrap().get(name).unwrap()
    };
    let logits_loss = || -> Box<dyn Loss> { Box::new(BinaryCrossentropy.from_logits().class_weights(&[1.0, 2.0])) };
    for metric in
        [Accuracy.boxed(), ConfusionMatrix::new().boxed(), F1Score::default().boxed(), CohenKappa::new().boxed()]
    {
        assert_eq!(score(logits_loss(), metric, y.clone()), 1.0);
    }
    assert_eq!(score(Box::new(Hinge), Accuracy.boxed(), y.clone()), 1.0);
    assert_eq!(score(Box::new(Hinge), Accuracy.boxed(), floats([-1.0, 1.0, 1.0], [3, 1])), 1.0);
    assert_eq!(score(logits_loss(), Accuracy.threshold(0.5).boxed(), y.clone()), 2.0 / 3.0);
    // What is set by hand is kept through a reset.
    let mut accuracy = Accuracy.threshold(0.0);
    accuracy.reset();
    assert_eq!(value(accuracy, &logits, &y), 1.0);
}

#[test]
fn a_metric_of_classes_refuses_targets_that_are_none() {
    let x = Tensor::randn([4, 2], &mut Rng::new(1));
    let run = |units: usize, targets: Tensor, loss: Box<dyn Loss>, metric: Box<dyn Metric>| {
        let data = Dataset::new("data", x.clone(), targets).unwrap();
        let trainer = Sequential::new([2]).add(Dense::new(units)).compile(Sgd::default(), loss, [metric]).unwrap();
        trainer.evaluate(&data)
    };
    let mse = || -> Box<dyn Loss> { Box::new(MeanSquaredError) };
    type Make = fn() -> Box<dyn Metric>;
    let all: [(&str, Make); 7] = [
        ("accuracy", || Accuracy.boxed()),
        ("confusion", || ConfusionMatrix::new().boxed()),
        ("precision", || Precision::default().boxed()),
        ("recall", || Recall::default().boxed()),
        ("f1", || F1Score::default().boxed()),
        ("cohen_kappa", || CohenKappa::new().boxed()),
        ("roc_auc", || RocAuc::new().boxed()),
    ];
    for (name, metric) in all {
        let numbers = floats([0.0, 1.0, 0.3, 1.0], [4, 1]);
        says(run(1, numbers, mse(), metric()), &[name, "sample 2", "0.3", "MeanAbsoluteError"]);
        run(1, floats([0.0, 1.0, 0.0, 1.0], [4, 1]), mse(), metric()).unwrap();
        run(1, floats([-1.0, 1.0, -1.0, 1.0], [4, 1]), Box::new(Hinge), metric()).unwrap();
        says(run(1, floats([-1.0, 1.0, 0.0, 1.0], [4, 1]), mse(), metric()), &["sample 2", "target 0"]);
    }
    for metric in [Accuracy.boxed(), TopKAccuracy::new(1).boxed(), CohenKappa::new().boxed()] {
        // More than one class at once.
        let several = floats([1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0], [4, 2]);
        says(run(2, several, mse(), metric), &["sample 2", "sum to 2"]);
    }
    let negative = floats([1.0, 0.0, -0.5, 1.5, 1.0, 0.0, 0.0, 1.0], [4, 2]);
    says(run(2, negative, mse(), Accuracy.boxed()), &["sample 1", "target -0.5", "R2Score"]);
    says(run(1, labels([0, 1, 0, 1]), Box::new(Hinge), TopKAccuracy::new(1).boxed()), &["one number per class", "[1]"]);
    run(2, floats([1.0, 0.0, 0.3, 0.7, 1.0, 0.0, 0.0, 1.0], [4, 2]), mse(), Accuracy.boxed()).unwrap();
    says(run(1, floats([-1.0, 1.0, -1.0, 1.0], [4, 1]), mse(), Accuracy.boxed()), &["-1 and 1", "threshold(0.0)"]);
    let cross = || -> Box<dyn Loss> { Box::new(CategoricalCrossentropy.from_logits()) };
    says(
        run(3, labels([0, 1, 2, 1]), cross(), Precision::new(Average::Class(3)).boxed()),
        &["precision", "class 3", "3 classes"],
    );
    says(run(3, labels([0, 1, 2, 1]), cross(), AbsoluteError::new().boxed()), &["mean_absolute_error", "[3]", "i64"]);
    says(run(3, labels([0, 1, 2, 1]), cross(), R2Score::new().boxed()), &["r2_score", "[3]"]);
    // By hand it is a mistake in the program.
    panics(|| value(Accuracy, &Tensor::zeros([4, 1]), &labels([0, 1])), &["accuracy", "4 predictions", "2 targets"]);
    panics(
        || value(AbsoluteError::new(), &Tensor::zeros([4, 3]), &labels([0, 1, 2, 1])),
        &["12 predictions", "4 targets"],
    );
    panics(|| value(ConfusionMatrix::new(), &Tensor::zeros([1, 3]), &labels([-1])), &["-1"]);
    panics(|| value(TopKAccuracy::new(1), &Tensor::zeros([1, 3]), &labels([3])), &["label 3", "3 classes"]);
    panics(|| value(RocAuc::new(), &Tensor::zeros([1, 1]), &labels([2])), &["roc_auc", "2"]);
}

#[test]
fn two_classes_are_averaged_as_scikit_learn_does_by_default() {
    let (scores, y) = (floats([0.9, 0.8, 0.2, 0.1], [4, 1]), labels([1, 0, 0, 0]));
    assert_eq!(value(Precision::default(), &scores, &y), 0.5);
    assert_eq!(value(Recall::default(), &scores, &y), 1.0);
    assert_eq!(value(Precision::new(Average::Macro), &scores, &y), 0.75);
    assert_eq!(value(Precision::new(Average::Class(0)), &scores, &y), 1.0);
    assert_eq!(Average::default(), Average::Auto);
    // Three classes: the mean over them.
    let (scores, y) = (Tensor::from_slice(&[0i64, 1, 1], [3]).one_hot(3), labels([0, 1, 2]));
    assert_eq!(value(Precision::default(), &scores, &y), value(Precision::new(Average::Macro), &scores, &y));
}

#[test]
fn metrics_of_one_name_are_all_reached() {
    let data = points(30, 3);
    let table = tempfile::NamedTempFile::new().unwrap();
    let metrics = (TopKAccuracy::new(1), TopKAccuracy::new(2), Accuracy, TopKAccuracy::new(3));
    let mut model = Sequential::new([2])
        .add(Dense::new(3).activation(Softmax))
        .compile(Sgd::default(), CategoricalCrossentropy, metrics)
        .unwrap();
    let fit = Fit::epochs(1).validation_data(&data).quiet().callback(hadal::monitor::CsvLogger::new(table.path()));
    let history = model.fit(&data, fit).unwrap();
    let last = |name: &str| history.last(name).unwrap();
    assert_eq!(last("val_top_k_accuracy"), last("val_accuracy"));
    assert!(last("val_top_k_accuracy_1") > last("val_top_k_accuracy"));
    assert_eq!(last("val_top_k_accuracy_2"), 1.0);
    let text = std::fs::read_to_string(table).unwrap();
    assert!(
        text.starts_with("epoch,loss,top_k_accuracy,top_k_accuracy_1,accuracy,top_k_accuracy_2,val_loss,"),
        "{text}"
    );

    /// A metric whose name the loop has taken already.
    struct Named(&'static str);
    impl Metric for Named {
        fn name(&self) -> &'static str {
            self.0
        }
        fn reset(&mut self) {}
        fn update(&mut self, _: &Tensor, _: &Tensor) {}
        fn compute(&self) -> f64 {
            7.0
        }
    }
    let model = Sequential::new([2]).add(Dense::new(3).activation(Softmax));
    let mut model = model.compile(Sgd::default(), CategoricalCrossentropy, [Named("loss"), Named("val_loss")]).unwrap();
    let history = model.fit(&data, Fit::epochs(1).validation_data(&data).quiet()).unwrap();
    assert_eq!((history.get("loss_1").unwrap()[0], history.get("val_loss_2").unwrap()[0]), (7.0, 7.0));
    assert!(history.get("loss").unwrap()[0] != 7.0 && history.get("val_loss").unwrap()[0] != 7.0);
}

#[test]
fn a_metric_goes_on_from_its_state_to_the_last_bit() {
    let mut rng = Rng::new(1);
    let of_classes: [fn() -> Box<dyn Metric>; 6] = [
        || Accuracy.boxed(),
        || TopKAccuracy::new(2).boxed(),
        || CohenKappa::new().boxed(),
        || ConfusionMatrix::new().boxed(),
        || F1Score::default().boxed(),
        || Accuracy.of("digit").boxed(),
    ];
    let of_numbers: [fn() -> Box<dyn Metric>; 2] = [|| AbsoluteError::new().boxed(), || R2Score::new().boxed()];
    let goes_on = |make: fn() -> Box<dyn Metric>, batches: &[(Tensor, Tensor)]| {
        let (mut whole, mut first) = (make(), make());
        for (x, y) in batches {
            whole.update(x, y);
        }
        first.update(&batches[0].0, &batches[0].1);
        let mut second = make();
        second.load_state(&first.state().unwrap()).unwrap();
        second.update(&batches[1].0, &batches[1].1);
        assert_eq!(second.compute().to_bits(), whole.compute().to_bits(), "{}", whole.name());
        assert_eq!(second.state(), whole.state());
        says(second.load_state(&[0.5, 0.5, f64::NAN]), &["not the state of the metric"]);
    };
    for make in of_classes {
        let (first, second) = (Tensor::rand([3, 3], &mut rng), Tensor::rand([2, 3], &mut rng));
        goes_on(make, &[(first, labels([0, 2, 1])), (second, labels([2, 0]))]);
    }
    for make in of_numbers {
        goes_on(make, &[3, 2].map(|n| (Tensor::rand([n, 2], &mut rng), Tensor::rand([n, 2], &mut rng))));
    }
    let scores =
        [(Tensor::rand([4, 1], &mut rng), labels([0, 1, 1, 0])), (Tensor::rand([2, 1], &mut rng), labels([0, 1]))];
    let (mut whole, mut first) = (RocAuc::new(), RocAuc::new());
    scores.iter().for_each(|(x, y)| whole.update(x, y));
    first.update(&scores[0].0, &scores[0].1);
    let mut second = RocAuc::new();
    second.load_state(&first.state().unwrap()).unwrap();
    second.update(&scores[1].0, &scores[1].1);
    assert_eq!(second.compute().to_bits(), whole.compute().to_bits());
    assert!(second.load_state(&[0.5]).is_err() && second.load_state(&[0.5, 0.5]).is_err());
}
