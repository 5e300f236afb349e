//! Loss and metrics by name.

use std::cell::OnceCell;
use std::fmt;
use std::ops::{Deref, Index};

use super::training_state::Exact;

/// The [`Logs`] after a batch, computed when they are first read. Metrics without a cheap
/// [running value](crate::metric::Metric::has_running_value) are not among them.
pub struct BatchLogs<'a> {
    make: &'a dyn Fn() -> Logs,
    logs: OnceCell<Logs>,
}

impl<'a> BatchLogs<'a> {
    pub(super) fn new(make: &'a dyn Fn() -> Logs) -> BatchLogs<'a> {
        BatchLogs { make, logs: OnceCell::new() }
    }
}

impl Deref for BatchLogs<'_> {
    type Target = Logs;

    fn deref(&self) -> &Logs {
        self.logs.get_or_init(self.make)
    }
}

impl fmt::Display for BatchLogs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Loss and metric values by name, in order, with the text that displays each: Keras's `logs`.
///
/// ```
/// use hadal::train::Logs;
/// let mut logs = Logs::default();
/// logs.push("loss", 0.25, "0.2500".into());
/// logs.push("accuracy", 0.9, "90.00%".into());
/// assert_eq!(logs["accuracy"], 0.9);
/// assert_eq!(logs.to_string(), "loss 0.2500  accuracy 90.00%");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs(Vec<(String, f64, String)>);

impl Logs {
    /// Adds a value and the text that displays it.
    ///
    /// ```
    /// use hadal::train::Logs;
    /// let mut logs = Logs::default();
    /// logs.push("loss", 0.25, "0.2500".into());
    /// assert_eq!(logs.to_string(), "loss 0.2500");
    /// ```
    pub fn push(&mut self, name: impl Into<String>, value: f64, display: String) {
        self.0.push((name.into(), value, display));
    }

    /// Adds the entries of `other` with `prefix` before their names.
    ///
    /// ```
    /// use hadal::train::Logs;
    /// let mut logs = Logs::default();
    /// logs.push("loss", 0.25, "0.2500".into());
    /// let validation = logs.clone();
    /// logs.extend(&validation, "val_");
    /// assert_eq!(logs["val_loss"], 0.25);
    /// ```
    pub fn extend(&mut self, other: &Logs, prefix: &str) {
        self.0.extend(other.0.iter().map(|(name, value, text)| (format!("{prefix}{name}"), *value, text.clone())));
    }

    /// The value of the metric `name`, or of `loss`.
    ///
    /// ```
    /// use hadal::train::Logs;
    /// let mut logs = Logs::default();
    /// logs.push("loss", 0.25, "0.2500".into());
    /// assert_eq!((logs.get("loss"), logs.get("accuracy")), (Some(0.25), None));
    /// ```
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|entry| entry.0 == name).map(|entry| entry.1)
    }

    /// The entries, to the last bit.
    pub(super) fn exact(&self) -> Vec<(String, Exact, String)> {
        self.0.iter().map(|(name, value, text)| (name.clone(), Exact(*value), text.clone())).collect()
    }

    /// Iterates over names and values, in order.
    ///
    /// ```
    /// use hadal::train::Logs;
    /// let mut logs = Logs::default();
    /// logs.push("loss", 0.25, "0.2500".into());
    /// assert_eq!(logs.iter().collect::<Vec<_>>(), [("loss", 0.25)]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value, _)| (name.as_str(), *value))
    }
}

/// The value called by a name.
///
/// # Panics
/// If there is none; the message lists the names that there are.
impl Index<&str> for Logs {
    type Output = f64;

    #[track_caller]
    fn index(&self, name: &str) -> &f64 {
        match self.0.iter().find(|entry| entry.0 == name) {
            Some(entry) => &entry.1,
            None => {
                let names: Vec<&str> = self.iter().map(|(name, _)| name).collect();
                panic!("the logs have no `{name}`; they have {}", names.join(", "))
            }
        }
    }
}

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, _, display)) in self.0.iter().enumerate() {
            write!(f, "{}{name} {display}", if index > 0 { "  " } else { "" })?;
        }
        Ok(())
    }
}
