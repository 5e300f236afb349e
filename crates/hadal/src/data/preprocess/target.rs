//! What is to be predicted.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::{Kind, Table};
use super::encoding::spelled_otherwise;
use crate::{Error, Result, Tensor};

/// What a model is trained for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The class of a sample.
    Classification,
    /// A number.
    Regression,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Task::Classification => "classification",
            Task::Regression => "regression",
        })
    }
}

impl FromStr for Task {
    type Err = String;

    fn from_str(text: &str) -> Result<Task, String> {
        match text {
            "classification" => Ok(Task::Classification),
            "regression" => Ok(Task::Regression),
            _ => Err(format!("`{text}` is no task; there are classification and regression")),
        }
    }
}

/// The target and how it is given to the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    pub column: String,
    pub kind: TargetKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TargetKind {
    Classes(Vec<String>),
    Number { mean: f64, std: f64 },
}

/// Whole numbers with more levels than this are not taken for classes.
const MOST_WHOLE_CLASSES: usize = 10;
/// More classes than this are a mistake.
const MOST_CLASSES: usize = 10_000;

impl Target {
    pub fn fit(train: &Table, name: &str, task: Option<Task>) -> Result<Target> {
        let refuse = |reason: String| Error::Data(format!("{}: the target `{name}` {reason}", train.name()));
        let task = task_for(train, name, task)?;
        let levels = train.column(name)?.levels();
        let kind = match task {
            Task::Classification if levels.len() < 2 => {
                let (level, _) = &levels[0];
                return Err(refuse(format!("is `{level}` in all rows; two classes are needed")));
            }
            Task::Classification if levels.len() > MOST_CLASSES => {
                return Err(refuse(format!("has {} levels, more than {MOST_CLASSES} classes", levels.len())));
            }
            Task::Classification => TargetKind::Classes(levels.into_iter().map(|(level, _)| level).collect()),
            Task::Regression => {
                let table = train.clone().with_kind(name, Kind::Number)?;
                let numbers = table.column(name)?.numbers();
                let present: Vec<f64> = numbers.into_iter().filter(|number| !number.is_nan()).collect();
                let count = present.len() as f64;
                let mean = present.iter().map(|number| number / count).sum::<f64>();
                let std = present.iter().map(|number| (number - mean).powi(2) / count).sum::<f64>().sqrt();
                if present.iter().all(|number| *number == present[0]) {
                    return Err(refuse(format!(
                        "is {} in all training rows; nothing can be learned from that",
                        present[0]
                    )));
                }
                if !(std as f32).is_normal() || !(mean as f32).is_finite() {
                    return Err(refuse(format!(
                        "has mean {mean} and standard deviation {std} over the training rows; nothing can be learned from that"
                    )));
                }
                check_target_spread(mean, std).map_err(refuse)?;
                TargetKind::Number { mean, std }
            }
        };
        Ok(Target { column: name.to_owned(), kind })
    }

    pub fn task(&self) -> Task {
        match self.kind {
            TargetKind::Classes(_) => Task::Classification,
            TargetKind::Number { .. } => Task::Regression,
        }
    }

    /// The targets of all rows: labels `[N]`, or numbers `[N, 1]`.
    pub fn encode(&self, table: &Table) -> Result<Tensor> {
        match &self.kind {
            TargetKind::Number { .. } => {
                let table = table.clone().with_kind(&self.column, Kind::Number)?;
                let numbers = table.column(&self.column)?.numbers();
                let numbers: Vec<f32> = numbers.into_iter().map(|number| number as f32).collect();
                let rows = numbers.len();
                Ok(Tensor::from_vec(numbers, [rows, 1]))
            }
            TargetKind::Classes(classes) => {
                let known: HashMap<&str, i64> = classes.iter().map(String::as_str).zip(0..).collect();
                let column = table.column(&self.column)?;
                let (levels, codes) = column.codes();
                let labels: Vec<Option<i64>> = levels
                    .iter()
                    .map(|level| {
                        let exact = known.get(level.as_str()).copied();
                        exact.or_else(|| spelled_otherwise(level, classes).map(|place| place as i64))
                    })
                    .collect();
                let label = |(row, code): (usize, Option<u32>)| {
                    code.and_then(|code| labels[code as usize]).ok_or_else(|| {
                        let some: Vec<&str> = classes.iter().take(10).map(String::as_str).collect();
                        Error::Data(format!(
                            "{}: line {}: the class `{}` of `{}` was never seen in training; there are {}",
                            table.name(),
                            table.line(row),
                            column.cell(row),
                            self.column,
                            some.join(", ")
                        ))
                    })
                };
                let labels: Vec<i64> = codes.into_iter().enumerate().map(label).collect::<Result<_>>()?;
                let rows = labels.len();
                Ok(Tensor::from_vec(labels, [rows]))
            }
        }
    }
}

/// The least standard deviation of a target beside its mean: below, the steps between numbers of f32 (6e-8 of their size) are seen
/// in the predictions.
const LEAST_SPREAD: f64 = 2e-5;

/// Checks that the numbers to be predicted, with this mean and standard deviation, can be told apart in f32, in which models
/// compute.
///
/// ```
/// use hadal::data::check_target_spread;
/// assert!(check_target_spread(1.6e9, 17.0).unwrap_err().contains("the difference from 1600000000"));
/// assert!(check_target_spread(2000.0, 5.0).is_ok());
/// ```
///
/// # Errors
/// If the standard deviation is below 2e-5 of the mean; the text says why, and what to predict instead.
pub fn check_target_spread(mean: f64, std: f64) -> Result<(), String> {
    if std >= LEAST_SPREAD * mean.abs() {
        return Ok(());
    }
    Err(format!(
        "has mean {mean} and standard deviation {std}: beside their size the numbers hardly differ, and f32, in which models compute, \
         has 7 digits only; predict the difference from {} instead",
        mean.round()
    ))
}

/// Whether classes or numbers are predicted.
pub(super) fn task_for(table: &Table, name: &str, task: Option<Task>) -> Result<Task> {
    let column = table.column(name)?;
    let refuse = |reason: String| Error::Data(format!("{}: the target `{name}` {reason}", table.name()));
    if column.missing() == column.len() {
        return Err(refuse("is missing in all rows".into()));
    }
    let whole = || column.numbers().iter().all(|number| number.is_nan() || number.fract() == 0.0);
    if task != Some(Task::Classification) {
        table.refuse_stray_cells(name, true)?;
    }
    let are_numbers = || column.numbers().iter().filter(|number| number.is_nan()).count() == column.missing();
    match (task, column.kind()) {
        (Some(task), _) => Ok(task),
        (None, Kind::Category | Kind::YesNo) => Ok(Task::Classification),
        (None, Kind::Number) if column.levels().len() <= MOST_WHOLE_CLASSES && whole() => Ok(Task::Classification),
        (None, Kind::Number) => Ok(Task::Regression),
        // As an input it would name the rows; as a target it is what is to be predicted.
        (None, Kind::Identifier) if are_numbers() => Ok(Task::Regression),
        (None, Kind::Date) => Err(refuse(
            "is a date, which is neither a class nor a number; write it as a number, the days since a fixed date for example"
                .into(),
        )),
        (None, kind) => Err(refuse(format!(
            "is of kind {kind}, which is neither a class nor a number; if its {} levels are classes, say so with \
             --as {name}=category",
            column.levels().len()
        ))),
    }
}

/// The rows whose target is there; a note counts the others.
pub(super) fn rows_with_target(table: &Table, target: &str) -> Result<Table> {
    let column = table.column(target)?;
    if column.missing() == 0 {
        return Ok(table.clone());
    }
    let (present, missing): (Vec<usize>, Vec<usize>) = (0..table.rows()).partition(|&row| !column.is_missing(row));
    let first = table.line(missing[0]);
    if present.is_empty() {
        return Err(Error::Data(format!("{}: the target `{}` is missing in all rows", table.name(), target)));
    }
    table.note_once(&format!(
        "{}: {} of {} rows have no `{}` (the first is line {first}); they are left out",
        table.name(),
        missing.len(),
        table.rows(),
        target
    ));
    Ok(table.keep_rows(&present))
}
