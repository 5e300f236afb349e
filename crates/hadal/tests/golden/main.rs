//! Layers, losses, optimizers, schedules and metrics against golden values that the scripts beside them made with PyTorch, Keras and
//! scikit-learn, in f64. Tolerances are stated where they are used.

mod attention;
mod averaging;
mod classic;
#[cfg(feature = "plot")]
mod curves;
mod further_losses;
mod images;
mod keras_layers;
mod layers;
mod losses;
mod metrics;
mod networks;
mod operations;
mod optimizers;
mod recurrent;
mod same_padding;
mod schedules;
mod training;

use std::collections::BTreeMap;
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

/// `sum(y * cos(0, 1, 2, ..))`: no two elements have the same part in it.
fn weighted(y: &Tensor) -> Tensor {
    (y * Tensor::arange(y.elements()).to_dtype(DType::F64).cos().reshape(y.shape())).sum()
}

/// The tensors of a state, by name.
fn tensors_by_name(state: &Value) -> BTreeMap<String, Tensor> {
    state.as_object().unwrap().iter().map(|(name, value)| (name.clone(), tensor(value))).collect()
}

/// Gives a module this state, in f64. The names must be the same.
#[track_caller]
fn load_state(module: &mut dyn Module, name: &str, state: &BTreeMap<String, Tensor>) {
    // Only a module in f64 takes numbers in f64.
    module.visit_mut("", &mut |_, tensor| {
        let wide = tensor.detach().to_dtype(DType::F64);
        *tensor = if tensor.is_leaf() { wide.requires_grad() } else { wide };
    });
    module.load_state_dict(state).unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// The layer, built for the case's input, with the case's state in f64.
#[track_caller]
fn with_state(mut layer: Box<dyn Layer>, name: &str, case: &Value) -> Box<dyn Layer> {
    let sample = tensor(&case["x"]).shape()[1..].to_vec();
    layer.plan(&sample.clone().into()).unwrap_or_else(|error| panic!("{name}: {error}"));
    layer.build(&sample.into(), &mut Rng::new(0)).unwrap();
    load_state(&mut layer, name, &tensors_by_name(&case["state"]));
    layer
}

/// The layer with the case's state, and the case's input: in training, its outputs, their planned shape and all gradients have been
/// compared.
#[track_caller]
fn outputs_and_gradients(layer: Box<dyn Layer>, name: &str, case: &Value, tolerance: f64) -> (Box<dyn Layer>, Tensor) {
    let planned = layer.plan(&tensor(&case["x"]).shape()[1..].to_vec().into()).unwrap();
    let layer = with_state(layer, name, case);
    let x = tensor(&case["x"]).requires_grad();
    let y = layer.forward(&x, &mut Context::training(Rng::new(0)));
    close(name, &y, &case["y"], tolerance);
    assert_eq!(y.shape()[1..], planned.output_shape[..], "{name}");
    let gradients = weighted(&y).backward();
    close(&format!("{name}: input"), &gradients[&x], &case["dx"], tolerance);
    let mut trained = 0;
    layer.visit("", &mut |parameter, tensor| {
        if tensor.is_leaf() {
            trained += 1;
            close(&format!("{name}: {parameter}"), &gradients[tensor], &case["gradients"][parameter], tolerance);
        }
    });
    assert_eq!(trained, case["gradients"].as_object().unwrap().len(), "{name}");
    (layer, x)
}
