//! What was found in the training rows, and is applied to all.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::{Dataset, Kind, Table};
use super::encoding::{Columns, Dropped, Encoding, Oddities};
use super::target::{Target, TargetKind};
use super::{ColumnReport, Leak, Task, leak, target};
use crate::nn::{EmbedColumns, EmbeddedColumn, Sequential};
use crate::{Error, Result, Tensor, memory};

/// Turns rows of a table into inputs and targets of a model, as [`Preprocess::fit`](super::Preprocess::fit) found in the
/// training rows. A model that was [trained](crate::train::Trainer::fit) on its [`dataset`](Encoder::dataset) keeps it, also
/// in its file, and [`predict`](crate::train::Trainer::predict) applies it to a [`Table`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    target: Target,
    columns: Vec<EncodedColumn>,
    dropped: Vec<Dropped>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EncodedColumn {
    name: String,
    kind: Kind,
    encoding: Encoding,
}

impl Encoder {
    pub(super) fn new(target: Target, columns: Vec<(String, Kind, Encoding)>, dropped: Vec<Dropped>) -> Encoder {
        let mut columns: Vec<EncodedColumn> =
            columns.into_iter().map(|(name, kind, encoding)| EncodedColumn { name, kind, encoding }).collect();
        // Indices come last, where `EmbedColumns` takes them.
        columns.sort_by_key(|column| matches!(column.encoding, Encoding::Embedding { .. }));
        Encoder { target, columns, dropped }
    }

    /// The column to be predicted.
    pub fn target(&self) -> &str {
        &self.target.column
    }

    /// Whether classes or a number are predicted.
    pub fn task(&self) -> Task {
        self.target.task()
    }

    /// The classes, in the order of their labels; none for a regression.
    pub fn classes(&self) -> &[String] {
        match &self.target.kind {
            TargetKind::Classes(classes) => classes,
            TargetKind::Number { .. } => &[],
        }
    }

    /// Mean and standard deviation of the target over the training rows; `None` for classes.
    pub fn target_scale(&self) -> Option<(f64, f64)> {
        match self.target.kind {
            TargetKind::Classes(_) => None,
            TargetKind::Number { mean, std } => Some((mean, std)),
        }
    }

    /// The names of the columns that are inputs.
    pub fn input_columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The names of the columns, and where their inputs are among the model's:
    /// [`permutation_importance`](crate::train::Trainer::permutation_importance) takes them.
    pub fn input_ranges(&self) -> Vec<(&str, Range<usize>)> {
        let mut start = 0;
        let range = |column: &EncodedColumn| {
            start += column.encoding.width();
            start - column.encoding.width()..start
        };
        self.input_columns().into_iter().zip(self.columns.iter().map(range)).collect()
    }

    /// The number of inputs of the model: inputs have shape `[N, features]`.
    pub fn features(&self) -> usize {
        self.columns.iter().map(|column| column.encoding.width()).sum()
    }

    /// How many of the inputs, the last ones, are indices of categories, for [`EmbedColumns`].
    pub(crate) fn indices(&self) -> usize {
        self.columns.iter().filter(|column| matches!(column.encoding, Encoding::Embedding { .. })).count()
    }

    /// The number of outputs of the model: one for each class, or 1.
    pub fn outputs(&self) -> usize {
        self.classes().len().max(1)
    }

    /// A network that takes the inputs, without hidden layers yet: it begins with the embeddings, if there are any.
    ///
    /// ```
    /// use hadal::data::{Encoder, Preprocess, Table};
    /// use hadal::prelude::*;
    /// # let cells = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    /// # let table = Table::from_columns("t", [("x", cells("1 2 3 4")), ("y", cells("a b a b"))])?;
    /// let encoder = Preprocess::target("y").fit(&table)?;
    /// let model = encoder
    ///     .network()
    ///     .add(Dense::new(16).activation(Relu))
    ///     .add(Dense::new(encoder.outputs()).activation(Softmax))
    ///     .build()?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn network(&self) -> Sequential {
        let embedded = self.columns.iter().filter_map(|column| match &column.encoding {
            Encoding::Embedding { levels, dim } => {
                Some(EmbeddedColumn { num_embeddings: levels.trained_count(), embedding_dim: *dim })
            }
            _ => None,
        });
        let embedded: Vec<EmbeddedColumn> = embedded.collect();
        let network = Sequential::new([self.features()]);
        if embedded.is_empty() { network } else { network.add(EmbedColumns::new(embedded)) }
    }

    /// Inputs and targets of all rows. Rows without a target are left out, with a note.
    ///
    /// # Errors
    /// As [`inputs`](Encoder::inputs), and if the target is missing or of another kind, or has a class never seen in training.
    pub fn dataset(&self, table: &Table) -> Result<Dataset> {
        let table = target::rows_with_target(table, &self.target.column)?;
        let targets = self.target.encode(&table)?;
        let mut data = Dataset::new(table.name(), self.inputs(&table)?, targets)?;
        data.preprocessing[0].set_table(Arc::new(self.clone()));
        Ok(data)
    }

    /// The inputs of all rows: `[N, features]`. Columns may be in any order; others are ignored. Levels never seen in training
    /// and gaps in columns that had none are said in a note.
    ///
    /// # Errors
    /// If a column is missing, or a cell is not of the column's kind; the message names the line and the cell.
    pub fn inputs(&self, table: &Table) -> Result<Tensor> {
        let (features, rows) = (self.features(), table.rows());
        let table = self.with_kinds(table)?;
        let size = features.saturating_mul(rows);
        let refuse =
            |reason: String| Error::Data(format!("{}: {rows} rows of {features} inputs: {reason}", table.name()));
        memory::require(size.saturating_mul(2 * size_of::<f32>())).map_err(refuse)?;
        let mut matrix = vec![0.0f32; size];
        let mut first = 0;
        for EncodedColumn { name, encoding, .. } in &self.columns {
            let width = encoding.width();
            let column = table.column(name)?;
            let oddities = encoding.write(column, Columns { matrix: &mut matrix, features, first, width });
            first += width;
            note_oddities(&table, name, &oddities);
        }
        Ok(Tensor::from_vec(matrix, [rows, features]))
    }

    /// The table with the kinds of columns that the training rows had.
    fn with_kinds(&self, table: &Table) -> Result<Table> {
        let has = table.column_names();
        let missing: Vec<String> = self
            .columns
            .iter()
            .filter(|column| !has.contains(&column.name.as_str()))
            .map(|column| format!("`{}`", column.name))
            .collect();
        if !missing.is_empty() {
            return Err(Error::Data(format!(
                "{}: the model needs {} {}; the table has {}",
                table.name(),
                if missing.len() == 1 { "the column" } else { "the columns" },
                missing.join(", "),
                has.join(", ")
            )));
        }
        self.columns.iter().try_fold(table.clone(), |table, column| match column.encoding {
            Encoding::Date { format, .. } => table.with_dates(&column.name, format),
            _ if table.column(&column.name)?.kind() == column.kind => Ok(table),
            _ => table.with_kind(&column.name, column.kind),
        })
    }

    /// What was found in the columns of a table, the training rows usually, and what becomes of each.
    pub fn report(&self, table: &Table) -> ColumnReport {
        let becomes = |name: &str| {
            if name == self.target.column {
                return match &self.target.kind {
                    TargetKind::Classes(classes) => format!("target: {} classes", classes.len()),
                    TargetKind::Number { .. } => "target".to_owned(),
                };
            }
            let encoded = self.columns.iter().find(|column| column.name == name);
            let dropped = self.dropped.iter().find(|dropped| dropped.column == name);
            match (encoded, dropped) {
                (Some(column), _) => column.encoding.describe(),
                (None, Some(dropped)) => format!("left out: {}", dropped.reason),
                (None, None) => "ignored".to_owned(),
            }
        };
        ColumnReport::new(table, becomes)
    }

    /// Columns that give the target away: see [`Leak`].
    ///
    /// # Errors
    /// If the table lacks columns.
    pub fn leaks(&self, table: &Table) -> Result<Vec<Leak>> {
        leak::find(table, &self.target.column, self.task(), &self.input_columns())
    }
}

/// Says what the training rows did not have.
fn note_oddities(table: &Table, column: &str, oddities: &Oddities) {
    let name = table.name();
    if let Some(&row) = oddities.unseen.first() {
        let cell = table.column(column).map(|column| column.cell(row).to_owned()).unwrap_or_default();
        table.note_once(&format!(
            "{name}: `{column}` has levels that were never seen in training, in {} of {} rows (the first is `{cell}` in line {})",
            oddities.unseen.len(),
            table.rows(),
            table.line(row)
        ));
    }
    if let Some(&row) = oddities.gaps.first() {
        table.note_once(&format!(
            "{name}: `{column}` is missing in {} of {} rows (the first is line {}), though it was never in training",
            oddities.gaps.len(),
            table.rows(),
            table.line(row)
        ));
    }
}
