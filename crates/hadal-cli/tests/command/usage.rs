//! What the command does, and what its flags mean.

use crate::support::*;

#[test]
fn train_evaluate_and_predict_work_together() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let args = ["train", "--epochs", "8", "--batch-size", "32", "--seed", "3", "--out", "out", "--data-dir"];
    let output = succeeds(&hadal(home.path()).args(args).arg(data.path()).output().unwrap());
    for words in
        ["Dense (relu)", "669,706", "Training on mnist: 300 images, 100 to test, seed 3", "mnist epoch 8/8  loss"]
    {
        assert!(output.contains(words), "{output}");
    }
    let last = output.lines().find(|line| line.starts_with("mnist test: loss")).unwrap().to_owned();
    assert!(last.ends_with("accuracy 100.00%"), "stripes are easy: {last}");
    let history = std::fs::read_to_string(home.path().join("out/history.csv")).unwrap();
    assert!(history.starts_with("epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,dataset\n1,"));
    assert_eq!(history.lines().count(), 9);

    let evaluated = hadal(home.path()).args(["evaluate", "out", "--data-dir"]).arg(data.path()).output().unwrap();
    assert_eq!(succeeds(&evaluated).lines().next(), Some(&*last));

    // Stripe 4 of ten, light on dark; and dark on light.
    let stripe = |light: u8, dark: u8| {
        let pixels: Vec<u8> = (0..784).map(|i| if i / 79 == 4 { light } else { dark }).collect();
        hadal::Tensor::from_vec(pixels, [28, 28])
    };
    hadal::format::image::write_png(&home.path().join("four.png"), &stripe(200, 30)).unwrap();
    hadal::format::image::write_png(&home.path().join("dark.png"), &stripe(55, 225)).unwrap();
    let output = succeeds(&hadal(home.path()).args(["predict", "out", "four.png", "four.png"]).output().unwrap());
    assert_eq!(output.lines().count(), 3);
    assert!(output.starts_with("file      class  probability\nfour.png  4 "), "{output}");
    let inverted =
        hadal(home.path()).args(["predict", "--invert", "out/model.safetensors", "dark.png"]).output().unwrap();
    assert!(succeeds(&inverted).contains("\ndark.png  4 "));
    let puzzled = hadal(home.path()).args(["predict", "out", "dark.png"]).output().unwrap();
    assert!(text(&puzzled.stderr).contains("--invert"));
}

#[test]
fn the_same_seed_prints_the_same_numbers_on_any_number_of_threads() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let run = |extra: &[&str]| {
        let args = ["train", "mnist", "--epochs", "2", "--quiet", "--data-dir"];
        succeeds(&hadal(home.path()).args(args).arg(data.path()).args(extra).output().unwrap())
    };
    let one = run(&["--threads", "1"]);
    assert_eq!(one.lines().count(), 1, "--quiet prints the result alone: {one}");
    assert_eq!(one, run(&["--threads", "2"]));
    assert_eq!(run(&["--precision", "medium", "--threads", "1"]), run(&["--precision", "medium", "--threads", "2"]));
    assert_eq!(one, run(&["--no-cuda", "--test-batch-size", "7"]));
    assert_ne!(one, run(&["--seed", "2"]));
    for other in [
        &["--optimizer", "sgd", "--momentum", "0.5", "--lr", "0.1"][..],
        &["--optimizer", "adam"],
        &["--schedule", "cosine"],
    ] {
        assert_ne!(one, run(other), "{other:?}");
    }
}

#[test]
fn log_interval_prints_a_line_every_few_batches() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let args = ["train", "mnist", "--epochs", "1", "--batch-size", "32", "--log-interval", "3", "--data-dir"];
    let output = succeeds(&hadal(home.path()).args(args).arg(data.path()).output().unwrap());
    let lines: Vec<&str> =
        output.lines().filter(|line| line.contains('[')).filter(|line| line.contains("epoch")).collect();
    assert_eq!(lines.len(), 3, "{output}");
    assert!(lines[0].starts_with("mnist epoch 1/1 [96/300 (32%)]  loss "), "{}", lines[0]);
}

#[test]
fn without_mnist_the_built_in_digits_are_trained_on_and_named_everywhere() {
    let home = tempfile::tempdir().unwrap();
    let args = ["train", "--epochs", "1", "--batch-size", "500", "--out", "out"];
    let output = hadal(home.path()).args(args).output().unwrap();
    let notes = text(&output.stderr);
    let printed = succeeds(&output);
    assert!(notes.contains("MNIST is not available"), "{notes}");
    assert_eq!(notes.lines().count(), 2, "{notes}");
    assert!(notes.contains("tried") && notes.contains("cache") && notes.contains("--data-dir"), "{notes}");
    assert!(printed.contains("Training on digits: 60000 images"), "{printed}");
    assert!(printed.contains("digits epoch 1/1") && printed.contains("digits test: loss"), "{printed}");
    let history = std::fs::read_to_string(home.path().join("out/history.csv")).unwrap();
    assert!(history.lines().nth(1).unwrap().ends_with(",digits"), "{history}");
    let evaluated = succeeds(&hadal(home.path()).args(["evaluate", "out"]).output().unwrap());
    assert_eq!(printed.lines().find(|line| line.starts_with("digits test")), evaluated.lines().next());

    let named = hadal(home.path()).args(["train", "mnist"]).output().unwrap();
    fails(&named, &["mnist is not available", "tried", "--data-dir"]);
    assert!(named.stdout.is_empty());
}

#[test]
fn flags_that_cannot_work_are_refused_with_advice() {
    let home = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &[&str]); 30] = [
        (&["--precision", "low"], &["'low'", "--precision", "highest, high, medium"]),
        (&["--batch-size", "0"], &["'0'", "--batch-size", "at least 1"]),
        (&["--batch-size", "many"], &["'many'", "whole number"]),
        (&["--test-batch-size", "0"], &["--test-batch-size", "at least 1"]),
        (&["--epochs", "-3"], &["'-3'", "--epochs", "at least 1"]),
        (&["--threads", "-1"], &["'-1'", "--threads", "at least 1"]),
        (&["--seed", "-1"], &["'-1'", "--seed", "whole number from 0"]),
        (&["--seed", "abc"], &["'abc'", "--seed", "whole number from 0"]),
        (&["--patience", "-1"], &["'-1'", "--patience", "whole number from 0"]),
        (&["--patience", "1.5"], &["'1.5'", "--patience", "whole number from 0"]),
        (&["--hidden", "-1,2"], &["'-1,2'", "--hidden", "128,64, or none"]),
        (&["--split", "-70/15/15"], &["'-70/15/15'", "--split", "not to 100"]),
        (&["--time-limit", "-5s"], &["'-5s'", "--time-limit"]),
        (&["--checkpoint-every", "-5s"], &["'-5s'", "--checkpoint-every", "30s or 5m"]),
        (&["--epochs", "0"], &["--epochs", "at least 1"]),
        (&["--threads", "0"], &["--threads", "at least 1 and at most 256"]),
        (&["--threads", "257"], &["'257'", "at least 1 and at most 256"]),
        (&["--threads", "18446744073709551615"], &["'18446744073709551615'", "at most 256"]),
        (&["--threads", "abc"], &["'abc'", "--threads", "whole number", "at most 256"]),
        (&["--epochs", "18446744073709551615"], &["'18446744073709551615'", "at most 4294967295"]),
        (&["--lr", "nan"], &["'nan'", "--lr", "positive, finite"]),
        (&["--lr", "-0.1"], &["'-0.1'", "positive, finite"]),
        (&["--lr", "inf"], &["'inf'", "positive, finite"]),
        (&["--momentum", "1"], &["--momentum", "below 1"]),
        (&["--epoch", "3"], &["--epoch", "'--epochs'"]),
        (&["--optimizer", "rmsprob"], &["'rmsprob'", "rmsprop"]),
        (&["mnits"], &["no file or folder mnits", "did you mean mnist?"]),
        (&["digits", "--optimizer", "adam", "--momentum", "0.9"], &["--momentum cannot be used with adam"]),
        (&["digits", "--split", "70/15/15"], &["test part of its own", "--split 85/0/15"]),
        (&["digits", "--device", "cuda"], &["no GPU support yet", "--device cpu"]),
    ];
    for (flags, words) in cases {
        fails(&hadal(home.path()).arg("train").args(flags).output().unwrap(), words);
    }
    fails(&hadal(home.path()).arg("trian").output().unwrap(), &["'trian'", "'train'"]);
    assert!(text(&hadal(home.path()).output().unwrap().stderr).contains("Usage"));
}

/// A wrong variable is noted by whoever asks it, and so is not asked where the flag is given.
#[test]
fn every_command_that_computes_takes_a_number_of_threads() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    write_table(at);
    std::fs::write(
        at.join("s.toml"),
        "[data]\nsource = \"t.csv\"\ntarget = \"kind\"\n[training]\nepochs = 2\n[tune]\nmodel.dropout = [0.0, 0.1]\n",
    )
    .unwrap();
    let with = |line: &str| hadal(at).args(line.split_whitespace()).env("HADAL_NUM_THREADS", "none").output().unwrap();
    for line in [
        "train t.csv --target kind --epochs 2 -q --out out",
        "tune --config s.toml --trials 2 -q --out OUT",
        "evaluate out",
        "predict out t.csv",
        "explain out t.csv --repeats 1",
        "verify out",
    ] {
        let one = with(&format!("{} --threads 1", line.replace("OUT", "one")));
        let printed = succeeds(&one);
        assert_eq!(text(&one.stderr).matches("HADAL_NUM_THREADS").count(), 0, "{line}: {}", text(&one.stderr));
        if !line.starts_with("train") {
            let default = with(&line.replace("OUT", "two"));
            assert_eq!(succeeds(&default).replace("two", "one"), printed, "{line}");
            assert!(text(&default.stderr).contains("HADAL_NUM_THREADS is none"), "{line}");
        }
        fails(&run(at, &format!("{line} --threads -1")), &["'-1'", "--threads", "at least 1 and at most 256"]);
    }
}

#[test]
fn help_and_version_are_there_for_each_command() {
    let home = tempfile::tempdir().unwrap();
    for (command, words) in [
        ("train", "A table needs --target"),
        ("tune", "successive halving"),
        ("init", "give it to `train` or `tune` with --config"),
        ("runs", "the settings that differ"),
        ("verify", "the exit status is then 1"),
        ("dashboard", "127.0.0.1"),
        ("evaluate", "holdout part"),
        ("predict", "a row for each sample"),
        ("explain", "permutation importance"),
    ] {
        let help = passes(home.path(), &format!("{command} --help"));
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(words) && help.contains("Examples:"), "{command}: {help}");
        assert_eq!(help.contains("--threads"), !["init", "runs", "dashboard"].contains(&command), "{command}");
        let version = passes(home.path(), &format!("{command} --version"));
        assert!(version.trim_end().ends_with(env!("CARGO_PKG_VERSION")), "{version}");
    }
    let all = passes(home.path(), "--help");
    assert!(all.contains("verify     Train a run again, and say whether the result is the same\n"), "{all}");
}

#[test]
fn help_names_every_flag_and_its_default() {
    let home = tempfile::tempdir().unwrap();
    let help = succeeds(&hadal(home.path()).args(["train", "--help"]).output().unwrap());
    for flag in [
        "--epochs",
        "--batch-size",
        "--test-batch-size",
        "--lr",
        "--momentum",
        "--seed",
        "--log-interval",
        "--no-cuda",
        "--optimizer",
        "--schedule",
        "--data-dir",
        "--threads",
        "--precision",
        "--out",
        "--quiet",
        "--target",
        "--hidden",
        "--config",
        "[default: 20 for MNIST",
        "[default: 128 for MNIST",
        "Examples:",
    ] {
        assert!(help.contains(flag), "{help}");
    }
}

#[test]
fn json_lines_say_what_happens_and_nothing_else_is_printed() {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    let line = "train t.csv --target kind --epochs 3 --log-json --out out";
    let printed = passes(home.path(), line);
    let lines: Vec<serde_json::Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["train_begin", "epoch", "epoch", "epoch", "train_end", "test", "end"]);
    let history = std::fs::read_to_string(home.path().join("out/history.csv")).unwrap();
    let last = history.lines().last().unwrap().split(',').nth(1).unwrap();
    assert_eq!(lines[3]["loss"].as_f64().unwrap(), last.parse::<f64>().unwrap());
    assert_eq!((&lines[3]["epoch"], &lines[3]["step"]), (&3.into(), &lines[4]["step"]));
    let scores: serde_json::Value =
        serde_json::from_slice(&std::fs::read(home.path().join("out/summary.json")).unwrap()).unwrap();
    assert_eq!(lines[5]["scores"], scores["test"]);
    assert_eq!(lines[6]["folder"], "out");
    for other in ["--quiet", "--seeds 2", "--log-interval 3"] {
        fails(&run(home.path(), &format!("{line} {other}")), &["cannot be used with"]);
    }
}
