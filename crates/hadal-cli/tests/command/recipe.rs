//! `train --recipe`: several networks and their vote.

#![cfg(unix)]

use std::path::Path;

use hadal::train::{RunFolder, TrainingState};

use crate::support::*;

/// One epoch of three steps on 300 images for each network.
fn line(data: &Path, rest: &str) -> String {
    format!("train mnist --recipe best --epochs 1 --data-dir {} {rest}", data.display())
}

/// The names of the networks in a folder.
fn networks(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("network-")).collect();
    names.sort();
    names
}

#[test]
fn a_recipe_that_is_killed_goes_on_to_the_same_bytes_and_its_vote_is_a_model() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let (at, data) = (home.path(), data.path());
    let [whole, cut] = ["whole", "cut"].map(|name| at.join(name));
    let said = passes(at, &line(data, "--out whole"));
    let names = networks(&whole);
    assert!(names.len() >= 3, "{names:?}");
    for words in ["network-1, epoch 1 of 1: loss", "standard deviation of", "mnist test, vote of", "of 100 wrong)"] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }

    // Killed in the first network, and then where one has ended.
    let killed = |is_so: &dyn Fn() -> bool| {
        let mut child = begin(at, &line(data, "--threads 1 --checkpoint-every 1 --out cut"));
        until("a checkpoint", is_so);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!cut.join("model.safetensors").exists(), "it had ended");
    };
    let checkpoint = |name: &str| TrainingState::load(cut.join(name).join(RunFolder::CHECKPOINT)).ok();
    killed(&|| checkpoint("network-1").is_some_and(|state| state.steps() >= 1));
    killed(&|| checkpoint("network-2").is_some_and(|state| state.steps() >= 2));
    fails(&run(at, "evaluate cut"), &["vote is missing", "the same hadal train --recipe command"]);
    passes(at, &line(data, "--threads 2 -q --out cut"));
    names.iter().for_each(|name| are_equal(&whole.join(name), &cut.join(name)));
    for name in ["model.safetensors", "scores.csv"] {
        let [one, other] = [&whole, &cut].map(|folder| std::fs::read(folder.join(name)).unwrap());
        assert!(one == other, "{name} differs");
    }
    // Once more, with nothing left to train.
    let before = std::fs::read(cut.join("model.safetensors")).unwrap();
    passes(at, &line(data, "-q --out cut"));
    assert!(before == std::fs::read(cut.join("model.safetensors")).unwrap());

    // The vote is a model like any other.
    let data = data.display();
    let score = said.lines().find(|line| line.contains("vote of")).unwrap().split_once(": ").unwrap().1;
    let evaluated = passes(at, &format!("evaluate whole --data-dir {data}"));
    assert!(evaluated.contains(score.split(" (").next().unwrap()), "{score} is not in {evaluated}");
    write_png(&at.join("digit.png"), 28, 28, 7);
    passes(at, "predict whole digit.png");
    let runs = passes(at, "runs whole");
    assert!(names.iter().all(|name| runs.contains(name.as_str())), "{runs}");
    let report = std::fs::read_to_string(whole.join("report.html")).unwrap();
    assert!(report.contains("--recipe best --seed 1 --epochs 1") && report.contains("id=\"mistakes\""));
    let verified = passes(at, &format!("verify cut --data-dir {data}"));
    assert!(verified.contains("The vote is that of these networks, to the last bit"), "{verified}");
    // Another network in the place of one.
    std::fs::remove_dir_all(cut.join("network-1")).unwrap();
    copy_folder(&cut.join("network-2"), &cut.join("network-1"));
    let verified = run(at, &format!("verify cut --data-dir {data}"));
    assert!(!verified.status.success());
    assert!(text(&verified.stdout).contains("The vote is not that of these networks"), "{}", text(&verified.stdout));
}

#[test]
fn what_contradicts_a_recipe_is_refused() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let (at, data) = (home.path(), data.path());
    write_table(at);
    std::fs::write(at.join("run.toml"), "[data]\nsource = \"mnist\"\n[model]\ndropout = 0.5\n").unwrap();
    for (line, words) in [
        ("train t.csv --target kind --recipe best", &["--recipe best is for mnist, not for t.csv"][..]),
        ("train digits --recipe best", &["for mnist, not for digits"]),
        ("train --recipe best --hidden 16", &["model.hidden = [16]", "leave it out"]),
        ("train --recipe best --lr 0.1", &["optimizer.learning_rate = 0.1"]),
        ("train --config run.toml --recipe best", &["model.dropout = 0.5"]),
        ("train --recipe best --seed 1000000000000000000", &["--seed 1000000000000000000 is too large"]),
        ("train --recipe best --folds 3", &["--recipe", "--folds"]),
        ("train --recipe best --no-out", &["--recipe", "--no-out"]),
        ("train --recipe good", &["good", "best"]),
    ] {
        let before = files_below(at);
        fails(&run(at, &format!("{line} --data-dir {}", data.display())), words);
        assert_eq!(files_below(at), before, "{line} left files");
    }
    // Without the images of MNIST, others do not stand in.
    fails(&run(at, "train --recipe best --out out"), &["mnist is not available"]);
    // A folder of something else.
    passes(at, "train t.csv --target kind --epochs 1 -q --out other");
    fails(&run(at, &line(data, "--out other")), &["other holds a run that is none of these"]);
}
