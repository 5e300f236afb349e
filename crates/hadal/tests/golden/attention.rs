//! Attention, transformer layers and a small GPT, as PyTorch has them: outputs, and gradients of inputs and parameters loaded by PyTorch's
//! names, to 1e-11. Losses of sequences: to 1e-11 as PyTorch has them, to 1e-6 as Keras has them, which computes in f32.

use std::collections::{BTreeMap, BTreeSet};

use hadal::nn::networks::{Gpt, GptConfig};
use hadal::nn::{
    AttentionMask, LoadOptions, Stream, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, rotary,
};

use super::*;

static ATTENTION: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("attention.json")).unwrap());

const TOLERANCE: f64 = 1e-11;

/// Gives a module the state of a case, in f64, and checks that the names are the same, in the same order.
fn load(module: &mut dyn Module, case: &Value) {
    let state = case["state"].as_object().unwrap();
    let mut names = BTreeSet::new();
    module.visit_mut("", &mut |name, parameter| {
        let value = state.get(name).unwrap_or_else(|| panic!("PyTorch has no `{name}`"));
        *parameter = tensor(value).requires_grad();
        names.insert(name.to_owned());
    });
    assert_eq!(names, state.keys().cloned().collect());
}

/// Compares the output, and the gradients of its weighted sum, with those of a case.
#[track_caller]
fn compare(name: &str, module: &dyn Module, y: &Tensor, inputs: &[(&str, &Tensor)]) {
    compare_with(name, &ATTENTION[name], module, y, inputs);
}

#[track_caller]
pub(super) fn compare_with(name: &str, case: &Value, module: &dyn Module, y: &Tensor, inputs: &[(&str, &Tensor)]) {
    close(name, y, &case["y"], TOLERANCE);
    let gradients = weighted(y).backward();
    let mut tensors: BTreeMap<String, Tensor> = module.state_dict().into_iter().collect();
    tensors.extend(inputs.iter().map(|&(name, x)| (name.to_owned(), x.clone())));
    let expected = case["gradients"].as_object().unwrap();
    assert_eq!(expected.len(), tensors.len(), "{name}");
    for (which, expected) in expected {
        close(&format!("{name}: gradient of {which}"), &gradients[&tensors[which]], expected, TOLERANCE);
    }
}

pub(super) fn input(case: &Value, name: &str) -> Tensor {
    tensor(&case["inputs"][name]).requires_grad()
}

/// The masks of `attention.py`.
fn padding() -> Tensor {
    Tensor::from([[false, false, false, false], [false, true, false, true]])
}

fn memory_padding() -> Tensor {
    Tensor::from([[false, false, true], [false, false, false]])
}

fn rng() -> Rng {
    Rng::new(0)
}

#[test]
fn multi_head_attention_is_pytorchs() {
    let none = AttentionMask::new;
    let later = Tensor::arange(4).gt(Tensor::arange(4).reshape([4, 1]));
    let cases = [
        ("self", MultiHeadAttention::with(4, 2, &mut rng()), none()),
        ("self without bias", MultiHeadAttention::with(4, 2, &mut rng()).without_bias(), none()),
        ("self, causal and padded", MultiHeadAttention::with(4, 2, &mut rng()).causal(), none().padding(&padding())),
        (
            "self, causal and padded",
            MultiHeadAttention::with(4, 2, &mut rng()),
            none().mask(&later).padding(&padding()),
        ),
    ];
    for (name, mut layer, mask) in cases {
        let case = &ATTENTION[name];
        load(&mut layer, case);
        let x = input(case, "query");
        let (y, weights) = layer.attend_with_weights(&x, &x, &x, &mask, &mut Context::evaluation());
        close(name, &weights, &case["weights"], TOLERANCE);
        compare(name, &layer, &y, &[("query", &x)]);
    }
    let case = &ATTENTION["self with numbers added"];
    let mut layer = MultiHeadAttention::with(4, 2, &mut rng());
    load(&mut layer, case);
    let (x, added) = (input(case, "query"), input(case, "added"));
    let y = layer.attend(&x, &x, &x, &none().mask(&added), &mut Context::evaluation());
    compare("self with numbers added", &layer, &y, &[("query", &x), ("added", &added)]);

    let case = &ATTENTION["cross"];
    let mut layer = MultiHeadAttention::new(2).key_value_sizes(5, 3).built([1, 4], &mut rng()).unwrap();
    load(&mut layer, case);
    let [query, key, value] = ["query", "key", "value"].map(|name| input(case, name));
    let mask = none().padding(&memory_padding());
    let (y, weights) = layer.attend_with_weights(&query, &key, &value, &mask, &mut Context::evaluation());
    close("cross", &weights, &case["weights"], TOLERANCE);
    compare("cross", &layer, &y, &[("query", &query), ("key", &key), ("value", &value)]);
}

#[test]
fn encoder_layers_are_pytorchs() {
    let layer = || TransformerEncoderLayer::new(2).feedforward(3).dropout(0.0);
    let none = AttentionMask::new;
    let cases = [
        ("encoder layer", layer(), none()),
        ("encoder layer, padded", layer(), none().padding(&padding())),
        ("encoder layer, norm first", layer().norm_first().activation(Gelu).causal(), none()),
        ("encoder layer, norm first", layer().norm_first().activation(Gelu), none().causal()),
        ("encoder layer without bias", layer().norm_first().without_bias().epsilon(0.1), none()),
    ];
    for (name, layer, mask) in cases {
        let case = &ATTENTION[name];
        let mut layer = layer.built([4, 4], &mut rng()).unwrap();
        load(&mut layer, case);
        let x = input(case, "x");
        let y = layer.encode(&x, &mask, &mut Context::training(rng()));
        compare(name, &layer, &y, &[("x", &x)]);
    }
    let case = &ATTENTION["encoder"];
    let mut encoder = TransformerEncoder::new(layer(), 2).final_norm().built([3, 4], &mut rng()).unwrap();
    load(&mut encoder, case);
    let x = input(case, "x");
    let y = encoder.forward(&x, &mut Context::evaluation());
    compare("encoder", &encoder, &y, &[("x", &x)]);
}

#[test]
fn decoder_layers_are_pytorchs() {
    let layer = || TransformerDecoderLayer::new(2).feedforward(3).dropout(0.0);
    let (target_mask, memory_mask) =
        (AttentionMask::new().padding(&padding()), AttentionMask::new().padding(&memory_padding()));
    for (name, layer) in [
        ("decoder layer", layer().causal()),
        ("decoder layer, norm first", layer().causal().norm_first().activation(Gelu)),
    ] {
        let case = &ATTENTION[name];
        let mut layer = layer.built(4, &mut rng()).unwrap();
        load(&mut layer, case);
        let (target, memory) = (input(case, "target"), input(case, "memory"));
        let y = layer.decode(&target, &memory, &target_mask, &memory_mask, &mut Context::evaluation());
        compare(name, &layer, &y, &[("target", &target), ("memory", &memory)]);
    }
    let case = &ATTENTION["decoder"];
    let mut decoder = TransformerDecoder::new(layer(), 2, 4, &mut rng()).unwrap().final_norm();
    load(&mut decoder, case);
    let (target, memory, all) = (input(case, "target"), input(case, "memory"), AttentionMask::new());
    let y = decoder.decode(&target, &memory, &all, &all, &mut Context::evaluation());
    compare("decoder", &decoder, &y, &[("target", &target), ("memory", &memory)]);
}

#[test]
fn positions_follow_their_formulas() {
    let case = &ATTENTION["rotary"];
    let x = tensor(&case["x"]).requires_grad();
    let y = rotary(&x, 3, 100.0);
    close("rotary", &y, &case["y"], TOLERANCE);
    let weights = Tensor::arange(y.elements()).to_dtype(DType::F64).cos().reshape(y.shape());
    close("gradient of rotary", &(y * weights).sum().backward()[&x], &case["dx"], TOLERANCE);

    let case = &ATTENTION["rotary attention"];
    let mut layer = MultiHeadAttention::with(8, 2, &mut rng()).causal().rotary(10000.0);
    load(&mut layer, case);
    let x = input(case, "query");
    let y = layer.forward(&x, &mut Context::evaluation());
    compare("rotary attention", &layer, &y, &[("query", &x)]);

    for expected in ATTENTION["sinusoids"].as_array().unwrap() {
        let shape = tensor(expected).shape().to_vec();
        let x = Tensor::full_of([1, shape[0], shape[1]], 0.0, DType::F64);
        let y = SinusoidalPositions.forward(&x, &mut Context::evaluation()).squeeze(0);
        close("sinusoids", &y, expected, TOLERANCE);
        // Piece by piece.
        let mut stream = Stream::new(&SinusoidalPositions);
        let pieces = [x.slice(1, ..2), x.slice(1, 2..)].map(|piece| stream.feed(&piece));
        close("sinusoids in pieces", &hadal::concat(&pieces, 1).squeeze(0), expected, TOLERANCE);
    }
}

fn small_gpt(tied: bool) -> Gpt {
    let config = GptConfig { vocabulary: 7, context: 5, layers: 2, heads: 2, width: 4, tied, ..GptConfig::default() };
    Gpt::new(config).built([5], &mut rng()).unwrap()
}

#[test]
fn a_gpt_loads_by_nanogpts_names_and_computes_what_it_does() {
    for (name, tied) in [("gpt", true), ("gpt, not tied", false)] {
        let case = &ATTENTION[name];
        let mut model = small_gpt(tied);
        load(&mut model, case);
        let (tokens, targets) = (labels(&case["tokens"]), labels(&case["labels"]));
        let logits = model.forward(&tokens, &mut Context::training(rng()));
        close(name, &logits, &case["logits"], TOLERANCE);
        let loss = CategoricalCrossentropy.from_logits().loss(&logits, &targets);
        close_number(name, loss.item(), &case["loss"], TOLERANCE);
        let gradients = loss.backward();
        for (which, parameter) in model.state_dict() {
            close(&format!("{name}: {which}"), &gradients[&parameter], &case["gradients"][&which], TOLERANCE);
        }
    }
    // As files have it: in f32, with the output beside the embedding it is tied to.
    let single = |case: &Value| -> BTreeMap<String, Tensor> {
        let state = case["state"].as_object().unwrap().iter();
        state.map(|(name, value)| (name.clone(), tensor(value).to_dtype(DType::F32))).collect()
    };
    let mut state = single(&ATTENTION["gpt"]);
    let mut model = small_gpt(true);
    model.load_state_dict(&state).unwrap();
    state.insert("lm_head.weight".into(), state["transformer.wte.weight"].clone());
    assert!(model.load_state_dict(&state).unwrap_err().to_string().contains("lm_head.weight"));
    let report = model.load_state_dict_with(&state, &LoadOptions::new().strict(false)).unwrap();
    assert_eq!(report.unexpected, ["lm_head.weight"]);
    small_gpt(false).load_state_dict(&single(&ATTENTION["gpt, not tied"])).unwrap();
}

#[test]
fn a_stream_gives_what_the_whole_sequence_gives() {
    let mut gpt = small_gpt(true);
    load(&mut gpt, &ATTENTION["gpt"]);
    let tokens = labels(&ATTENTION["gpt"]["tokens"]);
    let whole = gpt.forward(&tokens, &mut Context::evaluation()).detach();
    let wide = |mut layer: Box<dyn hadal::nn::Layer>| {
        layer.visit_mut("", &mut |_, parameter| *parameter = parameter.detach().to_dtype(DType::F64).requires_grad());
        layer
    };
    let layer = || TransformerEncoderLayer::new(2).feedforward(5).causal();
    let layers: [Box<dyn hadal::nn::Layer>; 3] = [
        Box::new(MultiHeadAttention::with(8, 2, &mut rng()).causal().rotary(10000.0)),
        Box::new(TransformerEncoder::new(layer().rotary(100.0), 2).built([9, 8], &mut rng()).unwrap()),
        Box::new(
            Chain::new().add(LearnedPositions::new(9)).add(layer().norm_first()).built([9, 8], &mut rng()).unwrap(),
        ),
    ];
    let mut cases = vec![(Box::new(gpt) as Box<dyn Forward>, tokens, whole)];
    for layer in layers {
        let layer = wide(layer);
        let x = Tensor::randn([3, 9, 8], &mut rng()).to_dtype(DType::F64);
        let whole = layer.forward(&x, &mut Context::evaluation()).detach();
        cases.push((layer, x, whole));
    }
    for (model, x, whole) in &cases {
        let places = x.size(1);
        for cuts in [vec![places], vec![1; places], vec![2, 0, places - 3, 1]] {
            let mut stream = Stream::new(&**model);
            let mut from = 0;
            let pieces: Vec<Tensor> = cuts
                .iter()
                .map(|&length| {
                    from += length;
                    stream.feed(&x.slice(1, from - length..from))
                })
                .collect();
            let error = (hadal::concat(&pieces, 1) - whole).abs().max().item();
            assert!(error <= 1e-12, "{cuts:?}: {error:e}");
        }
        // A copy of a stream goes its own way.
        let mut stream = Stream::new(&**model);
        stream.feed(&x.slice(1, ..2));
        let mut other = stream.clone();
        let next = stream.feed(&x.slice(1, 2..3));
        other.feed(&x.slice(1, 3..4));
        let third = stream.feed(&x.slice(1, 3..4));
        let error = (hadal::concat(&[next, third], 1) - whole.slice(1, 2..4)).abs().max().item();
        assert!(error <= 1e-12, "{error:e}");
    }
}

#[test]
fn losses_of_sequences_are_kerass_and_pytorchs() {
    let case = &ATTENTION["losses"];
    let (logits, targets) = (tensor(&case["logits"]).requires_grad(), labels(&case["labels"]));
    let loss = CategoricalCrossentropy.from_logits();
    let mean = loss.loss(&logits, &targets);
    close_number("mean", mean.item(), &case["mean"], TOLERANCE);
    close("gradient", &mean.backward()[&logits], &case["gradient"], TOLERANCE);
    close_number("Keras's mean", loss.loss(&logits, &targets).item(), &case["keras"], 1e-6);
    let per_sample = tensor(&case["keras, per place"]).mean_axes(&[1]);
    let error = (loss.per_sample(&logits, &targets) - per_sample).abs().max().item();
    assert!(error < 1e-6, "per sample: {error:e}");

    let probabilities = logits.softmax(-1);
    let from_probabilities = CategoricalCrossentropy.loss(&probabilities, &targets);
    close_number("probabilities", from_probabilities.item(), &case["keras, probabilities"], 1e-6);
    // Straight to the logits, as for single labels.
    close("gradient of logits", &from_probabilities.backward()[&logits], &case["gradient"], TOLERANCE);
    let samples = tensor(&case["samples"]);
    close_number("samples", loss.weighted(&logits, &targets, &samples).item(), &case["keras, samples"], 1e-6);
    close_number("spread", loss.loss(&logits, &tensor(&case["spread"])).item(), &case["keras, spread"], 1e-6);
    let classes = tensor(&case["classes"]).to_vec::<f64>();
    let weighted = loss.class_weights(&classes).loss(&logits, &targets).item();
    close_number("classes", weighted, &case["classes weighted"], 1e-7);
    let smoothed = loss.label_smoothing(0.1);
    close_number("smoothed", smoothed.loss(&logits, &targets).item(), &case["smoothed"], TOLERANCE);
    let weighted = smoothed.class_weights(&classes).loss(&logits, &targets).item();
    close_number("smoothed, classes", weighted, &case["smoothed, classes weighted"], 1e-7);
    let likelihood = NegativeLogLikelihood.loss(&logits.log_softmax(-1), &targets);
    close_number("negative log-likelihood", likelihood.item(), &case["mean"], TOLERANCE);

    let mut accuracy = Accuracy;
    accuracy.update(&logits, &targets);
    close_number("accuracy", accuracy.compute(), &case["accuracy"], 1e-6);
}
