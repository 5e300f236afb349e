//! The callback, by what TensorBoard would show of its files.

mod evaluation;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;

use super::messages::{self, Data, SESSION_START, What};
use super::{HParam, RecordReader, TensorBoard};
use crate::data::synthetic::moons;
use crate::prelude::*;
use crate::train::{Every, RunFolder};
use crate::{Error, Result};

pub(super) fn events(path: &Path) -> Vec<messages::Event> {
    let records = RecordReader::open(path).unwrap();
    records.map(|record| messages::Event::decode(&record.unwrap()[..]).unwrap()).collect()
}

/// Step and value of each event of a tag.
type Shown = BTreeMap<String, Vec<(i64, Data)>>;

/// What TensorBoard shows of the files of a folder: an event of a start has it forget what is not before its step.
fn shown(folder: &Path) -> Shown {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().contains("tfevents"));
    paths.sort();
    let mut shown = Shown::new();
    for event in paths.iter().flat_map(|path| events(path)) {
        match event.what {
            Some(What::Summary(summary)) => {
                for value in summary.value {
                    shown.entry(value.tag).or_default().push((event.step, value.data.unwrap()));
                }
            }
            Some(What::SessionLog(session)) if session.status == SESSION_START => {
                shown.values_mut().for_each(|own| own.retain(|(step, _)| *step < event.step));
            }
            _ => {}
        }
    }
    shown.retain(|_, own| !own.is_empty());
    shown
}

fn steps(shown: &Shown, tag: &str) -> Vec<i64> {
    shown.get(tag).unwrap_or_else(|| panic!("no {tag} in {:?}", shown.keys())).iter().map(|own| own.0).collect()
}

fn numbers(shown: &Shown, tag: &str) -> Vec<f32> {
    let number = |data: &Data| if let Data::SimpleValue(value) = data { *value } else { panic!("{data:?}") };
    shown[tag].iter().map(|(_, data)| number(data)).collect()
}

fn data() -> Dataset {
    moons(100, 0.2, 1).unwrap()
}

fn model() -> Trainer<Sequential> {
    let model = Sequential::new([2]).add(Dense::new(8).activation(Relu)).add(Dropout::new(0.1));
    model.add(Dense::new(1).activation(Sigmoid)).compile(Adam::new(0.01), BinaryCrossentropy, Accuracy).unwrap()
}

/// 5 steps an epoch.
fn fit<'a>(epochs: usize, validation: &'a Dataset) -> Fit<'a> {
    Fit::epochs(epochs).batch_size(20).validation_data(validation).quiet()
}

#[test]
fn each_number_is_logged_by_its_step() {
    let folder = tempfile::tempdir().unwrap();
    let (data, mut model) = (data(), model());
    let board = TensorBoard::new(folder.path()).every_steps(2).validation_data(&data).evaluation_share(0.0);
    let history = model.fit(&data, fit(3, &data).callback(board)).unwrap();
    let shown = shown(folder.path());
    for (tag, name) in [
        ("loss/train", "loss"),
        ("loss/validation", "val_loss"),
        ("accuracy/train", "accuracy"),
        ("accuracy/validation", "val_accuracy"),
    ] {
        assert_eq!(steps(&shown, tag), [5, 10, 15]);
        let expected: Vec<f32> = history.get(name).unwrap().iter().map(|value| *value as f32).collect();
        assert_eq!(numbers(&shown, tag), expected, "{tag}");
    }
    assert_eq!(numbers(&shown, "epoch"), [1.0, 2.0, 3.0]);
    for tag in ["loss/batch", "learning_rate", "gradient_norm"] {
        assert_eq!(steps(&shown, tag), [2, 4, 6, 8, 10, 12, 14], "{tag}");
    }
    assert_eq!(steps(&shown, "weights/layers.0.weight"), [0, 5, 10, 15]);
    assert_eq!(steps(&shown, "gradients/layers.2.bias"), [5, 10, 15]);
    assert_eq!(steps(&shown, "activations/2 Dense (sigmoid)"), [5, 10, 15]);
    for tag in ["precision_recall/1", "confusion_matrix", "confusion_matrix/table", "predictions", "mistakes"] {
        assert_eq!(steps(&shown, tag), [5, 15], "{tag}");
    }
    assert_eq!(steps(&shown, "dead_units/0 Dense (relu)"), [5, 10, 15]);
    assert!(!shown.contains_key("dead_units/2 Dense (sigmoid)"));
    #[cfg(target_os = "linux")]
    assert_eq!(steps(&shown, "system/memory"), [2, 4, 6, 8, 10, 12, 14]);
    for tag in ["summary", "_hparams_/session_start_info", "custom_scalars__config__"] {
        assert_eq!(steps(&shown, tag), [0], "{tag}");
    }
    assert_eq!(steps(&shown, "_hparams_/session_end_info"), [15]);
}

/// Fails at a step, as a killed process ends.
struct FailAt(usize);

impl Callback for FailAt {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::BatchEnd { step, .. } if *step == self.0 => Err(Error::Data("killed".into())),
            _ => Ok(Flow::Continue),
        }
    }
}

/// Without what the clock decides.
fn without_times(mut shown: Shown) -> Shown {
    let times = ["epoch_seconds", "_hparams_/session_start_info", "_hparams_/session_end_info"];
    for tag in times.into_iter().chain(["system/memory", "system/processor"]) {
        shown.remove(tag);
    }
    shown
}

#[test]
fn a_resumed_run_shows_each_event_once() {
    let data = data();
    let board =
        |folder: &Path| TensorBoard::new(folder).every_steps(1).validation_data(&data).evaluation_share(f64::INFINITY);
    let whole = tempfile::tempdir().unwrap();
    model().fit(&data, fit(4, &data).callback(board(whole.path()))).unwrap();
    let whole = without_times(shown(whole.path()));
    // Checkpoints within epochs and at their last steps; killed soon after, and an epoch later.
    for (every, killed_at) in [(3, 4), (3, 8), (5, 6), (5, 9), (4, 11), (10, 16), (10, 19)] {
        let folder = tempfile::tempdir().unwrap();
        let run = |model: &Trainer<Sequential>| {
            let run = RunFolder::open(folder.path(), model.model.architecture(), Default::default()).unwrap();
            run.checkpoint(Every::Steps(every), Default::default())
        };
        let mut killed = model();
        let own = fit(4, &data).callback(board(folder.path())).callback(run(&killed)).callback(FailAt(killed_at));
        assert!(killed.fit(&data, own).is_err());
        let checkpoint = folder.path().join(RunFolder::CHECKPOINT);
        let mut resumed = model();
        let own = fit(4, &data).callback(board(folder.path())).callback(run(&resumed));
        resumed.resume(checkpoint, &data, own).unwrap();
        let resumed = without_times(shown(folder.path()));
        for (tag, events) in &whole {
            assert_eq!(resumed.get(tag), Some(events), "{tag}, every {every}, killed at {killed_at}");
        }
        assert_eq!(whole.len(), resumed.len());
    }
}

#[test]
fn a_run_that_begins_again_replaces_what_an_older_one_shows() {
    let folder = tempfile::tempdir().unwrap();
    let data = data();
    for epochs in [4, 2] {
        model().fit(&data, fit(epochs, &data).callback(TensorBoard::new(folder.path()))).unwrap();
        assert_eq!(steps(&shown(folder.path()), "loss/train").len(), epochs);
    }
    // A second call of fit goes on.
    let mut model = model();
    for epochs in [1, 2] {
        model.fit(&data, fit(epochs, &data).callback(TensorBoard::new(folder.path()))).unwrap();
    }
    assert_eq!(steps(&shown(folder.path()), "loss/train"), [5, 10, 15]);
}

#[test]
fn images_mistakes_and_first_weights_are_logged_where_samples_are_images() {
    let folder = tempfile::tempdir().unwrap();
    let data = Digits::samples(1, 0, 200).unwrap();

    let mut model = Sequential::new([784])
        .add(Dense::new(10).activation(Softmax))
        .compile(Sgd::new(0.01), CategoricalCrossentropy, Accuracy)
        .unwrap();
    let board = TensorBoard::new(folder.path())
        .validation_data(&data)
        .class_names(["zero\"|", "<b>one</b>"])
        .hparams([("samples", HParam::from("all"))]);
    model.fit(&data, Fit::epochs(1).callback(board).quiet()).unwrap();
    let shown = shown(folder.path());
    let size = |tag: &str| match &shown[tag][0].1 {
        Data::Image(image) => (image.height, image.width),
        other => panic!("{other:?}"),
    };
    assert_eq!(size("samples"), (5 * 30 - 2, 5 * 30 - 2));
    assert_eq!(size("first layer"), (3 * 30 - 2, 4 * 30 - 2));
    assert_eq!(steps(&shown, "first layer").len(), 2);
    let mistakes: Vec<&String> =
        shown.keys().filter(|tag| tag.starts_with("mistakes/") && tag.contains(": sample ")).collect();
    assert_eq!(mistakes.len(), 16);
    assert_eq!((size(mistakes[0]), size("mistakes/all")), ((28, 28), (4 * 30 - 2, 4 * 30 - 2)));
    for name in ["zero\"|", "<b>one</b>", "2", "9"] {
        assert!(shown.contains_key(&format!("precision_recall/{name}")), "{name}");
    }
}

#[test]
fn a_model_of_ones_own_is_logged_without_what_needs_layers() {
    #[derive(Module)]
    struct Net {
        hidden: Linear,
    }
    impl Forward for Net {
        fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
            self.hidden.forward(x, ctx).sigmoid()
        }
    }
    // Without validation there is nothing to show: it makes no pass of its own.
    for is_validated in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (data, net) = (data(), Net { hidden: Linear::new(2, 1, &mut Rng::new(1)) });
        let mut model = Trainer::new(net, Sgd::new(0.1), BinaryCrossentropy, ());
        let board = TensorBoard::new(folder.path()).validation_data(&data).evaluation_share(0.0);
        let fit = if is_validated { fit(3, &data) } else { Fit::epochs(3).batch_size(20).quiet() };
        model.fit(&data, fit.callback(board)).unwrap();
        let shown = shown(folder.path());
        assert!(shown.contains_key("weights/hidden.weight") && shown.contains_key("gradients/hidden.bias"));
        assert!(!shown.contains_key("summary"));
        for tag in ["precision_recall/1", "confusion_matrix", "predictions", "mistakes"] {
            let own = shown.get(tag).map(|own| own.iter().map(|own| own.0).collect::<Vec<_>>());
            assert_eq!(own, is_validated.then(|| vec![5, 15]), "{tag}");
        }
    }
}

#[test]
fn data_that_does_not_fit_the_model_is_refused_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let other = Dataset::new("others", Tensor::zeros([3, 5]), Tensor::arange(3)).unwrap();
    let board = TensorBoard::new(folder.path()).validation_data(&other);
    let message = model().fit(&data(), Fit::epochs(1).callback(board).quiet()).unwrap_err().to_string();
    assert!(message.contains("[5]") && message.contains("[2]"), "{message}");
    for shape in [&[2, 2][..], &[2], &[2, 1, 1]] {
        let board = TensorBoard::new(folder.path()).validation_data(&data()).image_shape(shape);
        let message = model().fit(&data(), Fit::epochs(1).callback(board).quiet()).unwrap_err().to_string();
        assert!(message.contains("image_shape is") && message.contains(&format!("{:?}", shape)), "{message}");
    }
    for share in [-0.1, f64::NAN] {
        let board = TensorBoard::new(folder.path()).evaluation_share(share);
        let message = model().fit(&data(), Fit::epochs(1).callback(board).quiet()).unwrap_err().to_string();
        assert!(message.contains(&format!("evaluation_share is 0 or more, such as 0.005, not {share}")), "{message}");
    }
}
