//! Layers, losses, optimizers, schedules and metrics against golden values that the scripts beside them made with PyTorch, Keras and
//! scikit-learn, in f64. Tolerances are stated where they are used.

mod attention;
mod averaging;
mod classic;
#[cfg(feature = "plot")]
mod curves;
mod further_losses;
mod images;
mod layers;
mod losses;
mod metrics;
mod operations;
mod optimizers;
mod recurrent;
mod same_padding;
mod schedules;
mod training;

use std::sync::LazyLock;

use hadal::prelude::*;
use serde_json::Value;

static GOLDEN: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("golden.json")).unwrap());

fn tensor(value: &Value) -> Tensor {
    let shape: Vec<usize> = value["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let data: Vec<f64> = value["data"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    Tensor::from_vec(data, shape)
}

fn labels(value: &Value) -> Tensor {
    tensor(value).to_dtype(DType::I64)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Equal to `tolerance`, relative to the larger of 1 and the expected number.
#[track_caller]
fn close(name: &str, got: &Tensor, expected: &Value, tolerance: f64) {
    let expected = tensor(expected);
    assert_eq!(got.shape(), expected.shape(), "{name}");
    for (got, expected) in got.to_vec::<f64>().into_iter().zip(expected.to_vec::<f64>()) {
        let error = (got - expected).abs() / expected.abs().max(1.0);
        assert!(error <= tolerance, "{name}: {got} instead of {expected}, relative error {error:e}");
    }
}

#[track_caller]
fn close_number(name: &str, got: f64, expected: &Value, tolerance: f64) {
    let error = (got - number(expected)).abs() / number(expected).abs().max(1.0);
    assert!(error <= tolerance, "{name}: {got} instead of {expected}, relative error {error:e}");
}
