//! Attention, transformer layers and GPT at the edges: nothing to attend to, settings that cannot work, files, training, threads.

use std::collections::BTreeMap;

use hadal::nn::networks::{Gpt, GptConfig, gpt};
use hadal::nn::{
    AttentionMask, Layer, Stream, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, rotary,
    scaled_dot_product_attention,
};
use hadal::prelude::*;
use hadal::set_num_threads_exactly;

use super::{panics, says};

fn normal(shape: &[usize]) -> Tensor {
    Tensor::randn(shape, &mut Rng::new(3))
}

fn small() -> GptConfig {
    GptConfig { vocabulary: 11, context: 6, layers: 2, heads: 2, width: 8, ..GptConfig::default() }
}

/// Sequences that count up, and the tokens that follow.
fn counting(samples: usize) -> Dataset {
    let at = |i: usize, t: usize| ((3 * i + t) % 11) as i64;
    let tokens = |first: usize| -> Tensor {
        let numbers = (0..samples).flat_map(|i| (0..6).map(move |t| at(i, t + first))).collect();
        Tensor::from_vec(numbers, [samples, 6])
    };
    Dataset::new("counting", tokens(0), tokens(1)).unwrap()
}

#[test]
fn a_query_without_keys_gives_zeros_and_finite_gradients() {
    let attention = MultiHeadAttention::with(4, 2, &mut Rng::new(0));
    let x = normal(&[2, 3, 4]).requires_grad();
    let padding = Tensor::from([[true, true, true], [false, true, false]]);
    let minus = Tensor::full([3, 3], f64::NEG_INFINITY);
    for mask in [
        AttentionMask::new().padding(&padding),
        AttentionMask::new().padding(&padding).mask(&minus),
        AttentionMask::new().mask(&padding.unsqueeze(1)),
        AttentionMask::new().padding(&padding).mask(&Tensor::from([[true, false, true]])).causal(),
    ] {
        let (y, weights) = attention.attend_with_weights(&x, &x, &x, &mask, &mut Context::training(Rng::new(0)));
        assert_eq!(weights.narrow(0, 0, 1).abs().sum().item(), 0.0);
        // The output's bias, which is 0, is all that is left.
        assert_eq!(y.narrow(0, 0, 1).abs().sum().item(), 0.0);
        let gradients = (&y * normal(&[2, 3, 4])).sum().backward();
        for (name, parameter) in attention.state_dict().into_iter().chain([("x".to_owned(), x.clone())]) {
            assert!(gradients[&parameter].abs().sum().item().is_finite(), "{name}");
        }
    }
    // No keys at all.
    let (query, key) = (normal(&[1, 2, 4]), normal(&[1, 0, 4]));
    let y = attention.attend(&query, &key, &key, &AttentionMask::new(), &mut Context::evaluation());
    assert_eq!(y.to_vec::<f32>(), [0.0; 8]);
}

#[test]
fn empty_sequences_and_batches_give_empty_outputs() {
    let ctx = &mut Context::evaluation();
    let attention = MultiHeadAttention::with(4, 2, &mut Rng::new(0)).causal().rotary(10.0);
    let block = TransformerEncoderLayer::new(2).feedforward(3).built([1, 4], &mut Rng::new(0)).unwrap();
    for shape in [[0, 3, 4], [2, 0, 4]] {
        let x = Tensor::zeros(shape).requires_grad();
        assert_eq!(attention.forward(&x, ctx).shape(), &shape);
        assert_eq!(SinusoidalPositions.forward(&x, ctx).shape(), &shape);
        let y = block.forward(&x, ctx);
        assert_eq!(y.shape(), &shape);
        let gradients = y.sum().backward();
        assert!(block.state_dict().iter().all(|(_, w)| gradients[w].abs().sum().item() == 0.0));
    }
    let layer = Gpt::new(small()).built([6], &mut Rng::new(0)).unwrap();
    assert_eq!(layer.forward(&Tensor::zeros([2, 0]).to_dtype(DType::I64), ctx).shape(), &[2, 0, 11]);
}

#[test]
fn settings_that_cannot_work_are_errors() {
    let build = |layer: TransformerEncoderLayer| Sequential::new([5, 8]).add(layer).build();
    let heads = |heads: usize| Sequential::new([5, 8]).add(MultiHeadAttention::new(heads)).build();
    says(heads(0), &["layer 1", "at least 1 head"]);
    says(heads(3), &["8 features cannot be divided among 3 heads"]);
    says(heads(usize::MAX), &["cannot be divided"]);
    says(Sequential::new([8]).add(MultiHeadAttention::new(2)).build(), &["[T, E]", "[8]"]);
    says(Sequential::new([0, 8]).add(MultiHeadAttention::new(2)).build(), &["at least 1 place", "[0, 8]"]);
    says(Sequential::new([5, 0]).add(MultiHeadAttention::new(2)).build(), &["0 features"]);
    says(Sequential::new([5, 8]).add(MultiHeadAttention::new(2).dropout(1.0)).build(), &["dropout rate 1"]);
    says(Sequential::new([5, 8]).add(MultiHeadAttention::new(8).rotary(10.0)).build(), &["rotary", "even", "1"]);
    says(Sequential::new([5, 8]).add(MultiHeadAttention::new(2).rotary(f64::NAN)).build(), &["base"]);
    says(MultiHeadAttention::new(2).key_value_sizes(0, 3).built([5, 8], &mut Rng::new(0)), &["at least 1 feature"]);
    says(build(TransformerEncoderLayer::new(0)), &["at least 1 head"]);
    says(build(TransformerEncoderLayer::new(2).feedforward(0)), &["feedforward", "at least 1 unit"]);
    says(build(TransformerEncoderLayer::new(2).dropout(-0.1)), &["dropout rate -0.1"]);
    says(build(TransformerEncoderLayer::new(2).feedforward_dropout(f64::NAN)), &["dropout rate NaN"]);
    says(build(TransformerEncoderLayer::new(2).epsilon(0.0)), &["epsilon"]);
    let stack = TransformerEncoder::new(TransformerEncoderLayer::new(2), 0);
    says(Sequential::new([5, 8]).add(stack).build(), &["at least 1 layer"]);
    let mut rng = Rng::new(0);
    says(TransformerDecoderLayer::new(3).built(8, &mut rng), &["3 heads"]);
    says(TransformerDecoder::new(TransformerDecoderLayer::new(2), 0, 8, &mut rng), &["at least 1 layer"]);
    says(Sequential::new([5, 8]).add(LearnedPositions::new(0)).build(), &["LearnedPositions", "0 places"]);
    says(Sequential::new([5, 8]).add(LearnedPositions::new(4)).build(), &["4 places", "[5, 8]"]);
    says(Sequential::new([5]).add(SinusoidalPositions).build(), &["[T, E]"]);
    for (name, config) in [
        ("vocabulary", GptConfig { vocabulary: 0, ..small() }),
        ("context", GptConfig { context: 0, ..small() }),
        ("layers", GptConfig { layers: 0, ..small() }),
        ("width", GptConfig { width: 0, ..small() }),
        ("heads", GptConfig { heads: 0, ..small() }),
        ("3 heads", GptConfig { heads: 3, ..small() }),
        ("dropout", GptConfig { dropout: 1.0, ..small() }),
    ] {
        says(gpt(config), &["Gpt", name.trim_end_matches('s')]);
    }
    says(Sequential::new([7]).add(Gpt::new(small())).build(), &["1 to 6 tokens", "7"]);
    panics(|| MultiHeadAttention::with(8, 3, &mut Rng::new(0)), &["3 heads"]);
}

#[test]
fn sizes_beyond_memory_are_errors() {
    let huge = usize::MAX / 4;
    says(Sequential::new([2, 1 << 40]).add(MultiHeadAttention::new(2)).build(), &["more than is available"]);
    let block = TransformerEncoderLayer::new(2).feedforward(huge);
    says(Sequential::new([2, 8]).add(block).build(), &["more than is available"]);
    let stack = TransformerEncoder::new(TransformerEncoderLayer::new(2), usize::MAX);
    says(Sequential::new([2, 8]).add(stack).build(), &["more than is available"]);
    says(Sequential::new([2, 8]).add(LearnedPositions::new(huge)).build(), &["more than is available"]);
    for config in [
        GptConfig { layers: usize::MAX, ..small() },
        GptConfig { context: 1 << 45, ..small() },
        GptConfig { vocabulary: 1 << 45, ..small() },
        GptConfig { width: 1 << 40, ..small() },
        GptConfig { width: usize::MAX - 1, vocabulary: usize::MAX, ..small() },
        GptConfig { context: usize::MAX, vocabulary: usize::MAX, ..small() },
    ] {
        assert!(gpt(config).and_then(Sequential::build).is_err(), "{config:?}");
    }
}

#[test]
fn inputs_that_do_not_fit_are_said_so() {
    let ctx = || Context::evaluation();
    let attention = MultiHeadAttention::with(4, 2, &mut Rng::new(0));
    let (x, y) = (normal(&[2, 3, 4]), normal(&[2, 5, 4]));
    let attend =
        |query: &Tensor, key: &Tensor, mask: AttentionMask| attention.attend(query, key, key, &mask, &mut ctx());
    let none = AttentionMask::new;
    let falses = |shape: &[usize]| Tensor::zeros(shape).gt(1.0);
    panics(|| attend(&x, &y, none().mask(&falses(&[5, 3]))), &["mask of shape [5, 3]", "3 queries and 5 keys"]);
    panics(|| attend(&x, &y, none().mask(&falses(&[3, 3, 5]))), &["mask of shape [3, 3, 5]"]);
    panics(|| attend(&x, &y, none().padding(&falses(&[2, 3]))), &["padding of shape [2, 3]", "5 keys"]);
    panics(|| attend(&x, &y, none().padding(&falses(&[3, 5]))), &["padding of shape [3, 5]"]);
    panics(|| none().padding(&Tensor::zeros([2, 5])), &["must be bool", "f32"]);
    panics(|| none().mask(&Tensor::arange(15).reshape([3, 5])), &["bool or floating-point", "i64"]);
    panics(|| attend(&x, &normal(&[1, 5, 4]), none()), &["query [2, 3, 4], key [1, 5, 4]"]);
    panics(|| attend(&x, &normal(&[2, 5, 3]), none()), &["keys of shape [2, 5, 3]", "4 features"]);
    panics(|| attention.forward(&normal(&[3, 4]), &mut ctx()), &["[3, 4]", "[N, T, E]"]);
    panics(|| MultiHeadAttention::new(2).forward(&x, &mut ctx()), &["no weights yet"]);
    panics(|| TransformerEncoderLayer::new(2).forward(&x, &mut ctx()), &["no weights yet"]);
    panics(|| Gpt::new(small()).forward(&x, &mut ctx()), &["no weights yet"]);
    panics(|| scaled_dot_product_attention(&x, &y, &x, &none()), &["do not fit", "[.., S, V]"]);
    panics(|| rotary(&normal(&[2, 3]), 0, 10.0), &["even number", "[2, 3]"]);
    panics(|| rotary(&x, 0, 0.0), &["base"]);
    panics(|| Stream::new(&attention).feed(&x), &["causal()"]);
    let causal = attention.clone().causal();
    let mut stream = Stream::new(&causal);
    stream.feed(&x);
    panics(|| stream.feed(&normal(&[1, 1, 4])), &["1 samples", "2"]);
    let model = gpt(small()).unwrap().build().unwrap();
    let tokens = |numbers: &[i64]| Tensor::from_slice(numbers, [1, numbers.len()]);
    says(model.check_inputs(&tokens(&[0, 1, 2, 3, 4, 11])), &["index 11", "0 to 10"]);
    says(model.check_inputs(&normal(&[1, 6])), &["i64"]);
    panics(|| model.forward(&tokens(&[0, 1, 2, 3, 4, 11]), &mut ctx()), &["11"]);
    panics(|| model.forward(&tokens(&[0, 1, 2, 3, 4, -1]), &mut ctx()), &["-1"]);
    panics(|| model.forward(&tokens(&[1]), &mut ctx()), &["[1, 1]", "[6]"]);
}

#[test]
fn a_stream_beyond_the_context_is_told_to_begin_again() {
    let model = gpt(small()).unwrap().build().unwrap();
    let tokens = |n: usize| Tensor::arange(n).reshape([1, n]);
    let mut stream = Stream::new(&model);
    stream.feed(&tokens(5));
    stream.feed(&tokens(1));
    panics(|| stream.feed(&tokens(1)), &["7 places", "6 (the context)", "window", "new Stream"]);
    panics(|| Stream::new(&model).feed(&tokens(7)), &["7 places"]);
    assert_eq!(Stream::new(&model).feed(&tokens(6)).shape(), &[1, 6, 11]);
}

#[test]
fn a_gpt_learns_and_goes_on_from_its_file() {
    let data = counting(33);
    let mut trainer = gpt(GptConfig { dropout: 0.1, ..small() })
        .unwrap()
        .seed(1)
        .compile(AdamW::new(0.02), CategoricalCrossentropy.from_logits(), [Accuracy])
        .unwrap();
    trainer.fit(&data, Fit::epochs(30).batch_size(11).quiet()).unwrap();
    let score = trainer.evaluate(&data).unwrap();
    assert!(score["accuracy"] > 0.95 && score["loss"] < 0.2, "{score}");
    let model = &trainer.model;
    let summary = model.summary();
    assert_eq!(summary.parameters(), model.parameter_count());
    assert!(summary.to_string().contains("Gpt (2 layers, 2 heads, width 8)"), "{summary}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gpt.safetensors");
    model.save(&path, &BTreeMap::new()).unwrap();
    let (loaded, _) = Sequential::load(&path).unwrap();
    let of = |model: &Sequential| model.forward(data.inputs(), &mut Context::evaluation()).to_vec::<f32>();
    assert_eq!(of(&loaded), of(model));
    // 7, 8, 9, 10, 0, 1
    let mut stream = Stream::new(&loaded);
    let mut logits = stream.feed(&Tensor::from([[7, 8]]));
    for expected in [9, 10, 0, 1] {
        let token = logits.slice(1, logits.size(1) - 1..).argmax(-1);
        assert_eq!(token.to_vec::<i64>(), [expected]);
        logits = stream.feed(&token);
    }
}

#[test]
fn every_layer_is_saved_and_loaded_with_its_settings() {
    let layer = || TransformerEncoderLayer::new(2).feedforward(5);
    let model = Sequential::new([3])
        .add(Embedding::new(9, 4))
        .add(SinusoidalPositions)
        .add(LearnedPositions::new(8))
        .add(MultiHeadAttention::new(2).causal().dropout(0.25).without_bias().rotary(50.0))
        .add(MultiHeadAttention::keras(1).key_value_sizes(4, 4))
        .add(layer())
        .add(layer().dropout(0.0).feedforward_dropout(0.5).activation(Gelu).norm_first().causal().epsilon(0.01))
        .add(TransformerEncoder::new(layer().without_bias().rotary(20.0), 2).final_norm())
        .add(LayerNorm::new().without_bias())
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path, &BTreeMap::new()).unwrap();
    let (loaded, _) = Sequential::load(&path).unwrap();
    assert_eq!(loaded.architecture(), model.architecture());
    let x = Tensor::from([[0, 5, 8], [1, 1, 1]]);
    let of = |model: &Sequential, mut ctx: Context| model.forward(&x, &mut ctx).to_vec::<f32>();
    assert_eq!(of(&loaded, Context::evaluation()), of(&model, Context::evaluation()));
    assert_eq!(of(&loaded, Context::training(Rng::new(1))), of(&model, Context::training(Rng::new(1))));
    assert_ne!(of(&model, Context::training(Rng::new(1))), of(&model, Context::training(Rng::new(2))));
    let json = serde_json::to_string(&MultiHeadAttention::new(2).config()).unwrap();
    assert_eq!(json, r#"{"layer":"multi_head_attention","heads":2}"#);
    let json = serde_json::to_string(&LayerNorm::new().config()).unwrap();
    assert_eq!(json, r#"{"layer":"layer_norm","epsilon":0.00001}"#);
    let counts = model.layers().iter().zip(loaded.layers());
    assert!(counts.clone().all(|(a, b)| a.parameter_count() == b.parameter_count() && a.label() == b.label()));
}

#[test]
fn plans_count_the_weights() {
    let layer = || TransformerEncoderLayer::new(2).feedforward(5);
    let layers: [Box<dyn Layer>; 9] = [
        Box::new(MultiHeadAttention::new(2)),
        Box::new(MultiHeadAttention::new(2).without_bias()),
        Box::new(MultiHeadAttention::new(2).key_value_sizes(4, 4)),
        Box::new(layer()),
        Box::new(layer().without_bias()),
        Box::new(TransformerEncoder::new(layer(), 3).final_norm()),
        Box::new(TransformerEncoder::new(layer().without_bias(), 3).final_norm()),
        Box::new(LearnedPositions::new(7)),
        Box::new(LayerNorm::new().without_bias()),
    ];
    for mut layer in layers {
        let plan = layer.plan(&[3, 4].into()).unwrap();
        layer.build(&[3, 4].into(), &mut Rng::new(0)).unwrap();
        assert_eq!(plan.weights, layer.parameter_count(), "{}", layer.label());
    }
    for config in [small(), GptConfig { bias: false, ..small() }, GptConfig { tied: false, ..small() }] {
        let layer = Gpt::new(config);
        let plan = layer.plan(&[6].into()).unwrap();
        let built = layer.built([6], &mut Rng::new(0)).unwrap();
        assert_eq!(plan.weights, built.parameter_count(), "{config:?}");
    }
}

#[test]
fn weights_begin_as_pytorch_keras_and_gpt2_make_them() {
    let deviation = |x: &Tensor| x.powi(2).mean().item().sqrt();
    let state = |module: &dyn Module| -> BTreeMap<String, Tensor> { module.state_dict().into_iter().collect() };
    let torch = state(&MultiHeadAttention::with(256, 4, &mut Rng::new(0)));
    let limit = |x: &Tensor| x.abs().max().item();
    let (input, output) = (limit(&torch["in_proj_weight"]), limit(&torch["out_proj.weight"]));
    assert!((input / (6.0 / (4.0 * 256.0f64)).sqrt() - 1.0).abs() < 1e-3, "{input}");
    assert!((output * 16.0 - 1.0).abs() < 1e-3, "{output}");
    assert_eq!(limit(&torch["in_proj_bias"]) + limit(&torch["out_proj.bias"]), 0.0);
    let keras = state(&MultiHeadAttention::keras(4).built([1, 256], &mut Rng::new(0)).unwrap());
    let (input, output) = (limit(&keras["in_proj_weight"]), limit(&keras["out_proj.weight"]));
    assert!((input / (6.0 / (256.0 * (4.0 + 64.0f64))).sqrt() - 1.0).abs() < 1e-3, "{input}");
    assert!((output / (6.0 / (4.0 * 64.0 + 4.0 * 256.0f64)).sqrt() - 1.0).abs() < 1e-3, "{output}");
    let config = GptConfig { vocabulary: 100, context: 32, layers: 8, heads: 4, width: 128, ..GptConfig::default() };
    let gpt = state(&Gpt::new(config).built([32], &mut Rng::new(0)).unwrap());
    for (name, tensor) in &gpt {
        let expected = match tensor.rank() {
            2 if name.ends_with("c_proj.weight") => 0.005,
            2 => 0.02,
            _ if name.contains("ln_") && name.ends_with("weight") => 1.0,
            _ => 0.0,
        };
        let found = deviation(tensor);
        assert!((found - expected).abs() <= 0.05 * expected, "{name}: {found} instead of {expected}");
    }
}

#[test]
fn dropout_of_attention_drops_weights() {
    let attention = MultiHeadAttention::with(4, 2, &mut Rng::new(0)).dropout(0.5);
    let (x, mask) = (normal(&[4, 50, 4]), AttentionMask::new());
    let of = |mut ctx: Context| attention.attend_with_weights(&x, &x, &x, &mask, &mut ctx).1;
    let (whole, dropped) = (of(Context::evaluation()), of(Context::training(Rng::new(1))));
    let kept = dropped.ne(0.0);
    let share = kept.to_dtype(DType::F32).mean().item();
    assert!((share - 0.5).abs() < 0.02, "{share}");
    let doubled = kept.where_(&(whole * 2.0), &Tensor::zeros([]));
    assert!((doubled - dropped).abs().max().item() < 1e-6);
}

#[test]
fn threads_do_not_change_the_bits_of_a_gpt() {
    let data = counting(22);
    let run = |threads| {
        set_num_threads_exactly(threads);
        let mut trainer = gpt(GptConfig { dropout: 0.1, width: 64, ..small() })
            .unwrap()
            .compile(AdamW::new(0.01), CategoricalCrossentropy.from_logits(), [Accuracy])
            .unwrap();
        trainer.fit(&data, Fit::epochs(1).batch_size(22).quiet()).unwrap();
        let bits = |x: &Tensor| x.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        trainer.model.state_dict().iter().map(|(_, tensor)| bits(tensor)).collect::<Vec<_>>()
    };
    let one = run(1);
    assert!(run(2) == one && run(3) == one);
}

#[test]
fn labels_of_sequences_that_do_not_fit_are_errors() {
    let output = hadal::Shape::from([6, 11]);
    let loss = CategoricalCrossentropy.from_logits();
    let data = counting(3);
    assert!(loss.check(&output, data.targets()).is_ok() && Accuracy.check(&output, data.targets()).is_ok());
    let single = Tensor::from([1, 2, 3]);
    says(loss.check(&output, &single), &["i64 of shape [N, 6]", "[6, 11]", "[3]"]);
    says(loss.check(&[5, 11].into(), data.targets()), &["[N, 5]", "[3, 6]"]);
    says(loss.check(&[6, 4].into(), data.targets()), &["sample 0 has label 4", "0 to 3"]);
    says(NegativeLogLikelihood.check(&[6, 4].into(), data.targets()), &["sample 0 has label 4"]);
    says(Accuracy.check(&[6, 4].into(), data.targets()), &["sample 0 has label 4"]);
    says(Accuracy.check(&output, &single), &["accuracy", "[6, 11]"]);
    says(RocAuc::new().check(&output, data.targets()), &["two classes"]);
    says(TopKAccuracy::new(2).check(&output, data.targets()), &["top_k_accuracy"]);
    let logits = normal(&[3, 6, 11]);
    panics(|| loss.loss(&logits, &single), &["[3]", "[3, 6]"]);
    panics(|| loss.loss(&logits, &(data.targets() + 4)), &["label 11", "0 to 10"]);
    let mut matrix = ConfusionMatrix::new();
    matrix.update(&logits, data.targets());
    assert_eq!(
        (
            matrix.classes(),
            (0..11).flat_map(|i| (0..11).map(move |j| (i, j))).map(|(i, j)| matrix.count(i, j)).sum::<u64>()
        ),
        (11, 18)
    );
}
