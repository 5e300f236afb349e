//! The training loop and its callbacks.

mod accumulation;
mod best;
mod callbacks;
mod checkpoint;
mod checks;
mod early_stopping;
mod event;
mod fit;
mod health;
mod history;
mod importance;
mod intervals;
mod keep_best;
mod model_checkpoint;
mod pass;
mod predict;
mod range_test;
mod recipe;
mod restore;
mod resume;
mod run_folder;
mod sample_losses;
mod set_aside;
mod step;
mod time_limit;
mod trained;
mod trainer;
mod training_loop;
mod training_state;

pub use checkpoint::{Checkpoint, Every, duration};
#[cfg(feature = "tensorboard")]
pub(crate) use checks::check_preprocessing;
pub use early_stopping::EarlyStopping;
pub use event::{BatchLogs, Callback, Event, Flow, Logs};
pub use fit::Fit;
pub use health::{Finding, FindingKind, Health};
pub use history::History;
pub use importance::Importance;
pub use intervals::Interval;
pub use keep_best::KeepBest;
pub use model_checkpoint::ModelCheckpoint;
pub use predict::Samples;
pub use range_test::LearningRateRangeTest;
pub use recipe::Recipe;
pub use run_folder::{HeldFolder, RunFolder};
pub use time_limit::TimeLimit;
pub use trained::Trained;
pub use trainer::Trainer;
#[cfg(feature = "report")]
pub(crate) use training_state::Exact;
pub use training_state::{CallbackState, TrainingState};
