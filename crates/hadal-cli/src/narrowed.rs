//! Tables in the width of the terminal.

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
    fn a_table_fits() {
        let table =
            "Layer           Output shape    Parameters\n──────────\nDense (relu)    [N, 512]           401,920";
        assert_eq!(narrowed(table, 80), table);
        assert_eq!(narrowed(table, 40), "Layer  Output shape  Parameters\n──────────\nDense (relu)  [N, 512]  401,920");
    }
}
