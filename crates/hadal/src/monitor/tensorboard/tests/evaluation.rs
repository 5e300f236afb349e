//! What is logged of what a model gets right and wrong.

use super::*;
use crate::metric::ConfusionMatrix;
use crate::monitor::tensorboard::Log;

/// A model that gives its inputs, but for a factor that is 1 and stays it.
#[derive(Module)]
struct Echo {
    factor: Tensor,
}

impl Echo {
    fn trainer() -> Trainer<Echo> {
        let echo = Echo { factor: Tensor::ones([1]).requires_grad() };
        Trainer::new(echo, Sgd::new(1e-30), CategoricalCrossentropy, ())
    }
}

impl Forward for Echo {
    fn forward(&self, x: &Tensor, _: &mut Context) -> Tensor {
        x * &self.factor
    }
}

fn matrices(shown: &Shown) -> Vec<(i64, Vec<f32>)> {
    let cells = |(step, data): &(i64, Data)| match data {
        Data::Tensor(tensor) => (*step, tensor.float_val.clone()),
        other => panic!("{other:?}"),
    };
    shown["confusion_matrix"].iter().map(cells).collect()
}

fn texts(shown: &Shown, tag: &str) -> Vec<String> {
    let text = |(_, data): &(i64, Data)| match data {
        Data::Tensor(tensor) => String::from_utf8(tensor.string_val[0].clone()).unwrap(),
        other => panic!("{other:?}"),
    };
    shown[tag].iter().map(text).collect()
}

#[test]
fn an_evaluation_says_what_was_predicted_of_each_sample() {
    let folder = tempfile::tempdir().unwrap();
    let given = [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.5, 0.375, 0.125], [0.25, 0.25, 0.5]];
    let data = Dataset::new("d", Tensor::from(given), Tensor::from([0, 1, 2, 1])).unwrap();
    let row = |sample: usize| vec![["Anna", "B*rt", "C|d", "<b>D</b>"][sample].to_owned()];
    let board = TensorBoard::new(folder.path())
        .validation_data(&data)
        .class_names(["a", "b|c", "<i>"])
        .sample_columns(["name"], row);
    // Batches that do not divide the samples.
    let fit = Fit::epochs(1).validation_data(&data).validation_batch_size(3).callback(board).quiet();
    Echo::trainer().fit(&data, fit).unwrap();
    let shown = shown(folder.path());
    assert_eq!(matrices(&shown), [(1, vec![1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0])]);
    let table = "| actual class, predicted as | a | b\\|c | &lt;i> |\n| --- | --- | --- | --- |\n\
                 | a | **1** | 0 | 0 |\n| b\\|c | 0 | **1** | 1 |\n| &lt;i> | 1 | 0 | **0** |\n";
    assert_eq!(texts(&shown, "confusion_matrix/table"), [table]);
    let predictions = "| sample | class | predicted | probability of the predicted class | name |\n\
                       | --- | --- | --- | --- | --- |\n\
                       | 0 | a | a | 50.00% | Anna |\n\
                       | 1 | b\\|c | b\\|c | 75.00% | B\\*rt |\n\
                       | 2 | &lt;i> | **a** | 50.00% | C\\|d |\n\
                       | 3 | b\\|c | **&lt;i>** | 50.00% | &lt;b>D&lt;/b> |\n";
    assert_eq!(texts(&shown, "predictions"), [predictions]);
    let mistakes = "| sample | class | predicted | probability of its class | name |\n\
                    | --- | --- | --- | --- | --- |\n\
                    | 2 | &lt;i> | **a** | 12.50% | C\\|d |\n\
                    | 3 | b\\|c | **&lt;i>** | 25.00% | &lt;b>D&lt;/b> |\n";
    assert_eq!(texts(&shown, "mistakes"), [mistakes]);
    let Data::Tensor(curve) = &shown["precision_recall/b|c"][0].1 else { panic!() };
    // True and false positives, true and false negatives at the threshold 63 / 126.
    assert_eq!([0, 1, 2, 3].map(|row| curve.float_val[127 * row + 63]), [1.0, 0.0, 2.0, 1.0]);
}

#[test]
fn an_epoch_without_mistakes_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = Dataset::new("d", Tensor::from([[0.75, 0.25], [0.25, 0.75]]), Tensor::from([0, 1])).unwrap();
    let board = TensorBoard::new(folder.path()).validation_data(&data);
    Echo::trainer().fit(&data, Fit::epochs(1).validation_data(&data).callback(board).quiet()).unwrap();
    let expected = ["No sample of 2 is taken for one of another class."];
    assert_eq!(texts(&shown(folder.path()), "mistakes"), expected);
}

/// What the model makes of the data, by definition.
fn matrix_of(model: &Trainer<Sequential>, data: &Dataset) -> Vec<f32> {
    let predicted = model.predict(data).unwrap().to_vec::<f32>();
    let mut matrix = vec![0.0; 4];
    for (label, own) in data.targets().to_vec::<i64>().into_iter().zip(predicted) {
        matrix[2 * label as usize + usize::from(own > 0.5)] += 1.0;
    }
    matrix
}

/// Gives the model its weights after the first epoch again.
struct FirstEpoch(Vec<(String, Tensor)>);

impl Callback for FirstEpoch {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if let Event::EpochEnd { epoch: 1, model, .. } = event {
            self.0 = model.state_dict();
        }
        Ok(Flow::Continue)
    }

    fn final_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
        Some(std::mem::take(&mut self.0))
    }
}

#[test]
fn the_last_evaluation_is_that_of_the_weights_that_the_model_is_left_with() {
    let data = data();
    for is_restored in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut model = model();
        let board = TensorBoard::new(folder.path()).validation_data(&data).evaluation_share(f64::INFINITY);
        let mut own = fit(8, &data).callback(board);
        if is_restored {
            own = own.callback(FirstEpoch(Vec::new()));
        }
        model.fit(&data, own).unwrap();
        let shown = shown(folder.path());
        let found = matrices(&shown);
        let mut steps: Vec<i64> = (1..=8).map(|epoch| 5 * epoch).collect();
        steps.extend(is_restored.then_some(40));
        assert_eq!(found.iter().map(|own| own.0).collect::<Vec<_>>(), steps);
        assert_eq!(found.last().unwrap().1, matrix_of(&model, &data));
        if is_restored {
            assert_eq!(found[8].1, found[0].1);
            assert_ne!(found[8].1, found[7].1, "training has changed nothing: the test says nothing");
        }
    }
}

#[test]
fn an_evaluation_is_logged_once_if_the_best_epoch_is_the_last() {
    let (folder, data) = (tempfile::tempdir().unwrap(), data());
    let board = TensorBoard::new(folder.path()).validation_data(&data);
    model().fit(&data, fit(1, &data).callback(board).callback(FirstEpoch(Vec::new()))).unwrap();
    assert_eq!(steps(&shown(folder.path()), "confusion_matrix"), [5]);
}

#[test]
fn validation_data_of_the_callback_alone_is_evaluated_at_the_end() {
    let data = data();
    let others = moons(100, 0.2, 7).unwrap();
    for validation in [None, Some(&others)] {
        let (folder, mut model) = (tempfile::tempdir().unwrap(), model());
        let board = TensorBoard::new(folder.path()).validation_data(&data).evaluation_share(f64::INFINITY);
        let own = Fit::epochs(3).batch_size(20).quiet().callback(board);
        let own = if let Some(others) = validation { own.validation_data(others) } else { own };
        model.fit(&data, own).unwrap();
        assert_eq!(matrices(&shown(folder.path())), [(15, matrix_of(&model, &data))]);
    }
}

/// Leaves the run at the end of an epoch.
struct SuspendAfter(usize);

impl Callback for SuspendAfter {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        let is_there = matches!(event, Event::EpochEnd { epoch, .. } if *epoch == self.0);
        Ok(if is_there { Flow::Suspend } else { Flow::Continue })
    }
}

#[test]
fn a_run_that_is_left_at_the_end_of_an_epoch_shows_its_evaluation_once() {
    let data = data();
    // The last one has nothing left to train.
    for epoch in [1, 2, 3] {
        let folder = tempfile::tempdir().unwrap();
        let board = || TensorBoard::new(folder.path()).validation_data(&data).evaluation_share(f64::INFINITY);
        let checkpoint = folder.path().join("checkpoint.safetensors");
        let mut left = model();
        let own = fit(3, &data).callback(board()).callback(SuspendAfter(epoch));
        left.fit(&data, own.callback(crate::train::Checkpoint::new(&checkpoint))).unwrap();
        let mut resumed = model();
        resumed.resume(&checkpoint, &data, fit(3, &data).callback(board())).unwrap();
        let shown = shown(folder.path());
        assert_eq!(steps(&shown, "confusion_matrix"), [5, 10, 15], "left after epoch {epoch}");
        assert_eq!(steps(&shown, "predictions"), [5, 10, 15]);
        assert_eq!(matrices(&shown)[2].1, matrix_of(&resumed, &data));
    }
}

#[test]
fn a_regression_has_no_classes_to_show() {
    let folder = tempfile::tempdir().unwrap();
    let x = Tensor::rand([60, 2], &mut Rng::new(1));
    let y = x.narrow(1, 0, 1) * 3.0;
    let data = Dataset::new("d", x, y).unwrap();
    let mut model = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, ()).unwrap();
    let board = TensorBoard::new(folder.path()).validation_data(&data).sample_columns(["x"], |_| vec!["1".into()]);
    model.fit(&data, fit(2, &data).callback(board)).unwrap();
    let shown = shown(folder.path());
    assert!(shown.contains_key("loss/validation"));
    for tag in ["precision_recall", "confusion_matrix", "predictions", "mistakes", "dead_units"] {
        assert!(!shown.keys().any(|own| own.starts_with(tag)), "{tag}");
    }
}

#[test]
fn samples_of_several_classes_have_curves_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = Dataset::new("d", Tensor::ones([4, 2]), Tensor::from([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]]));
    let data = data.unwrap();
    let mut model = Sequential::new([2])
        .add(Dense::new(2).activation(Sigmoid))
        .compile(Sgd::new(0.1), BinaryCrossentropy, ())
        .unwrap();
    let board = TensorBoard::new(folder.path()).validation_data(&data);
    model.fit(&data, Fit::epochs(1).validation_data(&data).callback(board).quiet()).unwrap();
    let shown = shown(folder.path());
    assert!(shown.contains_key("precision_recall/0") && shown.contains_key("precision_recall/1"));
    assert!(!shown.contains_key("confusion_matrix") && !shown.contains_key("predictions"));
}

#[test]
fn a_program_logs_a_confusion_matrix_in_one_line_and_hears_what_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path()).unwrap();
    let mut matrix = ConfusionMatrix::new();
    let message = |result: Result<()>| result.unwrap_err().to_string();
    let none = message(log.confusion_matrix("m", &matrix, &["a"; 0]));
    assert_eq!(none, "confusion matrix `m`: one of 1 to 100 classes is logged, not of 0");
    let outputs = Tensor::from([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [f32::NAN, 0.0]]);
    matrix.update(&outputs, &Tensor::from([0, 1, 1, 1]));
    let names = message(log.confusion_matrix("m", &matrix, &["a"]));
    assert_eq!(names, "confusion matrix `m`: there are 1 names for 2 classes");
    assert!(message(log.confusion_matrix("", &matrix, &["a", "b"])).contains("tag"));
    log.step(3).confusion_matrix("confusion_matrix", &matrix, &["a", "b"]).unwrap();
    log.confusion_matrix("numbers", &matrix, &[] as &[&str]).unwrap();
    drop(log);
    let shown = shown(folder.path());
    assert_eq!(matrices(&shown), [(3, vec![1.0, 0.0, 1.0, 1.0])]);
    let table = "| actual class, predicted as | 0 | 1 | none (NaN) |\n| --- | --- | --- | --- |\n\
                 | 0 | **1** | 0 | 0 |\n| 1 | 1 | **1** | 1 |\n";
    assert_eq!(texts(&shown, "numbers/table"), [table]);
}
