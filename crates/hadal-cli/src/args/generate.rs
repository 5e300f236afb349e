//! The command line of `hadal generate`.

use std::path::PathBuf;

use super::THREADS;
use super::numbers::{self, at_least_one, threads};

/// Continue a text with a model that was trained on one
///
/// Prints the characters that come after the prompt, each as soon as it is drawn, and nothing else. The text may become longer
/// than the context that a gpt was trained on: it then goes on from the last characters alone.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true, after_help = EXAMPLES)]
pub struct Generate {
    /// Folder that `train FILE.txt` wrote, or a model file
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,

    /// Text to continue; each of its characters must occur in the training text [default: empty, which begins a new line]
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub prompt: String,

    /// Number of characters
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = at_least_one)]
    pub length: usize,

    /// Divides the logits before a character is drawn: below 1, probable characters become more probable; above 1, less; 0 always
    /// takes the most probable one
    #[arg(long, value_name = "T", default_value_t = 0.8, value_parser = numbers::not_negative)]
    pub temperature: f64,

    /// Draw among the K most probable characters [default: among all]
    #[arg(long, value_name = "K", value_parser = at_least_one)]
    pub top_k: Option<usize>,

    /// Draw among the most probable characters alone, as few as have probabilities that add up to P; 1 draws among all
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = numbers::up_to_one)]
    pub top_p: f64,

    /// Random seed; the same seed gives the same text
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = numbers::seed)]
    pub seed: u64,

    // The same for each command.
    #[arg(long, value_name = "N", value_parser = threads, help = THREADS)]
    pub threads: Option<usize>,
}

const EXAMPLES: &str = "\
Examples:
  hadal generate model --prompt \"To be, or not\"
  hadal generate model --length 2000 --temperature 0.6 --seed 3 > new.txt
  hadal generate model --prompt $'ROMEO:\\n'          a line break, as bash writes it";
