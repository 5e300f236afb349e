//! Training in several calls, what a failing run leaves behind, plateaus, and logs that nobody looks at.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hadal::optim::{Mode, ReduceLrOnPlateau};
use hadal::prelude::*;
use hadal::train::{Callback, Event, Flow};
use hadal::{Error, Result};

use super::{points, says};

fn network(optimizer: impl Optimizer + 'static) -> Trainer<Sequential> {
    Sequential::new([2])
        .seed(3)
        .add(Dense::new(16).activation(Relu))
        .add(Dropout::new(0.3))
        .add(Dense::new(3).activation(Softmax))
        .compile(optimizer, CategoricalCrossentropy, [Accuracy])
        .unwrap()
}

fn bits(trainer: &Trainer<Sequential>) -> Vec<Vec<u32>> {
    let state = trainer.model.state_dict().into_iter();
    state.map(|(_, tensor)| tensor.to_vec::<f32>().into_iter().map(f32::to_bits).collect()).collect()
}

/// Calls a function at every event.
struct Watch<F>(F);

impl<F: FnMut(&Event) -> Result<Flow>> Callback for Watch<F> {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        self.0(event)
    }
}

#[test]
fn five_epochs_and_five_are_ten() {
    let data = points(50, 3);
    let schedules = [
        Schedule::Constant,
        Schedule::Step { step_size: 7, gamma: 0.5 },
        Schedule::Exponential { gamma: 0.99 },
        Schedule::WarmUp { warmup_steps: 30, then: Box::new(Schedule::Constant) },
    ];
    let makers: [fn() -> Box<dyn Optimizer>; 2] = [|| Box::new(RmsProp::new(0.01)), || Box::new(Adam::new(0.01))];
    for schedule in schedules {
        for by_epoch in [false, true] {
            for make in makers {
                let run = |parts: &[usize]| {
                    let mut model = network(make());
                    let mut losses = Vec::new();
                    for &epochs in parts {
                        let fit = Fit::epochs(epochs).batch_size(8).quiet();
                        let fit = match by_epoch {
                            true => fit.schedule_by_epoch(schedule.clone()),
                            false => fit.schedule(schedule.clone()),
                        };
                        losses.extend(model.fit(&data, fit).unwrap().get("loss").unwrap());
                    }
                    (losses, bits(&model))
                };
                let whole = run(&[10]);
                assert!(run(&[5, 5]) == whole && run(&[1, 2, 7]) == whole, "{schedule:?}, by epoch: {by_epoch}");
            }
        }
    }
}

#[test]
fn later_epochs_are_numbered_on_and_a_seed_begins_anew() {
    let data = points(20, 3);
    let mut model = network(Sgd::new(0.1));
    let fit = |model: &mut Trainer<Sequential>| {
        let (seen, epochs) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
        let watch = |event: &Event| {
            match event {
                Event::TrainBegin { epochs: last, .. } => epochs.set(*last),
                Event::EpochEnd { epoch, .. } => seen.borrow_mut().push(*epoch),
                _ => {}
            }
            Ok(Flow::Continue)
        };
        let history = model.fit(&data, Fit::epochs(2).quiet().callback(Watch(watch))).unwrap();
        assert_eq!(history.epochs.len(), 2);
        (epochs.get(), seen.take())
    };
    assert_eq!(fit(&mut model), (2, vec![1, 2]));
    assert_eq!(fit(&mut model), (4, vec![3, 4]));
    let mut model = model.seed(3);
    assert_eq!(fit(&mut model), (2, vec![1, 2]));
    // Other masks at every step, in this call and the next, and another order in every epoch: at a learning rate that moves nothing.
    let losses = |batch: usize, shuffle: bool, dropout: f64| {
        let model = Sequential::new([2]).add(Dropout::new(dropout)).add(Dense::new(3).activation(Softmax));
        let mut model = model.compile(Sgd::new(1e-12), CategoricalCrossentropy, [Accuracy]).unwrap();
        let seen = Rc::new(RefCell::new(Vec::new()));
        for _ in 0..2 {
            let watch = |event: &Event| {
                if let Event::BatchEnd { batch: 1, logs, .. } = event {
                    seen.borrow_mut().push(logs.get("loss").unwrap());
                }
                Ok(Flow::Continue)
            };
            let fit = Fit::epochs(2).batch_size(batch).shuffle(shuffle).quiet().callback(Watch(watch));
            model.fit(&data, fit).unwrap();
        }
        seen.take()
    };
    let distinct = |found: &[f64]| (0..found.len()).all(|i| !found[..i].contains(&found[i]));
    assert!(distinct(&losses(20, false, 0.5)), "masks: {:?}", losses(20, false, 0.5));
    assert!(distinct(&losses(5, true, 0.0)), "orders: {:?}", losses(5, true, 0.0));
    assert_eq!(losses(20, false, 0.0), [losses(20, false, 0.0)[0]; 4]);
}

#[test]
fn a_run_that_fails_leaves_the_learning_rate_as_it_was() {
    let data = points(20, 3);
    let schedule = || Schedule::WarmUp { warmup_steps: 100, then: Box::new(Schedule::Constant) };
    let fails_at = |wanted: usize| {
        let mut seen = 0;
        Watch(move |_: &Event| {
            seen += 1;
            if seen == wanted { Err(Error::Config("no more room".into())) } else { Ok(Flow::Continue) }
        })
    };
    for wanted in [1, 3, 4, 7] {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let mut model = network(Sgd::new(0.1));
        let fit = Fit::epochs(2).batch_size(10).schedule(schedule()).quiet().callback(fails_at(wanted));
        says(model.fit(&data, fit), &["no more room"]);
        let watch = |event: &Event| {
            if let Event::EpochEnd { learning_rate, .. } = event {
                seen.borrow_mut().push(*learning_rate);
            }
            Ok(Flow::Continue)
        };
        model.fit(&data, Fit::epochs(1).quiet().callback(Watch(watch))).unwrap();
        assert_eq!(*seen.borrow(), [0.1], "failed at event {wanted}");
    }
    // Nor does a panic.
    let mut model = network(Sgd::new(0.1));
    let fit = Fit::epochs(2).schedule(schedule()).quiet();
    let fit = fit.callback(Watch(|event: &Event| match event {
        Event::BatchEnd { .. } => panic!("out of ink"),
        _ => Ok(Flow::Continue),
    }));
    super::panics(|| model.fit(&data, fit), &["out of ink"]);
    let last = Rc::new(Cell::new(0.0));
    let watch = |event: &Event| {
        if let Event::EpochEnd { learning_rate, .. } = event {
            last.set(*learning_rate);
        }
        Ok(Flow::Continue)
    };
    model.fit(&data, Fit::epochs(1).quiet().callback(Watch(watch))).unwrap();
    assert_eq!(last.get(), 0.1);
}

#[test]
fn a_range_test_that_panics_leaves_the_model_alone() {
    /// A loss that gives up after some batches.
    struct Tired(Arc<AtomicUsize>);
    impl Loss for Tired {
        fn name(&self) -> &'static str {
            "tired"
        }
        fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
            assert!(self.0.fetch_add(1, Ordering::Relaxed) < 3, "too tired");
            CategoricalCrossentropy.per_sample(prediction, target)
        }
        fn check(&self, _: &hadal::Shape, _: &Tensor) -> Result<()> {
            Ok(())
        }
    }
    let data = points(40, 3);
    let model = Sequential::new([2]).add(Dense::new(3).activation(Softmax));
    let mut model = model.compile(Adam::new(0.1), Tired(Arc::default()), [Accuracy]).unwrap();
    let before = bits(&model);
    super::panics(|| model.learning_rate_range_test(&data, 1e-3, 1.0, 10, 10), &["too tired"]);
    assert_eq!(bits(&model), before);
}

#[test]
fn a_plateau_knows_its_direction_or_asks_for_it() {
    /// A metric that says nothing of itself.
    struct Silent;
    impl Metric for Silent {
        fn name(&self) -> &'static str {
            "silent"
        }
        fn reset(&mut self) {}
        fn update(&mut self, _: &Tensor, _: &Tensor) {}
        fn compute(&self) -> f64 {
            1.0
        }
    }
    let data = points(20, 3);
    let fit = |plateau: ReduceLrOnPlateau, validation: bool| {
        let metrics = (Silent, hadal::metric::CohenKappa::new());
        let model = Sequential::new([2]).add(Dense::new(3).activation(Softmax));
        let mut model = model.compile(Sgd::new(0.1), CategoricalCrossentropy, metrics).unwrap();
        let fit = Fit::epochs(1).quiet().reduce_lr_on_plateau(plateau);
        let fit = if validation { fit.validation_data(&data) } else { fit };
        model.fit(&data, fit).map(|_| ())
    };
    says(fit(ReduceLrOnPlateau::new("silent"), false), &["silent", "Mode::Min", "Mode::Max"]);
    says(fit(ReduceLrOnPlateau::new("val_silent"), true), &["val_silent", "Mode::Max"]);
    says(fit(ReduceLrOnPlateau::new("val_loss"), false), &["val_loss", "loss, silent, cohen_kappa"]);
    says(fit(ReduceLrOnPlateau::new("kappa"), true), &["`kappa`", "val_cohen_kappa"]);
    says(fit(ReduceLrOnPlateau::new("loss").min_lr(-1.5), false), &["min_lr -1.5"]);
    says(fit(ReduceLrOnPlateau::new("loss").min_delta(f64::NAN), false), &["min_delta NaN"]);
    fit(ReduceLrOnPlateau::new("silent").mode(Mode::Min), false).unwrap();
    fit(ReduceLrOnPlateau::new("val_cohen_kappa"), true).unwrap();

    let factors = |mut plateau: ReduceLrOnPlateau, values: &[f64]| -> Vec<f64> {
        values.iter().map(|value| plateau.step(*value, 1.0)).collect()
    };
    // A first NaN is not the best there is.
    let values = [f64::NAN, 1.0, 0.5, 0.4];
    assert_eq!(factors(ReduceLrOnPlateau::new("loss").patience(3), &values), [1.0; 4]);
    assert_eq!(factors(ReduceLrOnPlateau::new("loss").patience(1), &[f64::NAN; 2]), [0.1, 0.1 * 0.1]);
    // The learning rate falls to its smallest, never rises to it.
    let plateau = ReduceLrOnPlateau::new("loss").patience(1).factor(0.5).min_lr(0.4);
    assert_eq!(factors(plateau, &[1.0; 4]), [1.0, 0.5, 0.4, 0.4]);
    super::panics(|| factors(ReduceLrOnPlateau::new("kappa"), &[1.0]), &["mode", "`kappa`"]);
}

#[test]
fn a_number_that_should_rise_and_does_keeps_the_rate() {
    let last = Rc::new(Cell::new(0.0));
    let watch = |event: &Event| {
        if let Event::EpochEnd { learning_rate, .. } = event {
            last.set(*learning_rate);
        }
        Ok(Flow::Continue)
    };
    let model = Sequential::new([2]).add(Dense::new(3).activation(Softmax));
    let mut model = model.compile(Sgd::new(0.1), CategoricalCrossentropy, [Rising(0.0)]).unwrap();
    let fit = Fit::epochs(5)
        .quiet()
        .reduce_lr_on_plateau(ReduceLrOnPlateau::new("rising").patience(1))
        .callback(Watch(watch));
    model.fit(&points(20, 3), fit).unwrap();
    assert_eq!(last.get(), 0.1);
}

/// Rises by 1 with every pass.
struct Rising(f64);

impl Metric for Rising {
    fn name(&self) -> &'static str {
        "rising"
    }
    fn reset(&mut self) {
        self.0 += 1.0;
    }
    fn update(&mut self, _: &Tensor, _: &Tensor) {}
    fn compute(&self) -> f64 {
        self.0
    }
    fn higher_is_better(&self) -> Option<bool> {
        Some(true)
    }
}

#[test]
fn logs_of_a_batch_are_computed_when_somebody_looks() {
    /// Counts how often it is asked for its value.
    struct Costly(Arc<AtomicUsize>, bool);
    impl Metric for Costly {
        fn name(&self) -> &'static str {
            "costly"
        }
        fn reset(&mut self) {}
        fn update(&mut self, _: &Tensor, _: &Tensor) {}
        fn compute(&self) -> f64 {
            self.0.fetch_add(1, Ordering::Relaxed) as f64
        }
        fn has_running_value(&self) -> bool {
            self.1
        }
    }
    let data = points(40, 2);
    let run = |running: bool, look: bool| {
        let calls = Arc::new(AtomicUsize::new(0));
        let metrics = (Costly(calls.clone(), running), RocAuc::new());
        let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
        let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, metrics).unwrap();
        let watch = |event: &Event| {
            if let Event::BatchEnd { logs, .. } = event
                && look
            {
                assert!(logs.get("loss").is_some() && logs.get("loss") == logs.get("loss"));
                assert_eq!((logs.get("costly").is_some(), logs.get("roc_auc")), (running, None));
                assert!(logs.to_string().starts_with("loss "));
            }
            Ok(Flow::Continue)
        };
        let history = model.fit(&data, Fit::epochs(2).batch_size(4).quiet().callback(Watch(watch))).unwrap();
        assert!(history.get("roc_auc").unwrap().len() == 2 && history.get("costly").unwrap().len() == 2);
        calls.load(Ordering::Relaxed)
    };
    assert_eq!([run(true, false), run(true, true), run(false, true)], [2, 22, 2]);
}

#[test]
fn a_gradient_that_is_not_finite_beside_a_finite_loss_is_not_stepped_on() {
    // The loss is a root at 0: 0 itself, with an infinite derivative.
    struct Root;
    impl Loss for Root {
        fn name(&self) -> &'static str {
            "root"
        }
        fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
            ((prediction - target) * 0.0).powi(2).sum_axes(&[1]).sqrt()
        }
        fn check(&self, _: &hadal::Shape, _: &Tensor) -> Result<()> {
            Ok(())
        }
    }
    let data = Dataset::new("line", Tensor::ones([4, 2]), Tensor::ones([4, 1])).unwrap();
    let model = Sequential::new([2]).add(Dense::new(1));
    let mut model = model.compile(Sgd::new(0.1), Root, ()).unwrap();
    let before = bits(&model);
    let message = &["gradient of `layers.0.weight` became NaN", "epoch 1, batch 1", "(loss 0)", "sqrt"];
    says(model.fit(&data, Fit::epochs(2).quiet()), message);
    says(model.fit(&data, Fit::epochs(2).clip_norm(1.0).clip_value(1.0).quiet()), message);
    assert_eq!(bits(&model), before);
}

#[test]
fn a_loss_that_does_not_return_one_number_per_sample_is_refused() {
    /// Squares of the predictions, reduced as the function says.
    struct Odd(fn(Tensor) -> Tensor);
    impl Loss for Odd {
        fn name(&self) -> &'static str {
            "odd"
        }
        fn per_sample(&self, prediction: &Tensor, _: &Tensor) -> Tensor {
            (self.0)(prediction.powi(2))
        }
        fn check(&self, _: &hadal::Shape, _: &Tensor) -> Result<()> {
            Ok(())
        }
    }
    let data = Dataset::new("line", Tensor::ones([4, 2]), Tensor::zeros([4, 1])).unwrap();
    for (reduce, shape) in [
        ((|squares| squares.mean()) as fn(Tensor) -> Tensor, "[]"),
        (|squares| squares, "[4, 1]"),
        (|squares| squares.flatten(0).narrow(0, 0, 1), "[1]"),
    ] {
        let model = Sequential::new([2]).add(Dense::new(1));
        let mut model = model.compile(Sgd::new(0.1), Odd(reduce), ()).unwrap();
        let words = ["`odd`", &format!("shape {shape} for a batch of 4"), "one value per sample, [4]"];
        says(model.fit(&data, Fit::epochs(1).quiet()), &words);
        says(model.evaluate(&data), &words);
        super::panics(|| Odd(reduce).loss(&Tensor::ones([4, 1]), &Tensor::zeros([4, 1])), &words);
    }
    Odd(|squares| squares.flatten(0)).loss(&Tensor::ones([4, 1]), &Tensor::zeros([4, 1]));
    let labels = super::labels([0, 1]);
    let weighted = Odd(|squares| squares.mean()).class_weights(&[1.0, 2.0]);
    super::panics(|| weighted.loss(&Tensor::ones([2, 2]), &labels), &["shape []", "2 labels"]);
}

#[test]
fn samples_that_all_weigh_nothing_are_refused_as_classes_are() {
    let mut model = network(Sgd::new(0.1));
    let data = points(4, 3).sample_weights(&[0.0, 0.0, 0.0, 1e-60]).unwrap();
    says(model.fit(&data, Fit::epochs(1).quiet()), &["points", "all sample weights are 0"]);
    says(model.evaluate(&data), &["all sample weights are 0"]);
    let data = points(4, 3).sample_weights(&[0.0, 0.0, 0.0, 1.0]).unwrap();
    model.fit(&data, Fit::epochs(1).batch_size(1).quiet()).unwrap();
}

#[test]
fn a_model_of_nan_weights_is_named_as_such() {
    let mut model = network(Sgd::new(0.1));
    model.model.visit_mut("", &mut |name, tensor| {
        if name == "layers.2.bias" {
            *tensor = Tensor::full(*tensor.shape(), f64::NAN).requires_grad();
        }
    });
    let words = ["output is NaN", "`layers.2.bias` holds NaN (element 0)"];
    says(model.predict(&Tensor::ones([1, 2])), &words);
    says(model.evaluate(&points(4, 3)), &words);
    says(model.fit(&points(4, 3), Fit::epochs(1).quiet()), &words);
    // Weights that overflow have a loss that is not finite, too; infinite outputs alone are outputs.
    let model = Sequential::new([2]).add(Dense::new(1));
    let mut model = model.compile(Sgd::new(0.1), MeanSquaredError, ()).unwrap();
    model.model.visit_mut("", &mut |_, tensor| *tensor = Tensor::full(*tensor.shape(), 3e38).requires_grad());
    let data = Dataset::new("line", Tensor::ones([4, 2]), Tensor::zeros([4, 1])).unwrap();
    says(model.evaluate(&data), &["line: the model's loss is inf", "its outputs overflow"]);
    assert_eq!(model.predict(&Tensor::ones([1, 2])).unwrap().item(), f64::INFINITY);
}

#[test]
fn files_that_could_not_be_loaded_are_refused_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let other = Sequential::new([2]).add(Dense::new(3)).architecture();
    let save = hadal::train::ModelCheckpoint::new(folder.path().join("model"), other.clone(), Default::default());
    let run = hadal::train::RunFolder::open(folder.path(), other, Default::default()).unwrap();
    let words =
        ["does not match the architecture", "`layers.0.weight` is f32 [16, 2], but the model expects f32 [3, 2]"];
    let mut model = network(Sgd::new(0.1));
    let before = bits(&model);
    says(model.fit(&points(4, 3), Fit::epochs(1).quiet().callback(save)), &words);
    says(model.fit(&points(4, 3), Fit::epochs(1).quiet().callback(run)), &words);
    assert_eq!(bits(&model), before);
    // Nor does a table take the lines of a run with other columns.
    let mut table = hadal::monitor::CsvLogger::new(folder.path().join("table.csv"));
    model.fit(&points(4, 3), Fit::epochs(1).quiet().callback(&mut table)).unwrap();
    let before = bits(&model);
    let data = points(4, 3);
    says(
        model.fit(&data, Fit::epochs(1).validation_data(&data).quiet().callback(&mut table)),
        &["columns", "val_loss"],
    );
    assert_eq!(bits(&model), before);
}

#[test]
fn batches_report_what_a_callback_may_want_and_histories_name_what_they_have() {
    let data = points(20, 3);
    let mut model = network(Sgd::new(0.5));
    let mut steps = Vec::new();
    let watch = |event: &Event| {
        if let Event::BatchEnd { step, learning_rate, loss, gradients, model, logs, .. } = event {
            assert!(*loss > 0.0 && gradients.norm() > 0.0 && gradients.norm() <= 0.01 + 1e-6);
            let weight = &model.state_dict()[0].1;
            assert!(gradients.get(weight).is_some(), "gradients are those of the model's own parameters");
            assert_eq!(*learning_rate, 0.5);
            assert!((logs["loss"] - loss).abs() < 1e-9 || *step % 2 == 0);
            steps.push(*step);
        }
        Ok(Flow::Continue)
    };
    let fit = Fit::epochs(2).batch_size(10).clip_norm(0.01).quiet().callback(Watch(watch));
    let history = model.fit(&data, fit).unwrap();
    assert_eq!(steps, [1, 2, 3, 4]);
    assert_eq!(history.last("accuracy").unwrap(), history.get("accuracy").unwrap()[1]);
    says(history.last("acuracy"), &["no `acuracy`", "it has loss, accuracy"]);
    says(hadal::train::History::default().get("loss"), &["it has no epochs"]);
    super::panics(|| model.evaluate(&data).unwrap()["auc"], &["no `auc`", "loss, accuracy"]);
}

#[cfg(feature = "plot")]
#[test]
fn a_history_is_drawn_with_loss_and_metrics() {
    let (data, folder) = (points(20, 3), tempfile::tempdir().unwrap());
    let path = folder.path().join("history.svg");
    for epochs in [1, 5] {
        let history = network(Sgd::new(0.1)).fit(&data, Fit::epochs(epochs).validation_data(&data).quiet()).unwrap();
        history.plot(&path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        for word in ["Loss", "Metrics", "val_loss", "val_accuracy", "epoch"] {
            assert!(svg.contains(word), "{word}");
        }
    }
    says(hadal::train::History::default().plot(&path), &["no finite point"]);
}

#[test]
fn validation_batches_come_in_order_before_the_end_of_the_epoch_and_may_stop_or_suspend_training() {
    let data = hadal::data::synthetic::moons(10, 0.1, 1).unwrap();
    for (answer, epochs) in [(Flow::Continue, 3), (Flow::Stop, 1), (Flow::Suspend, 1)] {
        let network = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
        let mut model = network.compile(Sgd::new(0.1), BinaryCrossentropy, ()).unwrap();
        let (mut samples, mut seen, mut ended) = (Vec::new(), Vec::new(), 0);
        let fit =
            Fit::epochs(3).validation_data(&data).validation_batch_size(4).quiet().on_event(|event| match event {
                Event::ValidationBatch { epoch, predictions, targets } => {
                    samples.push((*epoch, predictions.iter().next().unwrap().1.size(0)));
                    seen.extend(targets.iter().next().unwrap().1.to_dtype(DType::F64).to_vec::<f64>());
                    Ok(if samples.len() == 2 { answer } else { Flow::Continue })
                }
                Event::EpochEnd { .. } => {
                    ended += 1;
                    Ok(Flow::Continue)
                }
                _ => Ok(Flow::Continue),
            });
        model.fit(&data, fit).unwrap();
        let expected: Vec<(usize, usize)> =
            (1..=epochs).flat_map(|epoch| [(epoch, 4), (epoch, 4), (epoch, 2)]).collect();
        assert_eq!((samples, ended), (expected, epochs), "{answer:?}");
        assert_eq!(seen[..10], data.targets().to_dtype(DType::F64).to_vec::<f64>());
    }
}
