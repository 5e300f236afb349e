//! The training loop, and the events it tells its subscribers.

mod event;
mod fit;
mod history;
mod pass;
mod range_test;
mod run_folder;
mod save_model;
mod trainer;

pub use event::{BatchLogs, Event, Flow, Logs, Subscriber};
pub use fit::Fit;
pub use history::History;
pub use range_test::RangeTest;
pub use run_folder::RunFolder;
pub use save_model::SaveModel;
pub use trainer::{Score, Trainer};
