//! The largest-margin line against scikit-learn's, to 1e-5.

use hadal::classic::LinearSvm;
use hadal::prelude::*;

use super::{GOLDEN, labels, number, tensor};

#[test]
fn the_largest_margin_is_scikit_learns() {
    let golden = &GOLDEN["linear_svm"];
    let data = Dataset::new("points", tensor(&golden["points"]), labels(&golden["labels"])).unwrap();
    for (name, fit) in [
        ("weight", LinearSvm::new().fit(&data).unwrap()),
        ("soft_weight", LinearSvm::new().penalty(0.1).fit(&data).unwrap()),
    ] {
        assert!(fit.converged);
        let expected = tensor(&golden[name]).to_vec::<f64>();
        for (found, expected) in fit.classifier.weight.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{name}: {found} instead of {expected}");
        }
        let bias = number(&golden[name.replace("weight", "bias")]);
        assert!(
            (fit.classifier.bias - bias).abs() < 1e-5 * bias.abs().max(1.0),
            "{} instead of {bias}",
            fit.classifier.bias
        );
    }
}
