//! Numbers of things and lists of names, for a reader.

/// `1 row`, `2 rows`.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The first names, and how many there are.
pub fn shortened(names: &[String]) -> String {
    const MOST: usize = 10;
    let some = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{some}, ... ({} in all)", names.len()) } else { some }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_no_plural_and_long_lists_are_cut() {
        assert_eq!((counted(1, "row"), counted(0, "row")), ("1 row".to_owned(), "0 rows".to_owned()));
        let names: Vec<String> = (0..12).map(|name| name.to_string()).collect();
        assert_eq!(shortened(&names[..2]), "0, 1");
        assert!(shortened(&names).ends_with("9, ... (12 in all)"));
    }
}
