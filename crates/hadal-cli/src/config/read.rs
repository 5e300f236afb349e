//! Configuration files.

use std::path::Path;

use hadal::{Error, Result, nearest};

use super::space::Space;
use super::{Config, check};

/// A file larger than this is no configuration.
const MOST_BYTES: u64 = 1 << 20;

/// The settings in a TOML file.
///
/// # Errors
/// If the file cannot be read or is not valid; the message names the line, and the nearest name for one that is unknown.
pub fn read(path: &Path) -> Result<Config> {
    let fault = |reason: String| Error::File { path: path.to_owned(), reason };
    let io = |source| Error::Io { path: path.to_owned(), action: "read the configuration", source };
    let file = std::fs::metadata(path).map_err(io)?;
    if !file.is_file() || file.len() > MOST_BYTES {
        return Err(fault("is not a configuration file: it must be a regular file of at most 1 MiB".into()));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let text = String::from_utf8(bytes).map_err(|_| fault("is not UTF-8 text".into()))?;
    parse(&text).map_err(fault)
}

/// The settings in TOML text, or what is wrong with it and in which line.
pub fn parse(text: &str) -> Result<Config, String> {
    let config: Config = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(String::new(), |span| {
            let before = text.get(..span.start).unwrap_or(text);
            format!("line {}: ", before.matches('\n').count() + 1)
        });
        let key = error.span().and_then(|span| text.get(span)).filter(|key| !key.contains('\n')).unwrap_or_default();
        match error.message().trim_end() {
            "duplicate key" => format!("{line}the key `{}` is set twice", key.trim()),
            message => format!("{line}{}", explain(message)),
        }
    })?;
    check(&config)?;
    Space::of(&config)?;
    Ok(config)
}

/// The message of the parser, with the nearest name for one that is unknown: "unknown field `hiden`, expected one of ...".
pub(super) fn explain(message: &str) -> String {
    let message = message.trim_end();
    for what in ["field", "variant"] {
        let Some(rest) = message.strip_prefix(&format!("unknown {what} `")) else { continue };
        let Some((name, expected)) = rest.split_once("`, expected ") else { continue };
        // Names stand between backticks.
        let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let what = if what == "field" { "key" } else { "value" };
        let advice = nearest(name, names.iter().copied())
            .map_or(String::new(), |nearest| format!("; did you mean `{nearest}`?"));
        return format!("there is no {what} `{name}`{advice} (there are {})", names.join(", "));
    }
    if message.contains("untagged enum ClassWeights") {
        return "class_weights must be \"balanced\", or a list with a weight for each class".to_owned();
    }
    in_plain_words(&message.replace('\n', " "))
}

/// The names of Rust's types as a reader of the file calls them.
fn in_plain_words(message: &str) -> String {
    let Some((found, expected)) = message.rsplit_once("expected ") else { return message.to_owned() };
    let expected = match expected {
        "usize" | "u64" | "u32" => "a whole number, not negative",
        "i64" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" | "map" => "a table",
        other if other.starts_with("struct ") => "a section with keys",
        other => other,
    };
    format!("{found}expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_the_nearest() {
        for (text, words) in [
            ("[model]\nhiden = [3]\n", ["line 2", "no key `hiden`", "did you mean `hidden`?"]),
            ("\n[modle]\nhidden = [3]\n", ["line 2", "no key `modle`", "did you mean `model`?"]),
            ("[optimizer]\nname = \"adan\"\n", ["line 2", "no value `adan`", "did you mean `adam`?"]),
            (
                "[model]\nlayers = [{ layer = \"dens\", units = 3 }]\n",
                ["line 2", "no value `dens`", "did you mean `dense`?"],
            ),
            ("[[model.layers]]\nlayer = \"dense\"\nunit = 3\n", ["line ", "no key `unit`", "did you mean `units`?"]),
        ] {
            let message = parse(text).unwrap_err();
            for word in words {
                assert!(message.contains(word), "{message:?} does not say {word:?}");
            }
        }
    }

    #[test]
    fn messages_are_in_the_words_of_the_file() {
        for (text, words) in [
            ("[training]\nepochs = -1\n", "expected a whole number, not negative"),
            ("[training]\nepochs = \"many\"\n", "expected a whole number, not negative"),
            ("[optimizer]\nlearning_rate = \"x\"\n", "expected a number"),
            ("[model]\nhidden = 3\n", "expected a list"),
            ("[model]\nbatch_norm = 3\n", "expected true or false"),
            ("model = 3\n", "expected a section with keys"),
            ("[loss]\nclass_weights = \"blanced\"\n", "line 2: class_weights must be \"balanced\", or a list"),
            ("[model]\nl2 = 0.0\nl2 = 0.1\n", "line 3: the key `l2` is set twice"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(words), "{message:?} does not say {words:?}");
        }
    }

    #[test]
    fn values_of_another_type_are_errors_with_their_line() {
        for text in ["[training]\nepochs = \"many\"\n", "[model]\nhidden = 3\n", "[training]\nepochs = -1\n", "x"] {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with("line "), "{message}");
        }
    }
}
