//! Networks that a configuration lists layer by layer, of every kind that there is.

use std::path::Path;

use hadal::prelude::*;

use crate::support::*;

/// `NAME/x.npy` with samples of this shape, and `NAME/y.npy` with three classes.
fn arrays(home: &Path, name: &str, x: &Tensor) {
    let y = Tensor::from_vec((0..x.size(0) as i64).map(|i| i % 3).collect(), [x.size(0)]);
    std::fs::create_dir(home.join(name)).unwrap();
    hadal::format::npy::write(home.join(name).join("x.npy"), x).unwrap();
    hadal::format::npy::write(home.join(name).join("y.npy"), &y).unwrap();
}

/// Images, volumes, sequences and words.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let random = |shape: &[usize]| Tensor::randn(shape, &mut Rng::new(1));
    arrays(home.path(), "images", &random(&[60, 3, 8, 8]));
    arrays(home.path(), "volumes", &random(&[60, 2, 5, 5, 5]));
    arrays(home.path(), "sequences", &random(&[60, 10, 4]));
    let words = (Tensor::rand([60, 10], &mut Rng::new(1)) * 20).floor().to_dtype(DType::I64);
    arrays(home.path(), "words", &words);
    home
}

/// Writes `c.toml` with these layers, each as a table without its braces.
fn list(home: &Path, layers: &[&str]) {
    let tables: Vec<String> = layers.iter().map(|layer| format!("{{ layer = {layer} }}")).collect();
    std::fs::write(home.join("c.toml"), format!("[model]\nlayers = [\n{}\n]\n", tables.join(",\n"))).unwrap();
}

const FLATTEN: &str = "\"flatten\"";
const OUTPUT: &str = "\"dense\", units = 3, activation = \"softmax\"";

#[test]
fn every_kind_of_layer_is_trained_from_a_configuration() {
    let home = home();
    let at = home.path();
    let with_settings = [
        ("images", r#""conv2d", filters = 6, kernel = [3, 2], stride = 2, padding = [1, 0], groups = 3"#),
        ("images", r#""conv_transpose2d", filters = 4, kernel = 3, stride = 2, output_padding = 1"#),
        ("images", r#""depthwise_conv2d", kernel = 3, multiplier = 2"#),
        ("images", r#""separable_conv2d", filters = 4, kernel = 3, activation = "relu""#),
        ("images", r#""max_pool2d", kernel = 2"#),
        ("images", r#""avg_pool2d", kernel = 2, stride = 1"#),
        ("images", r#""adaptive_avg_pool2d", size = [2, 1]"#),
        ("images", r#""global_average_pool""#),
        ("images", r#""batch_norm""#),
        ("images", r#""group_norm", groups = 3"#),
        ("images", r#""instance_norm", affine = true"#),
        ("images", r#""layer_norm""#),
        ("images", r#""rms_norm""#),
        ("images", r#""spatial_dropout", rate = 0.2"#),
        ("images", r#""drop_path", rate = 0.2"#),
        ("images", r#""dropout", rate = 0.2"#),
        ("images", r#""gaussian_noise", std = 0.1"#),
        ("images", r#""rescaling", scale = 2.0, offset = 1.0"#),
        ("images", r#""prelu", per_channel = true"#),
        ("images", r#""prelu", per_element = true, initial_slope = 0.0"#),
        ("images", r#""activation", function = "gelu""#),
        ("images", r#""pad", widths = 1"#),
        ("images", r#""upsample", scale = 2"#),
        ("images", r#""permute", order = [2, 3, 1]"#),
        ("images", r#""reshape", shape = [8, 24]"#),
        ("images", r#""residual", layers = [{ layer = "conv2d", filters = 3, kernel = 3, same_padding = true }]"#),
        (
            "images",
            r#""parallel", merge = "concatenate", branches = [[], [{ layer = "conv2d", filters = 3, kernel = 1 }]]"#,
        ),
        ("images", r#""chain", layers = [{ layer = "max_pool2d", kernel = 2 }]"#),
        ("images", r#""checkpointed", layers = [{ layer = "conv2d", filters = 2, kernel = 1 }]"#),
        (
            "images",
            r#""views", augment = { steps = [{ rotate = 10.0 }] }, views = 3, layers = [{ layer = "conv2d", filters = 2, kernel = 1 }]"#,
        ),
        ("volumes", r#""conv3d", filters = 3, kernel = 3"#),
        ("volumes", r#""conv_transpose3d", filters = 3, kernel = 2"#),
        ("volumes", r#""max_pool3d", kernel = 2"#),
        ("volumes", r#""avg_pool3d", kernel = 2"#),
        ("volumes", r#""adaptive_avg_pool3d", size = 2"#),
        ("sequences", r#""conv1d", filters = 3, kernel = 3"#),
        ("sequences", r#""conv_transpose1d", filters = 3, kernel = 3"#),
        ("sequences", r#""max_pool1d", kernel = 2"#),
        ("sequences", r#""avg_pool1d", kernel = 2"#),
        ("sequences", r#""adaptive_avg_pool1d", size = 2"#),
        ("sequences", r#""lstm", units = 6, layers = 2, dropout = 0.1"#),
        ("sequences", r#""gru", units = 6, bidirectional = true, return_sequences = true"#),
        ("sequences", r#""simple_rnn", units = 6, activation = "relu""#),
        ("sequences", r#""mean_over_time""#),
        ("sequences", r#""multi_head_attention", heads = 2, causal = true"#),
        ("sequences", r#""transformer_encoder_layer", heads = 2"#),
        ("sequences", r#""transformer_encoder", block = { heads = 2, feedforward = 8 }, layers = 2"#),
        ("sequences", r#""sinusoidal_positions""#),
        ("sequences", r#""learned_positions", context = 10"#),
        ("sequences", r#""time_distributed", layers = [{ layer = "dense", units = 3 }]"#),
        ("words", r#""embedding", num_embeddings = 20, embedding_dim = 4"#),
        ("words", r#""gpt", vocabulary = 20, context = 10, layers = 1, heads = 2, width = 4"#),
    ];
    // Those of tables, and what stands around the others.
    let mut left = hadal::nn::layer_kinds();
    left.retain(|kind| !["embed_columns", "flatten", "dense"].contains(kind));
    for (source, layer) in with_settings {
        let kind = layer.split('"').nth(1).unwrap();
        left.retain(|other| *other != kind);
        list(at, &[layer, FLATTEN, OUTPUT]);
        let printed = passes(at, &format!("train {source} --config c.toml --epochs 1 --no-out -q"));
        assert!(printed.starts_with(&format!("{source} test: loss ")), "{layer}: {printed}");
    }
    assert!(left.is_empty(), "no run has the kinds {left:?}");
}

#[test]
fn a_network_of_words_is_kept_judged_and_asked() {
    let home = home();
    let at = home.path();
    list(at, &[r#""embedding", num_embeddings = 20, embedding_dim = 4"#, r#""lstm", units = 4"#, OUTPUT]);
    let score = passes(at, "train words --config c.toml --epochs 2 -q --out m");
    assert!(std::fs::read_to_string(at.join("m/config.toml")).unwrap().contains("standardize = false"));
    let score = score.split(" (").next().unwrap();
    let evaluated = passes(at, "evaluate m");
    assert!(evaluated.starts_with(score), "{evaluated}, not {score}");
    assert!(passes(at, "verify m").contains("the same"));
    assert!(passes(at, "predict m words/x.npy").lines().count() > 1);
    list(at, &[r#""embedding", num_embeddings = 10, embedding_dim = 4"#, FLATTEN, OUTPUT]);
    fails(&run(at, "train words --config c.toml --no-out"), &["words: index ", "10 vectors, 0 to 9"]);
    let config = std::fs::read_to_string(at.join("c.toml")).unwrap();
    std::fs::write(at.join("c.toml"), config + "[preprocess]\nstandardize = true\n").unwrap();
    fails(
        &run(at, "train words --config c.toml --no-out"),
        &["[preprocess] standardize", "takes indices", "leave it out"],
    );
    // Where the first layer takes numbers, integers are numbers.
    list(at, &[OUTPUT]);
    passes(at, "train words --config c.toml --epochs 1 --no-out -q");
}

#[test]
fn layers_that_do_not_fit_are_named_with_what_would() {
    let home = home();
    let at = home.path();
    let data = small_mnist();
    for (source, layer, words) in [
        ("images", r#""conv2d", filters = 3, kernel = 9"#, &["layer 1 (Conv2d", "window of 9", "height 8"][..]),
        ("images", r#""conv2d", filters = 3, kernel = 3, groups = 2"#, &["3 input channels and 3 filters", "2 groups"]),
        ("images", r#""max_pool2d", kernel = 2, stride = 0"#, &["MaxPool2d: stride 0x0 must be at least 1"]),
        ("images", r#""prelu", per_channel = true, per_element = true"#, &["per_channel or per_element, not both"]),
        ("images", r#""lstm", units = 3"#, &["Lstm takes samples of shape [time, features]", "[3, 8, 8]"]),
        ("sequences", r#""multi_head_attention", heads = 3"#, &["4 features cannot be divided among 3 heads"]),
        ("sequences", r#""learned_positions", context = 9"#, &["9 places (the context)", "[10, 4]"]),
        (
            "sequences",
            r#""lstm", units = 3, dropout = 0.1"#,
            &["there is 1 layer; use layers = 2, or { layer = \"dropout\", rate = 0.1 } after this layer"],
        ),
        (
            "sequences",
            r#""conv2d", filters = 3, kernel = 3"#,
            &["put { layer = \"reshape\", shape = [1, 10, 4] } before it"],
        ),
        (
            "mnist",
            r#""conv2d", filters = 3, kernel = 3"#,
            &["for grey images { layer = \"reshape\", shape = [1, 28, 28] }"],
        ),
    ] {
        list(at, &[layer, FLATTEN, OUTPUT]);
        let command =
            format!("train {source} --config c.toml --epochs 1 --no-out --data-dir {}", data.path().display());
        fails(&run(at, &command), words);
    }
}
