//! Model files of earlier versions load, and give what they gave.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hadal::nn::networks::{GptConfig, gpt};
use hadal::nn::{
    DepthwiseConv2d, DropPath, EmbedColumns, EmbeddedColumn, Embedding, Feedback, GaussianNoise, Initializer,
    InstanceNorm, Merge, PRelu, Pad, Permute, Regularizer, Rescaling, RmsNorm, SeparableConv2d, SpatialDropout,
    TimeDistributed, TransformerEncoder, Upsample, Views,
};
use hadal::prelude::*;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

/// What a network gives for two samples, to compare it with what it gave.
fn outputs(model: &Sequential) -> Vec<f32> {
    let input = model.input_shape().unwrap();
    let mut sizes = vec![2];
    sizes.extend_from_slice(&input);
    let indices = ["embedding", "gpt"].contains(&model.architecture().layers[0].kind());
    let x = Tensor::arange(2 * input.elements()).reshape(sizes);
    let x = if indices { x } else { (x.to_dtype(DType::F32) * 0.37).sin() };
    // Columns of categories hold indices.
    let x =
        if model.architecture().layers[0].label().starts_with("EmbedColumns") { (x * 2.0).abs().floor() } else { x };
    model.forward(&x, &mut Context::evaluation()).to_vec()
}

/// Networks with every kind of layer and setting, by name.
fn models() -> Vec<(&'static str, Sequential)> {
    let block = |units| Chain::new().add(Dense::new(units).activation(Tanh)).add(Dense::new(units));
    let dense = Sequential::new([2, 3])
        .add(Flatten)
        .add(Dense::new(5).activation(Relu).weight_initializer(Initializer::HeNormal).max_norm(2.0))
        .add(Dropout::new(0.25))
        .add(Dense::new(4).without_bias().weight_regularizer(Regularizer::l1_l2(1e-5, 1e-4)))
        .add(LeakyRelu(0.1))
        .add(Dense::new(3).activation(Elu(0.5)).bias_initializer(Initializer::Constant(0.1)))
        .add(Dense::new(3).activation(Softmax).activity_regularizer(Regularizer::l2(1e-3)));
    let norms = Sequential::new([4])
        .add(GaussianNoise::new(0.1))
        .add(BatchNorm::new().momentum(0.2))
        .add(Dense::new(6))
        .add(BatchNorm::keras())
        .add(LayerNorm::new().epsilon(1e-4))
        .add(Gelu)
        .add(Dense::new(1))
        .add(Rescaling::new(3.0, -1.0));
    let words = Sequential::new([3]).add(Embedding::new(7, 2)).add(Flatten).add(Dense::new(2).activation(Sigmoid));
    let columns =
        [(3, 2), (4, 3)].map(|(num_embeddings, embedding_dim)| EmbeddedColumn { num_embeddings, embedding_dim });
    let columns = Sequential::new([4]).add(EmbedColumns::new(columns)).add(Dense::new(2));
    let branches = |merge| Parallel::new(merge).branch(block(4)).branch(Chain::new());
    let blocks = Sequential::new([4])
        .add(Residual::from_chain(block(4)))
        .add(branches(Merge::Sum))
        .add(branches(Merge::Product))
        .add(branches(Merge::Concatenate))
        .add(Reshape::new([2, 4]))
        .add(Flatten)
        .add(block(2));
    let feedback = Sequential::new([4])
        .add(Dense::new(5).activation(Tanh).feedback(Feedback::Alignment))
        .add(Dense::new(5).activation(Tanh).feedback(Feedback::Direct))
        .add(Dense::new(2));
    let pictures = Sequential::new([2, 7, 7])
        .add(Conv2d::new(3, 3).same_padding().activation(Relu))
        .add(Conv2d::keras(4, [3, 1]).stride([1, 2]).padding([1, 0]).dilation(1).without_bias())
        .add(GroupNorm::new(2))
        .add(DepthwiseConv2d::new(3).padding(1).multiplier(2))
        .add(PRelu::per_channel())
        .add(SeparableConv2d::new(4, 3).padding(1).weight_regularizer(Regularizer::l2(1e-4)))
        .add(InstanceNorm::new().affine())
        .add(SpatialDropout::new(0.1))
        .add(Residual::new().add(Conv2d::new(6, 1)).add(DropPath::new(0.2)).shortcut(Conv2d::new(6, 1).groups(2)))
        .add(ConvTranspose2d::new(2, 3).stride(2).padding(1).output_padding(1))
        .add(MaxPool2d::new(3).stride(2).padding(1))
        .add(AvgPool2d::new([2, 1]).stride(1).count_padding(false))
        .add(Upsample::new(2).interpolation(hadal::Interpolation::Linear))
        .add(Upsample::to([6, 7]))
        .add(Pad::reflect([(1, 0), (2, 2)]))
        .add(Pad::zeros(1))
        .add(AdaptiveAvgPool2d::new([4, 5]))
        .add(Permute::new([2, 1, 3]))
        .add(TimeDistributed::new(RmsNorm::new()).add(PRelu::new()).add(Conv1d::new(3, 2)))
        .add(Permute::new([2, 1, 3]))
        .add(GlobalAveragePool)
        .add(Dense::new(2));
    let augment = Augment::new().shift(0.2).rotate(15.0).scale(0.9, 1.1).fill(0.5);
    let views =
        Sequential::new([1, 5, 5]).add(Views::new(augment, 3, Chain::new().add(Conv2d::new(2, 3)).add(Flatten)));
    let block = || TransformerEncoderLayer::new(2).feedforward(8);
    let sequences = Sequential::new([3])
        .add(Embedding::new(7, 4).padding_index(5))
        .add(SinusoidalPositions)
        .add(LearnedPositions::new(5))
        .add(Lstm::new(3).layers(2).bidirectional().dropout(0.1).return_sequences())
        .add(Residual::new().add(Gru::new(6).return_sequences()))
        .add(
            Parallel::new(Merge::Sum)
                .branch(Chain::new().add(SimpleRnn::new(4).return_sequences()))
                .branch(Chain::new().add(Lstm::keras(4).return_sequences())),
        )
        .add(MultiHeadAttention::new(2).causal())
        .add(MultiHeadAttention::keras(2))
        .add(block().activation(Gelu).norm_first().causal().dropout(0.2))
        .add(TransformerEncoder::new(block(), 2).final_norm())
        .add(MeanOverTime)
        .add(Dense::new(2));
    let last = Sequential::new([3, 2]).add(PRelu::keras()).add(Gru::keras(4)).add(Dense::new(2));
    let sizes = GptConfig { vocabulary: 7, context: 3, layers: 1, heads: 2, width: 4, ..Default::default() };
    vec![
        ("sequences", sequences),
        ("last", last),
        ("gpt", gpt(sizes).unwrap()),
        ("pictures", pictures),
        ("views", views),
        ("dense", dense),
        ("norms", norms),
        ("words", words),
        ("columns", columns),
        ("blocks", blocks),
        ("feedback", feedback),
    ]
}

#[test]
fn models_of_earlier_versions_load_and_give_what_they_gave() {
    let mut names: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= models().len(), "{names:?}");
    for path in names {
        let (model, notes) = Sequential::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let expected: Vec<f32> = serde_json::from_str(&notes["outputs"]).unwrap();
        let outputs = outputs(&model);
        assert_eq!(outputs.len(), expected.len());
        for (x, y) in outputs.iter().zip(&expected) {
            assert!((x - y).abs() <= 1e-5 * y.abs().max(1.0), "{}: {outputs:?}, not {expected:?}", path.display());
        }
    }
}

/// What is written today is what was written, so that earlier versions load it, too.
#[test]
fn todays_architectures_are_written_as_they_were() {
    for (name, model) in models() {
        let (kept, _) = Sequential::load(folder().join(format!("{name}.safetensors"))).unwrap();
        assert_eq!(kept.architecture(), model.architecture(), "{name}");
    }
}

#[test]
fn settings_of_initial_values_are_kept_with_the_architecture() {
    let words = Embedding::new(5, 3).initializer(Initializer::Constant(-2.0));
    let model = Sequential::new([4]).add(words).add(PRelu::new().initial_slope(0.5)).add(LayerNorm::keras());
    let json = serde_json::to_string(&model.architecture()).unwrap();
    let again = Sequential::from_architecture(&serde_json::from_str(&json).unwrap()).unwrap();
    assert_eq!(again.architecture(), model.architecture());
    let state: BTreeMap<String, Tensor> = again.build().unwrap().state_dict().into_iter().collect();
    assert_eq!(state["layers.0.weight"].to_vec::<f32>(), [-2.0; 15]);
    assert_eq!(state["layers.1.weight"].to_vec::<f32>(), [0.5]);
    assert!(json.contains(r#"{"layer":"layer_norm","epsilon":0.001}"#), "{json}");
    let places = LearnedPositions::new(4).initializer(Initializer::Constant(0.5));
    let model = Sequential::new([4]).add(Embedding::new(5, 4)).add(places).add(MultiHeadAttention::keras(2));
    let json = serde_json::to_string(&model.architecture()).unwrap();
    let again = Sequential::from_architecture(&serde_json::from_str(&json).unwrap()).unwrap();
    assert_eq!(again.architecture(), model.architecture());
    let state = |model: Sequential| model.seed(1).build().unwrap().state_dict();
    for ((name, kept), (_, first)) in state(again).iter().zip(&state(model)) {
        assert_eq!(kept.to_vec::<f32>(), first.to_vec::<f32>(), "{name}");
    }
    // What is Keras's or PyTorch's default is not written.
    let plain = Sequential::new([4]).add(Embedding::new(5, 3)).add(PRelu::new());
    let json = serde_json::to_string(&plain.architecture().layers).unwrap();
    let expected = r#"[{"layer":"embedding","num_embeddings":5,"embedding_dim":3},{"layer":"prelu"}]"#;
    assert_eq!(json, expected);
}

#[test]
#[ignore = "writes samples of this version where there are none"]
fn write_samples() {
    std::fs::create_dir_all(folder()).unwrap();
    for (name, model) in models() {
        let path = folder().join(format!("{name}.safetensors"));
        if path.exists() {
            continue;
        }
        let model = model.seed(5).build().unwrap();
        let notes = BTreeMap::from([("outputs".to_owned(), serde_json::to_string(&outputs(&model)).unwrap())]);
        model.save(path, &notes).unwrap();
    }
}
