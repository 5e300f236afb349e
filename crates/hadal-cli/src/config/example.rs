//! An example of each setting, for messages.

use super::write::COMMENTS;

/// Those of the settings that always stand in a complete configuration, and so need no example there.
const OTHERS: [(&str, &str, &str); 15] = [
    ("data", "source", "\"iris.csv\""),
    ("loss", "name", "\"categorical_crossentropy\""),
    ("optimizer", "name", "\"adam\""),
    ("optimizer", "learning_rate", "0.001"),
    ("optimizer", "weight_decay", "0.01"),
    ("training", "epochs", "20"),
    ("training", "batch_size", "32"),
    ("training", "test_batch_size", "1000"),
    ("training", "schedule", "\"cosine\""),
    ("training", "seed", "1"),
    ("training", "patience", "20"),
    ("training", "monitor", "\"val_loss\""),
    ("training", "min_delta", "0.0"),
    ("training", "keep_best", "true"),
    ("training", "precision", "\"highest\""),
];

/// A value that a setting takes, as TOML; `None` if there is no such setting.
pub fn example(section: &str, key: &str) -> Option<&'static str> {
    let commented = COMMENTS.iter().filter(|own| own.0 == section).flat_map(|own| own.2);
    let commented = commented.filter(|own| own.0 == key && !own.2.is_empty()).map(|own| own.2).next();
    let other = OTHERS.iter().find(|own| (own.0, own.1) == (section, key)).map(|own| own.2);
    commented.or(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn every_setting_has_an_example_that_is_valid() {
        for (section, _, keys) in COMMENTS {
            for (key, ..) in *keys {
                let example = example(section, key).unwrap_or_else(|| panic!("[{section}] {key} has no example"));
                parse(&format!("[{section}]\n{key} = {example}\n")).unwrap();
            }
        }
    }
}
