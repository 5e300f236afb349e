//! The command line of `hadal explain`.

use std::path::PathBuf;

use super::THREADS;
use super::numbers::{self, at_least_one, threads};

/// Show what a trained model's predictions depend on
///
/// For a table: how much worse the score becomes when a column's values are shuffled among the rows (permutation importance), with
/// the standard deviation over the repeats. For images: which pixels change the predicted class's score most (saliency), as PNG
/// files.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true, after_help = EXPLAIN_EXAMPLES)]
pub struct Explain {
    /// Folder that `train --out` wrote, or a model file
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,

    /// A table with the target, or images
    #[arg(value_name = "DATA", required = true)]
    pub data: Vec<PathBuf>,

    /// How often each column is shuffled
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    pub repeats: usize,

    /// Random seed of the shuffles
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = numbers::seed)]
    pub seed: u64,

    /// Folder for the pictures of saliency
    #[arg(long, value_name = "FOLDER", default_value = "saliency")]
    pub out: PathBuf,

    /// Overwrite pictures of saliency that are there
    #[arg(long)]
    pub overwrite: bool,

    /// Print comma-separated values (tables)
    #[arg(long)]
    pub csv: bool,

    // The same for each command.
    #[arg(long, value_name = "N", value_parser = threads, help = THREADS)]
    pub threads: Option<usize>,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  hadal explain model titanic.csv
  hadal explain model cat.png --out pictures";
