//! Files for [TensorBoard](https://www.tensorflow.org/tensorboard), the page in the browser that shows how training goes.
//!
//! [`TensorBoard`] is a callback of `fit`; [`Log`] is for a training loop of your own. Both write an events file into a folder of
//! the run's own; `tensorboard --logdir FOLDER` shows all runs below a folder. TensorBoard itself is installed with
//! `pip install tensorboard`.

mod activations;
mod callback;
mod confusion;
mod evaluation;
mod file;
mod graph;
mod histogram;
mod layout;
mod live;
mod log;
mod markdown;
pub(in crate::monitor) mod messages;
mod picture;
mod process;
mod record;
mod run;
mod samples;
mod summary;
#[cfg(test)]
mod tests;

pub use callback::TensorBoard;
pub use log::Log;
pub use record::{RecordReader, push_record};
pub use summary::HParam;
