//! What becomes of one column.

use std::collections::HashMap;
use std::f64::consts::TAU;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::super::table::yes_or_no;
use super::super::{Column, DateFormat, Kind};
use crate::Result;

/// How a column becomes inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "encoding", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Encoding {
    Number(Standardizer),
    OneHot(Levels),
    Embedding { levels: Levels, dim: usize },
    Date { format: DateFormat, days: Standardizer, year: bool, week: bool, day: bool },
}

/// `x / sqrt(1 + (x / 3)^2)` of the standardized number `x = (number - mean) / std`; gaps are filled with the median and, if training
/// rows had any, marked. `mean` and `std` are those of the numbers clipped to `[q1 - 20 (q3 - q1), q3 + 20 (q3 - q1)]`, with the
/// quartiles `q1` and `q3` (interpolated, as NumPy's), unless these are equal: a single number far away would make all others equal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standardizer {
    pub median: f64,
    pub mean: f64,
    pub std: f64,
    pub indicator: bool,
}

/// The levels of a category.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Levels {
    pub names: Vec<String>,
    /// Whether gaps are a level.
    pub missing: bool,
    /// Levels of a single training row: they train the place of levels never seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rare: Vec<String>,
}

/// A column that is no input, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dropped {
    pub column: String,
    pub reason: String,
}

/// What was found in the rows that the training rows did not have.
#[derive(Debug, Default)]
pub(super) struct Oddities {
    /// Rows with a level never seen.
    pub unseen: Vec<usize>,
    /// Rows with a gap, where the training rows had none.
    pub gaps: Vec<usize>,
}

/// Fewer training rows than this are too few to call a level rare.
const ROWS_FOR_RARE: usize = 50;

/// Numbers further from the middle half than so many times its width do not count in full for mean and standard deviation.
const OUTLIER_REACH: f64 = 20.0;

/// The quantile of some numbers, interpolated linearly between two of them: NumPy's default.
fn quantile(numbers: &mut [f64], share: f64) -> f64 {
    let position = share * (numbers.len() - 1) as f64;
    let (place, part) = (position as usize, position.fract());
    let (_, &mut lower, above) = numbers.select_nth_unstable_by(place, f64::total_cmp);
    match above.iter().copied().min_by(f64::total_cmp) {
        Some(upper) if part > 0.0 => lower * (1.0 - part) + upper * part,
        _ => lower,
    }
}

impl Standardizer {
    /// From values of which those that are missing are NaN. `None`, if there is nothing to see in them.
    fn fit(values: &[f64]) -> Option<Standardizer> {
        let mut present: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        let indicator = present.len() < values.len();
        if present.is_empty() {
            return None;
        }
        let [q1, median, q3] = [0.25, 0.5, 0.75].map(|share| quantile(&mut present, share));
        let reach = OUTLIER_REACH * (q3 - q1);
        let clip = |value: f64| if reach > 0.0 { value.clamp(q1 - reach, q3 + reach) } else { value };
        // The gaps filled, as they will be.
        let filled = || values.iter().map(|&value| if value.is_nan() { median } else { clip(value) });
        let count = values.len() as f64;
        let mean = filled().map(|value| value / count).sum::<f64>();
        // In units of the largest, so that no square is infinite or 0.
        let deviation = |value: f64| (value - mean).abs().min(f64::MAX);
        let largest = filled().map(deviation).fold(0.0, f64::max);
        let std = largest * filled().map(|value| (deviation(value) / largest).powi(2) / count).sum::<f64>().sqrt();
        let constant = present.iter().all(|value| *value == present[0]);
        if constant && !indicator {
            return None;
        }
        let std = if !constant && std > 0.0 { std } else { 1.0 };
        Some(Standardizer { median, mean, std, indicator })
    }

    /// Values beyond some standard deviations are drawn in smoothly, to 3 at most, so that a single one cannot rule the network.
    fn apply(&self, value: f64) -> f32 {
        let value = if value.is_nan() { self.median } else { value };
        // Far beyond the limit already, and its square is still finite.
        let x = ((value - self.mean) / self.std).clamp(-1e100, 1e100);
        (x / (1.0 + (x / 3.0).powi(2)).sqrt()) as f32
    }

    fn write(&self, values: &[f64], out: &mut Columns, oddities: &mut Oddities) {
        for (row, &value) in values.iter().enumerate() {
            out.at(row)[0] = self.apply(value);
            if !value.is_nan() {
                continue;
            }
            if self.indicator {
                out.at(row)[1] = 1.0;
            } else {
                oddities.gaps.push(row);
            }
        }
    }

    fn width(&self) -> usize {
        1 + usize::from(self.indicator)
    }
}

impl Levels {
    /// Or why there is nothing to see in them.
    fn fit(column: &Column) -> Result<Levels, String> {
        let mut counts = column.levels();
        let missing = column.missing() > 0;
        if counts.len() + usize::from(missing) < 2 {
            return Err("constant".to_owned());
        }
        let mut rare = Vec::new();
        if column.len() >= ROWS_FOR_RARE {
            rare.extend(counts.extract_if(.., |(_, count)| *count == 1).map(|(name, _)| name));
        }
        if counts.is_empty() && !missing {
            return Err("an identifier, with each level in one row".to_owned());
        }
        Ok(Levels { names: counts.into_iter().map(|(name, _)| name).collect(), missing, rare })
    }

    /// The place of each row's level: those of the names, of gaps, and of levels never seen.
    fn places(&self, column: &Column, oddities: &mut Oddities) -> Vec<usize> {
        let other = self.names.len() + usize::from(self.missing);
        let rare = self.rare.iter().map(|name| (name.as_str(), other));
        let known = self.names.iter().enumerate().map(|(place, name)| (name.as_str(), place));
        let known: HashMap<&str, usize> = known.chain(rare).collect();
        let (levels, codes) = column.codes();
        let same_answer = |level: &str| {
            let place = spelled_otherwise(level, self.names.iter().chain(&self.rare))?;
            Some(if place < self.names.len() { place } else { other })
        };
        let find = |level: &String| known.get(level.as_str()).copied().or_else(|| same_answer(level));
        let places: Vec<Option<usize>> = levels.iter().map(find).collect();
        let gap = self.missing.then_some(self.names.len());
        let place = |(row, code): (usize, Option<u32>)| match code {
            None if gap.is_some() => gap.unwrap_or(other),
            None => {
                oddities.gaps.push(row);
                other
            }
            Some(code) => places[code as usize].unwrap_or_else(|| {
                oddities.unseen.push(row);
                other
            }),
        };
        codes.into_iter().enumerate().map(place).collect()
    }

    /// The number of places.
    pub fn places_count(&self) -> usize {
        self.trained_count() + usize::from(self.rare.is_empty())
    }

    /// The number of places that training rows have: all, but that of levels never seen where no level was rare.
    pub fn trained_count(&self) -> usize {
        self.names.len() + usize::from(self.missing) + usize::from(!self.rare.is_empty())
    }
}

/// The inputs of one column: some adjacent columns of a row-major matrix.
pub(super) struct Columns<'a> {
    pub matrix: &'a mut [f32],
    pub features: usize,
    pub first: usize,
    pub width: usize,
}

impl Columns<'_> {
    fn at(&mut self, row: usize) -> &mut [f32] {
        let start = row * self.features + self.first;
        &mut self.matrix[start..start + self.width]
    }
}

impl Encoding {
    /// Or why the column cannot be an input.
    pub fn fit(column: &Column, max_one_hot: usize) -> Result<Result<Encoding, String>> {
        let kind = column.kind();
        if column.missing() == column.len() {
            return Ok(Err("empty".to_owned()));
        }
        Ok(match kind {
            Kind::Text | Kind::Identifier => {
                let kind = if kind == Kind::Text { "free text" } else { "an identifier" };
                Err(kind.to_owned())
            }
            Kind::Number => Standardizer::fit(&column.numbers()).map(Encoding::Number).ok_or("constant".to_owned()),
            Kind::Date => Encoding::fit_dates(column).ok_or("constant".to_owned()),
            Kind::Category | Kind::YesNo => Levels::fit(column).map(|levels| match levels.names.len() {
                count if count <= max_one_hot => Encoding::OneHot(levels),
                count => Encoding::Embedding { dim: embedding_dim(count), levels },
            }),
        })
    }

    fn fit_dates(column: &Column) -> Option<Encoding> {
        let (format, dates) = (column.date_format()?, column.dates());
        let days = Standardizer::fit(&dates.iter().map(|date| date.map_or(f64::NAN, days)).collect::<Vec<_>>())?;
        let present: Vec<DateTime> = dates.iter().flatten().copied().collect();
        let varies = |part: fn(&DateTime) -> i64| present.iter().any(|date| part(date) != part(&present[0]));
        Some(Encoding::Date {
            format,
            days,
            year: varies(|date| i64::from(date.month())),
            week: varies(|date| i64::from(date.weekday().to_monday_zero_offset())),
            day: varies(|date| i64::from(date.hour()) * 60 + i64::from(date.minute())),
        })
    }

    /// How many inputs it has.
    pub fn width(&self) -> usize {
        match self {
            Encoding::Number(own) => own.width(),
            Encoding::OneHot(levels) => levels.places_count(),
            Encoding::Embedding { .. } => 1,
            Encoding::Date { days, year, week, day, .. } => {
                days.width() + 2 * [year, week, day].into_iter().filter(|part| **part).count()
            }
        }
    }

    /// Writes the inputs of all rows of a column, whose kind is the one that was fitted.
    pub fn write(&self, column: &Column, mut out: Columns) -> Oddities {
        let mut oddities = Oddities::default();
        match self {
            Encoding::Number(own) => own.write(&column.numbers(), &mut out, &mut oddities),
            Encoding::OneHot(levels) => {
                for (row, place) in levels.places(column, &mut oddities).into_iter().enumerate() {
                    // An input that was 0 in all training rows has weights that nothing trained.
                    if place + 1 < out.width || !levels.rare.is_empty() {
                        out.at(row)[place] = 1.0;
                    }
                }
            }
            Encoding::Embedding { levels, .. } => {
                for (row, place) in levels.places(column, &mut oddities).into_iter().enumerate() {
                    out.at(row)[0] = place as f32;
                }
            }
            Encoding::Date { format, days: standardizer, year, week, day } => {
                let dates = column.dates_as(*format);
                let numbers: Vec<f64> = dates.iter().map(|date| date.map_or(f64::NAN, days)).collect();
                standardizer.write(&numbers, &mut out, &mut oddities);
                let first = standardizer.width();
                for (row, date) in dates.iter().enumerate() {
                    let Some(date) = date else { continue };
                    let of_day = (f64::from(date.hour()) * 60.0 + f64::from(date.minute())) / 1440.0;
                    let of_week = (f64::from(date.weekday().to_monday_zero_offset()) + of_day) / 7.0;
                    let of_year = (f64::from(date.day_of_year() - 1) + of_day) / 366.0;
                    let parts = [(of_year, *year), (of_week, *week), (of_day, *day)];
                    let places = out.at(row)[first..].chunks_exact_mut(2);
                    for (place, (turn, _)) in places.zip(parts.into_iter().filter(|(_, used)| *used)) {
                        place.copy_from_slice(&[(TAU * turn).sin() as f32, (TAU * turn).cos() as f32]);
                    }
                }
            }
        }
        oddities
    }

    /// For a reader: what becomes of the column.
    pub fn describe(&self) -> String {
        let gaps = |own: &Standardizer| if own.indicator { ", gaps marked and filled with the median" } else { "" };
        match self {
            Encoding::Number(own) => format!("standardized{}", gaps(own)),
            Encoding::OneHot(levels) => format!("one-hot of {}", levels.places_count()),
            Encoding::Embedding { levels, dim } => format!("embedding of {} in {dim} numbers", levels.places_count()),
            Encoding::Date { days, year, week, day, .. } => {
                let parts = [("year", *year), ("week", *week), ("day", *day)];
                let parts: Vec<&str> = parts.into_iter().filter(|(_, used)| *used).map(|(name, _)| name).collect();
                let places =
                    if parts.is_empty() { String::new() } else { format!("; place in the {}", parts.join(", ")) };
                format!("days, standardized{}{places}", gaps(days))
            }
        }
    }
}

/// The length of the vectors for a number of levels: the rule of thumb of fast.ai (2018), at most 50.
fn embedding_dim(levels: usize) -> usize {
    ((1.6 * (levels as f64).powf(0.56)).round() as usize).min(50)
}

/// Days since 1970, with the time as a fraction.
fn days(date: DateTime) -> f64 {
    let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
    date.duration_since(epoch).as_secs_f64() / 86400.0
}

/// The place of the same answer among the two of a yes/no column: `TRUE` is `yes`, `Y` and `1`.
pub(super) fn spelled_otherwise<'a>(level: &str, names: impl IntoIterator<Item = &'a String>) -> Option<usize> {
    let answers: Vec<bool> = names.into_iter().map(|name| yes_or_no(name)).collect::<Option<_>>()?;
    let own = yes_or_no(level)?;
    matches!(answers[..], [first, second] if first != second).then(|| usize::from(answers[0] != own))
}
