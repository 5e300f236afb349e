//! The training loop, and the events it tells its callbacks.

mod event;
mod fit;
mod history;
mod pass;
mod range_test;
mod run_folder;
mod model_checkpoint;
mod trainer;

pub use event::{BatchLogs, Callback, Event, Flow, Logs};
pub use fit::Fit;
pub use history::History;
pub use range_test::LearningRateRangeTest;
pub use run_folder::RunFolder;
pub use model_checkpoint::ModelCheckpoint;
pub use trainer::Trainer;
