//! `confusion_matrix.csv`: which classes were taken for which.

use std::path::Path;

use serde::Serialize;

use crate::{Error, Result};

/// The file's name in a run folder. Its first line has the names of the predicted classes, after one field that does
/// not matter; each further line has the name of an actual class, and how many of its samples were predicted as each.
pub(super) const CONFUSION: &str = "confusion_matrix.csv";

/// Longer files, of more than a thousand classes, are not shown.
const LONGEST: u64 = 4 << 20;

#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Confusion {
    /// Of the columns.
    predicted: Vec<String>,
    /// Of the rows.
    actual: Vec<String>,
    counts: Vec<Vec<f64>>,
}

impl Confusion {
    pub fn read(folder: &Path) -> Result<Confusion> {
        let path = folder.join(CONFUSION);
        let length = path.metadata().map_err(Error::io(&path, "read the confusion matrix"))?.len();
        if length > LONGEST {
            return Err(Error::file(&path, format!("has {length} bytes; a matrix of up to {LONGEST} is shown")));
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path, "read the confusion matrix"))?;
        Confusion::parse(&text).map_err(|reason| Error::file(&path, reason))
    }

    fn parse(text: &str) -> Result<Confusion, String> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> =
            reader.records().collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let (head, rows) = rows.split_first().ok_or("is empty")?;
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| format!("`{text}` is not a count"));
        let counts = rows.iter().map(|row| row.iter().skip(1).map(number).collect::<Result<_, _>>());
        Ok(Confusion {
            predicted: head.iter().skip(1).map(str::to_owned).collect(),
            actual: rows.iter().filter_map(|row| row.get(0)).map(str::to_owned).collect(),
            counts: counts.collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_read_and_what_is_none_is_refused() {
        let matrix = Confusion::parse("actual,cat,\"a,b\"\ncat,3,1\n\"a,b\",0,4\n").unwrap();
        assert_eq!((matrix.predicted[1].as_str(), matrix.actual[1].as_str()), ("a,b", "a,b"));
        assert_eq!(matrix.counts, [[3.0, 1.0], [0.0, 4.0]]);
        assert_eq!(Confusion::parse(""), Err("is empty".to_owned()));
        assert_eq!(Confusion::parse("x,a\na,many\n"), Err("`many` is not a count".to_owned()));
        assert!(Confusion::parse("x,a\na,1,2\n").unwrap_err().contains("found record with 3 fields"));
    }
}
