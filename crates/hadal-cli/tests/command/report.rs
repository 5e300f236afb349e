//! The page about a run in its folder.

use std::path::Path;

use hadal::train::RunFolder;

use crate::support::*;

const PLAN: &str = "train t.csv --target kind --epochs 3 --patience 0 --hidden 8";

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    home
}

fn page(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(RunFolder::REPORT)).unwrap()
}

/// The exact value in the page that stands first after some words.
fn value_after(page: &str, words: &str) -> f64 {
    let at = page.find(words).unwrap_or_else(|| panic!("no {words}"));
    let value = page[at..].split("value=\"").nth(1).unwrap();
    value.split('"').next().unwrap().parse().unwrap()
}

#[test]
fn a_report_has_the_numbers_of_the_summary_and_says_how_to_repeat_the_run() {
    let home = home();
    let out = home.path().join("it's a run");
    let output = hadal(home.path()).args(PLAN.split(' ')).args(["--out", "it's a run"]).output().unwrap();
    let said = succeeds(&output);
    assert!(said.ends_with("A report is in it's a run/report.html\nThe run is kept in it's a run\n"), "{said}");
    let page = page(&out);
    let summary: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.join(RunFolder::SUMMARY)).unwrap()).unwrap();
    for (name, value) in summary["test"].as_object().unwrap() {
        assert_eq!(value_after(&page, &format!("<th scope=\"row\">{name}</th>")), value.as_f64().unwrap(), "{name}");
    }
    // The interval that the command prints.
    let line = said.lines().find(|line| line.starts_with("95% confidence: ")).unwrap();
    let loss = line.split("loss ").nth(1).unwrap();
    let (low, high) = loss.split_once(" to ").unwrap();
    assert!(page.contains(&format!(">{low}</data> to <data")) && page.contains(&format!(">{high}</data>")), "{loss}");
    let settings = std::fs::read_to_string(out.join("config.toml")).unwrap();
    // Without the comments.
    let plain = |line: &str| line.split("  #").next().unwrap().replace('"', "&quot;");
    let kept: Vec<String> =
        settings.lines().filter(|line| !line.starts_with('#') && line.contains('=')).map(plain).collect();
    assert!(kept.len() > 10, "{settings}");
    kept.iter().for_each(|line| assert!(page.contains(line), "{line}"));
    let digest = summary["data"].as_str().unwrap();
    for words in [digest, "hadal train --config 'it'\\''s a run/config.toml'", "hadal verify", "300 rows", "k0", "word"]
    {
        assert!(page.contains(words), "{words}");
    }
    // Rows are told by their cells.
    assert!(page.contains(">line</th>") && page.contains(">word</th>"));
    assert!(!page.contains("<script") && !page.contains("https://"));
}

#[test]
fn the_commands_of_a_report_repeat_the_run() {
    let home = home();
    passes(home.path(), &format!("{PLAN} --out first -q"));
    let page = page(&home.path().join("first"));
    let command = page.lines().find_map(|line| line.strip_prefix("hadal train")).unwrap();
    passes(home.path(), &format!("train{command} --out second -q"));
    are_equal(&home.path().join("first"), &home.path().join("second"));
    let command = page.lines().find_map(|line| line.strip_prefix("hadal verify")).unwrap();
    passes(home.path(), &format!("verify{}", command.split('<').next().unwrap()));
}

#[test]
fn a_report_can_be_left_out_and_an_older_one_goes_with_its_run() {
    let home = home();
    let out = home.path().join("out");
    passes(home.path(), &format!("{PLAN} --out out -q"));
    assert!(out.join(RunFolder::REPORT).exists());
    let said = passes(home.path(), &format!("{PLAN} --out out --overwrite --no-report"));
    assert!(!out.join(RunFolder::REPORT).exists());
    assert!(said.ends_with("The run is kept in out\n") && !said.contains("report"), "{said}");
}

#[test]
fn members_and_the_winner_of_a_search_have_reports() {
    let home = home();
    passes(home.path(), &format!("{PLAN} --folds 2 --out folds -q"));
    for fold in ["fold-1", "fold-2"] {
        assert!(page(&home.path().join("folds").join(fold)).contains("Scores of the trained model"));
    }
    std::fs::write(home.path().join("space.toml"), "[tune.optimizer]\nlearning_rate = [0.001, 0.01]\n").unwrap();
    passes(
        home.path(),
        "tune t.csv --target kind --config space.toml --epochs 2 --hidden 4 --trials 2 --out search -q",
    );
    assert!(page(&home.path().join("search/winner")).contains("hadal verify search/winner"));
}

/// The note is the only thing that is different where the report cannot be written.
#[cfg(target_os = "linux")]
#[test]
fn a_report_for_which_the_disk_has_no_room_is_one_note() {
    let home = home();
    passes(home.path(), &format!("{PLAN} --out whole -q --no-report"));
    // No file may become larger than the other files of the run, which are small.
    let args: Vec<&str> = PLAN.split(' ').chain(["--out", "out", "-q", "--no-tensorboard"]).collect();
    let output = shell(home.path(), "ulimit -f 64; trap '' XFSZ; exec \"$@\"", &args);
    succeeds(&output);
    let notes = text(&output.stderr);
    assert!(notes.lines().count() == 1 && notes.contains("the report could not be written"), "{notes}");
    assert!(!home.path().join("out/report.html").exists());
    are_equal(&home.path().join("whole"), &home.path().join("out"));
}

#[cfg(unix)]
#[test]
fn the_report_of_an_interrupted_run_says_so_and_that_of_the_resumed_one_is_whole() {
    let home = home();
    let out = home.path().join("out");
    let plan = "train t.csv --target kind --epochs 150 --patience 0 --hidden 16 --batch-size 8 -q --out out";
    let child = begin(home.path(), plan);
    until("two epochs", || epochs_in(&out) >= 2);
    signal(&child, &["INT"]);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    let so_far = page(&out);
    assert!(so_far.contains("Training was stopped after") && so_far.contains("to be resumed"));
    passes(home.path(), "train --resume out -q");
    let whole = page(&out);
    assert!(!whole.contains("Training was stopped"));
    assert!(whole.contains("for 150 epochs.") && whole.contains("<dt>resumed</dt><dd>1 time</dd>"));
}
