//! The recipe for MNIST, in tables.
//!
//! Plain convolutional networks with batch normalization, trained on images that are turned, shifted and scaled at random, and judged by
//! a vote of networks with kernels of different sizes: An, Lee, Park, Yang and So, "An Ensemble of Simple Convolutional Neural Network
//! Models for MNIST Digit Recognition", arXiv 2008.10400 (2020). Theirs have no pooling, several times the multiplications and 150 epochs;
//! filters and epochs here are what two cores can do in two hours. The vote is over several views of each image, too. Depth,
//! width, dropout, optimizer, weight decay, random changes and views were compared on the last 10,000 training images, in networks
//! trained on others; the test images chose nothing.

use std::path::Path;

use hadal::nn::{BatchNorm, LayerConfig, MaxPool2d, Reshape};
use hadal::prelude::*;
use hadal::{Error, Result};

use crate::config::{Config, Model, OptimizerName, ScheduleName};
use crate::members::Member;

const EPOCHS: usize = 20;
const BATCH_SIZE: usize = 128;
/// The peak of one cycle.
const LEARNING_RATE: f64 = 0.1;
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 0.001;
/// What becomes of each training image: at most 3 pixels, 15 degrees, 15%, and 10 degrees of shear.
const AUGMENT: &str = "shift(0.1), rotate(15), scale(0.85, 1.15), shear(10)";
/// How often the vote judges an image: as it is, and changed a little.
pub const VIEWS: usize = 8;
/// What becomes of an image in those views: half of the changes in training, beyond which networks are less sure of it.
pub const VIEW: &str = "shift(0.05), rotate(7.5), scale(0.925, 1.075), shear(5)";
/// Before the dense layer.
const DROPOUT: f64 = 0.4;

/// A convolution with batch normalization and relu.
struct Convolution {
    kernel: usize,
    filters: usize,
    padding: usize,
    /// Whether maxima of 2 x 2 follow.
    pools: bool,
}

/// A convolution whose output is as large as its input less `kernel - 1 - 2 * padding`.
const fn conv(kernel: usize, filters: usize, padding: usize) -> Convolution {
    Convolution { kernel, filters, padding, pools: false }
}

/// The same, and maxima of 2 x 2.
const fn pool(kernel: usize, filters: usize, padding: usize) -> Convolution {
    Convolution { kernel, filters, padding, pools: true }
}

/// The networks: their convolutions. Dropout and a dense layer follow. Two of each kind, which take the same time side by side.
const NETWORKS: [&[Convolution]; 4] = [SMALL_WINDOWS, SMALL_WINDOWS, LARGE_WINDOWS, LARGE_WINDOWS];
const SMALL_WINDOWS: &[Convolution] =
    &[conv(3, 32, 1), pool(3, 32, 1), conv(3, 64, 1), pool(3, 64, 1), conv(3, 128, 1), conv(3, 128, 0)];
const LARGE_WINDOWS: &[Convolution] = &[
    pool(5, 32, 2),
    conv(3, 64, 1),
    conv(3, 64, 1),
    pool(3, 64, 1),
    conv(3, 128, 1),
    conv(3, 128, 1),
    conv(3, 128, 0),
];

/// How many seeds there are for the networks of one seed.
const SEEDS: u64 = 100;
/// Such that the networks' seeds are numbers of TOML.
const LARGEST_SEED: u64 = i64::MAX as u64 / SEEDS - 1;

/// Sets all that the networks have in common and the command line leaves open.
pub fn complete(config: &mut Config) -> Result<()> {
    if let Some(seed) = config.training.seed.filter(|seed| *seed > LARGEST_SEED) {
        return Err(Error::Config(format!("--seed {seed} is too large for --recipe; the largest is {LARGEST_SEED}")));
    }
    let Config { preprocess, optimizer, training, .. } = config;
    preprocess.augment = AUGMENT.parse().ok();
    optimizer.name = Some(OptimizerName::Sgd);
    optimizer.learning_rate = Some(LEARNING_RATE);
    optimizer.momentum = Some(MOMENTUM);
    optimizer.weight_decay = Some(WEIGHT_DECAY);
    training.epochs.get_or_insert(EPOCHS);
    training.batch_size = Some(BATCH_SIZE);
    // Takes less memory than the training.
    training.test_batch_size = Some(2 * BATCH_SIZE);
    training.schedule = Some(ScheduleName::OneCycle);
    Ok(())
}

/// The networks with their settings, and their folders below this one.
pub fn members(config: &Config, folder: &Path) -> Vec<Member> {
    let seed = config.training.seed.unwrap_or(1);
    let member = |(number, convolutions): (u64, &&[Convolution])| {
        let name = format!("network-{number}");
        let mut config = config.clone();
        // Those of another seed have other seeds.
        config.training.seed = Some(SEEDS * seed + number);
        config.model = Model { layers: Some(layers(convolutions)), ..Model::default() };
        Member { folder: Some(folder.join(&name)), name, config }
    };
    (1..).zip(&NETWORKS).map(member).collect()
}

fn layers(convolutions: &[Convolution]) -> Vec<LayerConfig> {
    let mut model = Sequential::new([28, 28]).add(Reshape::new([1, 28, 28]));
    for own in convolutions {
        model = model.add(Conv2d::new(own.filters, own.kernel).padding(own.padding).without_bias());
        if own.pools {
            // Before the normalization, which then has a quarter of the places.
            model = model.add(MaxPool2d::new(2));
        }
        model = model.add(BatchNorm::new()).add(Relu);
    }
    model.add(Flatten).add(Dropout::new(DROPOUT)).add(Dense::new(10).activation(Softmax)).architecture().layers
}
