//! The training loop, and the events it tells its callbacks.

mod event;
mod fit;
mod history;
mod pass;
mod range_test;
mod run_folder;
mod save_model;
mod trainer;

pub use event::{BatchLogs, Callback, Event, Flow, Logs};
pub use fit::Fit;
pub use history::History;
pub use range_test::RangeTest;
pub use run_folder::RunFolder;
pub use save_model::SaveModel;
pub use trainer::{Score, Trainer};
