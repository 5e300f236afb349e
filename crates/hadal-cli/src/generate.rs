//! `hadal generate`.

use std::io::{ErrorKind, IsTerminal, Write, stdout};
use std::path::PathBuf;

use hadal::data::Vocabulary;
use hadal::nn::{Generator, Sampling};
use hadal::prelude::*;
use hadal::{Error, Result};

use crate::args::Generate;
use crate::model;
use crate::several::check_is_one;

pub fn run(args: &Generate) -> Result<()> {
    check_is_one(&args.model)?;
    let trained = model::load(&args.model)?;
    let Some(vocabulary) = trained.vocabulary() else {
        return Err(trained.error(format!(
            "the model was trained on {}; generate continues a text, with a model that hadal train FILE.txt has made",
            trained.source.kind()
        )));
    };
    let mut sampling = Sampling::new().temperature(args.temperature).top_p(args.top_p);
    if let Some(k) = args.top_k {
        sampling = sampling.top_k(k);
    }
    let prompt = match args.prompt.as_str() {
        "" => first(&vocabulary),
        prompt => vocabulary.encode(prompt).map_err(|error| Error::Config(format!("--prompt: {error}")))?,
    };
    let generator = Generator::new(&trained.model, &prompt, None, sampling, Rng::new(args.seed))?;
    let is_terminal = stdout().is_terminal();
    let mut ends_line = true;
    for token in generator.take(args.length) {
        let text = vocabulary.decode(&[token.map_err(|error| trained.error(error))?]);
        ends_line = text == "\n";
        if !write(&if is_terminal { harmless(&text) } else { text })? {
            return Ok(());
        }
    }
    if is_terminal && !ends_line {
        // So that the shell's next line is one of its own.
        write("\n")?;
    }
    Ok(())
}

/// What an empty prompt stands for: the end of a line; a space, or the first of all characters, where the text has none.
fn first(vocabulary: &Vocabulary) -> Vec<i64> {
    ["\n", " "].iter().find_map(|text| vocabulary.encode(text).ok()).unwrap_or_else(|| vec![0])
}

/// Control characters as escapes: a terminal would obey them.
fn harmless(text: &str) -> String {
    let is_control = |c: char| c.is_control() && !"\n\r\t".contains(c);
    let shown = |c: char| if is_control(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// Writes text at once. `false`: nobody reads any more.
fn write(text: &str) -> Result<bool> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(source) => Err(Error::Io { path: PathBuf::from("standard output"), action: "write the text", source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_prompt_is_the_end_of_a_line_if_the_text_has_one() {
        for (text, first_is) in [("b\n a", '\n'), ("b a", ' '), ("ba", 'a')] {
            let vocabulary = Vocabulary::of(text);
            assert_eq!(vocabulary.decode(&first(&vocabulary)), first_is.to_string());
        }
    }

    #[test]
    fn a_terminal_sees_no_control_characters() {
        assert_eq!(harmless("a\u{1b}[31m\r\n\té"), "a\\u{1b}[31m\r\n\té");
    }
}
