//! Columns that give the target away.

use std::collections::HashMap;
use std::fmt;

use super::super::{Kind, Table};
use crate::Result;

/// A column that says what is to be predicted: a model that is given it looks better than it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// The column's name.
    pub column: String,
    /// The target.
    pub target: String,
    /// Whether the cells are the same, or one-to-one with the target's, or the one number a straight line of the other.
    pub how: &'static str,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leak { column, target, how } = self;
        write!(f, "`{column}` gives the target away: it is {how} `{target}`; leave it out with --drop {column}")
    }
}

/// How far from 1 the correlation of two numbers may be that are on a line.
const ON_A_LINE: f64 = 1e-9;

/// Those among `inputs`.
pub(super) fn find(table: &Table, target: &str, inputs: &[&str]) -> Result<Vec<Leak>> {
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
