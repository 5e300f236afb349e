//! Configuration files.

use std::path::Path;

use hadal::nn::layer_kinds;
use hadal::{Error, Result, nearest};

use super::example::example;
use super::place::{keys_at, line_of, line_of_layer, line_of_setting};
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
    let config: Config = toml::from_str(text).map_err(|error| described(text, &error))?;
    check(&config).map_err(|reason| match place_of(&reason, text) {
        Some(line) => format!("line {line}: {reason}"),
        None => reason,
    })?;
    Space::of(&config)?;
    Ok(config)
}

/// The line of the setting that a message of [`check`] begins with: `[section] key ...`.
fn place_of(reason: &str, text: &str) -> Option<usize> {
    let (section, rest) = reason.strip_prefix('[')?.split_once("] ")?;
    let key = rest.split([' ', ':']).next()?;
    line_of_setting(text, section, key)
}

/// What the parser says: the line, the setting, what it is and what it must be, with an example.
fn described(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim_end();
    let Some(span) = error.span() else { return explain(message) };
    if let Some((number, problem)) = of_layer(message) {
        let line = line_of_layer(text, number).unwrap_or_else(|| line_of(text, span.start));
        return format!("line {line}: {problem}");
    }
    let line = line_of(text, span.start);
    let found = text.get(span.clone()).unwrap_or_default().trim();
    if message == "duplicate key" && !found.contains('\n') {
        return format!("line {line}: the key `{found}` is set twice");
    }
    let keys = keys_at(text, &span);
    let Some(setting) = setting(&keys).filter(|_| !message.starts_with("unknown field")) else {
        return format!("line {line}: {}", explain(message));
    };
    let Some(rule) = rule(message) else { return format!("line {line}: {setting}: {}", explain(message)) };
    let example = match &keys[..] {
        [section] => format!("a line [{section}], and its keys below it"),
        [section, key] => example(section, key).map_or(String::new(), |example| format!("{key} = {example}")),
        _ => String::new(),
    };
    let example = if example.is_empty() { example } else { format!("; for example: {example}") };
    format!("line {line}: {setting} is {}, but must be {rule}{example}", cut(found))
}

/// The number of the layer that a message is about, counted from 1, and what is wrong with it: `layer 2: layer `conv2d`: missing
/// field `kernel`` becomes "[model] layers, layer 2 (conv2d): the key `kernel` is missing".
fn of_layer(message: &str) -> Option<(usize, String)> {
    let (number, mut problem) = message.strip_prefix("layer ")?.split_once(": ")?;
    let number = number.parse().ok()?;
    let mut kinds = Vec::new();
    while let Some((kind, rest)) = problem.strip_prefix("layer `").and_then(|rest| rest.split_once("`: ")) {
        kinds.push(kind);
        problem = rest;
    }
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", in it ")) };
    let problem = match (problem.strip_prefix("invalid type: "), rule(problem)) {
        (Some(found), Some(rule)) => {
            let found = found.split(", expected").next().unwrap_or_default();
            format!("{found} is given where {rule} is expected")
        }
        _ => explain(problem),
    };
    Some((number, format!("[model] layers, layer {number}{kinds}: {problem}")))
}

/// `[section] key`.
fn setting(keys: &[String]) -> Option<String> {
    match keys {
        [] => None,
        [section] => Some(section.clone()),
        [section, keys @ ..] => Some(format!("[{section}] {}", keys.join("."))),
    }
}

/// What a value of another type must be.
fn rule(message: &str) -> Option<String> {
    if message.contains("untagged enum ClassWeights") {
        return Some(CLASS_WEIGHTS.to_owned());
    }
    if message == "wanted string or table" {
        return Some(plain("a string"));
    }
    let is_of_type =
        ["invalid type: ", "invalid value: ", "invalid length "].iter().any(|start| message.starts_with(start));
    let (_, expected) = message.rsplit_once("expected ").filter(|_| is_of_type)?;
    Some(plain(expected))
}

/// The first line of a value, and not more than fits into a message.
fn cut(value: &str) -> String {
    const MOST: usize = 40;
    let first = value.lines().next().unwrap_or_default();
    if first.len() == value.len() && first.chars().count() <= MOST {
        return first.to_owned();
    }
    first.chars().take(MOST).chain("...".chars()).collect()
}

const CLASS_WEIGHTS: &str = "\"balanced\", or a list with a weight for each class";

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
        return format!("class_weights must be {CLASS_WEIGHTS}");
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("the key {name} is missing");
    }
    // A configuration has no kinds of a program's own.
    if let Some((unknown, _)) = message.split_once("; if it is a kind of your own") {
        return format!("{unknown} (there are {})", layer_kinds().join(", "));
    }
    if let Some((unknown, _)) = message.split_once(" If it is a kind of your own") {
        return unknown.to_owned();
    }
    in_plain_words(&message.replace('\n', " "))
}

/// The names of Rust's types as a reader of the file calls them.
fn in_plain_words(message: &str) -> String {
    let Some((found, expected)) = message.rsplit_once("expected ") else { return message.to_owned() };
    format!("{found}expected {}", plain(expected))
}

fn plain(expected: &str) -> String {
    let length = expected.strip_prefix("an array of length ");
    match expected {
        "usize" | "u64" | "u32" => "a whole number of 0 or more",
        "i64" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "true or false",
        "a string" => "text in quotes",
        "a sequence" => "a list",
        "a map" | "map" => "a table",
        other if other.starts_with("struct ") => "a section with keys",
        other => return length.map_or(other.to_owned(), |length| format!("a list of {length} values")),
    }
    .to_owned()
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
                ["line 2: [model] layers", "no kind of layer called `dens`", "did you mean `dense`?"],
            ),
            (
                "[[model.layers]]\nlayer = \"telepathy\"\n",
                ["line ", "no kind of layer called `telepathy` (there are activation, ", "conv2d, conv3d"],
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
            (
                "[training]\nepochs = -1\n",
                "line 2: [training] epochs is -1, but must be a whole number of 0 or more; for example: epochs = 20",
            ),
            (
                "# a\n\n[training]\nepochs = \"many\"\n",
                "line 4: [training] epochs is \"many\", but must be a whole number of 0 or more; for example: epochs = 20",
            ),
            ("training.patience = -1\n", "line 1: [training] patience is -1, but must be a whole number of 0 or more"),
            (
                "[optimizer]\nlearning_rate = \"x\"\n",
                "learning_rate is \"x\", but must be a number; for example: learning_rate",
            ),
            (
                "[model]\nhidden = 3\n",
                "line 2: [model] hidden is 3, but must be a list; for example: hidden = [64, 32]",
            ),
            ("[model]\nhidden = [3,\n \"a\"]\n", "line 3: [model] hidden is \"a\", but must be a whole number"),
            (
                "[model]\nbatch_norm = 3\n",
                "[model] batch_norm is 3, but must be true or false; for example: batch_norm = false",
            ),
            (
                "[data]\ntarget = 3\n",
                "line 2: [data] target is 3, but must be text in quotes; for example: target = \"column\"",
            ),
            (
                "[data]\nsize = [3, 4, 5]\n",
                "[data] size is [3, 4, 5], but must be a list of 2 values; for example: size = [28, 28]",
            ),
            ("model = 3\n", "line 1: model is 3, but must be a section with keys; for example: a line [model]"),
            (
                "[loss]\nclass_weights = \"blanced\"\n",
                "line 2: [loss] class_weights is \"blanced\", but must be \"balanced\", or a list",
            ),
            ("[data]\ntarget = \"a\"\n\n[model]\ndropout = -0.5\n", "line 5: [model] dropout -0.5 must be at least 0"),
            (
                "[optimizer]\nname = 3\n",
                "line 2: [optimizer] name is 3, but must be text in quotes; for example: name = \"adam\"",
            ),
            (
                "[model]\nactivation = \"rel\"\n",
                "line 2: [model] activation: there is no value `rel`; did you mean `relu`?",
            ),
            (
                "[model]\nlayers = [\"dense\"]\n",
                "line 2: [model] layers, layer 1: string \"dense\" is given where a table with the name of a layer is expected",
            ),
            (
                "[[model.layers]]\nlayer = \"flatten\"\n[[model.layers]]\nlayer = \"conv2d\"\nfilters = 3\n",
                "line 3: [model] layers, layer 2 (conv2d): the key `kernel` is missing",
            ),
            (
                "[model]\nlayers = [{ layer = \"residual\", layers = [{ layer = \"max_pool2d\", kernel = 2, size = 3 }] }]\n",
                "line 2: [model] layers, layer 1 (residual, in it max_pool2d): there is no key `size`",
            ),
            (
                "[model]\nlayers = [\n{ layer = \"flatten\", axis = 1 }]\n",
                "line 3: [model] layers, layer 1 (flatten): it has no settings, but `axis` is given",
            ),
            (
                "[[model.layers]]\nlayer = \"conv2d\"\nfilters = 3\nkernel = -3\n",
                "line 1: [model] layers, layer 1 (conv2d): -3 is negative",
            ),
            ("[[model.layers]]\nunits = 3\n", "line 1: [model] layers, layer 1: the key `layer` is missing"),
            (
                "[[model.layers]]\nlayer = \"relu\"\n",
                "layer 1: there is no kind of layer called `relu`; it is a `function` of the kind `activation`",
            ),
            ("[data]\ntask = 3\n", "line 2: [data] task is 3, but must be"),
            ("[preprocess]\naugment = 3\n", "line 2: [preprocess] augment is 3, but must be"),
            (
                "[model]\nlayers = [{ layer = \"dense\", units = \"a\" }]\n",
                "line 2: [model] layers, layer 1 (dense): string \"a\" is given where a whole number of 0 or more is expected",
            ),
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
