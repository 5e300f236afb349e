//! Which rows belong to which part.

use std::collections::HashMap;
use std::str::FromStr;

use super::Split;
use crate::monitor::note;
use crate::{Error, Result, Rng};

/// The random stream of splits.
pub(super) const SPLITTING: u64 = 0x5911;

/// What [`Split::partition`] divides by: one entry for each row.
#[derive(Clone, Copy, Debug)]
pub enum SplitBy<'a> {
    /// Nothing: each row goes to a part at random.
    Random,
    /// At random, with the share of each class in each part.
    Strata {
        /// The class of each row, as any number.
        codes: &'a [usize],
        /// The names of the classes by number, for messages; may be empty.
        names: &'a [String],
    },
    /// At random, with all rows of a group in one part.
    Groups {
        /// The group of each row, as any number.
        codes: &'a [usize],
        /// The names of the groups by number, for messages; may be empty.
        names: &'a [String],
    },
    /// In order of these values: the lowest are for training, the highest for the holdout part. Rows with the same value are in
    /// one part.
    Order(&'a [f64]),
    /// The part of each row is given; the fractions do not matter.
    Parts(&'a [Part]),
}

/// A part of the data.
///
/// ```
/// use hadal::data::Part;
/// assert_eq!("test".parse::<Part>()?, Part::Test);
/// assert!("validation".parse::<Part>().is_err());
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the model is trained on.
    Train,
    /// What is watched during training: when to stop, which settings are best.
    Test,
    /// What is kept for one last judgement.
    Holdout,
}

impl Part {
    pub(super) const ALL: [Part; 3] = [Part::Train, Part::Test, Part::Holdout];

    /// As messages call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Train => "training",
            Part::Test => "test",
            Part::Holdout => "holdout",
        }
    }
}

impl FromStr for Part {
    type Err = Error;

    fn from_str(text: &str) -> Result<Part> {
        match text {
            "train" => Ok(Part::Train),
            "test" => Ok(Part::Test),
            "holdout" => Ok(Part::Holdout),
            other => {
                Err(Error::Data(format!("`{other}` is no part of a split; a row is `train`, `test` or `holdout`")))
            }
        }
    }
}

/// The parts of some data: the rows of each, in ascending order, or whatever is made of them by [`try_map`](Partition::try_map).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition<T = Vec<usize>> {
    /// The training part.
    pub train: T,
    /// The test part.
    pub test: T,
    /// The holdout part; `None` if its fraction is 0.
    pub holdout: Option<T>,
}

impl<T> Partition<T> {
    /// Makes something of each part, for example the selected rows of a dataset.
    ///
    /// ```
    /// use hadal::data::{Split, SplitBy};
    /// let parts = Split::train_test(0.25).partition(8, &SplitBy::Random)?;
    /// let counts = parts.try_map(|_, rows| Ok(rows.len()))?;
    /// assert_eq!((counts.train, counts.test, counts.holdout), (6, 2, None));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of `make`.
    pub fn try_map<U>(self, mut make: impl FnMut(Part, T) -> Result<U>) -> Result<Partition<U>> {
        Ok(Partition {
            train: make(Part::Train, self.train)?,
            test: make(Part::Test, self.test)?,
            holdout: self.holdout.map(|rows| make(Part::Holdout, rows)).transpose()?,
        })
    }

    fn iter(&self) -> impl Iterator<Item = (Part, &T)> {
        let all = [Some(&self.train), Some(&self.test), self.holdout.as_ref()];
        Part::ALL.into_iter().zip(all).filter_map(|(part, rows)| Some((part, rows?)))
    }
}

impl Partition {
    /// Checks that all rows of a group are in one part. `codes` has the group of each row, `names` the names of the groups by
    /// number; it may be empty.
    ///
    /// ```
    /// use hadal::data::{Split, SplitBy};
    /// let parts = Split::train_test(0.5).partition(4, &SplitBy::Order(&[1.0, 2.0, 3.0, 4.0]))?;
    /// assert!(parts.check_groups(&[0, 0, 1, 1], &[]).is_ok());
    /// assert!(parts.check_groups(&[0, 1, 1, 1], &[]).is_err());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a group is in two parts; the message names it. If a row has no entry in `codes`.
    pub fn check_groups(&self, codes: &[usize], names: &[String]) -> Result<()> {
        let mut first: HashMap<usize, Part> = HashMap::new();
        for (part, rows) in self.iter() {
            for &row in rows {
                let Some(&code) = codes.get(row) else {
                    return Err(Error::Data(format!("split: row {row} has no group; there are {}", codes.len())));
                };
                let other = *first.entry(code).or_insert(part);
                if other != part {
                    return Err(Error::Data(format!(
                        "split: group {} has rows in the {} part and in the {} part (row {row}); all rows of a group must be in \
                         one part",
                        named(code, names),
                        other.name(),
                        part.name()
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Split {
    /// Divides rows `0..rows`. The sizes of the parts are the fractions of `rows` by largest remainder, so that they add up;
    /// whole groups and rows with the same place in an order may move them. The same seed gives the same parts, on any number of
    /// threads.
    ///
    /// Of the settings, this uses the fractions and the seed; `by` has what the columns say.
    ///
    /// ```
    /// use hadal::data::{Split, SplitBy};
    /// let parts = Split::default().seed(1).partition(20, &SplitBy::Random)?;
    /// assert_eq!((parts.train.len(), parts.test.len(), parts.holdout.unwrap().len()), (14, 3, 3));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the fractions do not add up to 1, a part would be empty, `by` does not have one entry for each row, a class has only
    /// one row, there are fewer groups than parts, or a value to order by is NaN.
    pub fn partition(&self, rows: usize, by: &SplitBy) -> Result<Partition> {
        self.check_fractions()?;
        let entries = match by {
            SplitBy::Random => rows,
            SplitBy::Strata { codes, .. } | SplitBy::Groups { codes, .. } => codes.len(),
            SplitBy::Order(values) => values.len(),
            SplitBy::Parts(parts) => parts.len(),
        };
        if entries != rows {
            return Err(Error::Data(format!("split: there are {rows} rows, but {entries} entries to split them by")));
        }
        if let SplitBy::Parts(parts) = by {
            return given(parts);
        }
        let sizes = self.sizes(rows)?;
        let part_of_row = match by {
            SplitBy::Groups { codes, .. } => self.by_group(codes, sizes)?,
            SplitBy::Order(values) => by_order(values, sizes)?,
            SplitBy::Strata { codes, names } => self.by_class(codes, Some(names), sizes)?,
            _ => self.by_class(&vec![0; rows], None, sizes)?,
        };
        let parts = collect(&part_of_row, self.holdout > 0.0);
        if let SplitBy::Strata { codes, names } = by {
            note_missing_classes(&parts, codes, names);
        }
        Ok(parts)
    }

    /// The number of rows of each part.
    fn sizes(&self, rows: usize) -> Result<[usize; 3]> {
        let fractions = [self.train, self.test, self.holdout];
        let sum: f64 = fractions.iter().sum();
        let shares = fractions.map(|fraction| fraction / sum * rows as f64);
        let sizes = apportion(&shares, rows, &[usize::MAX; 3]);
        for (part, (&size, fraction)) in Part::ALL.into_iter().zip(sizes.iter().zip(fractions)) {
            if size == 0 && fraction > 0.0 {
                return Err(Error::Data(format!(
                    "split: the {} part would have 0 of {rows} rows, a fraction of {fraction}; use larger fractions or more rows",
                    part.name()
                )));
            }
        }
        Ok([sizes[0], sizes[1], sizes[2]])
    }

    /// Each class by itself, by largest remainder over the classes, so that the sizes of the parts are right, too.
    fn by_class(&self, codes: &[usize], names: Option<&[String]>, sizes: [usize; 3]) -> Result<Vec<Part>> {
        let (classes, values) = dense(codes);
        let mut left = counts(&classes, values.len());
        let parts = sizes.iter().filter(|&&size| size > 0).count();
        let fewest = if self.rare_in_training && names.is_some() { parts } else { 0 };
        let rare: Vec<bool> = left.iter().map(|&count| count < fewest).collect();
        if let Some(names) = names {
            // One row of each class remains for training, and all of the rare ones.
            let divided = left.iter().zip(&rare).filter(|(_, rare)| !**rare).map(|(count, _)| count - 1).sum::<usize>();
            if fewest > 0 && divided < sizes[1] + sizes[2] {
                return Err(Error::Data(format!(
                    "split: classes with fewer than {parts} rows are for training, and the others have {divided} rows to spare for the \
                     {} of the other parts; use smaller fractions or more rows",
                    sizes[1] + sizes[2]
                )));
            }
            if let Some(class) = left.iter().position(|&count| count == 1 && fewest == 0) {
                return Err(Error::Data(format!(
                    "split: class {} has only 1 row; to be stratified, each class needs at least 2",
                    named(values[class], names)
                )));
            }
            if sizes[0] < left.len() {
                return Err(Error::Data(format!(
                    "split: the training part would have {} rows for {} classes; each class needs one there",
                    sizes[0],
                    left.len()
                )));
            }
        }
        let mut rows: usize = left.iter().zip(&rare).filter(|(_, rare)| !**rare).map(|(count, _)| count).sum();
        // One row of each class remains for training.
        let mut take = |size: usize| {
            let count = |class: usize| if rare[class] { 0 } else { left[class] };
            let shares: Vec<f64> =
                (0..left.len()).map(|class| count(class) as f64 * size as f64 / rows.max(1) as f64).collect();
            let limits: Vec<usize> = (0..left.len()).map(|class| count(class).saturating_sub(1)).collect();
            let taken = apportion(&shares, size, &limits);
            left.iter_mut().zip(&taken).for_each(|(left, taken)| *left -= taken);
            rows -= size;
            taken
        };
        let (mut holdout, mut test) = (take(sizes[2]), take(sizes[1]));
        let mut part_of_row = vec![Part::Train; codes.len()];
        for row in self.shuffled(codes.len()) {
            for (left, part) in [(&mut holdout, Part::Holdout), (&mut test, Part::Test)] {
                if left[classes[row]] > 0 {
                    left[classes[row]] -= 1;
                    part_of_row[row] = part;
                    break;
                }
            }
        }
        Ok(part_of_row)
    }

    /// Whole groups, in random order, each to the part that lacks the most rows: the best of a number of orders.
    fn by_group(&self, codes: &[usize], sizes: [usize; 3]) -> Result<Vec<Part>> {
        const ORDERS: u64 = 32;
        let (groups, values) = dense(codes);
        let rows_of = counts(&groups, values.len());
        let parts = sizes.iter().filter(|&&size| size > 0).count();
        if values.len() < parts {
            let (groups, are) = if values.len() == 1 { ("group", "is") } else { ("groups", "are") };
            return Err(Error::Data(format!(
                "split: there {are} {} {groups} for {parts} parts; all rows of a group are in one part, and each part needs a group",
                values.len()
            )));
        }
        let mut best: Option<(u128, Vec<Part>)> = None;
        for attempt in 0..ORDERS {
            let order = Rng::with_stream(self.seed, SPLITTING + attempt).permutation(values.len());
            let (deviation, part_of_group) = fill(&order, &rows_of, sizes);
            if best.as_ref().is_none_or(|(least, _)| deviation < *least) {
                best = Some((deviation, part_of_group));
            }
            if deviation == 0 {
                break;
            }
        }
        let part_of_group = best.map(|(_, parts)| parts).unwrap_or_default();
        Ok(groups.iter().map(|&group| part_of_group[group]).collect())
    }

    fn shuffled(&self, rows: usize) -> Vec<usize> {
        Rng::with_stream(self.seed, SPLITTING).permutation(rows)
    }
}

/// The part of each group, and the sum of the squared deviations of the parts' sizes.
fn fill(order: &[usize], rows_of: &[usize], sizes: [usize; 3]) -> (u128, Vec<Part>) {
    let mut missing = sizes.map(|size| size as i128);
    let mut empty = sizes.map(|size| size > 0);
    let mut part_of_group = vec![Part::Train; order.len()];
    for (place, &group) in order.iter().enumerate() {
        let (needed, remaining) = (empty.iter().filter(|empty| **empty).count(), order.len() - place);
        let may = |part: &usize| sizes[*part] > 0 && (remaining > needed || empty[*part]);
        // The first of equals.
        let Some(part) = (0..3).filter(may).max_by_key(|&part| (missing[part], std::cmp::Reverse(part))) else {
            continue;
        };
        missing[part] -= rows_of[group] as i128;
        empty[part] = false;
        part_of_group[group] = Part::ALL[part];
    }
    (
        missing.iter().map(|missing| missing.unsigned_abs().saturating_pow(2)).fold(0, u128::saturating_add),
        part_of_group,
    )
}

/// The lowest values are for training, the next for the test part, the highest for the holdout part.
fn by_order(values: &[f64], sizes: [usize; 3]) -> Result<Vec<Part>> {
    if let Some(row) = values.iter().position(|value| value.is_nan()) {
        return Err(Error::Data(format!("split: row {row} has no value to order by")));
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let value = |place: usize| values[order[place]];
    let mut part_of_row = vec![Part::Train; values.len()];
    let (mut planned, mut start) = (sizes[0], 0);
    for part in [Part::Test, Part::Holdout] {
        if planned == values.len() {
            break;
        }
        // Rows with the same value stay together: the nearest place where it changes.
        let before =
            (start + 1..=planned.max(start + 1)).rev().find(|&cut| cut < values.len() && value(cut - 1) != value(cut));
        let after = (planned.max(start + 1)..values.len()).find(|&cut| value(cut - 1) != value(cut));
        let nearest = before.into_iter().chain(after).min_by_key(|cut| (cut.abs_diff(planned), values.len() - cut));
        let Some(cut) = nearest else {
            return Err(Error::Data(format!(
                "split: the {} part would have no rows: the last {} of {} rows all have the value {} to order by, and stay together",
                part.name(),
                values.len() - start,
                values.len(),
                value(start)
            )));
        };
        order[cut..].iter().for_each(|&row| part_of_row[row] = part);
        (planned, start) = (planned + sizes[1], cut);
    }
    Ok(part_of_row)
}

/// The parts that a column gives.
fn given(part_of_row: &[Part]) -> Result<Partition> {
    let parts = collect(part_of_row, part_of_row.contains(&Part::Holdout));
    for (part, rows) in parts.iter() {
        if rows.is_empty() {
            let word = if part == Part::Train { "train" } else { "test" };
            let rows = part_of_row.len();
            return Err(Error::Data(format!(
                "split: the {} part would have 0 of {rows} rows; none of them is `{word}`",
                part.name()
            )));
        }
    }
    Ok(parts)
}

fn collect(part_of_row: &[Part], with_holdout: bool) -> Partition {
    let rows = |part: Part| (0..part_of_row.len()).filter(|&row| part_of_row[row] == part).collect();
    let holdout = with_holdout.then(|| rows(Part::Holdout));
    Partition { train: rows(Part::Train), test: rows(Part::Test), holdout }
}

/// Whole numbers near `shares` that add up to `total`, none above its limit: each share rounded down, and what is then missing to
/// those with the largest remainders (Hamilton's method).
pub(super) fn apportion(shares: &[f64], total: usize, limits: &[usize]) -> Vec<usize> {
    let mut whole: Vec<usize> = shares.iter().zip(limits).map(|(share, limit)| (*share as usize).min(*limit)).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    // Remainders that differ by rounding alone are equal.
    order.sort_by_key(|&i| std::cmp::Reverse((shares[i].fract() * 1e9).round() as u64));
    let mut missing = total.saturating_sub(whole.iter().sum());
    while missing > 0 && order.iter().any(|&i| whole[i] < limits[i]) {
        for &i in &order {
            if missing > 0 && whole[i] < limits[i] {
                whole[i] += 1;
                missing -= 1;
            }
        }
    }
    whole
}

/// The codes as numbers from 0 on in order of appearance, and the code of each number.
pub(super) fn dense(codes: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let (mut seen, mut values) = (HashMap::new(), Vec::new());
    let numbers = codes.iter().map(|&code| {
        *seen.entry(code).or_insert_with(|| {
            values.push(code);
            values.len() - 1
        })
    });
    (numbers.collect(), values)
}

/// How often each of `0..n` is among the numbers.
pub(super) fn counts(numbers: &[usize], n: usize) -> Vec<usize> {
    let mut counts = vec![0; n];
    numbers.iter().for_each(|&number| counts[number] += 1);
    counts
}

/// A class or group, as messages call it.
pub(super) fn named(code: usize, names: &[String]) -> String {
    names.get(code).map_or_else(|| code.to_string(), |name| format!("`{name}`"))
}

/// Training and judging without a class is possible, but may not be meant.
fn note_missing_classes(parts: &Partition, codes: &[usize], names: &[String]) {
    let (classes, values) = dense(codes);
    for (part, rows) in parts.iter() {
        let counts = counts(&rows.iter().map(|&row| classes[row]).collect::<Vec<_>>(), values.len());
        let mut missing = (0..values.len()).filter(|&class| counts[class] == 0);
        if let Some(class) = missing.next() {
            let others = match missing.count() {
                0 => String::new(),
                more => format!(" and {more} more of the {} classes", values.len()),
            };
            note(&format!(
                "split: the {} part has no row of class {}{others}",
                part.name(),
                named(values[class], names)
            ));
        }
    }
}
