//! The text of a column's cells, with what has been computed from it.

use std::sync::OnceLock;

use super::codes::Dictionary;
use super::date::Dates;
use super::number;

/// Cells end to end in one text.
#[derive(Debug)]
pub(super) struct Cells {
    text: String,
    /// Where each cell ends; it starts where the one before it ends.
    ends: Vec<u32>,
    /// Whether numbers have a decimal comma.
    pub comma: bool,
    /// Of two readings of `01/02/2020`, whether the day is first.
    pub day_first: bool,
    numbers: OnceLock<Result<Vec<f64>, usize>>,
    dates: OnceLock<Result<Dates, usize>>,
    dictionary: OnceLock<Dictionary>,
    missing: OnceLock<usize>,
}

/// Cells as they are read.
#[derive(Default)]
pub(super) struct Builder {
    text: Vec<u8>,
    ends: Vec<u32>,
}

impl Builder {
    /// Adds a cell without the white space around it; an error if the column has grown beyond 4 GiB.
    #[inline]
    pub fn push(&mut self, cell: &[u8]) -> Result<(), String> {
        self.text.extend_from_slice(cell.trim_ascii());
        let end = u32::try_from(self.text.len()).map_err(|_| "has more than 4 GiB of text".to_owned())?;
        self.ends.push(end);
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        let cell = move |&end: &u32| &self.text[std::mem::replace(&mut start, end as usize)..end as usize];
        self.ends.iter().map(cell).map(|cell| std::str::from_utf8(cell).unwrap_or_default())
    }

    pub fn finish(self, day_first: bool, comma: bool) -> Result<Cells, String> {
        let text = String::from_utf8(self.text).map_err(|_| "is not UTF-8".to_owned())?;
        let (numbers, dates, dictionary, missing) = Default::default();
        Ok(Cells { text, ends: self.ends, comma, day_first, numbers, dates, dictionary, missing })
    }
}

impl Cells {
    /// Some of the cells, as cells of their own.
    pub fn copy(&self, places: impl Iterator<Item = usize>) -> Cells {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for place in places {
            text.push_str(self.get(place));
            // No longer than all cells, whose ends fit.
            ends.push(text.len() as u32);
        }
        let (numbers, dates, dictionary, missing) = Default::default();
        Cells { text, ends, comma: self.comma, day_first: self.day_first, numbers, dates, dictionary, missing }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    pub fn get(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.text[start..self.ends[row] as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.text[std::mem::replace(&mut start, end as usize)..end as usize])
    }

    /// How many cells are missing.
    pub fn missing(&self) -> usize {
        *self.missing.get_or_init(|| match self.numbers.get() {
            Some(Ok(numbers)) => numbers.iter().filter(|number| number.is_nan()).count(),
            _ => self.iter().filter(|cell| is_missing(cell)).count(),
        })
    }

    /// All cells as numbers, NaN where one is missing; or the first row that is no number.
    pub fn numbers(&self) -> &Result<Vec<f64>, usize> {
        self.numbers.get_or_init(|| {
            let mut numbers = Vec::with_capacity(self.len());
            for (row, cell) in self.iter().enumerate() {
                numbers.push(read_number(cell, self.comma).ok_or(row)?);
            }
            Ok(numbers)
        })
    }

    /// How dates are written in all cells; or the first row that no format fits.
    pub fn dates(&self) -> &Result<Dates, usize> {
        self.dates.get_or_init(|| Dates::detect(self.iter(), self.day_first))
    }

    /// The distinct values.
    pub fn dictionary(&self) -> &Dictionary {
        self.dictionary.get_or_init(|| Dictionary::new(self))
    }
}

/// A cell as a number, NaN if it is missing.
#[inline]
pub(super) fn read_number(cell: &str, comma: bool) -> Option<f64> {
    number::parse(cell, comma).or_else(|| is_missing(cell).then_some(f64::NAN))
}

/// Whether a cell stands for a missing value: pandas's list of such words, `?` and `-`.
#[inline]
pub(super) fn is_missing(cell: &str) -> bool {
    match cell.len() {
        0 => true,
        1 => matches!(cell, "?" | "-"),
        2..=9 => matches!(
            cell,
            "NA" | "N/A"
                | "n/a"
                | "NaN"
                | "nan"
                | "NULL"
                | "null"
                | "None"
                | "<NA>"
                | "#N/A"
                | "#NA"
                | "#N/A N/A"
                | "-NaN"
                | "-nan"
                | "1.#IND"
                | "-1.#IND"
                | "1.#QNAN"
                | "-1.#QNAN"
        ),
        _ => false,
    }
}
