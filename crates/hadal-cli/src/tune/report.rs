//! The trials of a search, as a file and as tables.

use hadal::Result;
use hadal::format::write_atomically;
use hadal::monitor::csv_line;
use toml::Value;

use super::halving::better;
use super::store::Store;
use super::{Ended, Search, Trial};
use crate::aligned::aligned;

/// Writes `trials.csv`: one line per trial, in their order.
///
/// # Errors
/// If the file cannot be written.
pub fn write_csv(search: &Search, store: &Store) -> Result<()> {
    let settings = search.importance.iter().map(|(name, _)| name.clone());
    let header = ["trial".to_owned()].into_iter().chain(settings);
    let header = header.chain(["epochs", "score", "rung", "status"].map(str::to_owned));
    let mut text = csv_line(header) + "\n";
    for trial in &search.trials {
        let [epochs, score] = match trial.last() {
            Ended::Scored { score, epochs, .. } => [epochs.to_string(), score.to_string()],
            Ended::Failed { .. } => [String::new(), String::new()],
        };
        let values = trial.values.iter().map(|(_, value)| plain(value));
        let fields = [trial.number.to_string()].into_iter().chain(values);
        let fields = fields.chain([epochs, score, trial.ends.len().to_string(), search.status(trial)]);
        text += &(csv_line(fields) + "\n");
    }
    write_atomically(&store.folder().join("trials.csv"), |out| out.write_all(text.as_bytes()))
}

/// The best trials of a search as lines of a table, the best one first.
pub fn best(search: &Search, most: usize) -> Vec<String> {
    let mut ranked: Vec<&Trial> = search.trials.iter().filter(|trial| trial.score().is_some()).collect();
    ranked.sort_by(|a, b| {
        let by_score = || better((a.number, a.score()), (b.number, b.score()), search.higher_is_better);
        b.ends.len().cmp(&a.ends.len()).then_with(by_score)
    });
    let mut rows = vec![["trial".to_owned(), search.score.clone(), "epochs".to_owned()].to_vec()];
    rows[0].extend(search.importance.iter().map(|(name, _)| name.clone()));
    for trial in ranked.into_iter().take(most) {
        let epochs = match trial.last() {
            Ended::Scored { epochs, .. } => epochs.to_string(),
            Ended::Failed { .. } => String::new(),
        };
        let score = trial.score().map_or(String::new(), number);
        let values = trial.values.iter().map(|(_, value)| short(value));
        rows.push([trial.number.to_string(), score, epochs].into_iter().chain(values).collect());
    }
    aligned(&rows)
}

/// The importance of each setting as lines of a table, the largest first.
pub fn importance(search: &Search) -> Vec<String> {
    let mut ranked = search.importance.clone();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut rows = vec![vec!["setting".to_owned(), "importance".to_owned()]];
    rows.extend(ranked.into_iter().map(|(name, share)| vec![name, format!("{:.0}%", share * 100.0)]));
    aligned(&rows)
}

/// `name=value` for each setting.
pub fn settings(trial: &Trial) -> String {
    trial.values.iter().map(|(name, value)| format!("{name}={}", short(value))).collect::<Vec<_>>().join(" ")
}

/// `1 trial`, `2 trials`.
pub fn count(trials: usize) -> String {
    format!("{trials} trial{}", if trials == 1 { "" } else { "s" })
}

/// A score or a setting to four significant digits.
pub fn number(number: f64) -> String {
    let digits = format!("{number:.3e}").parse::<f64>().unwrap_or(number);
    if digits == 0.0 || (1e-4..1e7).contains(&digits.abs()) { digits.to_string() } else { format!("{digits:e}") }
}

fn short(value: &Value) -> String {
    value.as_float().map_or_else(|| plain(value), number)
}

/// A value as TOML, without the quotes of a string.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_significant_digits() {
        for (value, text) in [
            (0.0012345678, "0.001235"),
            (0.83, "0.83"),
            (-2.0, "-2"),
            (0.0, "0"),
            (123456.0, "123500"),
            (0.00001, "1e-5"),
            (1.5e12, "1.5e12"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
