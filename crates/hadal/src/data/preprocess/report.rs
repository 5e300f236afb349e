//! A table of columns, for a reader.

use std::fmt;

use super::super::table::escape;
use super::super::{Column, DateFormat, Kind, Table};

/// The columns of a table: kind, missing cells, range or levels, and what becomes of each.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnReport {
    lines: Vec<[String; 5]>,
}

/// How many levels are named.
const NAMED: usize = 4;

impl ColumnReport {
    pub(super) fn new(table: &Table, becomes: impl Fn(&str) -> String) -> ColumnReport {
        let line = |column: &Column| {
            let name = column.name();
            let missing = match column.missing() {
                0 => String::new(),
                missing => format!("{missing} ({:.1}%)", 100.0 * missing as f64 / column.len() as f64),
            };
            [escape(name), column.kind().to_string(), missing, values(column), becomes(name)]
        };
        ColumnReport { lines: table.columns().iter().map(line).collect() }
    }
}

/// The range or the levels of a column.
fn values(column: &Column) -> String {
    match column.kind() {
        Kind::Number => {
            let present = column.numbers().into_iter().filter(|number| !number.is_nan());
            let range = present.fold(None, |range: Option<(f64, f64)>, x| {
                Some(range.map_or((x, x), |(low, high)| (low.min(x), high.max(x))))
            });
            range.map_or(String::new(), |(low, high)| format!("{} to {}", short(low), short(high)))
        }
        Kind::Date => {
            let dates: Vec<_> = column.dates().into_iter().flatten().collect();
            match (dates.iter().min(), dates.iter().max(), column.date_format()) {
                (Some(first), Some(last), Some(DateFormat::Time)) => format!("{} to {}", first.time(), last.time()),
                (Some(first), Some(last), Some(format)) => {
                    format!("{} to {}, written {}", first.date(), last.date(), format.in_words())
                }
                _ => String::new(),
            }
        }
        _ => {
            let mut levels = column.levels();
            let count = levels.len();
            if count == 0 {
                return String::new();
            }
            levels.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
            let names: Vec<String> = levels.into_iter().take(NAMED).map(|(name, _)| shorten(&name)).collect();
            let more = if count > NAMED { ", ..." } else { "" };
            format!("{count}: {}{more}", names.join(", "))
        }
    }
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 16;
    if text.chars().count() <= LONGEST {
        return escape(text);
    }
    let start: String = text.chars().take(LONGEST - 3).collect();
    escape(&start) + "..."
}

/// A number with at most six significant digits; whole numbers below a milliard with all of theirs.
fn short(number: f64) -> String {
    const DIGITS: usize = 6;
    let size = number.abs();
    if number.fract() == 0.0 && size < 1e9 {
        return format!("{number}");
    }
    let scientific = format!("{number:.*e}", DIGITS - 1);
    if !(1e-4..1e6).contains(&size) {
        let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
        return format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'));
    }
    // Rounded to those digits first: what is left has no more.
    scientific.parse().map_or(scientific, |rounded: f64| rounded.to_string())
}

impl fmt::Display for ColumnReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(["column", "kind", "missing", "range or levels", "becomes"]);
        self.lines.iter().for_each(|line| {
            table.add_row(line);
        });
        write!(f, "{}", table.trim_fmt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_at_most_six_significant_digits() {
        for (number, expected) in [
            (-3.058_384_123, "-3.05838"),
            (2.1, "2.1"),
            (0.1 + 0.2, "0.3"),
            (123_456.789, "123457"),
            (891.0, "891"),
            (1_577_836_800.0, "1.57784e9"),
            (12_345_678.0, "12345678"),
            (1e300, "1e300"),
            (-1.5e-7, "-1.5e-7"),
            (0.000_123_456_789, "0.000123457"),
            (999_999.96, "1000000"),
            (0.0, "0"),
        ] {
            assert_eq!(short(number), expected);
        }
    }

    #[test]
    fn levels_stay_on_their_line() {
        assert_eq!(shorten("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(shorten("a level of many words"), "a level of ma...");
        assert_eq!(shorten("é\u{1b}[0m"), "é\\u{1b}[0m");
    }
}
