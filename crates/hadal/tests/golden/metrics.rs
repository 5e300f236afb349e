//! Metrics, in batches, to 1e-12.

use hadal::metric::{Average, MeanAbsoluteError as AbsoluteError, MeanSquaredError as SquaredError};
use hadal::prelude::*;
use serde_json::Value;

use super::{GOLDEN, close_number, labels, tensor};

/// The metric's value after all samples came in batches of 7.
fn value(mut metric: impl Metric, prediction: &Tensor, target: &Tensor) -> f64 {
    // What came before a reset must not count.
    metric.update(&prediction.narrow(0, 0, 3), &target.narrow(0, 0, 3));
    metric.reset();
    for start in (0..prediction.size(0)).step_by(7) {
        let length = 7.min(prediction.size(0) - start);
        metric.update(&prediction.narrow(0, start, length), &target.narrow(0, start, length));
    }
    metric.compute()
}

#[test]
fn classification() {
    let golden = &GOLDEN["metrics"];
    let (scores, labels) = (tensor(&golden["scores"]), labels(&golden["labels"]));
    let one_hot = labels.one_hot(4).to_dtype(DType::F64);
    for target in [&labels, &one_hot] {
        let check = |name: &str, metric: Box<dyn Metric>| {
            close_number(name, value(metric, &scores, target), &golden[name], 1e-12);
        };
        check("accuracy", Accuracy.boxed());
        check("top_2", TopKAccuracy::new(2).boxed());
        check("precision_macro", Precision::default().boxed());
        check("precision_micro", Precision::new(Average::Micro).boxed());
        check("precision_2", Precision::new(Average::Class(2)).boxed());
        check("recall_macro", Recall::default().boxed());
        check("recall_micro", Recall::new(Average::Micro).boxed());
        check("kappa", hadal::metric::CohenKappa::new().boxed());
        check("f1_macro", F1Score::default().boxed());
        check("f1_micro", F1Score::new(Average::Micro).boxed());
    }
    let mut matrix = ConfusionMatrix::new();
    matrix.update(&scores, &labels);
    let expected = tensor(&golden["confusion"]).to_vec::<f64>();
    let found: Vec<f64> = (0..16).map(|place| matrix.count(place / 4, place % 4) as f64).collect();
    assert_eq!(found, expected);
    assert_eq!(matrix.to_string().lines().count(), 5);
}

#[test]
fn two_classes() {
    let golden = &GOLDEN["binary"];
    let (scores, labels) = (tensor(&golden["scores"]), labels(&golden["labels"]));
    // The default is scikit-learn's average="binary".
    let found: [(&str, Box<dyn Metric>); 5] = [
        ("auc", RocAuc::new().boxed()),
        ("precision", Precision::default().boxed()),
        ("recall", Recall::default().boxed()),
        ("f1", F1Score::default().boxed()),
        ("f1", F1Score::new(Average::Class(1)).boxed()),
    ];
    for (name, metric) in found {
        close_number(name, value(metric, &scores, &labels), &golden[name], 1e-12);
    }
    // Two outputs, of which the second counts.
    let both = hadal::concat(&[1.0 - &scores, scores], 1);
    close_number("auc of two outputs", value(RocAuc::new(), &both, &labels), &golden["auc"], 1e-12);
}

#[test]
fn regression() {
    let golden: &Value = &GOLDEN["regression"];
    let (y, t) = (tensor(&golden["predictions"]), tensor(&golden["targets"]));
    let found: [Box<dyn Metric>; 3] =
        [AbsoluteError::new().boxed(), SquaredError::new().boxed(), R2Score::new().boxed()];
    for metric in found {
        let name = metric.name();
        close_number(name, value(metric, &y, &t), &golden[name], 1e-12);
    }
}
