//! Two language models of characters: a small GPT at nanoGPT's setting for a laptop, and an LSTM; each continues
//! the text's first character when it has been trained. Usage: gpt|lstm [STEPS [TEXT FILE]]
use std::time::Instant;

use hadal::data::Text;
use hadal::nn::networks::{GptConfig, gpt};
use hadal::nn::{Generator, Sampling, TimeDistributed};
use hadal::optim::ParamGroup;
use hadal::prelude::*;

const CONTEXT: usize = 64;

fn main() -> hadal::Result<()> {
    let argument = |n: usize| std::env::args().nth(n);
    let kind = argument(1).unwrap_or("gpt".into());
    let steps: usize = argument(2).and_then(|text| text.parse().ok()).unwrap_or(2000);
    let folder = std::env::var("HADAL_DATA_DIR").unwrap_or_default();
    let text = Text::read(argument(3).unwrap_or(format!("{folder}/text/tinyshakespeare.txt")))?;
    let vocabulary = text.vocabulary().len();
    let (train, test) = text.divided(0.1, CONTEXT)?;

    let is_gpt = kind == "gpt";
    let sizes = GptConfig {
        vocabulary,
        context: CONTEXT,
        layers: 4,
        heads: 4,
        width: 128,
        bias: false,
        ..GptConfig::default()
    };
    let network = if is_gpt {
        gpt(sizes)?
    } else {
        Sequential::new([CONTEXT])
            .add(Embedding::new(vocabulary, 64))
            .add(Lstm::new(256).layers(2).return_sequences())
            .add(TimeDistributed::new(Dense::new(vocabulary)))
    };
    let mut optimizer = AdamW::new(0.002).betas(0.9, 0.99).weight_decay(0.1);
    // Weights of normalizations are not decayed.
    for suffix in ["ln_1.weight", "ln_2.weight", "ln_f.weight"].into_iter().filter(|_| is_gpt) {
        optimizer = optimizer.param_group(ParamGroup::suffix(suffix).weight_decay(0.0));
    }
    let mut model = network.seed(1).compile(optimizer, CategoricalCrossentropy.from_logits(), [Accuracy])?;
    println!("{}", model.summary());
    let schedule = Schedule::WarmUp { warmup_steps: steps / 20, then: Box::new(Schedule::Cosine) };
    let epochs = (steps * 12).div_ceil(train.len());
    let fit = Fit::epochs(epochs).max_steps(steps).batch_size(12).clip_norm(1.0).schedule(schedule);
    let start = Instant::now();
    model.fit(&train, fit)?;
    println!("{steps} steps in {:.1} s", start.elapsed().as_secs_f64());
    println!("Test {}", model.evaluate(&test)?);

    let prompt = &text.tokens()[..1];
    let context = is_gpt.then_some(CONTEXT);
    let start = Instant::now();
    let generator = Generator::new(&model.model, prompt, context, Sampling::new().temperature(0.8), Rng::new(1))?;
    let continued = generator.take(500).collect::<hadal::Result<Vec<i64>>>()?;
    println!("{}", text.vocabulary().decode(&continued));
    println!("500 characters in {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}
