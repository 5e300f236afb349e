//! The training loop, and the events it tells its subscribers.

mod event;
mod fit;
mod history;
mod trainer;

pub use event::{Event, Flow, Logs, Subscriber};
pub use fit::Fit;
pub use history::History;
pub use trainer::{Score, Trainer};
