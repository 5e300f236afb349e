//! Folds, class weights and early stopping against golden values that `training.py` made with scikit-learn and Keras.

use std::sync::LazyLock;
use std::time::Duration;

use hadal::data::KFold;
use hadal::loss::balanced_class_weights;
use hadal::optim::Mode;
use hadal::prelude::*;
use hadal::train::Logs;
use serde_json::Value;

use super::number;

static GOLDEN: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("training.json")).unwrap());

fn whole(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn wholes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(whole).collect()
}

/// The cases called `name`: each with its folds, and the test rows of each fold.
fn folds(name: &str, make: impl Fn(KFold, &Value) -> hadal::Result<Vec<(Vec<usize>, Vec<usize>)>>) {
    for case in GOLDEN[name].as_array().unwrap() {
        let found = make(KFold::new(whole(&case["folds"])).shuffle(false), case).unwrap();
        let expected: Vec<Vec<usize>> = case["test"].as_array().unwrap().iter().map(wholes).collect();
        let test: Vec<Vec<usize>> = found.into_iter().map(|(_, test)| test).collect();
        assert_eq!(test, expected, "{name}: {case}");
    }
}

#[test]
fn folds_are_scikit_learns() {
    folds("kfold", |kfold, case| kfold.folds(whole(&case["rows"])));
    folds("stratified", |kfold, case| kfold.stratified(&wholes(&case["classes"])));
    folds("grouped", |kfold, case| kfold.grouped(&wholes(&case["groups"])));
}

/// To 1e-15.
#[test]
fn balanced_class_weights_are_scikit_learns() {
    for case in GOLDEN["balanced"].as_array().unwrap() {
        let labels: Vec<i64> = wholes(&case["labels"]).into_iter().map(|label| label as i64).collect();
        let expected: Vec<f64> = case["weights"].as_array().unwrap().iter().map(number).collect();
        let found = balanced_class_weights(&Tensor::from_vec(labels.clone(), [labels.len()]), expected.len()).unwrap();
        let close = found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() <= 1e-15 * expected);
        assert!(close, "{found:?} instead of {expected:?}");
    }
}

/// The callback that a case's settings say.
fn stopping(settings: &Value) -> EarlyStopping {
    let mode = if settings["mode"] == "max" { Mode::Max } else { Mode::Min };
    let count = |name: &str| settings[name].as_u64().unwrap_or(0) as usize;
    let stopping = EarlyStopping::new("val_value")
        .mode(mode)
        .patience(count("patience"))
        .start_from_epoch(count("start_from_epoch"))
        .min_delta(settings["min_delta"].as_f64().unwrap_or(0.0))
        .restore_best_weights(settings["restore_best_weights"] == true);
    settings["baseline"].as_f64().into_iter().fold(stopping, EarlyStopping::baseline)
}

#[test]
fn training_stops_when_keras_does() {
    for case in GOLDEN["early_stopping"].as_array().unwrap() {
        let mut stopping = stopping(&case["settings"]);
        let mut model = Linear::new(1, 1, &mut Rng::new(0));
        let begin = Event::TrainBegin {
            dataset: "made up",
            samples: 1,
            epochs: 100,
            steps_per_epoch: 1,
            step: 0,
            metric_names: &["val_value".to_owned()],
            higher_is_better: &[None],
            preprocessing: &[],
            model: &model,
        };
        stopping.on_event(&begin).unwrap();
        let mut epochs = 0;
        for value in case["values"].as_array().unwrap() {
            epochs += 1;
            model.weight = Tensor::full([1, 1], f64::from(epochs));
            let mut logs = Logs::default();
            logs.push("val_value", number(value), String::new());
            let (learning_rate, elapsed) = (0.1, Duration::ZERO);
            let end = Event::EpochEnd { epoch: epochs as usize, logs: &logs, learning_rate, elapsed, model: &model };
            if stopping.on_event(&end).unwrap() == Flow::Stop {
                break;
            }
        }
        stopping.on_event(&Event::TrainEnd).unwrap();
        if let Some(weights) = stopping.final_weights() {
            model.load_state_dict(&weights.into_iter().collect()).unwrap();
        }
        assert_eq!(epochs as usize, whole(&case["epochs"]), "{case}");
        assert_eq!(stopping.stopped_epoch().is_some(), case["stopped"] == true, "{case}");
        // Where no epoch is looked at, Keras says that the first is the best.
        assert_eq!(stopping.best_epoch().unwrap_or(1), whole(&case["best_epoch"]), "{case}");
        assert_eq!(model.weight.item(), number(&case["weights"]), "{case}");
    }
}
