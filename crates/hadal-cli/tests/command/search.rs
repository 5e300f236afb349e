//! Cross-validation, several seeds, and the search for good settings.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{fails, hadal, start, succeeds, text};

fn run(home: &Path, line: &str) -> std::process::Output {
    hadal(home).args(line.split_whitespace()).output().unwrap()
}

#[track_caller]
fn passes(home: &Path, line: &str) -> String {
    succeeds(&run(home, line))
}

/// Ninety rows of three classes that overlap, and `t.toml` with ranges.
fn table() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let row = |i: usize| {
        let class = i % 3;
        format!("k{class},{:.3},{:.3}\n", class as f64 + (i * 31 % 90) as f64 / 40.0, (i * 17 % 90) as f64 / 90.0)
    };
    let rows: String = (0..90).map(row).collect();
    std::fs::write(home.path().join("t.csv"), format!("kind,a,b\n{rows}")).unwrap();
    tune(
        home.path(),
        "optimizer.learning_rate = { min = 0.001, max = 0.1, log = true }\nmodel.hidden = [[4], [16], [8, 8]]\n",
    );
    home
}

fn tune(home: &Path, ranges: &str) {
    let text = format!("[data]\nsource = \"t.csv\"\ntarget = \"kind\"\n[training]\nepochs = 9\n[tune]\n{ranges}");
    std::fs::write(home.join("t.toml"), text).unwrap();
}

fn bytes(home: &Path, name: &str) -> Vec<u8> {
    std::fs::read(home.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn folds_test_every_row_once_and_end_as_alone() {
    let home = table();
    let line = "train t.csv --target kind --epochs 4 --folds 3 --split 80/10/10";
    let printed = passes(home.path(), &format!("{line} --out f -q"));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 4, "{printed}");
    assert!(lines[0].starts_with("fold 1 of 3: loss ") && lines[2].starts_with("fold 3 of 3: loss "), "{printed}");
    assert!(lines[3].contains("mean and standard deviation of 3 folds: loss ") && lines[3].contains('±'), "{printed}");
    // In any number of threads, and alone.
    let single = passes(home.path(), &format!("{line} --no-out -q --threads 1"));
    assert_eq!(printed, single);
    passes(home.path(), "train --config f/fold-2/config.toml --out alone -q");
    assert!(bytes(home.path(), "alone/model.safetensors") == bytes(home.path(), "f/fold-2/model.safetensors"));
    let judged = passes(home.path(), "evaluate f/fold-2");
    assert_eq!(judged.lines().next().unwrap().split_once("loss").unwrap().1, lines[1].split_once("loss").unwrap().1);
    // The holdout part is nine rows in each; the folds divide the others.
    let samples = |fold: usize| -> Vec<u64> {
        let summary = bytes(home.path(), &format!("f/fold-{fold}/summary.json"));
        let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
        summary["samples"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect()
    };
    assert_eq!([samples(1), samples(2), samples(3)], [[54, 27, 9]; 3]);
    assert_eq!(text(&bytes(home.path(), "f/scores.csv")).lines().count(), 4);
    // Once more, nothing is left to train.
    let summary = bytes(home.path(), "f/fold-2/summary.json");
    let again = run(home.path(), &format!("{line} --out f -q"));
    assert_eq!(text(&again.stdout), printed);
    assert!(bytes(home.path(), "f/fold-2/summary.json") == summary);
    fails(
        &run(home.path(), &format!("{line} --out f --batch-size 7")),
        &["fold-1 holds a run with other settings", "training.batch_size was", "not 7", "--overwrite"],
    );
    fails(&run(home.path(), &line.replace("--folds 3", "--folds 4 --out f")), &["split.folds was 3, not 4"]);
    assert!(!home.path().join("f/fold-4").exists());
    fails(
        &run(home.path(), &format!("{} --out f --overwrite", line.replace("--folds 3", "--folds 2"))),
        &["fold-3", "none of these"],
    );
    fails(&run(home.path(), "train --config f/fold-2/config.toml --folds 3"), &["folds = 3", "leave one out"]);
    fails(&run(home.path(), &format!("{line} --order a")), &["order says which rows are tested"]);
    fails(&run(home.path(), "train t.csv --target kind --folds 1"), &["--folds", "at least 2"]);
    fails(&run(home.path(), "train t.csv --target kind --folds 200"), &["200"]);
}

#[test]
fn seeds_share_their_parts_and_end_as_alone() {
    let home = table();
    let printed = passes(home.path(), "train t.csv --target kind --epochs 3 --seeds 3 --seed 5 --out s -q");
    assert!(printed.starts_with("seed 5: loss ") && printed.contains("of 3 seeds: loss "), "{printed}");
    passes(home.path(), "train --config s/seed-6/config.toml --out alone -q");
    assert!(bytes(home.path(), "alone/model.safetensors") == bytes(home.path(), "s/seed-6/model.safetensors"));
    let runs = passes(home.path(), "runs s");
    assert!(runs.contains("3 runs that differ in the seed alone: seed-5, seed-6, seed-7"), "{runs}");
    assert!(!runs.contains("split.seed"), "the parts are the same: {runs}");
}

#[test]
fn a_search_ends_the_same_with_any_number_of_workers_and_judges_its_winner_once() {
    let home = table();
    let line = "tune --config t.toml --trials 9";
    let two = run(home.path(), &format!("{line} --out two --workers 2"));
    let printed = succeeds(&two);
    for words in
        ["rung 1 of", "The best trials", "setting", "optimizer.learning_rate", "Winner: trial ", "t.csv holdout: loss"]
    {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    passes(home.path(), &format!("{line} --out one --workers 1"));
    for name in ["trials.csv", "winner/model.safetensors", "winner/history.csv"] {
        assert!(bytes(home.path(), &format!("one/{name}")) == bytes(home.path(), &format!("two/{name}")), "{name}");
    }
    assert_eq!(text(&bytes(home.path(), "one/trials.csv")).lines().count(), 10);
    let runs = passes(home.path(), "runs one");
    assert!(runs.contains("\nwinner ") && !runs.contains("trials"), "{runs}");
    // Once more: nothing runs again, and the holdout part is not looked at again.
    let again = passes(home.path(), &format!("{line} --out two"));
    let judged =
        |printed: &str| printed.lines().find(|line| line.starts_with("t.csv holdout: loss ")).unwrap().to_owned();
    assert_eq!(judged(&again), format!("{} (at the first look, when the search ended)", judged(&printed)));
    assert_eq!(text(&bytes(home.path(), "two/winner/holdout.csv")).lines().count(), 2);
    // The winner's settings give the winner.
    passes(home.path(), "train --config two/winner/config.toml --out alone -q");
    assert!(bytes(home.path(), "alone/model.safetensors") == bytes(home.path(), "two/winner/model.safetensors"));
    fails(&run(home.path(), &format!("{line} --out two --seed 2")), &["two", "seed"]);
    fails(&run(home.path(), &format!("{line} --out two --epochs 12")), &["two", "epochs"]);
    fails(
        &run(home.path(), &format!("{line} --out two --batch-size 7")),
        &["the setting training.batch_size was ", ", and is 7;"],
    );
    std::fs::write(home.path().join("t.csv"), text(&bytes(home.path(), "t.csv")).replacen("k1", "k2", 1)).unwrap();
    fails(&run(home.path(), &format!("{line} --out two")), &["two", "the data has changed: its SHA-256 was "]);
    // A folder of several runs is none.
    for command in ["evaluate two", "verify two", "predict two t.csv", "explain two t.csv"] {
        fails(
            &run(home.path(), command),
            &["two: is the folder of a search, not of a run; give its best run, two/winner"],
        );
    }
}

#[test]
fn a_search_that_is_killed_goes_on_to_the_same_winner() {
    let home = table();
    let line = "tune --config t.toml --trials 12 --epochs 60 -q";
    passes(home.path(), &format!("{line} --out whole"));
    let args: Vec<&str> = line.split_whitespace().chain(["--out", "killed"]).collect();
    for delay in [20, 60, 120] {
        let mut child = start(home.path(), &args);
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
    }
    passes(home.path(), &format!("{line} --out killed"));
    for name in ["trials.csv", "winner/model.safetensors", "winner/history.csv"] {
        assert!(
            bytes(home.path(), &format!("whole/{name}")) == bytes(home.path(), &format!("killed/{name}")),
            "{name}"
        );
    }
}

#[test]
fn members_that_are_killed_go_on_to_the_same_bits() {
    let home = table();
    for (kind, names) in [("--seeds 3", ["seed-1", "seed-2", "seed-3"]), ("--folds 3", ["fold-1", "fold-2", "fold-3"])]
    {
        let line = format!("train t.csv --target kind --epochs 120 --patience 0 {kind} --checkpoint-every 20 -q");
        let whole = passes(home.path(), &format!("{line} --out whole --overwrite"));
        let _ = std::fs::remove_dir_all(home.path().join("killed"));
        let args: Vec<&str> = line.split_whitespace().chain(["--out", "killed"]).collect();
        for delay in [40, 80, 160] {
            let mut child = start(home.path(), &args);
            std::thread::sleep(Duration::from_millis(delay));
            let _ = child.kill();
            child.wait().unwrap();
        }
        assert_eq!(passes(home.path(), &format!("{line} --out killed")), whole);
        for name in names {
            for file in ["model.safetensors", "last.safetensors", "history.csv", "health.json", "config.toml"] {
                let [a, b] = ["whole", "killed"].map(|at| bytes(home.path(), &format!("{at}/{name}/{file}")));
                assert!(a == b, "{name}/{file}");
            }
        }
        assert!(bytes(home.path(), "whole/scores.csv") == bytes(home.path(), "killed/scores.csv"));
        std::fs::remove_dir_all(home.path().join("whole")).unwrap();
    }
}

#[test]
fn a_trial_has_the_defaults_that_belong_to_its_own_values() {
    let home = table();
    let rate = |folder: &str| {
        let config = text(&bytes(home.path(), &format!("{folder}/config.toml")));
        config.lines().find(|line| line.starts_with("learning_rate")).unwrap().to_owned()
    };
    tune(home.path(), "optimizer.name = [\"sgd\"]\n");
    passes(home.path(), "tune --config t.toml --trials 1 --epochs 2 --out tuned -q");
    passes(home.path(), "train t.csv --target kind --optimizer sgd --epochs 2 --out sgd -q");
    passes(home.path(), "train t.csv --target kind --epochs 2 --out other -q");
    assert_eq!(rate("tuned/winner"), rate("sgd"));
    assert_ne!(rate("tuned/winner"), rate("other"), "the test needs optimizers with other defaults");
}

#[test]
fn ranges_that_cannot_be_searched_are_refused() {
    let home = table();
    for (ranges, words) in [
        ("", &["[tune]"][..]),
        ("optimizer.learning_rate = { min = 0.1, max = 0.01 }", &["min must be below max"]),
        ("model.hidden = []", &["nothing to choose from"]),
        ("training.epochs = [3, 4]", &["epochs"]),
        ("training.monitor = [\"val_loss\", \"val_accuracy\"]", &["training.monitor cannot be tried", "one number"]),
        ("training.seed = [1, 2]", &["training.seed cannot be tried", "--seeds"]),
        ("training.precision = [\"high\"]", &["training.precision cannot be tried"]),
        ("training.time_limit = [\"1s\", \"2s\"]", &["time_limit cannot be tried", "speed"]),
        ("model.l2 = [0.0, 0.1]", &["model.l2 changes what val_loss means", "--monitor val_accuracy"]),
        ("loss.label_smoothing = [0.0, 0.1]", &["loss.label_smoothing changes", "val_loss"]),
        ("optimizer.learning_rat = [0.1]", &["did you mean `learning_rate`?"]),
    ] {
        tune(home.path(), ranges);
        fails(&run(home.path(), "tune --config t.toml --trials 2 --out x"), words);
    }
    tune(home.path(), "model.dropout = [0.0, 0.1]");
    fails(&run(home.path(), "tune --config t.toml --time-limit 5s"), &["depend on the machine's speed"]);
    fails(&run(home.path(), "tune --config t.toml --min-epochs 99"), &["99 epochs", "9"]);
    fails(&run(home.path(), "tune --config t.toml --trials 0"), &["--trials", "at least 1"]);
    fails(&run(home.path(), "tune --config t.toml --workers 0"), &["--workers", "at least 1"]);
}
