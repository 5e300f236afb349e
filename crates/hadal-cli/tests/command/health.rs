//! What the command says of runs that do not go well, and where it keeps that.

use std::path::Path;

use hadal::train::Finding;

use crate::support::*;

/// Twelve hidden layers of sigmoids: their gradients vanish.
fn ill() -> String {
    format!("--hidden {} --activation sigmoid --epochs 40 --patience 0", ["8"; 12].join(","))
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    home
}

fn kept(folder: &Path) -> Vec<Finding> {
    serde_json::from_str(&std::fs::read_to_string(folder.join("health.json")).unwrap()).unwrap()
}

#[test]
fn what_is_found_is_said_once_and_kept_in_the_folder() {
    let home = home();
    let output = run(home.path(), &format!("train t.csv --target kind {} --out out -q", ill()));
    succeeds(&output);
    let said = text(&output.stderr);
    let findings = kept(&home.path().join("out"));
    assert!(!findings.is_empty());
    assert_eq!(said, findings.iter().map(|finding| format!("note: {finding}\n")).collect::<String>());
    // Another run in the folder has its own, or none.
    passes(home.path(), "train t.csv --target kind --epochs 1 --out out --overwrite -q");
    assert_eq!(kept(&home.path().join("out")), []);
    passes(home.path(), "train t.csv --target kind --epochs 1 --out out --overwrite -q --health off");
    assert!(!home.path().join("out/health.json").exists());
}

#[test]
fn members_are_looked_after_and_named() {
    let home = home();
    let line = format!("train t.csv --target kind {} --threads 2 -q", ill());
    for (kind, names) in
        [("--seeds 3", ["seed 1", "seed 2", "seed 3"]), ("--folds 2", ["fold 1 of 2", "fold 2 of 2", ""])]
    {
        let output = run(home.path(), &format!("{line} {kind} --out {}", &kind[2..6]));
        succeeds(&output);
        let said = text(&output.stderr);
        let mut lines = 0;
        for name in names.iter().filter(|name| !name.is_empty()) {
            let folder = name.split(' ').take(2).collect::<Vec<_>>().join("-");
            let findings = kept(&home.path().join(&kind[2..6]).join(folder));
            assert!(!findings.is_empty(), "{name}");
            for finding in &findings {
                let line = format!("note: {name}: {finding}");
                assert_eq!(said.lines().filter(|said| **said == line).count(), 1, "{line}: {said}");
            }
            lines += findings.len();
        }
        assert_eq!(said.lines().count(), lines, "{said}");
    }
    let quiet = run(home.path(), &format!("{line} --seeds 2 --health off --out off"));
    succeeds(&quiet);
    assert_eq!(text(&quiet.stderr), "");
    let strict = run(home.path(), &format!("{line} --seeds 3 --health strict --out strict"));
    fails(&strict, &["error: seed ", ": health, epoch ", "; try ", "strict health checks end the run"]);
    assert!(!home.path().join("strict/scores.csv").exists());
    // Those that were stopped by it go on where they may.
    let again = run(home.path(), &format!("{line} --seeds 3 --out strict"));
    let whole = run(home.path(), &format!("{line} --seeds 3 --out seed --overwrite"));
    assert_eq!(succeeds(&again), succeeds(&whole));
    for seed in ["seed-1", "seed-2", "seed-3"] {
        let [one, other] = ["strict", "seed"].map(|out| home.path().join(out).join(seed));
        are_equal(&one, &other);
    }
}

#[test]
fn the_winner_of_a_search_is_looked_after_but_no_trial() {
    let home = home();
    let hidden = ["8"; 12].join(", ");
    let plan = format!(
        "[data]\nsource = \"t.csv\"\ntarget = \"kind\"\n[model]\nhidden = [{hidden}]\nactivation = \"sigmoid\"\n\
         [training]\nepochs = 40\npatience = 0\n[tune]\noptimizer.learning_rate = [0.001, 0.0011]\n"
    );
    std::fs::write(home.path().join("t.toml"), plan).unwrap();
    let output = run(home.path(), "tune --config t.toml --trials 2 --out on -q");
    succeeds(&output);
    let findings = kept(&home.path().join("on/winner"));
    assert!(!findings.is_empty());
    let expected: String = findings.iter().map(|finding| format!("note: winner: {finding}\n")).collect();
    let said = text(&output.stderr);
    let said: String = said.split_inclusive('\n').filter(|line| line.contains("health")).collect();
    assert_eq!(said, expected);
    let off = run(home.path(), "tune --config t.toml --trials 2 --out off -q --health off");
    succeeds(&off);
    assert!(!text(&off.stderr).contains("health"));
    let strict = run(home.path(), "tune --config t.toml --trials 2 --out strict -q --health strict");
    fails(&strict, &["winner: health, epoch ", "strict health checks end the run"]);
}

#[test]
fn a_class_that_is_never_predicted_is_named() {
    let home = tempfile::tempdir().unwrap();
    let mut random = hadal::Rng::new(5);
    let mut table = String::from("kind,a,b\n");
    for row in 0..600 {
        let kind = if row % 20 == 0 { "rare & <b>" } else { "common" };
        table += &format!("{kind},{},{}\n", random.below(1000), random.below(1000));
    }
    std::fs::write(home.path().join("t.csv"), table).unwrap();
    let line = "train t.csv --target kind --epochs 150 --patience 0 --hidden 4 --optimizer adam --out out -q";
    let output = run(home.path(), line);
    succeeds(&output);
    let said = text(&output.stderr);
    assert!(said.contains("class `rare & <b>` is never predicted: not once for "), "{said}");
}

#[test]
fn findings_that_cannot_be_kept_are_one_note_and_training_goes_on() {
    let home = home();
    std::fs::create_dir_all(home.path().join("out/health.json/a")).unwrap();
    let output = run(home.path(), &format!("train t.csv --target kind {} --out out -q", ill()));
    succeeds(&output);
    let said = text(&output.stderr);
    let notes: Vec<&str> = said.lines().filter(|line| line.contains("health.json")).collect();
    assert_eq!(notes.len(), 1, "{said}");
    assert!(notes[0].starts_with("note: ") && notes[0].ends_with("; training goes on"), "{said}");
    assert!(said.contains("note: health, epoch "), "{said}");
}
