//! Every program of the tour runs, and what it claims holds.
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs' names, from their sources.
fn programs() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tour");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = files.map(|file| file.expect("the folder can be read").path());
    let mut names: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(format!("tour_{}", path.file_stem()?.to_str()?)))
        .collect();
    names.sort();
    names
}

/// `cargo test` builds the examples into the folder beside that of the tests.
fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this test has a path");
    let profile = own.parent().and_then(Path::parent).expect("a test lies in target/PROFILE/deps");
    profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

#[test]
fn every_program_of_the_tour_runs() {
    let names = programs();
    assert_eq!(names.len(), 20, "programs in examples/tour");
    let mut failed = Vec::new();
    for name in &names {
        let program = built(name);
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        match Command::new(&program).current_dir(folder.path()).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                failed.push(format!("{name}: {}\n{out}{err}", output.status));
            }
            Err(error) => failed.push(format!(
                "{name}: {} cannot be run: {error}; is it in examples/Cargo.toml? build it with `cargo build --examples`",
                program.display()
            )),
        }
    }
    assert!(failed.is_empty(), "{} of {} programs failed:\n{}", failed.len(), names.len(), failed.join("\n"));
}
