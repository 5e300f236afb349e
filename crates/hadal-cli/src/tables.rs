//! Tables: how they are read, and the parts that become of them.

use std::io::stdin;
use std::path::Path;

use hadal::data::{Column, Encoder, Kind, Part, Partition, Preprocess, ReadOptions, Table, Task};
use hadal::monitor::note;
use hadal::{Error, Result};

use crate::config::Config;
use crate::folds::Fold;
use crate::parts::{Parts, split, stratify_by_default};

/// What was found in a table.
pub struct TableParts {
    pub dialect: String,
    pub rows: usize,
    pub encoder: Encoder,
    /// All rows that have a target, with all columns.
    pub columns: Table,
    /// Those of the test part.
    test: Table,
}

impl TableParts {
    /// What the columns of the test part's rows are called, and their cells, by the sample of [`Parts::test`]: the line in the file, then
    /// the columns that the network is given, then the others but the target.
    pub fn test_columns(&self) -> (Vec<String>, impl Fn(usize) -> Vec<String> + use<>) {
        let (target, inputs) = (self.encoder.target(), self.encoder.input_columns());
        let (used, others): (Vec<&Column>, Vec<&Column>) =
            self.test.columns().iter().filter(|own| own.name() != target).partition(|own| inputs.contains(&own.name()));
        let columns: Vec<Column> = used.into_iter().chain(others).cloned().collect();
        let names = ["line"].into_iter().chain(columns.iter().map(Column::name)).map(str::to_owned).collect();
        let rows = self.test.clone();
        let row = move |sample: usize| {
            let line = rows.line(sample).to_string();
            [line].into_iter().chain(columns.iter().map(|own| own.cell(sample).to_owned())).collect()
        };
        (names, row)
    }
}

/// The table as it is.
pub fn read_only(path: &Path, config: &Config) -> Result<Table> {
    let mut options = ReadOptions::default();
    if let Some(delimiter) = &config.data.delimiter {
        options = options.delimiter(single_byte(delimiter)?);
    }
    if let Some(header) = config.data.header {
        options = options.header(header);
    }
    if let Some(day_first) = config.data.day_first {
        options = options.day_first(day_first);
    }
    if config.data.decimal_comma == Some(true) {
        options = options.assume_decimal_comma();
    }
    options = options.missing(config.data.missing.iter());
    if path == Path::new("-") {
        return Table::from_reader("standard input", stdin().lock(), &options);
    }
    Table::read_with(path, &options)
}

/// Says which columns of a table a trained model does not use.
pub fn note_ignored(table: &Table, encoder: &Encoder) {
    let inputs = encoder.input_columns();
    let is_used = |name: &&str| *name == encoder.target() || inputs.contains(name);
    let ignored: Vec<&str> = table.column_names().into_iter().filter(|name| !is_used(name)).collect();
    if !ignored.is_empty() {
        note(&format!("{}: the model does not use {}", table.name(), ignored.join(", ")));
    }
}

/// The table, with the kinds of columns. Those to be left out are there: the rows may be divided by them.
pub fn read_table(path: &Path, config: &mut Config) -> Result<Table> {
    let mut table = read_only(path, config)?;
    refuse_lists(&table, &config.data.drop)?;
    for name in &config.data.drop {
        table.column(name)?;
        if config.data.target.as_ref() == Some(name) {
            return Err(Error::Config(format!("`{name}` is the target, so it cannot be left out (--drop {name})")));
        }
    }
    for (column, kind) in &config.data.kinds {
        let kind: Kind = kind.parse()?;
        table.column(column)?;
        if !config.data.drop.contains(column) {
            table = table.with_kind(column, kind)?;
        }
    }
    // Kept with the model: a single new row, `1,234`, may not decide it.
    if table.dialect().decimal_comma {
        config.data.decimal_comma = Some(true);
    }
    Ok(table)
}

/// `--drop a,b` names no column, but both are there.
fn refuse_lists(table: &Table, names: &[String]) -> Result<()> {
    let there = table.column_names();
    for list in names.iter().filter(|name| name.contains(',') && !there.contains(&name.as_str())) {
        let each: Vec<&str> = list.split(',').map(str::trim).collect();
        if each.iter().all(|name| there.contains(name)) {
            let flags: Vec<String> = each.iter().map(|name| format!("--drop {name}")).collect();
            return Err(Error::Config(format!(
                "{}: there is no column `{list}`; give the flag once for each column: {}",
                table.name(),
                flags.join(" ")
            )));
        }
    }
    Ok(())
}

fn single_byte(delimiter: &str) -> Result<u8> {
    match delimiter {
        "tab" | "\\t" => Ok(b'\t'),
        other if other.len() == 1 && !b"\"'\r\n".contains(&other.as_bytes()[0]) => Ok(other.as_bytes()[0]),
        other => Err(Error::Config(format!(
            "the delimiter must be one ASCII character, no quote and no line end, or `tab`; it is `{}`",
            other.escape_debug()
        ))),
    }
}

/// A table, divided and not yet encoded.
pub struct Divided {
    pub preprocess: Preprocess,
    pub task: Task,
    /// The rows that have a target.
    pub all: Table,
    pub parts: Partition<Table>,
}

pub fn divided(table: &Table, config: &mut Config) -> Result<Divided> {
    let Some(target) = config.data.target.clone() else {
        return Err(Error::Config(format!(
            "{}: say which column is to be predicted with --target; there are {}",
            table.name(),
            table.column_names().join(", ")
        )));
    };
    let mut preprocess = Preprocess::target(&target);
    if let Some(task) = config.data.task {
        preprocess = preprocess.task(task);
    }
    if let Some(levels) = config.preprocess.max_one_hot {
        preprocess = preprocess.max_one_hot(levels);
    }
    // The groups of the other parts are never seen in training, and all its rows are of one part: neither predicts anything.
    let split = &config.split;
    for (column, reason) in
        [(&split.group, "the group, which keeps rows together"), (&split.part, "the part of each row")]
    {
        if let Some(column) = column {
            preprocess = preprocess.leave_out(column, reason);
        }
    }
    for column in &config.data.drop {
        preprocess = preprocess.leave_out(column, "dropped (--drop)");
    }
    let all = preprocess.rows_with_target(table)?;
    let task = preprocess.task_for(&all)?;
    config.data.task = Some(task);
    let parts = divide(&all, &target, task, config)?;
    Ok(Divided { preprocess, task, all, parts })
}

pub fn parts_of(table: &Table, config: &mut Config, trained: Option<&Encoder>) -> Result<Parts> {
    let Divided { preprocess, task, all, parts } = divided(table, config)?;
    let fitted = match trained {
        Some(encoder) => encoder.clone(),
        None => preprocess.fit(&parts.train)?,
    };
    let (name, test) = (table.name(), parts.test.clone());
    let data = parts.try_map(|part, rows| match part {
        Part::Train => fitted.dataset(&rows),
        Part::Test => fitted.dataset(&rows.renamed(&format!("{name} test"))),
        Part::Holdout => fitted.dataset(&rows.renamed(&format!("{name} holdout"))),
    })?;
    let (classes, outputs) = (fitted.classes().to_vec(), fitted.outputs());
    let (dialect, rows) = (table.dialect().to_string(), table.rows());
    Ok(Parts {
        train: data.train,
        test: data.test,
        holdout: data.holdout,
        table: Some(TableParts { dialect, rows, encoder: fitted, columns: all, test }),
        vocabulary: None,
        classes,
        task,
        outputs,
        found: Vec::new(),
        digest: None,
    })
}

fn divide(table: &Table, target: &str, task: Task, config: &mut Config) -> Result<Partition<Table>> {
    let classes = match task {
        Task::Classification => table.column(target)?.levels(),
        Task::Regression => Vec::new(),
    };
    stratify_by_default(config, &classes, "row")?;
    if task == Task::Regression {
        config.split.stratify.get_or_insert(false);
    }
    let split = split(config, Some(target))?;
    match Fold::of(config)? {
        Some(fold) => fold.of_table(table, &split),
        None => table.split(&split),
    }
}

#[cfg(test)]
mod tests {
    use hadal::data::ReadOptions;

    use super::*;

    #[test]
    fn the_cells_of_a_test_sample_are_those_of_its_line() {
        let mut text = "name,y,x\n".to_owned();
        for row in 0..40 {
            let target = if row % 7 == 0 { "" } else { ["no", "yes"][row % 2] };
            text += &format!("row {row},{target},{}\n", row % 3);
        }
        let table = Table::from_reader("t", text.as_bytes(), &ReadOptions::default()).unwrap();
        for (folds, fold) in [(None, None), (Some(3), Some(2))] {
            let mut config = Config::default();
            config.data.target = Some("y".into());
            config.data.drop = vec!["name".into()];
            (config.split.folds, config.split.fold) = (folds, fold);
            let parts = parts_of(&table, &mut config, None).unwrap();
            let (names, row) = parts.test_columns().unwrap();
            assert_eq!(names, ["line", "x", "name"]);
            let labels = parts.test.targets().to_vec::<i64>();
            assert!(labels.len() > 3);
            for (sample, label) in labels.into_iter().enumerate() {
                let [line, x, name] = row(sample).try_into().unwrap();
                let of_file: usize = line.parse::<usize>().unwrap() - 2;
                assert_eq!((x, name), ((of_file % 3).to_string(), format!("row {of_file}")));
                assert_eq!(parts.classes[label as usize], ["no", "yes"][of_file % 2]);
            }
        }
    }
}
