//! Lines on standard error.

use std::io::Write;

/// Prints a line on standard error, above a progress bar that is shown. A standard error that cannot be written to is no reason
/// to stop.
pub fn eprint_line(text: &str) {
    super::console::above_the_bar(|| {
        // In one piece, which no line on standard output can break.
        let _ = std::io::stderr().lock().write_all((printable(text) + "\n").as_bytes());
    });
}

/// The text with control characters, which a file's name may hold, as escapes: a terminal would obey them.
pub(super) fn printable(text: &str) -> String {
    let is_control = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if is_control(c) {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
        shown
    })
}

/// Prints `note: text` to standard error, for what is worth knowing but is not an error.
pub fn note(text: &str) {
    eprint_line(&format!("note: {text}"));
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_terminal_sees_no_control_characters() {
        assert_eq!(super::printable("a\u{1b}[31m\r\tb\nc\u{9b}é"), "a\\u{1b}[31m\\r\tb\nc\\u{9b}é");
    }
}
