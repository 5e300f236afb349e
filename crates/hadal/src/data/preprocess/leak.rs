//! Columns that give the target away.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::super::{Kind, Table};
use super::Task;
use crate::Result;

/// A column that says what is to be predicted: a model that is given it looks better than it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// The column's name.
    pub column: String,
    /// The target.
    pub target: String,
    /// Whether the cells are the same, or one-to-one with the target's, or one number a straight line or a monotone
    /// function of the other, or each class has a range of its numbers.
    pub how: &'static str,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leak { column, target, how } = self;
        if *how == SEPARATES {
            return write!(
                f,
                "`{column}` separates the classes of `{target}` by itself: each has a range of its numbers; if it is known only once \
                 `{target}` is, leave it out with --drop {column}"
            );
        }
        write!(f, "`{column}` gives the target away: it is {how} `{target}`; leave it out with --drop {column}")
    }
}

/// What a number may do without being the target's double.
const SEPARATES: &str = "a number whose ranges are the classes of";

/// Fewer pairs of numbers than this may be in one order by chance.
const PAIRS_IN_ORDER: usize = 20;
/// Fewer rows than this, or than this of a class, may be separated by chance.
const ROWS_SEPARATED: [usize; 2] = [50, 5];

/// How far from 1 the correlation of two numbers may be that are on a line.
const ON_A_LINE: f64 = 1e-9;

/// Those among `inputs`.
pub(super) fn find(table: &Table, target: &str, task: Task, inputs: &[&str]) -> Result<Vec<Leak>> {
    let (target_levels, target_codes) = table.column(target)?.codes();
    let mut leaks = Vec::new();
    for name in inputs {
        let column = table.column(name)?;
        let (levels, codes) = column.codes();
        // Rows in which both are there.
        let pairs: Vec<(u32, u32)> =
            codes.iter().zip(&target_codes).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
        let same = pairs.iter().all(|&(a, b)| levels[a as usize] == target_levels[b as usize]);
        let how = if pairs.len() < 2 {
            continue;
        } else if same {
            "identical to"
        } else if one_to_one(&pairs) {
            "one-to-one with"
        } else if both_numbers(table, name, target)? && on_a_line(table, name, target)? {
            "a straight line of"
        } else if column.kind() != Kind::Number {
            continue;
        } else if task == Task::Regression && is_monotone(&column.numbers(), &table.column(target)?.numbers()) {
            "a monotone function of"
        } else if task == Task::Classification && separates(&column.numbers(), &target_codes) {
            SEPARATES
        } else {
            continue;
        };
        leaks.push(Leak { column: (*name).to_owned(), target: target.to_owned(), how });
    }
    Ok(leaks)
}

/// Whether each level of one belongs to one level of the other. Levels that are there once say nothing.
fn one_to_one(pairs: &[(u32, u32)]) -> bool {
    let (mut forth, mut back) = (HashMap::new(), HashMap::new());
    let fits = pairs.iter().all(|&(a, b)| *forth.entry(a).or_insert(b) == b && *back.entry(b).or_insert(a) == a);
    fits && forth.len() * 2 <= pairs.len() && forth.len() > 1
}

fn both_numbers(table: &Table, a: &str, b: &str) -> Result<bool> {
    Ok(table.column(a)?.kind() == Kind::Number && table.column(b)?.kind() == Kind::Number)
}

fn on_a_line(table: &Table, a: &str, b: &str) -> Result<bool> {
    let (a, b) = (table.column(a)?.numbers(), table.column(b)?.numbers());
    let pairs: Vec<(f64, f64)> = a.into_iter().zip(b).filter(|(a, b)| !a.is_nan() && !b.is_nan()).collect();
    let count = pairs.len() as f64;
    let (mean_a, mean_b) =
        pairs.iter().fold((0.0, 0.0), |(sum_a, sum_b), (a, b)| (sum_a + a / count, sum_b + b / count));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in pairs {
        let (a, b) = (a - mean_a, b - mean_b);
        (aa, bb, ab) = (aa + a * a, bb + b * b, ab + a * b);
    }
    Ok(count > 2.0 && aa > 0.0 && bb > 0.0 && ab.abs() / (aa * bb).sqrt() > 1.0 - ON_A_LINE)
}

/// Whether both numbers are in the same order, or in the opposite one: Spearman's rank correlation is 1 or -1.
fn is_monotone(a: &[f64], b: &[f64]) -> bool {
    let mut pairs: Vec<(f64, f64)> =
        a.iter().copied().zip(b.iter().copied()).filter(|(a, b)| !a.is_nan() && !b.is_nan()).collect();
    pairs.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    pairs.dedup();
    let steps = || pairs.windows(2).map(|pair| (pair[0].0 < pair[1].0, pair[1].1 - pair[0].1));
    let rises = steps().all(|(is_step, change)| is_step && change > 0.0);
    let falls = steps().all(|(is_step, change)| is_step && change < 0.0);
    pairs.len() >= PAIRS_IN_ORDER && (rises || falls)
}

/// Whether each class has a range of the numbers, in which no other class is.
fn separates(numbers: &[f64], classes: &[Option<u32>]) -> bool {
    let rows = numbers.iter().zip(classes).filter(|(number, _)| !number.is_nan());
    let mut rows: Vec<(f64, u32)> = rows.filter_map(|(number, class)| Some((*number, (*class)?))).collect();
    rows.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let [rows_needed, class_needed] = ROWS_SEPARATED;
    let mut seen = HashSet::new();
    let ranges: Vec<&[(f64, u32)]> = rows.chunk_by(|a, b| a.1 == b.1).collect();
    let apart = ranges.windows(2).all(|pair| pair[0].last().map(|own| own.0) != pair[1].first().map(|own| own.0));
    let once = ranges.iter().all(|range| range.len() >= class_needed && seen.insert(range[0].1));
    rows.len() >= rows_needed && ranges.len() > 1 && apart && once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_monotone_and_noise_is_not() {
        let x: Vec<f64> = (1..40).map(f64::from).collect();
        let log: Vec<f64> = x.iter().map(|x| -x.ln()).collect();
        assert!(is_monotone(&x, &log) && !is_monotone(&x[..19], &log[..19]));
        let mut noisy = log.clone();
        noisy.swap(3, 4);
        assert!(!is_monotone(&x, &noisy));
    }

    #[test]
    fn classes_with_ranges_of_their_own_are_separated() {
        let numbers: Vec<f64> = (0..60).map(|i| f64::from(i * 7 % 60)).collect();
        let by = |class: fn(f64) -> u32| numbers.iter().map(|number| Some(class(*number))).collect::<Vec<_>>();
        assert!(separates(&numbers, &by(|x| (x / 20.0) as u32)));
        // A class in two ranges, and one of too few rows.
        assert!(!separates(&numbers, &by(|x| (x / 20.0) as u32 % 2)));
        assert!(!separates(&numbers, &by(|x| u32::from(x > 57.0))));
        // 30 and 31 are the same half.
        let halves: Vec<f64> = numbers.iter().map(|x| (x / 2.0).floor()).collect();
        assert!(!separates(&halves, &by(|x| u32::from(x > 30.5))));
    }
}
