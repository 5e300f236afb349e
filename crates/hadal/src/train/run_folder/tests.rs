//! Tests of a run's folder.

use super::*;
use crate::format::UNFINISHED;
use crate::prelude::*;

fn train(folder: &Path, epochs: usize, seed: u64) -> Result<()> {
    let data = crate::data::synthetic::moons(20, 0.1, 1)?;
    let model = Sequential::new([2]).seed(seed).add(Dense::new(1).activation(Sigmoid));
    let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, [Accuracy])?;
    let run = RunFolder::open(folder, model.model.architecture(), BTreeMap::new())?;
    model.fit(&data, Fit::epochs(epochs).quiet().callback(run)).map(drop)
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn notes(folder: &Path) -> BTreeMap<String, String> {
    Sequential::load(folder.join(RunFolder::MODEL)).unwrap().1
}

#[test]
fn the_history_lies_in_its_file_and_in_the_model() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), 2, 1).unwrap();
    let history = read(folder.path(), RunFolder::HISTORY);
    assert!(history.starts_with("epoch,loss,accuracy,learning_rate,dataset\n1,"), "{history}");
    assert_eq!(history.lines().count(), 3);
    assert_eq!(notes(folder.path())[HISTORY_NOTE], history);
    let timing = read(folder.path(), RunFolder::TIMING);
    assert!(timing.starts_with("epoch,seconds\n1,0.") && timing.lines().count() == 3, "{timing}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn the_same_run_writes_the_same_bytes() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    folders.iter().for_each(|folder| train(folder.path(), 2, 7).unwrap());
    for name in [RunFolder::MODEL, RunFolder::HISTORY] {
        let [a, b] = folders.each_ref().map(|folder| std::fs::read(folder.path().join(name)).unwrap());
        assert!(a == b, "{name} differs");
    }
}

#[test]
fn a_history_that_is_not_the_models_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), 2, 1).unwrap();
    let (history, path) = (read(folder.path(), RunFolder::HISTORY), folder.path().join(RunFolder::HISTORY));
    std::fs::remove_file(&path).unwrap();
    RunFolder::restore(folder.path(), &notes(folder.path()));
    assert_eq!(read(folder.path(), RunFolder::HISTORY), history);
    std::fs::write(&path, history.replace('1', "2")).unwrap();
    drop(RunFolder::open(folder.path(), Sequential::new([1]).architecture(), BTreeMap::new()).unwrap());
    assert_eq!(read(folder.path(), RunFolder::HISTORY), history);
}

#[test]
fn a_folder_in_use_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), 1, 1).unwrap();
    let model = notes(folder.path());
    let held = RunFolder::open(folder.path(), Sequential::new([1]).architecture(), BTreeMap::new()).unwrap();
    std::fs::remove_file(folder.path().join(RunFolder::HISTORY)).unwrap();
    let message = train(folder.path(), 1, 2).unwrap_err().to_string();
    assert!(message.contains("in use by another run"), "{message}");
    RunFolder::restore(folder.path(), &model);
    assert!(!folder.path().join(RunFolder::HISTORY).exists());
    drop(held);
    RunFolder::restore(folder.path(), &model);
    assert!(folder.path().join(RunFolder::HISTORY).exists());
}

#[test]
fn of_several_runs_that_ask_for_a_folder_each_gets_its_own() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    std::fs::create_dir(home.path().join("run-3")).unwrap();
    let together = std::sync::Barrier::new(8);
    let taken: Vec<HeldFolder> = std::thread::scope(|scope| {
        let take = || {
            together.wait();
            HeldFolder::take_or_next(&path).unwrap()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut names: Vec<_> = taken.iter().map(|held| held.path().file_name().unwrap().to_owned()).collect();
    names.sort();
    // What is there and not in use is not theirs.
    assert_eq!(names, ["run", "run-2", "run-4", "run-5", "run-6", "run-7", "run-8", "run-9"]);
    assert!(HeldFolder::is_taken(&path) && !HeldFolder::is_taken(&home.path().join("run-3")));
    let message = HeldFolder::take(&path).err().unwrap().to_string();
    assert!(
        message.contains("in use by another run (process ") && message.contains("choose another folder"),
        "{message}"
    );
    drop(taken);
    assert_eq!(HeldFolder::take_or_next(&path).unwrap().path(), path);
    // A path without a name has no next.
    let below = home.path().join("run/below");
    let parent = below.join("..");
    std::fs::create_dir(&below).unwrap();
    let _held = HeldFolder::take(&parent).unwrap();
    let message = HeldFolder::take_or_next(&parent).err().unwrap().to_string();
    assert!(message.contains("in use by another run"), "{message}");
}

#[test]
fn what_watched_an_older_run_goes_but_not_what_watches_this_one() {
    struct Watcher(PathBuf);
    impl Callback for Watcher {
        fn on_event(&mut self, event: &Event) -> Result<Flow> {
            if let Event::TrainBegin { .. } = event {
                write_atomically(&self.0, |out| out.write_all(b"new"))?;
            }
            Ok(Flow::Continue)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    train(at, 1, 1).unwrap();
    for name in [RunFolder::HEALTH, "control.csv", "events.out.tfevents.1", "my notes"] {
        std::fs::write(at.join(name), "old").unwrap();
    }
    let data = crate::data::synthetic::moons(20, 0.1, 1).unwrap();
    let model = Sequential::new([2]).seed(2).add(Dense::new(1).activation(Sigmoid));
    let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, [Accuracy]).unwrap();
    let run = RunFolder::open(at, model.model.architecture(), BTreeMap::new()).unwrap();
    let watcher = Watcher(at.join(RunFolder::HEALTH));
    model.fit(&data, Fit::epochs(2).quiet().callback(watcher).callback(run)).unwrap();
    assert_eq!((&*read(at, RunFolder::HEALTH), &*read(at, "my notes")), ("new", "old"));
    assert!(!at.join("control.csv").exists() && !at.join("events.out.tfevents.1").exists());
}

#[test]
fn a_folder_where_a_file_should_be_is_found_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    for name in [RunFolder::MODEL, RunFolder::HISTORY, RunFolder::TIMING] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        let message = train(folder.path(), 1, 1).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains("is a folder"), "{message}");
        std::fs::remove_dir(folder.path().join(name)).unwrap();
    }
}

#[test]
fn files_that_cannot_be_replaced_together_stay_together() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), 2, 1).unwrap();
    let names = [RunFolder::MODEL, RunFolder::HISTORY, RunFolder::TIMING];
    let all = || names.map(|name| std::fs::read(folder.path().join(name)).unwrap());
    let before = all();
    // A folder at the temporary name of the last file that is set aside.
    let blocked = folder.path().join(format!("{UNFINISHED}{}", RunFolder::TIMING));
    std::fs::create_dir(&blocked).unwrap();
    let message = train(folder.path(), 1, 2).unwrap_err().to_string();
    assert!(message.contains("timing.csv") && message.contains("set the old file aside"), "{message}");
    assert!(all() == before);
    std::fs::remove_dir(&blocked).unwrap();
    train(folder.path(), 1, 2).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn a_folder_that_is_removed_during_the_run_is_made_and_locked_again() {
    struct Remove<'a>(&'a Path);
    impl Callback for Remove<'_> {
        fn on_event(&mut self, event: &Event) -> Result<Flow> {
            if let Event::EpochEnd { epoch, .. } = event {
                match epoch {
                    1 => std::fs::remove_dir_all(self.0).unwrap(),
                    _ => assert!(FolderLock::take(self.0).is_err(), "nobody holds the folder"),
                }
            }
            Ok(Flow::Continue)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let data = crate::data::synthetic::moons(20, 0.1, 1).unwrap();
    let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, [Accuracy]).unwrap();
    let run = RunFolder::open(&path, model.model.architecture(), BTreeMap::new()).unwrap();
    model.fit(&data, Fit::epochs(3).quiet().callback(run).callback(Remove(&path))).unwrap();
    assert_eq!(read(&path, RunFolder::HISTORY).lines().count(), 4);
}

#[test]
fn a_model_that_is_no_longer_finite_does_not_replace_a_good_one() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), 1, 1).unwrap();
    let before = std::fs::read(folder.path().join(RunFolder::MODEL)).unwrap();
    let architecture = Sequential::new([2]).add(Dense::new(1)).architecture();
    let mut run = RunFolder::open(folder.path(), architecture, BTreeMap::new()).unwrap();
    let bad = [("layers.0.weight".to_owned(), Tensor::full([1, 2], f64::NAN))];
    let message = run.write(&(bad.to_vec(), BTreeMap::new()), true).unwrap_err().to_string();
    assert!(message.contains("`layers.0.weight` holds NaN"), "{message}");
    assert_eq!(std::fs::read(folder.path().join(RunFolder::MODEL)).unwrap(), before);
    assert!(folder.path().join(RunFolder::HISTORY).exists());
}

/// Trains, or goes on; `hinder` is called after each step.
fn hindered(folder: &Path, epochs: usize, mut hinder: impl FnMut(usize)) -> Result<()> {
    let data = crate::data::synthetic::moons(40, 0.1, 1)?;
    let model = Sequential::new([2]).add(Dense::new(4).activation(Tanh)).add(Dense::new(1).activation(Sigmoid));
    let mut model = model.compile(Adam::new(0.1), BinaryCrossentropy, [Accuracy])?;
    let run = RunFolder::open(folder, model.model.architecture(), BTreeMap::new())?
        .keep_best("loss")
        .checkpoint(Every::Steps(1), BTreeMap::new());
    let hinder = |event: &Event| {
        if let Event::BatchEnd { step, .. } = event {
            hinder(*step);
        }
        Ok(Flow::Continue)
    };
    let fit = Fit::epochs(epochs).batch_size(10).quiet().on_event(hinder).callback(run);
    match folder.join(RunFolder::CHECKPOINT) {
        checkpoint if checkpoint.exists() => model.resume(checkpoint, &data, fit).map(drop),
        _ => model.fit(&data, fit).map(drop),
    }
}

/// Whatever the system refuses, here to replace a directory by a file, is tried again after the next epoch and at the end; nothing of
/// an earlier epoch is lost, and the files are those of a run that was not hindered.
#[test]
fn a_run_whose_files_cannot_be_written_for_a_while_goes_on() {
    let whole = tempfile::tempdir().unwrap();
    hindered(whole.path(), 6, |_| {}).unwrap();
    let all = [RunFolder::MODEL, RunFolder::LAST, RunFolder::HISTORY];
    let bytes = |folder: &Path, name: &str| std::fs::read(folder.join(name)).unwrap();
    for name in [RunFolder::MODEL, RunFolder::LAST] {
        for until in [16, 24, usize::MAX] {
            let folder = tempfile::tempdir().unwrap();
            let (path, aside) = (folder.path().join(name), folder.path().join("aside"));
            let free = || {
                if aside.exists() {
                    std::fs::remove_dir_all(&path).unwrap();
                    std::fs::rename(&aside, &path).unwrap();
                }
            };
            let outcome = hindered(folder.path(), 6, |step| match step {
                // In the third epoch of four steps each.
                10 => {
                    std::fs::rename(&path, &aside).unwrap();
                    std::fs::create_dir_all(path.join("in the way")).unwrap();
                }
                step if step == until => free(),
                _ => {}
            });
            if until == usize::MAX {
                outcome.unwrap_err();
                assert!(!TrainingState::load(folder.path().join(RunFolder::CHECKPOINT)).unwrap().is_finished());
                free();
                hindered(folder.path(), 6, |_| {}).unwrap();
            } else {
                outcome.unwrap();
            }
            for name in all {
                assert!(bytes(folder.path(), name) == bytes(whole.path(), name), "{name}, until step {until}");
            }
        }
    }
}
