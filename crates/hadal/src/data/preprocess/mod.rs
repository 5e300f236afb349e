//! From the columns of a table to the numbers of a model.

mod encoder;
mod encoding;
mod leak;
mod report;
mod target;

pub use encoder::Encoder;
pub use leak::Leak;
pub use report::ColumnReport;
pub use target::{Task, check_target_spread};

use encoding::{Dropped, Encoding};
use target::Target;

use super::{Column, DateFormat, Table};
use crate::{Error, Result};

/// Settings of how a table becomes a model's inputs and targets; [`fit`](Preprocess::fit) on the training rows makes the
/// [`Encoder`] that is applied to all rows, and kept with the model.
///
/// | kind of column | what becomes of it |
/// | --- | --- |
/// | number | standardized (mean 0, standard deviation 1 over the training rows, of numbers clipped to `[q1 - 20 (q3 - q1), q3 + 20 (q3 - q1)]` with the quartiles `q1` and `q3`, unless these are equal), outliers `x` drawn in smoothly to `x / sqrt(1 + (x / 3)^2)`; gaps are filled with the median, and marked by an input of their own if there were any |
/// | category, yes/no | one input per level (one-hot), and one for levels never seen; above 16 levels an index, for an [embedding](crate::nn::EmbedColumns) |
/// | date | days, standardized; all tables are read by the format of the training rows; the places in the year, the week and the day as points on a circle |
/// | free text, identifier, constant | left out |
///
/// ```
/// use hadal::data::{Preprocess, Table};
/// let columns = [("height", vec!["1.5", "1.7", "", "1.9"]), ("likes", vec!["fish", "meat", "fish", "meat"])];
/// let columns = columns.map(|(name, cells)| (name, cells.into_iter().map(str::to_owned).collect()));
/// let table = Table::from_columns("animals", columns)?;
/// let encoder = Preprocess::target("likes").fit(&table)?;
/// assert_eq!(encoder.classes(), ["fish", "meat"]);
/// assert_eq!(encoder.features(), 2); // the height, and whether it is missing
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    target: String,
    task: Option<Task>,
    max_one_hot: usize,
    left_out: Vec<Dropped>,
}

impl Preprocess {
    /// For a model that predicts the column `target`.
    pub fn target(target: &str) -> Preprocess {
        Preprocess { target: target.to_owned(), task: None, max_one_hot: 16, left_out: Vec::new() }
    }

    /// Whether classes or a number are to be predicted. Default: it follows from the target. A category, yes/no or whole
    /// numbers with at most 10 levels are classes, other numbers a regression.
    pub fn task(mut self, task: Task) -> Preprocess {
        self.task = Some(task);
        self
    }

    /// The number of levels up to which a category has an input for each; above, it has an embedding. Default: 16.
    pub fn max_one_hot(mut self, levels: usize) -> Preprocess {
        self.max_one_hot = levels;
        self
    }

    /// Leaves out a column, which then needs not be of any kind; the [report](Encoder::report) says why: "left out: " and `reason`.
    pub fn leave_out(mut self, column: &str, reason: &str) -> Preprocess {
        self.left_out.push(Dropped { column: column.to_owned(), reason: reason.to_owned() });
        self
    }

    /// The rows whose target is there; a note counts the others. What stands in those, a row of sums for example, does not matter
    /// for the kinds of the columns.
    ///
    /// # Errors
    /// If there is no such target, or it is missing in all rows.
    pub fn rows_with_target(&self, table: &Table) -> Result<Table> {
        target::rows_with_target(table, &self.target)
    }

    /// What the model is for: what was set, or what follows from the target.
    ///
    /// # Errors
    /// If there is no such target, or it is neither a class nor a number.
    pub fn task_for(&self, table: &Table) -> Result<Task> {
        target::task_for(table, &self.target, self.task)
    }

    /// Finds medians, means, standard deviations and levels in the training rows.
    ///
    /// # Errors
    /// If there is no such target, it cannot be predicted (free text, one level only, gaps everywhere), or no column is left to
    /// predict it from.
    ///
    /// If a few cells keep a column from being of numbers or dates, the message names the first of them: at least 95% of the cells in
    /// the whole file, and at least 20, are numbers, dates of one format, or numbers but for currency signs, percent signs, thousands
    /// separators or a unit; or half of them are numbers of many values, and the others are one and the same word.
    /// [`with_kind`](Table::with_kind) sets the kind of such a column, [`ReadOptions::missing`](super::ReadOptions::missing) declares
    /// such cells missing.
    pub fn fit(&self, train: &Table) -> Result<Encoder> {
        let target = Target::fit(train, &self.target, self.task)?;
        let (mut columns, mut dropped) = (Vec::new(), Vec::new());
        for column in train.columns().iter().filter(|column| column.name() != self.target) {
            if let Some(own) = self.left_out.iter().find(|own| own.column == column.name()) {
                dropped.push(own.clone());
                continue;
            }
            train.refuse_stray_cells(column.name(), false)?;
            match Encoding::fit(column, self.max_one_hot)? {
                Ok(encoding) => {
                    note_guessed_dates(train, column);
                    columns.push((column.name().to_owned(), column.kind(), encoding));
                }
                Err(reason) => dropped.push(Dropped { column: column.name().to_owned(), reason }),
            }
        }
        if columns.is_empty() {
            let reasons: Vec<String> =
                dropped.iter().map(|own| format!("`{}` is {}", own.column, own.reason)).collect();
            let reasons = if reasons.is_empty() { "there are no others".to_owned() } else { reasons.join(", ") };
            return Err(Error::Data(format!(
                "{}: no column is left to predict `{}` from: {reasons}",
                train.name(),
                self.target
            )));
        }
        Ok(Encoder::new(target, columns, dropped))
    }
}

/// Says how dates were read that could be read in two ways.
fn note_guessed_dates(table: &Table, column: &Column) {
    let Some((format, cell)) = column.guessed_date() else { return };
    let (DateFormat::MonthFirst | DateFormat::DayFirst) = format else { return };
    let date = format.parse(cell).map_or(String::new(), |date| format!(": `{cell}` is {}", date.strftime("%-d %B %Y")));
    table.note_once(&format!(
        "{}: the dates in `{}` are read as {}, though all could be day/month/year as well{date}; if the day is first, say so \
         with --day-first",
        table.name(),
        column.name(),
        format.in_words()
    ));
}
