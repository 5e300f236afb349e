//! The command line.

pub mod numbers;
mod settings;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use hadal::train::Every;
use numbers::{at_least_one, threads};
pub use settings::Settings;

/// Train, evaluate and use neural networks.
#[derive(Debug, Parser)]
#[command(name = "hadal", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Args {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  hadal train                                        MNIST
  hadal train iris.csv --target species --out model  a table
  hadal evaluate model
  hadal predict model new.csv";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a neural network on a table, images, arrays or MNIST
    Train(Train),
    /// Evaluate a trained model on its test part, its holdout part or other data
    Evaluate(Evaluate),
    /// Predict with a trained model
    Predict(Predict),
    /// Show what a trained model's predictions depend on
    Explain(Explain),
    /// Print the configuration that `train` would use
    Init(Init),
    /// Search for good settings
    Tune(Tune),
    /// List and compare runs
    Runs(Runs),
    /// Show runs in the browser, while they train and afterwards
    Dashboard(Dashboard),
    /// Train a run again, and say whether the result is the same
    Verify(Verify),
}

/// The devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceName {
    /// CPU
    Cpu,
    /// NVIDIA GPU
    Cuda,
}

/// Train a neural network on a table, a folder of images, arrays or MNIST.
///
/// A table needs --target, the column to be predicted. Its other columns are inspected: numbers are standardized, categories and
/// dates become inputs, free text and identifiers are left out. The samples are divided into a training, a test and a holdout
/// part; the test loss is watched, and training stops when it no longer falls.
#[derive(Debug, clap::Args)]
// So that -1 is refused as a number, not as an unknown flag.
#[command(allow_negative_numbers = true, after_help = TRAIN_EXAMPLES)]
pub struct Train {
    /// What decides the run.
    #[command(flatten)]
    pub settings: Settings,

    /// Number of batches between updates of the progress bar [default: 10] or, if the output is not a terminal, between lines
    /// [default: one line per epoch]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub log_interval: Option<usize>,

    /// Device to train on
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub device: DeviceName,

    /// Disable CUDA training (the default)
    #[arg(long, conflicts_with = "device")]
    pub no_cuda: bool,

    /// Number of threads; the result does not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// Folder with MNIST, as FOLDER/mnist/train-images-idx3-ubyte.gz and so on [default: $HADAL_DATA_DIR, then the
    /// cache folder, else download]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Folder of the run: its settings, the best and the last model, the history, checkpoints and a summary
    /// [default: runs/<date>-<name>]
    #[arg(long, value_name = "FOLDER", help_heading = "Run")]
    pub out: Option<PathBuf>,

    /// Overwrite the run in the folder
    #[arg(long, requires = "out", help_heading = "Run")]
    pub overwrite: bool,

    /// Keep nothing
    #[arg(long, conflicts_with_all = ["out", "resume"], help_heading = "Run")]
    pub no_out: bool,

    /// Go on with a run that was interrupted, from its last checkpoint, to the same bits as without the interruption
    #[arg(long, value_name = "RUN", conflicts_with_all = ["source", "config", "out"], help_heading = "Run")]
    pub resume: Option<PathBuf>,

    /// Resume on a processor with other vector instructions, or with another version, too: the result differs by rounding
    #[arg(long, help_heading = "Run")]
    pub inexact: bool,

    /// Cross-validation: as many runs, each tested on another fold of what is no holdout part; mean and standard deviation of their scores
    #[arg(long, value_name = "N", value_parser = numbers::several, conflicts_with_all = ["seeds", "resume"], help_heading = "Run")]
    pub folds: Option<usize>,

    /// As many runs with the seeds --seed, --seed + 1, ... on the same parts; mean and standard deviation of their scores
    #[arg(long, value_name = "N", value_parser = numbers::several, conflicts_with = "resume", help_heading = "Run")]
    pub seeds: Option<usize>,

    /// When checkpoints are written: a time or a number of steps
    #[arg(long, value_name = "TIME|STEPS", default_value = "30s", value_parser = numbers::every, help_heading = "Run")]
    pub checkpoint_every: Every,

    /// Print only the final test results
    #[arg(long, short)]
    pub quiet: bool,
}

const TRAIN_EXAMPLES: &str = "\
Examples:
  hadal train                                        MNIST, or generated digits where it is not available
  hadal train titanic.csv --target survived --drop alive --out model
  hadal train pictures/ --size 32x32 --epochs 30 --out model
  hadal train --config run.toml --seed 2             a file that `hadal init` printed
  hadal train iris.csv --target species --folds 5    how much the score depends on what is tested
  hadal train --resume runs/2026-11-26-titanic       after Ctrl-C, a crash or a kill";

/// Print the configuration that `train` would use, complete and with comments, as TOML.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true, after_help = INIT_EXAMPLES)]
pub struct Init {
    /// What decides the run.
    #[command(flatten)]
    pub settings: Settings,

    /// Folder with MNIST, as for `train`
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

const INIT_EXAMPLES: &str = "\
Examples:
  hadal init iris.csv --target species > run.toml
  hadal train --config run.toml";

/// Search for good settings: trials with settings drawn at random from the ranges in [tune] of a configuration file, of which the best
/// train for longer (successive halving), judged on the test part. The winner is trained into a folder of its own, and judged once
/// on the holdout part.
///
/// The same command with the same --out goes on with a search that was interrupted or killed. The trials and the winner do not depend
/// on the number of workers.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true, after_help = TUNE_EXAMPLES)]
pub struct Tune {
    /// What decides the runs.
    #[command(flatten)]
    pub settings: Settings,

    /// Number of trials
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = at_least_one, help_heading = "Search")]
    pub trials: usize,

    /// From each rung one of so many trials goes on, to so many times the epochs; with 1, all train for all epochs
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = at_least_one, help_heading = "Search")]
    pub factor: usize,

    /// Least number of epochs of the first rung [default: a tenth of --epochs]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Search")]
    pub min_epochs: Option<usize>,

    /// Number of trials at a time; the result does not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Search")]
    pub workers: Option<usize>,

    /// Folder of the search [default: runs/<date>-<name>-tune]
    #[arg(long, value_name = "FOLDER", help_heading = "Search")]
    pub out: Option<PathBuf>,

    /// Folder with MNIST, as for `train`
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Print only the result
    #[arg(long, short)]
    pub quiet: bool,
}

const TUNE_EXAMPLES: &str = "\
Examples:
  hadal init titanic.csv --target survived > titanic.toml     then write ranges into its section [tune]
  hadal tune --config titanic.toml --trials 64 --out search
  hadal evaluate search/winner";

/// List the runs in a folder: their scores, the settings that differ, and mean and standard deviation of runs that differ in the seed
/// alone.
#[derive(Debug, clap::Args)]
#[command(after_help = RUNS_EXAMPLES)]
pub struct Runs {
    /// Folder with runs
    #[arg(value_name = "FOLDER", default_value = "runs")]
    pub folder: PathBuf,

    /// Print comma-separated values
    #[arg(long)]
    pub csv: bool,
}

const RUNS_EXAMPLES: &str = "\
Examples:
  hadal runs
  hadal runs experiments --csv > runs.csv";

/// Show the runs below folders as a page in the browser: curves, histograms, images and settings, while they train and afterwards.
#[derive(Debug, clap::Args)]
#[command(after_help = DASHBOARD_EXAMPLES)]
pub struct Dashboard {
    /// Folders with runs, or runs [default: runs]
    #[arg(value_name = "RUNS")]
    pub runs: Vec<PathBuf>,

    /// Port; the next free one where it is in use
    #[arg(long, value_name = "N", default_value_t = 7860)]
    pub port: u16,

    /// Address or name to listen at; with 0.0.0.0 all who reach this machine can see the runs
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub listen: String,
}

const DASHBOARD_EXAMPLES: &str = "\
Examples:
  hadal dashboard
  hadal dashboard experiments/first experiments/second --port 8000";

/// Train a run again from its config.toml, in a temporary folder, and say whether the data, the weights, the history and the scores are
/// the same; the first difference is named. The status is 1 if there is one.
#[derive(Debug, clap::Args)]
#[command(after_help = VERIFY_EXAMPLES)]
pub struct Verify {
    /// Folder that `train` wrote
    #[arg(value_name = "RUN")]
    pub run: PathBuf,

    /// Folder with MNIST, as for `train`
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Number of threads; the result does not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  hadal verify runs/2026-11-26-titanic
  hadal verify model --threads 1      the bits do not depend on the number of threads";

/// Evaluate a trained model: on its own test part, on its holdout part, or on other data.
#[derive(Debug, clap::Args)]
#[command(after_help = EVALUATE_EXAMPLES)]
pub struct Evaluate {
    /// Folder that `train --out` wrote, or a model file
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,

    /// Other data of the kind that the model was trained on, with targets [default: the test part of the training data]
    #[arg(value_name = "DATA")]
    pub data: Option<String>,

    /// Evaluate on the holdout part, which training has not seen
    #[arg(long, conflicts_with = "data")]
    pub holdout: bool,

    /// Folder with MNIST, as for `train`
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

const EVALUATE_EXAMPLES: &str = "\
Examples:
  hadal evaluate model                the test part again, with a confusion matrix
  hadal evaluate model --holdout      the part that training has not seen
  hadal evaluate model newer.csv      other rows, with the target";

/// Predict with a trained model: the class and its probability, or the number.
#[derive(Debug, clap::Args)]
#[command(after_help = PREDICT_EXAMPLES)]
pub struct Predict {
    /// Folder that `train --out` wrote, or a model file
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,

    /// Rows as a CSV file (- is standard input), PNG or JPEG images, or an .npy file
    #[arg(value_name = "DATA", required = true)]
    pub data: Vec<PathBuf>,

    /// Invert images: for dark digits on a light background
    #[arg(long)]
    pub invert: bool,

    /// Print comma-separated values: the line of the file in which the row stands (the first is 1), the file or the sample (the
    /// first is 0); the prediction; for a class its probability
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,

    /// Print a JSON object for each sample, one per line, with the same values
    #[arg(long)]
    pub json: bool,

    /// Print the probability of every class, too: `probability_NAME` in --csv and --json
    #[arg(long)]
    pub probabilities: bool,
}

const PREDICT_EXAMPLES: &str = "\
Examples:
  hadal predict model new.csv
  cat new.csv | hadal predict model - --csv > predicted.csv
  hadal predict model cat.png dog.jpg";

/// Show what a trained model's predictions depend on.
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
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  hadal explain model titanic.csv
  hadal explain model cat.png --out pictures";

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        super::Args::command().debug_assert();
    }
}
