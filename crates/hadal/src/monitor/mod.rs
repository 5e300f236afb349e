//! What watches a run: callbacks to its events.

mod console;
mod csv_log;
#[cfg(feature = "download")]
pub(crate) mod download;
mod note;
#[cfg(feature = "plot")]
pub mod plot;

pub use console::{Console, print_line};
pub use csv_log::CsvLog;
pub(crate) use csv_log::Record;
pub use note::{eprint_line, note};
