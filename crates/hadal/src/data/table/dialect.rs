//! How a file writes a table.

use std::fmt;

use super::cells::is_missing;
use super::date::Dates;
use super::{ReadOptions, number};

/// How a file writes a table: what was found out, or given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialect {
    /// What separates fields.
    pub delimiter: u8,
    /// What stands around fields with special characters.
    pub quote: u8,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Whether numbers have a decimal comma.
    pub decimal_comma: bool,
    /// Whether the day is first in dates that could be read in both ways.
    pub day_first: bool,
    /// Whether the file is compressed.
    pub gzip: bool,
    program: bool,
}

/// What may separate fields, in the order of preference.
const DELIMITERS: [u8; 4] = *b",;\t|";
/// How many lines are looked at.
const LINES: usize = 100;

impl Dialect {
    /// Of a table that was not read from a file.
    pub(super) fn program() -> Dialect {
        let (delimiter, quote) = (b',', b'"');
        let (decimal_comma, day_first, gzip) = (false, false, false);
        Dialect { delimiter, quote, header: true, decimal_comma, day_first, gzip, program: true }
    }

    /// From the beginning of a text, but for the header, which [`find_header`](Dialect::find_header) finds.
    pub(super) fn find(start: &[u8], options: &ReadOptions, gzip: bool) -> Dialect {
        let quote = options.quote.unwrap_or_else(|| find_quote(start));
        let delimiter = options.delimiter.unwrap_or_else(|| find_delimiter(start, quote));
        let day_first = options.day_first.unwrap_or(false);
        let decimal_comma = options.decimal_comma.unwrap_or(false);
        Dialect { delimiter, quote, header: true, decimal_comma, day_first, gzip, program: false }
    }

    /// Whether the first of some rows names the columns: it does, unless one of its cells is a number or a date, as cells of rows
    /// are. Years are names where no year stands below.
    pub(super) fn find_header(rows: &[Vec<String>]) -> bool {
        let Some((first, rest)) = rows.split_first() else { return true };
        let below = |place: usize| rest.first().and_then(|row| row.get(place));
        let is_name = |(place, cell): (usize, &String)| {
            let is_data = is_number(cell) || is_date(cell);
            !is_data || is_year(cell) && below(place).is_some_and(|below| !is_year(below))
        };
        let names = first.iter().enumerate().filter(|cell| is_name(*cell)).count();
        if names == first.len() {
            return true;
        }
        // Some are numbers: names all the same, if numbers stand below words, and no name is missing.
        let words =
            |(place, cell): (usize, &String)| !is_number(cell) && below(place).is_some_and(|below| is_number(below));
        names > 0 && first.iter().enumerate().any(words) && !first.iter().any(|cell| is_missing(cell))
    }
}

fn is_number(cell: &str) -> bool {
    number::parse(cell, false).or(number::parse(cell, true)).is_some()
}

fn is_date(cell: &str) -> bool {
    Dates::detect([cell].into_iter(), false).is_ok()
}

fn is_year(cell: &str) -> bool {
    cell.len() == 4 && cell.parse().is_ok_and(|year| (1900..=2100).contains(&year))
}

/// A single quote is taken for one where more fields begin and end with it than do but one of both, and none begins with a double
/// quote: apostrophes are no quotes.
fn find_quote(start: &[u8]) -> u8 {
    let fields =
        || start.split(|byte| DELIMITERS.contains(byte) || matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    if fields().any(|field| field.starts_with(b"\"")) {
        return b'"';
    }
    let quoted = fields().filter(|field| field.len() > 1 && field.starts_with(b"'") && field.ends_with(b"'")).count();
    let half = fields().filter(|field| field.starts_with(b"'") != field.ends_with(b"'")).count();
    if quoted > half { b'\'' } else { b'"' }
}

/// The character that divides all lines into as many fields, and into most.
fn find_delimiter(start: &[u8], quote: u8) -> u8 {
    let score = |delimiter: u8| {
        let counts = counts(start, delimiter, quote);
        let first = counts.first().copied().unwrap_or(0);
        let alike = counts.iter().filter(|count| **count == first).count();
        // First how many lines agree, in tenths, then into how many fields.
        let share = if first == 0 { 0 } else { 10 * alike / counts.len() };
        (share, first)
    };
    if score(b';').0 == 10 && has_decimal_commas(start) {
        return b';';
    }
    let best = DELIMITERS.into_iter().rev().max_by_key(|delimiter| score(*delimiter));
    best.filter(|delimiter| score(*delimiter).1 > 0).unwrap_or(b',')
}

/// Whether the fields between semicolons of the last whole line are numbers with a comma before the decimals, or have no comma.
fn has_decimal_commas(start: &[u8]) -> bool {
    let lines = start.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.trim_ascii().is_empty());
    let Some(line) = lines.take(2).last().and_then(|line| std::str::from_utf8(line).ok()) else { return false };
    line.contains(',')
        && line.split(';').map(str::trim).all(|field| !field.contains(',') || number::parse(field, true).is_some())
}

/// How many delimiters each of the first lines has, outside quotes.
fn counts(start: &[u8], delimiter: u8, quote: u8) -> Vec<usize> {
    let (mut all, mut own, mut quoted, mut empty) = (Vec::new(), 0, false, true);
    for &byte in start {
        if byte == quote {
            quoted = !quoted;
        } else if byte == delimiter && !quoted {
            own += 1;
        } else if (byte == b'\n' || byte == b'\r') && !quoted {
            if !empty {
                all.push(own);
            }
            if all.len() == LINES {
                return all;
            }
            (own, empty) = (0, true);
            continue;
        }
        empty = false;
    }
    // The last line may be cut off, unless it is the only one.
    if all.is_empty() {
        all.push(own);
    }
    all
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.program {
            return f.write_str("from a program");
        }
        let delimiter = match self.delimiter {
            b',' => "comma-separated".to_owned(),
            b';' => "separated by semicolons".to_owned(),
            b'\t' => "tab-separated".to_owned(),
            other => format!("separated by `{}`", char::from(other)),
        };
        f.write_str(&delimiter)?;
        if self.gzip {
            f.write_str(", gzip")?;
        }
        if self.quote != b'"' {
            write!(f, ", quotes {}", char::from(self.quote))?;
        }
        if self.decimal_comma {
            f.write_str(", decimal comma")?;
        }
        f.write_str(if self.header { ", header in the first line" } else { ", no header" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(rows: &[&[&str]]) -> bool {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        Dialect::find_header(&rows)
    }

    #[test]
    fn a_header_has_names_and_rows_have_numbers_or_dates() {
        assert!(header(&[&["a", "b"], &["1", "2"]]));
        assert!(header(&[&["name", "town"], &["Anna", "Ulm"]]));
        assert!(header(&[&["country", "2019", "2020"], &["Chad", "1.5", "2.5"]]));
        assert!(!header(&[&["1", "2"], &["3", "4"]]));
        assert!(!header(&[&["2020-01-01", "abc"], &["2020-01-02", "abd"]]));
        assert!(!header(&[&["1999", "2001"], &["2003", "2005"]]));
    }

    #[test]
    fn semicolons_beside_decimal_commas_are_found() {
        let find = |text: &str| find_delimiter(text.as_bytes(), b'"');
        assert_eq!(find("1,5;2,5\n3,5;4,5\n"), b';');
        assert_eq!(find("a;b\n1,5;2\n"), b';');
        assert_eq!(find("a,b;c\n1,x;2\n"), b',');
        assert_eq!(find("a\tb\n1\t2\n"), b'\t');
    }

    #[test]
    fn apostrophes_are_no_quotes() {
        assert_eq!(find_quote(b"a,b\n'tis,dogs'\n'twas,cats'\n"), b'"');
        assert_eq!(find_quote(b"'a','b'\n'1','2'\n"), b'\'');
    }
}
