//! Text in the width of the terminal.

/// The columns of the terminal; `None` where standard output is none.
#[doc(hidden)]
#[cfg(feature = "progress")]
pub fn columns() -> Option<usize> {
    console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns))
}

/// Text whose parts, which `gap` divides, are put on further lines, four columns in, where the columns end.
#[doc(hidden)]
pub fn wrapped(text: &str, gap: &str, columns: usize) -> String {
    const INDENT: &str = "    ";
    let mut parts = text.split(gap);
    let mut lines = parts.next().unwrap_or_default().to_owned();
    let mut used = lines.chars().count();
    for part in parts {
        let (between, begun) = match used + gap.len() + part.chars().count() > columns {
            true => (format!("\n{INDENT}"), INDENT.len()),
            false => (gap.to_owned(), used + gap.len()),
        };
        lines = lines + &between + part;
        used = begun + part.chars().count();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn a_line_goes_on_below_where_the_columns_end() {
        let line = "digits epoch  1/20  loss 0.5123  accuracy 88.10%  0.02 s";
        assert_eq!(wrapped(line, "  ", 80), line);
        assert_eq!(wrapped(line, "  ", 40), "digits epoch  1/20  loss 0.5123\n    accuracy 88.10%  0.02 s");
        assert!(wrapped(line, "  ", 24).lines().all(|line| line.chars().count() <= 24));
        let words = "Training on mnist: 60000 images, 10000 to test";
        assert_eq!(wrapped(words, " ", 32), "Training on mnist: 60000 images,\n    10000 to test");
    }
}
