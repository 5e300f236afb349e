//! Batches too small for a layer, frozen layers, empty batches, and layers larger than memory.

use std::collections::BTreeMap;

use hadal::nn::{GaussianNoise, Layer, Merge};
use hadal::prelude::*;

use super::{panics, points, says};

fn normalized() -> Sequential {
    Sequential::new([2]).add(Dense::new(4)).add(BatchNorm::new()).add(Dense::new(3).activation(Softmax))
}

fn state(model: &impl Module) -> BTreeMap<String, Vec<f32>> {
    model.state_dict().into_iter().map(|(name, tensor)| (name, tensor.to_vec())).collect()
}

#[test]
fn batch_norm_refuses_a_batch_of_which_a_variance_says_nothing() {
    let mut layer = BatchNorm::new();
    layer.build(&[4].into(), &mut Rng::new(0)).unwrap();
    let before = state(&layer);
    for samples in [0, 1] {
        let x = Tensor::ones([samples, 4]);
        let shape = format!("[{samples}, 4]");
        panics(
            || layer.forward(&x, &mut Context::training(Rng::new(0))),
            &["BatchNorm", &shape, "[2, 4]", "more than 1 value"],
        );
        assert_eq!(layer.forward(&x, &mut Context::evaluation()).shape(), x.shape());
    }
    assert_eq!(state(&layer), before);
    // One image has several values of each feature.
    let mut images = BatchNorm::new();
    images.build(&[4, 3, 3].into(), &mut Rng::new(0)).unwrap();
    images.forward(&Tensor::ones([1, 4, 3, 3]), &mut Context::training(Rng::new(0)));
    assert_eq!((layer.min_batch_size(), images.min_batch_size()), (2, 1));
}

#[test]
fn fit_says_beforehand_that_a_batch_is_too_small() {
    let data = points(9, 3);
    let run = |batch: usize, freeze: bool| {
        let mut model = normalized().compile(Sgd::new(0.1), CategoricalCrossentropy, [Accuracy]).unwrap();
        if freeze {
            model.model.freeze("layers.1.").unwrap();
        }
        let before = state(&model.model);
        let result = model.fit(&data, Fit::epochs(1).batch_size(batch).quiet()).map(|_| ());
        assert!(result.is_ok() || state(&model.model) == before);
        result
    };
    says(run(1, false), &["points", "batch size 1", "at least 2"]);
    says(run(4, false), &["batch size 4", "9 samples has 1", "at least 2"]);
    run(3, false).unwrap();
    run(usize::MAX, false).unwrap();
    run(1, true).unwrap();
    let mut model = normalized().compile(Sgd::new(0.1), CategoricalCrossentropy, [Accuracy]).unwrap();
    says(model.learning_rate_range_test(&data, 1e-3, 1.0, 10, 1), &["batch size 1"]);

    #[derive(Module)]
    struct Own {
        parts: Vec<Sequential>,
        _size: usize,
        more: Option<Linear>,
    }
    let own = Own { parts: vec![normalized().build().unwrap()], _size: 3, more: None };
    assert_eq!((own.min_batch_size(), Own { parts: Vec::new(), ..own }.min_batch_size()), (2, 1));
    let block = || Chain::new().add(BatchNorm::new());
    let nested: [Box<dyn Layer>; 3] = [
        Box::new(Residual::from_chain(block())),
        Box::new(Parallel::new(Merge::Sum).branch(Chain::new()).branch(block())),
        Box::new(block()),
    ];
    for mut layer in nested {
        layer.build(&[4].into(), &mut Rng::new(0)).unwrap();
        assert_eq!(layer.min_batch_size(), 2);
    }
}

#[test]
fn frozen_layers_stay_as_they_are() {
    let data = points(40, 3);
    let optimizer = AdamW::new(0.1).decoupled_weight_decay(0.5).weight_decay(0.5);
    let mut model = Sequential::new([2])
        .add(Dense::new(4).max_norm(0.1))
        .add(BatchNorm::new())
        .add(Dense::new(4).max_norm(0.1))
        .add(Dense::new(3).activation(Softmax))
        .compile(optimizer, CategoricalCrossentropy, [Accuracy])
        .unwrap();
    model.fit(&data, Fit::epochs(1).quiet()).unwrap();
    model.model.visit_mut("", &mut |name, tensor| {
        if name == "layers.0.weight" {
            *tensor = (tensor.detach() * 100.0).requires_grad();
        }
    });
    for layer in ["layers.0.", "layers.1."] {
        model.model.freeze(layer).unwrap();
    }
    let before = state(&model.model);
    model.fit(&data, Fit::epochs(2).quiet()).unwrap();
    for (name, now) in state(&model.model) {
        let frozen = name.starts_with("layers.0.") || name.starts_with("layers.1.");
        assert_eq!(now == before[&name], frozen, "{name}");
    }
    // A frozen BatchNorm is as in evaluation; one whose bias is trained is not.
    let x = Tensor::randn([5, 2], &mut Rng::new(3));
    let of = |model: &Sequential, mut ctx: Context| model.forward(&x, &mut ctx).to_vec::<f32>();
    let train = || Context::training(Rng::new(0));
    assert_eq!(of(&model.model, train()), of(&model.model, Context::evaluation()));
    model.model.unfreeze("layers.1.bias").unwrap();
    assert_ne!(of(&model.model, train()), of(&model.model, Context::evaluation()));
    // With nothing left to train there is nothing to do.
    model.model.freeze("").unwrap();
    says(model.fit(&data, Fit::epochs(1).quiet()), &["no parameters to train", "unfreeze"]);
}

#[test]
fn every_layer_takes_an_empty_batch_in_evaluation() {
    let words = Sequential::new([3]).add(Embedding::new(10, 4)).add(Flatten).add(Dense::new(2)).build().unwrap();
    let none = Tensor::zeros([0, 3]).to_dtype(DType::I64);
    assert_eq!(words.forward(&none, &mut Context::evaluation()).shape(), &[0, 2]);
    let branches = || Parallel::new(Merge::Concatenate).branch(Chain::new()).branch(Chain::new().add(Dense::new(2)));
    let model = Sequential::new([12])
        .add(Reshape::new([3, 4]))
        .add(LayerNorm::new())
        .add(BatchNorm::keras())
        .add(GaussianNoise::new(0.1))
        .add(Flatten)
        .add(Residual::new().add(Dense::new(12).activation(Relu)).add(Dropout::new(0.1)))
        .add(branches())
        .add(Dense::new(6).activation(Gelu))
        .add(Dense::new(4).activation(Softmax))
        .add(Dense::new(3).activation(LogSoftmax));
    let trainer = model.compile(Sgd::default(), NegativeLogLikelihood, [Accuracy]).unwrap();
    assert_eq!(trainer.predict(&Tensor::zeros([0, 12])).unwrap().shape(), &[0, 3]);
}

#[test]
fn layers_larger_than_memory_are_errors() {
    let huge = usize::MAX / 2;
    says(Sequential::new([4]).add(Dense::new(huge)).build(), &["layer 1 (Dense)", &huge.to_string()]);
    says(Sequential::new([1 << 40]).add(Dense::new(1 << 40)).build(), &["parameters", "more than is available"]);
    says(Sequential::new([4]).add(Embedding::new(1 << 40, 1 << 40)).build(), &["more than is available"]);
    says(Sequential::new([1 << 40]).add(Embedding::new(2, 1 << 40)).build(), &["layer 1 (Embedding)"]);
}

#[test]
fn an_epsilon_that_is_nothing_in_f32_is_refused() {
    says(Sequential::new([2]).add(BatchNorm::new().epsilon(1e-50)).build(), &["BatchNorm: epsilon", "f32"]);
    says(Sequential::new([2]).add(LayerNorm::new().epsilon(1e-50)).build(), &["LayerNorm: epsilon", "f32"]);
    let huge = hadal::nn::Regularizer::l2(1e300);
    says(Sequential::new([2]).add(Dense::new(1).weight_regularizer(huge)).build(), &["regularizer"]);
}

#[test]
fn inputs_of_another_kind_of_float_are_refused() {
    let data = points(9, 3);
    let x = data.inputs().to_dtype(DType::F64);
    let wide = Dataset::new("wide", x.clone(), data.targets().clone()).unwrap();
    let mut model = normalized().compile(Sgd::new(0.1), CategoricalCrossentropy, [Accuracy]).unwrap();
    says(model.fit(&wide, Fit::epochs(1).quiet()), &["wide", "f64", "f32", "to_dtype"]);
    says(model.predict(&x), &["f64", "f32", "to_dtype"]);
}

#[test]
fn layers_with_relu_behind_them_compute_what_they_do_one_by_one() {
    let conv = || Conv2d::new(3, 3).padding(1).without_bias();
    let block = || Residual::new().add(conv()).add(BatchNorm::new()).add(Relu).add(conv()).add(BatchNorm::new());
    let model = || {
        Sequential::new([3, 6, 5])
            .seed(7)
            .add(BatchNorm::new())
            .add(Relu)
            .add(block())
            .add(Relu)
            .add(block().shortcut(conv()).shortcut(BatchNorm::new()))
            .add(Relu)
            .add(Residual::new().add(block()))
            .add(Relu)
            .add(Residual::from_chain(Chain::new()))
            .add(Relu)
            .add(Relu)
            .add(Flatten)
            .add(Dense::new(4).activation(Relu))
            .add(BatchNorm::new())
            .add(Relu)
            .build()
            .unwrap()
    };
    let x = Tensor::randn([4, 3, 6, 5], &mut Rng::new(1));
    for training in [true, false] {
        let (at_once, one_by_one) = (model(), model());
        let context = || if training { Context::training(Rng::new(2)) } else { Context::evaluation() };
        let y = at_once.forward(&x, &mut context());
        let mut ctx = context();
        let z = one_by_one.layers().iter().fold(x.clone(), |x, layer| layer.forward(&x, &mut ctx));
        assert_eq!(y.to_vec::<f32>(), z.to_vec::<f32>());
        assert_eq!(state(&at_once), state(&one_by_one));
        let gradients = |model: &Sequential, y: Tensor| {
            let (gradients, mut all) = (y.powi(2).sum().backward(), Vec::new());
            model.visit("", &mut |name, tensor| {
                all.push((name.to_owned(), gradients.get(tensor).map(Tensor::to_vec::<f32>)));
            });
            all
        };
        assert_eq!(gradients(&at_once, y), gradients(&one_by_one, z));
    }
}
