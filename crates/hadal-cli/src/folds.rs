//! Cross-validation: one fold stands in place of the test part, the others of the training part.

use hadal::data::{KFold, Partition, Split, Stratify, Table};
use hadal::prelude::*;
use hadal::{Error, Result};

use crate::config::Config;

/// Which fold of how many is tested, counted from 1.
#[derive(Clone, Copy)]
pub struct Fold {
    number: usize,
    folds: usize,
}

impl Fold {
    /// That of the settings, if they ask for one.
    pub fn of(config: &Config) -> Result<Option<Fold>> {
        let own = &config.split;
        let (folds, number) = match (own.folds, own.fold) {
            (None, None) => return Ok(None),
            (Some(folds), Some(number)) => (folds, number),
            _ => {
                return Err(Error::Config(
                    "[split]: folds and fold belong together: how many, and which one is tested".into(),
                ));
            }
        };
        if folds < 2 || !(1..=folds).contains(&number) {
            return Err(Error::Config(format!(
                "[split]: fold {number} of {folds}: there are at least 2, counted from 1"
            )));
        }
        for (name, is_set) in [("order", own.order.is_some()), ("part", own.part.is_some())] {
            if is_set {
                return Err(Error::Config(format!(
                    "[split]: {name} says which rows are tested, so there are no folds"
                )));
            }
        }
        Ok(Some(Fold { number, folds }))
    }

    /// The training and the test rows; `codes` are the groups that stay together, or the classes that are to have the same share in each
    /// fold, with their names.
    fn rows(
        self,
        rows: usize,
        split: &Split,
        codes: Option<(Vec<usize>, Vec<String>)>,
    ) -> Result<(Vec<usize>, Vec<usize>)> {
        let folds = KFold::new(self.folds).seed(split.seed);
        let mut all = match codes {
            None => folds.folds(rows)?,
            Some((codes, _)) if split.group.is_some() => folds.grouped(&codes)?,
            Some((codes, names)) => folds.class_names(names).stratified(&codes)?,
        };
        Ok(all.swap_remove(self.number - 1))
    }

    /// Divides a table; the holdout part has its share of all rows, as without folds.
    pub fn of_table(self, table: &Table, split: &Split) -> Result<Partition<Table>> {
        let (pool, holdout) = match halves(split) {
            None => (table.clone(), None),
            Some(halves) => {
                let Partition { train, test, .. } = table.split(&halves)?;
                (train, Some(test))
            }
        };
        let column = match (&split.group, &split.stratify) {
            (Some(group), _) => Some(group),
            (None, Stratify::Column(column)) => Some(column),
            _ => None,
        };
        let codes = column.map(|column| codes(&pool, column)).transpose()?;
        let (train, test) = self.rows(pool.rows(), split, codes)?;
        Ok(Partition { train: pool.take_rows(&train), test: pool.take_rows(&test), holdout })
    }

    /// Divides images, arrays or digits, whose classes have these names, or their numbers if there are none.
    pub fn of_dataset(self, data: &Dataset, split: &Split, classes: &[String]) -> Result<Partition<Dataset>> {
        let (pool, holdout) = match halves(split) {
            None => (data.clone(), None),
            Some(halves) => {
                let Partition { train, test, .. } = data.split(&halves)?;
                (train, Some(test))
            }
        };
        let labels = (split.stratify == Stratify::Target)
            .then(|| pool.targets().to_vec::<i64>().into_iter().map(|label| label as usize).collect());
        let (train, test) = self.rows(pool.len(), split, labels.map(|labels| (labels, classes.to_vec())))?;
        Ok(Partition { train: pool.select(&train)?, test: pool.select(&test)?, holdout })
    }
}

/// What takes the holdout part away, if there is to be one.
fn halves(split: &Split) -> Option<Split> {
    (split.holdout > 0.0).then(|| {
        let mut halves = split.clone();
        (halves.train, halves.test, halves.holdout) = (1.0 - split.holdout, split.holdout, 0.0);
        halves
    })
}

/// A number for each value of a column, gaps among them, and the values.
fn codes(table: &Table, column: &str) -> Result<(Vec<usize>, Vec<String>)> {
    let (mut levels, codes) = table.column(column)?.codes();
    let codes = codes.into_iter().map(|code| code.map_or(levels.len(), |code| code as usize)).collect();
    levels.push("missing".to_owned());
    Ok((codes, levels))
}
