//! Columns that a few cells keep from being what nearly all of their cells are.

use super::cells::{Cells, is_missing};
use super::date::FORMATS;
use super::dress::undress;
use super::{Table, excerpt, number};
use crate::{Error, Result};

/// Columns with fewer cells are taken as they are.
const FEWEST_CELLS: usize = 20;
/// At most one in so many cells is a stray one.
const ONE_IN: usize = 20;

/// A cell, by its place, that keeps a column from being of numbers or dates.
pub(super) struct Stray {
    place: usize,
    what: What,
}

enum What {
    /// It is not what nearly all others are.
    Outsider { others: String, outsiders: usize, present: usize },
    /// It would be a number but for its marks, as nearly all others would be.
    Dressed { marks: String, plain: String },
}

impl Cells {
    /// `None`, if more than one in twenty cells are neither numbers nor dates, or the column is of one of them. Where it is always the
    /// same word that is no number, it may be in half of the cells.
    pub(super) fn stray(&self) -> Option<Stray> {
        let present = self.len() - self.missing();
        if present < FEWEST_CELLS || self.numbers().is_ok() || self.dates().is_ok() {
            return None;
        }
        let most = present / ONE_IN;
        let outsider = |others: String, (place, outsiders)| {
            Some(Stray { place, what: What::Outsider { others, outsiders, present } })
        };
        let is_number = |cell: &str| number::parse(cell, self.comma).is_some();
        let limit = if self.is_numbers_and_a_word() { present / 2 } else { most };
        if let Some((Some(place), count)) = self.outsiders(limit, is_number) {
            return outsider("a number".to_owned(), (place, count));
        }
        self.dressed(most).or_else(|| {
            let formats = FORMATS.iter().filter_map(|(format, _)| {
                let (place, count) = self.outsiders(most, |cell| format.parse(cell).is_some())?;
                Some((count, place, format))
            });
            // Where all are dates of one format, some have an offset from UTC and others have none.
            let (count, place, format) = formats.min_by_key(|(count, ..)| *count)?;
            let place = place.or(self.dates().as_ref().err().copied())?;
            let others = if count == 0 {
                "a date with an offset from UTC or without one, as the first is".to_owned()
            } else {
                format!("a date of the form {format}")
            };
            outsider(others, (place, count.max(1)))
        })
    }

    /// Whether many numbers and a single word are all that is there: the word may stand for a missing value.
    fn is_numbers_and_a_word(&self) -> bool {
        let dictionary = self.dictionary();
        let is_word = |place: &usize| number::parse(dictionary.level(self, *place), self.comma).is_none();
        dictionary.len() > FEWEST_CELLS && (0..dictionary.len()).filter(is_word).take(2).count() == 1
    }

    fn present(&self) -> impl Iterator<Item = (usize, &str)> {
        self.iter().enumerate().filter(|(_, cell)| !is_missing(cell))
    }

    /// The first cell that does not fit, and how many do not; `None`, if more than `most` do not.
    fn outsiders(&self, most: usize, fits: impl Fn(&str) -> bool) -> Option<(Option<usize>, usize)> {
        let (mut first, mut count) = (None, 0);
        for (place, _) in self.present().filter(|(_, cell)| !fits(cell)) {
            first.get_or_insert(place);
            count += 1;
            if count > most {
                return None;
            }
        }
        Some((first, count))
    }

    /// Whether nearly all are numbers with marks, of one unit if any: the first with marks.
    fn dressed(&self, most: usize) -> Option<Stray> {
        let (mut first, mut unit, mut others) = (None, None, 0);
        for (place, cell) in self.present() {
            let dressed = undress(cell, self.comma);
            let fits = dressed.as_ref().is_some_and(|own| match (&own.unit, &unit) {
                (Some(own), Some(unit)) => own == unit,
                _ => true,
            });
            if !fits {
                others += 1;
                if others > most {
                    return None;
                }
                continue;
            }
            let Some(dressed) = dressed else { continue };
            unit = unit.or(dressed.unit.clone());
            if first.is_none() && !dressed.is_plain() {
                first = Some((place, What::Dressed { marks: dressed.marks(), plain: dressed.plain }));
            }
        }
        let (place, what) = first?;
        Some(Stray { place, what })
    }
}

impl Table {
    /// Refuses a column whose kind was inferred, and would be another one but for a few cells or marks.
    pub(in super::super) fn refuse_stray_cells(&self, name: &str, is_target: bool) -> Result<()> {
        let column = self.column(name)?;
        let Some(Stray { place, what }) = column.stray() else { return Ok(()) };
        let (line, cell) = (self.cell_lines[place], column.cell_at(place));
        let shown = excerpt(cell);
        let plain = undress(cell, column.decimal_comma()).map(|own| format!("write it as `{}`", own.plain));
        let correction = plain.unwrap_or_else(|| "correct it".to_owned());
        let (said, mut ways) = match what {
            What::Outsider { others, outsiders, present } => (
                format!("is not {others}, though {} of its {present} cells are", present - outsiders),
                vec![correction, format!("declare it missing (--missing {})", shell_word(cell))],
            ),
            What::Dressed { marks, plain } => {
                (format!("has {marks}"), vec![format!("write plain numbers, such as `{plain}`")])
            }
        };
        if !is_target {
            ways.push(format!("leave the column out (--drop {})", shell_word(name)));
        }
        let category = shell_word(&format!("{name}=category"));
        Err(Error::Data(format!(
            "{}: line {line}: `{shown}` of `{name}` {said}; {}, or take it as a category (--as {category})",
            self.name,
            ways.join(", ")
        )))
    }
}

/// A word as a shell takes it.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-=./,:+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
