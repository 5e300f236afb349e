//! Layers with Keras's defaults beside Keras's: outputs, and gradients of the input and of every weight; where weights begin. Tolerances
//! are stated where they are used.

use std::sync::LazyLock;

use hadal::nn::{AttentionMask, Initializer, PRelu, RmsNorm};

use super::attention::{compare_with, input};
use super::*;

static KERAS: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("keras_layers.json")).unwrap());

#[test]
fn normalizations_and_rectifiers_give_kerass_outputs_and_gradients() {
    // Keras computes normalizations in f32.
    let cases: [(&str, f64, Box<dyn Layer>); 7] = [
        ("layer_norm", 5e-6, Box::new(LayerNorm::keras())),
        ("group_norm", 5e-6, Box::new(GroupNorm::keras(2))),
        ("rms_norm", 5e-6, Box::new(RmsNorm::keras())),
        ("prelu", 1e-12, Box::new(PRelu::per_channel())),
        ("prelu", 1e-12, Box::new(PRelu::keras())),
        ("prelu, each element", 1e-12, Box::new(PRelu::keras())),
        ("prelu, shared axes", 1e-12, Box::new(PRelu::per_channel())),
    ];
    for (name, tolerance, layer) in cases {
        let case = &KERAS[name];
        let (layer, x) = outputs_and_gradients(layer, name, case, tolerance);
        let evaluation = layer.forward(&x, &mut Context::evaluation());
        close(&format!("{name} in evaluation"), &evaluation, &case["y"], tolerance);
    }
}

#[test]
fn embeddings_give_kerass_vectors_and_gradients() {
    let case = &KERAS["embedding"];
    let mut layer = Embedding::new(7, 3).built([3], &mut Rng::new(0)).unwrap();
    load_state(&mut layer, "embedding", &[("weight".to_owned(), tensor(&case["weight"]))].into());
    let rows = case["words"].as_array().unwrap();
    let words: Vec<i64> = rows.iter().flat_map(|row| row.as_array().unwrap()).map(|n| n.as_i64().unwrap()).collect();
    let y = layer.forward(&Tensor::from_vec(words, [rows.len(), 3]), &mut Context::evaluation());
    close("embedding", &y, &case["y"], 0.0);
    let gradient = &weighted(&y).backward()[&layer.state_dict()[0].1];
    close("gradient of the vectors", gradient, &case["gradient"], 1e-12);
}

#[test]
fn means_over_time_are_kerass_with_and_without_a_mask() {
    // Keras computes the first in f32.
    for (name, padded, tolerance) in [("mean over time", false, 1e-6), ("mean over time, padded", true, 1e-12)] {
        let case = &KERAS[name];
        let lengths = case["lengths"].as_array().unwrap().iter().map(|length| length.as_u64().unwrap() as usize);
        let mut ctx = Context::evaluation();
        ctx.set_lengths(padded.then(|| lengths.collect()));
        let x = tensor(&case["x"]).requires_grad();
        let y = MeanOverTime.forward(&x, &mut ctx);
        close(name, &y, &case["y"], tolerance);
        close(&format!("{name}: input"), &weighted(&y).backward()[&x], &case["dx"], tolerance);
        assert_eq!(ctx.lengths(), None, "{name}");
    }
}

#[test]
fn attention_gives_kerass_outputs_weights_and_gradients() {
    let none = AttentionMask::new;
    // Keras says what is attended to.
    let padding = Tensor::from([[false, false, false, false], [false, true, false, false]]);
    let layer = || MultiHeadAttention::keras(2);
    let cases = [
        ("attention", layer(), none()),
        ("attention, causal", layer().causal(), none()),
        ("attention, padded", layer(), none().padding(&padding)),
        ("attention without bias", layer().without_bias(), none()),
        ("attention, cross", layer().key_value_sizes(5, 3), none()),
    ];
    for (name, layer, mask) in cases {
        let case = &KERAS[name];
        let mut layer = layer.built([4, 6], &mut Rng::new(0)).unwrap();
        load_state(&mut layer, name, &tensors_by_name(&case["state"]));
        let inputs: BTreeMap<&str, Tensor> =
            case["inputs"].as_object().unwrap().keys().map(|which| (which.as_str(), input(case, which))).collect();
        let [query, key, value] = ["query", "key", "value"].map(|which| inputs.get(which).unwrap_or(&inputs["query"]));
        let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(which, x)| (*which, x)).collect();
        let (y, weights) = layer.attend_with_weights(query, key, value, &mask, &mut Context::evaluation());
        close(name, &weights, &case["weights"], 1e-11);
        compare_with(name, case, &layer, &y, &inputs);
        // What does not give the weights takes another way.
        let y = layer.attend(query, key, value, &mask, &mut Context::evaluation());
        compare_with(name, case, &layer, &y, &inputs);
    }
}

/// Uniform numbers up to `limit`: of some hundred, one lies in the outermost tenth.
#[track_caller]
fn reaches(weight: &Tensor, limit: f64) {
    let largest = weight.abs().max().item();
    // Both are f32, or were made from one.
    assert!(largest <= limit * 1.000_001 && largest > 0.9 * limit, "{largest}, not {limit}");
}

#[test]
fn attention_begins_with_kerass_weights() {
    let limits = &KERAS["attention limits"];
    let rng = &mut Rng::new(0);
    let alone = MultiHeadAttention::keras(4).built([5, 32], rng).unwrap();
    let cross = MultiHeadAttention::keras(4).key_value_sizes(20, 12).built([5, 32], rng).unwrap();
    let state: BTreeMap<String, Tensor> = alone.state_dict().into_iter().chain(cross.state_dict()).collect();
    for (name, limit) in limits.as_object().unwrap() {
        reaches(&state[name], number(limit));
    }
    for name in ["in_proj_bias", "out_proj.bias"] {
        assert_eq!(state[name].abs().max().item(), 0.0, "{name}");
    }
}

#[test]
fn embeddings_begin_with_kerass_vectors_or_pytorchs() {
    let rng = &mut Rng::new(0);
    let first = |layer: Embedding, rng: &mut Rng| layer.built([2], rng).unwrap().state_dict()[0].1.clone();
    reaches(&first(Embedding::new(100, 8), rng), number(&KERAS["embedding"]["limit"]));
    // `torch.nn.Embedding` begins with a standard normal distribution.
    let vectors = first(Embedding::new(500, 80).initializer(Initializer::Normal(1.0)), rng).to_dtype(DType::F64);
    let (mean, variance) = (vectors.mean().item(), vectors.powi(2).mean().item());
    // Five standard errors of 40,000 draws.
    assert!(mean.abs() < 0.025 && (variance - 1.0).abs() < 0.036, "mean {mean}, variance {variance}");
}
