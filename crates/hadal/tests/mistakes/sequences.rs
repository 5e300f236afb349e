//! States, lengths, masks and texts that do not fit, in recurrent layers, attention and generation.

use hadal::data::Text;
use hadal::nn::networks::{GptConfig, gpt};
use hadal::nn::*;
use hadal::prelude::*;
use hadal::{RecurrentCell, RecurrentWeights, Shape, Steps};

use super::{panic_of, says};

fn ones(sizes: &[usize]) -> Tensor {
    Tensor::ones(sizes)
}

fn falses(sizes: &[usize]) -> Tensor {
    Tensor::zeros(sizes).gt(1.0)
}

fn ctx() -> Context {
    Context::evaluation()
}

/// The message of a panic within a network, whose layers do not know the caller's line.
fn message(f: impl FnOnce() -> Tensor) -> String {
    panic_of(|| drop(f())).2
}

#[test]
fn a_state_of_another_batch_size_is_named_with_the_right_one() {
    let rng = &mut Rng::new(1);
    let (lstm, gru, rnn) = (Lstm::with(3, 4, rng), Gru::with(3, 4, rng), SimpleRnn::with(3, 4, rng));
    let (x, three) = (ones(&[2, 5, 3]), ones(&[1, 3, 4]));
    let state = |h: &[usize], c: &[usize]| LstmState { h: ones(h), c: ones(c) };
    panics!(
        lstm.run(&x, Some(&state(&[1, 3, 4], &[1, 3, 4])), None, &mut ctx()),
        "Lstm",
        "[1, 3, 4]",
        "[1, 2, 4]",
        "batch"
    );
    panics!(
        lstm.run(&x, Some(&state(&[1, 2, 4], &[1, 3, 4])), None, &mut ctx()),
        "f32 [1, 3, 4]",
        "must be f32 [1, 2, 4]"
    );
    panics!(lstm.run(&x, Some(&state(&[2, 4], &[2, 4])), None, &mut ctx()), "f32 [2, 4]", "must be f32 [1, 2, 4]");
    panics!(gru.run(&x, Some(&three), None, &mut ctx()), "Gru: the state is f32 [1, 3, 4]", "must be f32 [1, 2, 4]");
    panics!(
        rnn.run(&x, Some(&three), None, &mut ctx()),
        "SimpleRnn: the state is f32 [1, 3, 4]",
        "must be f32 [1, 2, 4]"
    );
    panics!(gru.run(&x, Some(&ones(&[1, 2, 5])), None, &mut ctx()), "f32 [1, 2, 5]", "must be f32 [1, 2, 4]");
    let double = ones(&[1, 2, 4]).to_dtype(DType::F64);
    panics!(gru.run(&x, Some(&double), None, &mut ctx()), "state is f64", "must be f32");
    let both = Gru::new(4).bidirectional().built([5, 3], rng).unwrap();
    panics!(both.run(&x, Some(&ones(&[1, 2, 4])), None, &mut ctx()), "must be f32 [2, 2, 4]", "directions");
    let (x, h) = (ones(&[2, 3]), ones(&[3, 4]));
    let cell = LstmCell::new(3, 4, rng);
    panics!(cell.step(&x, Some(&state(&[3, 4], &[3, 4]))), "LstmCell: the state has shape [3, 4]", "must be [2, 4]");
    panics!(GruCell::new(3, 4, rng).step(&x, Some(&h)), "GruCell: the state has shape [3, 4]", "must be [2, 4]");
    panics!(SimpleRnnCell::new(3, 4, rng).step(&x, Some(&h)), "SimpleRnnCell: the state has shape [3, 4]");
    // In a stream, the state is that of the pieces before.
    let networks = [
        Sequential::new([5, 4]).add(Lstm::new(4).return_sequences()),
        Sequential::new([5, 4]).add(Gru::new(4).layers(2).return_sequences()),
        Sequential::new([5, 4]).add(MultiHeadAttention::new(2).causal()),
    ];
    for network in networks {
        let network = network.build().unwrap();
        let mut stream = Stream::new(&network);
        stream.feed(&ones(&[2, 5, 4]));
        let message = message(|| stream.feed(&ones(&[3, 1, 4])));
        assert!(message.contains("this piece has 3 samples, but the sequence began with 2"), "{message}");
    }
}

#[test]
fn features_on_the_axis_of_time_are_noticed() {
    let lstm = Lstm::with(3, 4, &mut Rng::new(1));
    panics!(lstm.forward(&ones(&[2, 3, 100]), &mut ctx()), "[2, 3, 100]", "[batch, time, 3]", "transpose(1, 2)");
    panics!(lstm.forward(&ones(&[5, 3]), &mut ctx()), "[5, 3]", "unsqueeze(0)");
}

#[test]
fn an_empty_sequence_is_refused_or_gives_nothing() {
    let rng = &mut Rng::new(1);
    let (lstm, gru) = (Lstm::with(3, 4, rng), Gru::with(3, 4, rng));
    let x = ones(&[2, 0, 3]);
    panics!(lstm.forward(&x, &mut ctx()), "Lstm: the input of shape [2, 0, 3] has no steps");
    panics!(gru.run(&x, None, None, &mut ctx()), "Gru: the input of shape [2, 0, 3] has no steps");
    panics!(
        GlobalAveragePool.forward(&ones(&[1, 3, 0]), &mut ctx()),
        "GlobalAveragePool",
        "[1, 3, 0]",
        "nothing to average"
    );
    panics!(MeanOverTime.forward(&ones(&[1, 0, 3]), &mut ctx()), "MeanOverTime", "[1, 0, 3]", "no steps to average");
    panics!(ones(&[1, 3, 0]).max_pool(hadal::Pool::new(1)), "window of 1 is larger than the input of 0");
    panics!(ones(&[1, 3, 0]).adaptive_avg_pool(1), "[1, 3, 0]", "at least 1");
    let input = || Sequential::new([0, 4]);
    for network in [
        input().add(Lstm::new(4)),
        input().add(Gru::new(4)),
        input().add(SimpleRnn::new(4)),
        input().add(TransformerEncoderLayer::new(2)),
        input().add(SinusoidalPositions),
        input().add(LearnedPositions::new(8)),
    ] {
        says(network.build(), &["layer 1", "[0, 4]"]);
    }
    says(Sequential::new([3, 0]).add(Conv1d::new(4, 1)).build(), &["[3, 0]", "no axis may be empty"]);
    says(Sequential::new([3, 0]).add(MaxPool1d::new(1)).build(), &["[3, 0]", "no axis may be empty"]);
    says(Text::new("letters", ""), &["letters: the text is empty"]);
    let model = small();
    says(Generator::new(&model, &[], None, Sampling::new(), Rng::new(1)).map(drop), &["the prompt is empty"]);
    // Sequences of length 0 beside others, or alone: zeros, and the state that they began with.
    let (x, h) = (ones(&[2, 5, 3]), ones(&[1, 2, 4]));
    for lengths in [[0, 0], [0, 5]] {
        let (y, end) = gru.run(&x, Some(&h), Some(&lengths), &mut ctx());
        assert_eq!(y.i(0).abs().sum().item(), 0.0);
        assert_eq!(end.i((0, 0)).to_vec::<f32>(), [1.0; 4]);
    }
}

#[test]
fn lengths_need_no_order_and_are_within_the_axis() {
    let rng = &mut Rng::new(1);
    let (lstm, gru, rnn) = (Lstm::with(3, 4, rng), Gru::with(3, 4, rng), SimpleRnn::with(3, 4, rng));
    let both = Lstm::new(4).bidirectional().built([5, 3], rng).unwrap();
    let x = Tensor::randn([3, 5, 3], rng);
    // In whatever order: as each alone.
    let lengths = [2, 5, 3];
    let outputs = [
        lstm.run(&x, None, Some(&lengths), &mut ctx()).0,
        gru.run(&x, None, Some(&lengths), &mut ctx()).0,
        both.run(&x, None, Some(&lengths), &mut ctx()).0,
    ];
    for (sample, length) in lengths.into_iter().enumerate() {
        let own = x.i((sample as isize..sample as isize + 1, ..length as isize));
        let alone = [
            lstm.run(&own, None, None, &mut ctx()).0,
            gru.run(&own, None, None, &mut ctx()).0,
            both.run(&own, None, None, &mut ctx()).0,
        ];
        for (outputs, alone) in outputs.iter().zip(alone) {
            assert!((outputs.i((sample as isize, ..length as isize)) - alone.i(0)).abs().max().item() < 1e-6);
        }
    }
    panics!(lstm.run(&x, None, Some(&[3, 6, 1]), &mut ctx()), "Lstm: the length of sample 1 is 6", "has 5 steps");
    panics!(gru.run(&x, None, Some(&[6, 3, 1]), &mut ctx()), "Gru: the length of sample 0 is 6", "has 5 steps");
    panics!(
        rnn.run(&x, None, Some(&[usize::MAX, 3, 1]), &mut ctx()),
        "SimpleRnn: the length of sample 0",
        "has 5 steps"
    );
    panics!(both.run(&x, None, Some(&[5, 5, 6]), &mut ctx()), "Lstm: the length of sample 2 is 6");
    panics!(gru.run(&x, None, Some(&[3]), &mut ctx()), "Gru: there are 1 lengths for a batch of 3");
    panics!(rnn.run(&x, None, Some(&[3; 4]), &mut ctx()), "SimpleRnn: there are 4 lengths for a batch of 3");
    // The operation beneath takes batch sizes, which must not grow.
    panics!(Steps::packed(&[1, 2]), "step 1 has 2 sequences", "must not grow");
    panics!(Steps::packed(&[0]), "step 0 has 0 sequences", "at least 1");
    panics!(Steps::of(usize::MAX, 4), "more than memory can address");
    let (ih, hh, h) = (ones(&[6, 3]), ones(&[6, 2]), [ones(&[2, 2])]);
    let weights = RecurrentWeights { ih: &ih, hh: &hh, bias: None };
    panics!(ones(&[5, 3]).recurrent(RecurrentCell::Gru, weights, &h, &Steps::packed(&[2, 1])), "5 rows", "are 3");
}

#[test]
fn masks_that_do_not_fit_are_named_with_what_would() {
    let rng = &mut Rng::new(1);
    let attention = MultiHeadAttention::with(4, 2, rng);
    let (q, k) = (ones(&[2, 3, 4]), ones(&[2, 5, 4]));
    let none = AttentionMask::new;
    let mask = |sizes: &[usize]| none().mask(&falses(sizes));
    let padding = |sizes: &[usize]| none().padding(&falses(sizes));
    panics!(
        attention.attend(&q, &k, &k, &mask(&[5, 3]), &mut ctx()),
        "mask of shape [5, 3]",
        "it must be [3, 5], [2, 3, 5] or"
    );
    panics!(attention.attend(&q, &k, &k, &mask(&[4, 3, 5]), &mut ctx()), "mask of shape [4, 3, 5]", "[2, 2, 3, 5]");
    panics!(attention.attend(&q, &k, &k, &mask(&[2, 3, 3, 5]), &mut ctx()), "mask of shape [2, 3, 3, 5]");
    panics!(attention.attend(&q, &k, &k, &none().mask(&ones(&[3, 4])), &mut ctx()), "mask of shape [3, 4]");
    panics!(
        attention.attend(&q, &k, &k, &padding(&[2, 3]), &mut ctx()),
        "padding of shape [2, 3]",
        "it must be [2, 5]"
    );
    panics!(
        attention.attend(&q, &k, &k, &padding(&[5, 2]), &mut ctx()),
        "padding of shape [5, 2]",
        "it must be [2, 5]"
    );
    panics!(none().padding(&falses(&[5])), "must be bool of shape [N, S]", "[5]");
    panics!(none().mask(&falses(&[3])), "[T, S], [N, T, S] or [N, H, T, S]", "[3]");
    // Without heads, and without samples.
    let (query, key) = (ones(&[3, 4]), ones(&[5, 4]));
    panics!(scaled_dot_product_attention(&query, &key, &key, &padding(&[2, 5])), "it must be [1, 5]");
    panics!(scaled_dot_product_attention(&query, &key, &key, &mask(&[2, 3, 5])), "it must be [3, 5]");
    panics!(scaled_dot_product_attention(&q, &k, &k, &mask(&[2, 1, 3, 5])), "it must be [3, 5] or [2, 3, 5]");
    panics!(q.masked_softmax(1.0, false, Some(&falses(&[2, 5]))), "mask is bool of shape [2, 5]", "[2, 3, 4]");
    // Encoders and decoders, each of their masks.
    let encoder = TransformerEncoderLayer::new(2).built([3, 4], rng).unwrap();
    let decoder = TransformerDecoderLayer::new(2).built(4, rng).unwrap();
    panics!(encoder.encode(&q, &padding(&[2, 4]), &mut ctx()), "padding of shape [2, 4]", "it must be [2, 3]");
    panics!(encoder.encode(&q, &mask(&[4, 4]), &mut ctx()), "mask of shape [4, 4]", "3 queries and 3 keys");
    panics!(
        decoder.decode(&q, &k, &none(), &padding(&[2, 3]), &mut ctx()),
        "padding of shape [2, 3]",
        "it must be [2, 5]"
    );
    panics!(
        decoder.decode(&q, &k, &padding(&[2, 5]), &none(), &mut ctx()),
        "padding of shape [2, 5]",
        "it must be [2, 3]"
    );
    panics!(
        decoder.decode(&q, &k, &none(), &mask(&[5, 3]), &mut ctx()),
        "mask of shape [5, 3]",
        "3 queries and 5 keys"
    );
    panics!(decoder.decode(&q, &ones(&[3, 5, 4]), &none(), &none(), &mut ctx()), "query [2, 3, 4], key [3, 5, 4]");
    panics!(
        decoder.decode(&q, &ones(&[2, 5, 6]), &none(), &none(), &mut ctx()),
        "keys of shape [2, 5, 6]",
        "4 features"
    );
}

/// What all places of a row leave out gives zeros, and gradients that are numbers.
#[test]
fn a_row_with_everything_masked_gives_zeros_and_finite_gradients() {
    let rng = &mut Rng::new(1);
    let finite = |gradient: &Tensor| gradient.abs().sum().item().is_finite();
    let all = Tensor::from([[true, true, true], [false, true, false]]);
    let minus = Tensor::full([3, 3], f64::NEG_INFINITY);
    let masks = [
        AttentionMask::new().padding(&all),
        AttentionMask::new().padding(&all).causal(),
        AttentionMask::new().padding(&all).mask(&minus),
        AttentionMask::new().mask(&all.unsqueeze(1)),
    ];
    let q = Tensor::randn([2, 2, 4], rng).requires_grad();
    let k = Tensor::randn([2, 3, 4], rng).requires_grad();
    let attention = MultiHeadAttention::with(4, 2, rng);
    let encoder = TransformerEncoderLayer::new(2).feedforward(8).built([3, 4], rng).unwrap();
    let decoder = TransformerDecoderLayer::new(2).feedforward(8).built(4, rng).unwrap();
    for (which, mask) in masks.iter().enumerate() {
        let ctx = &mut Context::training(Rng::new(1));
        // Attention to other sequences: the keys of the first sample are all left out.
        if which != 2 {
            let y = scaled_dot_product_attention(&q, &k, &k, mask);
            assert_eq!(y.i(0).abs().sum().item(), 0.0, "mask {which}");
            let gradients = y.powi(2).sum().backward();
            assert!(finite(&gradients[&q]) && finite(&gradients[&k]), "mask {which}");
            let y = attention.attend(&q, &k, &k, mask, ctx);
            assert_eq!(y.i(0).abs().sum().item(), 0.0, "mask {which}");
            let y = decoder.decode(&q, &k, &AttentionMask::new(), mask, ctx);
            let gradients = y.powi(2).sum().backward();
            assert!(finite(&y) && finite(&gradients[&q]) && finite(&gradients[&k]), "mask {which}");
        }
        let y = encoder.encode(&k, mask, ctx);
        let gradients = y.powi(2).sum().backward();
        assert!(finite(&y) && finite(&gradients[&k]), "mask {which}");
        for (name, weight) in encoder.state_dict() {
            assert!(finite(&gradients[&weight]), "{name} of mask {which}");
        }
    }
    // The operation, and its second derivative.
    let scores = Tensor::randn([2, 3], rng).requires_grad();
    let y = scores.masked_softmax(1.0, false, Some(&all));
    assert_eq!(y.i(0).to_vec::<f32>(), [0.0; 3]);
    let options = hadal::autograd::BackwardOptions { create_graph: true, ..Default::default() };
    let first = y.powi(2).sum().backward_with(options)[&scores].clone();
    assert_eq!(first.i(0).to_vec::<f32>(), [0.0; 3]);
    assert!(finite(&first.powi(2).sum().backward()[&scores]));
}

#[test]
fn text_with_characters_that_training_had_not_is_named_with_its_place() {
    let text = Text::new("numbers", "one two three").unwrap();
    says(text.vocabulary().encode("one\n"), &["line 1, column 4", "'\\n'"]);
    says(
        text.vocabulary().encode("one four?"),
        &["line 1, column 5", "'f', 'u', '?'", "its 8 characters are \" ehnortw\""],
    );
    says(
        Text::new("other", "one two").unwrap().with_vocabulary(Text::new("b", "on").unwrap().vocabulary()),
        &["other: line 1, column 3", "'e'"],
    );
    panics!(text.vocabulary().decode(&[99]), "no character 99; there are 8");
    panics!(text.vocabulary().decode(&[-1]), "no character -1");
    says(text.divided(0.1, 50), &["numbers: the training part has 12 characters", "needs 51", "shorter context"]);
    says(text.dataset(0), &["context must be at least 1"]);
    says(text.dataset(usize::MAX), &["has 13 characters", "shorter context"]);
    says(
        Generator::new(&small(), &[1, 7], None, Sampling::new(), Rng::new(1)).and_then(some),
        &["index 7", "5 vectors, 0 to 4"],
    );
}

fn small() -> Sequential {
    gpt(GptConfig { vocabulary: 5, context: 8, layers: 1, heads: 1, width: 4, ..GptConfig::default() })
        .unwrap()
        .build()
        .unwrap()
}

/// Twenty elements that a network goes on with.
fn some(generator: Generator) -> hadal::Result<Vec<i64>> {
    generator.take(20).collect()
}

#[test]
fn generation_past_the_context_goes_on_or_is_refused_before_it_begins() {
    let generate = |model: &Sequential, prompt: &[i64], context: Option<usize>| {
        Generator::new(model, prompt, context, Sampling::new(), Rng::new(1)).and_then(some)
    };
    let model = small();
    // The network knows how far it can see: longer prompts, and longer texts, are seen through a window.
    let long = [1; 30];
    assert_eq!(generate(&model, &long, None).unwrap(), generate(&model, &long, Some(8)).unwrap());
    assert_eq!(generate(&model, &[1], None).unwrap(), generate(&model, &[1], Some(8)).unwrap());
    assert_eq!(generate(&model, &[1], Some(5)).unwrap().len(), 20);
    says(generate(&model, &[1], Some(9)), &["context of 9 elements", "the 8 that the network can see", "8 or less"]);
    says(generate(&model, &[1], Some(0)), &["context must be at least 1"]);
    let words = || Sequential::new([4]).add(Embedding::new(5, 4)).add(LearnedPositions::new(6));
    let ended = |network: Sequential| network.add(TimeDistributed::new(Dense::new(5))).build().unwrap();
    let model = ended(words().add(MultiHeadAttention::new(2).causal()));
    assert_eq!(generate(&model, &long, None).unwrap(), generate(&model, &long, Some(6)).unwrap());
    let inside = Residual::new().add(MultiHeadAttention::new(2));
    for (network, problem) in [
        (words().add(MultiHeadAttention::new(2)), "causal()"),
        (words().add(inside), "causal()"),
        (words().add(TransformerEncoderLayer::new(2)), "causal()"),
        (words().add(TransformerEncoder::new(TransformerEncoderLayer::new(2), 2)), "causal()"),
        (words().add(Gru::new(2).bidirectional().return_sequences()), "Gru: a bidirectional layer needs the whole"),
    ] {
        says(generate(&ended(network), &[1], None), &[problem, "piece by piece"]);
    }
    let last = Sequential::new([4]).add(Embedding::new(5, 4)).add(Gru::new(4)).add(Dense::new(5)).build().unwrap();
    says(generate(&last, &[1, 2], None), &["gives [1, 5] for [1, 2]", "logits [1, T, C]"]);
    // A stream of one's own says what to do.
    let tokens = |count: usize| Tensor::zeros([1, count]).to_dtype(DType::I64);
    let message = message(|| Stream::new(&small()).feed(&tokens(9)));
    assert!(message.contains("9 places") && message.contains("8 (the context); feed a window"), "{message}");
    panics!(small().forward(&tokens(9), &mut ctx()), "[1, 9]", "samples of shape [8]");
}

/// Pieces would give something else than the whole, in silence.
#[test]
fn layers_that_look_at_several_steps_refuse_a_stream() {
    let rng = &mut Rng::new(1);
    let layers: Vec<(&str, Box<dyn Layer>, Tensor)> = vec![
        ("Conv1d", Box::new(Conv1d::new(2, 3).padding(1)), ones(&[1, 4, 6])),
        ("Conv2d", Box::new(Conv2d::new(2, 3).padding(1)), ones(&[1, 4, 6, 6])),
        ("ConvTranspose1d", Box::new(ConvTranspose1d::new(2, 3)), ones(&[1, 4, 6])),
        ("DepthwiseConv2d", Box::new(DepthwiseConv2d::new(3)), ones(&[1, 4, 6, 6])),
        ("SeparableConv2d", Box::new(SeparableConv2d::new(2, 3)), ones(&[1, 4, 6, 6])),
        ("MaxPool1d", Box::new(MaxPool1d::new(2)), ones(&[1, 4, 6])),
        ("AvgPool1d", Box::new(AvgPool1d::new(2)), ones(&[1, 4, 6])),
        ("AdaptiveAvgPool1d", Box::new(AdaptiveAvgPool1d::new(2)), ones(&[1, 4, 6])),
        ("GlobalAveragePool", Box::new(GlobalAveragePool), ones(&[1, 4, 6])),
        ("MeanOverTime", Box::new(MeanOverTime), ones(&[1, 6, 4])),
        ("Upsample", Box::new(Upsample::new(2)), ones(&[1, 4, 6])),
        ("Pad", Box::new(Pad::zeros(1)), ones(&[1, 4, 6])),
        ("GroupNorm", Box::new(GroupNorm::new(2)), ones(&[1, 4, 6])),
        ("InstanceNorm", Box::new(InstanceNorm::new()), ones(&[1, 4, 6])),
    ];
    for (name, mut layer, x) in layers {
        layer.build(&Shape::from(&x.shape()[1..]), rng).unwrap();
        layer.forward(&x, &mut ctx());
        says(layer.stream_length(), &[name, "whole sequence", "Stream", "TimeDistributed"]);
        let said = message(|| Stream::new(&*layer).feed(&x));
        assert!(said.contains(name) && said.contains("TimeDistributed"), "{said}");
    }
    let model = Sequential::new([4, 6]).add(Conv1d::new(4, 3).padding(1)).add(Lstm::new(3).return_sequences()).build();
    says(model.unwrap().stream_length(), &["Conv1d", "whole sequence"]);
}

/// What is within a step is whole.
#[test]
fn steps_of_a_stream_may_be_pictures_and_sequences() {
    let pictures = TimeDistributed::new(Conv2d::new(2, 3).padding(1)).add(GlobalAveragePool);
    let of_pictures = Sequential::new([4, 1, 5, 5]).add(pictures).add(Lstm::new(3).return_sequences());
    let words = TimeDistributed::new(Gru::new(2).bidirectional());
    let of_sequences = Sequential::new([4, 5, 3]).add(words).add(Lstm::new(3).return_sequences());
    for (model, sizes) in [(of_pictures, [2, 4, 1, 5, 5].as_slice()), (of_sequences, &[2, 4, 5, 3])] {
        let (model, x) = (model.build().unwrap(), Tensor::randn(sizes, &mut Rng::new(2)));
        assert_eq!(model.stream_length().unwrap(), None);
        let mut stream = Stream::new(&model);
        let pieces = [stream.feed(&x.i((.., ..1))), stream.feed(&x.i((.., 1..2))), stream.feed(&x.i((.., 2..)))];
        let whole = model.forward(&x, &mut ctx());
        assert!((hadal::concat(&pieces, 1) - whole).abs().max().item() < 1e-6);
    }
}
