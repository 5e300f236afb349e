//! The folder that a run keeps its results in.

use crate::support::*;

#[test]
fn a_folder_that_holds_a_run_is_not_overwritten_unasked() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let out = trained(home.path(), data.path());
    let before = std::fs::read(out.join("model.safetensors")).unwrap();
    let again = |extra: &[&str]| {
        let args = ["train", "--epochs", "1", "--seed", "9", "--out", "out", "--data-dir"];
        hadal(home.path()).args(args).arg(data.path()).args(extra).output().unwrap()
    };
    fails(&again(&[]), &["model.safetensors already exists", "--overwrite"]);
    assert_eq!(std::fs::read(out.join("model.safetensors")).unwrap(), before);
    succeeds(&again(&["--overwrite"]));
    assert_ne!(std::fs::read(out.join("model.safetensors")).unwrap(), before);
}

#[test]
fn an_out_folder_that_cannot_be_made_is_an_error() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    std::fs::write(home.path().join("file"), "").unwrap();
    let args = ["train", "--epochs", "1", "--out", "file/out", "--data-dir"];
    let output = hadal(home.path()).args(args).arg(data.path()).output().unwrap();
    fails(&output, &["file/out", "make the folder"]);
    // Found before the training, not after it.
    assert!(!text(&output.stdout).contains("epoch 1/1"));
}

#[test]
fn the_same_run_writes_the_same_bytes() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    for (out, threads) in [("one", "1"), ("two", "2")] {
        let args = ["train", "mnist", "--epochs", "3", "--seed", "5", "--threads", threads, "--out", out, "--data-dir"];
        succeeds(&hadal(home.path()).args(args).arg(data.path()).output().unwrap());
    }
    for file in ["model.safetensors", "history.csv"] {
        let [one, two] = ["one", "two"].map(|out| std::fs::read(home.path().join(out).join(file)).unwrap());
        assert!(one == two, "{file} differs between two runs with one seed");
    }
}

#[test]
fn mistakes_about_the_folder_are_found_before_training() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    for file in ["model.safetensors", "history.csv", "timing.csv"] {
        std::fs::create_dir_all(home.path().join("out").join(file)).unwrap();
        let args = ["train", "mnist", "--epochs", "1", "--overwrite", "--out", "out", "--data-dir"];
        let output = hadal(home.path()).args(args).arg(data.path()).output().unwrap();
        fails(&output, &[file, "is a folder"]);
        assert!(!text(&output.stdout).contains("epoch 1/1"));
        std::fs::remove_dir(home.path().join("out").join(file)).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_folder_belongs_to_one_run_and_a_killed_run_gives_it_back() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let data = data.path().to_str().unwrap();
    let train = |epochs| ["train", "mnist", "--epochs", epochs, "--overwrite", "--out", "out", "--data-dir", data];
    let mut first = start(home.path(), &train("100000"));
    while !home.path().join("out/model.safetensors").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(first.try_wait().unwrap().is_none(), "the first run has ended");
    }
    // Others that are to go there get folders of their own, also with --overwrite, and so does the process that comes third.
    let plain: Vec<&str> = train("1").into_iter().filter(|argument| *argument != "--overwrite").collect();
    for (args, own) in [(plain.clone(), "out-2"), (train("1").to_vec(), "out-3")] {
        let second = hadal(home.path()).args(args).output().unwrap();
        assert!(succeeds(&second).contains(&format!("The run is kept in {own}")), "{}", text(&second.stdout));
        let note = format!("note: out is in use by another run (process {}); this one goes into {own}\n", first.id());
        assert_eq!(text(&second.stderr), note);
        assert!(home.path().join(own).join("summary.json").exists());
    }
    let resumed = hadal(home.path()).args(["train", "--resume", "out", "--data-dir", data]).output().unwrap();
    fails(&resumed, &["out: is in use by another run", &format!("process {}", first.id()), "choose another folder"]);
    let meanwhile = hadal(home.path()).args(["evaluate", "out", "--data-dir", data]).output().unwrap();
    assert!(succeeds(&meanwhile).starts_with("mnist test: loss"));
    first.kill().unwrap();
    first.wait().unwrap();
    fails(&hadal(home.path()).args(plain).output().unwrap(), &["already exists", "--resume out", "--overwrite"]);
    succeeds(&hadal(home.path()).args(train("1")).output().unwrap());
}

#[test]
fn runs_that_begin_at_the_same_moment_never_share_a_folder() {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    let line = "train t.csv --target kind --epochs 300 --patience 0";
    let together = |lines: [&str; 4]| {
        let children = lines.map(|line| begin(home.path(), line));
        let outputs = children.map(|child| child.wait_with_output().unwrap());
        let mut kept = outputs.map(|output| {
            let printed = succeeds(&output);
            printed.lines().last().unwrap().strip_prefix("The run is kept in ").unwrap().to_owned()
        });
        kept.sort();
        kept
    };
    let kept = together([line; 4]);
    let first = kept[0].clone();
    assert_eq!(kept, ["", "-2", "-3", "-4"].map(|end| format!("{first}{end}")));
    let chosen = format!("{line} --out new/out");
    let kept = together([&chosen; 4]);
    assert_eq!(kept, ["", "-2", "-3", "-4"].map(|end| format!("new/out{end}")));
    for folder in kept.iter().chain([&first]) {
        are_equal(&home.path().join(&first), &home.path().join(folder));
    }
    // Several seeds in one folder go on with what is there, so that they are refused.
    let several = "train t.csv --target kind --epochs 1000000 --patience 0 --seeds 2 --out s -q";
    let mut child = start(home.path(), &several.split_whitespace().collect::<Vec<_>>());
    until("an epoch", || epochs_in(&home.path().join("s/seed-1")) > 0);
    fails(&run(home.path(), several), &["s: is in use by another run", &format!("process {}", child.id())]);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Kills runs that replace each other's results, and looks at what they leave and what the next command makes of it.
#[cfg(unix)]
#[test]
fn a_kill_at_any_instant_never_mixes_epochs_or_runs() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let (out, data) = (home.path().join("out"), data.path().to_str().unwrap());
    fn train<'a>(data: &'a str, epochs: &'a str, seed: &'a str) -> Vec<&'a str> {
        let args = ["train", "mnist", "--batch-size", "300", "--overwrite", "--out", "out", "--data-dir", data];
        [&args[..], &["--epochs", epochs, "--seed", seed]].concat()
    }
    let mut random = hadal::Rng::new(11);
    let mut restored = 0;
    for run in 0..25 {
        let seed = run.to_string();
        let mut child = start(home.path(), &train(data, "100000", &seed));
        std::thread::sleep(std::time::Duration::from_millis(40 + random.below(160)));
        child.kill().unwrap();
        child.wait().unwrap();
        if !out.join("model.safetensors").exists() {
            continue;
        }
        let history = |notes: &std::collections::BTreeMap<String, String>| notes["hadal.history"].clone();
        let notes = notes(&out);
        let last = history(&notes).lines().last().unwrap().to_owned();
        assert!(last.starts_with(&format!("{},", notes["hadal.epoch"])), "{last}");
        // A history that is there is the model's.
        match std::fs::read_to_string(out.join("history.csv")) {
            Ok(found) => assert_eq!(found, history(&notes)),
            Err(_) => restored += 1,
        }
        let next = match run % 3 {
            0 => succeeds(&hadal(home.path()).args(["evaluate", "out", "--data-dir", data]).output().unwrap()),
            1 => {
                let args = ["train", "mnist", "--out", "out", "--data-dir", data];
                let refused = hadal(home.path()).args(args).output().unwrap();
                fails(&refused, &["already exists"]);
                String::new()
            }
            // The next training run restores, too, but then goes on.
            _ => continue,
        };
        assert!(next.is_empty() || next.starts_with("mnist test: loss"), "{next}");
        assert_eq!(std::fs::read_to_string(out.join("history.csv")).unwrap(), history(&notes));
    }
    println!("{restored} histories were missing after a kill");
    succeeds(&hadal(home.path()).args(train(data, "1", "1")).output().unwrap());
    let mut left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    // Of all these runs, the last one's.
    let (events, left): (Vec<_>, Vec<_>) =
        left.into_iter().partition(|name| name.to_string_lossy().starts_with("events.out.tfevents."));
    assert_eq!(events.len(), 1, "{events:?}");
    let kept = [
        "checkpoint.safetensors",
        "config.toml",
        "data.sha256",
        "health.json",
        "history.csv",
        "model.safetensors",
        "report.html",
        "summary.json",
        "timing.csv",
    ];
    assert_eq!(left, [&[".hadal.lock"], &kept[..]].concat());
}

#[test]
fn a_history_that_a_killed_run_did_not_write_is_restored_with_a_note() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let out = trained(home.path(), data.path());
    let path = out.join("history.csv");
    let history = std::fs::read_to_string(&path).unwrap();
    write_png(&home.path().join("image.png"), 28, 28, 0);
    std::fs::remove_file(&path).unwrap();
    let output = hadal(home.path()).args(["predict", "out", "image.png"]).output().unwrap();
    succeeds(&output);
    let note = text(&output.stderr);
    assert!(note.starts_with("note: ") && note.contains("restored from the model"), "{note}");
    assert_eq!(note.lines().count(), 1);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), history);
    let again = hadal(home.path()).args(["predict", "out", "image.png"]).output().unwrap();
    succeeds(&again);
    assert!(again.stderr.is_empty(), "{}", text(&again.stderr));
}
