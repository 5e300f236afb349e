//! A column of a table.

use std::sync::Arc;

use jiff::civil::DateTime;

use super::cells::{Cells, is_missing};
use super::kind::{names_rows, yes_or_no};
use super::stray::Stray;
use super::{DateFormat, Kind, excerpt, number};

/// A named column of a [`Table`](super::Table), with the kind of its cells.
#[derive(Clone, Debug)]
pub struct Column {
    name: Arc<str>,
    /// Whether the file has no name for it.
    unnamed: bool,
    kind: Kind,
    /// Whether the kind was set, not inferred.
    chosen: bool,
    /// Whether it was said which of day and month is first.
    told: bool,
    cells: Arc<Cells>,
    /// The rows of the table among the cells; all, if none are listed.
    rows: Option<Arc<[u32]>>,
}

impl Column {
    /// `told`: whether it was said which of day and month is first.
    pub(super) fn new(name: String, unnamed: bool, cells: Cells, told: bool) -> Column {
        let kind = Kind::infer((!unnamed).then_some(&name), &cells);
        Column { name: name.into(), unnamed, kind, chosen: false, told, cells: Arc::new(cells), rows: None }
    }

    /// Some rows, without what stood in the others: the kind is theirs, unless it was set.
    pub(super) fn keep(&self, rows: &[usize]) -> Column {
        let cells = self.cells.copy(rows.iter().map(|&row| self.place(row)));
        let kind = if self.chosen { self.kind } else { Kind::infer(self.own_name(), &cells) };
        Column { kind, cells: Arc::new(cells), rows: None, ..self.clone() }
    }

    /// The cell that keeps the column from being of numbers or dates, if its kind was inferred and nearly all others are.
    pub(super) fn stray(&self) -> Option<Stray> {
        let names_rows = self.kind == Kind::Identifier && names_rows(self.own_name());
        let of_words = matches!(self.kind, Kind::Category | Kind::Text | Kind::Identifier);
        if self.chosen || names_rows || !of_words { None } else { self.cells.stray() }
    }

    pub(super) fn decimal_comma(&self) -> bool {
        self.cells.comma
    }

    /// A cell of the file, whether its row is among the table's or not.
    pub(super) fn cell_at(&self, place: usize) -> &str {
        self.cells.get(place)
    }

    pub(super) fn take(&self, rows: &[usize]) -> Column {
        Column { rows: Some(rows.iter().map(|&row| self.place(row) as u32).collect()), ..self.clone() }
    }

    pub(super) fn of_kind(self, kind: Kind) -> Column {
        Column { kind, chosen: true, ..self }
    }

    /// The name in the file, if it has one.
    fn own_name(&self) -> Option<&str> {
        (!self.unnamed).then_some(&self.name)
    }

    fn place(&self, row: usize) -> usize {
        self.rows.as_ref().map_or(row, |rows| rows[row] as usize)
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).map(|row| self.place(row))
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its cells are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The number of rows.
    #[expect(clippy::len_without_is_empty, reason = "a table is never empty")]
    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.cells.len(), |rows| rows.len())
    }

    /// The text of a cell, without white space around it.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn cell(&self, row: usize) -> &str {
        self.cells.get(self.place(row))
    }

    /// Whether a cell is missing.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn is_missing(&self, row: usize) -> bool {
        is_missing(self.cell(row))
    }

    /// How many cells are missing.
    pub fn missing(&self) -> usize {
        match &self.rows {
            None => self.cells.missing(),
            Some(_) => self.places().filter(|&place| is_missing(self.cells.get(place))).count(),
        }
    }

    /// The numbers; NaN where a cell is missing or, in a column of another kind, no number.
    pub fn numbers(&self) -> Vec<f64> {
        match (self.cells.numbers(), &self.rows) {
            (Ok(numbers), None) => numbers.clone(),
            (Ok(numbers), Some(rows)) => rows.iter().map(|&place| numbers[place as usize]).collect(),
            (Err(_), _) => {
                let parse = |place| number::parse(self.cells.get(place), self.cells.comma).unwrap_or(f64::NAN);
                self.places().map(parse).collect()
            }
        }
    }

    /// The distinct values that are there, in order, and how many rows have each: by number if all are numbers, else by text.
    /// `3.0` is the same as `3`.
    pub fn levels(&self) -> Vec<(String, usize)> {
        let (levels, codes) = self.codes();
        let mut counts = vec![0; levels.len()];
        codes.into_iter().flatten().for_each(|code| counts[code as usize] += 1);
        levels.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// The distinct values of the whole file's column, in order, and the place of each row's value among them; `None` where it
    /// is missing. In a yes/no column, all that say yes (`Yes`, `TRUE`, `1`) are one value, under the first
    /// spelling in order.
    pub fn codes(&self) -> (Vec<String>, Vec<Option<u32>>) {
        let dictionary = self.cells.dictionary();
        let mut levels: Vec<String> = Vec::new();
        let mut places = Vec::with_capacity(dictionary.len());
        for place in 0..dictionary.len() {
            let level = dictionary.level(&self.cells, place);
            let twin = match self.kind {
                // There are but a few spellings of yes and no.
                Kind::YesNo => {
                    yes_or_no(level).and_then(|own| levels.iter().position(|other| yes_or_no(other) == Some(own)))
                }
                _ => None,
            };
            places.push(twin.unwrap_or(levels.len()) as u32);
            if twin.is_none() {
                levels.push(level.to_owned());
            }
        }
        let codes = self.places().map(|place| dictionary.code(place).map(|code| places[code])).collect();
        (levels, codes)
    }

    /// The dates and times; `None` where a cell is missing or, in a column of another kind, no date.
    pub fn dates(&self) -> Vec<Option<DateTime>> {
        let Ok(dates) = self.cells.dates() else { return vec![None; self.len()] };
        self.places().map(|place| dates.format.parse(self.cells.get(place))).collect()
    }

    /// How the dates are written; `None` if they cannot be read, or all are missing.
    pub(in super::super) fn date_format(&self) -> Option<DateFormat> {
        self.cells.dates().as_ref().ok().map(|dates| dates.format)
    }

    /// As [`dates`](Column::dates), all read as `format` has it.
    pub(in super::super) fn dates_as(&self, format: DateFormat) -> Vec<Option<DateTime>> {
        self.places().map(|place| format.parse(self.cells.get(place))).collect()
    }

    /// The first row whose cell is no date in this format, and why. Offsets from UTC are in all cells or in none.
    pub(super) fn misfit_of_format(&self, format: DateFormat) -> Option<(usize, String)> {
        let mut with_offset = None;
        (0..self.len()).filter(|&row| !self.is_missing(row)).find_map(|row| {
            let cell = excerpt(self.cell(row));
            match format.read(self.cell(row)) {
                None => Some((row, format!("`{cell}` is not a date of the form {format}, as those in training are"))),
                Some((_, offset)) if *with_offset.get_or_insert(offset) != offset => {
                    let has = if offset { "has an" } else { "has no" };
                    Some((row, format!("`{cell}` {has} offset from UTC, unlike those before it")))
                }
                Some(_) => None,
            }
        })
    }

    /// Whether the dates could be read with the day first as well as with the month first, which was chosen.
    pub fn is_ambiguous_date(&self) -> bool {
        self.kind == Kind::Date && self.cells.dates().as_ref().is_ok_and(|dates| dates.ambiguous)
    }

    /// As [`is_ambiguous_date`](Column::is_ambiguous_date), where nobody said what is first: the format that was taken, and a cell.
    pub(in super::super) fn guessed_date(&self) -> Option<(DateFormat, &str)> {
        let format = self.date_format().filter(|_| self.is_ambiguous_date() && !self.told)?;
        let differs = |cell: &&str| DateFormat::MonthFirst.parse(cell) != DateFormat::DayFirst.parse(cell);
        Some((format, (0..self.len()).map(|row| self.cell(row)).find(differs)?))
    }

    /// The first row whose cell is not of a kind, and why.
    pub(super) fn misfit(&self, kind: Kind) -> Option<(usize, String)> {
        let present = || (0..self.len()).filter(|&row| !self.is_missing(row));
        match kind {
            Kind::Number => {
                let comma = self.cells.comma;
                if self.cells.numbers().is_ok() {
                    return None;
                }
                let bad = present().find(|&row| number::parse(self.cell(row), comma).is_none());
                bad.map(|row| (row, number::reason(self.cell(row), comma)))
            }
            Kind::Date => {
                // One format is for all cells of the file.
                let place = *self.cells.dates().as_ref().err()?;
                // Nothing but gaps has no format, and is no misfit.
                let row = present().find(|&row| self.place(row) == place).or_else(|| present().next())?;
                Some((row, format!("`{}` is not a date in the format of the others", excerpt(self.cell(row)))))
            }
            Kind::YesNo => {
                let bad = present().find(|&row| yes_or_no(self.cell(row)).is_none());
                bad.map(|row| (row, format!("`{}` is neither yes nor no", excerpt(self.cell(row)))))
            }
            Kind::Category | Kind::Text | Kind::Identifier => None,
        }
    }
}
