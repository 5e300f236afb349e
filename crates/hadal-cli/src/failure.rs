//! A panic as an error: one line, and the exit code of any other error.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, UnwindSafe, catch_unwind, set_hook};
use std::sync::OnceLock;

use hadal::Result;

/// What the first panic says. Others may follow from it, such as that of the thread that waits for the first one's.
static FIRST: OnceLock<String> = OnceLock::new();

thread_local! {
    /// Within [`contain`], what this thread's last panic says; empty before there is one.
    static CONTAINED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the command; the error's text if it fails, or if it panics on any thread that it waits for.
pub fn catch<T>(command: impl FnOnce() -> Result<T> + UnwindSafe) -> Result<T, String> {
    set_hook(Box::new(|panic| {
        CONTAINED.with_borrow_mut(|contained| match contained {
            Some(message) => *message = describe(panic),
            None => {
                FIRST.get_or_init(|| describe(panic));
            }
        });
    }));
    match catch_unwind(command) {
        Ok(outcome) => outcome.map_err(|error| in_words_of_the_command(&error.to_string())),
        Err(_) => Err(FIRST.get().cloned().unwrap_or_else(|| "internal error".to_owned())),
    }
}

/// Advice for a program, and what it is for the command.
const TRANSLATIONS: [(&str, &str); 13] = [
    (
        "convert them with to_dtype(DType::I64), u8 inputs before they are put into a Dataset",
        "save them as 64-bit integers, x.astype('<i8')",
    ),
    ("convert them with to_dtype(DType::I64) and reshape", "save them as integers, y.astype('<i8')"),
    ("convert them with to_dtype", "save x as floats, x.astype('<f4')"),
    ("convert them with Tensor::to_dtype", "save x as bytes or floats, x.astype('<f4')"),
    (
        "end the network with Softmax or Sigmoid, or use the loss's from_logits()",
        "the last of [model] layers needs activation = \"softmax\"",
    ),
    ("EarlyStopping monitors", "--monitor: training monitors"),
    ("KeepBest monitors", "--monitor: training monitors"),
    ("numbers of a regression are floats: .astype('<f4')", "numbers need --task regression"),
    ("set the size that they become, for example 32 x 32", "set the size that they become, for example --size 32x32"),
    ("use a longer text or a shorter context", "use a longer text or a shorter context (--context)"),
    ("; apply the same transforms to the dataset", ""),
    ("use layers(2), or", "use layers = 2, or"),
    ("call register_layer for its type first", "only the program that defines it can use the file"),
];

/// Layers that the library advises in a program's words, and as a configuration lists them: kind and setting.
const LAYERS: [(&str, &str, &str); 3] =
    [("Reshape::new(", "reshape", "shape"), ("Permute::new(", "permute", "order"), ("a Dropout(", "dropout", "rate")];

/// The library's message, with advice that the command can follow.
fn in_words_of_the_command(message: &str) -> String {
    let message = TRANSLATIONS.iter().fold(message.to_owned(), |message, (from, to)| message.replace(from, to));
    LAYERS.iter().fold(message, |message, (program, kind, setting)| {
        let listed = message.split_once(program).and_then(|(before, rest)| {
            let (value, after) = rest.split_once(')')?;
            Some(format!("{before}{{ layer = \"{kind}\", {setting} = {value} }}{after}"))
        });
        listed.unwrap_or(message)
    })
}

/// Runs one of several pieces of work; the panic's text if it panics, so that the others go on. What a panic may leave half
/// done must not be used afterwards.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = CONTAINED.replace(Some(String::new()));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    let said = CONTAINED.replace(outer).filter(|message| !message.is_empty());
    outcome.map_err(|payload| {
        // Without a text, the panic is another thread's, passed on.
        let message = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref().copied());
        said.unwrap_or_else(|| match message {
            Some(message) if message.starts_with("out of memory") => message.to_owned(),
            message => format!("internal error: {}", message.unwrap_or("unknown")),
        })
    })
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
    fn advice_for_programs_becomes_advice_for_the_command() {
        let message = in_words_of_the_command("y.npy: numbers of a regression are floats: .astype('<f4')");
        assert_eq!(message, "y.npy: numbers need --task regression");
    }

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
    #[test]
    fn a_contained_panic_is_an_error_of_its_own_piece_of_work() {
        let message = contain(|| {
            let inner = contain(|| -> u8 { panic!("piece {}", 3) }).unwrap_err();
            assert!(inner.starts_with("internal error") && inner.contains("piece 3"), "{inner}");
            panic!("the outer piece")
        });
        let message = message.map(|()| String::new()).unwrap_err();
        assert!(message.contains("the outer piece"), "{message}");
        let message = contain(|| -> u8 { panic!("out of memory: 8 GiB") }).unwrap_err();
        assert!(message.ends_with("out of memory: 8 GiB"), "{message}");
        let passed_on = contain(|| -> u8 { std::panic::resume_unwind(Box::new("of a thread")) }).unwrap_err();
        assert_eq!(passed_on, "internal error: of a thread");
        assert_eq!(contain(|| 4), Ok(4));
    }
}
