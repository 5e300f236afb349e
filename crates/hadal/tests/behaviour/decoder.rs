//! An encoder and a decoder learn to translate, and go on piece by piece as in one.

use std::sync::Mutex;

use hadal::nn::{
    AttentionMask, SinusoidalPositions, Stream, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
};
use hadal::prelude::*;

/// Words, and one that begins each translation.
const WORDS: usize = 7;
const BEGIN: i64 = 6;
const LENGTH: usize = 5;

#[derive(Module)]
struct Translator {
    source: Linear,
    target: Linear,
    encoder: TransformerEncoder,
    decoder: TransformerDecoder,
    output: Linear,
}

impl Translator {
    fn new(rng: &mut Rng) -> hadal::Result<Translator> {
        let block = TransformerEncoderLayer::new(2).feedforward(64).dropout(0.0);
        Ok(Translator {
            source: Linear::new(WORDS, 32, rng),
            target: Linear::new(WORDS, 32, rng),
            encoder: TransformerEncoder::new(block, 1).built([LENGTH, 32], rng)?,
            decoder: TransformerDecoder::new(
                TransformerDecoderLayer::new(2).feedforward(64).dropout(0.0).causal(),
                1,
                32,
                rng,
            )?,
            output: Linear::new(32, WORDS, rng),
        })
    }

    fn encode(&self, source: &Tensor, ctx: &mut Context) -> Tensor {
        let x = SinusoidalPositions.forward(&self.source.forward(&source.one_hot(WORDS), ctx), ctx);
        self.encoder.encode(&x, &AttentionMask::new(), ctx)
    }

    /// Scores of the words that follow each of `target`.
    fn decode(&self, target: &Tensor, memory: &Tensor, ctx: &mut Context) -> Tensor {
        let x = SinusoidalPositions.forward(&self.target.forward(&target.one_hot(WORDS), ctx), ctx);
        let all = AttentionMask::new();
        self.output.forward(&self.decoder.decode(&x, memory, &all, &all, ctx), ctx)
    }
}

/// The decoder of given sequences, which can be exchanged.
struct Continuation {
    translator: Translator,
    memory: Mutex<Tensor>,
}

impl Module for Continuation {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.translator.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.translator.visit_mut(path, visitor);
    }
}

impl Forward for Continuation {
    fn forward(&self, target: &Tensor, ctx: &mut Context) -> Tensor {
        let memory = self.memory.lock().unwrap().clone();
        self.translator.decode(target, &memory, ctx)
    }
}

#[test]
fn a_decoder_learns_to_reverse_what_is_encoded() {
    let rng = &mut Rng::new(1);
    let mut translator = Translator::new(rng).unwrap();
    let sentences =
        |count: usize, rng: &mut Rng| (Tensor::rand([count, LENGTH], rng) * BEGIN as f64).floor().to_dtype(DType::I64);
    let begin = |count: usize| Tensor::full_of([count, 1], BEGIN as f64, DType::I64);
    let loss = CategoricalCrossentropy.from_logits();
    let mut optimizer = Adam::new(0.003);
    let mut ctx = Context::training(Rng::new(2));
    for _ in 0..300 {
        let source = sentences(32, rng);
        let target = source.flip(&[1]);
        let given = hadal::concat(&[begin(32), target.slice(1, ..LENGTH - 1)], 1);
        let memory = translator.encode(&source, &mut ctx);
        let scores = translator.decode(&given, &memory, &mut ctx);
        let loss = loss.loss(&scores.reshape([REST, WORDS]), &target.flatten(0));
        optimizer.step(&mut translator, &loss.backward());
    }

    // Word by word, each from those before it.
    let source = sentences(100, rng);
    let memory = no_grad(|| translator.encode(&source, &mut Context::evaluation()));
    let model = Continuation { translator, memory: Mutex::new(memory.clone()) };
    let mut stream = Stream::new(&model);
    let (mut given, mut scores) = (vec![begin(100)], Vec::new());
    for place in 0..LENGTH {
        scores.push(stream.feed(&given[place]));
        given.push(scores[place].argmax(2));
    }
    let found = hadal::concat(&given[1..], 1);
    let right = found.eq(source.flip(&[1])).to_dtype(DType::I64).min_axes(&[1]).sum().item();
    assert!(right >= 95.0, "{right} of 100 sentences");

    let whole = |given: &[Tensor], memory: &Tensor| {
        no_grad(|| model.translator.decode(&hadal::concat(given, 1), memory, &mut Context::evaluation()))
    };
    let close = |a: &Tensor, b: &Tensor| assert!((a - b).abs().max().item() < 1e-4);
    close(&hadal::concat(&scores, 1), &whole(&given[..LENGTH], &memory));
    // Other sequences are not taken for those before them.
    let other = memory.flip(&[0]);
    *model.memory.lock().unwrap() = other.clone();
    close(&stream.feed(&given[LENGTH]), &whole(&given, &other).slice(1, LENGTH..));
}
