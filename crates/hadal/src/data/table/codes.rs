//! Distinct values of a column, and which of them each cell holds.

use std::collections::HashMap;

use super::cells::{Cells, is_missing};
use super::number;

/// The code of a missing cell.
const MISSING: u32 = u32::MAX;

/// A column's distinct values in order, as the row where each is first, and each cell's place among them.
#[derive(Debug)]
pub(super) struct Dictionary {
    first: Vec<u32>,
    codes: Vec<u32>,
}

impl Dictionary {
    pub fn new(cells: &Cells) -> Dictionary {
        let mut known: HashMap<&str, u32> = HashMap::new();
        let (mut first, mut codes) = (Vec::new(), Vec::with_capacity(cells.len()));
        for (row, cell) in cells.iter().enumerate() {
            // Looked up first: whether a word means a missing value is asked once for each word.
            codes.push(*known.entry(level(cell, cells.comma)).or_insert_with(|| {
                if is_missing(cell) {
                    return MISSING;
                }
                first.push(row as u32);
                first.len() as u32 - 1
            }));
        }
        Dictionary { first, codes }.sorted(cells)
    }

    /// With the values in order: by number if all are numbers, else by text.
    fn sorted(mut self, cells: &Cells) -> Dictionary {
        let text = |place: &u32| level(cells.get(self.first[*place as usize] as usize), cells.comma);
        let numbers: Option<Vec<f64>> =
            (0..self.first.len() as u32).map(|place| number::parse(text(&place), cells.comma)).collect();
        let mut order: Vec<u32> = (0..self.first.len() as u32).collect();
        match numbers {
            Some(numbers) => order.sort_by(|a, b| {
                numbers[*a as usize].total_cmp(&numbers[*b as usize]).then_with(|| text(a).cmp(text(b)))
            }),
            None => order.sort_by(|a, b| text(a).cmp(text(b))),
        }
        let mut rank = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            rank[old as usize] = new as u32;
        }
        self.first = order.iter().map(|&old| self.first[old as usize]).collect();
        for code in self.codes.iter_mut().filter(|code| **code != MISSING) {
            *code = rank[*code as usize];
        }
        self
    }

    /// The number of distinct values.
    pub fn len(&self) -> usize {
        self.first.len()
    }

    pub fn level<'a>(&self, cells: &'a Cells, place: usize) -> &'a str {
        level(cells.get(self.first[place] as usize), cells.comma)
    }

    pub fn code(&self, row: usize) -> Option<usize> {
        let code = self.codes[row];
        (code != MISSING).then_some(code as usize)
    }
}

/// The value that a cell stands for: `3.0` is `3`.
fn level(cell: &str, comma: bool) -> &str {
    number::without_zero_decimals(cell, comma)
}
