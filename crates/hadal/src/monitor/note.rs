//! Lines on standard error.

use std::io::Write;

/// Prints a line on standard error. A standard error that cannot be written to is no reason to stop.
pub fn eprint_line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints `note: text` on standard error: something to know about that is no error.
pub fn note(text: &str) {
    eprint_line(&format!("note: {text}"));
}
