//! Confusion matrices: which classes were taken for which.

use serde::{Deserialize, Serialize};

use crate::monitor::tensorboard::messages::TensorProto;
use crate::{Error, Result};

/// The name by which events files mark them.
pub(super) const CONFUSION: &str = "hadal_confusion_matrix";

/// More classes than that are not shown.
const MOST_CLASSES: usize = 1000;

#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Confusion {
    /// The step that the matrix is of.
    step: i64,
    classes: Vec<String>,
    /// A row for each actual class: how many of its samples were predicted as each class.
    counts: Vec<Vec<f32>>,
}

/// What stands beside the counts.
#[derive(Deserialize)]
struct Names {
    classes: Vec<String>,
}

impl Confusion {
    /// From a tensor, and what the events file says of it: `{"classes": ["a", "b"]}`.
    pub fn new(step: i64, tensor: &TensorProto, content: &[u8]) -> Result<Confusion> {
        let wrong = |reason: String| Error::Data(format!("the confusion matrix of step {step} {reason}"));
        let classes = match serde_json::from_slice::<Names>(content) {
            Ok(names) => names.classes,
            Err(error) => return Err(wrong(format!("does not name its classes ({error})"))),
        };
        let (side, found) = (classes.len(), tensor.float_val.len());
        if side == 0 || side > MOST_CLASSES {
            return Err(wrong(format!("has {side} classes; 1 to {MOST_CLASSES} are shown")));
        }
        if found != side * side {
            return Err(wrong(format!("has {found} counts, not {side} x {side}")));
        }
        if let Some(count) = tensor.float_val.iter().find(|count| !(count.is_finite() && **count >= 0.0)) {
            return Err(wrong(format!("has a count of {count}")));
        }
        Ok(Confusion { step, classes, counts: tensor.float_val.chunks(side).map(<[f32]>::to_vec).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(counts: &[f32], content: &str) -> Result<Confusion> {
        let tensor = TensorProto { float_val: counts.to_vec(), ..TensorProto::default() };
        Confusion::new(7, &tensor, content.as_bytes())
    }

    #[test]
    fn a_matrix_is_read_and_what_is_none_is_refused() {
        let names = r#"{"classes": ["cat", "a,b"]}"#;
        let found = matrix(&[3.0, 1.0, 0.0, 4.0], names).unwrap();
        assert_eq!((&found.classes[1][..], &found.counts[0][..]), ("a,b", &[3.0, 1.0][..]));
        let message = |counts: &[f32], content: &str| matrix(counts, content).unwrap_err().to_string();
        assert_eq!(message(&[1.0], names), "the confusion matrix of step 7 has 1 counts, not 2 x 2");
        assert_eq!(message(&[1.0, 2.0, f32::NAN, 0.0], names), "the confusion matrix of step 7 has a count of NaN");
        assert_eq!(message(&[1.0, 2.0, -1.0, 0.0], names), "the confusion matrix of step 7 has a count of -1");
        assert!(message(&[], r#"{"classes": []}"#).ends_with("has 0 classes; 1 to 1000 are shown"));
        assert!(message(&[1.0], "not JSON").contains("does not name its classes (expected"));
    }
}
