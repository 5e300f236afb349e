//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Train, evaluate and use neural networks.
#[derive(Debug, Parser)]
#[command(name = "hadal", version, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train the lecture's network on handwritten digits
    Train(Train),
    /// Evaluate a trained network on its test images
    Evaluate(Evaluate),
    /// Tell which digit each image shows
    Predict(Predict),
}

/// The data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DatasetName {
    /// The 70,000 handwritten digits of MNIST
    Mnist,
    /// 70,000 generated digits, for machines without MNIST
    Digits,
}

/// The optimizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OptimizerName {
    /// Stochastic gradient descent
    Sgd,
    /// RMSprop, Keras's form
    Rmsprop,
    /// Adam, Keras's form
    Adam,
}

/// The learning rate schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScheduleName {
    /// The same rate at every step
    Constant,
    /// From the full rate down to almost 0 along half a cosine
    Cosine,
}

/// How exactly matrix products are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrecisionName {
    /// As f32 arithmetic is
    Highest,
    /// Each factor in two bf16 terms, where the processor is faster by it (AMX)
    High,
    /// Each factor in one bf16 term, where the processor is faster by it (AMX, or AVX-512 with bf16)
    Medium,
}

/// The devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceName {
    /// The processor
    Cpu,
    /// An NVIDIA GPU
    Cuda,
}

/// Train the lecture's network: 784, 512 relu, dropout 0.2, 512 relu, dropout 0.2, 10 softmax.
#[derive(Debug, clap::Args)]
// So that -1 is refused as a number, not as an unknown flag.
#[command(allow_negative_numbers = true)]
pub struct Train {
    /// The data set [default: mnist, or digits where MNIST cannot be had]
    #[arg(value_enum)]
    pub dataset: Option<DatasetName>,

    /// Passes through the training images
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub epochs: usize,

    /// Images per training step
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    pub batch_size: usize,

    /// Images evaluated at once
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub test_batch_size: usize,

    /// How weights follow their gradients
    #[arg(long, value_enum, default_value_t = OptimizerName::Rmsprop)]
    pub optimizer: OptimizerName,

    /// Learning rate [default: 0.001; 0.01 with sgd]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub lr: Option<f64>,

    /// Share of the last step that is kept, with sgd and rmsprop
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub momentum: f64,

    /// How the learning rate changes over the run
    #[arg(long, value_enum, default_value_t = ScheduleName::Constant)]
    pub schedule: ScheduleName,

    /// Seed of weights, shuffling and dropout; same seed, same result
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = seed)]
    pub seed: u64,

    /// Batches between updates of the progress bar, or between lines where the output is no terminal [default: 10, or
    /// a line per epoch]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub log_interval: Option<usize>,

    /// Device to train on
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub device: DeviceName,

    /// Train on the processor (what happens in any case)
    #[arg(long, conflicts_with = "device")]
    pub no_cuda: bool,

    /// Threads to use; the result does not depend on it [default: all processors]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// How exactly matrix products are computed
    #[arg(long, value_enum, default_value_t = PrecisionName::Highest)]
    pub precision: PrecisionName,

    /// Folder with the data, as FOLDER/mnist/train-images-idx3-ubyte.gz and so on [default: $HADAL_DATA_DIR, then the
    /// cache folder, else download]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Folder for model.safetensors, history.csv and timing.csv, written after every epoch
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Replace the model that --out holds
    #[arg(long, requires = "out")]
    pub overwrite: bool,

    /// Print the result alone
    #[arg(long, short)]
    pub quiet: bool,
}

/// Evaluate a trained network on the test images of the data set it was trained on.
#[derive(Debug, clap::Args)]
pub struct Evaluate {
    /// Folder that `train --out` wrote, or a model file
    #[arg(value_name = "DIR")]
    pub model: PathBuf,

    /// Folder with the data, as for `train`
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

/// Tell which digit each image shows, and how sure the network is.
#[derive(Debug, clap::Args)]
pub struct Predict {
    /// Folder that `train --out` wrote, or a model file
    #[arg(value_name = "DIR")]
    pub model: PathBuf,

    /// PNG images of 28 x 28 pixels, light digits on a dark ground
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<PathBuf>,

    /// The digits are dark on a light ground
    #[arg(long)]
    pub invert: bool,
}

/// Larger numbers are mistakes, and their products would not fit into 64 bits.
const MOST: usize = u32::MAX as usize;

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".into()),
        Ok(number @ 1..=MOST) => Ok(number),
        _ => Err(format!("it must be a whole number, at least 1 and at most {MOST}")),
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=hadal::MAX_THREADS) => Ok(threads),
        _ => Err(format!("it must be a whole number, at least 1 and at most {}", hadal::MAX_THREADS)),
    }
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("it must be a whole number from 0 to {}", u64::MAX))
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // In f32, in which the network is trained.
        Ok(rate) if rate as f32 > 0.0 && (rate as f32).is_finite() => Ok(rate),
        _ => Err("it must be a positive, finite number, for example 0.001".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("it must be at least 0 and below 1, for example 0.9".into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        super::Args::command().debug_assert();
    }
}
