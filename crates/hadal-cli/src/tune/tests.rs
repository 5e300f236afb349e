use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hadal::{Error, Rng};
use tempfile::tempdir;

use super::testing::{learning_rates, run, settings, space, synthetic, synthetic_after_a_while};
use super::*;

/// Where [`a_search_that_is_killed`] finds the folder.
const KILLED: &str = "HADAL_TEST_KILLED_SEARCH";

/// All that a search leaves for its user.
fn result(folder: &Path, workers: usize) -> (Search, Vec<String>, String) {
    let run = run(folder, &learning_rates(), &settings(40, 30, workers), synthetic_after_a_while);
    (run.search.unwrap().unwrap(), run.lines, fs::read_to_string(folder.join("trials.csv")).unwrap())
}

fn rung_files(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let mut files: Vec<_> = entries(&folder.join("trials")).iter().flat_map(|trial| entries(trial)).collect();
    files.sort();
    files
}

#[test]
fn the_result_is_the_same_with_any_number_of_workers() {
    let folder = tempdir().unwrap();
    let alone = result(folder.path(), 1);
    assert_eq!(alone.0.trials.iter().filter(|trial| trial.ends.len() == 3).count(), 5);
    for workers in [2, 3, 8, 60] {
        assert_eq!(result(tempdir().unwrap().path(), workers), alone, "{workers} workers");
    }
}

#[test]
fn the_winner_is_the_best_of_the_last_rung_and_the_first_of_equals() {
    let (search, ..) = result(tempdir().unwrap().path(), 2);
    let last = || search.trials.iter().filter(|trial| trial.ends.len() == 3);
    let best = last().filter_map(Trial::score).fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(Some(search.winner), last().find(|trial| trial.score() == Some(best)).map(|trial| trial.number));
    let mut lower = settings(40, 30, 2);
    lower.higher_is_better = false;
    let folder = tempdir().unwrap();
    let search = run(folder.path(), &learning_rates(), &lower, synthetic).search.unwrap().unwrap();
    let worst = search.trials.iter().filter(|trial| trial.ends.len() == 3).filter_map(Trial::score);
    assert_eq!(search.winner().score(), worst.min_by(f64::total_cmp));
}

#[test]
fn what_was_removed_runs_again_to_the_same_result_and_nothing_else_does() {
    let folder = tempdir().unwrap();
    let whole = result(folder.path(), 2);
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let files = rung_files(folder.path());
        let removed: Vec<_> = files.iter().filter(|_| rng.below(12) < seed).collect();
        removed.iter().for_each(|file| fs::remove_file(file).unwrap());
        fs::remove_file(folder.path().join("trials.csv")).unwrap();
        let workers = 1 + seed as usize % 4;
        let again = run(folder.path(), &learning_rates(), &settings(40, 30, workers), synthetic_after_a_while);
        assert_eq!(again.calls, removed.len());
        let csv = fs::read_to_string(folder.path().join("trials.csv")).unwrap();
        assert_eq!((again.search.unwrap().unwrap(), again.lines, csv), whole);
        assert_eq!(rung_files(folder.path()), files);
    }
}

#[test]
#[ignore = "another test starts it, and kills it"]
fn a_search_that_is_killed() {
    if let Ok(folder) = std::env::var(KILLED) {
        result(Path::new(&folder), 2);
    }
}

#[test]
fn a_search_that_is_killed_at_any_time_goes_on_to_the_same_result() {
    let whole = result(tempdir().unwrap().path(), 1);
    let mut rng = Rng::new(std::process::id().into());
    let mut in_the_middle = 0;
    for _ in 0..5 {
        let folder = tempdir().unwrap();
        // Later and later, so that it ends on a slow machine as well.
        for kills in 0.. {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "tune::tests::a_search_that_is_killed", "--ignored"])
                .env(KILLED, folder.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(2 * kills + rng.below(12)));
            child.kill().unwrap();
            if child.wait().unwrap().success() {
                break;
            }
            let trials = folder.path().join("trials").exists();
            in_the_middle += usize::from(trials && !folder.path().join("trials.csv").exists());
        }
        assert_eq!(result(folder.path(), 2), whole);
        let files = rung_files(folder.path());
        let unfinished = files.iter().find(|file| file.to_string_lossy().contains(".hadal-"));
        assert_eq!(unfinished, None);
    }
    assert!(in_the_middle >= 5, "{in_the_middle}");
}

#[test]
fn an_interrupted_search_keeps_what_has_ended_and_goes_on() {
    let whole = result(tempdir().unwrap().path(), 1);
    let folder = tempdir().unwrap();
    let mut parts = 0;
    let search = loop {
        let left = AtomicUsize::new(7);
        let some = |run: &TrialRun| {
            let more = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
            if more { synthetic_after_a_while(run) } else { Ok(None) }
        };
        parts += 1;
        if let Some(search) = run(folder.path(), &learning_rates(), &settings(40, 30, 2), some).search.unwrap() {
            break search;
        }
        assert!(!folder.path().join("trials.csv").exists());
    };
    assert_eq!(search, whole.0);
    assert_eq!(parts, rung_files(folder.path()).len().div_ceil(7));
}

#[test]
fn a_trial_that_stopped_early_goes_on_with_its_score_without_running_again() {
    let stops = |run: &TrialRun| {
        assert!(run.rung == 1 || run.number != 2, "it runs again");
        let score = if run.number == 2 { 0.9 } else { 0.1 };
        Ok(Some(Outcome { score, epochs: run.until_epoch - 1, stopped: run.number == 2 }))
    };
    let folder = tempdir().unwrap();
    let search = run(folder.path(), &learning_rates(), &settings(4, 9, 2), stops).search.unwrap().unwrap();
    assert_eq!((search.winner, search.rungs), (2, 3));
    let best = search.winner();
    assert_eq!(best.ends, vec![Ended::Scored { score: 0.9, epochs: 0, stopped: true }; 3]);
    assert_eq!(search.status(best), "stopped early");
}

#[test]
fn failures_are_last_keep_their_messages_and_do_not_run_again() {
    let objective = |run: &TrialRun| match run.number {
        1 => Err(Error::Data("the loss is NaN".into())),
        2 => panic!("trial {} panics", run.number),
        3 => Ok(Some(Outcome { score: f64::NAN, epochs: 1, stopped: false })),
        4 if run.rung == 2 => Err(Error::Config("too late".into())),
        number => Ok(Some(Outcome { score: 0.5 - number as f64 / 10.0, epochs: run.until_epoch, stopped: false })),
    };
    let folder = tempdir().unwrap();
    let first = run(folder.path(), &learning_rates(), &settings(6, 3, 2), objective);
    let search = first.search.unwrap().unwrap();
    let statuses: Vec<_> = search.trials.iter().map(|trial| search.status(trial)).collect();
    assert_eq!(statuses[0], "failed: the loss is NaN");
    assert!(statuses[1].starts_with("failed: ") && statuses[1].contains("trial 2 panics"), "{}", statuses[1]);
    assert_eq!(statuses[2..], ["failed: the score is NaN at epoch 1", "failed: too late", "completed", "pruned"]);
    assert_eq!(search.winner, 5);
    assert!(first.lines[1].starts_with("trial 1: failed: the loss is NaN (model.hidden="), "{}", first.lines[1]);
    let again = run(folder.path(), &learning_rates(), &settings(6, 3, 2), objective);
    assert_eq!((again.calls, again.search.unwrap().unwrap()), (0, search));
}

#[test]
fn a_search_without_a_score_says_why_and_writes_its_trials() {
    let folder = tempdir().unwrap();
    let fails = |_: &TrialRun| Err(Error::Data("no target".into()));
    let message = run(folder.path(), &learning_rates(), &settings(2, 3, 1), fails).search.unwrap_err().to_string();
    assert_eq!(message, "no trial of rung 1 has a score; trial 1 failed: no target");
    assert!(fs::read_to_string(folder.path().join("trials.csv")).unwrap().contains("failed: no target"));
}

#[test]
fn a_refused_file_operation_ends_the_search_which_can_then_go_on() {
    let full = |run: &TrialRun| match run.number {
        4 => Err(Error::Io { path: "x".into(), action: "write", source: std::io::Error::other("the disk is full") }),
        _ => synthetic(run),
    };
    let folder = tempdir().unwrap();
    let message = run(folder.path(), &learning_rates(), &settings(40, 30, 1), full).search.unwrap_err().to_string();
    assert!(message.contains("the disk is full"), "{message}");
    assert_eq!(rung_files(folder.path()).len(), 3);
    assert_eq!(result(folder.path(), 2), result(tempdir().unwrap().path(), 1));
}

#[test]
fn trials_and_tables_are_written_in_full() {
    let score = |run: &TrialRun| {
        let score = [0.75, 0.5, 0.25][run.number - 1] + run.until_epoch as f64 / 100.0;
        if run.number == 3 {
            return Err(Error::Data("a \"bad\", long\nmessage".into()));
        }
        Ok(Some(Outcome { score, epochs: run.until_epoch, stopped: false }))
    };
    let folder = tempdir().unwrap();
    let mut settings = settings(5, 6, 2);
    settings.min_epochs = Some(2);
    let space = space("model.activation = [\"relu\", \"tanh\", \"silu\"]\n");
    let run = run(folder.path(), &space, &settings, score);
    let search = run.search.unwrap().unwrap();
    let names: Vec<_> = search.trials.iter().map(|trial| trial.values[0].1.as_str().unwrap().to_owned()).collect();
    let [a, b, c] = &names[..] else { panic!("{names:?}") };
    assert_eq!(
        fs::read_to_string(folder.path().join("trials.csv")).unwrap(),
        format!(
            "trial,model.activation,epochs,score,rung,status\n1,{a},6,0.81,2,completed\n2,{b},2,0.52,1,pruned\n\
             3,{c},\"\",\"\",1,\"failed: a \"\"bad\"\", long\nmessage\"\n"
        )
    );
    assert_eq!(
        run.lines,
        [
            "3 trials instead of 5: [tune] has no more combinations".to_owned(),
            "rung 1 of 2: 3 trials until epoch 2".into(),
            format!("trial 1: accuracy 0.77 at epoch 2 (model.activation={a})"),
            format!("trial 2: accuracy 0.52 at epoch 2 (model.activation={b})"),
            format!("trial 3: failed: a \"bad\", long (model.activation={c})"),
            "rung 2 of 2: 1 trial until epoch 6".into(),
            format!("trial 1: accuracy 0.81 at epoch 6 (model.activation={a})"),
        ]
    );
    let table = ["trial  accuracy  epochs  model.activation".to_owned(), format!("1      0.81      6       {a}")];
    assert_eq!(report::best(&search, 1), table);
    assert_eq!(report::best(&search, 10)[2], format!("2      0.52      2       {b}"));
    assert_eq!(report::importance(&search), ["setting           importance", "model.activation  0%"]);
}

#[test]
fn the_importance_is_that_of_the_first_rung() {
    let folder = tempdir().unwrap();
    // After the first rung, the other setting decides.
    let objective = |run: &TrialRun| {
        let score = match run.rung {
            1 => run.values[1].1.as_float().unwrap().log10(),
            _ => run.values[0].1.to_string().len() as f64,
        };
        Ok(Some(Outcome { score, epochs: run.until_epoch, stopped: false }))
    };
    let search = run(folder.path(), &learning_rates(), &settings(64, 30, 2), objective).search.unwrap().unwrap();
    assert_eq!(search.importance[1].0, "optimizer.learning_rate");
    assert!(search.importance[1].1 > 0.8 && search.importance[0].1 < 0.2, "{:?}", search.importance);
}

/// The message of a search that cannot be opened or run.
fn refusal(folder: &Path, space: &Space, settings: &Settings) -> String {
    run(folder, space, settings, synthetic).search.unwrap_err().to_string()
}

#[test]
fn a_search_with_nothing_to_do_is_refused() {
    let folder = tempdir().unwrap();
    let of = |change: fn(&mut Settings)| {
        let mut settings = settings(4, 3, 1);
        change(&mut settings);
        refusal(folder.path(), &learning_rates(), &settings)
    };
    assert_eq!(of(|settings| settings.trials = 0), "0 trials: there must be at least 1 and at most 100000");
    assert_eq!(of(|settings| settings.trials = 1 << 40).split(':').next(), Some("1099511627776 trials"));
    assert!(of(|settings| settings.workers = 0).starts_with("0 workers: there must be at least 1"));
    assert!(of(|settings| settings.epochs = 0).contains("at least 1 epoch"));
    assert!(of(|settings| settings.factor = 0).contains("factor of at least 1"));
    let empty = refusal(folder.path(), &space(""), &settings(4, 3, 1));
    assert!(
        empty.starts_with("[tune] is empty") && empty.contains("\n[tune]\noptimizer.learning_rate = { min"),
        "{empty}"
    );
    // The example in the message is one that can be searched.
    let example = empty.split_once("[tune]\noptimizer").map(|(_, rest)| format!("optimizer{rest}\n")).unwrap();
    assert_eq!(space(&example).dimensions.len(), 2);
    let epochs = refusal(folder.path(), &space("training.epochs = [1, 2]\n"), &settings(4, 3, 1));
    assert!(epochs.contains("training.epochs cannot be tried"), "{epochs}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_folder_of_another_search_is_refused_with_the_first_difference() {
    let folder = tempdir().unwrap();
    let mut own = settings(4, 3, 1);
    own.about.insert("data".into(), "abc".into());
    run(folder.path(), &learning_rates(), &own, synthetic).search.unwrap();
    let of = |change: fn(&mut Settings)| {
        let mut settings = own.clone();
        change(&mut settings);
        refusal(folder.path(), &learning_rates(), &settings)
    };
    let seed = of(|settings| settings.seed = 7);
    assert!(seed.contains("search.json: is another search: --seed was 3, and is 7; choose another"), "{seed}");
    assert!(of(|settings| settings.trials = 5).contains("--trials was 4, and is 5"));
    assert!(of(|settings| settings.epochs = 5).contains("--epochs was 3, and is 5"));
    assert!(
        of(|settings| settings.higher_is_better = false)
            .contains("whether a higher score is better was true, and is false")
    );
    let data = of(|settings| settings.about = serde_json::Map::from_iter([("data".to_owned(), "abd".into())]));
    assert!(data.contains("the data has changed: its SHA-256 was \"abc\", and is \"abd\""), "{data}");
    let other =
        space("optimizer.learning_rate = { min = 1e-4, max = 1e-2, log = true }\nmodel.hidden = [[8], [16, 8]]\n");
    let range = refusal(folder.path(), &other, &own);
    assert!(range.contains("[tune] optimizer.learning_rate.max was 0.1, and is 0.01"), "{range}");
    let fewer = refusal(folder.path(), &space("model.hidden = [[8], [16, 8]]\n"), &own);
    assert!(fewer.contains("[tune] optimizer.learning_rate was {") && fewer.contains("and is not set"), "{fewer}");
    let more = Settings { workers: 4, ..own };
    assert_eq!(run(folder.path(), &learning_rates(), &more, synthetic).calls, 0);
}

#[test]
fn folders_that_cannot_be_used_are_refused() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let other = refusal(folder.path(), &learning_rates(), &settings(4, 3, 1));
    assert!(other.contains("holds no search, but `notes.txt`"), "{other}");
    fs::remove_file(folder.path().join("notes.txt")).unwrap();
    let held = Store::open(folder.path(), &learning_rates(), &settings(4, 3, 1)).unwrap();
    let used = refusal(folder.path(), &learning_rates(), &settings(4, 3, 1));
    assert!(used.contains("is in use by another search"), "{used}");
    drop(held);
    fs::write(folder.path().join("search.json"), "{\"tune\":").unwrap();
    let damaged = refusal(folder.path(), &learning_rates(), &settings(4, 3, 1));
    assert!(damaged.contains("search.json: is damaged: EOF"), "{damaged}");
}

#[test]
fn a_damaged_record_is_named_and_not_believed() {
    let folder = tempdir().unwrap();
    run(folder.path(), &learning_rates(), &settings(4, 3, 1), synthetic).search.unwrap();
    let file = folder.path().join("trials/002/rung-1.json");
    let text = fs::read_to_string(&file).unwrap();
    let other = fs::read_to_string(folder.path().join("trials/003/rung-1.json")).unwrap();
    for (bad, words) in [
        (text[..text.len() / 2].to_owned(), "is damaged"),
        (text.replace("scored", "scared"), "is damaged: unknown variant `scared`"),
        (text.replace("\"score\": 0", "\"score\": null, \"x\": 0"), "is damaged"),
        (other, "is that of other settings: "),
    ] {
        fs::write(&file, bad).unwrap();
        let message = refusal(folder.path(), &learning_rates(), &settings(4, 3, 1));
        assert!(message.contains("002/rung-1.json: ") && message.contains(words), "{message}");
        assert!(message.contains("remove it"), "{message}");
    }
    fs::remove_file(file).unwrap();
    assert_eq!(run(folder.path(), &learning_rates(), &settings(4, 3, 1), synthetic).calls, 1);
}
