//! Layers: outputs and gradients, to 1e-12, but for hard sigmoid and Keras's batch normalization, which hold a constant in
//! f32: to 1e-7.

use std::collections::BTreeMap;

use hadal::nn::{Architecture, Initializer, Layer, Merge, Regularizer};
use hadal::prelude::*;

use super::{GOLDEN, close, close_number, tensor};

#[test]
fn linear_layers_with_every_activation() {
    let golden = &GOLDEN["linear"];
    let weights = tensor(&golden["weights"]);
    let all = [
        Identity,
        Relu,
        LeakyRelu(0.01),
        Elu(1.3),
        Selu,
        Gelu,
        Silu,
        Softplus,
        HardSigmoid,
        Tanh,
        Sigmoid,
        Softmax,
        LogSoftmax,
    ];
    for activation in all {
        let name = activation.to_string();
        let x = tensor(&golden["x"]).requires_grad();
        let (w, b) = (tensor(&golden["w"]).requires_grad(), tensor(&golden["b"]).requires_grad());
        let layer = Linear::from_weights(w.clone(), Some(b.clone()));
        let y = activation.apply(&layer.forward(&x, &mut Context::evaluation()));
        let gradients = (&y * &weights).sum().backward();
        let tolerance = if activation == HardSigmoid { 1e-7 } else { 1e-12 };
        close(&name, &y, &golden[&name]["y"], tolerance);
        close(&name, &gradients[&x], &golden[&name]["dx"], tolerance);
        close(&name, &gradients[&w], &golden[&name]["dw"], tolerance);
        close(&name, &gradients[&b], &golden[&name]["db"], tolerance);
    }
}

/// A built layer whose tensors are those given, in f64.
fn with_state<L: Layer>(mut layer: L, input: &[usize], state: &[(&str, Tensor)]) -> L {
    layer.build(&input.to_vec().into(), &mut Rng::new(0)).unwrap();
    let state: BTreeMap<&str, &Tensor> = state.iter().map(|(name, tensor)| (*name, tensor)).collect();
    layer.visit_mut("", &mut |name, tensor| {
        let value = match state.get(name) {
            Some(value) => (*value).clone(),
            None => tensor.detach().to_dtype(DType::F64),
        };
        *tensor = if tensor.is_leaf() { value.requires_grad() } else { value };
    });
    layer
}

fn parameter(layer: &impl Module, wanted: &str) -> Tensor {
    layer.state_dict().into_iter().find(|(name, _)| name == wanted).unwrap().1
}

#[test]
fn normalization_in_training_and_in_evaluation() {
    for name in ["batch_norm", "batch_norm_images", "layer_norm"] {
        let golden = &GOLDEN[name];
        let x = tensor(&golden["x"]).requires_grad();
        let state = [("weight", tensor(&golden["w"])), ("bias", tensor(&golden["b"]))];
        let sample = &x.shape()[1..];
        let layer: Box<dyn Layer> = match name {
            "layer_norm" => Box::new(with_state(LayerNorm::new(), sample, &state)),
            _ => Box::new(with_state(BatchNorm::new(), sample, &state)),
        };
        let y = layer.forward(&x, &mut Context::training(Rng::new(0)));
        let gradients = (&y * tensor(&golden["weights"])).sum().backward();
        close(name, &y, &golden["y"], 1e-12);
        close(name, &gradients[&x], &golden["dx"], 1e-11);
        close(name, &gradients[&parameter(&layer, "weight")], &golden["dw"], 1e-12);
        close(name, &gradients[&parameter(&layer, "bias")], &golden["db"], 1e-12);
        close(name, &layer.forward(&x, &mut Context::evaluation()).detach(), &golden["evaluation"], 1e-12);
    }
    let golden = &GOLDEN["batch_norm"];
    let layer = with_state(BatchNorm::new(), &[3], &[]);
    layer.forward(&tensor(&golden["x"]), &mut Context::training(Rng::new(0)));
    close("running mean", &parameter(&layer, "running_mean"), &golden["mean"], 1e-12);
    close("running variance", &parameter(&layer, "running_var"), &golden["var"], 1e-12);
    let golden = &GOLDEN["batch_norm_keras"];
    let layer = with_state(BatchNorm::keras(), &[3], &[]);
    let y = layer.forward(&tensor(&golden["x"]), &mut Context::training(Rng::new(0)));
    close("Keras's output", &y.detach(), &golden["y"], 1e-7);
    close("Keras's mean", &parameter(&layer, "running_mean"), &golden["mean"], 1e-7);
    close("Keras's variance", &parameter(&layer, "running_var"), &golden["var"], 1e-7);
}

#[test]
fn penalties_and_limits() {
    let golden = &GOLDEN["regularizers"];
    let w = tensor(&golden["w"]);
    for (name, regularizer) in
        [("l1", Regularizer::l1(0.1)), ("l2", Regularizer::l2(0.1)), ("l1_l2", Regularizer::l1_l2(0.1, 0.2))]
    {
        close_number(name, regularizer.penalty(&w).item(), &golden[name], 1e-12);
    }
    let mut layer = with_state(Dense::new(3).max_norm(1.5), &[5], &[("weight", w)]);
    layer.constrain();
    // Keras divides by the norm plus 1e-7.
    close("max norm", &parameter(&layer, "weight").detach(), &golden["max_norm"], 2e-7);
}

#[test]
fn penalties_of_weights_biases_and_outputs_reach_the_loss() {
    let layer = Dense::new(3)
        .bias_initializer(Initializer::Constant(0.5))
        .weight_regularizer(Regularizer::l2(0.1))
        .bias_regularizer(Regularizer::l1(0.2))
        .activity_regularizer(Regularizer::l1_l2(0.3, 0.4));
    let layer = with_state(layer, &[5], &[]);
    let x = Tensor::randn([4, 5], &mut Rng::new(1)).to_dtype(DType::F64);
    let mut ctx = Context::evaluation();
    let y = layer.forward(&x, &mut ctx);
    let sum = |x: &Tensor, f: fn(f64) -> f64| x.to_vec::<f64>().into_iter().map(f).sum::<f64>();
    let w = parameter(&layer, "weight");
    let expected = 0.1 * sum(&w, |w| w * w) + 0.2 * 1.5 + (0.3 * sum(&y, f64::abs) + 0.4 * sum(&y, |y| y * y)) / 4.0;
    let penalty = ctx.take_penalty().unwrap();
    assert!((penalty.item() - expected).abs() < 1e-12, "{} {expected}", penalty.item());
    assert!(penalty.backward().get(&w).is_some() && ctx.take_penalty().is_none());
}

#[test]
fn embeddings_pick_rows_and_their_gradients_add_up() {
    let table = Tensor::randn([7, 3], &mut Rng::new(2)).to_dtype(DType::F64);
    let layer = with_state(Embedding::new(7, 3), &[2], &[("weight", table.clone())]);
    let words = Tensor::from_slice(&[1i64, 6, 1, 0], [2, 2]);
    let y = layer.forward(&words, &mut Context::evaluation());
    assert_eq!(y.shape(), &[2, 2, 3]);
    assert_eq!(y.narrow(0, 0, 1).narrow(1, 1, 1).to_vec::<f64>(), table.narrow(0, 6, 1).to_vec::<f64>());
    let gradient = y.sum().backward()[&parameter(&layer, "weight")].sum_axes(&[1]).to_vec::<f64>();
    assert_eq!(gradient, [3.0, 6.0, 0.0, 0.0, 0.0, 0.0, 3.0]);
}

#[test]
fn residual_and_parallel_blocks_do_what_they_say() {
    let x = Tensor::randn([4, 6], &mut Rng::new(3));
    let ctx = &mut Context::evaluation();
    let residual = Residual::new().add(Dense::new(9).activation(Tanh)).add(Dense::new(6));
    let model = Sequential::new([6]).add(residual).build().unwrap();
    let state: BTreeMap<String, Tensor> = model.state_dict().into_iter().collect();
    let affine =
        |x: &Tensor, name: &str| x.matmul(&state[&format!("{name}.weight")].t()) + &state[&format!("{name}.bias")];
    let expected = affine(&affine(&x, "layers.0.0").tanh(), "layers.0.1") + &x;
    assert_eq!(model.forward(&x, ctx).to_vec::<f32>(), expected.to_vec::<f32>());

    for (merge, width) in [
        (Merge::Concatenate, 12),
        (Merge::ConcatenateAlong(1), 12),
        (Merge::Sum, 6),
        (Merge::Product, 6),
        (Merge::Mean, 6),
        (Merge::Vote, 6),
    ] {
        let parallel = Parallel::new(merge).branch(Chain::new()).branch(Chain::new().add(Dense::new(6)));
        let model = Sequential::new([6]).add(parallel).build().unwrap();
        let state: BTreeMap<String, Tensor> = model.state_dict().into_iter().collect();
        let name = "layers.0.branches.1.0";
        let branch = x.matmul(&state[&format!("{name}.weight")].t()) + &state[&format!("{name}.bias")];
        let expected = match merge {
            Merge::Concatenate | Merge::ConcatenateAlong(_) => hadal::concat(&[x.clone(), branch], 1),
            Merge::Sum => &x + branch,
            Merge::Product => &x * branch,
            Merge::Mean => (&x + branch) / 2.0,
            Merge::Vote => {
                let vote = |y: &Tensor| y.argmax(1).one_hot(6).to_dtype(DType::F32);
                (vote(&x) + vote(&branch)) / 2.0
            }
        };
        let y = model.forward(&x, ctx);
        assert_eq!((y.shape(), y.to_vec::<f32>()), (&[4, width].into(), expected.to_vec::<f32>()));
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
fn noise_has_its_deviation_and_is_off_in_evaluation() {
    let layer = hadal::nn::GaussianNoise::new(0.5);
    let x = Tensor::ones([1000, 100]);
    assert_eq!(layer.forward(&x, &mut Context::evaluation()).to_vec::<f32>(), x.to_vec::<f32>());
    let noise = layer.forward(&x, &mut Context::training(Rng::new(1))) - &x;
    // Five standard errors of 100,000 draws.
    assert!(noise.mean().item().abs() < 0.008 && (noise.powi(2).mean().item() - 0.25).abs() < 0.006);
}

#[test]
fn weights_begin_with_the_limits_and_variances_of_their_formulas() {
    use Initializer::*;
    let (output, input) = (512usize, 784usize);
    let (fan_in, both) = (input as f64, (input + output) as f64);
    // Variance, and the most an element may be.
    let cases = [
        (Uniform(0.3), 0.03, 0.3),
        (Normal(0.3), 0.09, f64::INFINITY),
        // A normal cut at two deviations has 0.7737 of its variance.
        (TruncatedNormal(0.3), 0.7737 * 0.09, 0.6),
        (GlorotUniform, 2.0 / both, (6.0 / both).sqrt()),
        (GlorotNormal, 2.0 / both, 2.0 * (2.0 / both / 0.7737).sqrt()),
        (HeUniform, 2.0 / fan_in, (6.0 / fan_in).sqrt()),
        (HeNormal, 2.0 / fan_in, 2.0 * (2.0 / fan_in / 0.7737).sqrt()),
        (LecunUniform, 1.0 / fan_in, (3.0 / fan_in).sqrt()),
        (LecunNormal, 1.0 / fan_in, 2.0 * (1.0 / fan_in / 0.7737).sqrt()),
        (TorchUniform, 1.0 / (3.0 * fan_in), 1.0 / fan_in.sqrt()),
    ];
    for (init, variance, limit) in cases {
        let weight = init.make(&[output, input], &mut Rng::new(1)).to_dtype(DType::F64);
        let (highest, mean) = (weight.abs().max().item(), weight.mean().item());
        assert!(
            highest <= limit * 1.0001 && (limit.is_infinite() || highest > 0.99 * limit),
            "{init:?}: {highest} {limit}"
        );
        assert!(mean.abs() < 5.0 * (variance / 401_408.0).sqrt(), "{init:?}: {mean}");
        let found = weight.powi(2).mean().item();
        assert!((found / variance - 1.0).abs() < 0.01, "{init:?}: variance {found} instead of {variance}");
    }
    assert_eq!(Constant(0.5).make(&[2], &mut Rng::new(1)).to_vec::<f32>(), [0.5, 0.5]);
    for shape in [[20, 50], [50, 20], [7, 7]] {
        let w = Orthogonal(2.0).make(&shape, &mut Rng::new(1)).to_dtype(DType::F64);
        let short = if shape[0] <= shape[1] { w.clone() } else { w.t() };
        let n = shape[0].min(shape[1]);
        let unit = Tensor::arange(n).one_hot(n).to_dtype(DType::F64) * 4.0;
        assert!((short.matmul(&short.t()) - unit).abs().max().item() < 1e-5, "{shape:?}");
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
    // Names of settings from before they were the field's.
    let old: Architecture =
        serde_json::from_str(r#"{"input_shape":[2],"layers":[{"layer":"gaussian_noise","deviation":0.5}]}"#).unwrap();
    assert_eq!(old, Sequential::new([2]).add(hadal::nn::GaussianNoise::new(0.5)).architecture());
    let old: Architecture =
        serde_json::from_str(r#"{"input_shape":[2],"layers":[{"layer":"embedding","vocabulary":9,"size":4}]}"#)
            .unwrap();
    assert_eq!(old, Sequential::new([2]).add(Embedding::new(9, 4)).architecture());
}
