//! Reading tables from CSV files.

use std::io::Read;
use std::path::Path;

use super::cells::Builder;
use super::{Dialect, Table, number};
use crate::format::open_regular;
use crate::format::text::{self, Wanted, line_end, line_of};
use crate::{Error, Result, memory};

/// What is known about a file; what is not set is found out.
///
/// ```
/// use hadal::data::{ReadOptions, Table};
/// let options = ReadOptions::default().delimiter(b' ').header(false);
/// let table = Table::from_reader("points", "1 2\n3 4\n".as_bytes(), &options)?;
/// assert_eq!(table.column_names(), ["column_1", "column_2"]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    pub(super) delimiter: Option<u8>,
    pub(super) quote: Option<u8>,
    pub(super) header: Option<bool>,
    pub(super) decimal_comma: Option<bool>,
    pub(super) assume_decimal_comma: bool,
    pub(super) day_first: Option<bool>,
    pub(super) missing: Vec<String>,
}

impl ReadOptions {
    /// What separates fields: a comma, a semicolon, a tab or `|`, if it is not set.
    pub fn delimiter(mut self, delimiter: u8) -> ReadOptions {
        self.delimiter = Some(delimiter);
        self
    }

    /// What stands around fields that hold delimiters or line ends: `"` or `'`, if it is not set.
    pub fn quote(mut self, quote: u8) -> ReadOptions {
        self.quote = Some(quote);
        self
    }

    /// Whether the first line names the columns. Without names they are called `column_1`, `column_2`, ...
    pub fn header(mut self, header: bool) -> ReadOptions {
        self.header = Some(header);
        self
    }

    /// Whether a comma stands before the decimals: `3,14`.
    pub fn decimal_comma(mut self, decimal_comma: bool) -> ReadOptions {
        self.decimal_comma = Some(decimal_comma);
        self
    }

    /// Takes `1,234` for 1.234 where no cell of the table decides: one number, `1.23` or `1,23`, that can be read in one way only
    /// decides for all. Tables that are separated by commas have none. Default: it is a decimal comma only if a cell says so.
    ///
    /// ```
    /// use hadal::data::{ReadOptions, Table};
    /// let options = ReadOptions::default().assume_decimal_comma();
    /// let read = |text: &str| Ok::<_, hadal::Error>(Table::from_reader("t", text.as_bytes(), &options)?.column("a")?.numbers());
    /// assert_eq!(read("a;b\n1,234;5\n")?, [1.234]);
    /// assert_eq!(read("a;b\n1.25;5\n")?, [1.25]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn assume_decimal_comma(mut self) -> ReadOptions {
        self.assume_decimal_comma = true;
        self
    }

    /// Whether `01/02/2020` is the first of February: pandas's `dayfirst`. Default: false. Either way, other cells of the column
    /// decide, if one of them can be read in one way only.
    pub fn day_first(mut self, day_first: bool) -> ReadOptions {
        self.day_first = Some(day_first);
        self
    }

    /// Further words for missing values, beside those of [`Table::read`]: pandas's `na_values`. A cell is missing if its whole text
    /// is one of them, in the same case.
    ///
    /// ```
    /// use hadal::data::{ReadOptions, Table};
    /// let options = ReadOptions::default().missing(["unknown", "-999"]);
    /// let table = Table::from_reader("t", "a,b\n1,unknown\n-999,2\n".as_bytes(), &options)?;
    /// assert_eq!((table.column("a")?.missing(), table.column("b")?.missing()), (1, 1));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn missing(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> ReadOptions {
        self.missing.extend(words.into_iter().map(|word| word.into().trim_ascii().to_owned()));
        self
    }
}

impl ReadOptions {
    /// A cell, empty if it is one of the words for missing values.
    fn unless_missing<'a>(&self, cell: &'a [u8]) -> &'a [u8] {
        if self.missing.iter().any(|word| word.as_bytes() == cell.trim_ascii()) { b"" } else { cell }
    }
}

/// More columns than this are no table for a model.
const MOST_COLUMNS: usize = 65_536;
/// How much of a text is looked at to find out how it is written.
const START: usize = 64 << 10;

pub(super) fn file(path: &Path, options: &ReadOptions) -> Result<Table> {
    let (file, length) = open_regular(path, "read the table")?;
    let refuse = |reason: String| Error::file(path, reason);
    memory::require(usize::try_from(length).unwrap_or(usize::MAX).saturating_mul(2)).map_err(refuse)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    read(file, &name, options).map_err(|fault| match fault {
        Fault::Io(source) => Error::io(path, "read the table")(source),
        Fault::Content(reason) => Error::file(path, reason),
        Fault::Table(error) => error,
    })
}

pub(super) fn reader(name: &str, reader: impl Read, options: &ReadOptions) -> Result<Table> {
    read(reader, name, options).map_err(|fault| match fault {
        Fault::Io(error) => Error::Data(format!("{name}: cannot read the table: {error}")),
        Fault::Content(reason) => Error::Data(format!("{name}: {reason}")),
        Fault::Table(error) => error,
    })
}

enum Fault {
    Io(std::io::Error),
    Content(String),
    Table(Error),
}

impl From<text::Fault> for Fault {
    fn from(fault: text::Fault) -> Fault {
        match fault {
            text::Fault::Io(error) => Fault::Io(error),
            text::Fault::Content(reason) => Fault::Content(reason),
        }
    }
}

fn read(reader: impl Read, name: &str, options: &ReadOptions) -> Result<Table, Fault> {
    let (bytes, gzip) = text::read(reader)?;
    let text = text::check(&bytes, Wanted::Table).map_err(Fault::Content)?;
    parse(name, text.as_bytes(), gzip, options)
}

fn parse(name: &str, text: &[u8], gzip: bool, options: &ReadOptions) -> Result<Table, Fault> {
    let start = &text[..text.len().min(START)];
    let mut dialect = Dialect::find(start, options, gzip);
    let first_line =
        text.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.trim_ascii().is_empty()).unwrap_or(text);
    let columns = first_line.iter().filter(|byte| **byte == dialect.delimiter).count() + 1;
    if columns > MOST_COLUMNS {
        return Err(Fault::Content(format!(
            "line 1: has {columns} fields, more than the {MOST_COLUMNS} that a table may have"
        )));
    }
    let mut rows = Rows::new(text, &dialect);
    let mut first: Vec<Vec<String>> = Vec::new();
    while first.len() < 2 && rows.next().map_err(Fault::Content)? {
        first.push(rows.fields().map(|field| String::from_utf8_lossy(field.trim_ascii()).into_owned()).collect());
    }
    dialect.header = options.header.unwrap_or_else(|| Dialect::find_header(&first));
    let names: Vec<String> = match first.into_iter().next() {
        Some(first) if dialect.header => first,
        Some(first) => (1..=first.len()).map(|place| format!("column_{place}")).collect(),
        None => Vec::new(),
    };
    let mut builders: Vec<Builder> = names.iter().map(|_| Builder::default()).collect();
    let mut lines = Vec::new();
    let mut rows = Rows::new(text, &dialect);
    let mut skip = dialect.header;
    while rows.next().map_err(Fault::Content)? {
        if std::mem::take(&mut skip) {
            continue;
        }
        let (line, count) = (rows.line, rows.record.len());
        if count != names.len() {
            let than = if dialect.header { "the header has" } else { "the first has" };
            let fields = if count == 1 { "field" } else { "fields" };
            let shown: Vec<String> =
                rows.fields().take(5).map(|field| super::excerpt(&String::from_utf8_lossy(field))).collect();
            return Err(Fault::Content(format!(
                "line {line}: has {count} {fields}, but {than} {}: {}",
                names.len(),
                shown.join(", ")
            )));
        }
        for (field, builder) in rows.record.iter().zip(&mut builders) {
            builder.push(options.unless_missing(field)).map_err(Fault::Content)?;
        }
        lines.push(u32::try_from(line).unwrap_or(u32::MAX));
    }
    if lines.is_empty() {
        return Err(Fault::Content("has a header, but no rows".into()));
    }
    if options.decimal_comma.is_none() && dialect.delimiter != b',' {
        let has = |comma: bool| builders.iter().any(|builder| has_decimals(builder, comma));
        dialect.decimal_comma = has(true) || options.assume_decimal_comma && !has(false);
    }
    Table::assemble(name, dialect, options.day_first.is_some(), names, builders, lines).map_err(Fault::Table)
}

/// Whether all cells of a column are numbers with a comma, or else a point, before the decimals, and some could be nothing else.
fn has_decimals(builder: &Builder, comma: bool) -> bool {
    let separator = if comma { ',' } else { '.' };
    let (mut some, mut sure) = (false, false);
    let all = builder.iter().filter(|cell| !super::cells::is_missing(cell)).all(|cell| {
        some |= cell.contains(separator);
        sure |= cell.contains(separator) && !number::may_be_thousands(cell, separator);
        number::parse(cell, comma).is_some()
    });
    all && some && sure
}

/// The records of a text, one after another.
struct Rows<'a> {
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    record: csv::ByteRecord,
    quote: u8,
    delimiter: u8,
    /// The line in which the record begins.
    line: usize,
    lines: Lines<'a>,
}

/// Counts lines, as far as they have been passed.
struct Lines<'a> {
    text: &'a [u8],
    end: u8,
    place: usize,
    line: usize,
}

impl Lines<'_> {
    /// How many lines end in `text[start..end]`.
    fn ends(&self, start: usize, end: usize) -> usize {
        self.text[start..end].iter().filter(|byte| **byte == self.end).count()
    }

    /// The line of the next thing that is there; the reader skips blank lines.
    fn next(&self) -> usize {
        let blank = self.text[self.place..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        self.line + self.ends(self.place, self.place + blank)
    }

    /// Passes over the text up to `place`; returns how many lines ended in it.
    fn pass(&mut self, place: usize) -> usize {
        let passed = self.ends(self.place, place);
        (self.place, self.line) = (place, self.line + passed);
        passed
    }
}

impl<'a> Rows<'a> {
    fn new(text: &'a [u8], dialect: &Dialect) -> Rows<'a> {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(dialect.delimiter)
            .quote(dialect.quote)
            .from_reader(text);
        let lines = Lines { text, end: line_end(text), place: 0, line: 1 };
        let Dialect { quote, delimiter, .. } = *dialect;
        Rows { text, reader, record: csv::ByteRecord::new(), quote, delimiter, line: 1, lines }
    }

    /// Reads the next record; false at the end.
    fn next(&mut self) -> Result<bool, String> {
        let place = self.lines.place;
        self.line = self.lines.next();
        let more = self.reader.read_byte_record(&mut self.record).map_err(|error| error.to_string())?;
        let end = (self.reader.position().byte() as usize).min(self.text.len());
        // Quotes matter where a record has several lines, or is the last.
        if self.lines.pass(end) > 1 || more && end == self.text.len() {
            self.check_quotes(place, end)?;
        }
        Ok(more)
    }

    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.record.iter()
    }

    /// Refuses a record with a quote that nothing closes, or that is closed within a field: it would swallow the rows between.
    /// Quotes within a field that does not begin with one are text.
    fn check_quotes(&self, place: usize, end: usize) -> Result<(), String> {
        let ends_field = |byte: u8| byte == self.delimiter || matches!(byte, b'\n' | b'\r');
        let (mut open, mut at_start) = (None, true);
        let mut i = place;
        while i < end {
            let byte = self.text[i];
            match open {
                None if byte == self.quote && at_start => open = Some(i),
                Some(opened) if byte == self.quote => match self.text.get(i + 1) {
                    Some(next) if *next == self.quote => i += 1,
                    Some(next) if !ends_field(*next) && line_of(self.text, opened) < line_of(self.text, i) => {
                        return Err(format!(
                            "line {}: a quote is opened and not closed before the text in line {}",
                            line_of(self.text, opened),
                            line_of(self.text, i)
                        ));
                    }
                    _ => open = None,
                },
                _ => {}
            }
            at_start = ends_field(byte);
            i += 1;
        }
        match open {
            Some(opened) => Err(format!("line {}: a quote is opened and never closed", line_of(self.text, opened))),
            None => Ok(()),
        }
    }
}
