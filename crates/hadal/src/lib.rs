//! Hadal is a deep-learning framework with PyTorch-style tensors and autograd and a Keras-style training API.
//!
//! ```no_run
//! use hadal::prelude::*;
//!
//! let (train, test) = Mnist::load()?;
//! let mut model = Sequential::new([784])
//!     .add(Dense::new(512).activation(Relu))
//!     .add(Dropout::new(0.2))
//!     .add(Dense::new(10).activation(Softmax))
//!     .compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy])?;
//! println!("{}", model.summary());
//! model.fit(&train, Fit::epochs(5).validation_data(&test))?;
//! println!("{}", model.evaluate(&test)?);
//! # Ok::<(), hadal::Error>(())
//! ```
//!
//! The modules follow the flow of data: datasets ([`data`]), tensors with automatic differentiation ([`Tensor`]), layers
//! ([`nn`]), losses ([`loss`]), metrics ([`metric`]), optimizers ([`optim`]), the training loop ([`train`]), callbacks
//! ([`monitor`]), pictures (`plot`, with the feature of that name), file formats ([`mod@format`]).
#![forbid(unsafe_code)]

// The derive macro names this crate by its path, also from within.
extern crate self as hadal;

pub mod classic;
pub mod data;
mod error;
mod finite;
pub mod format;
mod linear_algebra;
pub mod loss;
mod memory;
pub mod metric;
pub mod monitor;
mod nearest;
pub mod nn;
pub mod optim;
#[cfg(feature = "plot")]
pub mod plot;
pub mod train;

pub use error::{Error, Result};
pub use hadal_tensor::*;
#[doc(hidden)]
pub use nearest::nearest;

/// The types that most programs need: `use hadal::prelude::*;`.
pub mod prelude {
    pub use crate::data::{Augment, Dataset, Digits, KFold, Mnist, Parts, Split};
    #[cfg(feature = "table")]
    pub use crate::data::{Preprocess, Table};
    pub use crate::loss::{
        BinaryCrossentropy, BinaryFocal, CategoricalCrossentropy, Contrastive, Ctc, Dice, Focal, Hinge, Huber,
        KlDivergence, Loss, Losses, MeanAbsoluteError, MeanSquaredError, NegativeLogLikelihood, NtXent, Triplet,
    };
    pub use crate::metric::{
        Accuracy, ConfusionMatrix, F1Score, Metric, Precision, R2Score, Recall, RocAuc, TopKAccuracy,
    };
    pub use crate::nn::Activation::{self, *};
    pub use crate::nn::{
        AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AvgPool1d, AvgPool2d, AvgPool3d, BatchNorm, Chain,
        Checkpointed, Context, Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, Dense,
        Dropout, Embedding, Flatten, Forward, GlobalAveragePool, GroupNorm, Gru, Layer, LayerNorm, LearnedPositions,
        Linear, Lstm, MaxPool1d, MaxPool2d, MaxPool3d, MeanOverTime, Model, Module, MultiHeadAttention, Parallel,
        Reshape, Residual, Sequential, SimpleRnn, SinusoidalPositions, TransformerEncoderLayer,
    };
    pub use crate::optim::{Adadelta, Adagrad, Adam, AdamW, Lion, Muon, Nadam, Optimizer, RmsProp, Schedule, Sgd};
    pub use crate::train::{Callback, EarlyStopping, Event, Fit, Flow, KeepBest, ModelCheckpoint, Trainer};
    pub use crate::{DType, Device, Gradients, REST, Rng, Shape, Tensor, no_grad};
}

/// The README's programs compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// So do those of the guide.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../book/src/first_program.md")]
    struct FirstProgram;
    #[doc = include_str!("../../../book/src/mnist.md")]
    struct MnistStepByStep;
    #[cfg(all(feature = "table", feature = "plot"))]
    #[doc = include_str!("../../../book/src/your_table.md")]
    struct YourTable;
    #[cfg(feature = "image")]
    #[doc = include_str!("../../../book/src/pictures.md")]
    struct Pictures;
    #[cfg(feature = "plot")]
    #[doc = include_str!("../../../book/src/three_parts.md")]
    struct ThreeParts;
    #[cfg(feature = "plot")]
    #[doc = include_str!("../../../book/src/early_stopping.md")]
    struct EarlyStoppingAndBestModels;
    #[cfg(feature = "plot")]
    #[doc = include_str!("../../../book/src/tuning.md")]
    struct Tuning;
    #[doc = include_str!("../../../book/src/before_deep_learning.md")]
    struct BeforeDeepLearning;
    #[doc = include_str!("../../../book/src/tensors.md")]
    struct Tensors;
    #[doc = include_str!("../../../book/src/networks.md")]
    struct Networks;
    #[cfg(feature = "plot")]
    #[doc = include_str!("../../../book/src/convolution.md")]
    struct Convolution;
    #[doc = include_str!("../../../book/src/mnist_best.md")]
    struct MnistBest;
    #[cfg(feature = "plot")]
    #[doc = include_str!("../../../book/src/sequences.md")]
    struct Sequences;
    #[cfg(feature = "plot")]
    #[doc = include_str!("../../../book/src/attention.md")]
    struct Attention;
    #[doc = include_str!("../../../book/src/layer_with_state.md")]
    struct LayerWithState;
    #[doc = include_str!("../../../book/src/losses.md")]
    struct Losses;
    #[doc = include_str!("../../../book/src/optimizers.md")]
    struct Optimizers;
    #[doc = include_str!("../../../book/src/own_loop.md")]
    struct OwnLoop;
    #[doc = include_str!("../../../book/src/keeping.md")]
    struct Keeping;
    #[cfg(feature = "tensorboard")]
    #[doc = include_str!("../../../book/src/watching.md")]
    struct WatchingARun;
    #[cfg(feature = "plot")]
    #[doc = include_str!("../../../book/src/reading_curves.md")]
    struct ReadingCurves;
    #[doc = include_str!("../../../book/src/runs.md")]
    struct Runs;
    #[doc = include_str!("../../../book/src/from_pytorch_and_keras.md")]
    struct FromPytorchAndKeras;
    #[doc = include_str!("../../../book/src/mistakes.md")]
    struct Mistakes;
}
