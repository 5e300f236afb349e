use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::nn::{Context, Dense, Embedding, Forward, Layer, Module, Sequential, Stream};
use crate::{DType, Rng, Shape, Tensor};

/// The message of a panic.
fn panics<T>(f: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("this should panic"),
        Err(payload) => match payload.downcast_ref::<String>() {
            Some(message) => message.clone(),
            None => payload.downcast_ref::<&str>().unwrap().to_string(),
        },
    }
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{message}` does not say `{part}`");
    }
}

fn random(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::new(seed))
}

#[test]
fn settings_that_cannot_work_are_errors() {
    let refused = |layer: Lstm, shape: &[usize], parts: &[&str]| {
        says(&layer.plan(&Shape::from(shape)).unwrap_err().to_string(), parts);
    };
    refused(Lstm::new(0), &[5, 2], &["Lstm", "at least 1 unit"]);
    refused(Lstm::new(4).layers(0), &[5, 2], &["at least 1 layer"]);
    refused(Lstm::new(4), &[8], &["[time, features]", "[8]", "Embedding", "Reshape"]);
    refused(Lstm::new(4), &[3, 4, 5], &["[time, features]", "[3, 4, 5]"]);
    refused(Lstm::new(4), &[0, 5], &["no steps"]);
    refused(Lstm::new(4).layers(2).dropout(1.0), &[5, 2], &["dropout rate 1", "[0, 1)"]);
    refused(Lstm::new(4).dropout(0.5), &[5, 2], &["between layers", "layers(2)", "Dropout(0.5)"]);
    refused(Lstm::new(usize::MAX / 2), &[5, 2], &["larger than memory"]);
    refused(Lstm::new(4).return_sequences(), &[1 << 59, 1], &["larger than memory"]);
    let plan = Lstm::new(1 << 20).layers(usize::MAX).plan(&[5, 2].into()).unwrap();
    assert_eq!(plan.weights, usize::MAX, "refused by those who know how much memory there is");
    let message = SimpleRnn::new(4).activation(crate::nn::Activation::Gelu).plan(&[5, 2].into()).unwrap_err();
    says(&message.to_string(), &["SimpleRnn", "tanh or relu", "gelu"]);
    let gru: Gru = serde_json::from_str(r#"{"units": 4, "activation": "relu"}"#).unwrap();
    says(&gru.plan(&[5, 2].into()).unwrap_err().to_string(), &["Gru", "tanh", "relu"]);
    assert!(serde_json::from_str::<Gru>(r#"{"units": 4, "unit": 4}"#).is_err());
}

#[test]
fn inputs_that_do_not_fit_are_named() {
    let lstm = Lstm::with(2, 3, &mut Rng::new(0));
    let ctx = &mut Context::evaluation();
    let x = random(&[4, 5, 2], 1);
    says(&panics(|| lstm.forward(&random(&[5, 2], 1), ctx)), &["Lstm", "[5, 2]", "[batch, time, 2]", "unsqueeze(0)"]);
    says(&panics(|| lstm.forward(&random(&[4, 5, 3], 1), ctx)), &["[4, 5, 3]", "[batch, time, 2]"]);
    says(&panics(|| lstm.forward(&random(&[4, 0, 2], 1), ctx)), &["[4, 0, 2]", "no steps"]);
    says(&panics(|| lstm.forward(&x.to_dtype(DType::F64), ctx)), &["f64", "f32", "to_dtype"]);
    says(&panics(|| Lstm::new(3).forward(&x, ctx)), &["no weights yet", "built()"]);
    let state = |batch: usize| LstmState { h: Tensor::zeros([1, batch, 3]), c: Tensor::zeros([1, batch, 3]) };
    says(&panics(|| lstm.run(&x, Some(&state(3)), None, ctx)), &["[1, 3, 3]", "[1, 4, 3]", "layers * directions"]);
    let lengths = |lengths: &[usize]| panics(|| lstm.run(&x, None, Some(lengths), &mut Context::evaluation()));
    says(&lengths(&[1, 2, 3]), &["3 lengths", "batch of 4"]);
    says(&lengths(&[1, 2, 6, 3]), &["sample 2 is 6", "5 steps"]);
    says(&panics(|| Lstm::with(2, 3, &mut Rng::new(0)).layers(2)), &["layers must be set before", "Lstm::new"]);
    says(&panics(|| Gru::with(2, 0, &mut Rng::new(0))), &["Gru", "at least 1"]);
    let cell = LstmCell::new(2, 3, &mut Rng::new(0));
    says(&panics(|| cell.step(&x, None)), &["LstmCell", "[4, 5, 2]", "[batch, 2]"]);
    let state = LstmState { h: Tensor::zeros([3, 3]), c: Tensor::zeros([3, 3]) };
    says(&panics(|| cell.step(&random(&[4, 2], 1), Some(&state))), &["[3, 3]", "[4, 3]"]);
}

#[test]
fn a_sequence_of_no_steps_keeps_its_state_and_gives_zeros() {
    let gru = Gru::with(2, 3, &mut Rng::new(0));
    let before = random(&[1, 3, 3], 2);
    let ctx = &mut Context::evaluation();
    let (y, end) = gru.run(&random(&[3, 4, 2], 1), Some(&before), Some(&[0, 2, 0]), ctx);
    assert_eq!(y.narrow(0, 0, 1).abs().max().item(), 0.0);
    assert_eq!(end.narrow(1, 2, 1).to_vec::<f32>(), before.narrow(1, 2, 1).to_vec::<f32>());
    let (y, end) = gru.run(&random(&[2, 4, 2], 1), None, Some(&[0, 0]), ctx);
    assert_eq!((y.abs().max().item(), end.abs().max().item()), (0.0, 0.0));
}

#[test]
fn sequences_of_a_batch_are_as_each_alone() {
    let lengths = [2, 5, 1, 5, 3];
    let x = random(&[5, 6, 4], 1);
    for bidirectional in [false, true] {
        let lstm = Lstm::new(3).layers(2);
        let lstm = if bidirectional { lstm.bidirectional() } else { lstm };
        let lstm = lstm.built([6, 4], &mut Rng::new(0)).unwrap();
        let ctx = &mut Context::evaluation();
        let (y, end) = lstm.run(&x, None, Some(&lengths), ctx);
        for (sample, &length) in lengths.iter().enumerate() {
            let alone = x.narrow(0, sample, 1).slice(1, ..length);
            let (expected, state) = lstm.run(&alone, None, None, ctx);
            let got = y.narrow(0, sample, 1);
            assert!((got.slice(1, ..length) - expected).abs().max().item() < 1e-6);
            assert!(got.slice(1, length..).abs().max().item() == 0.0);
            assert!((end.c.narrow(1, sample, 1) - state.c).abs().max().item() < 1e-6);
        }
    }
}

#[test]
fn a_stream_gives_what_the_whole_sequence_would() {
    let x = random(&[2, 9, 4], 1);
    let model = Sequential::new([9, 4])
        .add(Lstm::new(5).layers(2).return_sequences())
        .add(Gru::new(3).return_sequences())
        .add(SimpleRnn::new(3).return_sequences())
        .build()
        .unwrap();
    let whole = model.forward(&x, &mut Context::evaluation());
    let mut stream = Stream::new(&model);
    for (first, end) in [(0, 1), (1, 2), (2, 7), (7, 9)] {
        let piece = stream.feed(&x.slice(1, first..end));
        assert!((piece - whole.slice(1, first..end)).abs().max().item() < 1e-6);
    }
    says(&panics(|| stream.feed(&random(&[3, 1, 4], 1))), &["this piece has 3 samples", "began with 2"]);
    let both = Lstm::new(5).bidirectional().built([9, 4], &mut Rng::new(0)).unwrap();
    says(&panics(|| Stream::new(&both).feed(&x)), &["bidirectional", "Stream"]);
}

#[test]
fn the_last_output_is_that_of_each_direction_at_its_end() {
    let x = random(&[2, 4, 3], 1);
    let both = Gru::new(5).bidirectional().built([4, 3], &mut Rng::new(0)).unwrap();
    let ctx = &mut Context::evaluation();
    let last = both.forward(&x, ctx);
    let all = both.clone().return_sequences().forward(&x, ctx);
    let expected = crate::concat(&[all.i((.., -1, ..5)), all.i((.., 0, 5..))], 1);
    assert_eq!(last.to_vec::<f32>(), expected.to_vec::<f32>());
}

#[test]
fn weights_begin_as_pytorchs_or_kerass() {
    let named = |layer: &Lstm, wanted: &str| layer.state_dict().into_iter().find(|(name, _)| name == wanted).unwrap().1;
    let torch = Lstm::with(8, 16, &mut Rng::new(0));
    for (name, tensor) in torch.state_dict() {
        let limit = tensor.abs().max().item();
        assert!((0.2..=0.25).contains(&limit), "{name}: {limit}");
    }
    let keras = Lstm::keras(16).built([5, 8], &mut Rng::new(0)).unwrap();
    let recurrent = named(&keras, "weight_hh_l0").to_dtype(DType::F64);
    let unit = Tensor::arange(16).one_hot(16).to_dtype(DType::F64);
    assert!((recurrent.t().matmul(&recurrent) - unit).abs().max().item() < 1e-5);
    let limit = named(&keras, "weight_ih_l0").abs().max().item();
    let glorot = (6.0f64 / (8.0 + 64.0)).sqrt();
    assert!((0.95 * glorot..=glorot).contains(&limit), "{limit}");
    let bias = named(&keras, "bias_ih_l0");
    assert_eq!((bias.sum().item(), bias.slice(0, 16..32).sum().item()), (16.0, 16.0));
    assert_eq!(named(&keras, "bias_hh_l0").abs().max().item(), 0.0);
}

#[test]
fn dropout_is_between_layers_in_training() {
    let x = random(&[2, 4, 3], 1);
    let layer = Gru::new(50).layers(2).dropout(0.5).return_sequences().built([4, 3], &mut Rng::new(0)).unwrap();
    let plain = layer.forward(&x, &mut Context::evaluation());
    let dropped = layer.forward(&x, &mut Context::training(Rng::new(1)));
    assert!(plain.to_vec::<f32>() != dropped.to_vec::<f32>());
    assert!(dropped.abs().min().item() > 0.0, "the last layer's outputs are not dropped");
}

#[test]
fn networks_are_saved_loaded_and_summarized() {
    let model = Sequential::new([7])
        .add(Embedding::new(20, 4))
        .add(Lstm::keras(5).layers(2).bidirectional().dropout(0.1).return_sequences())
        .add(Gru::new(6).without_bias().return_sequences())
        .add(SimpleRnn::new(3).activation(crate::nn::Activation::Relu))
        .add(Dense::new(2))
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path, &Default::default()).unwrap();
    let (loaded, _) = Sequential::load(&path).unwrap();
    assert_eq!(loaded.architecture(), model.architecture());
    let words = Tensor::arange(14).reshape([2, 7]);
    let ctx = &mut Context::evaluation();
    assert_eq!(loaded.forward(&words, ctx).to_vec::<f32>(), model.forward(&words, ctx).to_vec::<f32>());
    let summary = model.summary().to_string();
    says(&summary, &["Lstm (2, bidirectional)", "[N, 7, 10]", "Gru ", "[N, 7, 6]", "SimpleRnn ", "[N, 3]"]);
    // PyTorch: 2 directions of 4 * 5 rows, of 4 + 5 + 2 and of 10 + 5 + 2 columns.
    assert!(summary.contains("1,120"), "{summary}");
    let names: Vec<String> = model.state_dict().into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"layers.1.weight_hh_l1_reverse".to_owned()), "{names:?}");
    let json = serde_json::to_string(&Gru::new(6)).unwrap();
    assert_eq!(json, r#"{"units":6}"#);
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let lengths: Vec<usize> = (0..37).map(|sample| 1 + sample * 7 % 12).collect();
    let x = random(&[37, 12, 20], 1).requires_grad();
    let lstm = Lstm::new(70).layers(2).bidirectional().built([12, 20], &mut Rng::new(0)).unwrap();
    let gru = Gru::with(140, 50, &mut Rng::new(0));
    // Few sequences: their products are shared among threads.
    let wide = Lstm::with(20, 300, &mut Rng::new(0));
    let few = x.detach().narrow(0, 0, 4);
    let run = |threads: usize| {
        crate::set_num_threads_exactly(threads);
        let ctx = &mut Context::evaluation();
        let (y, _) = lstm.run(&x, None, Some(&lengths), ctx);
        let (y, _) = gru.run(&y, None, None, ctx);
        let loss = y.powi(2).sum() + wide.run(&few, None, None, ctx).0.powi(2).sum();
        let gradients = loss.backward();
        let state = [lstm.state_dict(), gru.state_dict(), wide.state_dict()].concat();
        let tensors = state.into_iter().map(|(_, tensor)| gradients[&tensor].clone()).chain([gradients[&x].clone(), y]);
        tensors.flat_map(|tensor| tensor.to_vec::<f32>()).map(f32::to_bits).collect::<Vec<_>>()
    };
    let one = run(1);
    for threads in [2, 3] {
        assert!(run(threads) == one, "{threads} threads gave other bits than one");
    }
}
