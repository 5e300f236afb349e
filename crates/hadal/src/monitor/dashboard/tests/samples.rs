//! What is shown of samples and classes.

use prost::Message;

use super::reading::read_events;
use super::*;
use crate::Tensor;
use crate::monitor::tensorboard::messages::{
    DT_FLOAT, Data, Event, PluginData, Summary, SummaryMetadata, TensorProto, Value, What,
};
use crate::monitor::tensorboard::{Log, push_record};

/// Appends a tensor for a page of a plugin.
fn push_tensor(path: &Path, step: i64, [tag, plugin, content]: [&str; 3], float_val: &[f32]) {
    let plugin_data = PluginData { plugin_name: plugin.into(), content: content.into() };
    let metadata = SummaryMetadata { plugin_data: Some(plugin_data), ..SummaryMetadata::default() };
    let tensor = TensorProto { dtype: DT_FLOAT, float_val: float_val.to_vec(), ..TensorProto::default() };
    let value = Value { tag: tag.into(), metadata: Some(metadata), data: Some(Data::Tensor(tensor)) };
    let event = Event { wall_time: 1e9, step, what: Some(What::Summary(Summary { value: vec![value] })) };
    let mut bytes = std::fs::read(path).unwrap();
    push_record(&mut bytes, &event.encode_to_vec());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn the_newest_confusion_matrix_is_shown_and_a_wrong_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = Log::open(folder.path().join("first")).unwrap().path().to_owned();
    let names = r#"{"classes": ["a", "<b>\u0000\ud83d\udc0b"]}"#;
    let head = ["confusion_matrix", "hadal_confusion_matrix", names];
    push_tensor(&path, 5, head, &[9.0, 9.0, 9.0, 9.0]);
    push_tensor(&path, 7, head, &[3.0, 1.0, 0.0, 4.0]);
    push_tensor(&path, 7, ["other", "hadal_confusion_matrix", names], &[3.0]);
    let mut log = Log::open(folder.path().join("first")).unwrap();
    log.text("confusion_matrix/table", "the same").unwrap();
    drop(log);
    let server = server(folder.path());
    read_events(&server);
    let tags = get(&server, "/api/tags?runs=0").json();
    assert_eq!(tags["confusions"], serde_json::json!({"confusion_matrix": [0], "other": [0]}));
    assert_eq!(tags["texts"], serde_json::json!({}));
    let matrix = get(&server, "/api/confusion?run=0&tag=confusion_matrix").json();
    assert_eq!((&matrix["step"], &matrix["counts"]), (&7.into(), &serde_json::json!([[3.0, 1.0], [0.0, 4.0]])));
    assert_eq!(matrix["classes"][1], "<b>\0\u{1F40B}");
    let wrong = get(&server, "/api/confusion?run=0&tag=other");
    assert_eq!((wrong.status, wrong.text()), (400, "the confusion matrix of step 7 has 1 counts, not 2 x 2\n"));
    let missing = get(&server, "/api/confusion?run=0&tag=nothing");
    assert_eq!((missing.status, missing.text()), (400, "run 0 has no `nothing`\n"));
}

#[test]
fn precision_recall_curves_of_all_classes_are_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path().join("first")).unwrap();
    for (step, tag) in [(1, "precision_recall/cat"), (2, "precision_recall/cat"), (2, "precision_recall/a/b")] {
        log.step(step).pr_curve(tag, &Tensor::from([1, 0]), &Tensor::from([0.9, 0.2])).unwrap();
    }
    drop(log);
    let server = server(folder.path());
    read_events(&server);
    assert_eq!(get(&server, "/api/tags?runs=0").json()["pr_curves"], serde_json::json!({"precision_recall": [0]}));
    let curves = get(&server, "/api/pr_curves?run=0&tag=precision_recall").json();
    let names: Vec<_> = curves.as_array().unwrap().iter().map(|curve| (&curve["class"], &curve["step"])).collect();
    assert_eq!(names, [(&"a/b".into(), &2.into()), (&"cat".into(), &2.into())]);
    assert_eq!(
        (&curves[0]["average_precision"], &curves[0]["calibration"]["observed"]),
        (&1.0.into(), &serde_json::json!([0.0, 1.0]))
    );
}

#[test]
fn mistakes_are_the_newest_as_a_table_and_as_images() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path().join("first")).unwrap();
    let mut mistake = |step: usize, tag: &str| log.step(step).image(tag, &Tensor::zeros([2, 2])).unwrap();
    mistake(10, "mistakes/01: sample 3 is a, predicted b");
    mistake(20, "mistakes/01: sample 5 is b, predicted a");
    mistake(20, "mistakes/02: sample 3 is a, predicted b");
    mistake(20, "mistakes/all");
    mistake(20, "samples");
    mistake(20, "predictions/all");
    log.text("mistakes", "| sample | class |\n| --- | --- |\n| 5 | <b> |\n").unwrap();
    log.text("predictions", "none").unwrap();
    log.text("summary", "s").unwrap();
    drop(log);
    let server = server(folder.path());
    read_events(&server);
    let tags = get(&server, "/api/tags?runs=0").json();
    assert_eq!(tags["samples"], serde_json::json!({"mistakes": [0], "predictions": [0]}));
    assert_eq!(
        (&tags["images"], &tags["texts"]),
        (&serde_json::json!({"samples": [0]}), &serde_json::json!({"summary": [0]}))
    );
    let found = get(&server, "/api/samples?run=0&tag=mistakes").json();
    let images = ["mistakes/01: sample 5 is b, predicted a", "mistakes/02: sample 3 is a, predicted b"];
    assert_eq!((&found["step"], &found["images"]), (&20.into(), &serde_json::json!(images)));
    assert_eq!(found["text"][0]["kind"], "table");
    let found = get(&server, "/api/samples?run=0&tag=predictions").json();
    assert_eq!((&found["step"], &found["images"]), (&20.into(), &serde_json::json!(["predictions/all"])));
    assert_eq!(get(&server, "/api/samples?run=0&tag=nothing").status, 400);
}

#[test]
fn findings_are_told_of_each_run_and_noted_where_they_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first/health.json");
    write_run(&folder.path().join("first"), 1, [0.5, 0.25]);
    std::fs::write(&path, "[]").unwrap();
    let server = server(folder.path());
    assert_eq!(get(&server, "/api/runs").json()["runs"][0]["findings"], serde_json::json!([]));
    let finding = r#"{"kind":"dead_units","layer":null,"epoch":3,"step":150,"text":"a <b>","advice":"c"}"#;
    std::fs::write(&path, format!("[{finding}]")).unwrap();
    let list = wait_for(&server, "/api/runs", |list| list["runs"][0]["findings"][0]["step"] == 150);
    assert_eq!(list["runs"][0]["findings"][0]["text"], "a <b>");
    std::fs::write(&path, "[{").unwrap();
    let list = wait_for(&server, "/api/runs", |list| list["runs"][0]["findings"] == serde_json::json!([]));
    let note = list["runs"][0]["notes"][0].as_str().unwrap();
    assert!(note.starts_with("health.json: EOF while parsing"), "{note}");
}
