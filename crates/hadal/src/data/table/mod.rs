//! Tables: columns of text, and what is in them.

mod cells;
mod codes;
mod column;
mod date;
mod dialect;
mod dress;
mod kind;
mod number;
mod read;
mod split;
mod stray;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub use column::Column;
pub use date::DateFormat;
pub use dialect::Dialect;
pub use kind::Kind;
pub(super) use kind::yes_or_no;
pub use read::ReadOptions;

use cells::Builder;

use crate::monitor::note;
use crate::{Error, Result, nearest};

/// A table: named columns of cells, as a CSV file has them. Cloning is cheap.
///
/// ```
/// use hadal::data::{Kind, ReadOptions, Table};
/// let text = "name;height\nAnna;1,75\nBert;\n";
/// let table = Table::from_reader("people", text.as_bytes(), &ReadOptions::default())?;
/// assert_eq!((table.rows(), table.column_names()), (2, vec!["name", "height"]));
/// assert_eq!(table.column("height")?.kind(), Kind::Number);
/// assert_eq!(table.column("height")?.numbers()[0], 1.75);
/// assert!(table.column("height")?.is_missing(1));
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "DataFrame")]
#[derive(Clone, Debug)]
pub struct Table {
    name: Arc<str>,
    dialect: Arc<Dialect>,
    columns: Vec<Column>,
    /// The line of each row in the file.
    lines: Arc<[u32]>,
    /// The line of each of the columns' cells, of which the rows are some or all.
    cell_lines: Arc<[u32]>,
    /// The notes that were printed for this table or a part of it.
    said: Arc<Mutex<HashSet<String>>>,
}

impl Table {
    /// Reads a CSV or TSV file, compressed by gzip or not. What separates the fields, which quotes stand around them and whether
    /// the first line names the columns is found out; [`dialect`](Table::dialect) says it.
    ///
    /// A column without a name is called by its place, `column 1` for example; a note says so.
    ///
    /// Empty cells and `NA`, `N/A`, `n/a`, `NaN`, `nan`, `NULL`, `null`, `None`, `<NA>`, `#N/A`, `?` and `-` are missing.
    ///
    /// # Errors
    /// If the file cannot be read, is no UTF-8 text, or is no table: a row has another number of fields than the first, a quote
    /// is never closed, two columns have one name, or there are no rows.
    pub fn read(path: impl AsRef<Path>) -> Result<Table> {
        Table::read_with(path, &ReadOptions::default())
    }

    /// As [`read`](Table::read), with what is known about the file.
    ///
    /// # Errors
    /// As [`read`](Table::read).
    pub fn read_with(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Table> {
        read::file(path.as_ref(), options)
    }

    /// As [`read_with`](Table::read_with), from standard input, for example. `name` stands in messages.
    ///
    /// # Errors
    /// As [`read`](Table::read).
    pub fn from_reader(name: &str, reader: impl Read, options: &ReadOptions) -> Result<Table> {
        read::reader(name, reader, options)
    }

    /// From the cells of each column.
    ///
    /// # Errors
    /// If there are no columns or rows, the columns differ in length, or two have one name.
    pub fn from_columns<'a>(name: &str, columns: impl IntoIterator<Item = (&'a str, Vec<String>)>) -> Result<Table> {
        let mut names = Vec::new();
        let mut builders = Vec::new();
        let mut rows = None;
        for (column, cells) in columns {
            let expected = *rows.get_or_insert(cells.len());
            if cells.len() != expected {
                return Err(Error::Data(format!(
                    "{name}: the column `{column}` has {} cells, but the first has {expected}",
                    cells.len()
                )));
            }
            let mut builder = Builder::default();
            let refuse = |reason: String| Error::Data(format!("{name}: the column `{column}` {reason}"));
            cells.iter().try_for_each(|cell| builder.push(cell.as_bytes())).map_err(refuse)?;
            names.push(column.to_owned());
            builders.push(builder);
        }
        let lines = (1..=rows.unwrap_or(0) as u32).collect();
        Table::assemble(name, Dialect::program(), false, names, builders, lines)
    }

    fn assemble(
        name: &str,
        dialect: Dialect,
        told_day_first: bool,
        mut names: Vec<String>,
        builders: Vec<Builder>,
        lines: Vec<u32>,
    ) -> Result<Table> {
        if lines.is_empty() {
            return Err(Error::Data(format!("{name}: the table has no rows")));
        }
        let unnamed: Vec<usize> = (0..names.len()).filter(|&place| names[place].is_empty()).collect();
        if unnamed.len() == names.len() {
            return Err(Error::Data(format!("{name}: the header has no names of columns")));
        }
        for &place in &unnamed {
            names[place] = format!("column {}", place + 1);
        }
        if let Some(&first) = unnamed.first() {
            let more = match unnamed.len() {
                1 => String::new(),
                count => format!(", and {} more are called by their places", count - 1),
            };
            note(&format!("{name}: column {} has no name; it is called `column {0}`{more}", first + 1));
        }
        let mut places = HashMap::new();
        for (place, column) in names.iter().enumerate() {
            if let Some(other) = places.insert(column, place) {
                return Err(Error::Data(format!(
                    "{name}: columns {} and {} are both called `{column}`; rename one",
                    other + 1,
                    place + 1
                )));
            }
        }
        let columns = names.into_iter().zip(builders).enumerate().map(|(place, (column, builder))| {
            let refuse = |reason: String| Error::Data(format!("{name}: the column `{column}` {reason}"));
            let cells = builder.finish(dialect.day_first, dialect.decimal_comma).map_err(refuse)?;
            Ok(Column::new(column, unnamed.contains(&place), cells, told_day_first))
        });
        let columns = columns.collect::<Result<_>>()?;
        let (name, dialect, lines): (_, _, Arc<[u32]>) = (name.into(), Arc::new(dialect), lines.into());
        Ok(Table { name, dialect, columns, cell_lines: lines.clone(), lines, said: Arc::default() })
    }

    /// The table's name: that of its file, without folders.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Under another name, which messages and results use.
    pub fn renamed(self, name: &str) -> Table {
        Table { name: name.into(), ..self }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The names of the columns, in order.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(Column::name).collect()
    }

    /// What was found out about the file.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column called `name`.
    ///
    /// # Errors
    /// If there is none; the message has the nearest name, and some that there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.place(name).map(|place| &self.columns[place])
    }

    fn place(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|column| column.name() == name).ok_or_else(|| {
            const SHOWN: usize = 20;
            let names = self.column_names();
            let meant = nearest(name, names.iter().copied());
            let meant = meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
            let more = if names.len() > SHOWN { ", ..." } else { "" };
            let some = names[..names.len().min(SHOWN)].join(", ");
            Error::Data(format!("{}: there is no column `{name}`{meant} (there are {some}{more})", self.name))
        })
    }

    /// Without some columns, as pandas's `drop(columns=...)`.
    ///
    /// # Errors
    /// If one is not there, or none would be left.
    pub fn drop(mut self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Table> {
        for name in names {
            let place = self.place(name.as_ref())?;
            self.columns.remove(place);
        }
        if self.columns.is_empty() {
            return Err(Error::Data(format!("{}: all columns are left out", self.name)));
        }
        Ok(self)
    }

    /// Some rows, in the order of `rows`.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn take_rows(&self, rows: &[usize]) -> Table {
        let lines: Vec<u32> = rows.iter().map(|&row| self.lines[row]).collect();
        let columns = self.columns.iter().map(|column| column.take(rows)).collect();
        Table { columns, lines: lines.into(), ..self.clone() }
    }

    /// Some rows, with the kinds of the columns inferred from these alone, but for those that were set.
    pub(super) fn keep_rows(&self, rows: &[usize]) -> Table {
        let lines: Arc<[u32]> = rows.iter().map(|&row| self.lines[row]).collect();
        let columns = self.columns.iter().map(|column| column.keep(rows)).collect();
        Table { columns, cell_lines: lines.clone(), lines, ..self.clone() }
    }

    /// The line of the file in which a row begins, counted from 1.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn line(&self, row: usize) -> usize {
        self.lines[row] as usize
    }

    /// Takes a column for one of another kind than was inferred.
    ///
    /// # Errors
    /// If there is no such column, or one of its cells is not of the kind; the message has its line.
    pub fn with_kind(mut self, column: &str, kind: Kind) -> Result<Table> {
        let place = self.place(column)?;
        if let Some((row, reason)) = self.columns[place].misfit(kind) {
            return Err(Error::Data(format!("{}: line {}: `{column}`: {reason}", self.name, self.line(row))));
        }
        self.columns[place] = self.columns[place].clone().of_kind(kind);
        Ok(self)
    }

    /// Takes a column for dates that are all written in one format.
    pub(super) fn with_dates(mut self, column: &str, format: DateFormat) -> Result<Table> {
        let place = self.place(column)?;
        if let Some((row, reason)) = self.columns[place].misfit_of_format(format) {
            return Err(Error::Data(format!("{}: line {}: `{column}`: {reason}", self.name, self.line(row))));
        }
        self.columns[place] = self.columns[place].clone().of_kind(Kind::Date);
        Ok(self)
    }

    /// Prints a note, if no note of this text was printed for this table or a part of it.
    pub(super) fn note_once(&self, text: &str) {
        if self.is_new(text) {
            note(text);
        }
    }

    /// Whether no note of this text was printed; from now on one was.
    fn is_new(&self, text: &str) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned())
    }
}

/// The first rows and the kinds of the columns.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        let mut shown = comfy_table::Table::new();
        shown.load_style(comfy_table::presets::NOTHING);
        shown.set_header(self.column_names().into_iter().map(escape));
        shown.add_row(self.columns.iter().map(|column| column.kind().to_string()));
        for row in 0..self.rows().min(SHOWN) {
            shown.add_row(self.columns.iter().map(|column| excerpt(column.cell(row))));
        }
        write!(f, "{}\n{} rows x {} columns", shown.trim_fmt(), self.rows(), self.columns.len())
    }
}

/// A text on one line, with its control characters written out.
pub(super) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if c.is_control() {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
        shown
    })
}

/// The beginning of a cell, for a message.
fn excerpt(cell: &str) -> String {
    const LONGEST: usize = 40;
    if cell.is_empty() {
        return "missing".to_owned();
    }
    let mut shown: String = cell.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if cell.chars().nth(LONGEST).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_printed_once_for_a_table_and_its_parts() {
        let read = || Table::from_reader("t", "a\n1\n2\n".as_bytes(), &ReadOptions::default()).unwrap();
        let table = read();
        assert!(table.is_new("x"));
        assert!(!table.take_rows(&[0]).is_new("x") && !table.clone().keep_rows(&[1]).is_new("x"));
        assert!(table.is_new("y") && read().is_new("x"));
    }
}
