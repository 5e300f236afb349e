//! Callbacks for progress and CSV logs.

mod console;
mod csv_logger;
#[cfg(feature = "download")]
pub(crate) mod download;
mod note;

pub use console::{Console, print_line};
pub use csv_logger::CsvLogger;
pub(crate) use csv_logger::Record;
#[doc(hidden)]
pub use csv_logger::csv_line;
pub use note::{eprint_line, note};
