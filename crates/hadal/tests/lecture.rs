//! The lecture's ideas at work: that each does what it is for.

use std::collections::BTreeMap;

use hadal::classic::{Adaline, LinearSvm, Perceptron};
use hadal::data::synthetic::{self, Curve};
use hadal::nn::{Feedback, Merge};
use hadal::optim::second_order::{hessian, hessian_vector_product, largest_eigenvalues};
use hadal::optim::{ParamGroup, ReduceLrOnPlateau};
use hadal::prelude::*;
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

fn classifier(seed: u64, width: usize) -> Sequential {
    Sequential::new([2])
        .seed(seed)
        .add(Dense::new(width).activation(Tanh))
        .add(Dense::new(width).activation(Tanh))
        .add(Dense::new(1).activation(Sigmoid))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_perceptron_separates_what_can_be_separated_within_novikoffs_bound(seed in any::<u64>(), samples in 4usize..80) {
        let data = synthetic::cats_and_dogs(samples, 0.0, seed).unwrap();
        let fit = Perceptron::new().epochs(100_000).shuffle(seed).fit(&data).unwrap();
        prop_assert!(fit.separated && fit.margin > 0.0 && fit.misclassified == 0);
        let best = LinearSvm::new().fit(&data).unwrap();
        prop_assert!(best.separated && best.margin >= fit.margin * (1.0 - 1e-6), "{} {}", best.margin, fit.margin);
        // Mistakes are at most (R / margin)^2 in the space with a 1 appended to every sample, for any separating line.
        let radius = data.inputs().to_vec::<f32>().chunks(2).map(|x| f64::from(x[0] * x[0] + x[1] * x[1]) + 1.0).fold(0.0, f64::max);
        let line = &best.classifier;
        let length = line.weight.iter().map(|w| w * w).sum::<f64>();
        let margin = best.margin * length.sqrt() / (length + line.bias * line.bias).sqrt();
        prop_assert!((fit.mistakes as f64) <= radius / (margin * margin) * (1.0 + 1e-6));
    }
}

#[test]
fn on_data_that_no_line_separates_a_perceptron_stops_at_its_limit_and_says_so() {
    for data in [synthetic::xor(100, 0.1, 1), synthetic::cats_and_dogs(100, 1.0, 1)] {
        let data = data.unwrap();
        let fit = Perceptron::new().epochs(50).fit(&data).unwrap();
        assert!(!fit.separated && fit.epochs == 50 && fit.misclassified > 0 && fit.margin < 0.0);
        assert!(fit.to_string().contains("not separated within 50 epochs"), "{fit}");
        let predicted = fit.classifier.predict(data.inputs()).unwrap();
        let wrong = predicted.ne(data.targets()).to_dtype(DType::I64).sum().item();
        assert_eq!(wrong, fit.misclassified as f64, "the pocket's line is the one that is counted");
    }
}

#[test]
fn the_delta_rule_settles_at_the_least_squares_line() {
    let data = synthetic::cats_and_dogs(60, 1.0, 2).unwrap();
    let fit = Adaline::new(2e-4).epochs(20_000).fit(&data).unwrap();
    let x = data.inputs().to_dtype(DType::F64);
    let y = data.targets().to_dtype(DType::F64) * 2.0 - 1.0;
    let start = [Tensor::zeros([3]).to_dtype(DType::F64)];
    let residuals = |p: &[Tensor]| {
        let weight = p[0].narrow(0, 0, 2);
        x.matmul(&weight) + p[0].narrow(0, 2, 1) - &y
    };
    let exact = hadal::optim::second_order::LevenbergMarquardt::default().fit(residuals, &start).unwrap();
    let loss = fit.losses.last().unwrap();
    assert!((loss / exact.sum_of_squares - 1.0).abs() < 1e-3, "{loss} {}", exact.sum_of_squares);
    assert!(fit.losses[0] > *loss);
}

#[test]
fn generated_data_follows_from_its_seed_and_a_network_learns_it() {
    let all: [fn(u64) -> hadal::Result<Dataset>; 5] = [
        |seed| synthetic::xor(400, 0.2, seed),
        |seed| synthetic::moons(400, 0.1, seed),
        |seed| synthetic::circles(400, 0.08, seed),
        |seed| synthetic::spirals(400, 2, 0.02, seed),
        |seed| synthetic::blobs(400, 2, 0.05, seed),
    ];
    for make in all {
        let data = make(1).unwrap();
        assert_eq!(data.inputs().to_vec::<f32>(), make(1).unwrap().inputs().to_vec::<f32>());
        assert_ne!(data.inputs().to_vec::<f32>(), make(2).unwrap().inputs().to_vec::<f32>());
        let mut model = classifier(1, 32).compile(Adam::new(0.01), BinaryCrossentropy, [Accuracy]).unwrap();
        model.fit(&data, Fit::epochs(200).quiet()).unwrap();
        let accuracy = model.evaluate(&data).unwrap().get("accuracy").unwrap();
        assert!(accuracy > 0.97, "{}: {accuracy}", data.name());
    }
    let data = synthetic::regression(Curve::Sine, 300, 0.1, 1).unwrap();
    let mut model = Sequential::new([1])
        .add(Dense::new(32).activation(Tanh))
        .add(Dense::new(1))
        .compile(Adam::new(0.01), MeanSquaredError, [R2Score::new()])
        .unwrap();
    model.fit(&data, Fit::epochs(300).quiet()).unwrap();
    assert!(model.evaluate(&data).unwrap().get("r2_score").unwrap() > 0.95);
}

/// The gradients of one batch by parameter name.
fn gradients(model: &Sequential, x: &Tensor, y: &Tensor) -> BTreeMap<String, Vec<f32>> {
    let loss = CategoricalCrossentropy.loss(&model.forward(x, &mut Context::training(Rng::new(5))), y);
    let gradients = loss.backward();
    let named = model.state_dict().into_iter();
    named.filter_map(|(name, tensor)| gradients.get(&tensor).map(|g| (name, g.to_vec::<f32>()))).collect()
}

fn net(feedback: Feedback, last: Feedback) -> Sequential {
    Sequential::new([5])
        .add(Dense::new(8).activation(Tanh).feedback(feedback))
        .add(Dropout::new(0.2))
        .add(Dense::new(7).activation(Tanh).feedback(feedback))
        .add(Dense::new(3).activation(Softmax).feedback(last))
        .build()
        .unwrap()
}

fn weights_of(from: &Sequential, to: &mut Sequential) {
    let known: BTreeMap<String, Tensor> = from.state_dict().into_iter().collect();
    to.visit_mut("", &mut |name, tensor| {
        if let Some(value) = known.get(name) {
            tensor.assign(&value.detach());
        }
    });
}

#[test]
fn alignment_with_the_weights_themselves_is_back_propagation() {
    let (x, y) = (Tensor::randn([6, 5], &mut Rng::new(1)), Tensor::from_slice(&[0i64, 1, 2, 0, 1, 2], [6]));
    let reference = net(Feedback::Backpropagation, Feedback::Backpropagation);
    let expected = gradients(&reference, &x, &y);
    let mut aligned = net(Feedback::Alignment, Feedback::Alignment);
    weights_of(&reference, &mut aligned);
    assert_ne!(gradients(&aligned, &x, &y)["layers.0.weight"], expected["layers.0.weight"]);
    let known: BTreeMap<String, Tensor> = reference.state_dict().into_iter().collect();
    aligned.visit_mut("", &mut |name, tensor| {
        if let Some(layer) = name.strip_suffix("feedback") {
            tensor.assign(&known[&format!("{layer}weight")].detach());
        }
    });
    for (name, gradient) in gradients(&aligned, &x, &y) {
        assert_eq!(gradient, expected[&name], "{name}");
    }
}

#[test]
fn direct_feedback_sends_the_output_error_to_each_hidden_layer() {
    let (x, y) = (Tensor::randn([6, 5], &mut Rng::new(1)), Tensor::from_slice(&[0i64, 1, 2, 0, 1, 2], [6]));
    let model = Sequential::new([5])
        .add(Dense::new(8).activation(Tanh).feedback(Feedback::Direct))
        .add(Dense::new(7).activation(Tanh).feedback(Feedback::Direct))
        .add(Dense::new(3).activation(Softmax))
        .build()
        .unwrap();
    let state: BTreeMap<String, Tensor> = model.state_dict().into_iter().map(|(name, t)| (name, t.detach())).collect();
    let affine = |x: &Tensor, layer: usize| {
        x.matmul(&state[&format!("layers.{layer}.weight")].t()) + &state[&format!("layers.{layer}.bias")]
    };
    let h0 = affine(&x, 0).tanh();
    let h1 = affine(&h0, 1).tanh();
    let error = (affine(&h1, 2).softmax(1) - y.one_hot(3)) / 6.0;
    let delta =
        |h: &Tensor, layer: usize| error.matmul(&state[&format!("layers.{layer}.feedback")]) * (1.0 - h.powi(2));
    let found = gradients(&model, &x, &y);
    for (name, expected) in [
        ("layers.0.weight", delta(&h0, 0).t().matmul(&x)),
        ("layers.1.weight", delta(&h1, 1).t().matmul(&h0)),
        ("layers.2.weight", error.t().matmul(&h1)),
    ] {
        for (found, expected) in found[name].iter().zip(expected.to_vec::<f32>()) {
            assert!((found - expected).abs() < 1e-6, "{name}: {found} instead of {expected}");
        }
    }
}

#[test]
fn feedback_matrices_stay_as_they_are_and_the_network_learns_all_the_same() {
    let data = synthetic::spirals(300, 3, 0.0, 1).unwrap();
    for feedback in [Feedback::Alignment, Feedback::Direct] {
        let last = if feedback == Feedback::Alignment { feedback } else { Feedback::Backpropagation };
        let mut model = Sequential::new([2])
            .add(Dense::new(64).activation(Tanh).feedback(feedback))
            .add(Dense::new(64).activation(Tanh).feedback(feedback))
            .add(Dense::new(3).activation(Softmax).feedback(last))
            .compile(Adam::new(0.01), CategoricalCrossentropy, [Accuracy])
            .unwrap();
        let matrices = |model: &Sequential| -> Vec<Vec<f32>> {
            let state = model.state_dict().into_iter();
            state.filter(|(name, _)| name.ends_with("feedback")).map(|(_, matrix)| matrix.to_vec()).collect()
        };
        let before = matrices(&model.model);
        assert!(before.len() >= 2);
        model.fit(&data, Fit::epochs(150).quiet()).unwrap();
        assert_eq!(matrices(&model.model), before);
        let accuracy = model.evaluate(&data).unwrap().get("accuracy").unwrap();
        assert!(accuracy > 0.9, "{feedback:?}: {accuracy}");
    }
}

#[test]
fn a_network_of_all_layers_is_saved_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = Sequential::new([12])
        .add(Reshape::new([3, 4]))
        .add(LayerNorm::new())
        .add(BatchNorm::keras())
        .add(Flatten)
        .add(Residual::new().add(Dense::new(12).activation(Gelu).max_norm(2.0)).add(Dropout::new(0.1)))
        .add(
            Parallel::new(Merge::Concatenate)
                .branch(Chain::new())
                .branch(Chain::new().add(Dense::new(5).activation(Elu(0.7)))),
        )
        .add(Dense::new(6).activation(LeakyRelu(0.2)).feedback(Feedback::Direct))
        .add(Dense::new(4).without_bias().feedback(Feedback::Alignment))
        .add(Softmax);
    let x = Tensor::randn([64, 12], &mut Rng::new(1));
    let labels = Tensor::from_vec((0..64i64).map(|i| i % 4).collect(), [64]);
    let data = Dataset::new("random", x.clone(), labels).unwrap();
    let mut trainer = model.compile(AdamW::default(), CategoricalCrossentropy, [Accuracy]).unwrap();
    trainer.fit(&data, Fit::epochs(3).quiet()).unwrap();
    trainer.model.save(&path, &BTreeMap::new()).unwrap();
    let (loaded, _) = Sequential::load(&path).unwrap();
    let ctx = &mut Context::evaluation();
    assert_eq!(loaded.architecture(), trainer.model.architecture());
    assert_eq!(loaded.forward(&x, ctx).to_vec::<f32>(), trainer.model.forward(&x, ctx).to_vec::<f32>());

    let words = Sequential::new([3]).add(Embedding::new(10, 4)).add(Flatten).add(Dense::new(2)).build().unwrap();
    words.save(&path, &BTreeMap::new()).unwrap();
    let index = Tensor::from_slice(&[1i64, 9, 0], [1, 3]);
    let (loaded, _) = Sequential::load(&path).unwrap();
    assert_eq!(loaded.forward(&index, ctx).to_vec::<f32>(), words.forward(&index, ctx).to_vec::<f32>());
}

#[test]
fn an_embedding_learns_from_words() {
    // Whether the word 7 is among four.
    let mut rng = Rng::new(1);
    let words: Vec<i64> = (0..2000).map(|_| rng.below(10) as i64).collect();
    let labels: Vec<i64> = words.chunks(4).map(|sentence| i64::from(sentence.contains(&7))).collect();
    let data = Dataset::new("words", Tensor::from_vec(words, [500, 4]), Tensor::from_vec(labels, [500])).unwrap();
    let mut model = Sequential::new([4])
        .add(Embedding::new(10, 8))
        .add(Flatten)
        .add(Dense::new(16).activation(Relu))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.01), BinaryCrossentropy, [Accuracy])
        .unwrap();
    model.fit(&data, Fit::epochs(30).quiet()).unwrap();
    assert!(model.evaluate(&data).unwrap().get("accuracy").unwrap() > 0.98);
}

#[test]
fn max_norm_holds_during_training() {
    let data = synthetic::moons(200, 0.1, 1).unwrap();
    let mut model = Sequential::new([2])
        .add(Dense::new(16).activation(Relu).max_norm(0.5))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.05), BinaryCrossentropy, [Accuracy])
        .unwrap();
    model.fit(&data, Fit::epochs(5).quiet()).unwrap();
    let weight = &model.model.state_dict()[0].1;
    let longest = weight.powi(2).sum_axes(&[1]).sqrt().max().item();
    assert!(longest <= 0.5 + 1e-6 && longest > 0.4, "{longest}");
}

#[test]
fn frozen_layers_and_groups_keep_to_their_own_rates() {
    let data = synthetic::moons(100, 0.1, 1).unwrap();
    let optimizer = Sgd::new(0.1)
        .param_group(ParamGroup::prefix("layers.1.").learning_rate_scale(0.0))
        .param_group(ParamGroup::suffix("bias").learning_rate_scale(0.5));
    let mut model = classifier(1, 4).compile(optimizer, BinaryCrossentropy, [Accuracy]).unwrap();
    model.model.freeze("layers.0.").unwrap();
    let before = model.model.state_dict();
    model.fit(&data, Fit::epochs(1).full_batch().quiet()).unwrap();
    for ((name, old), (_, new)) in before.iter().zip(model.model.state_dict()) {
        let moved = old.to_vec::<f32>() != new.to_vec::<f32>();
        assert_eq!(moved, name.starts_with("layers.2."), "{name}");
    }
    model.model.unfreeze("").unwrap();
    let frozen = model.model.state_dict()[0].1.to_vec::<f32>();
    model.fit(&data, Fit::epochs(1).quiet()).unwrap();
    assert_ne!(frozen, model.model.state_dict()[0].1.to_vec::<f32>());
}

#[test]
fn decay_pulls_weights_toward_zero_coupled_or_not() {
    let gradient = |w: &Tensor| (w * 0.0).sum().backward();
    for (name, mut optimizer, expected) in [
        // Coupled under SGD and decoupled are the same: w (1 - learning rate decay).
        ("coupled", Sgd::new(0.1).weight_decay(0.5), 0.95),
        ("decoupled", Sgd::new(0.1).decoupled_weight_decay(0.5), 0.95),
        (
            "no decay for biases",
            Sgd::new(0.1).weight_decay(0.5).param_group(ParamGroup::prefix("").weight_decay(0.0)),
            1.0,
        ),
    ] {
        let mut w = Tensor::ones([1]).requires_grad();
        let g = gradient(&w);
        optimizer.step(&mut w, &g);
        assert!((w.item() - expected).abs() < 1e-6, "{name}: {}", w.item());
    }
    // Under Adam a coupled decay is divided by its own size: the step is the whole learning rate.
    let mut w = Tensor::ones([1]).requires_grad();
    let g = gradient(&w);
    Adam::new(0.1).weight_decay(0.5).step(&mut w, &g);
    assert!((w.item() - 0.9).abs() < 1e-4, "{}", w.item());
}

#[test]
fn a_sample_without_weight_counts_for_nothing() {
    let data = synthetic::moons(64, 0.1, 1).unwrap();
    let weights: Vec<f64> = (0..64).map(|i| if i < 32 { 2.0 } else { 0.0 }).collect();
    let run = |data: Dataset| {
        let mut model = classifier(1, 4).compile(Sgd::new(0.1), BinaryCrossentropy, [Accuracy]).unwrap();
        model.fit(&data, Fit::epochs(3).full_batch().shuffle(false).quiet()).unwrap();
        model.model.state_dict()[0].1.to_vec::<f32>()
    };
    let (weighted, half) = (run(data.clone().sample_weights(&weights).unwrap()), run(data.take(32)));
    for (a, b) in weighted.iter().zip(&half) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn schedules_plateaus_and_clipping_change_the_steps() {
    let data = synthetic::moons(64, 0.1, 1).unwrap();
    let learning_rates = |fit: Fit| {
        let csv = tempfile::NamedTempFile::new().unwrap();
        let mut model = classifier(1, 4).compile(Sgd::new(0.1), BinaryCrossentropy, [Accuracy]).unwrap();
        model.fit(&data, fit.quiet().callback(hadal::monitor::CsvLogger::new(csv.path()))).unwrap();
        let text = std::fs::read_to_string(csv.path()).unwrap();
        let place = text.lines().next().unwrap().split(',').position(|name| name == "learning_rate").unwrap();
        let learning_rates: Vec<f64> =
            text.lines().skip(1).map(|line| line.split(',').nth(place).unwrap().parse().unwrap()).collect();
        learning_rates
    };
    let by_epoch =
        learning_rates(Fit::epochs(4).batch_size(8).schedule_by_epoch(Schedule::Step { step_size: 2, gamma: 0.1 }));
    assert!(by_epoch.iter().zip([0.1, 0.1, 0.01, 0.01]).all(|(a, b)| (a - b).abs() < 1e-12), "{by_epoch:?}");
    // Nothing improves by 10: the learning rate falls after every epoch but the first.
    let plateau = ReduceLrOnPlateau::new("loss").patience(1).min_delta(10.0);
    let fallen = learning_rates(Fit::epochs(3).reduce_lr_on_plateau(plateau));
    assert!(fallen.iter().zip([0.1, 0.1, 0.01]).all(|(a, b)| (a - b).abs() < 1e-12), "{fallen:?}");

    let moved = |fit: Fit| {
        let mut model = classifier(1, 4).compile(Sgd::new(1.0), BinaryCrossentropy, [Accuracy]).unwrap();
        let before = model.model.state_dict();
        model.fit(&data, fit.full_batch().quiet()).unwrap();
        let change =
            |(a, b): (&(String, Tensor), (String, Tensor))| (&a.1.detach() - &b.1.detach()).powi(2).sum().item();
        before.iter().zip(model.model.state_dict()).map(change).sum::<f64>().sqrt()
    };
    assert!((moved(Fit::epochs(1).clip_norm(1e-3)) - 1e-3).abs() < 1e-6);
    let parameters = 2.0 * 4.0 + 4.0 + 16.0 + 4.0 + 4.0 + 1.0;
    assert!(moved(Fit::epochs(1).clip_value(1e-4)) <= 1e-4 * f64::sqrt(parameters) + 1e-6);
}

#[test]
fn a_range_test_finds_a_rate_that_learns_and_leaves_the_model_alone() {
    let data = synthetic::moons(400, 0.1, 1).unwrap();
    let mut model = classifier(1, 16).compile(Adam::default(), BinaryCrossentropy, [Accuracy]).unwrap();
    let before: Vec<Vec<f32>> = model.model.state_dict().iter().map(|(_, tensor)| tensor.to_vec()).collect();
    let test = model.learning_rate_range_test(&data, 1e-5, 10.0, 100, 32).unwrap();
    let after: Vec<Vec<f32>> = model.model.state_dict().iter().map(|(_, tensor)| tensor.to_vec()).collect();
    assert_eq!(before, after);
    assert!(
        test.learning_rates.len() == test.losses.len() && test.learning_rates.windows(2).all(|pair| pair[0] < pair[1])
    );
    let learning_rate = test.suggestion();
    assert!(learning_rate > 1e-5 && learning_rate < 10.0, "{learning_rate}");
    let mut tuned = classifier(1, 16).compile(Adam::new(learning_rate), BinaryCrossentropy, [Accuracy]).unwrap();
    tuned.fit(&data, Fit::epochs(40).quiet()).unwrap();
    assert!(tuned.evaluate(&data).unwrap().get("accuracy").unwrap() > 0.95, "{learning_rate}");
}

#[test]
fn products_with_the_hessian_are_those_of_the_hessian() {
    let loss = |p: &[Tensor]| (p[0].matmul(&p[1]).tanh().powi(2).sum() + p[1].exp().sum()) * 0.5;
    let at = [[3, 2], [2, 2]].map(|shape| Tensor::randn(shape, &mut Rng::new(shape[0] as u64)).to_dtype(DType::F64));
    let v = [[3, 2], [2, 2]].map(|shape| Tensor::randn(shape, &mut Rng::new(9 + shape[0] as u64)).to_dtype(DType::F64));
    let whole = hessian(loss, &at);
    let flat = |tensors: &[Tensor]| -> Vec<f64> { tensors.iter().flat_map(|tensor| tensor.to_vec::<f64>()).collect() };
    let expected = whole.matmul(&Tensor::from_vec(flat(&v), [10])).to_vec::<f64>();
    for (found, expected) in flat(&hessian_vector_product(loss, &at, &v)).iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    let all = largest_eigenvalues(loss, &at, 10, &mut Rng::new(1)).unwrap();
    let trace: f64 = (0..10).map(|i| whole.to_vec::<f64>()[11 * i]).sum();
    assert!(all.len() == 10 && (all.iter().sum::<f64>() - trace).abs() < 1e-9, "{all:?} {trace}");
    assert_eq!(largest_eigenvalues(loss, &at, 2, &mut Rng::new(1)).unwrap().len(), 2);
}

/// A layer of one's own, as short as the guide promises.
#[derive(hadal::nn::Module)]
struct Scale {
    factor: Tensor,
}

impl Forward for Scale {
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        x * &self.factor
    }
}

impl hadal::nn::Layer for Scale {}

#[test]
fn a_layer_of_ones_own_takes_its_place_in_a_sequential() {
    let data = synthetic::moons(100, 0.1, 1).unwrap();
    let mut model = Sequential::new([2])
        .add(Scale { factor: Tensor::ones([2]).requires_grad() })
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Sgd::new(0.5), BinaryCrossentropy, [Accuracy])
        .unwrap();
    assert!(model.summary().to_string().contains("Scale"));
    model.fit(&data, Fit::epochs(2).quiet()).unwrap();
    assert_ne!(model.model.state_dict()[0].1.to_vec::<f32>(), [1.0, 1.0]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    model.model.save(&path, &BTreeMap::new()).unwrap();
    let error = Sequential::load(&path).err().unwrap().to_string();
    assert!(error.contains("Scale") && error.contains("load_state_dict"), "{error}");
}
