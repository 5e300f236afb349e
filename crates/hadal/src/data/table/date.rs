//! Dates and times from text: which format all cells of a column have, and what they say.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time, date};
use serde::{Deserialize, Serialize};

use super::cells::is_missing;
use crate::Error;

/// How dates are written in a column.
///
/// All but [`DateFormat::Time`] may be followed by a time of day after a space or `T`: hours and minutes, seconds and
/// their fraction if there are any, `AM` or `PM`, and `Z` or an offset such as `+02:00`. Years have four digits.
/// `Display` and `FromStr` use the letters that are given here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateFormat {
    /// `yyyy-mm-dd`, the format of ISO 8601.
    Iso,
    /// `yyyy/mm/dd`
    YearFirst,
    /// `dd.mm.yyyy`
    Dotted,
    /// `mm/dd/yyyy`, also with `-` between the numbers.
    MonthFirst,
    /// `dd/mm/yyyy`, also with `-` between the numbers.
    DayFirst,
    /// `hh:mm`, a time of day alone. Its date is 1970-01-01.
    Time,
}

use DateFormat::{DayFirst, Dotted, Iso, MonthFirst, YearFirst};

/// In the order of preference.
pub(super) const FORMATS: [(DateFormat, &str); 6] = [
    (Iso, "yyyy-mm-dd"),
    (YearFirst, "yyyy/mm/dd"),
    (Dotted, "dd.mm.yyyy"),
    (MonthFirst, "mm/dd/yyyy"),
    (DayFirst, "dd/mm/yyyy"),
    (DateFormat::Time, "hh:mm"),
];

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FORMATS.iter().find(|(format, _)| format == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}

impl FromStr for DateFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<DateFormat, Error> {
        FORMATS.iter().find(|(_, name)| *name == text).map(|(format, _)| *format).ok_or_else(|| {
            let names = FORMATS.map(|(_, name)| name).join(", ");
            Error::Config(format!("`{text}` is not a date format; the formats are {names}"))
        })
    }
}

impl DateFormat {
    /// The date and time that `cell` says; with an offset, in UTC. `None` if it is not written in this format.
    ///
    /// ```
    /// use hadal::data::DateFormat;
    /// let date = DateFormat::Dotted.parse("24.12.2026 18:30").unwrap();
    /// assert_eq!(date.to_string(), "2026-12-24T18:30:00");
    /// ```
    pub fn parse(self, cell: &str) -> Option<DateTime> {
        self.read(cell).map(|(date, _)| date)
    }

    /// For a reader of a report: in which order the parts are written.
    pub(in super::super) fn in_words(self) -> &'static str {
        match self {
            Iso => "year-month-day",
            YearFirst => "year/month/day",
            Dotted => "day.month.year",
            MonthFirst => "month/day/year",
            DayFirst => "day/month/year",
            DateFormat::Time => "hours:minutes",
        }
    }

    /// The date, and whether an offset from UTC was there.
    pub(super) fn read(self, cell: &str) -> Option<(DateTime, bool)> {
        let mut rest = Cursor(cell.as_bytes());
        if self == DateFormat::Time {
            let time = rest.time()?;
            return rest.0.is_empty().then_some((DateTime::from_parts(date(1970, 1, 1), time), false));
        }
        let day = rest.date(self)?;
        if rest.0.is_empty() {
            return Some((DateTime::from_parts(day, Time::midnight()), false));
        }
        if !(rest.eat(b'T') || rest.eat(b' ')) {
            return None;
        }
        let local = DateTime::from_parts(day, rest.time()?);
        let offset = rest.offset()?;
        let utc = local.checked_sub(jiff::SignedDuration::from_mins(offset.unwrap_or(0))).ok()?;
        rest.0.is_empty().then_some((utc, offset.is_some()))
    }
}

/// What is left of a cell.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        self.0 = &self.0[usize::from(found)..];
        found
    }

    /// A whole number of at least one and at most `most` digits.
    fn number(&mut self, most: usize) -> Option<i16> {
        let count = self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        (count > 0).then(|| digits.iter().fold(0, |value, digit| value * 10 + i16::from(digit - b'0')))
    }

    fn year(&mut self) -> Option<i16> {
        let length = self.0.len();
        let year = self.number(4)?;
        (length - self.0.len() == 4).then_some(year)
    }

    fn date(&mut self, format: DateFormat) -> Option<Date> {
        let separator = match format {
            Iso => b'-',
            YearFirst => b'/',
            Dotted => b'.',
            _ if self.0.iter().take(3).any(|&byte| byte == b'-') => b'-',
            _ => b'/',
        };
        let year_first = matches!(format, Iso | YearFirst);
        let first = if year_first { self.year()? } else { self.number(2)? };
        let second = self.eat(separator).then(|| self.number(2))??;
        let third = self.eat(separator).then(|| if year_first { self.number(2) } else { self.year() })??;
        let (year, month, day) = match format {
            Iso | YearFirst => (first, second, third),
            MonthFirst => (third, first, second),
            _ => (third, second, first),
        };
        Date::new(year, month as i8, day as i8).ok()
    }

    /// `hh:mm[:ss[.fraction]][ AM|PM]`
    fn time(&mut self) -> Option<Time> {
        let mut hour = self.number(2)?;
        let length = self.0.len();
        let minute = self.eat(b':').then(|| self.number(2))??;
        if length - self.0.len() != 3 {
            return None;
        }
        let (mut second, mut nanosecond) = (0, 0);
        if self.eat(b':') {
            second = self.number(2)?;
            if self.eat(b'.') || self.eat(b',') {
                nanosecond = self.fraction()?;
            }
        }
        let half = self.0.strip_prefix(b" ").unwrap_or(self.0);
        if let [letter, b'M' | b'm', rest @ ..] = half
            && let Some(after_noon) = [b'A', b'P'].iter().position(|half| half.eq_ignore_ascii_case(letter))
        {
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + 12 * after_noon as i16;
            self.0 = rest;
        }
        // A leap second is the second before it, as jiff has it.
        Time::new(hour as i8, minute as i8, second.min(if second == 60 { 59 } else { second }) as i8, nanosecond).ok()
    }

    /// Digits after the point, as nanoseconds; those beyond the ninth are dropped.
    fn fraction(&mut self) -> Option<i32> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let digit = |place: usize| digits.get(place).map_or(0, |digit| i32::from(digit - b'0'));
        (count > 0).then(|| (0..9).fold(0, |value, place| value * 10 + digit(place)))
    }

    /// Minutes east of UTC: `Z`, `+hh:mm`, `+hhmm` or `+hh`; nothing if there is nothing.
    fn offset(&mut self) -> Option<Option<i64>> {
        if self.0.is_empty() {
            return Some(None);
        }
        if self.eat(b'Z') {
            return Some(Some(0));
        }
        self.eat(b' ');
        let sign = if self.eat(b'+') { 1 } else { self.eat(b'-').then_some(-1)? };
        let hours = self.number(2)?;
        self.eat(b':');
        let minutes = if self.0.is_empty() { 0 } else { self.number(2)? };
        (hours < 24 && minutes < 60).then_some(Some(sign * (i64::from(hours) * 60 + i64::from(minutes))))
    }
}

/// What is known about a column of dates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dates {
    pub format: DateFormat,
    /// Whether month first and day first both fit all cells, and differ in some.
    pub ambiguous: bool,
}

impl Dates {
    /// The format that fits all cells; or the place of the first cell that none of the others' formats fits.
    ///
    /// Cells with and without an offset from UTC do not go together.
    pub fn detect<'a>(cells: impl Iterator<Item = &'a str>, day_first: bool) -> Result<Dates, usize> {
        let mut left: Vec<DateFormat> = FORMATS.iter().map(|(format, _)| *format).collect();
        let (mut with_offset, mut differ) = (None, false);
        for (place, cell) in cells.enumerate().filter(|(_, cell)| !is_missing(cell)) {
            if !cell.as_bytes()[0].is_ascii_digit() {
                return Err(place);
            }
            let mut offset = None;
            let mut first = None;
            left.retain(|format| match format.read(cell) {
                Some((date, has_offset)) => {
                    offset = Some(has_offset);
                    differ |= *first.get_or_insert(date) != date;
                    true
                }
                None => false,
            });
            let Some(offset) = offset else { return Err(place) };
            if *with_offset.get_or_insert(offset) != offset {
                return Err(place);
            }
        }
        if with_offset.is_none() {
            return Err(0);
        }
        let ambiguous = left.len() > 1 && differ;
        let format = if day_first && left.contains(&DayFirst) { DayFirst } else { left[0] };
        Ok(Dates { format, ambiguous })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(cells: &[&str]) -> Result<Dates, usize> {
        Dates::detect(cells.iter().copied(), false)
    }

    #[test]
    fn dates_and_times_are_read_as_they_are_written() {
        for (format, text, expected) in [
            (Iso, "2019-03-23", "2019-03-23T00:00:00"),
            (Iso, "2019-03-23 20:21:09", "2019-03-23T20:21:09"),
            (Iso, "2019-03-23T20:21", "2019-03-23T20:21:00"),
            (Iso, "2019-03-23T20:21:09.25Z", "2019-03-23T20:21:09.25"),
            (Iso, "2019-03-23T20:21:09+02:30", "2019-03-23T17:51:09"),
            (Iso, "2019-03-23 20:21:09-0500", "2019-03-24T01:21:09"),
            (YearFirst, "2019/3/23", "2019-03-23T00:00:00"),
            (Dotted, "23.03.2019", "2019-03-23T00:00:00"),
            (MonthFirst, "3/4/2019 12:05 AM", "2019-03-04T00:05:00"),
            (MonthFirst, "03-04-2019 1:05:06 pm", "2019-03-04T13:05:06"),
            (DayFirst, "3/4/2019", "2019-04-03T00:00:00"),
            (DateFormat::Time, "7:45", "1970-01-01T07:45:00"),
        ] {
            assert_eq!(format.parse(text).map(|date| date.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_not_read_as_one() {
        let cells =
            ["2019-02-30", "2019-13-01", "19-01-01", "2019-01-01x", "2019-01-01 25:00", "2019-01-01 20", "2019"];
        let more =
            ["1.2.3", "12:5", "12:60", "1/2/20", "2019-01-01T10:00+25:00", "2019-01-01 13:00 PM", "x", "2019-01-01 "];
        for cell in cells.into_iter().chain(more) {
            assert_eq!(detect(&[cell]), Err(0), "{cell}");
        }
    }

    #[test]
    fn month_or_day_first_is_decided_over_the_whole_column() {
        let unsure = Dates { format: MonthFirst, ambiguous: true };
        assert_eq!(detect(&["01/02/2020", "03/04/2020"]), Ok(unsure));
        assert_eq!(detect(&["01/02/2020", "", "13/04/2020"]), Ok(Dates { format: DayFirst, ambiguous: false }));
        assert_eq!(detect(&["01/02/2020", "03/14/2020"]), Ok(Dates { format: MonthFirst, ambiguous: false }));
        assert_eq!(detect(&["01/01/2020"]), Ok(Dates { format: MonthFirst, ambiguous: false }));
        assert_eq!(detect(&["13/01/2020", "01/13/2020"]), Err(1));
        let told = Dates::detect(["01/02/2020"].into_iter(), true).unwrap();
        assert_eq!(told.format, DayFirst);
    }

    #[test]
    fn offsets_are_there_in_all_cells_or_in_none() {
        assert_eq!(detect(&["2020-01-01T10:00Z", "2020-01-01T10:00"]), Err(1));
        assert!(detect(&["2020-01-01T10:00Z", "2020-01-01T10:00+01:00"]).is_ok());
    }

    #[test]
    fn formats_are_found_by_their_names() {
        for (format, name) in FORMATS {
            assert_eq!(name.parse::<DateFormat>().unwrap(), format);
            assert_eq!(format.to_string(), name);
        }
        assert!("dd/mm".parse::<DateFormat>().unwrap_err().to_string().contains("the formats are yyyy-mm-dd, "));
    }
}
