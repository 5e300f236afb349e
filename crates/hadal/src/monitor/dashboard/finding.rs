//! `health.json`: what was found to be wrong with training.

use serde::{Deserialize, Serialize};

/// One finding, as [`Finding`](crate::train::Finding) is written, but of any kind: a later version may know more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Found {
    kind: String,
    #[serde(default)]
    layer: Option<String>,
    epoch: u64,
    step: u64,
    text: String,
    advice: String,
}

/// More are not shown.
const MOST: usize = 1000;

/// The findings in a file's text. An empty one has none: a run is about to begin.
pub(super) fn findings(text: &str) -> Result<Vec<Found>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut found: Vec<Found> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    found.truncate(MOST);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_read_also_of_kinds_that_are_not_known() {
        let text = r#"[{"kind": "of_the_future", "epoch": 3, "step": 150, "text": "a <b>", "advice": "c", "more": 1}]"#;
        let found = findings(text).unwrap();
        assert_eq!((&found[0].kind[..], found[0].layer.as_deref(), found[0].step), ("of_the_future", None, 150));
        assert_eq!((findings("[]"), findings("\n")), (Ok(Vec::new()), Ok(Vec::new())));
        for wrong in ["[{", "{}", r#"[{"kind": "x"}]"#] {
            assert!(!findings(wrong).unwrap_err().is_empty(), "{wrong}");
        }
    }
}
