//! Configuration files for a reader.

use std::collections::BTreeMap;

use hadal::{Error, Result};

use super::Config;
use super::suits::{Kind, suits};

/// The settings as TOML.
pub fn to_toml(config: &Config) -> Result<String> {
    toml::to_string(config).map_err(|error| Error::Config(format!("the settings cannot be written as TOML: {error}")))
}

/// All settings as `section.key` and text.
pub fn flat(config: &Config) -> BTreeMap<String, String> {
    let all = toml::Table::try_from(config).unwrap_or_default();
    let keys = |(section, keys): (String, toml::Value)| match keys {
        toml::Value::Table(keys) => {
            keys.into_iter().map(|(key, value)| (format!("{section}.{key}"), value.to_string())).collect()
        }
        other => vec![(section, other.to_string())],
    };
    all.into_iter().flat_map(keys).collect()
}

/// The first setting that is not the same: its name, and both values.
pub fn difference(then: &Config, now: &Config) -> Option<(String, String, String)> {
    let (then, now) = (flat(then), flat(now));
    let show = |value: Option<&String>| value.cloned().unwrap_or_else(|| "not set".to_owned());
    let mut names: Vec<&String> = then.keys().chain(now.keys()).collect();
    names.sort();
    let name = names.into_iter().find(|name| then.get(*name) != now.get(*name))?;
    Some((name.clone(), show(then.get(name)), show(now.get(name))))
}

/// A section, what it is about, and its keys: each with a comment and an example.
pub(super) type Section = (&'static str, &'static str, &'static [(&'static str, &'static str, &'static str)]);

/// What stands above each section and beside each key. Keys that are not set are shown with an example.
pub(super) const COMMENTS: &[Section] = &[
    (
        "data",
        "Where the samples are, and how they are read.",
        &[
            (
                "source",
                "mnist, digits, a CSV or TSV file, a text, a folder of images by class, a folder or .npz file with x and y",
                "",
            ),
            ("target", "the column to be predicted (tables)", "\"column\""),
            ("task", "classification or regression", "\"classification\""),
            ("drop", "columns left out", "[\"column\"]"),
            ("delimiter", "what separates fields; found out if not set", "\";\""),
            ("header", "whether the first line names the columns; found out if not set", "true"),
            ("missing", "further words for missing values", "[\"unknown\", \"-999\"]"),
            ("day_first", "whether 01/02/2020 is the first of February, where no cell of the column decides", "true"),
            ("decimal_comma", "whether 1,234 is 1.234, where no cell decides; not of comma-separated files", "true"),
            (
                "text",
                "whether the source is a text; so it is if its name ends with .txt or .txt.gz and there is no target",
                "true",
            ),
            ("images", "whether the source is a folder of images", "true"),
            ("size", "height and width to which images are resized", "[28, 28]"),
            ("colour", "channels of images: grey or rgb", "\"grey\""),
            (
                "kinds",
                "kinds of columns: number, category, yes/no, date, text, identifier",
                "{ column = \"category\" }",
            ),
        ],
    ),
    (
        "split",
        "The parts: training, test (watched during training), holdout (kept for the last judgement).",
        &[
            ("train", "share of the training part", "0.7"),
            ("test", "share of the test part", "0.15"),
            ("holdout", "share of the holdout part", "0.15"),
            ("stratify", "the same shares of classes in all parts", "true"),
            (
                "rare_in_training",
                "of stratified parts: classes with fewer rows than there are parts are for training",
                "true",
            ),
            ("group", "column whose rows of one value stay together", "\"column\""),
            ("order", "column to order by: the first rows train, the last test", "\"column\""),
            ("part", "column that says train, test or holdout for each row", "\"column\""),
            ("seed", "random seed of the split", "1"),
            ("folds", "of cross-validation: what is no holdout part is divided into so many", "5"),
            ("fold", "the fold that is the test part, from 1", "1"),
        ],
    ),
    (
        "preprocess",
        "What becomes of the samples before the network sees them.",
        &[
            ("max_one_hot", "levels up to which a category has an input each; above, an embedding", "16"),
            ("standardize", "mean 0 and standard deviation 1 of arrays and images, by feature or channel", "true"),
            ("augment", "random changes of training images", "{ steps = [{ shift = 0.1 }, { rotate = 10.0 }] }"),
        ],
    ),
    (
        "model",
        "The network: hidden layers of one kind, or [[model.layers]] one by one, by the names in a model file.",
        &[
            ("hidden", "units of the hidden layers", "[64, 32]"),
            ("activation", "relu, gelu, silu, tanh, sigmoid, ...", "\"relu\""),
            ("dropout", "dropout rate after each hidden layer", "0.1"),
            ("l2", "factor of an L2 penalty on weights", "0.0"),
            ("batch_norm", "batch normalization before each activation", "false"),
            (
                "layers",
                "all layers, in place of the settings above",
                "[{ layer = \"dense\", units = 3, activation = \"softmax\" }]",
            ),
        ],
    ),
    (
        "text",
        "The network of a text, character by character. An epoch is a pass over the training part, context after context.",
        &[
            ("network", "gpt, a transformer, or lstm, a recurrent network", "\"gpt\""),
            ("context", "characters of a training sequence; gpt sees no more", "64"),
            ("blocks", "blocks of the transformer, or layers of the recurrent network", "4"),
            ("heads", "heads of attention of each block (gpt)", "4"),
            ("width", "features of each character, divided among the heads, or units of each layer", "128"),
            ("steps", "length of the training in steps, in place of epochs", "2000"),
        ],
    ),
    (
        "loss",
        "What is made small.",
        &[
            ("name", "categorical_crossentropy, mean_squared_error, mean_absolute_error, huber", ""),
            ("label_smoothing", "share of the target spread over all classes", "0.0"),
            ("class_weights", "\"balanced\", or a weight for each class", "\"balanced\""),
        ],
    ),
    (
        "optimizer",
        "",
        &[
            ("name", "sgd, rmsprop, adam, adamw", ""),
            ("learning_rate", "", ""),
            ("momentum", "of sgd and rmsprop", "0.0"),
            ("weight_decay", "", ""),
        ],
    ),
    (
        "training",
        "",
        &[
            ("epochs", "passes over the training part", ""),
            ("batch_size", "samples per step", ""),
            ("test_batch_size", "samples per step of an evaluation", ""),
            ("schedule", "of the learning rate: constant, cosine, one_cycle", ""),
            ("seed", "random seed of weights, order and dropout", ""),
            ("patience", "epochs without improvement after which training stops; 0 never stops", ""),
            ("monitor", "what has to improve: val_loss, val_accuracy, ...", ""),
            ("min_delta", "the smallest change that is an improvement", ""),
            ("keep_best", "the best epoch's weights are the result", ""),
            (
                "ema_decay",
                "the result is an exponential moving average of the weights; this share of it is kept at each step",
                "0.999",
            ),
            ("precision", "of matrix products: highest, high, medium", ""),
            ("max_steps", "steps after which training stops", "1000"),
            (
                "learning_rate_changes",
                "changes of the learning rate, [step, rate] each: from after the step on, before the schedule's factor",
                "[[1000, 0.0005]]",
            ),
            ("time_limit", "time after which training stops: 90s, 5m, 1h; the step is recorded as max_steps", "\"5m\""),
        ],
    ),
    (
        "tune",
        "Ranges for a search: keys of the sections above, with several values, or min and max (log: even in the logarithm).",
        &[
            ("optimizer.learning_rate", "", "{ min = 0.0001, max = 0.01, log = true }"),
            ("model.hidden", "", "[[32], [64, 32], [128, 64]]"),
            ("model.dropout", "", "{ min = 0.0, max = 0.5 }"),
        ],
    ),
];

/// The settings as a TOML file with comments; what is not set stands in it as a comment, if it has a meaning for data of this kind, where
/// that is told.
pub fn commented(config: &Config, kind: Option<Kind>) -> Result<String> {
    let fault = |error: toml::ser::Error| Error::Config(format!("the settings cannot be written as TOML: {error}"));
    let all = toml::Table::try_from(config).map_err(fault)?;
    let mut text = String::new();
    for (section, about, keys) in COMMENTS {
        let own = all.get(*section).and_then(toml::Value::as_table);
        let mut lines = String::new();
        if *section == "tune" {
            own.into_iter().flatten().for_each(|(key, value)| lines += &format!("{key} = {value}\n"));
        }
        for (key, about, example) in *keys {
            let about = if about.is_empty() { String::new() } else { format!("  # {about}") };
            let is_shown = !example.is_empty() && kind.is_none_or(|kind| suits(section, key, kind));
            match own.and_then(|own| own.get(*key)) {
                Some(value) => lines += &format!("{key} = {value}{about}\n"),
                None if is_shown => lines += &format!("# {key} = {example}{about}\n"),
                None => {}
            }
        }
        if lines.is_empty() {
            continue;
        }
        if !about.is_empty() {
            text += &format!("# {about}\n");
        }
        text += &format!("[{section}]\n{lines}\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{OptimizerName, parse};

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut config = Config::default();
        config.data.source = Some("a \"b\".csv".to_owned());
        config.data.kinds.insert("pclass".to_owned(), "category".to_owned());
        config.model.hidden = Some(vec![64, 32]);
        config.optimizer.name = Some(OptimizerName::Adamw);
        config.preprocess.augment = Some(hadal::data::Augment::new().shift(0.1).scale(0.9, 1.1));
        config.tune = toml::from_str("optimizer.learning_rate = { min = 0.001, max = 0.1 }").unwrap();
        for kind in [None, Some(Kind::Table), Some(Kind::Text)] {
            assert_eq!(parse(&commented(&config, kind).unwrap()).unwrap(), config, "{kind:?}");
        }
        assert_eq!(parse(&to_toml(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn every_key_has_a_comment_and_every_example_is_valid() {
        for (section, _, keys) in COMMENTS {
            for (key, _, example) in *keys {
                if !example.is_empty() {
                    parse(&format!("[{section}]\n{key} = {example}\n")).unwrap();
                }
            }
        }
    }

    #[test]
    fn what_has_no_meaning_for_the_data_is_not_shown() {
        let shown = |kind: Option<Kind>| commented(&Config::default(), kind).unwrap();
        let has = |kind: Kind, word: &str| shown(Some(kind)).contains(word);
        for word in ["[text]", "# target =", "# size =", "# hidden =", "# standardize =", "model.hidden"] {
            assert!(shown(None).contains(word), "{word}");
        }
        assert!(has(Kind::Table, "# target =") && !has(Kind::Table, "[text]") && !has(Kind::Table, "# size ="));
        assert!(has(Kind::Text, "# heads =") && has(Kind::Text, "model.dropout") && !has(Kind::Text, "model.hidden"));
        assert!(!has(Kind::Text, "# holdout =") && !has(Kind::Text, "# folds =") && !has(Kind::Text, "# target ="));
        assert!(
            has(Kind::Images, "# size =") && has(Kind::Arrays, "# standardize =") && !has(Kind::Digits, "# size =")
        );
        // Each setting that is for some data alone is one that there is.
        for (section, _, keys) in COMMENTS {
            for (key, ..) in *keys {
                let kinds = [Kind::Digits, Kind::Table, Kind::Images, Kind::Arrays, Kind::Text];
                assert!(kinds.iter().any(|kind| suits(section, key, *kind)), "[{section}] {key}");
            }
        }
        assert!(crate::config::suits::settings().all(|(section, key)| {
            COMMENTS.iter().any(|own| own.0 == section && own.2.iter().any(|own| own.0 == key))
        }));
    }
}
