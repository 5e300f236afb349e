//! The name that was meant.

/// The name nearest to `given`, if one is near enough to have been meant.
pub fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let near =
        names.into_iter().map(|name| (strsim::normalized_damerau_levenshtein(&given, &name.to_lowercase()), name));
    near.filter(|(likeness, _)| *likeness >= 0.5).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_found_and_what_is_not_is_not() {
        let names = ["species", "island", "sex"];
        assert_eq!(nearest("Spcies", names), Some("species"));
        assert_eq!(nearest("weight", names), None);
        assert_eq!(nearest("x", []), None);
    }
}
