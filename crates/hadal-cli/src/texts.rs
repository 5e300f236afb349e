//! Texts: their parts, and the networks that learn to continue them, character by character.

use std::path::Path;

use hadal::data::{Task, Text};
use hadal::nn::TimeDistributed;
use hadal::nn::networks::{GptConfig, gpt};
use hadal::optim::ParamGroup;
use hadal::prelude::*;
use hadal::train::Logs;
use hadal::{Error, Result};

use crate::config::{Config, NetworkName, ScheduleName, SplitConfig};
use crate::parts::Parts;

/// The sizes of nanoGPT's example for a laptop.
const CONTEXT: usize = 64;
const STEPS: usize = 2000;
const BATCH_SIZE: usize = 12;

/// Sets what is not set of the network and of the length of the training.
pub fn complete(config: &mut Config, rows: usize) {
    let own = &mut config.text;
    let is_gpt = *own.network.get_or_insert(NetworkName::Gpt) == NetworkName::Gpt;
    own.blocks.get_or_insert(if is_gpt { 4 } else { 2 });
    own.width.get_or_insert(if is_gpt { 128 } else { 256 });
    if is_gpt {
        own.heads.get_or_insert(4);
    }
    let training = &mut config.training;
    let batch_size = *training.batch_size.get_or_insert(BATCH_SIZE);
    match (own.steps, training.epochs) {
        // It goes over whole epochs.
        (None, None) if training.schedule == Some(ScheduleName::OneCycle) => {
            training.epochs = Some(STEPS.div_ceil(steps_per_epoch(rows, batch_size)));
        }
        (None, None) => own.steps = Some(STEPS),
        _ => {}
    }
    config.model.dropout.get_or_insert(0.0);
}

/// Reads a text and divides it, in order: the first part is for training, the last for tests.
pub fn parts_of(path: &Path, config: &mut Config) -> Result<Parts> {
    if config.data.task == Some(Task::Regression) {
        return Err(Error::Config(
            "a network for a text predicts the next character, which is a class, but the task is regression".into(),
        ));
    }
    let text = Text::read(path)?;
    config.data.text = Some(true);
    let share = test_share(&mut config.split)?;
    let context = *config.text.context.get_or_insert(CONTEXT);
    let (train, test) = text.divided(share, context)?;
    let vocabulary = text.vocabulary().clone();
    if vocabulary.len() == 1 {
        return Err(Error::File {
            path: path.to_owned(),
            reason: format!("is made of one character, {:?}: there is nothing to learn", vocabulary.characters()[0]),
        });
    }
    let found = format!(
        "{} characters, {} different ones; sequences of {context}: {} for training, from its beginning, and {} for tests, from its end",
        text.len(),
        vocabulary.len(),
        train.len(),
        test.len()
    );
    Ok(Parts {
        train,
        test: test.renamed(&format!("{} test", path.file_name().unwrap_or_default().to_string_lossy())),
        holdout: None,
        table: None,
        classes: vocabulary.characters().iter().map(char::to_string).collect(),
        task: Task::Classification,
        outputs: vocabulary.len(),
        vocabulary: Some(vocabulary),
        found: vec![found],
        digest: None,
    })
}

/// The share of the test part, a tenth if none is set.
fn test_share(own: &mut SplitConfig) -> Result<f64> {
    if own.holdout.is_some_and(|share| share > 0.0) {
        return Err(Error::Config(
            "a text has no holdout part: its first part is for training, its last for tests; set both shares, --split 90/10 for \
             example, and judge by another text, hadal evaluate MODEL OTHER.txt"
                .into(),
        ));
    }
    let (train, test) = match (own.train, own.test) {
        (None, None) => (0.9, 0.1),
        (Some(train), None) => (train, 1.0 - train),
        (None, Some(test)) => (1.0 - test, test),
        (Some(train), Some(test)) => (train, test),
    };
    if (train + test - 1.0).abs() > 1e-9 {
        return Err(Error::Config(format!("[split]: train and test add up to {}, not to 1", train + test)));
    }
    (own.train, own.test) = (Some(train), Some(test));
    Ok(test)
}

/// The error of a setting that has no meaning for a text.
pub fn unsuited(name: &str) -> Error {
    let instead = match name {
        "hidden" | "activation" | "l2" | "batch_norm" | "layers" => {
            "; its network is described by [text]: network, context, blocks, heads, width"
        }
        "stratify" | "rare_in_training" | "folds" | "fold" => "; its first part is for training, its last for tests",
        _ => "",
    };
    Error::Config(format!("the setting {name} is not for a text{instead}"))
}

/// The network of these settings, which are complete.
pub fn network(config: &Config, parts: &Parts) -> Result<Sequential> {
    let own = &config.text;
    let size = |size: Option<usize>| size.unwrap_or(1);
    let (context, layers, heads, width) = (size(own.context), size(own.blocks), size(own.heads), size(own.width));
    let (vocabulary, dropout) = (parts.outputs, config.model.dropout.unwrap_or(0.0));
    if own.network == Some(NetworkName::Lstm) {
        if own.heads.is_some() {
            return Err(Error::Config("[text] heads is for gpt; an lstm has none (leave out --heads)".into()));
        }
        return Ok(Sequential::new([context])
            .add(Embedding::new(vocabulary, width.div_ceil(4)))
            .add(Lstm::new(width).layers(layers).dropout(dropout).return_sequences())
            .add(TimeDistributed::new(Dense::new(vocabulary))));
    }
    if width % heads != 0 {
        let (below, above) = (width / heads * heads, width.div_ceil(heads) * heads);
        let near = if below == 0 { above.to_string() } else { format!("{below} or {above}") };
        return Err(Error::Config(format!(
            "[text] width {width} cannot be divided among heads {heads}; choose a width of {near} (--width), or other heads (--heads)"
        )));
    }
    gpt(GptConfig { vocabulary, context, layers, heads, width, dropout, bias: false, ..GptConfig::default() })
}

/// AdamW as nanoGPT sets it: weights of normalizations do not decay.
pub fn adamw(config: &Config, learning_rate: f64, weight_decay: f64) -> AdamW {
    let optimizer = AdamW::new(learning_rate).betas(0.9, 0.99).weight_decay(weight_decay);
    let norms = ["ln_1.weight", "ln_2.weight", "ln_f.weight"];
    let norms = norms.into_iter().filter(|_| config.text.network == Some(NetworkName::Gpt));
    norms.fold(optimizer, |optimizer, norm| optimizer.param_group(ParamGroup::suffix(norm).weight_decay(0.0)))
}

/// The steps of an epoch.
fn steps_per_epoch(rows: usize, batch_size: usize) -> usize {
    rows.div_ceil(batch_size.min(rows))
}

/// How long a training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    pub steps: usize,
    /// The epochs that the steps take; the last may be cut.
    pub epochs: usize,
    pub steps_per_epoch: usize,
}

/// That of the settings.
pub fn length(config: &Config, parts: &Parts) -> Length {
    let steps_per_epoch = steps_per_epoch(parts.train.len(), config.training.batch_size.unwrap_or(BATCH_SIZE));
    match (config.text.steps, config.training.epochs.unwrap_or(1)) {
        (Some(steps), _) => Length { steps, epochs: steps.div_ceil(steps_per_epoch), steps_per_epoch },
        (None, epochs) => Length { steps: epochs.saturating_mul(steps_per_epoch), epochs, steps_per_epoch },
    }
}

/// The learning rate over the steps of the training: a cosine comes after a warm-up over the first twentieth. That the time is up
/// earlier does not change it.
pub fn schedule(config: &Config, parts: &Parts) -> Schedule {
    if config.training.schedule != Some(ScheduleName::Cosine) {
        return crate::network::schedule(config);
    }
    let steps = length(config, parts).steps;
    // Its first restart would be after the end.
    let cosine = |steps: usize| Schedule::CosineRestarts { t_0: steps, t_mult: 1 };
    match steps / 20 {
        0 => cosine(steps),
        warmup_steps => Schedule::WarmUp { warmup_steps, then: Box::new(cosine(steps - warmup_steps)) },
    }
}

/// What the loss of a text comes to: how many characters the network hesitates between, and the size that it could compress to.
pub fn in_other_words(score: &Logs) -> String {
    let loss = score.get("loss").unwrap_or(f64::NAN);
    format!(" (perplexity {:.3}, {:.3} bits per character)", loss.exp(), loss / std::f64::consts::LN_2)
}
