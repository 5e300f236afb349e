//! Layers, losses, optimizers and metrics against golden values that `golden/generate.py` made with PyTorch and Keras, in
//! f64: equal to 1e-12 relative (optimizers, after 50 steps: 1e-9).

use std::sync::LazyLock;

use hadal::nn::Architecture;
use hadal::prelude::*;
use serde_json::Value;

static GOLDEN: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("golden/golden.json")).unwrap());

fn tensor(value: &Value) -> Tensor {
    let shape: Vec<usize> = value["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let data: Vec<f64> = value["data"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    Tensor::from_vec(data, shape)
}

#[track_caller]
fn close(name: &str, got: &Tensor, expected: &Value, tolerance: f64) {
    let expected = tensor(expected);
    assert_eq!(got.shape(), expected.shape(), "{name}");
    for (got, expected) in got.to_vec::<f64>().into_iter().zip(expected.to_vec::<f64>()) {
        let error = (got - expected).abs() / expected.abs().max(1.0);
        assert!(error <= tolerance, "{name}: {got} instead of {expected}, relative error {error:e}");
    }
}

#[test]
fn linear_layers_with_every_activation() {
    let golden = &GOLDEN["linear"];
    let weights = tensor(&golden["weights"]);
    for activation in [Identity, Relu, Tanh, Sigmoid, Softmax, LogSoftmax] {
        let name = activation.to_string();
        let x = tensor(&golden["x"]).requires_grad();
        let (w, b) = (tensor(&golden["w"]).requires_grad(), tensor(&golden["b"]).requires_grad());
        let layer = Linear::from_weights(w.clone(), Some(b.clone()));
        let y = activation.apply(&layer.forward(&x, &mut Context::evaluation()));
        let gradients = (&y * &weights).sum().backward();
        close(&name, &y, &golden[&name]["y"], 1e-12);
        close(&name, &gradients[&x], &golden[&name]["dx"], 1e-12);
        close(&name, &gradients[&w], &golden[&name]["dw"], 1e-12);
        close(&name, &gradients[&b], &golden[&name]["db"], 1e-12);
    }
}

#[test]
fn losses_and_their_gradients() {
    let golden = &GOLDEN["losses"];
    let labels = tensor(&golden["labels"]).to_dtype(DType::I64);
    let (p, logits, soft) = (tensor(&golden["p"]), tensor(&golden["logits"]), tensor(&golden["soft"]));
    let cases: [(&str, &dyn Loss, Tensor, &Tensor); 4] = [
        ("categorical_crossentropy", &CategoricalCrossentropy, p.clone(), &labels),
        ("categorical_crossentropy_soft", &CategoricalCrossentropy, p.clone(), &soft),
        ("negative_log_likelihood", &NegativeLogLikelihood, p.ln(), &labels),
        ("mean_squared_error", &MeanSquaredError, logits, &soft),
    ];
    for (name, loss, prediction, target) in cases {
        let prediction = prediction.requires_grad();
        let value = loss.loss(&prediction, target);
        let expected = golden[name]["loss"].as_f64().unwrap();
        assert!((value.item() - expected).abs() < 1e-12, "{name}: {} instead of {expected}", value.item());
        close(name, &value.backward()[&prediction], &golden[name]["gradient"], 1e-12);
    }
    let clipped = &golden["clipped"];
    let labels = tensor(&clipped["labels"]).to_dtype(DType::I64);
    let value = CategoricalCrossentropy.loss(&tensor(&clipped["p"]), &labels).item();
    assert!((value - clipped["loss"].as_f64().unwrap()).abs() < 1e-9, "{value}");
}

#[test]
fn optimizers_take_the_same_path() {
    let golden = &GOLDEN["optimizers"];
    let (c, t) = (tensor(&golden["c"]), tensor(&golden["t"]));
    let cases: Vec<(&str, Box<dyn Optimizer>)> = vec![
        ("sgd", Box::new(Sgd::new(0.01))),
        ("sgd_momentum", Box::new(Sgd::new(0.01).momentum(0.5))),
        ("rmsprop", Box::new(RmsProp::default())),
        ("rmsprop_momentum", Box::new(RmsProp::new(0.002).rho(0.8).momentum(0.7))),
        ("adam", Box::new(Adam::default())),
        ("adam_other", Box::new(Adam::new(0.01).betas(0.7, 0.9).epsilon(1e-4))),
    ];
    for (name, mut optimizer) in cases {
        let mut w = tensor(&golden["start"]).requires_grad();
        for _ in 0..golden["steps"].as_u64().unwrap() {
            let loss = (&c * (&w - &t).powi(2) * 0.5 + (&w * 3.0).cos()).sum();
            optimizer.step(&mut w, &loss.backward());
        }
        close(name, &w.detach(), &golden[name], 1e-9);
    }
}

#[test]
fn accuracy_and_schedule() {
    let golden = &GOLDEN["losses"];
    let mut accuracy = Accuracy;
    accuracy.update(&tensor(&golden["p"]), &tensor(&golden["labels"]).to_dtype(DType::I64));
    assert_eq!(accuracy.value(), GOLDEN["accuracy"].as_f64().unwrap());
    for (step, factor) in GOLDEN["cosine"].as_array().unwrap().iter().enumerate() {
        assert!((Schedule::Cosine.factor(step, 10) - factor.as_f64().unwrap()).abs() < 1e-12);
    }
}

#[test]
fn dropout_keeps_the_mean_and_is_off_in_evaluation() {
    let layer = Dropout::new(0.2);
    let x = Tensor::ones([1000, 100]);
    assert_eq!(layer.forward(&x, &mut Context::evaluation()).to_vec::<f32>(), x.to_vec::<f32>());
    let y = layer.forward(&x, &mut Context::training(Rng::new(1))).to_vec::<f32>();
    let kept = y.iter().filter(|&&value| value == 1.25).count();
    assert!(y.iter().all(|&value| value == 0.0 || value == 1.25));
    // Five standard errors of 100,000 draws.
    assert!((kept as f64 / 1e5 - 0.8).abs() < 0.0064, "{kept}");
}

#[test]
fn weights_begin_within_their_limits() {
    let rng = &mut Rng::new(1);
    for (weight, limit) in [
        (hadal::nn::init::glorot_uniform(512, 784, rng), (6.0f64 / (512.0 + 784.0)).sqrt()),
        (hadal::nn::init::torch_linear_uniform(&[512, 784], 784, rng), 1.0 / 28.0),
    ] {
        let weight = weight.to_dtype(DType::F64);
        let (highest, variance) = (weight.abs().max().item(), weight.powi(2).mean().item());
        assert!(highest <= limit && highest > 0.999 * limit, "{highest} {limit}");
        assert!((variance / (limit * limit / 3.0) - 1.0).abs() < 0.01);
    }
}

#[test]
fn a_model_file_describes_its_layers_in_json() {
    let model = Sequential::new([28, 28])
        .add(Flatten)
        .add(Dense::new(3).activation(Tanh))
        .add(Dropout::new(0.5))
        .add(Softmax)
        .build()
        .unwrap();
    let json = serde_json::to_string(&model.architecture()).unwrap();
    assert_eq!(
        json,
        r#"{"input_shape":[28,28],"layers":[{"layer":"flatten"},{"layer":"dense","units":3,"activation":"tanh"},{"layer":"dropout","rate":0.5},{"layer":"activation","function":"softmax"}]}"#
    );
    assert_eq!(serde_json::from_str::<Architecture>(&json).unwrap(), model.architecture());
}
