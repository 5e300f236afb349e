//! How samples are told in words, such as the columns of a table.

use std::rc::Rc;

/// How many columns are shown, and characters of a cell.
const COLUMNS: usize = 12;
const CHARACTERS: usize = 40;

/// Columns for the samples of the validation data.
#[derive(Clone)]
pub(crate) struct SampleColumns {
    names: Vec<String>,
    row: Rc<dyn Fn(usize) -> Vec<String>>,
}

impl SampleColumns {
    /// `row` tells what the columns hold for a sample, by its number.
    pub fn new<N: Into<String>>(
        names: impl IntoIterator<Item = N>,
        row: impl Fn(usize) -> Vec<String> + 'static,
    ) -> SampleColumns {
        SampleColumns { names: names.into_iter().map(Into::into).collect(), row: Rc::new(row) }
    }

    /// What the columns that are shown are called.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.names.iter().take(COLUMNS).map(|name| shortened(name))
    }

    /// What they hold for a sample: nothing where its row is too short.
    pub fn cells(&self, sample: usize) -> impl Iterator<Item = String> {
        let mut cells = (self.row)(sample);
        cells.resize(self.names.len().min(COLUMNS), String::new());
        cells.into_iter().map(|cell| shortened(&cell))
    }

    /// How many columns are not shown.
    #[cfg(feature = "report")]
    pub fn left_out(&self) -> usize {
        self.names.len().saturating_sub(COLUMNS)
    }
}

/// The text, or the beginning of a long one.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => text[..end].to_owned() + "…",
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_as_many_cells_as_there_are_names() {
        let columns = SampleColumns::new(["a", "b"], |sample| vec![sample.to_string(); sample]);
        assert_eq!(columns.names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            [0, 1, 3].map(|sample| columns.cells(sample).collect::<Vec<_>>()),
            [["", ""], ["1", ""], ["3", "3"]]
        );
        let wide = SampleColumns::new((0..20).map(|name| name.to_string()), |_| vec!["x".repeat(60); 20]);
        assert_eq!((wide.names().count(), wide.cells(0).count()), (COLUMNS, COLUMNS));
        assert_eq!(wide.cells(0).next(), Some("x".repeat(40) + "…"));
        assert_eq!(shortened(&"ä".repeat(40)), "ä".repeat(40));
    }
}
