//! Programs that learn something run, with quick settings, and say what they claim to say.
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a program prints. `cargo test` builds the examples into the folder beside that of the tests.
fn run(name: &str, arguments: &[&str], folder: &Path) -> String {
    let own = std::env::current_exe().expect("this test has a path");
    let profile = own.parent().and_then(Path::parent).expect("a test lies in target/PROFILE/deps");
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&program).args(arguments).current_dir(folder).output();
    let output =
        output.unwrap_or_else(|error| panic!("{}: {error}; build it with `cargo build --examples`", program.display()));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {out}{err}");
    out.into_owned()
}

/// Where pictures go.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::create_dir_all(folder.path().join("target/examples")).expect("folders can be made there");
    folder
}

#[test]
fn depth_is_compared_at_the_same_size() {
    let folder = folder();
    let out = run("moons_deep", &["2"], folder.path());
    let parameters: Vec<f64> = out
        .lines()
        .filter(|line| line.ends_with('%'))
        .filter_map(|line| line.split_whitespace().rev().nth(2)?.parse().ok())
        .collect();
    assert_eq!(parameters.len(), 4, "{out}");
    let largest = parameters.iter().copied().fold(0.0, f64::max);
    assert!(parameters.iter().all(|count| count / largest > 0.8), "{parameters:?}");
    assert!(folder.path().join("target/examples/moons_deep.svg").is_file());
}

#[test]
fn sums_are_learnt_digit_by_digit() {
    let out = run("addition", &[], folder().path());
    // Twice as long as any that it has seen, and more.
    for longest in ["20", "50", "100"] {
        let line = out.lines().find(|line| line.trim_start().starts_with(&format!("{longest} digits")));
        let mut numbers =
            line.unwrap_or_else(|| panic!("{out}")).split([' ', '%']).filter_map(|word| word.parse().ok());
        let right: f64 = numbers.nth(1).unwrap_or_else(|| panic!("{out}"));
        assert!(right >= 99.0, "{out}");
    }
}

#[test]
fn a_text_is_learnt_and_continued() {
    let folder = folder();
    let text = folder.path().join("text.txt");
    std::fs::write(&text, "the cat sat on the mat and the dog sat on the log. ".repeat(400)).unwrap();
    for kind in ["gpt", "lstm"] {
        let out = run("shakespeare", &[kind, "60", text.to_str().unwrap()], folder.path());
        let accuracy = out.split("accuracy ").last().and_then(|rest| rest.split('%').next());
        let accuracy: f64 = accuracy.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{out}"));
        // The commonest character alone is a quarter of all.
        assert!(accuracy > 32.0, "{kind}: {out}");
        assert!(out.contains("500 characters in"), "{out}");
    }
}

#[test]
fn a_convolutional_network_is_trained_and_its_features_are_drawn() {
    let there = std::env::var_os("HADAL_DATA_DIR").map(PathBuf::from).filter(|folder| folder.join("mnist").is_dir());
    if there.is_none() {
        return println!("skipped: HADAL_DATA_DIR names no folder with mnist");
    }
    let folder = folder();
    let out = run("mnist_cnn", &["1", "1"], folder.path());
    let accuracy = out.rsplit("accuracy ").next().and_then(|rest| rest.split('%').next()?.parse::<f64>().ok());
    assert!(accuracy.is_some_and(|accuracy| accuracy > 98.0), "{out}");
    run("features", &[], folder.path());
    assert!(folder.path().join("target/examples/features.svg").is_file());
}
