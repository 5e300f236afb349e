//! Text in the width of the terminal.

use std::io::IsTerminal;

/// The columns of the terminal; none where standard output is none.
pub fn columns() -> Option<usize> {
    let size = std::io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    size.map(|(width, _)| usize::from(width.0))
}

/// Puts words that do not fit on further lines, each two columns in.
pub fn wrapped(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                *line = format!("{line} {word}")
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// A table in less width: its columns are two spaces apart, and its rules end with the terminal.
pub fn narrowed(table: &str, columns: usize) -> String {
    if table.lines().all(|line| line.chars().count() <= columns) {
        return table.to_owned();
    }
    let narrow = |line: &str| match line.starts_with('─') {
        true => line.chars().take(columns).collect(),
        false => line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  "),
    };
    table.lines().map(narrow).collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_tables_fit() {
        let text = "Training on mnist: 60000 images, 10000 to test";
        assert_eq!(wrapped(text, 80), text);
        assert_eq!(wrapped(text, 32), "Training on mnist: 60000 images,\n  10000 to test");
        let table =
            "Layer           Output shape    Parameters\n──────────\nDense (relu)    [N, 512]           401,920";
        assert_eq!(narrowed(table, 80), table);
        assert_eq!(narrowed(table, 40), "Layer  Output shape  Parameters\n──────────\nDense (relu)  [N, 512]  401,920");
    }
}
