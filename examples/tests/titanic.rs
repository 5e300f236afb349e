//! The titanic program reads as short as it claims, and does what it claims.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `cargo test` builds the examples into the folder beside that of the tests.
fn titanic(data: &Path) -> Output {
    let own = std::env::current_exe().expect("this test has a path");
    let profile = own.parent().and_then(Path::parent).expect("a test lies in target/PROFILE/deps");
    let program = profile.join("examples").join(format!("titanic{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&program).env("HADAL_DATA_DIR", data).output();
    output.unwrap_or_else(|error| panic!("{}: {error}; build it with `cargo build --examples`", program.display()))
}

#[test]
fn from_file_to_confusion_matrix_takes_at_most_20_lines() {
    let source = include_str!("../titanic.rs");
    let main = source.split("fn main").nth(1).and_then(|rest| rest.split("\n}").next()).expect("there is a main");
    let lines = main.lines().skip(1).filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 20, "main has {lines} lines");
}

#[test]
fn the_holdout_of_the_titanic_is_predicted_and_counted() {
    let Some(data) = std::env::var_os("HADAL_DATA_DIR").map(PathBuf::from) else {
        return println!("skipped: HADAL_DATA_DIR is not set");
    };
    if !data.join("tables/titanic.csv").is_file() {
        return println!("skipped: there is no tables/titanic.csv in {}", data.display());
    }
    let output = titanic(&data);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    let accuracy = out.split("accuracy ").nth(1).and_then(|rest| rest.split('%').next());
    let accuracy: f64 = accuracy.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no accuracy in {out}"));
    assert!(accuracy > 72.0, "{accuracy}%, but always `0` is right in 62%");
    // The last two lines are the matrix: a class, then its counts.
    let counts: Vec<u64> =
        out.lines().rev().take(2).flat_map(|line| line.split_whitespace().skip(1)).flat_map(str::parse).collect();
    let right = counts[1] + counts[2];
    let total: u64 = counts.iter().sum();
    assert!((100.0 * right as f64 / total as f64 - accuracy).abs() < 0.01, "{out}");
}

#[test]
fn a_table_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let output = titanic(folder.path());
    assert!(!output.status.success());
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("titanic.csv"), "{err}");
}
