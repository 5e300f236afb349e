//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Train, evaluate and use neural networks.
#[derive(Debug, Parser)]
#[command(name = "hadal", version, arg_required_else_help = true)]
pub struct Args {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a neural network on handwritten digits
    Train(Train),
    /// Evaluate a trained model on the test set
    Evaluate(Evaluate),
    /// Classify images of digits with a trained network
    Predict(Predict),
}

/// The datasets.
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
    /// RMSprop, as in Keras
    Rmsprop,
    /// Adam, as in Keras
    Adam,
}

/// The learning rate schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScheduleName {
    /// Constant learning rate
    Constant,
    /// Cosine annealing to 0 over the run
    Cosine,
}

/// The precision of matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrecisionName {
    /// Full f32 precision
    Highest,
    /// Two bf16 terms per factor, on processors where this is faster (AMX)
    High,
    /// Factors rounded to bf16, on processors where this is faster (AMX, or AVX-512 with bf16)
    Medium,
}

/// The devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceName {
    /// CPU
    Cpu,
    /// NVIDIA GPU
    Cuda,
}

/// Train a multilayer perceptron: 784 inputs, Dense 512 ReLU, Dropout 0.2, Dense 512 ReLU, Dropout 0.2, Dense 10 softmax.
#[derive(Debug, clap::Args)]
// So that -1 is refused as a number, not as an unknown flag.
#[command(allow_negative_numbers = true)]
pub struct Train {
    /// The dataset [default: mnist, or digits where MNIST is not available]
    #[arg(value_enum)]
    pub dataset: Option<DatasetName>,

    /// Number of epochs
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub epochs: usize,

    /// Batch size for training
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    pub batch_size: usize,

    /// Batch size for evaluation
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub test_batch_size: usize,

    /// Optimizer
    #[arg(long, value_enum, default_value_t = OptimizerName::Rmsprop)]
    pub optimizer: OptimizerName,

    /// Learning rate [default: 0.001; 0.01 with sgd]
    #[arg(long, value_name = "RATE", value_parser = learning_rate)]
    pub lr: Option<f64>,

    /// Momentum factor (sgd and rmsprop)
    #[arg(long, value_name = "M", default_value_t = 0.0, value_parser = momentum)]
    pub momentum: f64,

    /// Learning rate schedule
    #[arg(long, value_enum, default_value_t = ScheduleName::Constant)]
    pub schedule: ScheduleName,

    /// Random seed for weight initialization, shuffling and dropout; the same seed gives the same result
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = seed)]
    pub seed: u64,

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

    /// Precision of matrix products
    #[arg(long, value_enum, default_value_t = PrecisionName::Highest)]
    pub precision: PrecisionName,

    /// Folder with the data, as FOLDER/mnist/train-images-idx3-ubyte.gz and so on [default: $HADAL_DATA_DIR, then the
    /// cache folder, else download]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// Output directory for model.safetensors, history.csv and timing.csv, written after every epoch
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Overwrite the model in the output directory
    #[arg(long, requires = "out")]
    pub overwrite: bool,

    /// Print only the final test results
    #[arg(long, short)]
    pub quiet: bool,
}

/// Evaluate a trained network on the test images of the dataset it was trained on.
#[derive(Debug, clap::Args)]
pub struct Evaluate {
    /// Folder that `train --out` wrote, or a model file
    #[arg(value_name = "DIR")]
    pub model: PathBuf,

    /// Folder with the data, as for `train`
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

/// Classify images of digits with a trained network; print each digit with its probability.
#[derive(Debug, clap::Args)]
pub struct Predict {
    /// Folder that `train --out` wrote, or a model file
    #[arg(value_name = "DIR")]
    pub model: PathBuf,

    /// PNG images of 28 x 28 pixels, light digits on a dark background
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<PathBuf>,

    /// Invert the images: for dark digits on a light background
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

fn learning_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // In f32, in which the network is trained.
        Ok(learning_rate) if learning_rate as f32 > 0.0 && (learning_rate as f32).is_finite() => Ok(learning_rate),
        _ => Err("it must be a positive, finite number, for example 0.001".into()),
    }
}

fn momentum(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(momentum) if (0.0..1.0).contains(&momentum) => Ok(momentum),
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
