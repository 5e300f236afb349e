//! When training stops, which weights the model then has, and which are in the files.

use std::path::Path;

use hadal::optim::Mode;
use hadal::prelude::*;
use hadal::train::RunFolder;

use crate::{points, says};

/// A metric that gives these numbers, epoch by epoch, and the last one from then on.
struct Made {
    values: Vec<f64>,
    epoch: usize,
    higher_is_better: Option<bool>,
}

impl Metric for Made {
    fn name(&self) -> &'static str {
        "made"
    }

    fn reset(&mut self) {
        self.epoch += 1;
    }

    fn update(&mut self, _: &Tensor, _: &Tensor) {}

    fn compute(&self) -> f64 {
        self.values[(self.epoch - 1).min(self.values.len() - 1)]
    }

    fn has_running_value(&self) -> bool {
        false
    }

    fn higher_is_better(&self) -> Option<bool> {
        self.higher_is_better
    }
}

fn network(optimizer: impl Optimizer + 'static, metrics: Vec<Box<dyn Metric>>) -> Trainer<Sequential> {
    let model = Sequential::new([2]).add(Dense::new(8)).add(BatchNorm::new()).add(Dense::new(3).activation(Softmax));
    model.compile(optimizer, CategoricalCrossentropy, metrics).unwrap()
}

/// A network whose metric `made` has these values; lower is better.
fn made(values: &[f64]) -> Trainer<Sequential> {
    network(Adam::new(0.05), vec![Made { values: values.to_vec(), epoch: 0, higher_is_better: Some(false) }.boxed()])
}

fn bits(weights: &[(String, Tensor)]) -> Vec<u32> {
    weights.iter().flat_map(|(_, tensor)| tensor.to_vec::<f32>()).map(f32::to_bits).collect()
}

/// Trains; returns the weights after every epoch and those that the model has in the end.
fn fit(model: &mut Trainer<Sequential>, epochs: usize, callback: impl Callback) -> (Vec<Vec<u32>>, Vec<u32>) {
    let mut seen = Vec::new();
    let watch = |event: &Event| {
        if let Event::EpochEnd { model, .. } = event {
            seen.push(bits(&model.state_dict()));
        }
        Ok(Flow::Continue)
    };
    model.fit(&points(30, 3), Fit::epochs(epochs).batch_size(10).quiet().on_event(watch).callback(callback)).unwrap();
    let end = bits(&model.model.state_dict());
    (seen, end)
}

const BUMPY: [f64; 6] = [3.0, f64::NAN, 1.0, 2.0, 1.0, 4.0];

#[test]
fn the_model_has_the_weights_of_its_best_epoch_running_means_included() {
    let mut stopping = EarlyStopping::new("made").patience(2).restore_best_weights(true);
    let (epochs, end) = fit(&mut made(&BUMPY), 100, &mut stopping);
    assert_eq!((epochs.len(), stopping.stopped_epoch(), stopping.best_epoch()), (5, Some(5), Some(3)));
    assert!(end == epochs[2] && end != epochs[4]);
    assert_eq!(stopping.to_string(), "stopped after epoch 5: made was best after epoch 3 (1.0000)");
    // Not restored: as the last epoch left it.
    let mut stopping = EarlyStopping::new("made").patience(2);
    let (epochs, end) = fit(&mut made(&BUMPY), 100, &mut stopping);
    assert!(epochs.len() == 5 && end == epochs[4] && stopping.best() == Some(1.0));
    // Not stopped, but restored, by either.
    let mut stopping = EarlyStopping::new("made").patience(9).restore_best_weights(true);
    let (epochs, end) = fit(&mut made(&BUMPY), 4, &mut stopping);
    assert!(end == epochs[2] && stopping.stopped_epoch().is_none());
    assert_eq!(stopping.to_string(), "not stopped early: made was best after epoch 3 (1.0000)");
    let mut best = KeepBest::new("made");
    let (epochs, end) = fit(&mut made(&BUMPY), 6, &mut best);
    assert!(epochs.len() == 6 && end == epochs[2]);
    assert_eq!((best.best_epoch(), best.best()), (Some(3), Some(1.0)));
}

#[test]
fn not_a_number_is_never_the_best() {
    let mut stopping = EarlyStopping::new("made").patience(2).restore_best_weights(true);
    let (epochs, end) = fit(&mut made(&[f64::NAN, f64::NAN, 5.0, f64::NAN]), 100, &mut stopping);
    assert_eq!(stopping.stopped_epoch(), Some(2), "two epochs without a number are two without improvement");
    assert!(end == epochs[1] && stopping.best_epoch().is_none(), "nothing to restore");
    assert_eq!(stopping.to_string(), "stopped after epoch 2: made was not a number in any epoch");
    let mut best = KeepBest::new("made");
    let (epochs, end) = fit(&mut made(&[f64::NAN, f64::INFINITY, 5.0, f64::NAN]), 4, &mut best);
    assert!(end == epochs[2] && best.best() == Some(5.0));
}

#[test]
fn metrics_say_which_way_is_up() {
    let rising = |mode: Option<Mode>| {
        let metric = Made { values: vec![0.1, 0.3, 0.2], epoch: 0, higher_is_better: Some(true) };
        let mut best = KeepBest::new("made");
        if let Some(mode) = mode {
            best = best.mode(mode);
        }
        fit(&mut network(Sgd::new(0.1), vec![metric.boxed()]), 3, &mut best);
        best.best_epoch()
    };
    assert_eq!([rising(None), rising(Some(Mode::Max)), rising(Some(Mode::Min))], [Some(2), Some(2), Some(1)]);
}

#[test]
fn every_call_of_fit_begins_anew_and_epochs_count_on() {
    let mut model = made(&[1.0, 2.0, 5.0, 4.0, 4.5]);
    let mut stopping = EarlyStopping::new("made").patience(1).restore_best_weights(true);
    let (epochs, end) = fit(&mut model, 9, &mut stopping);
    assert_eq!((stopping.best_epoch(), stopping.stopped_epoch()), (Some(1), Some(2)));
    assert!(end == epochs[0]);
    let (epochs, end) = fit(&mut model, 9, &mut stopping);
    assert_eq!((stopping.best_epoch(), stopping.best(), stopping.stopped_epoch()), (Some(4), Some(4.0), Some(5)));
    assert!(epochs.len() == 3 && end == epochs[1]);
}

#[test]
fn the_last_callback_decides_and_an_error_restores_nothing() {
    let values = [2.0, 1.0, 3.0];
    let (first, second) = (KeepBest::new("made"), KeepBest::new("made").mode(Mode::Max));
    let mut model = made(&values);
    let mut weights = Vec::new();
    let watch = |event: &Event| {
        if let Event::EpochEnd { model, .. } = event {
            weights.push(bits(&model.state_dict()));
        }
        Ok(Flow::Continue)
    };
    let data = points(30, 3);
    model.fit(&data, Fit::epochs(3).quiet().on_event(watch).callback(second).callback(first)).unwrap();
    assert!(bits(&model.model.state_dict()) == weights[1]);
    let mut model = made(&values);
    let fail = |event: &Event| match event {
        Event::EpochEnd { epoch: 3, .. } => Err(hadal::Error::Data("no more".into())),
        _ => Ok(Flow::Continue),
    };
    let best = KeepBest::new("made");
    says(model.fit(&data, Fit::epochs(3).quiet().callback(best).on_event(fail)), &["no more"]);
    assert!(bits(&model.model.state_dict()) == weights[2]);
}

#[test]
fn what_cannot_be_monitored_is_said_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |callback: &mut dyn Callback, words: &[&str]| {
        let metric = Made { values: vec![1.0], epoch: 0, higher_is_better: None };
        let mut model = network(Sgd::new(0.1), vec![Accuracy.boxed(), metric.boxed()]);
        let before = bits(&model.model.state_dict());
        says(model.fit(&points(6, 3), Fit::epochs(1).quiet().callback(callback)), words);
        assert!(bits(&model.model.state_dict()) == before);
    };
    let architecture = network(Sgd::new(0.1), Vec::new()).model.architecture();
    let path = folder.path().join("model.safetensors");
    let checkpoint = |monitor: &str| {
        hadal::train::ModelCheckpoint::new(&path, architecture.clone(), Default::default()).save_best_only(monitor)
    };
    let run = |monitor: &str| {
        RunFolder::open(folder.path(), architecture.clone(), Default::default()).unwrap().keep_best(monitor)
    };
    let names = "but an epoch reports loss, accuracy, made";
    refused(&mut EarlyStopping::new("los"), &["EarlyStopping monitors `los`", names]);
    refused(
        &mut KeepBest::new("val_loss"),
        &["KeepBest monitors `val_loss`", names, "give fit validation_data for it"],
    );
    refused(&mut checkpoint("auc"), &["ModelCheckpoint monitors `auc`", names]);
    refused(&mut run("auc"), &["RunFolder monitors `auc`", names]);
    let direction = "`made`, which does not say whether higher is better; set mode(Mode::Min) or mode(Mode::Max)";
    refused(&mut EarlyStopping::new("made"), &[direction]);
    refused(&mut KeepBest::new("made"), &[direction]);
    refused(&mut checkpoint("made"), &[direction]);
    refused(&mut run("made"), &[direction]);
    for min_delta in [-0.1, f64::NAN, f64::INFINITY] {
        let words = ["EarlyStopping: min_delta", "must be 0 or a positive, finite number"];
        refused(&mut EarlyStopping::new("loss").min_delta(min_delta), &words);
    }
    refused(
        &mut EarlyStopping::new("loss").baseline(f64::NAN),
        &["EarlyStopping: baseline NaN must be a finite number"],
    );
    assert!(!path.exists());
}

#[test]
fn weights_that_were_kept_do_not_change_under_any_optimizer() {
    let optimizers: Vec<Box<dyn Optimizer>> = vec![
        Box::new(Sgd::new(0.1)),
        Box::new(Sgd::new(0.1).momentum(0.9)),
        Box::new(Adam::new(0.1)),
        Box::new(AdamW::new(0.1)),
        Box::new(Nadam::new(0.1)),
        Box::new(RmsProp::new(0.1)),
        Box::new(Adagrad::new(0.1)),
        Box::new(Adadelta::new(1.0)),
        Box::new(Lion::new(0.1)),
        Box::new(Muon::new(0.1)),
    ];
    for optimizer in optimizers {
        let mut kept = Vec::new();
        let watch = |event: &Event| {
            if let Event::BatchEnd { model, .. } = event {
                let weights = model.state_dict();
                let now = bits(&weights);
                kept.push((weights, now));
            }
            Ok(Flow::Continue)
        };
        let mut model = network(optimizer, Vec::new());
        model.fit(&points(30, 3), Fit::epochs(2).batch_size(10).quiet().on_event(watch)).unwrap();
        assert!(kept.iter().all(|(weights, then)| bits(weights) == *then));
        assert!(kept.windows(2).all(|pair| pair[0].1 != pair[1].1), "each step changes something");
    }
}

#[test]
fn a_checkpoint_of_the_best_alone_is_over_all_calls_of_fit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("best.safetensors");
    let mut model = made(&[f64::NAN, 2.0, 3.0, 2.5, 1.0, 1.0]);
    let mut save = ModelCheckpoint::new(&path, model.model.architecture(), Default::default()).save_best_only("made");
    let epoch = || Sequential::load(&path).unwrap().1["hadal.epoch"].clone();
    fit(&mut model, 1, &mut save);
    assert!(!path.exists(), "not a number is never the best");
    let (epochs, _) = fit(&mut model, 2, &mut save);
    assert_eq!(epoch(), "2");
    assert!(bits(&Sequential::load(&path).unwrap().0.state_dict()) == epochs[0]);
    fit(&mut model, 1, &mut save);
    assert_eq!(epoch(), "2", "better than the epoch before, but not the best");
    fit(&mut model, 2, &mut save);
    assert_eq!(epoch(), "5");
}

/// The run that the next test kills: it goes on for ever, and some epochs are the best and others are not.
#[test]
#[ignore = "started by the next test"]
fn endless_run() {
    let Some(folder) = std::env::var_os("HADAL_TEST_RUN") else { return };
    let seed: u64 = std::env::var("HADAL_TEST_SEED").unwrap().parse().unwrap();
    let values = (0..100_000).map(|epoch| if epoch % 3 == 1 { 9.0 } else { -f64::from(epoch) }).collect();
    let metric = Made { values, epoch: 0, higher_is_better: Some(false) };
    let model = Sequential::new([2]).seed(seed).add(Dense::new(3).activation(Softmax));
    let mut model = model.compile(Sgd::new(0.01), CategoricalCrossentropy, metric).unwrap();
    let run = RunFolder::open(folder, model.model.architecture(), Default::default()).unwrap().keep_best("made");
    model.fit(&points(20, 3), Fit::epochs(1_000_000).quiet().callback(run)).unwrap();
}

/// What a file of a run says: its epoch, and the history up to it.
fn state(folder: &Path, name: &str) -> Option<(usize, String)> {
    let path = folder.join(name);
    path.exists().then(|| {
        let notes = Sequential::load(path).unwrap().1;
        (notes["hadal.epoch"].parse().unwrap(), notes["hadal.history"].clone())
    })
}

#[cfg(unix)]
#[test]
fn a_kill_at_any_instant_never_mixes_the_best_the_last_and_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut random = Rng::new(5);
    let mut killed_between = 0;
    for seed in 0..25 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "stopping::endless_run"])
            .env("HADAL_TEST_RUN", folder)
            .env("HADAL_TEST_SEED", seed.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30 + random.below(120)));
        while !folder.join(RunFolder::MODEL).exists() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (best, beginning) = state(folder, RunFolder::MODEL).unwrap();
        let path = folder.join(RunFolder::HISTORY);
        let history = std::fs::read_to_string(&path).ok();
        let last = state(folder, RunFolder::LAST);
        killed_between += usize::from(history.is_none() || last.as_ref().is_none_or(|last| last.0 < best));
        // All that is there is of one run, and complete where the history is.
        if let Some((last, all)) = &last {
            assert!(all.starts_with(&beginning) || beginning.starts_with(all));
            assert!(history.as_ref().is_none_or(|history| history == all && *last >= best));
        }
        RunFolder::restore(folder, &Sequential::load(folder.join(RunFolder::MODEL)).unwrap().1);
        let (last, all) = state(folder, RunFolder::LAST).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), all);
        assert!(all.starts_with(&beginning) && last >= best);
        assert_eq!(all.lines().count(), last + 1);
        // The best of the epochs so far: every third is not.
        assert_eq!(best, if last % 3 == 2 { last - 1 } else { last });
    }
    println!("{killed_between} of 25 runs were killed while they wrote");
}
