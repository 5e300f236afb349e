//! Which settings are for which kinds of data.

use super::{Config, flat};

/// The kinds of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Digits,
    Table,
    Images,
    Arrays,
    Text,
}

/// Settings that are for some kinds of data alone.
pub struct Group {
    /// The kinds, for a reader.
    pub what: &'static str,
    pub kinds: &'static [Kind],
    /// Sections and keys.
    settings: &'static [(&'static str, &'static str)],
}

/// All others are for every kind.
static GROUPS: [Group; 5] = [
    Group {
        what: "tables",
        kinds: &[Kind::Table],
        settings: &[
            ("data", "target"),
            ("data", "drop"),
            ("data", "kinds"),
            ("data", "delimiter"),
            ("data", "header"),
            ("data", "missing"),
            ("data", "day_first"),
            ("data", "decimal_comma"),
            ("split", "group"),
            ("split", "order"),
            ("split", "part"),
            ("preprocess", "max_one_hot"),
        ],
    },
    Group {
        what: "folders of images",
        kinds: &[Kind::Images],
        settings: &[("data", "size"), ("data", "colour"), ("data", "images")],
    },
    Group {
        what: "folders of images and arrays",
        kinds: &[Kind::Images, Kind::Arrays],
        settings: &[("preprocess", "standardize")],
    },
    Group {
        what: "texts",
        kinds: &[Kind::Text],
        settings: &[
            ("data", "text"),
            ("text", "network"),
            ("text", "context"),
            ("text", "blocks"),
            ("text", "heads"),
            ("text", "width"),
            ("text", "steps"),
        ],
    },
    Group {
        what: "other data than texts",
        kinds: &[Kind::Digits, Kind::Table, Kind::Images, Kind::Arrays],
        settings: &[
            ("model", "hidden"),
            ("model", "activation"),
            ("model", "l2"),
            ("model", "batch_norm"),
            ("model", "layers"),
            ("loss", "class_weights"),
            ("loss", "label_smoothing"),
            ("preprocess", "augment"),
            ("split", "stratify"),
            ("split", "rare_in_training"),
            ("split", "folds"),
            ("split", "fold"),
            ("split", "holdout"),
        ],
    },
];

/// Whether a setting has a meaning for data of this kind. In the section `tune`, keys are those of other sections: `model.hidden`.
pub fn suits(section: &str, key: &str, kind: Kind) -> bool {
    let setting = if section == "tune" { key.split_once('.').unwrap_or((section, key)) } else { (section, key) };
    GROUPS.iter().all(|group| group.kinds.contains(&kind) || !group.settings.contains(&setting))
}

/// The first setting that has no meaning for data of this kind: its section and key, and what it is for.
pub fn unsuited(config: &Config, kind: Kind) -> Option<(&'static str, &'static str, &'static Group)> {
    let set = flat(config);
    let is_set = |section: &str, key: &str| match set.get(&format!("{section}.{key}")).map(String::as_str) {
        None => false,
        // What says that it is not wanted does no harm, and a holdout part is refused with the shares of all parts.
        Some("false") => !matches!(key, "text" | "images"),
        Some("0.0") => !matches!(key, "label_smoothing" | "holdout"),
        Some(_) => key != "holdout",
    };
    let groups = GROUPS.iter().filter(|group| !group.kinds.contains(&kind));
    let mut settings =
        groups.flat_map(|group| group.settings.iter().map(move |(section, key)| (*section, *key, group)));
    settings.find(|(section, key, _)| is_set(section, key))
}

/// All settings that are for some kinds alone.
#[cfg(test)]
pub fn settings() -> impl Iterator<Item = (&'static str, &'static str)> {
    GROUPS.iter().flat_map(|group| group.settings.iter().copied())
}
