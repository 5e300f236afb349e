//! What a run would otherwise pass over in silence: numbers that f32 cannot tell apart, settings that are not used, samples that
//! are not there.

use std::path::Path;

use hadal::Tensor;

use crate::support::{fails, hadal, succeeds, text};

fn run(home: &Path, line: &str) -> std::process::Output {
    hadal(home).args(line.split_whitespace()).output().unwrap()
}

/// A table of `rows` rows below a header.
fn table(home: &Path, name: &str, header: &str, rows: usize, row: impl Fn(usize) -> String) {
    let rows: String = (0..rows).map(|i| row(i) + "\n").collect();
    std::fs::write(home.join(name), format!("{header}\n{rows}")).unwrap();
}

fn arrays(home: &Path, name: &str, x: Tensor, y: Tensor) {
    std::fs::create_dir(home.join(name)).unwrap();
    hadal::format::npy::write(home.join(name).join("x.npy"), &x).unwrap();
    hadal::format::npy::write(home.join(name).join("y.npy"), &y).unwrap();
}

#[test]
fn targets_that_f32_hardly_tells_apart_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    table(at, "t.csv", "x,y", 60, |i| format!("{}.5,{}", i * 7 % 11, 1_600_000_000 + i));
    fails(&run(at, "train t.csv --target y"), &["the target `y`", "f32", "predict the difference from 1600000"]);
    table(at, "same.csv", "x,y", 60, |i| format!("{}.5,0.1", i * 7 % 11));
    fails(&run(at, "train same.csv --target y --task regression"), &["is 0.1 in all training rows"]);
    // Years differ by enough.
    table(at, "year.csv", "x,y", 60, |i| format!("{}.5,{}", i * 7 % 11, 2000 + i % 15));
    succeeds(&run(at, "train year.csv --target y --epochs 1 --no-out"));
    let x = || Tensor::from_vec((0..120).map(|i| (i * 7 % 11) as f32).collect(), [60, 2]);
    for (name, step, words) in
        [("near", 40, "the difference from 16000"), ("equal", 0, "all targets in `y` are equal in f32")]
    {
        let y: Vec<i64> = (0..60).map(|i| 1_600_000_000 + i * step).collect();
        arrays(at, name, x(), Tensor::from_vec(y, [60]));
        fails(&run(at, &format!("train {name} --task regression")), &[words]);
    }
}

#[test]
fn arrays_without_numbers_or_samples_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let labels = || Tensor::from_vec((0..60i64).map(|i| i % 2).collect(), [60]);
    arrays(at, "none", Tensor::zeros([60, 0]), labels());
    fails(&run(at, "train none"), &["none: `x` has shape [60, 0]", "nothing to predict from"]);
    arrays(at, "some", Tensor::from_vec((0..120).map(|i| (i % 4) as f32).collect(), [60, 2]), labels());
    succeeds(&run(at, "train some --epochs 1 --out m"));
    hadal::format::npy::write(at.join("empty.npy"), &Tensor::zeros([0, 2])).unwrap();
    let output = run(at, "predict m empty.npy");
    fails(&output, &["empty.npy", "[0, 2]", "no samples"]);
    assert!(text(&output.stdout).is_empty());
}
