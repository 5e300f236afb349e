//! What a search may try.

use hadal::nearest;
use toml::Value;

use super::read::explain;
use super::{Config, check};

/// The sections whose settings a search may change: the data and its parts stay the same, or results could not be compared.
const SECTIONS: [&str; 6] = ["preprocess", "model", "text", "loss", "optimizer", "training"];

/// The settings that a search tries, in the order of their names.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    pub dimensions: Vec<Dimension>,
}

/// A setting and its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    pub section: String,
    pub key: String,
    pub range: Range,
}

/// The values of a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    Choices(Vec<Value>),
    /// From `min` to `max`; even in the logarithm, if `log`.
    Real {
        min: f64,
        max: f64,
        log: bool,
    },
    Whole {
        min: i64,
        max: i64,
        log: bool,
    },
}

impl Space {
    /// The ranges in `[tune]`, checked: each value must be one that its setting takes.
    pub fn of(config: &Config) -> Result<Space, String> {
        let mut dimensions = Vec::new();
        for (section, keys) in &config.tune {
            let Some(keys) = keys.as_table().filter(|_| SECTIONS.contains(&section.as_str())) else {
                return Err(unknown_section(section));
            };
            for (key, range) in keys {
                let own =
                    Dimension { section: section.clone(), key: key.clone(), range: range_of(section, key, range)? };
                own.check(range)?;
                dimensions.push(own);
            }
        }
        Ok(Space { dimensions })
    }
}

fn unknown_section(section: &str) -> String {
    let advice = match nearest(section, SECTIONS) {
        Some(near) if near != section => format!("; did you mean `{near}`?"),
        _ => String::new(),
    };
    format!(
        "[tune]: `{section}` is no section whose settings can be tried{advice} (there are {}; for example \
         optimizer.learning_rate = {{ min = 0.0001, max = 0.01, log = true }})",
        SECTIONS.join(", ")
    )
}

impl Dimension {
    /// `section.key`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// Each end of the range, or each choice, must be a value of the setting.
    fn check(&self, range: &Value) -> Result<(), String> {
        let values = match &self.range {
            Range::Choices(values) => values.clone(),
            Range::Real { min, max, .. } => vec![Value::from(*min), Value::from(*max)],
            Range::Whole { min, max, .. } => vec![Value::from(*min), Value::from(*max)],
        };
        for value in values {
            self.set(&Config::default(), &value)
                .map_err(|reason| format!("[tune]: {} = {range}: {reason}", self.name()))?;
        }
        Ok(())
    }

    /// The settings with this one changed.
    pub fn set(&self, config: &Config, value: &Value) -> Result<Config, String> {
        let mut all = toml::Table::try_from(config).map_err(|error| error.to_string())?;
        let section = all.entry(self.section.clone()).or_insert_with(|| Value::Table(toml::Table::new()));
        if let Some(section) = section.as_table_mut() {
            section.insert(self.key.clone(), value.clone());
        }
        let config = all.try_into().map_err(|error: toml::de::Error| explain(error.message()))?;
        check(&config)?;
        Ok(config)
    }
}

fn range_of(section: &str, key: &str, range: &Value) -> Result<Range, String> {
    let fault = |what: &str| {
        Err(format!(
            "[tune]: {section}.{key} = {range}: {what}; give several values, [0.1, 0.2], or {{ min = 0.1, max = 0.2 }}"
        ))
    };
    let table = match range {
        Value::Array(values) if values.is_empty() => return fault("there is nothing to choose from"),
        Value::Array(values) => return Ok(Range::Choices(values.clone())),
        Value::Table(table) => table,
        _ => return fault("is one value, not a range"),
    };
    if let Some(other) = table.keys().find(|key| !["min", "max", "log"].contains(&key.as_str())) {
        return fault(&format!("there is no key `{other}` (there are min, max, log)"));
    }
    let log = match table.get("log") {
        None => false,
        Some(Value::Boolean(log)) => *log,
        Some(_) => return fault("log is true or false"),
    };
    match (table.get("min"), table.get("max")) {
        (Some(Value::Integer(min)), Some(Value::Integer(max))) if min >= max => fault("min must be below max"),
        (Some(Value::Integer(min)), Some(Value::Integer(_))) if log && *min <= 0 => {
            fault("min must be above 0 where log is true")
        }
        (Some(&Value::Integer(min)), Some(&Value::Integer(max))) => Ok(Range::Whole { min, max, log }),
        (Some(min), Some(max)) => {
            let number = |value: &Value| value.as_float().or(value.as_integer().map(|whole| whole as f64));
            match (number(min), number(max)) {
                (Some(min), Some(max)) if !(min.is_finite() && max.is_finite()) => fault("min and max must be finite"),
                (Some(min), Some(max)) if min >= max => fault("min must be below max"),
                (Some(min), Some(_)) if log && min <= 0.0 => fault("min must be above 0 where log is true"),
                (Some(min), Some(max)) => Ok(Range::Real { min, max, log }),
                _ => fault("min and max must be numbers"),
            }
        }
        _ => fault("min and max are both needed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn ranges_are_read() {
        let text = "[tune]\noptimizer.learning_rate = { min = 1e-4, max = 1e-2, log = true }\nmodel.hidden = [[8], [16, 8]]\n\
                    training.batch_size = { min = 8, max = 64 }\n";
        let space = Space::of(&parse(text).unwrap()).unwrap();
        let names: Vec<String> = space.dimensions.iter().map(Dimension::name).collect();
        assert_eq!(names, ["model.hidden", "optimizer.learning_rate", "training.batch_size"]);
        assert_eq!(space.dimensions[1].range, Range::Real { min: 1e-4, max: 1e-2, log: true });
        assert_eq!(space.dimensions[2].range, Range::Whole { min: 8, max: 64, log: false });
        let config = space.dimensions[0].set(&Config::default(), &toml::toml! { x = [16, 8] }["x"]).unwrap();
        assert_eq!(config.model.hidden, Some(vec![16, 8]));
    }

    #[test]
    fn what_is_no_range_is_named() {
        for (text, words) in [
            ("model.hidden = []", &["model.hidden", "nothing to choose from"][..]),
            (
                "optimizer.learning_rate = { min = 0.1, max = 0.01 }",
                &["optimizer.learning_rate", "min must be below max"],
            ),
            ("training.batch_size = { min = 8, max = 8 }", &["min must be below max"]),
            ("optimizer.learning_rate = { min = 0, max = 0.1, log = true }", &["above 0 where log"]),
            ("optimizer.learning_rate = { min = 0.1 }", &["both needed"]),
            ("optimizer.learning_rate = { min = 0.1, max = inf }", &["must be finite"]),
            ("optimizer.learning_rate = { min = 0.1, mex = 1.0 }", &["no key `mex`"]),
            ("optimizer.learning_rate = 0.1", &["one value, not a range"]),
            ("optimizer.learning_rat = [0.1]", &["no key `learning_rat`", "did you mean `learning_rate`?"]),
            ("optimizer.name = [\"adan\"]", &["no value `adan`", "did you mean `adam`?"]),
            ("training.epochs = { min = 0.5, max = 2.5 }", &["training.epochs", "invalid type"]),
            ("optimiser.learning_rate = [0.1]", &["no section", "did you mean `optimizer`?"]),
            ("data.target = [\"a\", \"b\"]", &["`data` is no section whose settings can be tried"]),
            ("learning_rate = [0.1]", &["`learning_rate` is no section"]),
        ] {
            let message = parse(&format!("[tune]\n{text}\n")).unwrap_err();
            for word in words {
                assert!(message.contains(word), "{text}: {message}");
            }
        }
    }
}
