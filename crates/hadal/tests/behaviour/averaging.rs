//! Averages of weights: what they are, where they are, and in runs that are interrupted.

use std::cell::RefCell;

use hadal::prelude::*;
use hadal::train::{
    Checkpoint, Every, ExponentialMovingAverage, RunFolder, StochasticWeightAveraging, renew_batch_statistics,
};
use hadal::{Error, Result};

use super::{panics, points, says};

type Weights = Vec<(String, Vec<f32>)>;

fn numbers(model: &dyn Module) -> Weights {
    model.state_dict().into_iter().map(|(name, tensor)| (name, tensor.to_vec())).collect()
}

fn trainer() -> Trainer<Sequential> {
    Sequential::new([2])
        .seed(5)
        .add(Dense::new(6))
        .add(BatchNorm::new())
        .add(Relu)
        .add(Dropout::new(0.2))
        .add(Dense::new(3).activation(Softmax))
        .compile(Adam::new(0.02), CategoricalCrossentropy, Accuracy)
        .unwrap()
}

/// Six steps an epoch.
fn fit<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).batch_size(8).quiet()
}

/// Compares an average with weights that were averaged by hand; running statistics are not averaged.
#[track_caller]
fn close(found: &Weights, expected: &Weights, last: &Weights) {
    for (((name, found), (_, expected)), (_, last)) in found.iter().zip(expected).zip(last) {
        let expected = if name.contains("running") { last } else { expected };
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{name}: {found:?} {expected:?}");
    }
}

/// `sum of w[i] a[i]` of every number.
fn combined(all: &[Weights], shares: &[f64]) -> Weights {
    let mut sum = all[0].clone();
    for (at, (_, own)) in sum.iter_mut().enumerate() {
        for (place, number) in own.iter_mut().enumerate() {
            let terms = all.iter().zip(shares).map(|(weights, share)| f64::from(weights[at].1[place]) * share);
            *number = terms.sum::<f64>() as f32;
        }
    }
    sum
}

#[test]
fn a_moving_average_is_what_its_formula_says() {
    let data = points(48, 3);
    for warms_up in [false, true] {
        let (mut model, mut steps) = (trainer(), Vec::new());
        let see = |event: &Event| {
            if let Event::BatchEnd { model, .. } = event {
                steps.push(numbers(*model));
            }
            Ok(Flow::Continue)
        };
        let average = ExponentialMovingAverage::new(0.8).warm_up(warms_up);
        model.fit(&data, fit(2).on_event(see).callback(average)).unwrap();
        let mut shares = vec![1.0];
        for n in 1..steps.len() {
            let decay = if warms_up { f64::min(0.8, (1.0 + n as f64) / (10.0 + n as f64)) } else { 0.8 };
            shares.iter_mut().for_each(|share| *share *= decay);
            shares.push(1.0 - decay);
        }
        assert!(steps.len() == 12 && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        close(&numbers(&model.model), &combined(&steps, &shares), &steps[11]);
    }
}

#[test]
fn weights_of_chosen_epochs_are_averaged_and_their_statistics_renewed() {
    let data = points(48, 3);
    let (mut model, mut epochs) = (trainer(), Vec::new());
    let see = |event: &Event| {
        if let Event::EpochEnd { model, .. } = event {
            epochs.push(numbers(*model));
        }
        Ok(Flow::Continue)
    };
    let averaging = StochasticWeightAveraging::new(3).every(2).learning_rate(0.05);
    model.fit(&data, fit(8).on_event(see).callback(averaging)).unwrap();
    assert_eq!(model.learning_rate_changes(), [(12, 0.05)]); // after epoch 2
    let expected = combined(&[epochs[2].clone(), epochs[4].clone(), epochs[6].clone()], &[1.0 / 3.0; 3]);
    // Renewed from whatever they were.
    let mut other = trainer().model;
    other.load_state_dict(&model.model.state_dict().into_iter().collect()).unwrap();
    other.forward(&Tensor::randn([9, 2], &mut Rng::new(7)), &mut Context::training(Rng::new(1)));
    assert_ne!(numbers(&other), numbers(&model.model));
    renew_batch_statistics(&mut other, &data, 8).unwrap();
    assert_eq!(numbers(&other), numbers(&model.model));
    close(&numbers(&model.model), &expected, &numbers(&other));
    // Those of the data as a whole, for layers whose input does not depend on others.
    let mut kept = trainer();
    let plain = StochasticWeightAveraging::new(8).renew_batch_statistics(false);
    kept.fit(&data, fit(8).callback(plain)).unwrap();
    let mut last = trainer();
    last.fit(&data, fit(8)).unwrap();
    assert_eq!(numbers(&kept.model), numbers(&last.model));
}

#[test]
fn renewed_statistics_are_those_of_the_data() {
    let x = Tensor::randn([23, 2], &mut Rng::new(1)) * 3.0 + 1.0;
    let data = Dataset::new("x", x.clone(), Tensor::zeros([23])).unwrap();
    let mut model = Sequential::new([2]).add(Dropout::new(0.5)).add(BatchNorm::keras()).build().unwrap();
    let statistics = |model: &Sequential| [2, 3].map(|at| model.state_dict()[at].1.to_vec::<f32>());
    renew_batch_statistics(&mut model, &data, 23).unwrap();
    let whole = [x.mean_axes(&[0]), x.var(&[0], 0)].map(|expected| expected.to_vec::<f32>());
    for (found, expected) in statistics(&model).iter().flatten().zip(whole.iter().flatten()) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    // Means of batches weigh as many as they have samples; one of a single sample has no variance and is left out.
    renew_batch_statistics(&mut model, &data, 10).unwrap();
    for (found, expected) in statistics(&model)[0].iter().zip(&whole[0]) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    renew_batch_statistics(&mut model, &data, 11).unwrap();
    for (found, expected) in statistics(&model)[0].iter().zip(x.narrow(0, 0, 22).mean_axes(&[0]).to_vec::<f32>()) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    says(renew_batch_statistics(&mut model, &data, 1), &["batches of 1", "at least 2"]);
    let wide = Dataset::new("wide", Tensor::zeros([4, 3]), Tensor::zeros([4])).unwrap();
    says(renew_batch_statistics(&mut model, &wide, 4), &["wide", "[3]", "[2]"]);
    // Those of frozen layers stay.
    model.freeze("").unwrap();
    let before = statistics(&model);
    renew_batch_statistics(&mut model, &data, 5).unwrap();
    assert_eq!(statistics(&model), before);
}

#[test]
fn epochs_are_validated_with_the_average_and_trained_without() {
    let (data, validation) = (points(48, 3), points(30, 3));
    let mut plain = trainer();
    plain.fit(&data, fit(4).validation_data(&validation)).unwrap();
    let seen = RefCell::new(Vec::new());
    let see = |event: &Event| {
        match event {
            Event::EpochEnd { model, .. } => seen.borrow_mut().push((false, numbers(*model))),
            Event::BatchEnd { batch: 6, model, .. } => seen.borrow_mut().push((true, numbers(*model))),
            _ => {}
        }
        Ok(Flow::Continue)
    };
    let average = ExponentialMovingAverage::new(0.7).validate(true);
    let mut best = KeepBest::new("val_loss");
    let mut model = trainer();
    let run = fit(4).validation_data(&validation).on_event(see).callback(average.clone()).callback(&mut best);
    let history = model.fit(&data, run).unwrap();
    // The best average, which was validated.
    assert_eq!(model.evaluate(&validation).unwrap()["loss"], best.best().unwrap());
    let seen = seen.into_inner();
    assert!(seen.chunks(2).all(|pair| pair[0].0 && !pair[1].0 && pair[0].1 != pair[1].1));
    // The weights of the last step are those of a run without averages.
    assert_eq!(seen[6].1, numbers(&plain.model));
    assert!(history.get("val_loss").unwrap() != plain.fit(&data, fit(1)).unwrap().get("loss").unwrap());
    // An error during validation leaves the model with its own.
    let fail = |event: &Event| match event {
        Event::ValidationBatch { epoch: 4, .. } => Err(Error::Data("enough".into())),
        _ => Ok(Flow::Continue),
    };
    let mut failed = trainer();
    let run = fit(4).validation_data(&validation).callback(average).on_event(fail);
    says(failed.fit(&data, run), &["enough"]);
    assert_eq!(numbers(&failed.model), seen[6].1);
}

fn suspend_at(stop: usize) -> impl Fn(&Event) -> Result<Flow> {
    move |event| {
        let is_due = matches!(event, Event::BatchEnd { step, .. } if *step == stop);
        Ok(if is_due { Flow::Suspend } else { Flow::Continue })
    }
}

#[test]
fn a_resumed_run_has_the_same_averages() {
    let (data, validation) = (points(48, 3), points(30, 3));
    let swa = || StochasticWeightAveraging::new(2).every(2).learning_rate(0.01);
    let ema = || ExponentialMovingAverage::new(0.9).warm_up(true).validate(true);
    let run = |which: usize, folder: &std::path::Path, stop: usize| {
        let path = folder.join("checkpoint");
        let fit = fit(5).validation_data(&validation).on_event(suspend_at(stop)).callback(Checkpoint::new(&path));
        let fit = if which == 0 { fit.callback(swa()) } else { fit.callback(ema()) };
        let mut trainer = trainer();
        let history = if path.exists() { trainer.resume(&path, &data, fit) } else { trainer.fit(&data, fit) }.unwrap();
        (history, numbers(&trainer.model), trainer.learning_rate_changes().to_vec())
    };
    for which in [0, 1] {
        let whole = run(which, tempfile::tempdir().unwrap().path(), usize::MAX);
        for stops in [[3, 4], [5, 6], [6, 7], [11, 12], [12, 13], [17, 25], [24, 29]] {
            let folder = tempfile::tempdir().unwrap();
            stops.iter().for_each(|stop| drop(run(which, folder.path(), *stop)));
            assert!(run(which, folder.path(), usize::MAX) == whole, "{which} stopped at {stops:?}");
            // What has ended stays as it is.
            assert!(run(which, folder.path(), usize::MAX) == whole, "{which} stopped at {stops:?}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    run(1, folder.path(), 4);
    let other = |average| {
        trainer().resume(folder.path().join("checkpoint"), &data, fit(5).validation_data(&validation).callback(average))
    };
    says(other(ema().warm_up(false)), &["its ExponentialMovingAverage was decay 0.9", "not decay 0.9, warm_up false"]);
}

#[test]
fn a_killed_run_in_a_folder_ends_with_the_same_average() {
    let (data, validation) = (points(48, 3), points(30, 3));
    let run = |folder: &std::path::Path, kill: usize| -> Result<()> {
        let mut trainer = trainer();
        let folder_of_run = RunFolder::open(folder, trainer.model.architecture(), Default::default())?
            .keep_best("val_loss")
            .checkpoint(Every::Steps(4), Default::default());
        let die = move |event: &Event| match event {
            Event::BatchEnd { step, .. } if *step == kill => Err(Error::Config("killed".into())),
            _ => Ok(Flow::Continue),
        };
        let average = ExponentialMovingAverage::new(0.9).validate(true);
        let fit = fit(4).validation_data(&validation).on_event(die).callback(average).callback(folder_of_run);
        let checkpoint = folder.join(RunFolder::CHECKPOINT);
        if checkpoint.exists() { trainer.resume(checkpoint, &data, fit) } else { trainer.fit(&data, fit) }.map(drop)
    };
    let files = |folder: &std::path::Path| {
        [RunFolder::MODEL, RunFolder::LAST, RunFolder::HISTORY].map(|name| std::fs::read(folder.join(name)).unwrap())
    };
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(whole.path(), usize::MAX).unwrap();
    for kill in [3, 9, 14, 19] {
        assert!(run(killed.path(), kill).is_err());
    }
    run(killed.path(), usize::MAX).unwrap();
    assert!(files(whole.path()) == files(killed.path()));
    // The best model is an average: it has the loss of its epoch.
    let (model, notes) = Sequential::load(whole.path().join(RunFolder::MODEL)).unwrap();
    let loss = Trainer::new(model, Sgd::new(0.1), CategoricalCrossentropy, ()).evaluate(&validation).unwrap()["loss"];
    let noted: f64 = notes["hadal.val_loss"].parse().unwrap();
    assert!((loss - noted).abs() < 1e-6, "{loss} {noted}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let data = points(48, 3);
    panics(|| ExponentialMovingAverage::new(1.0), &["decay 1", "below 1"]);
    panics(|| StochasticWeightAveraging::new(0), &["counted from 1"]);
    panics(|| StochasticWeightAveraging::new(1).every(0), &["not 0"]);
    says(trainer().fit(&data, fit(3).callback(StochasticWeightAveraging::new(4))), &["epoch 4", "ends with epoch 3"]);
    let rate = StochasticWeightAveraging::new(1).learning_rate(-1.0);
    says(trainer().fit(&data, fit(3).callback(rate)), &["learning_rate -1", "positive"]);
    let mut average = ExponentialMovingAverage::new(0.9);
    average.update(&Linear::new(2, 3, &mut Rng::new(1)));
    panics(|| average.update(&Linear::new(2, 4, &mut Rng::new(1))), &["`weight` of f32 [3, 2]", "one of f32 [4, 2]"]);
}
