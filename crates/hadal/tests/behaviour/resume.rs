//! Runs that are killed and resumed end with the bits of runs that are not.

use std::path::Path;

use hadal::optim::{Adamax, Mode, ReduceLrOnPlateau};
use hadal::prelude::*;
use hadal::train::{CallbackState, Checkpoint, Every, RunFolder, TimeLimit, TrainingState};
use hadal::{Error, Result};
use proptest::prelude::*;

use super::{points, says};

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
struct Plan {
    optimizer: usize,
    schedule: usize,
    patience: usize,
    batch_size: usize,
    accumulate: usize,
    every: usize,
}

const OPTIMIZERS: usize = 12;

fn optimizer(which: usize) -> Box<dyn Optimizer> {
    match which {
        0 => Box::new(Sgd::new(0.1)),
        1 => Box::new(Sgd::new(0.05).momentum(0.9).nesterov(true)),
        2 => Box::new(RmsProp::new(0.01).momentum(0.5).centered()),
        3 => Box::new(Adagrad::new(0.1)),
        4 => Box::new(Adadelta::default()),
        5 => Box::new(Adam::new(0.01)),
        6 => Box::new(Adam::new(0.01).amsgrad()),
        7 => Box::new(AdamW::new(0.01)),
        8 => Box::new(Nadam::new(0.01)),
        9 => Box::new(Lion::new(0.001)),
        10 => Box::new(Muon::new(0.01)),
        _ => Box::new(Adamax::new(0.01)),
    }
}

fn trainer(plan: Plan) -> Trainer<Sequential> {
    let model = Sequential::new([2])
        .seed(3)
        .add(Dense::new(6).activation(Relu))
        .add(BatchNorm::new())
        .add(Dropout::new(0.2))
        .add(Dense::new(2).activation(Softmax))
        .build()
        .unwrap();
    Trainer::new(model, optimizer(plan.optimizer), CategoricalCrossentropy, (Accuracy, F1Score::default())).seed(3)
}

/// Trains in a folder, from its checkpoint if there is one, and is killed before step `kill`.
fn train(folder: &Path, plan: Plan, kill: usize) -> Result<hadal::train::History> {
    let (data, validation) = (points(50, 2), points(30, 2));
    let mut trainer = trainer(plan);
    let run = RunFolder::open(folder, trainer.model.architecture(), Default::default())?
        .keep_best("val_loss")
        .checkpoint(Every::Steps(plan.every), Default::default());
    let stopping = EarlyStopping::new("val_accuracy").patience(plan.patience).restore_best_weights(true);
    let die = move |event: &Event| match event {
        Event::BatchEnd { step, .. } if *step == kill => Err(Error::Config("killed".into())),
        _ => Ok(Flow::Continue),
    };
    let fit = Fit::epochs(4)
        .batch_size(plan.batch_size)
        .accumulate(plan.accumulate)
        .validation_data(&validation)
        .clip_norm(5.0)
        .quiet();
    let fit = match plan.schedule {
        0 => fit,
        1 => fit.schedule(Schedule::Cosine),
        2 => fit.schedule_by_epoch(Schedule::Step { step_size: 2, gamma: 0.5 }),
        _ => fit.reduce_lr_on_plateau(ReduceLrOnPlateau::new("val_loss").patience(1)),
    };
    let fit = fit.on_event(die).callback(stopping).callback(run);
    let checkpoint = folder.join(RunFolder::CHECKPOINT);
    if checkpoint.exists() { trainer.resume(checkpoint, &data, fit) } else { trainer.fit(&data, fit) }
}

fn files(folder: &Path) -> [Vec<u8>; 3] {
    [RunFolder::MODEL, RunFolder::LAST, RunFolder::HISTORY].map(|name| std::fs::read(folder.join(name)).unwrap())
}

fn killed_run_ends_as_the_whole(plan: Plan, kills: &[usize]) {
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let history = train(whole.path(), plan, usize::MAX).unwrap();
    for &kill in kills {
        // A kill before the checkpoint, or after the end, is none.
        let _ = train(killed.path(), plan, kill);
    }
    let resumed = train(killed.path(), plan, usize::MAX).unwrap();
    assert_eq!(resumed, history, "{plan:?} killed at {kills:?}");
    assert!(files(killed.path()) == files(whole.path()), "{plan:?} killed at {kills:?}");
    let [one, two] =
        [&whole, &killed].map(|folder| TrainingState::load(folder.path().join(RunFolder::CHECKPOINT)).unwrap());
    assert!(one.is_finished() && two.is_finished() && one.steps() == two.steps());
    // What is finished stays as it is.
    assert_eq!(train(killed.path(), plan, 1).unwrap(), history);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_killed_run_ends_as_the_whole(
        (optimizer, schedule, patience) in (0..OPTIMIZERS, 0..4usize, 0..4usize),
        (batch_size, accumulate, every) in (8..17usize, 1..4usize, 1..9usize),
        kills in prop::collection::vec(1..30usize, 1..4),
    ) {
        killed_run_ends_as_the_whole(Plan { optimizer, schedule, patience, batch_size, accumulate, every }, &kills);
    }
}

#[test]
fn every_optimizer_goes_on_in_the_middle_of_an_epoch() {
    for optimizer in 0..OPTIMIZERS {
        killed_run_ends_as_the_whole(
            Plan { optimizer, schedule: 1, patience: 9, batch_size: 8, accumulate: 1, every: 2 },
            &[11, 12, 19],
        );
    }
}

#[test]
fn a_suspended_run_goes_on_where_it_was() {
    let data = points(40, 2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let plan = Plan { optimizer: 5, schedule: 0, patience: 9, batch_size: 8, accumulate: 1, every: 1000 };
    let suspend = |event: &Event| {
        Ok(if matches!(event, Event::BatchEnd { step: 7, .. }) { Flow::Suspend } else { Flow::Continue })
    };
    let mut first = trainer(plan);
    let fit = || Fit::epochs(3).batch_size(8).quiet().callback(Checkpoint::new(&path));
    assert_eq!(first.fit(&data, fit().on_event(suspend)).unwrap().epochs.len(), 1);
    assert_eq!(TrainingState::load(&path).unwrap().steps(), 7);
    let mut second = trainer(plan);
    let history = second.resume(&path, &data, fit()).unwrap();
    let mut whole = trainer(plan);
    assert_eq!(history, whole.fit(&data, Fit::epochs(3).batch_size(8).quiet()).unwrap());
    let bits = |trainer: &Trainer<Sequential>| -> Vec<Vec<f32>> {
        trainer.model.state_dict().into_iter().map(|(_, tensor)| tensor.to_vec::<f32>()).collect()
    };
    assert_eq!(bits(&second), bits(&whole));
}

#[test]
fn what_is_not_the_run_is_refused_with_the_first_difference() {
    let (data, other) = (points(40, 2), points(42, 2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let plan = Plan { optimizer: 5, schedule: 0, patience: 9, batch_size: 8, accumulate: 1, every: 1000 };
    let fit = || Fit::epochs(2).batch_size(8).quiet();
    let suspend = |event: &Event| {
        Ok(if matches!(event, Event::BatchEnd { step: 3, .. }) { Flow::Suspend } else { Flow::Continue })
    };
    trainer(plan).fit(&data, fit().on_event(suspend).callback(Checkpoint::new(&path))).unwrap();
    let resume = |plan: Plan, data: &Dataset, fit: Fit| trainer(plan).resume(&path, data, fit);
    says(resume(plan, &other, fit()), &["another run", "training data", "40 samples", "42 samples"]);
    says(resume(plan, &data, fit().batch_size(10)), &["batch size was 8, not 10"]);
    says(resume(plan, &data, Fit::epochs(3).batch_size(8).quiet()), &["number of epochs was 2, not 3"]);
    says(resume(plan, &data, fit().accumulate(2)), &["batches that a step accumulates was 1, not 2"]);
    says(resume(plan, &data, fit().shuffle(false)), &["shuffling was true, not false"]);
    says(resume(Plan { optimizer: 8, ..plan }, &data, fit()), &["optimizer was adam", "not nadam"]);
    let extra = EarlyStopping::new("loss");
    says(resume(plan, &data, fit().callback(extra)), &["0 callbacks", "this one has 1", "in the same order"]);
    let mut seeded = trainer(plan).seed(4);
    says(seeded.resume(&path, &data, fit()), &["seed was 3, not 4"]);
    // A damaged file, in any byte.
    let whole = std::fs::read(&path).unwrap();
    for cut in [0, 7, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(resume(plan, &data, fit()).is_err());
    }
    for place in (0..whole.len()).step_by(whole.len() / 97 + 1) {
        let mut bytes = whole.clone();
        bytes[place] ^= 16;
        std::fs::write(&path, bytes).unwrap();
        assert!(resume(plan, &data, fit()).is_err(), "a flipped bit in byte {place}");
    }
    let model = folder.path().join("model.safetensors");
    trainer(plan).model.save(&model, &Default::default()).unwrap();
    says(trainer(plan).resume(&model, &data, fit()), &["no state of training", "not a checkpoint"]);
}

/// Changes the learning rate after two steps.
struct Changes(usize);

impl Callback for Changes {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if let Event::BatchEnd { step, .. } = event {
            self.0 = *step;
        }
        Ok(Flow::Continue)
    }

    fn new_learning_rate(&mut self) -> Option<f64> {
        match self.0 {
            3 => Some(0.05),
            9 => Some(0.2),
            _ => None,
        }
    }
}

#[test]
fn a_learning_rate_that_was_changed_is_kept_and_repeated() {
    let data = points(40, 2);
    let plan = Plan { optimizer: 5, schedule: 1, patience: 9, batch_size: 8, accumulate: 1, every: 1000 };
    let plateau = || ReduceLrOnPlateau::new("loss").patience(1).factor(0.5).min_delta(1e9);
    let fit = || Fit::epochs(4).batch_size(8).quiet().reduce_lr_on_plateau(plateau());
    let mut whole = trainer(plan);
    let history = whole.fit(&data, fit().callback(Changes(0))).unwrap();
    assert_eq!(whole.learning_rate_changes(), [(3, 0.05), (9, 0.2)]);
    let unchanged = trainer(plan).fit(&data, fit()).unwrap();
    assert_ne!(history, unchanged);
    let mut planned = trainer(plan);
    let changes = whole.learning_rate_changes().to_vec();
    assert_eq!(planned.fit(&data, fit().learning_rate_changes(changes)).unwrap(), history);
    for stop in [2, 3, 5, 7, 9, 12, 16] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let suspend = move |event: &Event| {
            let is_due = matches!(event, Event::BatchEnd { step, .. } if *step == stop);
            Ok(if is_due { Flow::Suspend } else { Flow::Continue })
        };
        let checkpoint = || Checkpoint::new(&path);
        trainer(plan).fit(&data, fit().callback(Changes(0)).callback(checkpoint()).on_event(suspend)).unwrap();
        let mut second = trainer(plan);
        assert_eq!(second.resume(&path, &data, fit().callback(Changes(0)).callback(checkpoint())).unwrap(), history);
        assert_eq!(second.learning_rate_changes(), whole.learning_rate_changes());
    }
    struct Wrong;
    impl Callback for Wrong {
        fn on_event(&mut self, _: &Event) -> Result<Flow> {
            Ok(Flow::Continue)
        }
        fn new_learning_rate(&mut self) -> Option<f64> {
            Some(f64::NAN)
        }
    }
    says(trainer(plan).fit(&data, fit().callback(Wrong)), &["new learning rate NaN", "positive"]);
}

/// Counts batches.
struct Watches(usize);

impl Callback for Watches {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        self.0 += usize::from(matches!(event, Event::BatchEnd { .. }));
        Ok(Flow::Continue)
    }
    fn only_watches(&self) -> bool {
        true
    }
    fn state(&self) -> Option<CallbackState> {
        Some(CallbackState::text(self.0.to_string()))
    }
    fn load_state(&mut self, state: CallbackState) -> Result<()> {
        self.0 = state.text.parse().unwrap();
        Ok(())
    }
}

#[test]
fn what_only_watches_may_come_and_go() {
    let data = points(40, 2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let plan = Plan { optimizer: 5, schedule: 0, patience: 9, batch_size: 8, accumulate: 1, every: 1000 };
    let fit = || Fit::epochs(3).batch_size(8).quiet();
    let history = trainer(plan).fit(&data, fit()).unwrap();
    let suspend = |event: &Event| {
        Ok(if matches!(event, Event::BatchEnd { step: 7, .. }) { Flow::Suspend } else { Flow::Continue })
    };
    let stopping = || EarlyStopping::new("loss").patience(9);
    let mut watches = Watches(0);
    let first = fit().callback(&mut watches).callback(stopping()).callback(Checkpoint::new(&path)).on_event(suspend);
    trainer(plan).fit(&data, first).unwrap();
    let mut watches = Watches(0);
    let again = fit().callback(stopping()).callback(&mut watches);
    assert_eq!(trainer(plan).resume(&path, &data, again).unwrap(), history);
    assert_eq!(watches.0, 15);
    assert_eq!(trainer(plan).resume(&path, &data, fit().callback(stopping())).unwrap(), history);
    says(trainer(plan).resume(&path, &data, fit().callback(Watches(0))), &["had 1 callbacks", "this one has 0"]);
}

/// Settings that no parameter shows.
#[test]
fn a_setting_that_is_not_the_runs_is_refused_by_name() {
    let data = points(40, 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let network = |rate: f64, activation: Activation| {
        Sequential::new([2]).add(Dense::new(4).activation(activation)).add(Dropout::new(rate)).add(Dense::new(1))
    };
    let trainer = |network: Sequential, loss: Box<dyn Loss>, k: f64| {
        network.compile(Sgd::new(0.01), loss, Accuracy.threshold(k)).unwrap()
    };
    let own = || trainer(network(0.1, Tanh), Box::new(BinaryCrossentropy.from_logits()), 0.5);
    let stopping = |patience| EarlyStopping::new("val_loss").patience(patience);
    let bare = || Fit::epochs(2).batch_size(8).validation_data(&data).quiet();
    let fit = || bare().callback(stopping(3)).callback(KeepBest::new("val_loss"));
    let suspend = |event: &Event| {
        Ok(if matches!(event, Event::BatchEnd { step: 3, .. }) { Flow::Suspend } else { Flow::Continue })
    };
    own().fit(&data, fit().on_event(suspend).callback(Checkpoint::new(&path))).unwrap();
    let resume = |mut trainer: Trainer<Sequential>, fit: Fit| trainer.resume(&path, &data, fit);
    let loss = || -> Box<dyn Loss> { Box::new(BinaryCrossentropy.from_logits()) };
    says(resume(trainer(network(0.2, Tanh), loss(), 0.5), fit()), &["another run", "layer 2", "0.1", "0.2"]);
    says(resume(trainer(network(0.1, Relu), loss(), 0.5), fit()), &["layer 1", "tanh", "relu"]);
    says(resume(trainer(network(0.1, Tanh).add(Dropout::new(0.5)), loss(), 0.5), fit()), &["layer 4 was not there"]);
    let shorter = Sequential::new([2]).add(Dense::new(4).activation(Tanh)).add(Dense::new(1));
    says(resume(trainer(shorter, loss(), 0.5), fit()), &["another run", "its model was"]);
    let smoothed = Box::new(BinaryCrossentropy.from_logits().label_smoothing(0.1));
    says(
        resume(trainer(network(0.1, Tanh), smoothed, 0.5), fit()),
        &["its loss was", "smoothing: 0.0", "smoothing: 0.1"],
    );
    let halved = Box::new(BinaryCrossentropy.from_logits().class_weights(&[1.0, 0.5]));
    says(resume(trainer(network(0.1, Tanh), halved, 0.5), fit()), &["its loss was", "class weights [1.0, 0.5]"]);
    says(
        resume(trainer(network(0.1, Tanh), loss(), 0.6), fit()),
        &["its metrics was", "threshold 0.5", "threshold 0.6"],
    );
    says(resume(own(), fit().validation_batch_size(7)), &["validation batch size was 1000, not 7"]);
    let patient = bare().callback(stopping(4)).callback(KeepBest::new("val_loss"));
    says(resume(own(), patient), &["its EarlyStopping was val_loss", "patience 3", "patience 4"]);
    let other = bare().callback(stopping(3)).callback(KeepBest::new("loss"));
    says(resume(own(), other), &["its KeepBest was val_loss", "not loss"]);
    resume(own(), fit()).unwrap();
}

/// A metric without a state.
struct Opaque(f64);

impl Metric for Opaque {
    fn name(&self) -> &'static str {
        "opaque"
    }
    fn reset(&mut self) {
        self.0 = 0.0;
    }
    fn update(&mut self, prediction: &Tensor, _target: &Tensor) {
        self.0 += prediction.size(0) as f64;
    }
    fn compute(&self) -> f64 {
        self.0
    }
}

#[test]
fn with_a_metric_that_has_no_state_checkpoints_are_those_of_the_ends_of_epochs() {
    let data = points(40, 2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let make = || {
        let model = Sequential::new([2]).add(Dense::new(2).activation(Softmax));
        model.compile(Sgd::new(0.1), CategoricalCrossentropy, Opaque(0.0)).unwrap()
    };
    let die = |event: &Event| match event {
        Event::BatchEnd { step: 8, .. } => Err(Error::Config("killed".into())),
        _ => Ok(Flow::Continue),
    };
    let fit = || Fit::epochs(3).batch_size(8).quiet().callback(Checkpoint::new(&path).every(Every::Steps(1)));
    assert!(make().fit(&data, fit().on_event(die)).is_err());
    let state = TrainingState::load(&path).unwrap();
    assert_eq!((state.epochs(), state.steps()), (1, 5));
    let history = make().resume(&path, &data, fit()).unwrap();
    assert_eq!(history, make().fit(&data, Fit::epochs(3).batch_size(8).quiet()).unwrap());
}

#[test]
fn a_run_that_is_to_stop_when_it_is_suspended_stops_when_it_goes_on() {
    let data = points(40, 2);
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { optimizer: 5, schedule: 0, patience: 9, batch_size: 8, accumulate: 1, every: 1000 };
    let is_end_of_epoch = |event: &Event| matches!(event, Event::EpochEnd { epoch: 2, .. });
    let is_in_an_epoch = |event: &Event| matches!(event, Event::BatchEnd { step: 7, .. });
    for (name, is_there) in [("epoch", &is_end_of_epoch as &dyn Fn(&Event) -> bool), ("batch", &is_in_an_epoch)] {
        let path = folder.path().join(name);
        let stop = |event: &Event| Ok(if is_there(event) { Flow::Stop } else { Flow::Continue });
        let suspend = |event: &Event| Ok(if is_there(event) { Flow::Suspend } else { Flow::Continue });
        let fit = || Fit::epochs(5).batch_size(8).quiet().on_event(stop);
        trainer(plan).fit(&data, fit().on_event(suspend).callback(Checkpoint::new(&path))).unwrap();
        let history = trainer(plan).resume(&path, &data, fit().callback(Checkpoint::new(&path))).unwrap();
        assert_eq!(history.epochs.len(), 2, "{name}");
        assert_eq!(history, trainer(plan).fit(&data, fit()).unwrap(), "{name}");
    }
}

#[test]
fn the_best_model_of_a_resumed_run_is_not_one_of_an_epoch_that_it_has_yet_to_reach() {
    let data = points(40, 2);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let plan = Plan { optimizer: 0, schedule: 0, patience: 9, batch_size: 8, accumulate: 1, every: 1 };
    // The loss falls: the first epoch is the best.
    let train = |folder: &Path, kill: usize| {
        let mut trainer = trainer(plan);
        let run = RunFolder::open(folder, trainer.model.architecture(), Default::default()).unwrap();
        let run = run.keep_best("loss").mode(Mode::Max).checkpoint(Every::Steps(1), Default::default());
        let die = move |event: &Event| match event {
            Event::BatchEnd { step, .. } if *step == kill => Err(Error::Config("killed".into())),
            _ => Ok(Flow::Continue),
        };
        let fit = Fit::epochs(4).batch_size(8).quiet().on_event(die).callback(run);
        let checkpoint = folder.join(RunFolder::CHECKPOINT);
        if checkpoint.exists() { trainer.resume(checkpoint, &data, fit) } else { trainer.fit(&data, fit) }
    };
    let [whole, killed] = folders.each_ref().map(|folder| folder.path());
    train(whole, 1000).unwrap();
    assert!(train(killed, 12).is_err());
    std::fs::copy(whole.join(RunFolder::LAST), killed.join(RunFolder::MODEL)).unwrap();
    train(killed, 1000).unwrap();
    assert!(files(killed) == files(whole));
}

#[test]
fn a_limit_of_time_in_a_second_call_is_repeated_by_its_step() {
    let data = points(40, 2);
    let plan = Plan { optimizer: 5, schedule: 0, patience: 9, batch_size: 8, accumulate: 1, every: 1000 };
    let fit = || Fit::epochs(4).batch_size(8).quiet();
    let (mut timed, mut counted) = (trainer(plan), trainer(plan));
    for trainer in [&mut timed, &mut counted] {
        trainer.fit(&data, Fit::epochs(1).batch_size(8).quiet()).unwrap();
    }
    let mut limit = TimeLimit::new(std::time::Duration::ZERO);
    let history = timed.fit(&data, fit().callback(&mut limit)).unwrap();
    assert_eq!(limit.stopped_step(), Some(6));
    assert_eq!(counted.fit(&data, fit().max_steps(6)).unwrap(), history);
    says(counted.fit(&data, fit().max_steps(6)), &["more than the 6 steps that were taken, not 6"]);
}
