//! The confusion matrix: a tensor for Hadal's dashboard, and a table for TensorBoard's page "Text".

use serde_json::json;

use super::messages::Value;
use super::{markdown, summary};

/// The plugin for whose page the tensor is.
pub(super) const PLUGIN: &str = "hadal_confusion_matrix";

/// A matrix of more classes is not shown.
pub(super) const MOST_CLASSES: usize = 100;

/// A table of more classes cannot be read.
const MOST_IN_TABLE: usize = 30;

/// The values of a matrix: a tensor `tag` and, of at most 30 classes, a text `<tag>/table`. `unpredicted` are the samples of each class
/// that were predicted as none.
pub(super) fn values(tag: &str, names: &[String], counts: &[Vec<u64>], unpredicted: &[u64]) -> Vec<Value> {
    let classes = names.len() as i64;
    let content = json!({ "classes": names }).to_string().into_bytes();
    let cells = counts.iter().flatten().map(|count| *count as f32).collect();
    let tensor = summary::plugin(tag, PLUGIN, content, summary::floats(cells, &[classes, classes]));
    let table = (names.len() <= MOST_IN_TABLE).then(|| table(names, counts, unpredicted));
    let text = table.map(|table| summary::text(&format!("{tag}/table"), &table));
    [tensor].into_iter().chain(text).collect()
}

/// Rows are actual classes; what is right is bold.
fn table(names: &[String], counts: &[Vec<u64>], unpredicted: &[u64]) -> String {
    let has_unpredicted = unpredicted.iter().any(|count| *count > 0);
    let mut header = vec!["actual class, predicted as".to_owned()];
    header.extend(names.iter().map(|name| markdown::shortened(name)));
    if has_unpredicted {
        header.push("none (NaN)".into());
    }
    let row = |(class, own): (usize, &Vec<u64>)| {
        let count = |(predicted, count): (usize, &u64)| {
            if class == predicted { format!("**{count}**") } else { count.to_string() }
        };
        let mut row = vec![markdown::shortened(&names[class])];
        row.extend(own.iter().enumerate().map(count));
        if has_unpredicted {
            row.push(unpredicted.get(class).unwrap_or(&0).to_string());
        }
        row
    };
    markdown::table(&header, counts.iter().enumerate().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_actual_class() {
        let names = ["a|b".to_owned(), "<i>".to_owned()];
        let text = table(&names, &[vec![3, 1], vec![0, 2]], &[0, 0]);
        let expected = "| actual class, predicted as | a\\|b | &lt;i> |\n| --- | --- | --- |\n| a\\|b | **3** | 1 |\n| &lt;i> | 0 | **2** |\n";
        assert_eq!(text, expected);
        let text = table(&names, &[vec![3, 1], vec![0, 2]], &[0, 5]);
        assert!(text.contains("| none (NaN) |\n") && text.ends_with("| &lt;i> | 0 | **2** | 5 |\n"), "{text}");
    }

    #[test]
    fn a_matrix_of_many_classes_has_no_table() {
        let of = |classes: usize| {
            let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
            values("m", &names, &vec![vec![0; classes]; classes], &[]).len()
        };
        assert_eq!((of(30), of(31)), (2, 1));
    }
}
