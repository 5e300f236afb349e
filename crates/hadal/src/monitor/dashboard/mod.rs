//! A page in the browser that shows runs while they train, and afterwards.
//!
//! ```
//! use hadal::monitor::dashboard::Dashboard;
//! # let folder = tempfile::tempdir().unwrap();
//! # let runs = folder.path();
//! let server = Dashboard::serve([runs]).port(0).start()?;
//! println!("{}", server.url());
//! # Ok::<(), hadal::Error>(())
//! ```
//!
//! The page reads the folders of runs: `history.csv`, `timing.csv`, `config.toml` and `summary.json` that a
//! [`RunFolder`](crate::train::RunFolder) and the command `hadal` write, the events files of
//! [`TensorBoard`](super::tensorboard::TensorBoard) and [`Log`](super::tensorboard::Log), and `health.json`, the
//! findings of [`Health`](crate::train::Health). Texts are shown as Markdown, without HTML. What is half written,
//! damaged or of another version is shown as far as it goes, with a note. Curves are smoothed before points are
//! left out, so that they do not change when the page zooms.
//!
//! The server answers to its own page alone: see [`Dashboard::listen`] for who can reach it.

mod cache;
mod clock;
mod confusion;
mod control;
mod events;
mod finding;
mod guard;
mod history;
mod kept;
mod kept_curve;
mod kept_events;
mod look;
mod markdown;
mod page;
mod pr_curve;
mod pyramid;
mod query;
mod run;
mod runs;
mod series;
mod serve;
mod server;
#[cfg(test)]
mod tests;

pub use control::{Action, Control};
pub use serve::{Dashboard, Server};
