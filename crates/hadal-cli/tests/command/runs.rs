//! `hadal runs`, `hadal verify`, time limits, looks at the holdout part, and folders that change hands.

use std::path::Path;

use hadal::format::safetensors;

use crate::support::*;

const PLAN: &str = "train t.csv --target kind --epochs 4 --patience 0 --hidden 8 -q";

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    home
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    let before = std::fs::read_to_string(path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "{}", path.display());
    std::fs::write(path, after).unwrap();
}

/// Changes one cell of the table, whose size stays the same.
fn change_a_cell(home: &Path) {
    edit(&home.join("t.csv"), |table| {
        let place = table.find("\nk0,").unwrap() + 4;
        let digit = if table[place..].starts_with('1') { "0" } else { "1" };
        format!("{}{digit}{}", &table[..place], &table[place + 1..])
    });
}

#[test]
fn verify_says_that_all_is_the_same_or_what_is_not() {
    let home = home();
    let at = home.path();
    passes(at, &format!("{PLAN} --threads 2 --out out"));
    let same = passes(at, "verify out --threads 1");
    for line in
        ["The data is the same", "The history is the same", "The weights are the same", "The scores are the same"]
    {
        assert!(same.contains(line), "{same}");
    }
    let differs = |words: &[&str]| {
        let output = run(at, "verify out");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let printed = text(&output.stdout);
        words.iter().for_each(|word| assert!(printed.contains(word), "{printed} does not say {word}"));
        assert_eq!(printed.matches(" differ").count(), 1, "{printed}");
    };
    let history = at.join("out/history.csv");
    let (text_before, model) = (std::fs::read_to_string(&history).unwrap(), at.join("out/model.safetensors"));
    edit(&history, |text| text.replacen("\n3,", "\n3,9", 1));
    differs(&[
        "The history differs: line 4 was `3,9",
        "and is `3,",
        "The weights are the same",
        "The scores are the same",
    ]);
    std::fs::write(&history, text_before).unwrap();
    let (tensors, notes) = safetensors::load(&model).unwrap();
    let changed: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| {
            let mut values = tensor.to_vec::<f32>();
            if name == "layers.0.weight" {
                values[5] = f32::from_bits(values[5].to_bits() ^ 1);
            }
            (name.clone(), hadal::Tensor::from_vec(values, tensor.shape()))
        })
        .collect();
    safetensors::save(&model, &changed, notes.clone()).unwrap();
    differs(&["The weights differ: model.safetensors: `layers.0.weight`, element 5, was ", "The history is the same"]);
    let whole: Vec<_> = tensors.into_iter().collect();
    safetensors::save(&model, &whole, notes).unwrap();
    let summary = at.join("out/summary.json");
    edit(&summary, |text| text.replacen("\"accuracy\": 0.", "\"accuracy\": 0.1", 1));
    differs(&["The scores differ: accuracy was 0.1", "The weights are the same"]);
}

#[test]
fn verify_names_both_digests_of_data_that_has_changed_and_refuses_what_has_not_ended() {
    let home = home();
    let at = home.path();
    passes(at, &format!("{PLAN} --out out"));
    change_a_cell(at);
    let output = run(at, "verify out");
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    assert!(
        printed.starts_with("The data is not the same: its SHA-256 was ") && printed.contains(", and is "),
        "{printed}"
    );
    std::fs::remove_file(at.join("out/summary.json")).unwrap();
    fails(&run(at, "verify out"), &["out/summary.json", "has not ended", "train --resume out"]);
    fails(&run(at, "verify nowhere"), &["nowhere", "is not the folder of a run"]);
}

#[test]
fn a_run_that_was_stopped_by_its_time_limit_is_repeated_by_its_step() {
    let home = home();
    let at = home.path();
    let output = passes(at, "train t.csv --target kind --epochs 1000000 --patience 0 --time-limit 300ms --out out");
    assert!(output.contains("The time was up after step "), "{output}");
    let config = std::fs::read_to_string(at.join("out/config.toml")).unwrap();
    let set = |key: &str| config.lines().any(|line| line.starts_with(key));
    assert!(set("max_steps = ") && !set("time_limit = "), "{config}");
    passes(at, "train --config out/config.toml --out again -q");
    are_equal(&at.join("out"), &at.join("again"));
    passes(at, "verify out");
    // It has ended, whatever its settings say since.
    let resumed = run(at, "train --resume out -q");
    succeeds(&resumed);
    assert!(text(&resumed.stderr).contains("nothing left to train"));
    are_equal(&at.join("out"), &at.join("again"));
}

/// Killed when the last checkpoint was written, and nothing after it.
#[test]
fn the_step_at_which_the_time_was_up_survives_a_kill() {
    let home = home();
    let at = home.path();
    let limited = "train t.csv --target kind --epochs 1000000 --patience 0 --time-limit 300ms -q";
    let mut child = begin(at, &format!("{limited} --out early --checkpoint-every 1h"));
    until("the settings", || at.join("early/config.toml").exists());
    let config = std::fs::read_to_string(at.join("early/config.toml")).unwrap();
    child.wait().unwrap();
    passes(at, "train --config early/config.toml --out again -q");
    std::fs::write(at.join("early/config.toml"), config).unwrap();
    std::fs::remove_file(at.join("early/summary.json")).unwrap();
    passes(at, "train --resume early -q");
    let config = std::fs::read_to_string(at.join("early/config.toml")).unwrap();
    assert!(config.lines().any(|line| line.starts_with("max_steps = ")), "{config}");
    are_equal(&at.join("early"), &at.join("again"));
    passes(at, "verify early");
}

#[test]
fn looks_at_the_holdout_part_are_counted_and_another_run_begins_anew() {
    let home = home();
    let at = home.path();
    passes(at, &format!("{PLAN} --out out"));
    let looks = || std::fs::read_to_string(at.join("out/holdout.csv")).map_or(0, |text| text.lines().count() - 1);
    let look = |path: &str| text(&run(at, &format!("evaluate {path} --holdout")).stderr);
    passes(at, "evaluate out");
    assert_eq!(looks(), 0, "the test part is not the holdout part");
    assert_eq!(look("out"), "");
    assert!(look("out").starts_with("note: the holdout part was looked at 1 time before"));
    assert!(look("out/model.safetensors").starts_with("note: the holdout part was looked at 2 times before"));
    assert_eq!(looks(), 3);
    // What cannot be read is not taken for no looks.
    let path = at.join("out/holdout.csv");
    let before = std::fs::read(&path).unwrap();
    std::fs::write(&path, b"\xff\xfe").unwrap();
    assert!(look("out").contains("holdout.csv"), "said");
    assert_eq!(std::fs::read(&path).unwrap(), b"\xff\xfe", "and not replaced");
    std::fs::write(&path, before).unwrap();
    passes(at, &format!("{PLAN} --seed 2 --out out --overwrite"));
    assert_eq!(looks(), 0);
    assert_eq!(look("out"), "");
}

#[test]
fn runs_are_listed_with_what_differs_and_grouped_over_seeds() {
    let home = home();
    let at = home.path();
    fails(&run(at, "runs"), &["runs"]);
    std::fs::create_dir(at.join("runs")).unwrap();
    assert_eq!(passes(at, "runs"), "There are no runs in runs (hadal train writes one)\n");
    for (name, more) in [("a1", "--seed 1"), ("a2", "--seed 2"), ("a2again", "--seed 2"), ("b", "--lr 0.5")] {
        passes(at, &format!("{PLAN} {more} --out runs/{name}"));
    }
    let table = passes(at, "runs");
    let header = table.lines().next().unwrap();
    for word in ["run", "epochs", "test loss", "test accuracy", "training.seed", "optimizer.learning_rate"] {
        assert!(header.contains(word), "{table}");
    }
    let accuracy = |name: &str| {
        let json: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(at.join("runs").join(name).join("summary.json")).unwrap())
                .unwrap();
        json["test"]["accuracy"].as_f64().unwrap()
    };
    let [one, two] = [accuracy("a1"), accuracy("a2")];
    let (mean, std) = ((one + two) / 2.0, (one - two).abs() / 2f64.sqrt());
    // The same seed twice is one result, not two.
    assert!(table.contains(&format!("test accuracy: {mean:.4} ± {std:.4}")), "{table}");
    assert!(table.contains("2 runs that differ in the seed alone: a1, a2\n"), "{table}");
    let csv = passes(at, "runs --csv");
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 5, "{csv}");
    assert!(lines[1].starts_with("a1,4,") && !csv.contains('±'), "{csv}");
    // Other data is not another seed.
    change_a_cell(at);
    passes(at, &format!("{PLAN} --seed 3 --out runs/other"));
    assert!(passes(at, "runs").contains("2 runs that differ in the seed alone: a1, a2\n"));
}

#[test]
fn a_table_of_runs_fits_into_a_hundred_columns_and_says_what_is_left_out() {
    let home = home();
    let at = home.path();
    passes(at, &format!("{PLAN} --out runs/a"));
    passes(at, &format!("{PLAN} --lr 0.5 --seed 2 --dropout 0.25 --out runs/b"));
    let narrow = passes(at, "runs");
    let header = narrow.lines().next().unwrap();
    assert!(header.contains("training.seed") && header.contains("model.dropout"), "{narrow}");
    let other = "train t.csv --target c --task regression --epochs 2 --patience 1 --hidden 4,4,4 --drop word --as a=category -q";
    passes(at, &format!("{other} --loss huber --split 60/20/20 --out runs/c"));
    let table = passes(at, "runs");
    assert!(table.lines().take(4).all(|line| line.chars().count() <= 100), "{table}");
    let differing = passes(at, "runs --csv").lines().next().unwrap().split(',').map(str::to_owned).collect::<Vec<_>>();
    let shown = table.lines().next().unwrap();
    let left_out = differing.iter().skip(2).filter(|name| name.contains('.') && !shown.contains(*name)).count();
    assert!(left_out > 3, "{table}");
    let line = table.lines().find(|line| line.starts_with('(')).unwrap();
    assert!(
        line.starts_with(&format!(
            "({left_out} settings that differ are left out to fit into 100 columns, --csv has all: "
        )),
        "{table}"
    );
}

/// Root may read anything: it runs the command as nobody.
#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_is_noted_and_the_other_runs_are_listed() {
    use std::os::unix::fs::PermissionsExt;
    let home = home();
    let at = home.path();
    for name in ["a", "locked/b", "names/c", "d"] {
        passes(at, &format!("{PLAN} --out runs/{name}"));
    }
    let mode = |path: &str, mode| {
        std::fs::set_permissions(at.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o777);
    mode("runs/locked", 0o000);
    mode("runs/names", 0o444);
    let is_root = std::process::Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let user: &[&str] =
        if is_root { &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] } else { &["env"] };
    let mut command = std::process::Command::new(user[0]);
    let output = command.args(&user[1..]).args([env!("CARGO_BIN_EXE_hadal"), "runs"]).current_dir(at).output();
    mode("runs/locked", 0o755);
    mode("runs/names", 0o755);
    let output = match output {
        Ok(output) if !output.stdout.is_empty() || !is_root => output,
        _ => {
            println!("skipped: no other user can run the command");
            return;
        }
    };
    let table = succeeds(&output);
    for (name, is_listed) in [("a ", true), ("d ", true), ("locked", false), ("names", false)] {
        assert_eq!(table.lines().any(|line| line.starts_with(name)), is_listed, "{name}: {table}");
    }
    let notes = text(&output.stderr);
    assert_eq!(notes.lines().count(), 2, "{notes}");
    for folder in ["runs/locked", "runs/names"] {
        let own =
            |line: &str| line.starts_with(&format!("note: {folder}: ")) && line.ends_with("its runs are not listed");
        assert!(notes.lines().any(own), "{folder}: {notes}");
    }
}

/// A folder of members is none of a run.
#[test]
fn a_folder_of_several_seeds_or_folds_is_refused_with_one_of_its_runs() {
    let home = home();
    let at = home.path();
    passes(at, &format!("{PLAN} --seeds 2 --out s"));
    passes(at, &format!("{PLAN} --folds 2 --out f"));
    for command in ["evaluate s", "verify s", "predict s t.csv", "explain s t.csv"] {
        fails(
            &run(at, command),
            &["s: is the folder of runs with several seeds", "for example s/seed-1 (there are seed-1, seed-2)"],
        );
    }
    fails(&run(at, "evaluate f --holdout"), &["f: is the folder of a cross-validation", "for example f/fold-1"]);
    passes(at, "evaluate s/seed-1");
}

/// The temporary folder of `verify`: gone after Ctrl-C, and after a kill by the next one.
#[cfg(unix)]
#[test]
fn verify_leaves_nothing_behind() {
    let home = home();
    let at = home.path();
    let scratch = at.join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    passes(at, &format!("{PLAN} --out out"));
    // A run that would take hours.
    edit(&at.join("out/config.toml"), |text| text.replace("epochs = 4 ", "epochs = 1000000 "));
    edit(&at.join("out/summary.json"), |text| text.replace("\"epochs\": 4,", "\"epochs\": 1000000,"));
    let folders = || std::fs::read_dir(&scratch).unwrap().flatten().map(|entry| entry.path());
    let is_training = || folders().any(|folder| folder.join("run/config.toml").exists());
    let begin = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hadal"));
        command.args(["verify", "out"]).current_dir(at).env("TMPDIR", &scratch);
        let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        until("training", is_training);
        child
    };
    let child = begin();
    signal(&child, &["INT"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with("Interrupted; history, weights and scores were not compared\n"));
    assert_eq!(folders().count(), 0);
    let mut child = begin();
    child.kill().unwrap();
    child.wait().unwrap();
    let left = folders().next().unwrap();
    let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    std::fs::File::options().write(true).open(left.join("lock")).unwrap().set_modified(earlier).unwrap();
    let child = begin();
    until("the next one removes what was left", || !left.exists());
    until("training", is_training);
    signal(&child, &["TERM"]);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(143));
    assert_eq!(folders().count(), 0);
}

#[test]
fn runs_that_have_not_ended_and_damaged_summaries_are_listed_too() {
    let home = home();
    let at = home.path();
    for name in ["ended", "killed", "damaged"] {
        passes(at, &format!("{PLAN} --out runs/{name}"));
    }
    std::fs::remove_file(at.join("runs/killed/summary.json")).unwrap();
    edit(&at.join("runs/damaged/summary.json"), |text| text[..text.len() / 2].to_owned());
    let output = run(at, "runs");
    let table = succeeds(&output);
    for name in ["killed", "damaged"] {
        assert!(table.lines().any(|line| line.starts_with(name) && line.contains("not ended")), "{table}");
    }
    assert!(table.lines().any(|line| line.starts_with("ended  ") && line.contains('4')), "{table}");
    let notes = text(&output.stderr);
    assert!(
        notes.contains("runs/damaged/summary.json: is not the summary of a run") && notes.lines().count() == 1,
        "{notes}"
    );
}

/// A kill at each rename of a run that takes the folder of another one leaves the settings of the run whose model is there, or
/// of the one that is about to write its own; resumed, it ends as one of the two.
#[cfg(unix)]
#[test]
fn a_folder_that_changes_hands_never_mixes_settings_and_checkpoints() {
    if !std::process::Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: strace is not here");
        return;
    }
    let home = home();
    let at = home.path();
    let [old, new] = ["--seed 1", "--seed 2 --dropout 0.3"].map(|more| format!("{PLAN} {more}"));
    passes(at, &format!("{old} --out old"));
    passes(at, &format!("{new} --out new"));
    let seed_of = |text: &str| {
        text.lines()
            .find(|line| line.trim().starts_with("seed = "))
            .and_then(|line| line.split('#').next())
            .unwrap()
            .trim()
            .to_owned()
    };
    for every in ["1", "1h"] {
        for nth in 1..14 {
            let out = at.join(format!("out-{every}-{nth}"));
            copy_folder(&at.join("old"), &out);
            let folder = out.display().to_string();
            let line = format!("{new} --overwrite --out {folder} --checkpoint-every {every}");
            let mut command = std::process::Command::new("strace");
            let inject = format!("inject=rename,renameat,renameat2:signal=KILL:when={nth}");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject, env!("CARGO_BIN_EXE_hadal")]);
            command.args(line.split_whitespace()).current_dir(at).env_clear().env("HOME", at).output().unwrap();
            let config = std::fs::read_to_string(out.join("config.toml")).expect("settings at any instant");
            let (seed, model) = (seed_of(&config), notes(&out));
            if seed_of(&model["hadal.config"]) == "seed = 2" {
                assert_eq!(seed, "seed = 2", "kill {nth}: the new model under the old settings");
            }
            let resumed = run(at, &format!("train --resume {folder} -q"));
            succeeds(&resumed);
            are_equal(&at.join(if seed == "seed = 1" { "old" } else { "new" }), &out);
        }
    }
}

#[test]
fn a_learning_rate_that_changes_on_the_way_is_a_setting() {
    let home = home();
    let at = home.path();
    let config = |changes: &str| {
        let text = "[data]\nsource = \"t.csv\"\ntarget = \"kind\"\n[training]\nepochs = 3\nlearning_rate_changes = ";
        std::fs::write(at.join("c.toml"), format!("{text}{changes}\n")).unwrap();
    };
    config("[[3, 0.5], [5, 0.0001]]");
    passes(at, "train --config c.toml --out changed -q");
    passes(at, "train t.csv --target kind --epochs 3 --out plain -q");
    let history = |folder: &str| std::fs::read_to_string(at.join(folder).join("history.csv")).unwrap();
    assert_ne!(history("changed"), history("plain"));
    let kept = std::fs::read_to_string(at.join("changed/config.toml")).unwrap();
    assert!(kept.contains("\nlearning_rate_changes = [[3, 0.5], [5, 0.0001]]"), "{kept}");
    assert!(passes(at, "verify changed").contains("the same"));
    for (changes, words) in
        [("[[0, 0.1]]", "from 1 on"), ("[[3, -0.1]]", "a positive, finite number"), ("[[3]]", "line 6")]
    {
        config(changes);
        fails(&run(at, "train --config c.toml"), &[words]);
    }
}
