//! A panic as an error: one line, and the exit code of any other error.

use std::panic::{PanicHookInfo, UnwindSafe, catch_unwind, set_hook};
use std::sync::OnceLock;

use hadal::Result;

/// What the first panic says. Others may follow from it, such as that of the thread that waits for the first one's.
static FIRST: OnceLock<String> = OnceLock::new();

/// Runs the command; the error's text if it fails, or if it panics on any thread that it waits for.
pub fn catch(command: impl FnOnce() -> Result<()> + UnwindSafe) -> Result<(), String> {
    set_hook(Box::new(|panic| {
        FIRST.get_or_init(|| describe(panic));
    }));
    match catch_unwind(command) {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(_) => Err(FIRST.get().cloned().unwrap_or_else(|| "internal error".to_owned())),
    }
}

fn describe(panic: &PanicHookInfo) -> String {
    let message = panic.payload_as_str().unwrap_or("unknown");
    // No mistake of the program: the machine is too small, or its memory in use.
    if message.starts_with("out of memory") {
        return message.to_owned();
    }
    let place = panic.location().map_or("an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
    format!("internal error at {place}: {message}; please report it at {}", env!("CARGO_PKG_REPOSITORY"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_says_where_even_on_another_thread() {
        let outcome = catch(|| {
            let first = std::thread::spawn(|| panic!("the {} one", "first")).join();
            assert!(first.is_ok(), "the second one");
            Ok(())
        });
        let message = outcome.unwrap_err();
        assert!(message.starts_with("internal error at ") && message.contains("failure.rs:"), "{message}");
        assert!(message.contains(": the first one; please report it at https://"), "{message}");
    }
}
