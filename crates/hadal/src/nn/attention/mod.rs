//! Attention and the blocks of transformers (Vaswani and others, "Attention Is All You Need", NeurIPS 2017).

mod cache;
mod decoder;
mod dot_product;
mod encoder;
mod feedforward;
mod mask;
mod multi_head;
mod positions;
mod projections;
mod rotary;
mod settings;

pub use decoder::{TransformerDecoder, TransformerDecoderLayer};
pub use dot_product::scaled_dot_product_attention;
pub use encoder::{TransformerEncoder, TransformerEncoderLayer};
pub use mask::AttentionMask;
pub use multi_head::MultiHeadAttention;
pub use positions::{LearnedPositions, SinusoidalPositions};
pub use rotary::rotary;
