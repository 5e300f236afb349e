//! The network of a text, and how long it is trained.

use serde::{Deserialize, Serialize};

/// The section `[text]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
}

impl TextConfig {
    /// Whether nothing is set, as for all other sources.
    pub fn is_empty(&self) -> bool {
        *self == TextConfig::default()
    }
}

/// The networks for texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
pub enum NetworkName {
    /// A transformer: it sees the last --context characters
    Gpt,
    /// A recurrent network: it remembers what it has read
    Lstm,
}
