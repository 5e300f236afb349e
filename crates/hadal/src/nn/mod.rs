//! Layers: plain structs whose parameters are [`Tensor`](crate::Tensor) fields.
//!
//! A module of your own derives [`Module`] and says in [`Forward`] what it computes:
//!
//! ```
//! use hadal::prelude::*;
//!
//! #[derive(Module)]
//! struct Net { fc1: Linear, drop: Dropout, fc2: Linear }
//!
//! impl Forward for Net {
//!     fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
//!         let x = self.drop.forward(&self.fc1.forward(x, ctx).relu(), ctx);
//!         self.fc2.forward(&x, ctx).log_softmax(1)
//!     }
//! }
//!
//! let mut rng = Rng::new(1);
//! let net = Net { fc1: Linear::new(784, 50, &mut rng), drop: Dropout::new(0.2), fc2: Linear::new(50, 10, &mut rng) };
//! let names: Vec<String> = net.state_dict().into_iter().map(|(name, _)| name).collect();
//! assert_eq!(names, ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
//! ```

mod activation;
mod attention;
pub(crate) mod batch_norm;
mod chain;
mod checkpointed;
mod context;
mod convolution;
mod dense;
mod drop_path;
mod dropout;
mod embed_columns;
mod embedding;
mod ensemble;
mod feedback;
mod flatten;
mod gaussian_noise;
mod generate;
mod group_norm;
mod init;
mod instance_norm;
mod layer;
mod layer_norm;
mod lengths;
mod linear;
mod load;
mod model;
mod module;
pub mod networks;
mod parallel;
mod permute;
mod pooling;
mod prelu;
mod recurrent;
mod registry;
mod regularizer;
mod rescaling;
mod reshape;
mod residual;
mod rms_norm;
mod sequential;
mod spatial_dropout;
mod stream;
mod summary;
mod time_distributed;
mod views;
mod window;

pub use activation::Activation;
pub use attention::{
    AttentionMask, LearnedPositions, MultiHeadAttention, SinusoidalPositions, TransformerDecoder,
    TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer, rotary, scaled_dot_product_attention,
};
pub use batch_norm::BatchNorm;
pub use chain::Chain;
pub use checkpointed::Checkpointed;
pub use context::Context;
pub use convolution::{
    Conv1d, Conv2d, Conv3d, ConvNd, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, ConvTransposeNd,
    DepthwiseConv2d, SeparableConv2d,
};
pub use dense::Dense;
pub use drop_path::DropPath;
pub use dropout::Dropout;
pub use embed_columns::{EmbedColumns, EmbeddedColumn};
pub use embedding::Embedding;
pub use ensemble::Ensemble;
pub use feedback::Feedback;
pub use flatten::Flatten;
pub use gaussian_noise::GaussianNoise;
pub use generate::{Generator, Sampling};
pub use group_norm::GroupNorm;
pub use hadal_derive::Module;
pub use init::Initializer;
pub use instance_norm::InstanceNorm;
pub use layer::{Connection, Layer, Plan, Structure};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use load::{LoadOptions, LoadReport};
pub use model::Model;
pub use module::{Forward, Module, join};
pub use parallel::{Merge, Parallel};
pub use permute::Permute;
pub use pooling::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveAvgPoolNd, AvgPool1d, AvgPool2d, AvgPool3d,
    AvgPoolNd, GlobalAveragePool, MaxPool1d, MaxPool2d, MaxPool3d, MaxPoolNd, MeanOverTime, Pad, Upsample, Widths,
};
pub use prelu::PRelu;
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, LstmState, SimpleRnn, SimpleRnnCell};
pub use registry::{LayerConfig, LayerKind, layer_kinds, register_layer};
pub use regularizer::Regularizer;
pub use rescaling::Rescaling;
pub use reshape::Reshape;
pub use residual::Residual;
pub use rms_norm::RmsNorm;
pub use sequential::{Architecture, Sequential};
pub(crate) use sequential::{check_architecture, stage_parts};
pub use spatial_dropout::SpatialDropout;
pub use stream::Stream;
pub use summary::Summary;
#[cfg(feature = "report")]
pub(crate) use summary::thousands;
pub use time_distributed::TimeDistributed;
pub use views::Views;
pub use window::PerAxis;
