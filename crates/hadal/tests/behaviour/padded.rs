//! Networks of sequences that were padded to one length: the padding changes nothing.

use hadal::concat;
use hadal::data::pad_sequences;
use hadal::nn::{
    Chain, Checkpointed, DropPath, Ensemble, Flatten, GlobalAveragePool, Initializer, Merge, PRelu, Parallel, Residual,
    SinusoidalPositions, Stream, TimeDistributed, TransformerEncoder,
};
use hadal::train::Trainer;

use super::*;

const SEQUENCES: [&[i64]; 6] = [&[3, 1, 2], &[4], &[2, 5, 5, 1], &[1, 1], &[5, 4, 3, 2], &[2]];

/// The sequences, padded to `time`.
fn words(time: usize) -> Tensor {
    let x = pad_sequences(&SEQUENCES, 0).unwrap();
    hadal::concat(&[x, Tensor::zeros([6, time - 4]).to_dtype(DType::I64)], 1)
}

/// With a label for each step, `beyond` behind the ends.
fn tagged(time: usize, beyond: i64) -> Dataset {
    let x = words(time);
    let tags = x.eq(0).where_(&Tensor::full([], beyond as f64).to_dtype(DType::I64), &x.eq(1).to_dtype(DType::I64));
    Dataset::new("tags", x, tags).unwrap()
}

fn classified(time: usize) -> Dataset {
    Dataset::new("classes", words(time), labels([0, 1, 0, 1, 0, 1])).unwrap()
}

fn input(time: usize) -> Sequential {
    Sequential::new([time]).seed(1).add(Embedding::new(6, 4).padding_index(0))
}

fn tagger(time: usize) -> Sequential {
    input(time)
        .add(Lstm::new(5).bidirectional().return_sequences())
        .add(LayerNorm::new())
        .add(Dropout::new(0.3))
        .add(Residual::new().add(Gru::new(10).return_sequences()).add(Relu))
        .add(TimeDistributed::new(Dense::new(2)))
}

fn compiled(model: Sequential) -> Trainer<Sequential> {
    model.compile(Adam::new(0.05), CategoricalCrossentropy.from_logits(), Accuracy).unwrap()
}

fn bits(model: &impl Module) -> Vec<Vec<f32>> {
    model.state_dict().into_iter().map(|(_, tensor)| tensor.to_vec::<f32>()).collect()
}

#[test]
fn more_padding_and_what_stands_behind_the_ends_change_no_bit_of_the_training() {
    let train = |model: Sequential, data: &Dataset, fit: Fit| {
        let mut model = compiled(model);
        let history = model.fit(data, fit.quiet()).unwrap();
        (bits(&model.model), history.last("loss").unwrap(), history.last("accuracy").unwrap())
    };
    let fit = || Fit::epochs(3).batch_size(2);
    let last = |time: usize| input(time).add(Gru::new(5).bidirectional()).add(Dense::new(2));
    assert_eq!(train(last(4), &classified(4), fit()), train(last(7), &classified(7), fit()));
    let weighted = |data: Dataset| data.sample_weights(&[1.0, 0.0, 2.0, 1.0, 0.5, 1.0]).unwrap();
    // A Dropout layer would draw numbers for the padding, too.
    let steps = |time: usize| {
        let model = input(time).add(Lstm::new(5).layers(2).dropout(0.3).return_sequences());
        model.add(TimeDistributed::new(Dense::new(2)))
    };
    for fit in [fit, || Fit::epochs(3).batch_size(2).accumulate(2)] {
        let expected = train(steps(4), &weighted(tagged(4, 0)), fit());
        assert_eq!(expected, train(steps(4), &weighted(tagged(4, 1)), fit()));
        assert_eq!(expected, train(steps(7), &weighted(tagged(7, 1)), fit()));
    }
}

/// What attends does not see the padding.
fn attentive(time: usize) -> Sequential {
    let block = || TransformerEncoderLayer::new(2).feedforward(8).dropout(0.0);
    input(time)
        .add(LearnedPositions::new(7).initializer(Initializer::Normal(1.0)))
        .add(MultiHeadAttention::new(2))
        .add(Residual::new().add(SinusoidalPositions).add(PRelu::new()).add(DropPath::new(0.0)))
        .add(TransformerEncoder::new(block(), 2).final_norm())
        .add(block().causal())
        .add(MultiHeadAttention::new(1).causal())
        .add(TimeDistributed::new(Dense::new(2)))
}

#[test]
fn a_sequence_alone_gives_what_it_gives_among_longer_ones() {
    for network in [tagger, attentive] {
        let y = network(6).build().unwrap().forward(&words(6), &mut Context::evaluation());
        for (sample, sequence) in (0..).zip(SEQUENCES) {
            let alone = network(sequence.len()).build().unwrap();
            let x = Tensor::from_vec(sequence.to_vec(), [1, sequence.len()]);
            let expected = alone.forward(&x, &mut Context::evaluation());
            let own = y.i((sample..sample + 1, ..sequence.len() as isize));
            assert!((own - expected).abs().max().item() < 1e-5, "sample {sample}");
        }
    }
}

#[test]
fn a_mean_over_time_is_of_the_steps_before_the_end_whatever_is_behind() {
    let mean = |x: &Tensor, lengths: &[usize]| {
        let mut ctx = Context::evaluation();
        ctx.set_lengths(Some(lengths.into()));
        MeanOverTime.forward(x, &mut ctx)
    };
    let x =
        Tensor::from([1.0, 3.0, f32::NAN, 2.0, 4.0, 9.0, f32::INFINITY, 5.0, 7.0]).reshape([3, 3, 1]).requires_grad();
    let y = mean(&x, &[2, 3, 0]);
    assert_eq!(y.to_vec::<f32>(), [2.0, 5.0, 0.0]);
    let third = 1.0 / 3.0;
    assert_eq!(y.sum().backward()[&x].to_vec::<f32>(), [0.5, 0.5, 0.0, third, third, third, 0.0, 0.0, 0.0]);
    for time in [3, 5, 7] {
        let x = Tensor::randn([2, time, 9], &mut Rng::new(1));
        let padded = concat(&[x.clone(), Tensor::full([2, 4, 9], f64::NAN)], 1);
        let alone = MeanOverTime.forward(&x, &mut Context::evaluation());
        assert!((mean(&padded, &[time; 2]) - alone).abs().max().item() < 1e-6, "{time}");
    }
    // Steps of pictures; and every step counts where nothing says otherwise.
    let films = Tensor::arange(24).to_dtype(DType::F32).reshape([2, 3, 2, 2]);
    assert_eq!(mean(&films, &[1, 3]).to_vec::<f32>(), [0.0, 1.0, 2.0, 3.0, 16.0, 17.0, 18.0, 19.0]);
    assert_eq!(MeanOverTime.forward(&films, &mut Context::evaluation()).shape(), &[2, 2, 2]);
    for lengths in [&[1, 2][..], &[1, 2, 4]] {
        panics(|| mean(&x, lengths), &["MeanOverTime", "the lengths of", "[3, 3, 1]", "set_lengths(None)"]);
    }
}

#[test]
fn attention_refuses_lengths_that_do_not_fit() {
    let causal = || Sequential::new([3, 4]).add(MultiHeadAttention::new(2).causal()).build().unwrap();
    let x = Tensor::ones([2, 3, 4]);
    for lengths in [vec![2], vec![2, 4], vec![1, 2, 3]] {
        let mut ctx = Context::evaluation();
        ctx.set_lengths(Some(lengths.into()));
        panics(
            || causal().forward(&x, &mut ctx),
            &["MultiHeadAttention", "the lengths of", "[2, 3, 4]", "set_lengths(None)"],
        );
    }
    // What comes next would follow the padding.
    let words = || Sequential::new([3]).add(Embedding::new(6, 4).padding_index(0));
    let piece = Tensor::from([[3, 1, 0], [4, 2, 5]]);
    for network in [words().add(LearnedPositions::new(9)), words().add(MultiHeadAttention::new(2).causal())] {
        let network = network.build().unwrap();
        panics(|| Stream::new(&network).feed(&piece), &["sample 0 has 2 of 3 steps", "without padding"]);
        let mut stream = Stream::new(&network);
        let whole = Tensor::from([[3, 1, 4], [4, 2, 5]]);
        let parts = [stream.feed(&whole.slice(1, ..2)), stream.feed(&whole.slice(1, 2..))];
        let expected = no_grad(|| network.forward(&whole, &mut Context::evaluation()));
        assert!((concat(&parts, 1) - expected).abs().max().item() < 1e-5);
    }
}

/// A mean of what is before the end.
fn averaged(time: usize) -> Sequential {
    input(time).add(Gru::new(5).return_sequences()).add(MeanOverTime).add(Dense::new(2))
}

#[test]
fn attention_and_means_learn_from_padded_sequences_what_they_learn_without_more_padding() {
    learns_the_same(attentive, |time| tagged(time, 1));
    learns_the_same(averaged, classified);
}

fn learns_the_same(network: fn(usize) -> Sequential, data: fn(usize) -> Dataset) {
    let train = |time: usize| {
        let mut model = compiled(network(time));
        let history = model.fit(&data(time), Fit::epochs(3).batch_size(2).quiet()).unwrap();
        let end = concat(&model.model.state_dict().iter().map(|(_, x)| x.flatten(0)).collect::<Vec<_>>(), 0);
        (history.last("loss").unwrap(), end)
    };
    let ((loss, weights), (other_loss, other_weights)) = (train(4), train(7));
    assert!((loss - other_loss).abs() < 1e-4, "{loss} {other_loss}");
    assert!((weights - other_weights).abs().max().item() < 1e-2);
}

#[test]
fn scores_are_of_the_steps_that_there_are() {
    let data = tagged(6, 1);
    let model = compiled(tagger(6));
    let (scores, y) = (model.evaluate(&data).unwrap(), model.predict(&data).unwrap());
    let (mut losses, mut right, mut count) = (0.0, 0, 0);
    for (sample, sequence) in (0..).zip(SEQUENCES) {
        for (step, word) in (0..).zip(sequence) {
            let own = y.i((sample..sample + 1, step));
            let tag = labels([i64::from(*word == 1)]);
            losses += CategoricalCrossentropy.from_logits().loss(&own, &tag).item();
            right += usize::from(own.argmax(1).item() == tag.item());
            count += 1;
        }
    }
    assert!((scores["loss"] - losses / count as f64).abs() < 1e-6);
    assert_eq!(scores["accuracy"], right as f64 / count as f64);
    let own = model.sample_losses(&data).unwrap();
    let counts: Vec<f64> = own.iter().map(|(_, steps)| *steps).collect();
    assert_eq!(counts, SEQUENCES.map(|sequence| sequence.len() as f64));
    assert!((own.iter().map(|(loss, _)| loss).sum::<f64>() - losses).abs() < 1e-5);
    assert!(model.intervals(&data, &scores).unwrap().iter().any(|interval| interval.name == "loss"));
}

#[test]
fn callbacks_see_samples_counted_and_the_steps_that_count() {
    let (mut model, mut seen) = (compiled(tagger(4)), Vec::new());
    let watch = |event: &Event| {
        if let Event::BatchEnd { samples, predictions, targets, .. } = event {
            let shapes = [predictions, targets].map(|parts| parts.iter().next().unwrap().1.shape().to_vec());
            seen.push((*samples, shapes));
        }
        Ok(Flow::Continue)
    };
    model.fit(&tagged(4, 0), Fit::epochs(1).batch_size(6).quiet().on_event(watch)).unwrap();
    assert_eq!(seen, [(6, [vec![15, 2], vec![15]])]);
}

#[test]
fn a_saved_model_knows_its_padding() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let data = tagged(4, 0);
    let mut model = compiled(tagger(4));
    model.fit(&data, Fit::epochs(2).quiet()).unwrap();
    model.model.save(&path, &Default::default()).unwrap();
    let loaded = compiled(Sequential::load(&path).unwrap().0);
    assert_eq!(loaded.model.architecture(), model.model.architecture());
    assert_eq!(loaded.evaluate(&data).unwrap(), model.evaluate(&data).unwrap());
    assert_eq!(loaded.predict(&words(4)).unwrap().to_vec::<f32>(), model.predict(&words(4)).unwrap().to_vec::<f32>());
    let same = Ensemble::of([loaded.model, Sequential::load(&path).unwrap().0]).unwrap();
    let (same, own) = (compiled(same).evaluate(&data).unwrap(), model.evaluate(&data).unwrap());
    assert!((same["loss"] - own["loss"]).abs() < 1e-6);
}

#[test]
fn checkpointed_layers_compute_again_with_the_same_lengths() {
    let gru = || Gru::new(5).bidirectional().return_sequences();
    let plain = input(4).add(gru()).add(gru());
    let less = input(4).add(Checkpointed::new(Chain::new().add(gru()).add(gru())));
    let [plain, less] = [plain, less].map(|model| {
        let mut model = compiled(model.add(TimeDistributed::new(Dense::new(2))));
        model.fit(&tagged(4, 1), Fit::epochs(2).batch_size(4).quiet()).unwrap();
        bits(&model.model)
    });
    assert_eq!(plain, less);
}

#[test]
fn sequences_that_are_not_padded_behind_are_refused_by_name() {
    let mut model = compiled(input(4).add(Gru::new(3)).add(Dense::new(2)));
    let mut fit = |x: Tensor| {
        let y = Tensor::zeros([x.size(0)]).to_dtype(DType::I64);
        model.fit(&Dataset::new("words", x, y).unwrap(), Fit::epochs(1).quiet())
    };
    says(
        fit(Tensor::from([[1, 2, 3, 4], [1, 0, 3, 0]])),
        &["words", "sample 1", "padding (index 0) at step 1", "index 3"],
    );
    says(fit(Tensor::from([[0, 0, 3, 4]])), &["sample 0", "at the end of a sequence alone"]);
    says(fit(Tensor::from([[0, 0, 0, 0]])), &["sample 0 is nothing but padding", "leave the sample out"]);
    let mut many = vec![1i64; 1204 * 4];
    many[1203 * 4] = 0;
    says(fit(Tensor::from_vec(many, [1204, 4])), &["counted from sample 1000: sample 203 has padding"]);
    let bad = Tensor::from([[0, 1, 1, 1]]);
    says(model.predict(&bad), &["sample 0 has padding"]);
    panics(|| model.model.forward(&bad, &mut Context::evaluation()), &["Embedding: sample 0 has padding"]);
}

#[test]
fn networks_that_would_mix_sequences_with_their_padding_are_refused_when_they_are_built() {
    let steps = || input(4).add(Gru::new(3).return_sequences());
    let mixes = "would mix the steps of a sequence with the padding";
    says(input(4).add(Flatten).build(), &["layer 2 (Flatten)", mixes, "TimeDistributed"]);
    says(steps().add(BatchNorm::new()).build(), &["layer 3 (BatchNorm)", mixes]);
    says(steps().add(PRelu::per_channel()).build(), &["layer 3 (PRelu", "one slope"]);
    says(steps().add(PRelu::keras()).build(), &["layer 3 (PRelu", "one slope"]);
    says(steps().add(GlobalAveragePool).build(), &["layer 3 (GlobalAveragePool)", mixes, "MeanOverTime"]);
    says(
        steps().add(Residual::new().add(BatchNorm::new())).build(),
        &["layer 3 (Residual", "layer 1 (BatchNorm)", mixes],
    );
    let branches =
        Parallel::new(Merge::Concatenate).branch(Chain::new().add(Relu)).branch(Chain::new().add(BatchNorm::new()));
    says(steps().add(branches).build(), &["branch 2: layer 1 (BatchNorm)", mixes]);
    let within = TimeDistributed::new(Embedding::new(6, 4).padding_index(0));
    says(Sequential::new([2, 4]).add(within).build(), &["for each step is itself padded sequences"]);
    assert!(input(4).add(Gru::new(3)).add(BatchNorm::new()).build().is_ok());
    says(Sequential::new([4]).add(Embedding::new(6, 4).padding_index(6)).build(), &["padding index 6", "the 6 of"]);
    says(Sequential::new([2, 4]).add(Embedding::new(6, 4).padding_index(0)).build(), &["shape [time]", "[2, 4]"]);
}

#[test]
fn targets_and_outputs_have_a_place_for_each_step() {
    let per_sample = classified(4);
    let mut model = tagger(4).compile(Adam::default(), CategoricalCrossentropy.from_logits(), ()).unwrap();
    says(model.fit(&per_sample, Fit::epochs(1).quiet()), &["one target for each step", "[N, 4, ..]", "[6]"]);

    #[derive(Module)]
    struct Last {
        words: Embedding,
        gru: Gru,
        forgets: Forgets,
        output: Linear,
    }
    #[derive(Module)]
    struct Forgets(bool);
    impl Forward for Last {
        fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
            let y = self.gru.forward(&self.words.forward(x, ctx), ctx).max_axes(&[1]);
            if self.forgets.0 {
                ctx.set_lengths(None);
            }
            self.output.forward(&y, ctx)
        }

        fn check_inputs(&self, x: &Tensor) -> Result<()> {
            self.words.check_inputs(x)
        }
    }
    let train = |forgets: bool| {
        let rng = &mut Rng::new(1);
        let words = Embedding::new(6, 4).padding_index(0).built([4], rng).unwrap();
        let gru = Gru::with(4, 3, rng).return_sequences();
        let net = Last { words, gru, forgets: Forgets(forgets), output: Linear::new(3, 2, rng) };
        let mut model = Trainer::new(net, Sgd::new(0.1), CategoricalCrossentropy.from_logits(), ());
        model.fit(&per_sample, Fit::epochs(1).quiet())
    };
    says(train(false), &["at the end of the pass", "[6, 2]", "ctx.set_lengths(None)"]);
    assert!(train(true).is_ok());
}
