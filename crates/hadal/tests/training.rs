//! The training loop through its public face: what it checks, what it tells, and that it learns.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hadal::monitor::CsvLogger;
use hadal::prelude::*;
use hadal::train::{Callback, Event, Flow, ModelCheckpoint};
use hadal::{Error, set_num_threads_exactly};

/// Points of two classes, inside and outside a circle.
fn circle(samples: usize) -> Dataset {
    let x = Tensor::rand([samples, 2], &mut Rng::new(1)) * 2.0 - 1.0;
    let labels = x.powi(2).sum_axes(&[1]).gt(0.6).to_dtype(DType::I64);
    Dataset::new("circle", x, labels).unwrap()
}

fn network(seed: u64) -> Trainer<Sequential> {
    Sequential::new([2])
        .seed(seed)
        .add(Dense::new(32).activation(Relu))
        .add(Dropout::new(0.1))
        .add(Dense::new(2).activation(Softmax))
        .compile(RmsProp::new(0.01), CategoricalCrossentropy, [Accuracy])
        .unwrap()
}

fn message<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("this should be an error"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_network_learns_what_no_line_can_separate() {
    let data = circle(2000);
    let mut model = network(1);
    let history = model.fit(&data, Fit::epochs(20).validation_data(&data).quiet()).unwrap();
    let losses = history.get("loss").unwrap();
    assert!(losses.len() == 20 && losses[19] < 0.5 * losses[0], "{losses:?}");
    let accuracy = model.evaluate(&data).unwrap().get("accuracy").unwrap();
    assert!(accuracy > 0.95, "{accuracy}");
    assert_eq!(history.get("val_accuracy").unwrap().last(), Some(&accuracy));
}

#[test]
fn fifty_steps_give_the_same_bits_on_one_and_two_threads() {
    let run = |threads| {
        set_num_threads_exactly(threads);
        let data = Digits::samples(0, 0, 50 * 128).unwrap();
        let mut model = Sequential::new([784])
            .seed(3)
            .add(Dense::new(512).activation(Relu))
            .add(Dropout::new(0.2))
            .add(Dense::new(512).activation(Relu))
            .add(Dropout::new(0.2))
            .add(Dense::new(10).activation(Softmax))
            .compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy])
            .unwrap();
        model.fit(&data, Fit::epochs(1).batch_size(128).quiet()).unwrap();
        let bits = |t: &Tensor| t.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        model.model.state_dict().iter().map(|(name, tensor)| (name.clone(), bits(tensor))).collect::<Vec<_>>()
    };
    let (one, two) = (run(1), run(2));
    assert_eq!(one.len(), 6);
    for ((name, one), (_, two)) in one.iter().zip(&two) {
        assert!(one == two, "{name} differs between one and two threads");
    }
}

#[test]
fn another_seed_gives_another_run_and_the_same_seed_the_same() {
    let data = circle(200);
    let run = |seed| {
        let mut model = network(seed);
        model.fit(&data, Fit::epochs(2).quiet()).unwrap().get("loss").unwrap()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_module_of_ones_own_trains_with_the_same_loop() {
    #[derive(Module)]
    struct Net {
        layers: Vec<Linear>,
        scale: Option<Tensor>,
        #[module(skip)]
        _calls: std::cell::Cell<usize>,
    }
    impl Forward for Net {
        fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
            let x = self.layers[0].forward(x, ctx).tanh();
            (self.layers[1].forward(&x, ctx) * self.scale.as_ref().unwrap()).log_softmax(1)
        }
    }
    let rng = &mut Rng::new(4);
    let net = Net {
        layers: vec![Linear::new(2, 16, rng), Linear::new(16, 2, rng)],
        scale: Some(Tensor::ones([1]).requires_grad()),
        _calls: Default::default(),
    };
    let names: Vec<String> = net.state_dict().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "scale"]);
    assert_eq!(net.parameter_count(), 48 + 34 + 1);
    let mut trainer = Trainer::new(net, Adam::new(0.02), NegativeLogLikelihood, [Accuracy]);
    let data = circle(1000);
    trainer.fit(&data, Fit::epochs(20).quiet()).unwrap();
    assert!(trainer.evaluate(&data).unwrap().get("accuracy").unwrap() > 0.93);
    // Data that does not fit is an error here, too, found by what the module makes of one sample.
    let wrong = Dataset::new("three classes", Tensor::zeros([3, 2]), Tensor::arange(3)).unwrap();
    assert!(message(trainer.fit(&wrong, Fit::epochs(1).quiet())).contains("sample 2 has label 2"));
}

#[test]
fn everything_is_checked_before_the_first_step() {
    let data = circle(100);
    let mut model = network(1);
    let before = model.model.state_dict()[0].1.to_vec::<f32>();
    let mut check = |data: &Dataset, fit: Fit, words: &[&str]| {
        let message = message(model.fit(data, fit));
        for word in words {
            assert!(message.contains(word), "{message:?} does not say {word:?}");
        }
    };
    check(&data, Fit::epochs(0).quiet(), &["epochs", "at least 1"]);
    check(&data, Fit::epochs(1).batch_size(0).quiet(), &["batch size", "at least 1"]);
    let wide = Dataset::new("wide", Tensor::zeros([4, 3]), Tensor::arange(4)).unwrap();
    check(&wide, Fit::epochs(1).quiet(), &["wide", "[3]", "[2]"]);
    let labels = Dataset::new("labels", Tensor::zeros([4, 2]), Tensor::arange(4)).unwrap();
    check(&labels, Fit::epochs(1).quiet(), &["labels", "sample 2", "label 2", "0 to 1"]);
    check(&data, Fit::epochs(1).validation_data(&labels).quiet(), &["labels", "sample 2"]);
    let floats = Dataset::new("floats", Tensor::zeros([4, 2]), Tensor::zeros([4])).unwrap();
    check(&floats, Fit::epochs(1).quiet(), &["floats", "f32", "[4]"]);
    assert_eq!(model.model.state_dict()[0].1.to_vec::<f32>(), before);
    for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        let mut model =
            Sequential::new([2]).add(Dense::new(2)).compile(Sgd::new(bad), MeanSquaredError, [Accuracy]).unwrap();
        let data = Dataset::new("data", Tensor::zeros([4, 2]), Tensor::zeros([4, 2])).unwrap();
        let message = message(model.fit(&data, Fit::epochs(1).quiet()));
        assert!(message.contains("learning rate") && message.contains("positive"), "{message}");
    }
}

#[test]
fn data_that_cannot_be_right_is_refused() {
    let message = |inputs, targets| message(Dataset::new("data", inputs, targets));
    assert!(message(Tensor::zeros([2, 3]), Tensor::arange(3)).contains("2 inputs but 3 targets"));
    assert!(message(Tensor::zeros([0, 3]), Tensor::arange(0)).contains("no inputs"));
    assert!(message(Tensor::zeros([]), Tensor::arange(1)).contains("no inputs"));
    let nan = Tensor::from_slice(&[1.0f32, 2.0, f32::NAN, 4.0], [2, 2]);
    assert!(message(nan, Tensor::arange(2)).contains("input 1 holds NaN"));
    let infinite = Tensor::from_slice(&[1.0f32, f32::INFINITY], [2]);
    assert!(message(Tensor::zeros([2, 2]), infinite).contains("target 1 holds inf"));
}

#[test]
fn layers_that_do_not_fit_are_named() {
    let build = |model: Sequential| message(model.build());
    let message = build(Sequential::new([28, 28]).add(Dropout::new(0.1)).add(Dense::new(3)));
    assert!(message.contains("layer 2 (Dense)") && message.contains("[28, 28]") && message.contains("Flatten"));
    assert!(build(Sequential::new([2]).add(Dense::new(0))).contains("layer 1 (Dense): Dense needs at least 1 unit"));
    assert!(build(Sequential::new([2])).contains("at least one layer"));
}

#[test]
fn a_loss_that_is_no_longer_finite_ends_the_run_with_advice() {
    let data = Dataset::new("steep", Tensor::full([64, 1], 1e3), Tensor::full([64, 1], 1e3)).unwrap();
    let mut model = Sequential::new([1])
        .add(Dense::new(1))
        .compile(Sgd::new(10.0), MeanSquaredError, Vec::<Accuracy>::new())
        .unwrap();
    let message = message(model.fit(&data, Fit::epochs(50).quiet()));
    assert!(message.contains("loss became") && message.contains("lower learning rate"), "{message}");
}

struct Recorder(Rc<RefCell<Vec<String>>>, usize);

impl Callback for Recorder {
    fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
        let mut seen = self.0.borrow_mut();
        seen.push(match event {
            Event::TrainBegin { dataset, samples, epochs, steps_per_epoch, .. } => {
                format!("{dataset} {samples} {epochs} {steps_per_epoch}")
            }
            Event::BatchEnd { epoch, batch, samples, .. } => format!("{epoch}/{batch}: {samples}"),
            Event::EpochEnd { epoch, logs, .. } => {
                format!("end {epoch}: {}", logs.iter().map(|(name, _)| name).collect::<Vec<_>>().join(" "))
            }
            Event::ValidationBatch { epoch, .. } => format!("validation {epoch}"),
            Event::TrainEnd => "end".into(),
            _ => "something else".into(),
        });
        Ok(if seen.len() > self.1 { Flow::Stop } else { Flow::Continue })
    }
}

#[test]
fn subscribers_see_every_moment_in_order_and_can_stop_the_run() {
    let data = circle(10);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let fit = || Fit::epochs(2).batch_size(4).validation_data(&data).quiet();
    network(1).fit(&data, fit().callback(Recorder(seen.clone(), 100))).unwrap();
    let epoch = |n| {
        [
            format!("{n}/1: 4"),
            format!("{n}/2: 8"),
            format!("{n}/3: 10"),
            format!("validation {n}"),
            format!("end {n}: loss accuracy val_loss val_accuracy"),
        ]
    };
    let expected: Vec<String> =
        ["circle 10 2 3".to_owned()].into_iter().chain(epoch(1)).chain(epoch(2)).chain(["end".to_owned()]).collect();
    assert_eq!(*seen.borrow(), expected);
    seen.borrow_mut().clear();
    let history = network(1).fit(&data, fit().callback(Recorder(seen.clone(), 2))).unwrap();
    assert_eq!(seen.borrow().len(), 6, "two batches, validation, the epoch's end, the end: {:?}", seen.borrow());
    assert_eq!(history.epochs.len(), 1);
}

#[test]
fn a_saved_model_is_the_model_and_its_history_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let (path, table) = (folder.path().join("runs/model.safetensors"), folder.path().join("runs/history.csv"));
    let data = circle(100);
    let mut model = network(1);
    let notes = BTreeMap::from([("hadal.dataset".to_owned(), "circle".to_owned())]);
    let save = ModelCheckpoint::new(&path, model.model.architecture(), notes);
    let log = CsvLogger::new(&table).timing(folder.path().join("runs/timing.csv"));
    model.fit(&data, Fit::epochs(3).quiet().callback(save).callback(log)).unwrap();
    let (loaded, notes) = Sequential::load(&path).unwrap();
    assert_eq!((notes["hadal.dataset"].as_str(), notes["hadal.epoch"].as_str()), ("circle", "3"));
    let loaded = loaded.compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy]).unwrap();
    let x = data.inputs();
    assert_eq!(loaded.predict(x).unwrap().to_vec::<f32>(), model.predict(x).unwrap().to_vec::<f32>());
    let text = std::fs::read_to_string(table).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "epoch,loss,accuracy,learning_rate,dataset");
    assert!(lines.len() == 4 && lines[3].starts_with("3,") && lines[3].ends_with(",circle"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path().join("runs")).unwrap().count(), 3, "no temporary file is left");
}

#[test]
fn predict_refuses_what_the_model_cannot_take() {
    let model = network(1);
    assert!(message(model.predict(&Tensor::zeros([4, 3]))).contains("[3]"));
    assert!(message(model.predict(&Tensor::arange(2))).contains("i64"));
    assert_eq!(model.predict(&Tensor::zeros([4, 2])).unwrap().shape(), &[4, 2]);
}

#[test]
fn state_that_does_not_fit_changes_nothing() {
    let mut model = network(1).model;
    let good: BTreeMap<String, Tensor> = model.state_dict().into_iter().collect();
    let before = model.state_dict()[0].1.to_vec::<f32>();
    let mut load = |change: &dyn Fn(&mut BTreeMap<String, Tensor>)| {
        let mut state: BTreeMap<_, _> = good.iter().map(|(name, x)| (name.clone(), x * 2.0)).collect();
        change(&mut state);
        message(model.load_state_dict(&state))
    };
    assert!(load(&|s| drop(s.remove("layers.2.bias"))).contains("`layers.2.bias` is missing"));
    assert!(load(&|s| drop(s.insert("more".into(), Tensor::zeros([1])))).contains("unexpected tensor `more`"));
    let wrong = load(&|s| drop(s.insert("layers.0.weight".into(), Tensor::zeros([2, 32]))));
    assert!(wrong.contains("`layers.0.weight` is f32 [2, 32], but the model expects f32 [32, 2]"), "{wrong}");
    assert_eq!(model.state_dict()[0].1.to_vec::<f32>(), before);
}

#[test]
fn state_is_loaded_in_part_under_other_names_and_with_a_report() {
    use hadal::nn::LoadOptions;
    let mut model = network(1).model;
    let file: BTreeMap<String, Tensor> = [
        ("body.first.weight".to_owned(), Tensor::full([32, 2], 2.0)),
        ("body.first.bias".to_owned(), Tensor::full([32], 3.0)),
        ("body.extra".to_owned(), Tensor::zeros([1])),
        ("head.weight".to_owned(), Tensor::zeros([9])),
    ]
    .into();
    let options = || LoadOptions::new().prefix("body.").rename(|name| name.replace("first", "layers.0"));
    let before = model.state_dict()[0].1.to_vec::<f32>();
    assert!(message(model.load_state_dict_with(&file, &options())).contains("`layers.2.weight` is missing"));
    assert_eq!(model.state_dict()[0].1.to_vec::<f32>(), before);
    let report = model.load_state_dict_with(&file, &options().strict(false)).unwrap();
    assert_eq!(report.missing, ["layers.2.weight", "layers.2.bias"]);
    assert_eq!(report.unexpected, ["body.extra"]);
    assert_eq!(model.state_dict()[1].1.to_vec::<f32>(), [3.0; 32]);
    // A shape that differs is an error all the same, and so are two names that become one.
    let wrong = [("layers.0.weight".to_owned(), Tensor::zeros([2, 32]))].into();
    let loose = LoadOptions::new().strict(false);
    assert!(message(model.load_state_dict_with(&wrong, &loose)).contains("the model expects f32 [32, 2]"));
    let same = LoadOptions::new().rename(|_| "layers.0.bias".into());
    assert!(message(model.load_state_dict_with(&file, &same)).contains("both become `layers.0.bias`"));
}
