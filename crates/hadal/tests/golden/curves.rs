//! ROC, precision-recall and calibration curves against golden values that `curves.py` made with scikit-learn. Both count in
//! whole numbers and divide in f64: the tolerance is 1e-12.

use hadal::plot::{CalibrationCurve, PrecisionRecallCurve, RocCurve};
use hadal::prelude::*;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[track_caller]
fn close(name: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{name}: {got:?} instead of {expected:?}");
    for (place, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= 1e-12, "{name}: {got} instead of {expected} at {place}");
    }
}

fn each_case(check: impl Fn(&Value, &Tensor, &Tensor)) {
    let golden: Value = serde_json::from_str(include_str!("curves.json")).unwrap();
    for case in golden["curves"].as_array().unwrap() {
        let (scores, labels) = (numbers(&case["scores"]), numbers(&case["labels"]));
        let count = scores.len();
        check(case, &Tensor::from_vec(scores, [count]), &Tensor::from_vec(labels, [count]).to_dtype(DType::I64));
    }
}

#[test]
fn roc_curves_are_those_of_scikit_learn() {
    each_case(|case, scores, labels| {
        let curve = RocCurve::new(scores, labels).unwrap();
        close("false positive rate", &curve.false_positive_rate, &numbers(&case["false_positive_rate"]));
        close("true positive rate", &curve.true_positive_rate, &numbers(&case["true_positive_rate"]));
        assert_eq!(curve.thresholds[0], f64::INFINITY);
        close("thresholds", &curve.thresholds[1..], &numbers(&case["roc_thresholds"]));
        close("area", &[curve.area], &[case["area"].as_f64().unwrap()]);
        let mut metric = RocAuc::new();
        metric.update(&scores.unsqueeze(1), labels);
        close("the metric roc_auc", &[metric.compute()], &[curve.area]);
    });
}

#[test]
fn precision_recall_curves_are_those_of_scikit_learn() {
    each_case(|case, scores, labels| {
        let curve = PrecisionRecallCurve::new(scores, labels).unwrap();
        close("precision", &curve.precision, &numbers(&case["precision"]));
        close("recall", &curve.recall, &numbers(&case["recall"]));
        close("thresholds", &curve.thresholds[1..], &numbers(&case["precision_recall_thresholds"]));
        close("average precision", &[curve.average_precision], &[case["average_precision"].as_f64().unwrap()]);
    });
}

#[test]
fn calibration_curves_are_those_of_scikit_learn() {
    each_case(|case, scores, labels| {
        let curve = CalibrationCurve::new(scores, labels, 10).unwrap();
        close("observed", &curve.observed, &numbers(&case["observed"]));
        close("predicted", &curve.predicted, &numbers(&case["predicted"]));
        let counts: Vec<f64> = curve.counts.iter().map(|count| *count as f64).collect();
        close("counts", &counts, &numbers(&case["counts"]));
        let error = case["expected_calibration_error"].as_f64().unwrap();
        close("expected calibration error", &[curve.expected_calibration_error], &[error]);
    });
}
