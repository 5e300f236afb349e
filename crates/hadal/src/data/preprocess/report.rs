//! A table of columns, for a reader.

use std::fmt;

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
            [name.to_owned(), column.kind().to_string(), missing, values(column), becomes(name)]
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
            range.map_or(String::new(), |(low, high)| format!("{low} to {high}"))
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
        return text.to_owned();
    }
    text.chars().take(LONGEST - 3).chain("...".chars()).collect()
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
