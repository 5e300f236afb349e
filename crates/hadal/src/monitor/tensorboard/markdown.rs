//! Tables and names in Markdown.

use crate::monitor::sample_columns;

/// The text in Markdown, as it is, on one line.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '~' => escaped.push_str("&#126;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '-' | '.' | '!' | '|' => {
                escaped.extend(['\\', c]);
            }
            c if c.is_control() => escaped.push(' '),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// As [`escaped`], of long text the beginning.
pub(super) fn shortened(text: &str) -> String {
    escaped(&sample_columns::shortened(text))
}

/// A table of cells that are Markdown. Each row has as many cells as the header.
pub(super) fn table(header: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut table = line(header) + &line(&vec!["---".to_owned(); header.len()]);
    rows.into_iter().for_each(|row| table += &line(&row));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_it_is() {
        assert_eq!(escaped("a|b <i>*c*</i> & \u{1F40B}"), "a\\|b &lt;i>\\*c\\*&lt;/i> &amp; \u{1F40B}");
        assert_eq!(escaped("two\nlines~"), "two lines&#126;");
        assert_eq!(shortened(&"ä".repeat(40)), "ä".repeat(40));
        assert_eq!(shortened(&("|".repeat(40) + "b")), "\\|".repeat(40) + "…");
    }

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let cells = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let table = table(&cells(&["a", "b"]), [cells(&["1", "2"])]);
        assert_eq!(table, "| a | b |\n| --- | --- |\n| 1 | 2 |\n");
    }
}
