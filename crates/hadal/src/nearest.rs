//! The name that was meant.

/// The name nearest to `given`, if one is near enough to have been meant.
pub fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.into_iter().map(|name| (likeness(given, name), name));
    near.filter(|(likeness, _)| *likeness >= 0.5).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// The names that may have been meant, the likeliest first, at most `most`: those near to `given`, and those of which the word is
/// part, or which are part of the word but for the number of dimensions at their end.
pub(crate) fn near<'a>(given: &str, names: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    let is_part = |name: &str| {
        let stem = name.trim_end_matches(['1', '2', '3', 'd']);
        given.len() >= 3 && name.contains(given) || stem.len() >= 3 && given.contains(stem)
    };
    let near = names.into_iter().map(|name| (likeness(given, name), name));
    let mut near: Vec<_> = near.filter(|&(likeness, name)| likeness >= 0.5 || is_part(name)).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.into_iter().take(most).map(|(_, name)| name).collect()
}

/// From 0 to 1, for the same name.
fn likeness(given: &str, name: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&given.to_lowercase(), &name.to_lowercase())
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

    #[test]
    fn several_names_may_have_been_meant() {
        let names = ["dense", "conv1d", "conv2d", "conv_transpose2d", "max_pool2d", "multi_head_attention"];
        assert_eq!(near("cnov2d", names, 3), ["conv2d", "conv1d"]);
        assert_eq!(near("convolution", names, 3), ["conv1d", "conv2d"]);
        assert_eq!(near("pool", names, 3), ["max_pool2d"]);
        assert_eq!(near("attention", names, 3), ["multi_head_attention"]);
        assert_eq!(near("conv", names, 1).len(), 1);
        assert!(near("smooth", names, 3).is_empty());
    }
}
