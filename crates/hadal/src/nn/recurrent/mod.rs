//! Recurrent layers, which go along sequences step by step.

mod cells;
mod gru;
mod layer;
mod lstm;
mod packing;
mod simple_rnn;
mod stack;
#[cfg(test)]
mod tests;
mod weights;

pub use cells::{GruCell, LstmCell, SimpleRnnCell};
pub use gru::Gru;
pub use lstm::{Lstm, LstmState};
pub use simple_rnn::SimpleRnn;
