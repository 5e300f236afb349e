//! Parts of a table.

use super::super::{Kind, Part, Partition, Split, SplitBy, Stratify};
use super::{Column, Table};
use crate::{Error, Result};

/// A column's values as codes, with their names; missing ones are a value of their own.
fn codes(column: &Column) -> (Vec<usize>, Vec<String>) {
    let (mut names, codes) = column.codes();
    let missing = names.len();
    names.push("(missing)".to_owned());
    (codes.into_iter().map(|code| code.map_or(missing, |code| code as usize)).collect(), names)
}

impl Table {
    /// Divides the rows into a training, a test and a holdout part.
    ///
    /// ```
    /// use hadal::data::{Split, Table};
    /// # let cells = |cell: fn(usize) -> String| (0..100).map(cell).collect::<Vec<_>>();
    /// # let table = Table::from_columns("t", [("x", cells(|i| i.to_string())), ("y", cells(|i| (i % 2).to_string()))])?;
    /// let parts = table.split(&Split::default().stratify("y"))?;
    /// assert_eq!((parts.train.rows(), parts.test.rows(), parts.holdout.unwrap().rows()), (70, 15, 15));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Split::partition`]; if a column is not there, the order is of text, or a part is not called `train`, `test` or
    /// `holdout`.
    pub fn split(&self, split: &Split) -> Result<Partition<Table>> {
        split.check()?;
        let prefix = |error: Error| Error::Data(format!("{}: {error}", self.name));
        let partition = if let Some(name) = &split.part {
            let column = self.column(name)?;
            let part = |row: usize| {
                if column.is_missing(row) {
                    return Err(Error::Data(format!(
                        "{}: the part in line {} of `{name}` is missing; write `train`, `test` or `holdout` there",
                        self.name,
                        self.line(row)
                    )));
                }
                let cell = column.cell(row).to_lowercase();
                cell.parse::<Part>()
                    .map_err(|error| Error::Data(format!("{}: line {}: `{name}`: {error}", self.name, self.line(row))))
            };
            let parts: Vec<Part> = (0..self.rows()).map(part).collect::<Result<_>>()?;
            split.partition(self.rows(), &SplitBy::Parts(&parts))
        } else if let Some(name) = &split.order {
            split.partition(self.rows(), &SplitBy::Order(&self.order(name)?))
        } else if let Some(name) = &split.group {
            let (codes, names) = codes(self.column(name)?);
            split.partition(self.rows(), &SplitBy::Groups { codes: &codes, names: &names })
        } else {
            match &split.stratify {
                Stratify::No => split.partition(self.rows(), &SplitBy::Random),
                Stratify::Target => {
                    return Err(Error::Config(
                        "split: stratified() is for datasets with labels; name the table's column with stratify".into(),
                    ));
                }
                Stratify::Column(name) => {
                    let (codes, names) = codes(self.column(name)?);
                    split.partition(self.rows(), &SplitBy::Strata { codes: &codes, names: &names })
                }
            }
        };
        let partition = partition.map_err(prefix)?;
        // Parts and orders know nothing of groups.
        if let Some(name) = split.group.as_ref().filter(|_| split.part.is_some() || split.order.is_some()) {
            let (codes, names) = codes(self.column(name)?);
            partition.check_groups(&codes, &names).map_err(prefix)?;
        }
        partition.try_map(|_, rows| Ok(self.take_rows(&rows)))
    }

    /// The values of a column to order by.
    fn order(&self, name: &str) -> Result<Vec<f64>> {
        self.refuse_stray_cells(name, true)?;
        let column = self.column(name)?;
        let values: Vec<f64> = match column.kind() {
            Kind::Number | Kind::Identifier | Kind::YesNo => column.numbers(),
            Kind::Date => {
                let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
                let seconds = |date: jiff::civil::DateTime| date.duration_since(epoch).as_secs_f64();
                column.dates().into_iter().map(|date| date.map_or(f64::NAN, seconds)).collect()
            }
            kind => {
                return Err(Error::Data(format!(
                    "{}: rows cannot be ordered by `{name}`, a column of kind {kind}; order by a number or a date",
                    self.name
                )));
            }
        };
        match values.iter().position(|value| value.is_nan()) {
            None => Ok(values),
            Some(row) if column.is_missing(row) => {
                let what = if column.kind() == Kind::Date { "date" } else { "value" };
                Err(Error::Data(format!(
                    "{}: the {what} in line {} of `{name}` is missing, so that the row has no place in the order; write it there, \
                     or remove the row",
                    self.name,
                    self.line(row)
                )))
            }
            Some(row) => Err(Error::Data(format!(
                "{}: line {}: `{}` of `{name}` has no place in an order",
                self.name,
                self.line(row),
                column.cell(row)
            ))),
        }
    }
}
