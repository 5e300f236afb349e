//! Callbacks for progress, CSV and JSON logs, reports, and TensorBoard.

mod columns;
mod console;
mod csv_logger;
#[cfg(feature = "dashboard")]
pub mod dashboard;
#[cfg(feature = "download")]
pub(crate) mod download;
#[cfg(any(feature = "report", feature = "tensorboard"))]
pub(crate) mod evaluation;
#[cfg(any(feature = "report", feature = "tensorboard"))]
mod images;
mod json_logger;
mod note;
#[cfg(feature = "report")]
pub mod report;
#[cfg(any(feature = "report", feature = "tensorboard"))]
mod sample_columns;
#[cfg(feature = "tensorboard")]
pub mod tensorboard;
mod text_chart;

#[doc(hidden)]
#[cfg(feature = "progress")]
pub use columns::columns;
#[doc(hidden)]
pub use columns::wrapped;
pub use console::{Console, print_line};
pub use csv_logger::CsvLogger;
pub(crate) use csv_logger::Record;
#[doc(hidden)]
pub use csv_logger::csv_line;
pub use json_logger::JsonLogger;
pub use note::{eprint_line, note};
pub use text_chart::text_chart;
