//! Runs that are killed, interrupted and damaged, and what `--resume` makes of them.

#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use hadal::train::{RunFolder, TrainingState};

use crate::support::*;

/// 12 epochs of 12 steps or more, with all that has a state.
const PLAN: &str = "train t.csv --target kind --epochs 12 --batch-size 16 --hidden 16 --dropout 0.2 --batch-norm --optimizer adam \
                    --schedule cosine --patience 5 -q";
/// As long as nobody stops it.
const ENDLESS: &str = "train t.csv --target kind --epochs 1000000 --patience 0 --hidden 16 -q";

fn steps(folder: &Path) -> usize {
    TrainingState::load(folder.join(RunFolder::CHECKPOINT)).map_or(0, |state| state.steps())
}

/// A folder with a table.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    home
}

/// Starts the command and kills it when the checkpoint in `out` is of this step or a later one.
pub fn kill_at(home: &Path, line: &str, out: &Path, step: usize) {
    let mut child = begin(home, line);
    until(&format!("step {step} of {line}"), || steps(out) >= step);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "it had ended: {}", text(&output.stderr));
}

/// A run of [`ENDLESS`] that was interrupted after a few epochs.
fn interrupted(home: &Path) -> PathBuf {
    let out = home.join("out");
    let child = begin(home, &format!("{ENDLESS} --out out"));
    until("three epochs", || epochs_in(&out) >= 3);
    signal(&child, &["INT"]);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    out
}

/// Goes on with the run in `out` for some epochs more.
fn goes_on(home: &Path, line: &str, out: &Path) -> std::process::Output {
    let before = epochs_in(out);
    let child = begin(home, line);
    until(&format!("more epochs than {before} by {line}"), || epochs_in(out) > before);
    signal(&child, &["INT"]);
    child.wait_with_output().unwrap()
}

#[test]
fn a_run_that_is_killed_and_resumed_has_the_bytes_of_one_that_is_not() {
    let home = home();
    let at = home.path();
    let whole = at.join("whole");
    passes(at, &format!("{PLAN} --threads 1 --out whole"));
    assert!(steps(&whole) > 100, "{}", steps(&whole));
    for (number, step) in [1, 2, 5, 11, 12, 13, 14, 25, 40, 63, 80, 100].into_iter().enumerate() {
        let mut out = at.join(format!("run{number}"));
        let (one, other) = if number % 2 == 0 { (1, 2) } else { (2, 1) };
        let folder = out.display().to_string();
        kill_at(at, &format!("{PLAN} --threads {one} --checkpoint-every 1 --out {folder}"), &out, step);
        if number % 4 == 1 {
            // From a copy of the folder.
            let copy = at.join(format!("copy{number}"));
            copy_folder(&out, &copy);
            std::fs::remove_dir_all(&out).unwrap();
            out = copy;
        }
        let resume = |threads| format!("train --resume {} --threads {threads} -q", out.display());
        if number % 3 == 0 {
            // Twice.
            kill_at(at, &format!("{} --checkpoint-every 1", resume(one)), &out, step + 9);
        }
        passes(at, &resume(other));
        are_equal(&whole, &out);
        let left: Vec<_> =
            files_below(&out).into_iter().filter(|path| path.display().to_string().contains(".hadal-")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_run_that_is_killed_before_its_first_checkpoint_begins_again() {
    let home = home();
    let at = home.path();
    passes(at, &format!("{PLAN} --out whole"));
    let out = at.join("out");
    let mut child = begin(at, &format!("{PLAN} --out out --checkpoint-every 1h"));
    until("the settings", || out.join("config.toml").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    // The settings alone.
    for name in ["model.safetensors", "last.safetensors", "history.csv", "timing.csv", "checkpoint.safetensors"] {
        let _ = std::fs::remove_file(out.join(name));
    }
    let resumed = run(at, "train --resume out -q");
    succeeds(&resumed);
    assert_eq!(text(&resumed.stderr), "note: out has no checkpoint yet; training begins again\n");
    are_equal(&at.join("whole"), &out);
}

#[test]
fn an_interrupted_run_says_how_it_goes_on_and_ends_as_if_nothing_had_happened() {
    let home = home();
    let at = home.path();
    let plan = "train t.csv --target kind --epochs 150 --patience 0 --hidden 16 --batch-size 8 -q";
    passes(at, &format!("{plan} --out whole"));
    for (name, status) in [("INT", 130), ("TERM", 143)] {
        let out = at.join(name);
        let child = begin(at, &format!("{plan} --out {name}"));
        until("two epochs", || epochs_in(&out) >= 2);
        signal(&child, &[name]);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{}", text(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        let state = TrainingState::load(out.join(RunFolder::CHECKPOINT)).unwrap();
        let (epochs, steps) = (state.epochs(), state.steps());
        let line =
            format!("Interrupted after epoch {epochs} and step {steps}; go on with: hadal train --resume {name}\n");
        assert_eq!(text(&output.stdout), line);
        assert_eq!(epochs_in(&out), epochs, "no part of an epoch is in the history");
        assert!(!state.is_finished() && !out.join(RunFolder::SUMMARY).exists());
        passes(at, &format!("train --resume {name} -q"));
        are_equal(&at.join("whole"), &out);
    }
}

#[test]
fn the_second_interrupt_leaves_at_once() {
    let home = home();
    let at = home.path();
    let out = at.join("out");
    // A step takes seconds.
    let line = "train t.csv --target kind --epochs 2 --hidden 6000,6000 --batch-size 200 --threads 1 -q --out out";
    let child = begin(at, line);
    until("the settings", || out.join("config.toml").exists());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let began = std::time::Instant::now();
    signal(&child, &["INT", "INT"]);
    std::thread::sleep(std::time::Duration::from_millis(100));
    signal(&child, &["INT"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "it finished the step: {}", text(&output.stdout));
    assert!(began.elapsed().as_secs() < 20);
    // Nobody holds the folder, and its settings are there.
    let child = begin(at, "train --resume out -q");
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(&child, &["KILL"]);
    let error = text(&child.wait_with_output().unwrap().stderr);
    assert!(!error.contains("error") && error.contains("training begins again"), "{error}");
}

#[test]
fn a_run_that_keeps_nothing_says_so_when_it_is_interrupted() {
    let home = home();
    let child = begin(home.path(), &format!("{} --no-out --log-interval 1000000", ENDLESS.replace(" -q", "")));
    std::thread::sleep(std::time::Duration::from_millis(700));
    signal(&child, &["INT"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let last = text(&output.stdout).lines().last().unwrap().to_owned();
    assert!(last.starts_with("Interrupted after epoch ") && last.ends_with("; nothing was kept (--no-out)"), "{last}");
    assert_eq!(files_below(home.path()), [home.path().join("t.csv")]);
}

#[test]
fn a_checkpoint_that_is_damaged_in_any_place_is_refused() {
    let home = home();
    let out = interrupted(home.path());
    let path = out.join(RunFolder::CHECKPOINT);
    let whole = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let output = run(home.path(), "train --resume out");
        fails(&output, &["out/checkpoint.safetensors"]);
        assert!(!text(&output.stdout).contains("epoch"), "found before training");
    };
    for length in [0, 7, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..length]);
    }
    for place in [0, 9, 200, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 4;
        refused(&bytes);
    }
    std::fs::copy(out.join("model.safetensors"), &path).unwrap();
    fails(&run(home.path(), "train --resume out"), &["holds tensors, but no state of training"]);
    std::fs::write(&path, whole).unwrap();
    assert_eq!(goes_on(home.path(), "train --resume out -q", &out).status.code(), Some(130));
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_with_the_setting() {
    let home = home();
    let at = home.path();
    let out = interrupted(at);
    let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
    for (from, to, words) in [
        ("seed = 1", "seed = 2", "seed was 1, and is 2"),
        ("epochs = 1000000", "epochs = 7", "training.epochs was 1000000, and is 7"),
        ("hidden = [16]", "hidden = [17]", "17"),
    ] {
        if !config.contains(from) {
            panic!("no {from} in {config}");
        }
        std::fs::write(out.join("config.toml"), config.replacen(from, to, 1)).unwrap();
        fails(
            &run(at, "train --resume out"),
            &["is of a run with other settings than config.toml", words, "train anew"],
        );
    }
    std::fs::write(out.join("config.toml"), "[training]\nepochs = \"many\"\n").unwrap();
    fails(&run(at, "train --resume out"), &["out/config.toml", "line 2", "\"many\""]);
    std::fs::write(out.join("config.toml"), config).unwrap();
    for extra in ["--epochs 3", "--seed 2", "--lr 0.1", "--hidden 4", "--time-limit 3s"] {
        fails(&run(at, &format!("train --resume out {extra}")), &["--resume goes on with the settings of the run"]);
    }
    for extra in ["t.csv", "--out other", "--no-out", "--config out/config.toml"] {
        fails(&run(at, &format!("train --resume out {extra}")), &["cannot be used with"]);
    }
    fails(&run(at, "train --inexact"), &["--resume"]);
}

#[test]
fn a_checkpoint_of_another_version_or_processor_is_resumed_where_that_is_asked_for() {
    let home = home();
    let at = home.path();
    let out = interrupted(at);
    let path = out.join(RunFolder::CHECKPOINT);
    let version = |version: &str| format!(r#"["version of Hadal","{version}"]"#);
    let own = format!("{:?} on {}", hadal::simd_level(), std::env::consts::ARCH);
    let whole = std::fs::read(&path).unwrap();
    let cases = [
        (version(env!("CARGO_PKG_VERSION")), version("0.0.9"), "the version of Hadal was 0.0.9, and is"),
        (own, "Neon on aarch64".to_owned(), "the vector instructions was Neon on aarch64, and is"),
    ];
    for (from, to, words) in cases {
        std::fs::write(&path, &whole).unwrap();
        forge(&path, &from, &to);
        fails(&run(at, "train --resume out"), &["out/checkpoint.safetensors", words, "not go on to the same bits"]);
        let output = goes_on(at, "train --resume out --inexact -q", &out);
        assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    }
    // A version whose checkpoints look otherwise.
    std::fs::write(&path, &whole).unwrap();
    forge(&path, &version(env!("CARGO_PKG_VERSION")), &version("7.1.0"));
    forge(&path, r#""optimizer_steps":"#, r#""optimizer_paces":"#);
    fails(&run(at, "train --resume out"), &["it was written by Hadal 7.1.0", "optimizer_paces"]);
}

/// A run without AVX2, as on a processor that has none.
#[test]
fn a_run_goes_on_with_the_vector_instructions_that_it_began_with() {
    if hadal::simd_level() == hadal::SimdLevel::Baseline {
        println!("skipped: this processor has no other vector instructions");
        return;
    }
    let home = home();
    let at = home.path();
    let baseline = |line: &str| hadal(at).env("HADAL_SIMD", "baseline").args(line.split_whitespace()).output().unwrap();
    succeeds(&baseline(&format!("{PLAN} --out whole")));
    let out = at.join("out");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hadal"));
    command.args(format!("{PLAN} --out out --checkpoint-every 1").split_whitespace()).current_dir(at);
    let mut child = command.env("HADAL_SIMD", "baseline").spawn().unwrap();
    until("step 40", || steps(&out) >= 40);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "it had ended");
    fails(&run(at, "train --resume out"), &["the vector instructions was Baseline", "not go on to the same bits"]);
    succeeds(&baseline("train --resume out -q"));
    are_equal(&at.join("whole"), &out);
    fails(
        &hadal(at).env("HADAL_SIMD", "avx1024").args(["train", "digits"]).output().unwrap(),
        &["HADAL_SIMD is avx1024, not avx512, avx2 or baseline"],
    );
}

#[test]
fn other_data_on_standard_input_is_noticed() {
    let home = home();
    let at = home.path();
    let table = std::fs::read_to_string(at.join("t.csv")).unwrap();
    let piped = |line: &str, table: &str| {
        hadal(at).args(line.split_whitespace()).write_stdin(table.to_owned()).output().unwrap()
    };
    let plan = PLAN.replace("train t.csv", "train -");
    succeeds(&piped(&format!("{plan} --out whole"), &table));
    let out = at.join("out");
    succeeds(&piped(&format!("{plan} --out out --checkpoint-every 40"), &table));
    forge(&out.join(RunFolder::CHECKPOINT), r#""finished":true"#, r#""finished":false"#);
    let (head, rest) = table.split_at(table.len() / 2);
    let changed = format!("{head}{}", rest.replacen("k1", "k2", 1));
    fails(&piped("train --resume out", &changed), &["the data has changed since the model was trained"]);
    succeeds(&piped("train --resume out -q", &table));
    are_equal(&at.join("whole"), &out);
}

#[test]
fn what_is_no_run_and_what_has_ended_is_said() {
    let home = home();
    let at = home.path();
    std::fs::create_dir(at.join("empty")).unwrap();
    for folder in ["empty", "nowhere", "t.csv"] {
        fails(&run(at, &format!("train --resume {folder}")), &[folder, "is not the folder of a run"]);
    }
    passes(at, &format!("{PLAN} --out out"));
    copy_folder(&at.join("out"), &at.join("before"));
    let again = run(at, "train --resume out -q");
    assert!(succeeds(&again).starts_with("t.csv test: loss"));
    assert_eq!(text(&again.stderr), "note: out has ended; there is nothing left to train\n");
    are_equal(&at.join("before"), &at.join("out"));
}

#[test]
fn a_folder_in_use_is_not_resumed_and_another_run_gets_its_own() {
    let home = home();
    let at = home.path();
    let out = at.join("out");
    let child = begin(at, &format!("{ENDLESS} --out out --checkpoint-every 1"));
    until("a checkpoint", || steps(&out) > 0 && epochs_in(&out) > 0);
    let words = ["out: is in use by another run", &format!("process {}", child.id())];
    fails(&run(at, "train --resume out"), &words);
    let other = run(at, &format!("{PLAN} --out out --overwrite"));
    succeeds(&other);
    let note = format!("note: {} ({}); this one goes into out-2\n", words[0].replace("out: is", "out is"), words[1]);
    assert_eq!(text(&other.stderr), note);
    assert!(at.join("out-2/summary.json").exists());
    signal(&child, &["INT"]);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}

#[test]
fn a_folder_that_is_removed_in_mid_run_is_made_again_with_all_that_resumes_the_run() {
    let home = home();
    let at = home.path();
    let plan = "train t.csv --target kind --epochs 400 --patience 0 --hidden 16 -q";
    passes(at, &format!("{plan} --out whole"));
    for every in ["1", "1h"] {
        let out = at.join("out");
        let child = begin(at, &format!("{plan} --out out --checkpoint-every {every}"));
        until("two epochs", || epochs_in(&out) >= 2);
        // At once: a removal file by file may meet a run that writes new ones.
        std::fs::rename(&out, at.join(format!("gone-{every}"))).unwrap();
        until("the folder again", || epochs_in(&out) > 2);
        signal(&child, &["INT"]);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
        let notes = text(&output.stderr);
        assert!(
            notes.contains("out was removed during the run; it is made again") && !notes.contains("error: "),
            "{notes}"
        );
        passes(at, "train --resume out -q");
        are_equal(&at.join("whole"), &out);
        std::fs::remove_dir_all(out).unwrap();
    }
}

/// Files of at most so many blocks of 512 bytes: as if the disk were full.
#[test]
fn a_checkpoint_that_finds_no_room_is_one_warning_and_training_goes_on() {
    let home = home();
    let at = home.path();
    // Adam keeps two numbers for each weight, so that the checkpoint is three times as large as the model.
    let plan = [
        "train",
        "t.csv",
        "--target",
        "kind",
        "--epochs",
        "20",
        "--patience",
        "0",
        "--hidden",
        "64,64",
        "--optimizer",
        "adam",
        "-q",
    ];
    let with = |more: &[&'static str]| -> Vec<&str> { [&plan[..], more].concat() };
    succeeds(&hadal(at).args(with(&["--out", "whole"])).output().unwrap());
    let [model, checkpoint] = ["model.safetensors", "checkpoint.safetensors"]
        .map(|name| at.join("whole").join(name).metadata().unwrap().len());
    assert!(checkpoint > 2 * model, "{model} {checkpoint}");
    let limit = (model + checkpoint) / 2 / 512;
    let code = format!("ulimit -f {limit}; exec \"$@\"");
    let output = shell(at, &code, &with(&["--out", "out", "--checkpoint-every", "1"]));
    succeeds(&output);
    // Those for TensorBoard outgrow the limit, too, and are said apart.
    let notes = text(&output.stderr);
    let notes: String = notes.lines().filter(|note| !note.contains("cannot write events")).collect();
    assert!(
        notes.starts_with("note: a checkpoint could not be written (") && notes.contains("there is none yet"),
        "{notes}"
    );
    assert_eq!(notes.lines().count(), 1, "{notes}");
    are_equal(&at.join("whole"), &at.join("out"));
    // The last good one stays: here a run goes on where there is no room.
    let small = self::home();
    let at = small.path();
    let out = interrupted(at);
    let sizes =
        [RunFolder::CHECKPOINT, "model.safetensors"].map(|name| std::fs::metadata(out.join(name)).unwrap().len());
    assert!(sizes[0] > sizes[1] + 2048, "{sizes:?}");
    let good = std::fs::read(out.join(RunFolder::CHECKPOINT)).unwrap();
    // The limit is for files; the history of an endless run grows, too.
    let blocks = (sizes[1] + 1024).div_ceil(512);
    let code = format!("ulimit -f {blocks}; exec timeout -s INT 3 \"$@\"");
    let output = shell(at, &code, &["train", "--resume", "out", "--checkpoint-every", "1", "-q"]);
    let notes = text(&output.stderr);
    let notes: String = notes.lines().filter(|note| !note.contains("cannot write events")).collect();
    assert!(
        notes.starts_with("note: a checkpoint could not be written (") && notes.contains("the last one stays"),
        "{notes}"
    );
    assert_eq!(notes.matches("a checkpoint could not").count(), 1, "{notes}");
    assert!(std::fs::read(out.join(RunFolder::CHECKPOINT)).unwrap() == good);
    assert_eq!(goes_on(at, "train --resume out -q", &out).status.code(), Some(130));
}

#[test]
fn a_closed_standard_output_harms_no_run() {
    let home = home();
    let at = home.path();
    passes(at, &format!("{PLAN} --out whole"));
    let verbose = PLAN.replace(" -q", "");
    for (name, code) in
        [("closed", "exec \"$@\" >&-"), ("both", "exec \"$@\" >&- 2>&-"), ("pipe", "\"$@\" | head -n 1")]
    {
        let line = format!("{verbose} --out {name}");
        let output = shell(at, code, &line.split_whitespace().collect::<Vec<_>>());
        succeeds(&output);
        assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
        are_equal(&at.join("whole"), &at.join(name));
        assert!(at.join(name).join(RunFolder::SUMMARY).exists());
    }
}

#[test]
fn data_that_has_changed_is_noticed_before_a_resume() {
    let home = home();
    let at = home.path();
    interrupted(at);
    let table = std::fs::read_to_string(at.join("t.csv")).unwrap();
    // One digit of one cell.
    let changed = table.replacen("k1,", "k1,0", 1).replacen("k1,0", "k1,", 1);
    let (before, after) = changed.split_at(changed.find("k0,").unwrap() + 3);
    let digit = if after.starts_with('1') { "0" } else { "1" };
    std::fs::write(at.join("t.csv"), format!("{before}{digit}{}", &after[1..])).unwrap();
    assert_eq!(std::fs::metadata(at.join("t.csv")).unwrap().len(), table.len() as u64);
    let words = ["the data has changed since the model was trained", "its SHA-256 was", "and is"];
    fails(&run(at, "train --resume out"), &words);
    fails(&run(at, "evaluate out"), &words);
    fails(&run(at, "evaluate out --holdout"), &words);
    std::fs::remove_file(at.join("t.csv")).unwrap();
    fails(&run(at, "train --resume out"), &["t.csv"]);
}
