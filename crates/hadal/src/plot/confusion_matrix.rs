//! The confusion matrix as a picture.

use super::Picture;
use super::axis::grouped;
use super::cells::{Bar, Cells};
use super::color::sequential;
use crate::metric::{ConfusionMatrix, Metric};
use crate::{Error, Result};

/// Most classes that are drawn; of more, those with the most mistakes.
const MOST: usize = 25;

/// For functions that take names: numbers will do.
pub const NO_NAMES: &[&str] = &[];

/// A confusion matrix: rows are true classes, columns predicted ones, with the counts in the cells, which are the darker the larger
/// their share of the row is. Without `names` ([`NO_NAMES`]), classes are numbers. Of more than 25 classes, the 25 with the
/// most mistakes are drawn; the others are summed up in a last row and column.
///
/// ```
/// use hadal::{plot, prelude::*};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("confusion.svg");
/// let mut matrix = ConfusionMatrix::new();
/// matrix.update(&Tensor::from([[0.1, 0.9], [0.2, 0.8]]), &Tensor::from([0, 1]));
/// plot::confusion_matrix(&matrix, &["cat", "dog"])?.save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the matrix has no samples, or there are not as many names as classes.
pub fn confusion_matrix<S: AsRef<str>>(matrix: &ConfusionMatrix, names: &[S]) -> Result<Picture> {
    let classes = matrix.classes();
    if !names.is_empty() && names.len() != classes {
        return Err(Error::Data(format!("confusion_matrix: {} names for {classes} classes", names.len())));
    }
    let counts = Counts::of(matrix, names);
    let samples: u64 = counts.counts.iter().flatten().sum();
    if samples == 0 {
        return Err(Error::Data("confusion_matrix: the matrix has no samples".into()));
    }
    let which = if classes > MOST {
        format!(", the {MOST} of {classes} classes with the most mistakes")
    } else {
        String::new()
    };
    let accuracy = 100.0 * matrix.compute();
    let title =
        format!("Confusion matrix{which}: accuracy {accuracy:.2}% of {} samples", grouped(&samples.to_string()));
    Ok(Picture::new(title, counts.cells()))
}

/// What is drawn: the names and counts of rows and columns, which are not as many where some outputs predict no class.
struct Counts {
    rows: Vec<String>,
    columns: Vec<String>,
    counts: Vec<Vec<u64>>,
}

impl Counts {
    fn of<S: AsRef<str>>(matrix: &ConfusionMatrix, names: &[S]) -> Counts {
        let all: Vec<usize> = (0..matrix.classes()).collect();
        let mut kept = all.clone();
        if all.len() > MOST {
            let mistakes: Vec<u64> = all.iter().map(|&class| mistakes(matrix, class)).collect();
            kept.sort_by_key(|&class| std::cmp::Reverse(mistakes[class]));
            kept.truncate(MOST);
            kept.sort_unstable();
        }
        let mut groups: Vec<Vec<usize>> = kept.iter().map(|&class| vec![class]).collect();
        let mut labels: Vec<String> = kept
            .iter()
            .map(|&class| names.get(class).map_or_else(|| class.to_string(), |name| name.as_ref().to_owned()))
            .collect();
        if all.len() > kept.len() {
            let others: Vec<usize> = all.iter().copied().filter(|class| !kept.contains(class)).collect();
            labels.push(format!("{} others", others.len()));
            groups.push(others);
        }
        let sum = |rows: &[usize], columns: &[usize]| -> u64 {
            rows.iter().map(|&row| columns.iter().map(|&column| matrix.count(row, column)).sum::<u64>()).sum()
        };
        let mut counts: Vec<Vec<u64>> =
            groups.iter().map(|row| groups.iter().map(|column| sum(row, column)).collect()).collect();
        let mut columns = labels.clone();
        let none: Vec<u64> =
            groups.iter().map(|row| row.iter().map(|&class| matrix.unpredicted(class)).sum()).collect();
        if none.iter().any(|count| *count > 0) {
            columns.push("none (NaN)".into());
            counts.iter_mut().zip(none).for_each(|(row, count)| row.push(count));
        }
        Counts { rows: labels, columns, counts }
    }
}

/// Samples of the class that were taken for another one, or for none, and samples of others taken for it.
fn mistakes(matrix: &ConfusionMatrix, class: usize) -> u64 {
    let others = (0..matrix.classes()).filter(|other| *other != class);
    others.map(|other| matrix.count(class, other) + matrix.count(other, class)).sum::<u64>() + matrix.unpredicted(class)
}

impl Counts {
    /// Cells that are the darker the larger their share of the row is.
    fn cells(self) -> Cells {
        let row = |counts: &Vec<u64>| {
            let total = counts.iter().sum::<u64>().max(1) as f64;
            let text = |count: u64| if count > 0 { grouped(&count.to_string()) } else { String::new() };
            counts.iter().map(|&count| (sequential(count as f64 / total), text(count))).collect()
        };
        let marks = [(0.0, "0%"), (0.5, "50%"), (1.0, "100%")].map(|(share, text)| (share, text.to_owned()));
        Cells {
            cells: self.counts.iter().map(row).collect(),
            rows: self.rows,
            columns: self.columns,
            labels: ["predicted class", "true class"].map(str::to_owned),
            bar: Bar { color: sequential, marks: marks.into(), caption: "of the row" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    fn matrix(classes: usize, samples: &[(usize, usize)]) -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new();
        for (label, predicted) in samples {
            let mut scores = vec![0.0f32; classes];
            scores[*predicted] = 1.0;
            matrix.update(&Tensor::from_vec(scores, [1, classes]), &Tensor::from([*label as i64]));
        }
        matrix
    }

    #[test]
    fn all_counts_and_names_are_there_and_markup_is_shown() {
        let svg = confusion_matrix(&matrix(2, &[(0, 0), (0, 1), (0, 1), (1, 1)]), &["<b>cat</b>", "\"dog\" 🐕"])
            .unwrap()
            .svg();
        assert!(svg.contains("&lt;b&gt;cat&lt;/b&gt;") && svg.contains("&quot;dog&quot; 🐕") && !svg.contains("<b>"));
        assert!(svg.contains(">2</text>") && svg.contains("accuracy 50.00% of 4 samples"));
    }

    #[test]
    fn of_a_thousand_classes_the_most_confused_are_drawn_and_none_is_lost() {
        let pairs: Vec<(usize, usize)> = (0..1000).map(|class| (class, if class == 700 { 3 } else { class })).collect();
        let matrix = matrix(1000, &pairs);
        let cells = Counts::of(&matrix, NO_NAMES);
        assert_eq!((cells.rows.len(), cells.rows[MOST].as_str()), (MOST + 1, "975 others"));
        assert!(cells.rows.contains(&"700".to_owned()) && cells.rows.contains(&"3".to_owned()));
        assert_eq!(cells.counts.iter().flatten().sum::<u64>(), 1000);
        assert!(confusion_matrix(&matrix, NO_NAMES).unwrap().svg().contains("25 of 1000 classes"));
    }

    #[test]
    fn outputs_that_say_nothing_have_a_column_and_no_samples_are_an_error() {
        let mut matrix = matrix(2, &[(0, 0)]);
        matrix.update(&Tensor::from([[f32::NAN, 0.0]]), &Tensor::from([1]));
        assert!(confusion_matrix(&matrix, NO_NAMES).unwrap().svg().contains("none (NaN)"));
        let message = |names: &[&str]| confusion_matrix(&ConfusionMatrix::new(), names).unwrap_err().to_string();
        assert!(message(NO_NAMES).contains("no samples") && message(&["a"]).contains("1 names for 0 classes"));
    }
}
