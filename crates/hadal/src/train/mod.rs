//! The training loop and its callbacks.

mod event;
mod fit;
mod history;
mod model_checkpoint;
mod pass;
mod range_test;
mod run_folder;
mod trainer;

pub use event::{BatchLogs, Callback, Event, Flow, Logs};
pub use fit::Fit;
pub use history::History;
pub use model_checkpoint::ModelCheckpoint;
pub use range_test::LearningRateRangeTest;
pub use run_folder::RunFolder;
pub use trainer::{Samples, Trainer};
