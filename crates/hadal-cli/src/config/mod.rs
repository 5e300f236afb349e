//! The settings of a run: what a configuration file says, what flags say over it, and what is filled in.

mod check;
mod example;
mod place;
mod read;
pub mod space;
mod suits;
mod text;
mod write;

pub use check::check;
pub use read::{parse, read};
pub use suits::{Kind, unsuited};
pub use text::{NetworkName, TextConfig};
pub use write::{commented, difference, flat, to_toml};

use std::collections::BTreeMap;

use hadal::data::{Augment, Task};
use hadal::nn::{Activation, LayerConfig};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Everything that decides a run. What is not set is filled in by [`complete`](crate::defaults::complete), so that the
/// settings that lie in a model file are complete.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub data: Data,
    pub split: SplitConfig,
    pub preprocess: Preprocess,
    pub model: Model,
    #[serde(skip_serializing_if = "TextConfig::is_empty")]
    pub text: TextConfig,
    pub loss: LossConfig,
    pub optimizer: OptimizerConfig,
    pub training: Training,
    /// Ranges of settings that a search tries: sections and keys as above, with a range in place of each value.
    #[serde(skip_serializing_if = "toml::Table::is_empty")]
    pub tune: toml::Table,
}

/// Where the samples are, and how they are read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_first: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal_comma: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "two")]
    pub size: Option<[usize; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<Colour>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, String>,
}

/// Two numbers. serde's own arrays take a longer list, and drop what is left of it.
fn two<'de, D: Deserializer<'de>>(list: D) -> Result<Option<[usize; 2]>, D::Error> {
    let list = Vec::deserialize(list)?;
    let fault = |list: Vec<usize>| D::Error::invalid_length(list.len(), &"an array of length 2");
    list.try_into().map(Some).map_err(fault)
}

/// Steps and learning rates.
fn changes<'de, D: Deserializer<'de>>(list: D) -> Result<Option<Vec<(usize, f64)>>, D::Error> {
    let list = Vec::<Vec<f64>>::deserialize(list)?;
    let pair = |pair: &Vec<f64>| match pair[..] {
        [step, rate] if step.fract() == 0.0 && (0.0..1e15).contains(&step) => Ok((step as usize, rate)),
        [_, _] => Err(D::Error::custom("a step must be a whole number")),
        _ => Err(D::Error::invalid_length(pair.len(), &"an array of length 2")),
    };
    list.iter().map(pair).collect::<Result<_, _>>().map(Some)
}

/// The layers of a network; an error says which one it is about: `layer 2: ...`.
fn numbered<'de, D: Deserializer<'de>>(list: D) -> Result<Option<Vec<LayerConfig>>, D::Error> {
    let list = Vec::<toml::Value>::deserialize(list)?;
    let layer = |(index, layer): (usize, toml::Value)| {
        LayerConfig::deserialize(layer)
            .map_err(|error| D::Error::custom(format!("layer {}: {}", index + 1, error.message())))
    };
    list.into_iter().enumerate().map(layer).collect::<Result<_, _>>().map(Some)
}

/// The channels of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// One channel
    #[serde(alias = "gray")]
    #[value(alias = "gray")]
    Grey,
    /// Red, green and blue
    Rgb,
}

/// The parts: training, test and holdout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stratify: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rare_in_training: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
}

/// What becomes of the samples before the network sees them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preprocess {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_one_hot: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standardize: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augment: Option<Augment>,
}

/// The network: hidden layers of one kind, or all layers one by one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l2: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_norm: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "numbered")]
    pub layers: Option<Vec<LayerConfig>>,
}

/// The loss.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<LossName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
}

/// The losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
pub enum LossName {
    /// Cross-entropy of the classes' probabilities
    CategoricalCrossentropy,
    /// Mean squared error
    #[serde(alias = "mse")]
    #[value(alias = "mse")]
    MeanSquaredError,
    /// Mean absolute error: large errors count less
    #[serde(alias = "mae")]
    #[value(alias = "mae")]
    MeanAbsoluteError,
    /// Squared for errors below a standard deviation, absolute above
    Huber,
}

/// How much each class counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassWeights {
    Rule(ClassWeightRule),
    Each(Vec<f64>),
}

/// Rules for class weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeightRule {
    Balanced,
}

/// The optimizer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<OptimizerName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}

/// The optimizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerName {
    /// Stochastic gradient descent
    Sgd,
    /// RMSprop, as in Keras
    Rmsprop,
    /// Adam, as in Keras
    Adam,
    /// Adam with decoupled weight decay
    Adamw,
}

/// The loop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_batch_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_delta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_best: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<PrecisionName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<usize>,
    /// After which step, and to what.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "changes")]
    pub learning_rate_changes: Option<Vec<(usize, f64)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<String>,
}

/// The learning rate schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
pub enum ScheduleName {
    /// Constant learning rate
    Constant,
    /// Cosine annealing to 0 over the run
    Cosine,
    /// Up to the learning rate, then down to 0 (the one-cycle policy)
    OneCycle,
}

/// The precision of matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum PrecisionName {
    /// Full f32 precision
    Highest,
    /// Two bf16 terms per factor, on processors where this is faster (AMX)
    High,
    /// Factors rounded to bf16, on processors where this is faster (AMX, or AVX-512 with bf16)
    Medium,
}
