//! The command line.

mod explain;
mod generate;
pub mod numbers;
mod settings;
mod watch;

use std::path::PathBuf;

use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::recipe::RecipeName;
pub use explain::Explain;
pub use generate::Generate;
use hadal::train::Every;
use numbers::{at_least_one, threads};
pub use settings::Settings;
pub use watch::{Dashboard, Runs};

/// Train, evaluate and use neural networks.
#[derive(Debug, Parser)]
#[command(name = "hadal", version, propagate_version = true, arg_required_else_help = true, after_help = EXAMPLES)]
// The flag for the version is the one below, which --verbose may follow.
#[command(disable_version_flag = true, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// The subcommand; none where the version is asked for.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Print version
    #[arg(short = 'V', long, required = true)]
    pub version: bool,

    /// With --version: print also the processor, its vector instructions (HADAL_SIMD chooses among them), cores, caches, large
    /// pages (HADAL_LARGE_PAGES=0 turns them off), threads (HADAL_NUM_THREADS) and what is used for what
    #[arg(short, long, requires = "version")]
    pub verbose: bool,
}

impl Args {
    /// Those of this process. Ends it where they ask for help, or are wrong.
    pub fn read() -> Args {
        let matches = Args::whole().get_matches();
        Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The command line. Without clap's own flag for the version, subcommands have none: they are given one.
    fn whole() -> clap::Command {
        let version =
            || Arg::new("version").short('V').long("version").action(ArgAction::Version).help("Print version");
        Args::command().mut_subcommands(|command| command.arg(version().help_heading(None::<&str>)))
    }
}

const EXAMPLES: &str = "\
Examples:
  hadal train                                        MNIST
  hadal train iris.csv --target species --out model  a table
  hadal evaluate model
  hadal predict model new.csv
  hadal train book.txt --out writer                  a text, which a network learns to continue
  hadal generate writer --prompt \"Once upon a time\"";

// What they do stands at their arguments: a line here would replace all of it in their --help.
/// The commands.
#[allow(missing_docs)]
#[derive(Debug, Subcommand)]
pub enum Command {
    Train(Train),
    Evaluate(Evaluate),
    Predict(Predict),
    Generate(Generate),
    Explain(Explain),
    Init(Init),
    Tune(Tune),
    Runs(Runs),
    Dashboard(Dashboard),
    Verify(Verify),
}

impl Command {
    /// The number of threads that is asked for.
    pub fn threads(&self) -> Option<usize> {
        match self {
            Command::Train(args) => args.threads,
            Command::Evaluate(args) => args.threads,
            Command::Predict(args) => args.threads,
            Command::Generate(args) => args.threads,
            Command::Explain(args) => args.threads,
            Command::Tune(args) => args.threads,
            Command::Verify(args) => args.threads,
            Command::Dashboard(_) | Command::Init(_) | Command::Runs(_) => None,
        }
    }
}

/// The help of `--threads`.
const THREADS: &str = "Number of threads, at most one for each core; the result does not depend on it [default: $HADAL_NUM_THREADS, else all cores]";

/// What becomes of a finding about the health of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HealthName {
    /// A note, once
    On,
    /// An error that ends the run
    Strict,
    /// Nothing is looked for
    Off,
}

/// The devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceName {
    /// CPU
    Cpu,
    /// NVIDIA GPU
    Cuda,
}

/// Train a neural network on a table, a folder of images, arrays, a text or MNIST
///
/// A table needs --target, the column to be predicted. Its other columns are inspected: numbers are standardized, categories and
/// dates become inputs, free text and identifiers are left out. The samples are divided into a training, a test and a holdout
/// part. After each epoch the network is evaluated on the test part: by default, training stops when the test loss no longer
/// falls, and the best epoch's weights are the result. The holdout part is kept for `hadal evaluate MODEL --holdout`.
///
/// From a text, a .txt or .txt.gz file of UTF-8, the network learns which character comes next; `hadal generate` then continues any beginning.
/// The first nine tenths of the text are for training, the last tenth for tests. A sample is a sequence of --context characters, and
/// an epoch is one pass over the training part, sequence by sequence, so short texts have short epochs. By default, training takes
/// 2,000 steps of 12 sequences each.
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

    /// Write JSON lines to standard output, and nothing else: an object for the beginning, each epoch, the end, the scores on the
    /// test part and the folder
    #[arg(long, conflicts_with_all = ["quiet", "folds", "seeds", "log_interval"])]
    pub log_json: bool,

    /// Write no events file for TensorBoard into the folder of the run
    #[arg(long)]
    pub no_tensorboard: bool,

    /// Write no page about the run, report.html, into its folder
    #[arg(long)]
    pub no_report: bool,

    /// Look for what makes training fail: gradients that explode or vanish, dead units, a learning rate that is too high or too low,
    /// a test loss that rises, classes that are never predicted; `strict` ends the run at the first
    #[arg(long, value_enum, default_value_t = HealthName::On)]
    pub health: HealthName,

    /// Show the run in the browser while it trains: curves, settings, and buttons that pause and stop it and change the learning
    /// rate; with --folds or --seeds, of all runs that are training. `hadal dashboard` shows runs afterwards
    #[arg(long, conflicts_with_all = ["no_out", "no_tensorboard", "log_json"])]
    pub dashboard: bool,

    /// Device to train on
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub device: DeviceName,

    /// Disable CUDA training (the default)
    #[arg(long, conflicts_with = "device")]
    pub no_cuda: bool,

    // The same for each command.
    #[arg(long, value_name = "N", value_parser = threads, help = THREADS)]
    pub threads: Option<usize>,

    /// Folder with MNIST, as FOLDER/mnist/train-images-idx3-ubyte.gz and so on [default: $HADAL_DATA_DIR, else the
    /// cache folder; downloaded if it is in neither]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Folder of the run: its settings, the best and the last model, the history, checkpoints and a summary; FOLDER-2, FOLDER-3, ...
    /// where another run is using it [default: runs/<date>-<name>]
    #[arg(long, value_name = "FOLDER", help_heading = "Run")]
    pub out: Option<PathBuf>,

    /// Replace the run that is in the folder --out
    #[arg(long, requires = "out", help_heading = "Run")]
    pub overwrite: bool,

    /// Write no folder: the trained model is not kept
    #[arg(long, conflicts_with_all = ["out", "resume"], help_heading = "Run")]
    pub no_out: bool,

    /// Go on with the interrupted run in this folder, from its last checkpoint; the result is the same, to the last bit, as
    /// without the interruption
    #[arg(long, value_name = "RUN", conflicts_with_all = ["source", "config", "out"], help_heading = "Run")]
    pub resume: Option<PathBuf>,

    /// With --resume: go on even where the processor's vector instructions or the version of Hadal are not those of the run;
    /// the result then differs by rounding
    #[arg(long, help_heading = "Run")]
    pub inexact: bool,

    /// Cross-validation: divide all samples that are not in the holdout part into N folds, train N times, each time with another
    /// fold as the test part, and print the mean and standard deviation of the scores
    #[arg(long, value_name = "N", value_parser = numbers::several, conflicts_with_all = ["seeds", "resume"], help_heading = "Run")]
    pub folds: Option<usize>,

    /// Train N times on the same parts, with the seeds --seed, --seed + 1, ..., and print the mean and standard deviation of the
    /// scores
    #[arg(long, value_name = "N", value_parser = numbers::several, conflicts_with = "resume", help_heading = "Run")]
    pub seeds: Option<usize>,

    /// Train by a recipe, in place of settings: `best`, for MNIST, trains 4 convolutional networks on images that are changed at random,
    /// and writes one model whose probabilities are the mean of theirs over several views of an image. Each network is a run in a folder
    /// of its own below --out, and the same command with the same --out goes on after an interruption. Takes one to two hours on
    /// two cores, and less than 1 GB of memory. --seed, and --epochs for a shorter trial, are the only settings beside it
    #[arg(long, value_name = "NAME", value_enum, conflicts_with_all = ["folds", "seeds", "resume", "no_out", "log_json", "log_interval"], help_heading = "Run")]
    pub recipe: Option<RecipeName>,

    /// How often a checkpoint is written: a time, such as 30s or 5m, or a number of steps (batches), such as 500
    #[arg(long, value_name = "TIME|STEPS", default_value = "30s", allow_hyphen_values = true, value_parser = numbers::every, help_heading = "Run")]
    pub checkpoint_every: Every,

    /// Print only the final test results
    #[arg(long, short)]
    pub quiet: bool,
}

const TRAIN_EXAMPLES: &str = "\
Examples:
  hadal train                                        MNIST
  hadal train mnist --recipe best --out best         several networks as one, in one to two hours
  hadal train titanic.csv --target survived --drop alive --out model
  hadal train pictures/ --size 32x32 --epochs 30 --out model
  hadal train book.txt --steps 5000 --out writer     a text; then: hadal generate writer
  hadal train --config run.toml --seed 2             a file that `hadal init` printed
  hadal train iris.csv --target species --folds 5    how much the score depends on what is tested
  hadal train --resume runs/2026-11-26-titanic       after Ctrl-C, a crash or a kill";

/// Print the configuration that `train` would use
///
/// It is complete and has comments, as TOML: write it to a file, change it, and give it to `train` or `tune` with --config. Settings that
/// are not set stand in it as comments: those for the data of SOURCE, or all if none is given.
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

/// Search for good settings (hyper-parameters)
///
/// Each trial trains with settings drawn at random from the ranges in the section [tune] of a configuration file. All trials train
/// for a few epochs, and only the best of them, by the test part, go on for longer (successive halving). The winner is trained
/// into the folder `winner`, and evaluated once on the holdout part.
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

    /// In each rung, the best 1/N of the trials go on to train for N times the epochs; with 1, all train for all epochs
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = at_least_one, help_heading = "Search")]
    pub factor: usize,

    /// Smallest number of epochs after which trials may be dropped [default: a tenth of --epochs]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Search")]
    pub min_epochs: Option<usize>,

    /// Number of trials at a time; the result does not depend on it [default: --threads]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Search")]
    pub workers: Option<usize>,

    /// Folder of the search [default: runs/<date>-<name>-tune]
    #[arg(long, value_name = "FOLDER", help_heading = "Search")]
    pub out: Option<PathBuf>,

    /// Look for what makes training fail while the winner is trained, as `train` does; `strict` ends it at the first
    #[arg(long, value_enum, default_value_t = HealthName::On)]
    pub health: HealthName,

    /// Folder with MNIST, as for `train`
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    // The same for each command.
    #[arg(long, value_name = "N", value_parser = threads, help = THREADS)]
    pub threads: Option<usize>,

    /// Print only the result
    #[arg(long, short)]
    pub quiet: bool,
}

const TUNE_EXAMPLES: &str = "\
Examples:
  hadal init titanic.csv --target survived > titanic.toml
                          then write ranges into its section [tune]
  hadal tune --config titanic.toml --trials 64 --out search
  hadal evaluate search/winner";

/// Train a run again, and say whether the result is the same
///
/// Trains from the run's config.toml, in a temporary folder, and compares the data, the history, the weights and the scores, to the
/// last bit. The first difference is named, and the exit status is then 1. The run itself is not changed.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true, after_help = VERIFY_EXAMPLES)]
pub struct Verify {
    /// Folder that `train` wrote
    #[arg(value_name = "RUN")]
    pub run: PathBuf,

    /// Folder with MNIST, as for `train`
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    // The same for each command.
    #[arg(long, value_name = "N", value_parser = threads, help = THREADS)]
    pub threads: Option<usize>,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  hadal verify runs/2026-11-26-titanic
  hadal verify model --threads 1      the bits do not depend on the number of threads";

/// Evaluate a trained model on its test part, its holdout part or other data
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true, after_help = EVALUATE_EXAMPLES)]
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

    // The same for each command.
    #[arg(long, value_name = "N", value_parser = threads, help = THREADS)]
    pub threads: Option<usize>,
}

const EVALUATE_EXAMPLES: &str = "\
Examples:
  hadal evaluate model                the test part again, with a confusion matrix
  hadal evaluate model --holdout      the part that training has not seen
  hadal evaluate model newer.csv      other rows, with the target";

/// Predict with a trained model
///
/// Prints a row for each sample: the class and its probability, or the number.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true, after_help = PREDICT_EXAMPLES)]
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

    // The same for each command.
    #[arg(long, value_name = "N", value_parser = threads, help = THREADS)]
    pub threads: Option<usize>,
}

const PREDICT_EXAMPLES: &str = "\
Examples:
  hadal predict model new.csv
  cat new.csv | hadal predict model - --csv > predicted.csv
  hadal predict model cat.png dog.jpg";

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_well_formed() {
        super::Args::whole().debug_assert();
    }
}
